"""Which numbers clusters of tracklets inherit from the identities that their tracklets had."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.cross_camera.tracklets import Tracklet

__all__ = ["inherit"]

#: observations that a tracklet counts for of which a person has said whose it is
SAID = 1e12
#: observations that an archived identity counts for: what is decided for good keeps its number
DECIDED = 1e9


def inherit(nodes: Sequence[Tracklet], labels: NDArray[np.int64]) -> tuple[dict[int, int], dict[int, int]]:
    """Let each cluster keep the number that most of its observations had.

    Args:
        nodes: N tracklets; those of camera -1 stand for archived identities.
        labels: (N,) cluster of each.

    Returns:
        cluster → number, for clusters that inherit one; and number → cluster, for numbers that nobody has any more,
        with the cluster that most of its observations are in now.
    """
    old = sorted({node.identity for node in nodes if node.identity is not None})
    if not old:
        return {}, {}
    column_of = {number: column for column, number in enumerate(old)}
    shared = np.zeros((int(labels.max()) + 1, len(old)))
    for node, label in zip(nodes, labels.tolist()):
        if node.identity is not None:
            weight = SAID if node.pinned == node.identity else node.observations if node.camera >= 0 else DECIDED
            shared[label, column_of[node.identity]] += weight
    # The lower number wins among equals: the one known for longer.
    cost = -shared + np.arange(len(old)) * 1e-6
    cost[shared == 0] = np.inf
    rows, columns = (part.tolist() for part in assign(cost, 0.0))
    kept = {row: old[column] for row, column in zip(rows, columns)}
    gone = set(range(len(old))) - set(columns)
    return kept, {old[column]: int(np.argmax(shared[:, column])) for column in sorted(gone)}
