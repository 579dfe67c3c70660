"""Ways around the furniture: shortest paths on a grid that prefer to keep clear of things."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from benchmarks.simulation.room import Room

__all__ = ["Navigator"]

_STEP = 0.1
_LOOK_AHEAD = 6


class Navigator:
    """Finds the next place to walk to on the way to a goal.

    Args:
        room: whose free floor is used.
        margin: metres that a body's middle keeps from walls and furniture.
    """

    def __init__(self, room: Room, margin: float = 0.32) -> None:
        corridor = room.corridor
        parts = [(corridor.low, corridor.high), *corridor.passages]
        self._low = np.array([min(0.0, corridor.low[0]), min(low[1] for low, _ in parts)]) - 0.2
        high = np.array([max(room.width, corridor.high[0]), room.depth]) + 0.2
        self._columns, self._rows = (int(v) for v in np.ceil((high - self._low) / _STEP))
        x = self._low[0] + (np.arange(self._columns) + 0.5) * _STEP
        y = self._low[1] + (np.arange(self._rows) + 0.5) * _STEP
        self._cells = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
        free = room.inside(self._cells, margin).reshape(self._rows, self._columns)
        clearance = ndimage.distance_transform_edt(free) * _STEP
        _, (near_rows, near_columns) = ndimage.distance_transform_edt(~free, return_indices=True)
        self._nearest = near_rows * self._columns + near_columns
        self._graph = _grid_graph(free, 1 + 1.5 * np.exp(-clearance / 0.20))
        self._next: dict[int, NDArray[np.int32]] = {}

    def cell(self, x: float, y: float) -> int:
        """Return the free cell nearest to a place."""
        column = min(max(int((x - self._low[0]) / _STEP), 0), self._columns - 1)
        row = min(max(int((y - self._low[1]) / _STEP), 0), self._rows - 1)
        return int(self._nearest[row, column])

    def waypoint(self, place: tuple[float, float], goal_place: tuple[float, float]) -> tuple[float, float]:
        """Return a place a few steps ahead on the way from ``place`` to the goal; the goal itself when near."""
        goal = self.cell(*goal_place)
        if goal not in self._next:
            if len(self._next) > 512:
                self._next.clear()
            _, before = csgraph.dijkstra(self._graph, directed=False, indices=goal, return_predecessors=True)
            self._next[goal] = before.astype(np.int32)
        before = self._next[goal]
        here = self.cell(*place)
        for _ in range(_LOOK_AHEAD):
            if here == goal or before[here] < 0:
                return goal_place
            here = int(before[here])
        return float(self._cells[here, 0]), float(self._cells[here, 1])


def _grid_graph(free: NDArray[np.bool_], cost: NDArray[np.float64]) -> sparse.csr_matrix:
    rows, columns = free.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    start, end, weight = [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = (slice(0, rows - dy), slice(max(0, -dx), columns - max(0, dx)))
        b = (slice(dy, rows), slice(max(0, dx), columns + min(0, dx)))
        both = free[a] & free[b]
        start.append(index[a][both])
        end.append(index[b][both])
        weight.append((np.hypot(dx, dy) * _STEP * (cost[a] + cost[b]) / 2)[both])
    size = rows * columns
    return sparse.csr_matrix((np.concatenate(weight), (np.concatenate(start), np.concatenate(end))), shape=(size, size))
