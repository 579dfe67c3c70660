"""Greedy non-maximum suppression, class by class."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["suppress_duplicates"]


def suppress_duplicates(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    classes: NDArray[np.integer],
    iou_threshold: float,
) -> NDArray[np.int64]:
    """Return the rows that remain when every box drops all lower-scored boxes of its class that overlap it too much.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        scores: (N,) of any range, also negative; of equal scores the earlier row wins.
        classes: (N,) class numbers.
        iou_threshold: boxes that overlap by more than this intersection over union are duplicates.

    Returns:
        (K,) int64 row numbers, highest score first.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2:
        return order
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)[order]
    # OpenCV refuses scores below zero, so it gets ranks: the same order, and ties are settled here
    ranks: Any = np.arange(len(order), 0, -1, dtype=np.float32)
    rectangles: Any = corner_and_size.astype(np.float64)
    groups: Any = classes[order].astype(np.int32)
    kept = cv2.dnn.NMSBoxesBatched(rectangles, ranks, groups, 0.0, iou_threshold)
    return order[np.asarray(kept, np.int64).reshape(-1)]
