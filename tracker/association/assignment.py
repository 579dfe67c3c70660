"""Assignment of tracks to detections behind one function.

The problem solved everywhere is the one ByteTrack poses with ``lapjv(cost_limit=maximum)``, DeepSORT with costs clipped
at its maximum: choose pairs, each row and each column at most once, so that

    Σ over pairs (cost - maximum)

is least. Pairs that cost more than the maximum (or infinity, or NaN) are forbidden; leaving a row and a column single
costs as much as a pair at the maximum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign", "assign_pairs"]

#: from this many rows on, lap's shortest augmenting paths beat scipy's on dense costs
LAP_ROWS = 200

Indices = NDArray[np.intp]
_NONE: Indices = np.zeros(0, np.intp)


def assign(cost: NDArray[np.floating], maximum: float) -> tuple[Indices, Indices]:
    """Match rows to columns at the least Σ (cost - maximum).

    Args:
        cost: (N, M); infinite and NaN entries are forbidden.
        maximum: greatest cost of a pair, finite, or ``inf`` for "as many pairs as can be, then as cheap as can be".

    Returns:
        Rows and columns of the matched pairs, (K,) each, rows ascending.
    """
    if cost.size == 0:
        return _NONE, _NONE
    admissible = np.isfinite(cost)
    if np.isfinite(maximum):
        admissible &= cost <= maximum
    rows, columns = admissible.nonzero()
    costs = cost[rows, columns]
    if not np.isfinite(maximum):
        if not len(costs):
            return _NONE, _NONE
        # one more pair must outweigh any rearrangement of the others
        low, high = float(costs.min()), float(costs.max())
        maximum = high + (high - low) * min(cost.shape) + max(1.0, abs(high))
    matched = assign_pairs(rows, columns, costs, maximum, cost.shape)
    return rows[matched], columns[matched]


def assign_pairs(
    rows: Indices, columns: Indices, costs: NDArray[np.floating], maximum: float, shape: tuple[int, int]
) -> Indices:
    """Match rows to columns where only the listed pairs are allowed; sparse problems cost next to nothing.

    Args:
        rows: (P,) row of each admissible pair, ascending, no pair twice.
        columns: (P,) its column.
        costs: (P,) its cost, finite, at most ``maximum``.
        maximum: cost at which a pair is as good as none.
        shape: numbers of rows and columns.

    Returns:
        (K,) positions of the chosen pairs in the list, ascending.
    """
    if not len(rows):
        return _NONE
    row_choices = np.bincount(rows, minlength=shape[0])
    column_choices = np.bincount(columns, minlength=shape[1])
    contested = (row_choices[rows] > 1) | (column_choices[columns] > 1)
    rest = contested.nonzero()[0]
    if not len(rest):
        return np.arange(len(rows))
    chosen = _solve_contested(rows[rest], columns[rest], costs[rest], maximum, shape)
    if len(rest) == len(rows):
        return chosen
    contested[rest[chosen]] = False
    return (~contested).nonzero()[0]


def _solve_contested(
    rows: Indices, columns: Indices, costs: NDArray[np.floating], maximum: float, shape: tuple[int, int]
) -> Indices:
    first = np.empty(len(rows), bool)
    first[0] = True
    np.not_equal(rows[1:], rows[:-1], out=first[1:])
    local_rows = first.cumsum() - 1
    # when every row's cheapest pair is also alone in its column, no assignment can be cheaper
    least = np.minimum.reduceat(costs, first.nonzero()[0])
    cheapest = (costs == least[local_rows]).nonzero()[0]
    if len(cheapest) == len(least) and np.bincount(columns[cheapest]).max() == 1:
        return cheapest
    used = np.zeros(shape[1], np.intp)
    used[columns] = 1
    local_columns = (used.cumsum() - 1)[columns]
    dense = np.zeros((len(least), int(used.sum())))
    # a pair at the very maximum is still taken rather than left
    dense[local_rows, local_columns] = costs - (maximum + 1e-9 * max(1.0, abs(maximum)))
    place = np.full(dense.shape, -1)
    place[local_rows, local_columns] = np.arange(len(rows))
    solved = place[_solve(dense, sparse=4 * len(rows) < dense.size)]
    return np.sort(solved[solved >= 0])


def _solve(cost: NDArray[np.float64], sparse: bool) -> tuple[Indices, Indices]:
    """Return a full assignment of least total cost of the smaller side."""
    if len(cost) < LAP_ROWS or sparse:
        from scipy.optimize import linear_sum_assignment

        return linear_sum_assignment(cost)
    import lap

    _, partner, _ = lap.lapjv(cost, extend_cost=True)
    rows = (partner >= 0).nonzero()[0]
    return rows, partner[rows]
