"""Detections that nobody used, where a linked track says that somebody was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign_pairs
from tracker.association.costs import iou, overlapping_pairs
from tracker.linking.tracklets import Tracklets

__all__ = ["confirmed"]

#: a detection that overlaps a reported box by more is that box
_USED_IOU = 0.5


def confirmed(
    made: Tracklets,
    seen: Tracklets,
    detection_frames: NDArray[np.int64],
    detection_boxes: NDArray[np.floating],
    detection_scores: NDArray[np.floating],
    least_iou: float,
) -> Tracklets:
    """Return the boxes of ``made`` that a free detection confirms, with its box and its score.

    Args:
        made: boxes that were filled in.
        seen: boxes that were reported.
        detection_frames: (M,) int64, ascending.
        detection_boxes: (M, 4) ``x1, y1, x2, y2``.
        detection_scores: (M,).
        least_iou: overlap of a filled box and the detection that confirms it.
    """
    rows_of_made, rows_of_detections = [], []
    order = np.argsort(seen.frames, kind="stable")
    frames = seen.frames[order]
    made_order = np.argsort(made.frames, kind="stable")
    made_frames = made.frames[made_order]
    for frame in np.unique(made.frames).tolist():
        mine = made_order[slice(*np.searchsorted(made_frames, (frame, frame + 1)))]
        used = order[slice(*np.searchsorted(frames, (frame, frame + 1)))]
        first, last = np.searchsorted(detection_frames, (frame, frame + 1))
        detections = np.arange(first, last)
        boxes = np.asarray(detection_boxes[first:last], np.float64).T
        taken, by = overlapping_pairs(boxes, seen.boxes[used].T)
        free = np.ones(len(detections), bool)
        free[taken[iou(boxes[:, taken], seen.boxes[used].T[:, by]) > _USED_IOU]] = False
        detections, boxes = detections[free], boxes[:, free]
        rows, columns = overlapping_pairs(made.boxes[mine].T, boxes)
        overlap = iou(made.boxes[mine].T[:, rows], boxes[:, columns])
        good = np.flatnonzero(overlap >= least_iou)
        good = good[np.argsort(rows[good], kind="stable")]
        rows, columns, costs = rows[good], columns[good], 1 - overlap[good]
        chosen = assign_pairs(rows, columns, costs, 1 - least_iou, (len(mine), len(detections)))
        rows_of_made.append(mine[rows[chosen]])
        rows_of_detections.append(detections[columns[chosen]])
    if not rows_of_made:
        return Tracklets.none()
    kept, by = np.concatenate(rows_of_made), np.concatenate(rows_of_detections)
    return Tracklets(
        made.tracks[kept],
        made.frames[kept],
        np.asarray(detection_boxes, np.float64)[by],
        np.asarray(detection_scores, np.float64)[by],
    )
