"""What is told of a camera that was aligned: who is who, and how far off what agrees is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.geometry.alignment_refinement import AlignedView, Deviations
from tracker.geometry.box_explanation import Explanation, side_errors
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.people_tracks import BoxTracks, FloorPaths

__all__ = ["Alignment", "fit_errors", "who_is_who"]

Array = NDArray[np.float64]

#: deviations within which a side counts as agreeing
_AGREEING = 3.0


@dataclass(frozen=True, eq=False)
class Alignment:
    """A camera and its clock, as people's tracks tell them.

    Args:
        camera: as found, or as it was known.
        offset: seconds to be added to the camera's times.
        deviations: of both.
        people: track of the camera → id of the path that explains most of it.
        looks: stretches of 0.4 seconds of tracks that were compared.
        explained: how many of them are somebody's.
        score: share of looks and of expected people that agree, 0 to 1.
        runner_up: the same of the best other answer; 0 when there is none.
        feet_rms, head_rms: pixels, over the sides that agree; NaN without any.
        floor_rms: metres between where the camera puts feet and the paths; NaN without any.
    """

    camera: FloorCamera
    offset: float
    deviations: Deviations
    people: dict[int, int]
    looks: int
    explained: int
    score: float
    runner_up: float
    feet_rms: float
    head_rms: float
    floor_rms: float

    @property
    def people_matched(self) -> int:
        """How many people on the floor explain a track of the camera."""
        return len(set(self.people.values()))

    def record(self) -> dict[str, Any]:
        """Return plain numbers that say how good the alignment is, to be kept beside the camera."""
        numbers = {
            "model": "homography" if isinstance(self.camera, HomographyCamera) else "pose",
            "from": "people's tracks",
            "people": self.people_matched,
            "looks": self.looks,
            "explained": self.explained,
            "score": self.score,
            "runner_up": self.runner_up,
            "offset_seconds": self.offset,
            "offset_deviation_seconds": self.deviations.offset,
            "feet_rms_pixels": self.feet_rms,
            "head_rms_pixels": self.head_rms,
            "rms_floor_metres": self.floor_rms,
        }
        return {key: None if isinstance(value, float) and not np.isfinite(value) else value
                for key, value in numbers.items()}  # fmt: skip


def fit_errors(
    camera: FloorCamera, view: AlignedView, paths: FloorPaths, looks: BoxTracks, pairs: Explanation
) -> tuple[float, float, float]:
    """Return the root mean squares at feet and heads, pixels, and on the floor, metres."""
    part = looks.subset(pairs.looks)
    places = paths.places_of(pairs.people, part.times + view.offset)
    boxes = camera.person_box(places[:, 0], places[:, 1], view.heights[pairs.people])
    agreeing = (np.abs(side_errors(part, boxes)) <= _AGREEING) & ~part.sides_cut[:, [0, 1, 3]]
    agreeing[:, 0] &= ~part.sides_cut[:, 2]
    middle = (part.boxes[:, 0] + part.boxes[:, 2] - boxes[:, 0] - boxes[:, 2]) / 2
    results = []
    for side, mask in ((3, agreeing[:, 0] & agreeing[:, 2]), (1, agreeing[:, 0] & agreeing[:, 1])):
        squares = middle[mask] ** 2 + (part.boxes[mask, side] - boxes[mask, side]) ** 2
        results.append(float(np.sqrt(squares.mean())) if len(squares) else float("nan"))
    # Both lower sides are taken to the floor: what is between shoes and a person's middle then does not count.
    mask = agreeing[:, 0] & agreeing[:, 2]
    ends = [
        camera.to_floor(np.column_stack([(one[mask, 0] + one[mask, 2]) / 2, one[mask, 3]]))
        for one in (part.boxes, boxes)
    ]
    squares = ((ends[0] - ends[1]) ** 2).sum(axis=1)
    squares = squares[np.isfinite(squares)]
    return results[0], results[1], float(np.sqrt(squares.mean())) if len(squares) else float("nan")


def who_is_who(paths: FloorPaths, looks: BoxTracks, pairs: Explanation) -> dict[int, int]:
    """Return track of the camera → id of the path that explains most of its looks."""
    result = {}
    tracks = looks.ids[pairs.looks]
    for track in np.unique(tracks):
        people, counts = np.unique(pairs.people[tracks == track], return_counts=True)
        # One look may be anybody's.
        if counts.max() > 1:
            result[int(track)] = int(paths.ids[people[np.argmax(counts)]])
    return result
