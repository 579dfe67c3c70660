"""Boxes of people in a camera whose detector did not look: as they were, moved as the filter moves the people.

And where a detector should look next: who is in doubt on the floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.floor.people import FloorPeople
from tracker.tracks import Tracks

__all__ = ["BridgedBoxes", "in_doubt_on_floor"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: least height of what is left of a box inside the image, pixels
_LEAST = 8.0
#: metres of deviation from which a place is in doubt, and between two people who may be taken for each other
_UNSURE, _NEAR = 0.25, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Tracks (K,) with their boxes (K, 4), those that were expected then (K, 4), scores and classes (K,)."""

    ids: Ints
    boxes: Array
    expected: Array
    scores: NDArray[np.float32]
    classes: Ints


class BridgedBoxes:
    """The boxes that each camera last showed, and where they are by now.

    What a box was beside the one expected of a person, it goes on being: arms, chairs and calibration do not change
    from one frame to the next.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def saw(self, camera: str, ids: Ints, found: Detections, rows: NDArray[np.intp], expected: Array) -> None:
        """Take the tracks (K,) that a camera's detections ``found[rows]`` are, and their expected boxes (K, 4)."""
        self._seen[camera] = _Seen(
            ids, found.boxes[rows].astype(np.float64), expected, found.scores[rows], found.classes[rows]
        )

    def holders(self) -> dict[str, frozenset[int]]:
        """Return camera → the tracks of which it showed boxes when it last looked."""
        return {camera: frozenset(seen.ids.tolist()) for camera, seen in self._seen.items()}

    def now(self, camera: str, ids: Ints, expected: Array, size: tuple[int, int]) -> Tracks:
        """Return where the tracks of the camera's last look are that still live.

        Args:
            camera: its name.
            ids: (N,) of living tracks.
            expected: (N, 4) their expected boxes, NaN for who is not in front.
            size: width and height of the image; boxes end at its border.
        """
        seen = self._seen.get(camera)
        if seen is None or not len(seen.ids) or not len(ids):
            return Tracks.empty()
        place = {track: row for row, track in enumerate(ids.tolist())}
        rows = np.array([place.get(track, -1) for track in seen.ids.tolist()], np.int64)
        boxes = seen.boxes + np.where((rows >= 0)[:, None], expected[rows] - seen.expected, np.nan)
        limits = np.array([*size, *size], np.float64)
        boxes = np.clip(boxes, 0, limits)
        with np.errstate(invalid="ignore"):
            kept = np.flatnonzero((boxes[:, 3] - boxes[:, 1] >= _LEAST) & (boxes[:, 2] - boxes[:, 0] >= _LEAST / 2))
        return Tracks(
            seen.ids[kept],
            boxes[kept].astype(np.float32),
            seen.scores[kept],
            seen.classes[kept],
            np.full(len(kept), -1, np.int64),
        )


def in_doubt_on_floor(people: FloorPeople, holders: Mapping[str, frozenset[int]]) -> list[str]:
    """Return the cameras that should look: those that show somebody in doubt; all, if one in doubt is shown by none.

    In doubt is who is not confirmed yet, whose place has a large deviation, or who is near another.

    Args:
        people: as they are by now.
        holders: camera → tracks that it showed when it last looked.
    """
    if not len(people.ids):
        return []
    deviation = np.sqrt(people.covariances[:, [0, 1], [0, 1]].max(axis=1, initial=0.0))
    apart = np.hypot(*(people.positions[:, None] - people.positions[None]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    doubt = ~people.confirmed | (deviation > _UNSURE) | (apart.min(axis=1, initial=np.inf) < _NEAR)
    unsure = set(people.ids[doubt].tolist())
    shown = frozenset().union(*holders.values())
    if unsure - shown:
        return list(holders)
    return [camera for camera, tracks in holders.items() if tracks & unsure]
