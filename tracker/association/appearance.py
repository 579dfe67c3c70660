"""What tracks look like: one averaged vector per track, or a bounded gallery of vectors.

Both keep their vectors in one array, each track at its own *slot*, so that tracks come and go without moving features,
and compare only the candidate pairs they are asked for: behind a proximity gate a crowd of 300 has a few hundred pairs,
not 90,000.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["AppearanceMemory", "AverageAppearance", "GalleryAppearance", "cosine_distance", "unit_vectors"]

Features = NDArray[np.float32]
Indices = NDArray[np.intp]

#: squared lengths nearer to 1 than this count as normalised
_UNIT = 1e-5
#: squared lengths from here to its inverse are exact enough in float32
_SMALLEST = 1e-20
#: candidate pairs gathered at once
_CHUNK = 4096


def unit_vectors(features: Features) -> tuple[Features, NDArray[np.bool_]]:
    """Return features (M, D) scaled to length 1, and which rows are vectors at all (M,).

    Rows that are zero or not finite come back as zeros and False: "not embedded".
    """
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.vecdot(features, features)
    embedded = (squares > _SMALLEST) & (squares < 1.0 / _SMALLEST)
    if embedded.all():
        if (np.abs(squares - 1.0) < _UNIT).all():
            return features, embedded
        return features / np.sqrt(squares)[:, None], embedded
    units = np.where(embedded[:, None], features, np.float32(0.0))
    units /= np.sqrt(np.where(embedded, squares, np.float32(1.0)))[:, None]
    # vectors so long or short that their squares leave float32
    extreme = (~embedded & np.isfinite(features).all(axis=1) & features.any(axis=1)).nonzero()[0]
    if len(extreme):
        exact = features[extreme].astype(np.float64)
        units[extreme] = exact / np.linalg.norm(exact, axis=1, keepdims=True)
        embedded[extreme] = True
    return units, embedded


def cosine_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the (N, M) cosine distances, in [0, 2], between unit vectors (N, D) and (M, D)."""
    return np.clip(1.0 - first @ second.T, 0.0, 2.0)


class AppearanceMemory(ABC):
    """Vectors of tracks by slot.

    A slot belongs to a track from ``allocate`` until the track's number is no longer among the used ones.
    """

    def __init__(self) -> None:
        self.dimension: int | None = None
        self.capacity = 0

    @abstractmethod
    def add(self, slots: Indices, units: Features) -> None:
        """Take one new unit vector (K, D) into each of the distinct ``slots`` (K,)."""

    @abstractmethod
    def similarity(self, slots: Indices, units: Features, detections: Indices) -> NDArray[np.floating]:
        """Return the (P,) cosine similarity of pair p: track at ``slots[p]``, vector ``units[detections[p]]``."""

    @abstractmethod
    def _resize(self, kept: Indices, capacity: int) -> None:
        """Make room for ``capacity`` slots; those ``kept`` come first, in order, the others are empty."""

    @abstractmethod
    def _clear(self, slots: Indices) -> None:
        """Empty ``slots``."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory held, in bytes."""

    def allocate(self, count: int, used: Indices) -> Indices:
        """Return ``count`` empty slots; ``used`` are those that living tracks hold."""
        if len(used) + count > self.capacity:
            self._grow(max(16, 2 * self.capacity, len(used) + count))
        free = np.ones(self.capacity, bool)
        free[used] = False
        slots = free.nonzero()[0][:count]
        self._clear(slots)
        return slots

    def shrink(self, used: Indices) -> Indices | None:
        """Give memory back when less than a quarter is in use: return the new slots of ``used``, or ``None``."""
        if self.capacity <= 64 or 4 * len(used) >= self.capacity:
            return None
        capacity = max(16, 2 * len(used))
        self._resize(used, capacity)
        self.capacity = capacity
        return np.arange(len(used))

    def _grow(self, capacity: int) -> None:
        self._resize(np.arange(self.capacity), capacity)
        self.capacity = capacity


class AverageAppearance(AppearanceMemory):
    """One vector per track, the exponential moving average of its detections (BoT-SORT, eq. 10).

    Args:
        momentum: weight of the old average, 0.9 in the paper.
    """

    def __init__(self, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.vectors: Features = np.zeros((0, 0), np.float32)

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes

    def add(self, slots: Indices, units: Features) -> None:
        vectors = self.vectors.take(slots, axis=0)
        vectors *= np.float32(self.momentum)
        vectors += units * np.float32(1.0 - self.momentum)
        vectors /= np.maximum(np.sqrt(np.vecdot(vectors, vectors)), _SMALLEST)[:, None]
        self.vectors[slots] = vectors

    def similarity(self, slots: Indices, units: Features, detections: Indices) -> NDArray[np.floating]:
        if len(slots) <= _CHUNK:
            return np.vecdot(self.vectors.take(slots, axis=0), units.take(detections, axis=0))
        starts = range(0, len(slots), _CHUNK)
        return np.concatenate(
            [self.similarity(slots[i : i + _CHUNK], units, detections[i : i + _CHUNK]) for i in starts]
        )

    def _resize(self, kept: Indices, capacity: int) -> None:
        vectors = np.zeros((capacity, self.dimension or 0), np.float32)
        if len(kept):
            vectors[: len(kept)] = self.vectors[kept]
        self.vectors = vectors

    def _clear(self, slots: Indices) -> None:
        self.vectors[slots] = 0.0


class GalleryAppearance(AppearanceMemory):
    """The last vectors of each track in a ring; a track is as similar as its most similar vector (DeepSORT, MOTDT).

    Args:
        size: vectors kept per track, 100 in both papers.
    """

    def __init__(self, size: int = 100) -> None:
        super().__init__()
        self.size = size
        self.vectors: Features = np.zeros((0, size, 0), np.float32)
        self.counts: NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes + self.counts.nbytes

    def add(self, slots: Indices, units: Features) -> None:
        self.vectors[slots, self.counts[slots] % self.size] = units
        self.counts[slots] += 1

    def similarity(self, slots: Indices, units: Features, detections: Indices) -> NDArray[np.floating]:
        result = np.empty(len(slots), np.float32)
        if not len(slots):
            return result
        # One product per track: behind the motion gate a track has two or three candidates, and reading its own vectors
        # in place is an order of magnitude less work than one product of all tracks with all detections.
        bounds = [0, *((slots[1:] != slots[:-1]).nonzero()[0] + 1).tolist(), len(slots)]
        for begin, end in pairwise(bounds):
            slot = slots[begin]
            vectors = self.vectors[slot, : self.counts[slot]]
            products = vectors @ units[detections[begin:end]].T
            result[begin:end] = products.max(axis=0, initial=-1.0)
        return result

    def _resize(self, kept: Indices, capacity: int) -> None:
        vectors = np.zeros((capacity, self.size, self.dimension or 0), np.float32)
        if len(kept):
            vectors[: len(kept)] = self.vectors[kept]
        counts = np.zeros(capacity, np.int64)
        counts[: len(kept)] = self.counts[kept]
        self.vectors, self.counts = vectors, counts

    def _clear(self, slots: Indices) -> None:
        self.counts[slots] = 0
