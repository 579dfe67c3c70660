"""Exports of the ultralytics family: YOLOv8 / 11 heads, and heads that need no suppression (YOLOv10, YOLO26)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.detectors.candidates import Candidates, best_classes

__all__ = ["candidates_end_to_end", "candidates_of"]


def candidates_of(output: NDArray[np.floating], confidence: float, classes: tuple[int, ...] | None) -> Candidates:
    """Return the candidates in one image's output (4 + C, A): centre x, y, width, height in pixels, class scores."""
    rows, scores, best = best_classes(output[4:].T, confidence, classes)
    centre, size = output[:2, rows].T, output[2:4, rows].T
    return Candidates(np.concatenate([centre - size / 2, centre + size / 2], axis=1), scores, best)


def candidates_end_to_end(
    output: NDArray[np.floating], confidence: float, classes: tuple[int, ...] | None
) -> Candidates:
    """Return the candidates in one image's output (N, 6): x1, y1, x2, y2 in pixels, score, class number."""
    output = output[~(output[:, 4] <= confidence)]
    numbers = np.nan_to_num(output[:, 5], nan=-1, posinf=-1, neginf=-1).astype(np.int64)
    if classes is not None:
        # a row without a class number is kept for the caller to count as broken
        chosen = np.isin(numbers, classes) | ~np.isfinite(output[:, 5])
        output, numbers = output[chosen], numbers[chosen]
    broken = ~np.isfinite(output[:, 5])
    return Candidates(output[:, :4], np.where(broken, np.nan, output[:, 4]), numbers)
