"""The boxes of all cameras together, dealt to the tracks anew: two people who changed places in every one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.floor.likelihood import inverses

__all__ = ["dealt"]

Array = NDArray[np.float64]

#: metres beyond which boxes are not dealt to a track
_REACH = 3.0


def dealt(prior: Array, prior_vector: Array, said: Array, said_vector: Array, weight: Array) -> NDArray[np.intp]:
    """Return which track's boxes of all cameras each track should have, so that all fit best together.

    Cameras are assigned one after the other, and two people may have changed places in all of them: what the boxes of
    one track say together is far surer than any of them, and is dealt to the tracks anew.

    Args:
        prior, prior_vector: (N, 5, 5), (N, 5) information before the boxes.
        said, said_vector: (N, 5, 5), (N, 5) information of the boxes that each track has.
        weight: (N,) nats by which a track may claim boxes.
    """
    count = len(prior)
    stay = np.arange(count)
    held = np.flatnonzero(said[:, 0, 0] > 0)
    if len(held) < 2:
        return stay
    cov = inverses(prior)
    mean = np.einsum("nij,nj->ni", cov, prior_vector)
    tall = (said[held, :2, 4] * mean[held, 4:]).astype(np.float64)
    flat = said[held, :2, :2] + 1e-6 * np.eye(2)
    places = np.linalg.solve(flat, (said_vector[held, :2] - tall)[..., None])[..., 0]
    gap = np.hypot(*(mean[:, None, :2] - places[None]).transpose(2, 0, 1))
    rows, columns = np.nonzero((gap < _REACH) | (stay[:, None] == held))
    joint = prior[rows] + said[held[columns]]
    vector = prior_vector[rows] + said_vector[held[columns]]
    value = (
        0.5 * np.linalg.slogdet(prior)[1][rows]
        - 0.5 * np.linalg.slogdet(joint)[1]
        + 0.5 * np.einsum("ki,ki->k", vector, np.linalg.solve(joint, vector[..., None])[..., 0])
        - 0.5 * np.einsum("ni,ni->n", mean, prior_vector)[rows]
        + weight[rows]
    )
    cost = np.full((count, len(held)), np.inf)
    cost[rows, columns] = -value
    taken, given = assign(cost, float("inf"))
    deal = np.full(count, -1)
    deal[taken] = held[given]
    empty = np.setdiff1d(stay, held)
    without = np.flatnonzero(deal < 0)
    if len(without) != len(empty):
        return stay
    deal[without] = empty
    return deal
