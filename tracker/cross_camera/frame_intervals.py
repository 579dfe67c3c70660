"""How often each camera shows a picture."""

from __future__ import annotations

from collections import deque

__all__ = ["FrameIntervals"]


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
        """Note a frame at ``time`` seconds; return the camera's usual interval in seconds, 0 before the second frame.

        A median: a camera that was away for a while did not become slow.
        """
        intervals = self._intervals.setdefault(camera, deque(maxlen=self.remembered))
        if camera in self._last:
            intervals.append(time - self._last[camera])
        self._last[camera] = time
        if not intervals:
            return 0.0
        # For so few numbers this takes a tenth of what numpy's median takes, and it is asked with every frame.
        in_order, middle = sorted(intervals), len(intervals) // 2
        return float(in_order[middle] if len(in_order) % 2 else (in_order[middle - 1] + in_order[middle]) / 2)
