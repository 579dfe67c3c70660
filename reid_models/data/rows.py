"""What every identity data set is read into: image, identity, camera."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["ImageRows", "ReidData"]


@dataclass(frozen=True, slots=True, eq=False)
class ImageRows:
    """Images of one split, in order of their names or of the data set's list.

    Args:
        paths: N files.
        ids: (N,) int64 identities as the data set numbers them; −1 is junk, 0 a distractor.
        cameras: (N,) int64 cameras as the data set numbers them.
    """

    paths: tuple[Path, ...]
    ids: NDArray[np.int64]
    cameras: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[tuple[Path, int, int]]) -> ImageRows:
        """Return the rows of (path, identity, camera) triples."""
        triples = list(rows)
        numbers = np.array([triple[1:] for triple in triples], np.int64).reshape(-1, 2)
        return cls(tuple(path for path, _, _ in triples), numbers[:, 0].copy(), numbers[:, 1].copy())

    @classmethod
    def joined(cls, *parts: ImageRows) -> ImageRows:
        """Return the rows of all ``parts``, one after the other."""
        return cls(
            tuple(path for part in parts for path in part.paths),
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.cameras for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> ImageRows:
        """Return the rows that a mask (N,), indices or a slice choose."""
        chosen = np.arange(len(self))[rows]
        return ImageRows(tuple(self.paths[index] for index in chosen), self.ids[chosen], self.cameras[chosen])

    @property
    def identities(self) -> int:
        """Number of persons, junk and distractors left out."""
        return len(np.unique(self.ids[self.ids > 0]))

    def training_labels(self) -> NDArray[np.int64]:
        """Return (N,) class numbers 0 … identities − 1 in order of identity, for rows without junk and distractors."""
        return np.unique(self.ids, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ReidData:
    """The three splits of one data set.

    Args:
        name: what it is called.
        train: to learn from.
        query: looked for.
        gallery: looked in.
        multi_query: more images of the queries' identities and cameras, where the set has them (Market-1501's
            ``gt_bbox``), for evaluation with several images a query.
    """

    name: str
    train: ImageRows
    query: ImageRows
    gallery: ImageRows
    multi_query: ImageRows | None = None
