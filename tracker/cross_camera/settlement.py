"""Decide jointly which tracklets are one person.

Correlation clustering (Bansal, Blum and Chawla, 2004) of the graph whose nodes are tracklets: every pair carries
evidence in nats for or against one person; two tracklets alive at one instant in one camera are never one person.
Clusters grow by joining the pair with the strongest average evidence first (Keuper et al., 2015, "greedy additive edge
contraction", with averages, so that large clusters do not swallow doubtful pieces), then single tracklets move to
where they fit best, one after the other, until nothing improves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["cluster"]

#: nats by which another cluster must be better before a tracklet moves
LEAST_GAIN = 1e-6
#: times that a tracklet may move
MOVES = 3


def cluster(
    evidence: NDArray[np.float32],
    forbidden: NDArray[np.bool_],
    weights: NDArray[np.float32],
    bonds: Sequence[tuple[int, int, float]] = (),
    *,
    margin: float = 0.0,
) -> NDArray[np.int64]:
    """Return the cluster number (N,) of each node; numbers follow the first node of each cluster.

    Args:
        evidence: (N, N) symmetric, nats for (positive) or against (negative) one person; NaN: nothing known.
        forbidden: (N, N) symmetric, pairs that cannot be one person.
        weights: (N,) how much each node's evidence counts, for example by its number of good crops; positive.
        bonds: ``(first, second, nats)``: evidence between two single nodes that is added to the evidence between
            their clusters as it is, not averaged: neighbouring pieces of one track.
        margin: nats by which the evidence must exceed 0 before two clusters are joined.
    """
    count = len(weights)
    if count == 0:
        return np.zeros(0, np.int64)
    known = np.isfinite(evidence)
    mass = np.where(known, np.outer(weights, weights), 0.0)
    total = np.where(known, evidence, 0.0) * mass
    bond = np.zeros((count, count))
    for first, second, nats in bonds:
        bond[first, second] += nats
        bond[second, first] += nats
    labels = _grow(total, mass, bond, forbidden.copy(), margin)
    labels = _refine(labels, total, mass, bond, forbidden, margin)
    _, first_rows, numbers = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first_rows))
    return order[numbers].astype(np.int64)


def _grow(
    total: NDArray[np.float64],
    mass: NDArray[np.float64],
    bond: NDArray[np.float64],
    forbidden: NDArray[np.bool_],
    margin: float,
) -> NDArray[np.int64]:
    count = len(total)
    total, mass, bond = total.copy(), mass.copy(), bond.copy()
    labels = np.arange(count)
    alive = np.ones(count, bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(mass > 0, total / mass, 0.0) + bond
    score[forbidden] = -np.inf
    score[np.tril_indices(count)] = -np.inf
    # The greatest score of each row, so that a step looks at few rows instead of at the whole matrix.
    best = score.max(axis=1)
    while count > 1:
        first = int(best.argmax())
        if not best[first] > margin:
            break
        second = int(score[first].argmax())
        stale = score[:, second] >= best
        stale[:first] |= score[:first, first] >= best[:first]
        total[first] += total[second]
        total[:, first] += total[:, second]
        mass[first] += mass[second]
        mass[:, first] += mass[:, second]
        bond[first] += bond[second]
        bond[:, first] += bond[:, second]
        forbidden[first] |= forbidden[second]
        forbidden[:, first] |= forbidden[:, second]
        alive[second] = False
        labels[labels == second] = first
        score[second, :] = -np.inf
        score[:, second] = -np.inf
        row = np.where(mass[first] > 0, total[first] / np.maximum(mass[first], 1e-12), 0.0) + bond[first]
        row[forbidden[first] | ~alive] = -np.inf
        row[first] = -np.inf
        score[first, first + 1 :] = row[first + 1 :]
        score[:first, first] = row[:first]
        np.maximum(best[:first], row[:first], out=best[:first])
        best[second] = -np.inf
        stale[first] = True
        rows = np.flatnonzero(stale & alive & np.isfinite(best))
        best[rows] = score[rows].max(axis=1)
    return labels


def _refine(
    labels: NDArray[np.int64],
    total: NDArray[np.float64],
    mass: NDArray[np.float64],
    bond: NDArray[np.float64],
    forbidden: NDArray[np.bool_],
    margin: float,
) -> NDArray[np.int64]:
    """Move single nodes to the cluster (or to none) that the evidence favours, the greatest gain first.

    One move at a time, so that the outcome does not depend on the order of the nodes.
    """
    count = len(labels)
    # Column k: what all members of cluster k together say of each node; the last clusters are empty, to move out to.
    _, labels = np.unique(labels, return_inverse=True)
    member = np.zeros((count, int(labels.max()) + 2))
    member[np.arange(count), labels] = 1.0
    in_order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[in_order], np.arange(member.shape[1] - 1))
    total, mass = total.copy(), mass.copy()
    np.fill_diagonal(total, 0.0)
    np.fill_diagonal(mass, 0.0)
    sums, masses, bonds, barred = (
        np.pad(np.add.reduceat(part[:, in_order], starts, axis=1, dtype=np.float64), ((0, 0), (0, 1)))
        for part in (total, mass, bond, forbidden)
    )
    rows = np.arange(count)
    # Averages can chase each other in circles, so nobody moves for ever.
    moves_left = np.full(count, MOVES)
    while moves_left.any():
        # What is left by rounding, where members came and went, is nothing.
        value = np.divide(sums, masses, out=np.zeros_like(sums), where=masses > 1e-9) + bonds
        together = value[rows, labels]
        # To be alone is worth the margin: evidence that does not exceed it joins nobody.
        value[(barred > 0) | (value <= margin + LEAST_GAIN)] = -np.inf
        size = member.sum(axis=0)
        value[:, size == 0] = margin
        alone = size[labels] == 1
        own = np.where(alone, margin, together)
        value[rows, labels] = own
        best = value.argmax(axis=1)
        gain = np.where(moves_left > 0, value[rows, best] - own, 0.0)
        node = int(gain.argmax())
        if not gain[node] > LEAST_GAIN:
            break
        old, new = int(labels[node]), int(best[node])
        moves_left[node] -= 1
        # Of two that come together or part, either might have been the one to move.
        if (size[old] == 1 and size[new] == 1) or (size[old] == 2 and size[new] == 0):
            other = (labels == (new if size[new] else old)) & (rows != node)
            moves_left[other] = np.maximum(moves_left[other] - 1, 0)
        for of_nodes, of_clusters in ((total, sums), (mass, masses), (bond, bonds), (forbidden, barred)):
            of_clusters[:, old] -= of_nodes[:, node]
            of_clusters[:, new] += of_nodes[:, node]
        member[node, old], member[node, new] = 0.0, 1.0
        labels[node] = new
        if member.any(axis=0).all():
            sums, masses, bonds, barred, member = (
                np.pad(part, ((0, 0), (0, 1))) for part in (sums, masses, bonds, barred, member)
            )
    return labels
