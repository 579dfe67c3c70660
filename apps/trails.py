"""Where people came from in the last seconds, smooth enough to be drawn."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["TRAIL_GAP_SECONDS", "Trails"]

_SECONDS = 3.0
#: who was away for longer begins a new trail, instead of a straight line across the picture
TRAIL_GAP_SECONDS = 0.7
#: half of the time over which a trail is averaged: boxes tremble, people do not
_SMOOTHING_SECONDS = 0.25


class Trails:
    """The last seconds of everybody in one view."""

    def __init__(self) -> None:
        self._points: dict[int, deque[tuple[float, float, float]]] = {}

    def update(self, time: float, points: ArrayLike, identities: NDArray[np.int64]) -> dict[int, NDArray[np.float64]]:
        """Add where people are, and return where they came from.

        Args:
            time: seconds, not before the last.
            points: (N, 2) pixels or metres.
            identities: (N,); below 1 has no trail.

        Returns:
            identity → (P, 2), the oldest first.
        """
        for (x, y), identity in zip(np.asarray(points, np.float64).reshape(-1, 2).tolist(), identities.tolist()):
            if identity > 0:
                trail = self._points.setdefault(identity, deque())
                if trail and time - trail[-1][0] > TRAIL_GAP_SECONDS:
                    trail.clear()
                trail.append((time, x, y))
        for identity, trail in list(self._points.items()):
            while trail and trail[0][0] < time - _SECONDS:
                trail.popleft()
            if not trail:
                del self._points[identity]
        return {identity: _smoothed(np.array(trail)) for identity, trail in self._points.items()}


def _smoothed(trail: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (P, 2), the points of a trail (P, 3) of time, x, y averaged over the time around each but the ends."""
    times = trail[:, 0]
    reach = np.minimum(_SMOOTHING_SECONDS, np.minimum(times - times[0], times[-1] - times)) + 1e-6
    first = np.searchsorted(times, times - reach, side="left")
    last = np.searchsorted(times, times + reach, side="right")
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(trail[:, 1:], axis=0)])
    result: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)[:, None]
    return result
