"""A tracker of one camera on one MOTChallenge sequence: detections in, what it reports out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.association.suppression import non_maximum_suppression
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.single_camera import create_tracker
from tracker.single_camera.base import SingleCameraTracker
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = ["FollowedSequence", "Preparation", "Scene", "TrackerChoice", "follow", "frames_of", "prepared"]

#: one frame: its number, what was found in it, and the image where there is one
Scene = tuple[int, Detections, NDArray[np.uint8] | None]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to detections before any tracker sees them; by default nothing.

    Args:
        confidence: boxes with no higher score are left out; in the units of the file.
        iou: of boxes that overlap by more, the better stays.
        margins: slope and centre of 1 / (1 + exp(-slope · (score - centre))), which makes scores between 0 and 1 of
            margins (DPM's); after the two others.
    """

    confidence: float | None = None
    iou: float | None = None
    margins: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.iou is not None and not 0 <= self.iou <= 1:
            raise InputError(f"--iou is {self.iou:g}; give the greatest overlap of two boxes, from 0 to 1")
        if self.margins is not None and not (np.isfinite(self.margins).all() and self.margins[0] > 0):
            raise InputError(
                f"--margins is {self.margins[0]:g},{self.margins[1]:g}; give SLOPE,CENTRE with a slope above 0: 2,0.5"
            )

    @property
    def description(self) -> str:
        """What is done, in a few words; empty for nothing."""
        words = [f"score > {self.confidence:g}"] if self.confidence is not None else []
        words += [f"NMS {self.iou:g}"] if self.iou is not None else []
        words += [f"margins {self.margins[0]:g},{self.margins[1]:g}"] if self.margins is not None else []
        return ", ".join(words)

    def kept(self, found: Detections) -> NDArray[np.int64]:
        """Return the rows of one frame's detections that trackers get, ascending."""
        rows = np.arange(len(found))
        if self.confidence is not None:
            rows = rows[found.scores > self.confidence]
        if self.iou is not None and len(rows):
            boxes = found.boxes[rows].T.astype(np.float64)
            rows = rows[non_maximum_suppression(boxes, found.scores[rows], self.iou, found.classes[rows])]
        return rows

    def scores(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return scores (N,) as trackers get them."""
        if self.margins is None:
            return scores
        slope, centre = self.margins
        return 1.0 / (1.0 + np.exp(-slope * (scores.astype(np.float64) - centre)))

    def __call__(self, found: Detections) -> Detections:
        """Return the detections of one frame as trackers get them."""
        found = found[self.kept(found)]
        return Detections(found.boxes, self.scores(found.scores), found.classes, found.features)


@dataclass(frozen=True, slots=True)
class TrackerChoice:
    """A tracker by name with its parameters."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def create(self, frame_rate: float) -> SingleCameraTracker:
        """Return a new one.

        Raises:
            InputError: unknown name or parameter, or a value out of range.
        """
        return create_tracker(self.name, frame_rate=frame_rate, **self.parameters)


@dataclass(frozen=True, slots=True, eq=False)
class FollowedSequence:
    """What a tracker reported.

    Args:
        tracks: boxes with the tracker's numbers.
        seconds: of the tracker alone, without reading, detection or embedding.
        frames: how many it was shown.
    """

    tracks: MotTracks
    seconds: float
    frames: int


def prepared(found: MotDetections, preparation: Preparation) -> MotDetections:
    """Return the detections of a sequence as trackers get them, sorted by frame."""
    if preparation == Preparation():
        return found
    bounds = np.flatnonzero(np.diff(found.frames, prepend=-1)).tolist()
    rows = [np.zeros(0, np.int64)]
    for first, last in zip(bounds, [*bounds[1:], len(found)], strict=True):
        rows.append(first + preparation.kept(Detections(found.boxes[first:last], found.scores[first:last])))
    kept = np.concatenate(rows)
    scores = preparation.scores(found.scores[kept]).astype(np.float32)
    return MotDetections(found.frames[kept], found.boxes[kept], scores, found.source_rows[kept], found.warnings)


def frames_of(found: MotDetections, length: int) -> Iterator[Scene]:
    """Yield each frame of a sequence of ``length`` frames with its detections, without images."""
    for frame in range(1, length + 1):
        yield frame, found.for_frame(frame), None


def follow(
    scenes: Iterable[Scene],
    tracker: SingleCameraTracker,
    before_update: Callable[[int, SingleCameraTracker, Detections], None] | None = None,
) -> FollowedSequence:
    """Run a tracker over the frames of a sequence.

    Args:
        scenes: every frame in order, those with nothing in them too.
        tracker: a new one.
        before_update: called with the frame's number, the tracker and the detections before it sees them.
    """
    frames, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    boxes, scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    seconds, count = 0.0, 0
    for frame, found, image in scenes:
        if before_update is not None:
            before_update(frame, tracker, found)
        begun = time.perf_counter()
        reported = tracker.update(found, image=image if tracker.uses_image else None)
        seconds += time.perf_counter() - begun
        count += 1
        frames.append(np.full(len(reported), frame, np.int64))
        ids.append(reported.ids)
        boxes.append(reported.boxes)
        scores.append(reported.scores)
    tracks = MotTracks.from_arrays(
        np.concatenate(frames), np.concatenate(ids), np.concatenate(boxes), np.concatenate(scores)
    )
    return FollowedSequence(tracks, seconds, count)
