"""Non-maximum suppression without a loop over boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.association.costs import iou, overlapping_pairs

__all__ = ["non_maximum_suppression"]


def non_maximum_suppression(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    maximum_iou: float,
    classes: NDArray[np.integer] | None = None,
) -> NDArray[np.bool_]:
    """Return which boxes the greedy method keeps: from the best score down, each that no kept one overlaps too much.

    Args:
        boxes: (4, M) columns ``x1, y1, x2, y2``.
        scores: (M,); of equal scores the earlier box goes first.
        maximum_iou: a box is dropped when a kept one overlaps it by more.
        classes: (M,); boxes of different classes leave each other alone. ``None``: all of one class.
    """
    count = boxes.shape[1]
    rank = np.empty(count, np.intp)
    rank[np.argsort(-scores, kind="stable")] = np.arange(count)
    better, worse = overlapping_pairs(boxes, boxes)
    rivals = rank[better] < rank[worse]
    if classes is not None:
        rivals &= classes[better] == classes[worse]
    better, worse = better[rivals], worse[rivals]
    close = iou(boxes.take(better, axis=1), boxes.take(worse, axis=1)) > maximum_iou
    if not close.any():
        return np.ones(count, bool)
    better, worse = better[close], worse[close]
    kept = np.zeros(count, bool)
    open_ = np.ones(count, bool)
    # each round settles every box that has no better open rival left; that is what the greedy order does one by one
    while open_.any():
        blocked = np.zeros(count, bool)
        blocked[worse[open_[better]]] = True
        winners = open_ & ~blocked
        kept |= winners
        open_ &= blocked
        open_[worse[winners[better]]] = False
    return kept
