"""What an update passes from step to step: the observation, candidate pairs, and stages of the association."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Image", "Indices", "Mask", "Observation", "Pairs", "Stage", "iou_cost"]

Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]
Image = NDArray[np.uint8]


class Pairs:
    """Candidate pairs of tracks and detections, rows ascending, with their IoU or similarity of appearance."""

    __slots__ = ("columns", "rows", "similarity")

    def __init__(self, rows: Indices, columns: Indices, similarity: NDArray[np.floating]) -> None:
        self.rows = rows
        self.columns = columns
        self.similarity = similarity

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Indices) -> Pairs:
        """Return the pairs at the positions ``chosen`` (ascending)."""
        return Pairs(self.rows[chosen], self.columns[chosen], self.similarity[chosen])


@dataclass(slots=True)
class Stage:
    """One step of the association.

    Args:
        tracks: (N,) bool, tracks of the table that take part; those already matched are left out.
        detections: (M,) bool, detections that take part; those already matched are left out.
        cost: gives the (P,) costs of candidate pairs; not finite means forbidden.
        maximum: greatest cost of a match.
        pairs: the candidates; by default all tracks and detections whose boxes overlap.
    """

    tracks: Mask
    detections: Mask
    cost: Callable[[Pairs], NDArray[np.floating]]
    maximum: float
    pairs: Pairs | None = None


class Observation:
    """What one update sees: the detections as columns, and the tracks' predicted boxes.

    Attributes:
        boxes: (4, M) float64 detection boxes.
        measurements: (4, M) the same as the motion filter measures them.
        scores, classes: (M,).
        indices: (M,) row in the frame's detections, -1 for a box the tracker itself predicted.
        units, embedded: (M, D) unit feature vectors and (M,) whether there is one; ``None`` without features.
        track_boxes: (4, N) float64 predicted boxes of the table's tracks.
        time, dt: seconds, and nominal frame intervals since the last update.
        image: the frame, if there is one.
        pairs: overlapping pairs, once they have been asked for.
        free_tracks, free_detections: (N,), (M,) bool, what the stages so far have not matched.
    """

    __slots__ = (
        *("boxes", "measurements", "scores", "classes", "indices", "units", "embedded", "image", "time", "dt"),
        *("track_boxes", "pairs", "free_tracks", "free_detections"),
    )

    boxes: NDArray[np.float64]
    measurements: NDArray[np.float64]
    scores: NDArray[np.floating]
    classes: NDArray[np.int64]
    indices: NDArray[np.int64]
    units: NDArray[np.float32] | None
    embedded: Mask | None
    track_boxes: NDArray[np.float64]
    pairs: Pairs | None
    image: Image | None
    time: float
    dt: float
    free_tracks: Mask
    free_detections: Mask

    def __len__(self) -> int:
        return len(self.scores)


def iou_cost(pairs: Pairs) -> NDArray[np.floating]:
    """Return 1 - IoU of overlapping pairs."""
    return 1.0 - pairs.similarity
