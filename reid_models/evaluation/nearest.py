"""Nearest neighbours of every image among all images, block by block: the N × N distances never exist at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.evaluation.inputs import normalized_features

__all__ = ["FeatureDistances", "MatrixDistances", "PairDistances", "smallest_of_rows"]

#: distances computed at once, in values; 40 MB of float32
_BLOCK_VALUES = 10_000_000
#: distances searched at once, in values: what stays in a core's cache between the passes over it
_SEARCH_VALUES = 200_000
#: rows of features gathered at once for distances of single pairs, in values
_GATHER_VALUES = 1_000_000
#: rounding of a computed squared distance, in units of (squared length + squared distance) · machine epsilon, with room
_ROUNDING_UNITS = 32
#: neighbours nearer than rounding can tell apart that are told apart exactly; more are copies of one image
_MOST_EXACT = 2000
_GROUP = 16

Progress = Callable[[int], None]


class PairDistances(ABC):
    """Squared distances between N images, each row divided by its maximum, as k-reciprocal re-ranking takes them.

    Args:
        count: N, queries first.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._maximum = np.zeros(count, np.float32)

    def nearest(
        self, neighbours: int, boundaries: Sequence[int], kept: NDArray[np.float32], progress: Progress | None = None
    ) -> NDArray[np.int32]:
        """Return the (N, ``neighbours``) indices of each image's nearest images, itself among them, nearest first.

        Equal distances are in order of index.

        Args:
            neighbours: how many, at most N.
            boundaries: lengths of the beginnings of the list that are used as sets: rounding must not decide who
                belongs to them.
            kept: (Q, G) array to fill with the distances of the first Q images to the G images after them.
            progress: told the number of rows done.

        Raises:
            InputError: a distance is not finite.
        """
        found = np.empty((self.count, neighbours), np.int32)
        queries = len(kept)
        step = max(1, _BLOCK_VALUES // self.count)
        search = max(1, _SEARCH_VALUES // self.count)
        for start in range(0, self.count, step):
            block = self._block(start, min(start + step, self.count))
            for low in range(0, len(block), search):
                rows = block[low : low + search]
                first = start + low
                self._normalize(rows, first)
                if first < queries:
                    end = min(queries, first + len(rows))
                    np.maximum(rows[: end - first, queries:], 0, out=kept[first:end])
                found[first : first + len(rows)] = self._nearest_of_rows(rows, first, neighbours, boundaries)
            if progress is not None:
                progress(min(start + step, self.count))
        return found

    def _normalize(self, rows: NDArray[np.float32], first: int) -> None:
        maximum = rows.max(axis=1)
        if not np.isfinite(maximum).all():
            raise InputError("distances hold values that are not finite: the features they come from are broken")
        # Images that are all alike have no maximum to divide by: their distances stay zero.
        maximum[maximum <= 0] = 1
        rows /= maximum[:, None]
        self._maximum[first : first + len(rows)] = maximum

    def _nearest_of_rows(
        self, rows: NDArray[np.float32], first: int, neighbours: int, boundaries: Sequence[int]
    ) -> NDArray[np.int64]:
        return smallest_of_rows(rows, neighbours)[0]

    @abstractmethod
    def _block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return a new array (stop − start, N) of squared distances."""

    @abstractmethod
    def of_pairs(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the (P,) distances of pairs, divided by the maximum of the first; after :meth:`nearest`."""


class FeatureDistances(PairDistances):
    """Squared Euclidean distances of features.

    Blocks of them are one float32 matrix product. Where its rounding could change a set of neighbours, the distances in
    question are computed again in float64 from the features as they were given.

    Args:
        query: (Q, D) finite floats.
        gallery: (G, D) finite floats.
        cosine: normalise the features first, so that distances are 2 − 2 · cosine similarity.
    """

    def __init__(self, query: NDArray[np.floating], gallery: NDArray[np.floating], *, cosine: bool) -> None:
        super().__init__(len(query) + len(gallery))
        self._exact = np.concatenate([query, gallery])
        self._cosine = cosine
        features = self._exact.astype(np.float64)
        if cosine:
            features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        # Distances change neither with the origin nor, after division by their maximum, with the unit: centred features
        # lose least to rounding, and cannot overflow.
        features -= features.mean(axis=0)
        features /= max(float(np.abs(features).max()), float(np.finfo(np.float32).tiny))
        self._features = features.astype(np.float32)
        squares = np.einsum("ij,ij->i", features, features)
        self._squares = squares.astype(np.float32)
        dimensions = features.shape[1]
        # Two more columns, and the product is the squared distance: |x|² · 1 − 2 x·y + 1 · |y|².
        self._right = np.empty((dimensions + 2, self.count), np.float32)
        np.multiply(features.T, -2, out=self._right[:dimensions], casting="same_kind")
        self._right[dimensions] = 1
        self._right[dimensions + 1] = squares

    def _block(self, start: int, stop: int) -> NDArray[np.float32]:
        squares = self._squares[start:stop, None]
        left = np.concatenate([self._features[start:stop], squares, np.ones_like(squares)], axis=1)
        block = left @ self._right
        block[np.arange(stop - start), np.arange(start, stop)] = 0
        return block

    def _nearest_of_rows(
        self, rows: NDArray[np.float32], first: int, neighbours: int, boundaries: Sequence[int]
    ) -> NDArray[np.int64]:
        found, values = smallest_of_rows(rows, min(neighbours + 1, self.count))
        result = found[:, :neighbours]
        squares = self._squares[first : first + len(rows)] / self._maximum[first : first + len(rows)]
        error = _ROUNDING_UNITS * np.finfo(np.float32).eps * (squares + values[:, neighbours - 1])
        ends = np.array([end for end in boundaries if end < values.shape[1]], np.int64)
        gaps = values[:, ends] - values[:, ends - 1]
        for row in np.flatnonzero((gaps <= 2 * error[:, None]).any(axis=1)):
            doubtful = np.flatnonzero(rows[row] <= values[row, neighbours - 1] + 2 * error[row])
            if len(doubtful) <= _MOST_EXACT:
                distances = self._exact_distances(first + int(row), doubtful)
                result[row] = doubtful[np.argsort(distances, kind="stable")[:neighbours]]
        return result

    def _exact_distances(self, image: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        features = self._exact[np.append(others, image)].astype(np.float64)
        features = normalized_features(features) if self._cosine else features
        difference = features[:-1] - features[-1]
        distances: NDArray[np.float64] = np.einsum("ij,ij->i", difference, difference)
        return distances

    def of_pairs(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.float64]:
        distances = np.empty(len(first), np.float64)
        step = max(1, _GATHER_VALUES // self._features.shape[1])
        for start in range(0, len(first), step):
            part = slice(start, start + step)
            difference = self._features[first[part]]
            difference -= self._features[second[part]]
            distances[part] = np.einsum("ij,ij->i", difference, difference)
        return distances / self._maximum[first]


class MatrixDistances(PairDistances):
    """Given distances, squared; they need not be symmetric: row i is column i of the N × N matrix.

    Args:
        query_gallery: (Q, G) finite floats.
        query_query: (Q, Q) finite floats.
        gallery_gallery: (G, G) finite floats.
    """

    def __init__(
        self,
        query_gallery: NDArray[np.floating],
        query_query: NDArray[np.floating],
        gallery_gallery: NDArray[np.floating],
    ) -> None:
        super().__init__(len(query_query) + len(gallery_gallery))
        self._queries = len(query_query)
        self._parts = ((query_query, query_gallery), (query_gallery.T, gallery_gallery))

    def _block(self, start: int, stop: int) -> NDArray[np.float32]:
        block = np.empty((stop - start, self.count), np.float32)
        for (low, high), side in zip(self._sides(), range(2), strict=True):
            columns = slice(max(start, low) - low, min(stop, high) - low)
            rows = block[max(start, low) - start : max(min(stop, high) - start, 0)]
            if len(rows):
                for (left, right), part in zip(self._sides(), self._parts, strict=True):
                    np.square(part[side][:, columns].T, out=rows[:, left:right], casting="same_kind")
        return block

    def _sides(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (0, self._queries), (self._queries, self.count)

    def of_pairs(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.float64]:
        distances = np.empty(len(first), np.float64)
        sides = self._sides()
        for (low, high), parts in zip(sides, self._parts, strict=True):
            for (left, right), part in zip(sides, parts, strict=True):
                chosen = np.flatnonzero((second >= low) & (second < high) & (first >= left) & (first < right))
                values = part[second[chosen] - low, first[chosen] - left]
                distances[chosen] = np.square(values).astype(np.float32)
        return distances / self._maximum[first]


def smallest_of_rows(rows: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return columns and values (R, count) of each row's smallest values, ascending, equal ones in order of column."""
    width = rows.shape[1]
    if width // _GROUP > count:
        # The count-th smallest of the groups' minima is no smaller than that of the row: few values pass it, and
        # minima of groups are found many times faster than a row is partitioned.
        groups = width // _GROUP
        candidates = rows[:, : groups * _GROUP].reshape(len(rows), _GROUP, groups).min(axis=1)
    else:
        candidates = rows
    bound = np.partition(candidates, count - 1, axis=1)[:, count - 1]
    row, column = np.divmod(np.flatnonzero(rows <= bound[:, None]), width)
    value = rows[row, column]
    order = np.lexsort((value, row))
    chosen = order[np.searchsorted(row, np.arange(len(rows)))[:, None] + np.arange(count)]
    return column[chosen], value[chosen]
