"""Mean looks of many identities as rows of one matrix, made anew only where something has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary, cosine_distances

__all__ = ["LookTable", "Views"]

#: camera → summary of what was seen there; replaced when anything changes, never changed itself
Views = Mapping[int, AppearanceSummary]
_LEAST_ROWS = 64


class LookTable:
    """Finds out how far looks are from those of each identity.

    Args:
        rows_of: the L2-normalised rows (K, D) that stand for somebody's views; K may be 0.
    """

    def __init__(self, rows_of: Callable[[Views], NDArray[np.float32]]) -> None:
        self._rows_of = rows_of
        self._known: dict[int, tuple[Views, list[int]]] = {}
        self._matrix: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        # identity of each row of the matrix; 0: free
        self._owners: NDArray[np.int64] = np.zeros(0, np.int64)
        self._free: list[int] = []

    def sync(self, looks: Mapping[int, Views]) -> None:
        """Let the table have the looks (identity, from 1 on → views), and no others."""
        for number in [number for number in self._known if number not in looks]:
            self._release(number)
        for number, views in looks.items():
            known = self._known.get(number)
            if known is None or known[0] is not views:
                self._put(number, views)

    def distances(self, queries: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return identities (I,), ascending, and the distance (Q, I) of queries (Q, D) to the nearest row of each.

        Whoever has no rows is not among them.
        """
        order = np.argsort(self._owners, kind="stable")
        order = order[np.searchsorted(self._owners[order], 1) :]
        if not len(order) or not len(queries):
            return np.zeros(0, np.int64), np.zeros((len(queries), 0), np.float32)
        numbers, starts = np.unique(self._owners[order], return_index=True)
        each = cosine_distances(queries, self._matrix)[:, order]
        return numbers, np.minimum.reduceat(each, starts, axis=1)

    def _put(self, number: int, views: Views) -> None:
        if number in self._known:
            self._release(number)
        rows = self._rows_of(views)
        while len(self._free) < len(rows):
            self._grow(rows.shape[1])
        places = [self._free.pop() for _ in range(len(rows))]
        self._known[number] = (views, places)
        if places:
            self._matrix[places] = rows
            self._owners[places] = number

    def _release(self, number: int) -> None:
        _, places = self._known.pop(number)
        self._owners[places] = 0
        self._free += places

    def _grow(self, dimension: int) -> None:
        before = len(self._matrix)
        more = max(_LEAST_ROWS, before)
        self._matrix = np.concatenate(
            [self._matrix.reshape(before, dimension), np.zeros((more, dimension), np.float32)]
        )
        self._owners = np.concatenate([self._owners, np.zeros(more, np.int64)])
        self._free += range(before + more - 1, before - 1, -1)
