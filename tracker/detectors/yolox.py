"""YOLOX exports (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"): one prediction per cell of three grids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.detectors.candidates import Candidates, best_classes

__all__ = ["candidates_of", "cell_corners", "is_decoded"]


def cell_corners(height: int, width: int, strides: tuple[int, ...]) -> NDArray[np.float32]:
    """Return (A, 3) float32 column, row and stride in pixels of every grid cell, finest grid first, row by row."""
    grids = []
    for stride in strides:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        grids.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    return np.concatenate(grids).astype(np.float32)


def is_decoded(output: NDArray[np.floating], cells: NDArray[np.float32]) -> bool:
    """Return whether a network's output (A, 5 + C) holds box centres in pixels, rather than offsets from their cells.

    YOLOX exports come in both forms with equal shapes. Offsets stay within a few cells wherever the cell is, while
    centres in pixels follow the grid: the form whose centres lie nearer to their cells (median, in cells) is the one.
    """
    columns, rows, strides = cells.T
    as_offset = np.abs(output[:, 0] - 0.5) + np.abs(output[:, 1] - 0.5)
    as_centre = np.abs(output[:, 0] / strides - columns - 0.5) + np.abs(output[:, 1] / strides - rows - 0.5)
    return bool(np.median(as_centre) < np.median(as_offset))


def candidates_of(
    output: NDArray[np.floating],
    cells: NDArray[np.float32],
    decoded: bool,
    confidence: float,
    classes: tuple[int, ...] | None,
) -> Candidates:
    """Return the candidates in one image's output.

    Args:
        output: (A, 5 + C): centre x, y, width, height, objectness, class probabilities.
        cells: what :func:`cell_corners` gives for the network's input.
        decoded: centre and size are pixels; otherwise the centre is the offset from the cell's corner in cells and
            the size the logarithm of its length in cells.
        confidence: objectness × class probability must be higher.
        classes: wanted class numbers, ``None`` for all.
    """
    # neither factor exceeds 1, so objectness alone rules out most cells
    possible = np.flatnonzero(~(output[:, 4] <= confidence))
    chosen = output[possible]
    rows, scores, best = best_classes(chosen[:, 4:5] * chosen[:, 5:], confidence, classes)
    centre, size = chosen[rows, :2], chosen[rows, 2:4]
    if not decoded:
        columns_rows, strides = cells[possible[rows], :2], cells[possible[rows], 2:]
        centre = (centre + columns_rows) * strides
        with np.errstate(over="ignore"):  # an infinite size is counted and dropped later
            size = np.exp(size) * strides
    return Candidates(np.concatenate([centre - size / 2, centre + size / 2], axis=1), scores, best)
