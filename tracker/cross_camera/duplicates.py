"""Two tracks on one person: the moment at which a tracker starts anew on somebody it still holds.

For a few frames both boxes cover the same person. The two tracks may then be one person although they were there at
one instant; where both would carry the identity, the later one has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.crop_quality import areas, intersections
from tracker.cross_camera.tracklets import Tracklet

__all__ = ["Duplicates", "yields"]

#: share of the smaller box that lies in the other
COINCIDENCE = 0.7
#: longer than this, two boxes are taken for two people
LONGEST_SECONDS = 1.0


class Duplicates:
    """Remembers which tracklets of one camera coincided, and for how many frames."""

    def __init__(self) -> None:
        self._frames: dict[tuple[int, int], int] = {}

    def observe(self, keys: list[int], boxes: NDArray[np.float32]) -> None:
        """Note the boxes (N, 4) of the tracklets ``keys`` in one frame of one camera."""
        if len(keys) < 2:
            return
        size = areas(boxes)
        rows, columns = np.nonzero(np.triu(intersections(boxes) >= COINCIDENCE * np.minimum(size[:, None], size), 1))
        for row, column in zip(rows.tolist(), columns.tolist()):
            pair = _pair(keys[row], keys[column])
            self._frames[pair] = self._frames.get(pair, 0) + 1

    def allowed(self, first: Tracklet, second: Tracklet) -> bool:
        """Whether two tracklets of one camera, both there at one instant, may all the same be one person."""
        frames = self._frames.get(_pair(first.key, second.key))
        if frames is None:
            return False
        together = min(first.end, second.end) - max(first.start, second.start)
        interval = min(_interval(first), _interval(second))
        return together <= LONGEST_SECONDS and frames * interval >= 0.8 * together

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs of keys that ever coincided."""
        return sorted(self._frames)

    def forget(self, keys: set[int]) -> None:
        """Forget all pairs with one of ``keys``."""
        self._frames = {pair: count for pair, count in self._frames.items() if keys.isdisjoint(pair)}


def yields(first: Tracklet, second: Tracklet) -> tuple[Tracklet, float]:
    """Return which of two tracklets on one person gives the identity to the other, and from when on (seconds).

    The later one goes on with the person, unless it is gone while the earlier one is still there.
    """
    earlier, later = sorted(
        (first, second), key=lambda tracklet: (tracklet.start, -tracklet.observations, tracklet.key)
    )
    # Where a double ends the remaining track is cut; that it goes on says who remained.
    stays = (earlier.end, np.isfinite(earlier.until)) > (later.end, np.isfinite(later.until))
    return (later if stays else earlier), later.start


def _pair(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)


def _interval(tracklet: Tracklet) -> float:
    if tracklet.observations < 2:
        return 1.0
    return (tracklet.end - tracklet.start) / (tracklet.observations - 1)
