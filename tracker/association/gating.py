"""Which detections a track can have moved to: the motion filter's gate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.association.costs import overlapping_pairs
from tracker.motion.kalman import ConstantVelocityFilter

__all__ = ["gated_pairs"]


def gated_pairs(
    motion: ConstantVelocityFilter, state: NDArray[np.float64], measurements: NDArray[np.float64], maximum: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return the pairs of tracks and measurements within a squared Mahalanobis distance (DeepSORT, eq. 1 and 2).

    Args:
        motion: the filter.
        state: (5, 4, N) its state.
        measurements: (4, M).
        maximum: greatest squared distance, 9.4877 for 95 % of four coordinates.

    Returns:
        Rows (ascending), columns and squared distances of the pairs, (P,) each.
    """
    mean, variance = motion.project(state)
    # no coordinate alone may exceed the gate, so the centre must lie in a window
    reach = np.sqrt(variance[:2] * maximum)
    windows = np.concatenate([mean[:2] - reach, mean[:2] + reach])
    centers = measurements[:2]
    rows, columns = overlapping_pairs(windows, np.concatenate([centers, centers]))
    offset = measurements.take(columns, axis=1) - mean.take(rows, axis=1)
    distance = (offset * offset / variance.take(rows, axis=1)).sum(axis=0)
    inside = (distance <= maximum).nonzero()[0]
    return rows[inside], columns[inside], distance[inside]
