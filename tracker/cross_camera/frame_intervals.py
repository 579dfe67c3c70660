"""How often each camera shows a picture."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["FrameIntervals"]

#: crops that are seconds apart say more than those of neighbouring pictures: where pictures are rarer than this, those
#: of so long are enough, and two at least; seconds
_RARE, _LONG_ENOUGH, _FEWEST_CROPS = 0.25, 1.0, 2


class FrameIntervals:
    """The usual time between two frames of each camera, as the last few show it.

    Args:
        remembered: intervals of which the median is taken.
    """

    def __init__(self, remembered: int = 9) -> None:
        self.remembered = remembered
        self._last: dict[int, float] = {}
        self._intervals: dict[int, deque[float]] = {}

    def note(self, camera: int, time: float) -> float:
        """Note a frame at ``time`` seconds; return the time in seconds in which nobody was out of the camera's sight.

        That is its usual interval, or the one that has just passed, as a slow machine takes pictures when it can; but
        not more than twice the usual one. 0 before the second frame.
        """
        intervals = self._intervals.setdefault(camera, deque(maxlen=self.remembered))
        step = time - self._last[camera] if camera in self._last else 0.0
        if camera in self._last:
            intervals.append(step)
        self._last[camera] = time
        usual = self.usual(camera)
        return max(usual, min(step, 2 * usual))

    def usual(self, camera: int) -> float:
        """Return a camera's usual interval in seconds, 0 before its second frame.

        A median: a camera that was away for a while did not become slow.
        """
        intervals = self._intervals.get(camera)
        if not intervals:
            return 0.0
        # For so few numbers this takes a tenth of what numpy's median takes, and it is asked with every frame.
        in_order, middle = sorted(intervals), len(intervals) // 2
        return float(in_order[middle] if len(in_order) % 2 else (in_order[middle - 1] + in_order[middle]) / 2)

    def crops_needed(self, camera: int, most: int) -> int:
        """Return how many good crops of a camera say who somebody is, ``most`` unless its pictures are rare."""
        interval = self.usual(camera)
        if interval <= _RARE:
            return most
        return min(most, max(_FEWEST_CROPS, math.ceil(_LONG_ENOUGH / interval - 1e-6) + 1))
