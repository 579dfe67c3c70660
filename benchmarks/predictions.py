"""Where a tracker expects its tracks in a frame, and what it costs to pair them with what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import iou_matrix
from tracker.association.appearance import unit_vectors
from tracker.detections import Detections
from tracker.single_camera.base import SingleCameraTracker
from tracker.track_table import LOST

__all__ = ["Box", "Costs", "PredictionRecorder", "rounded_box"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Costs:
    """What pairing a track with a detection would have cost.

    Args:
        track: number of the track.
        box: where the tracker expected it in that frame, or where it was last reported.
        overlap: 1 - IoU of that box and the detection.
        motion: squared Mahalanobis distance of the detection by the track's filter; ``None`` without predictions.
        appearance: cosine distance of their features; ``None`` without features.
        predicted: whether the box is the tracker's prediction.
    """

    track: int
    box: Box
    overlap: float
    motion: float | None
    appearance: float | None
    predicted: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """What a tracker expects of a frame: ids (N,), boxes (N, 4), the filter's mean and variance (4, N)."""

    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    #: (N, M) cosine distance to each of the frame's detections
    appearance: NDArray[np.floating[Any]] | None


class PredictionRecorder:
    """Takes down, before each update, where a tracker expects its tracks; pass it to ``follow``."""

    def __init__(self) -> None:
        self.frames: dict[int, _Expected] = {}
        self._measure: Any = None

    def __call__(self, frame: int, tracker: SingleCameraTracker, found: Detections) -> None:
        table, motion = tracker.table, tracker.motion
        self._measure = motion.measure
        if not len(table):
            return
        state = table.state.copy()
        motion.predict(state, 1.0, table.status != LOST if tracker.freezes_lost_size else None)
        mean, variance = motion.project(state)
        appearance = None
        memory = tracker.appearance
        if memory is not None and memory.dimension is not None and found.features is not None and len(found):
            units, embedded = unit_vectors(found.features)
            rows, columns = np.divmod(np.arange(len(table) * len(found)), len(found))
            slots = table.slot[rows]
            similarity = np.where(slots >= 0, memory.similarity(np.maximum(slots, 0), units, columns), np.nan)
            appearance = (1.0 - similarity).reshape(len(table), len(found))
            appearance[:, ~embedded] = np.nan
        self.frames[frame] = _Expected(table.id.copy(), motion.boxes(state[0]).T.copy(), mean, variance, appearance)

    def costs(self, frame: int, track: int, box: NDArray[np.float64], detection: int) -> Costs | None:
        """Return what pairing a track with a box in a frame cost; ``None`` where there was no such track.

        Args:
            frame: its number.
            track: number of the track.
            box: (4,) ``x1, y1, x2, y2``.
            detection: row of the box among the frame's detections; -1 for none.
        """
        expected = self.frames.get(frame)
        if expected is None or not (expected.ids == track).any():
            return None
        row = int(np.flatnonzero(expected.ids == track)[0])
        offset = self._measure(box[:, None])[:, 0] - expected.mean[:, row]
        motion = round(float((offset * offset / expected.variance[:, row]).sum()), 2)
        appearance = None
        if expected.appearance is not None and detection >= 0 and np.isfinite(expected.appearance[row, detection]):
            appearance = round(float(expected.appearance[row, detection]), 4)
        where = expected.boxes[row]
        overlap = float(iou_matrix(where, box)[0, 0])
        return Costs(track, rounded_box(where), round(1 - overlap, 4), motion, appearance, True)


def rounded_box(box: NDArray[np.float64]) -> Box:
    """Return a box (4,) as four numbers with one decimal."""
    x1, y1, x2, y2 = (round(float(side), 1) for side in box)
    return x1, y1, x2, y2
