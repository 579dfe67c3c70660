"""How people on the floor look: one averaged vector each, and what a crop says for or against them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.floor.settings import FloorSettings

__all__ = ["Looks"]

Array = NDArray[np.float64]

#: crops that an average remembers
_REMEMBERED = 100.0


class Looks:
    """The appearance of N tracks, kept in step with their other arrays.

    Args:
        settings: of the tracker.
    """

    def __init__(self, settings: FloorSettings) -> None:
        self._settings = settings
        self._sums: Array = np.zeros((0, 0))
        self._counts: Array = np.zeros(0)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) of whom a crop has been seen."""
        return self._counts > 0

    def evidence(self, features: NDArray[np.floating] | None, count: int) -> Array:
        """Return (N, M) nats by which each of M crops speaks for each of N people; 0 where nothing is known.

        Args:
            features: (M, D) unit vectors, rows of NaN where a crop was not embedded; ``None``: no embedder.
            count: M.
        """
        s = self._settings
        if features is None or not len(self._counts) or not self._sums.shape[1] or not count:
            return np.zeros((len(self._counts), count))
        lengths = np.linalg.norm(self._sums, axis=1, keepdims=True)
        means = self._sums / np.where(lengths > 0, lengths, np.nan)
        distances = 1 - means @ np.asarray(features, np.float64).T
        said = np.clip(s.likeness * (1 - distances / s.alike), -s.most_appearance, s.most_appearance)
        return np.nan_to_num(said)

    def learn(self, rows: NDArray[np.intp], features: NDArray[np.floating]) -> None:
        """Take the crops ``features`` (K, D) of the people ``rows`` (K,), each at most once; NaN rows say nothing."""
        features = np.asarray(features, np.float64)
        fine = np.isfinite(features).all(axis=1)
        rows, features = rows[fine], features[fine]
        if not len(rows):
            return
        if not self._sums.shape[1]:
            self._sums = np.zeros((len(self._counts), features.shape[1]))
        fading = np.minimum(1.0, (_REMEMBERED - 1) / np.maximum(self._counts[rows], 1))
        self._sums[rows] = self._sums[rows] * fading[:, None] + features
        self._counts[rows] = np.minimum(self._counts[rows] + 1, _REMEMBERED)

    def add(self, count: int) -> None:
        """Append ``count`` people of whom nothing is known."""
        self._sums = np.concatenate([self._sums, np.zeros((count, self._sums.shape[1]))])
        self._counts = np.concatenate([self._counts, np.zeros(count)])

    def keep(self, keep: NDArray[np.bool_]) -> None:
        """Forget all but some."""
        self._sums, self._counts = self._sums[keep], self._counts[keep]
