"""What holds where a stream shows few pictures a second, as of a machine that is too slow.

The papers' trackers were made for 7 to 30 pictures a second. At one or two, who walks has left the own box at the next
picture, and a second without a picture is no interruption.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from tracker.single_camera.stages import Observation, Pairs, Stage
from tracker.track_table import TrackTable

__all__ = ["LONG_STEP", "Pace", "walked_on"]

#: seconds from one picture to the next from which on a walker's boxes need not overlap: a brisk walk is half a box wide
#: in that time
LONG_STEP = 0.3
#: nobody is awaited for longer than this because pictures are rare, seconds
_LONGEST = 3.0
#: steps that the pace is the median of
_REMEMBERED = 5
#: how fast people are at most, body heights a second; how far boxes are off, and how far anybody gets, body heights
_FASTEST, _OFF, _FARTHEST = 0.8, 0.12, 1.2
#: smaller / larger height of one person from one picture to the next, at least
_LEAST_AGREEMENT = 0.7


class Pace:
    """The usual time between two pictures of a stream, as the last few show it: one that stood still is not slow."""

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=_REMEMBERED)

    def note(self, seconds: float) -> None:
        """Note the time from a picture to the next."""
        self._steps.append(seconds)

    def usual(self) -> float:
        """Return the usual time in seconds, 0 before the second picture."""
        ordered = sorted(self._steps)
        return ordered[len(ordered) // 2] if ordered else 0.0

    def at_least(self, seconds: float, pictures: float) -> float:
        """Return ``seconds``, or the time of so many pictures where that is longer and still short enough."""
        return max(seconds, min(pictures * self.usual(), _LONGEST))


def walked_on(table: TrackTable, frame: Observation, starting: NDArray[np.bool_]) -> Stage:
    """Return the last stage of a long step: whoever would start a track may be somebody who walked on.

    Costs are distances from where a track is expected, as shares of how far people get in the time that it was unseen.

    Args:
        table: the N tracks, predicted.
        frame: with what was not matched.
        starting: (M,) the detections that would start a track.
    """
    rows, columns = frame.free_tracks.nonzero()[0], starting.nonzero()[0]
    expected, found = frame.track_boxes[:, rows, None], frame.boxes[:, None, columns]
    heights = np.stack(np.broadcast_arrays(expected[3] - expected[1], found[3] - found[1]))
    # Between the middles of the lower sides: where people stand.
    aside = (expected[0] + expected[2] - found[0] - found[2]) / 2
    off = np.hypot(aside, expected[3] - found[3]) / np.maximum(heights.max(axis=0), 1e-9)
    reach = np.minimum(_OFF + _FASTEST * (frame.time - table.last_seen[rows]), _FARTHEST)
    costs = off / reach[:, None]
    agreement = heights.min(axis=0) / np.maximum(heights.max(axis=0), 1e-9)
    near = (costs <= 1.0) & (agreement >= _LEAST_AGREEMENT)
    near &= table.class_number[rows][:, None] == frame.classes[columns]
    first, second = near.nonzero()
    return Stage(
        frame.free_tracks, starting, _distance, 1.0, Pairs(rows[first], columns[second], 1.0 - costs[first, second])
    )


def _distance(pairs: Pairs) -> NDArray[np.floating]:
    return 1.0 - pairs.similarity
