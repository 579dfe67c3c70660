"""Which cameras' frames a detector looks at: all, every K-th, or those in which somebody's whereabouts are unsure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from tracker.association.costs import iou, matrix
from tracker.single_camera.base import SingleCameraTracker
from tracker.track_table import LOST, TENTATIVE, TRACKED

__all__ = ["AUTO", "DetectorStride", "in_doubt"]

#: look where it is unsure who is where
AUTO = "auto"
#: frames of one camera after which it is looked at in any case: newcomers do not say that they come
_MOST = 4
#: instants after which what was found to be unsure counts. Looking goes on while earlier instants are thought about
#: (``tracker.ahead``), so that what was thought of the last two may not be known; results must not depend on it
_DELAY = 3
#: seconds for which who is new, or has just been lost, is in doubt
_SECONDS = 0.5
#: overlap of two boxes from which either may be the other
_OVERLAP = 0.15


class DetectorStride:
    """Chooses the frames that a detector looks at; what lies between is bridged by the trackers' filters.

    Every camera is looked at in its first frame. After that cameras take turns, so that some are looked at in every
    instant.

    Args:
        cameras: names.
        every: look at every K-th frame of a camera; :data:`AUTO`: at every one in which somebody is in doubt, and at
            every fourth otherwise.
    """

    def __init__(self, cameras: Sequence[str], every: int | str) -> None:
        self._every = every
        self._turn = {name: number for number, name in enumerate(cameras)}
        #: frames of each camera so far
        self._frames = dict.fromkeys(cameras, 0)
        self._looks = self._decisions = 0
        self._unsure: dict[int, frozenset[str]] = {}

    def chosen(self, cameras: Sequence[str]) -> list[bool]:
        """Return whether to look at the frames of one instant, given by their cameras; called once for each."""
        number, self._looks = self._looks, self._looks + 1
        # Before anything was concluded everybody is in doubt.
        unsure = self._unsure.pop(number - _DELAY, frozenset(self._turn))
        return [self._looks_at(camera, camera in unsure) for camera in cameras]

    def _looks_at(self, camera: str, unsure: bool) -> bool:
        frame, self._frames[camera] = self._frames[camera], self._frames[camera] + 1
        every = self._every if isinstance(self._every, int) else _MOST
        return frame == 0 or (self._every == AUTO and unsure) or (frame + self._turn[camera]) % every == 0

    def decided(self, unsure: Collection[str]) -> None:
        """Take the cameras in which somebody is in doubt after one instant, in the order of the instants."""
        number, self._decisions = self._decisions, self._decisions + 1
        if self._every == AUTO:
            self._unsure[number] = frozenset(unsure)


def in_doubt(tracker: SingleCameraTracker, time: float) -> bool:
    """Return whether it is unsure where one of a camera's people is, or who: new, just lost, or before another."""
    table = tracker.table
    if not len(table):
        return False
    recent = time - _SECONDS
    if ((table.status == TENTATIVE) | (table.born > recent)).any():
        return True
    if ((table.status == LOST) & (table.last_seen > recent)).any():
        return True
    shown = np.flatnonzero(table.status == TRACKED)
    boxes = tracker.motion.boxes(table.state[0].take(shown, axis=1))
    overlaps = matrix(iou, boxes, boxes)
    np.fill_diagonal(overlaps, 0)
    return bool((overlaps > _OVERLAP).any())
