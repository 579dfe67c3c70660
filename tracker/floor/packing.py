"""Several ways for each person to have boxes: those that together fit best, no box twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import coo_array, vstack

__all__ = ["packed"]

#: seconds after which the best single solution has to do
_PATIENCE = 1.0


def packed(rows: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return which of S ways (N,) each of N people takes so that the sum of scores is highest and no box has two.

    A set packing problem, solved exactly as an integer program (HiGHS).

    Args:
        rows: (S, N, C) box of each camera; -1 none. Each of the S ways as a whole gives no box to two people.
        scores: (S, N).
    """
    ways, count, cameras = rows.shape
    chosen = scores.argmax(axis=0)
    best = rows[chosen, np.arange(count)]
    if not any(_repeats(best[:, camera]) for camera in range(cameras)):
        return chosen
    # Every solution as a whole is without conflict, so there is always an answer.
    variables = ways * count
    person = np.tile(np.arange(count), ways)
    flat = rows.reshape(variables, cameras)
    conditions = [coo_array((np.ones(variables), (person, np.arange(variables))), shape=(count, variables))]
    low, high = [np.ones(count)], [np.ones(count)]
    for camera in range(cameras):
        held = np.flatnonzero(flat[:, camera] >= 0)
        if len(held):
            size = int(flat[:, camera].max()) + 1
            conditions.append(coo_array((np.ones(len(held)), (flat[held, camera], held)), shape=(size, variables)))
            low.append(np.zeros(size))
            high.append(np.ones(size))
    answer = milp(
        -scores.ravel(),
        constraints=LinearConstraint(vstack(conditions, format="csr"), np.concatenate(low), np.concatenate(high)),
        integrality=np.ones(variables),
        bounds=(0, 1),
        options={"time_limit": _PATIENCE},
    )
    if answer.x is None:
        return np.full(count, int(scores.sum(axis=1).argmax()))
    return np.asarray(answer.x.reshape(ways, count).argmax(axis=0))


def _repeats(rows: NDArray[np.int64]) -> bool:
    held = rows[rows >= 0]
    return len(np.unique(held)) < len(held)
