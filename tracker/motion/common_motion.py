"""Camera motion from the boxes alone: what the people in a picture have in common.

When a camera pans, every person moves by the same number of pixels at once. No picture is needed to see that: it is the
median of what separates detections from where their tracks were expected.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tracker.association.costs import iou, overlapping_pairs

__all__ = ["CommonMotion"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: least overlap of a track and its detection, for their distance to count
_LEAST_IOU = 0.3
#: one person moves on their own
_FEWEST_PEOPLE = 2
#: a shift by more than this share of a box's width is looked at again, from where it leads
_LARGE = 0.1


class CommonMotion:
    """Shift of a whole picture, followed over time.

    Args:
        memory_seconds: time over which the speed of the shift is averaged.
        rest_seconds: time in which the speed is forgotten; what lasts is then in the tracks' own velocities.
        doubt: number of people who are imagined to stand still: with as many who moved alike, half is believed.
    """

    def __init__(self, memory_seconds: float = 0.04, rest_seconds: float = 1.0, doubt: float = 3.0) -> None:
        self.memory_seconds = memory_seconds
        self.rest_seconds = rest_seconds
        self.doubt = doubt
        self.velocity: Array = np.zeros(2)

    def expected(self, seconds: float) -> Array:
        """Return the shift (2,) in pixels that is expected of the next ``seconds``."""
        return self.velocity * seconds

    def measure(
        self, predicted: Array, boxes: Array, seconds: float, pairs: tuple[Indices, Indices, Array] | None = None
    ) -> Array:
        """Return the shift (2,) in pixels by which all predictions are off, and learn from it.

        Args:
            predicted: (4, N) boxes in which tracks are expected.
            boxes: (4, M) detections.
            seconds: time since the last call.
            pairs: rows, columns and IoU (P,) of the pairs that count, those that overlap; left out: all.
        """
        total = np.zeros(2)
        found = self._median_shift(predicted, boxes, pairs or _overlaps(predicted, boxes))
        if found is not None:
            shift, belief, width = found
            total = shift * belief
            if np.abs(shift).max() > _LARGE * width:
                moved = predicted + np.concatenate([total, total])[:, None]
                found = self._median_shift(moved, boxes, _overlaps(moved, boxes))
                total = total if found is None else total + found[0] * found[1]
            else:
                # what a second look at the same pairs would add
                total = total + (shift - total) * belief
        self.velocity = self.velocity + (1.0 - math.exp(-seconds / self.memory_seconds)) * total / seconds
        self.velocity = self.velocity * math.exp(-seconds / self.rest_seconds)
        return total

    def _median_shift(
        self, first: Array, second: Array, pairs: tuple[Indices, Indices, Array]
    ) -> tuple[Array, float, float] | None:
        """Return the shift from first to second, how far it is believed, and the median width; ``None`` for too few."""
        rows, columns = _mutual_pairs(*pairs, first.shape[1], second.shape[1])
        if len(rows) < _FEWEST_PEOPLE:
            return None
        one, other = first.take(rows, axis=1), second.take(columns, axis=1)
        away = other - one
        medians = np.median(np.stack([away[0] + away[2], away[1] + away[3], one[2] - one[0]]), axis=1)
        return medians[:2] * 0.5, len(rows) / (len(rows) + self.doubt), float(medians[2])


def _overlaps(first: Array, second: Array) -> tuple[Indices, Indices, Array]:
    rows, columns = overlapping_pairs(first, second)
    return rows, columns, iou(first.take(rows, axis=1), second.take(columns, axis=1))


def _mutual_pairs(
    rows: Indices, columns: Indices, overlap: Array, row_count: int, column_count: int
) -> tuple[Indices, Indices]:
    """Return the pairs in which each box is the one that overlaps the other most, and enough."""
    best_of_row, best_of_column = np.zeros(row_count), np.zeros(column_count)
    np.maximum.at(best_of_row, rows, overlap)
    np.maximum.at(best_of_column, columns, overlap)
    mutual = (overlap >= best_of_row[rows]) & (overlap >= best_of_column[columns]) & (overlap > _LEAST_IOU)
    return rows[mutual], columns[mutual]
