"""Tracks: what a tracker reports of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tracks"]


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The confirmed tracks of one camera in one frame, as arrays of equal length.

    Args:
        ids: (N,) int64, positive, unique within the camera, never used again.
        boxes: (N, 4) float32 ``x1, y1, x2, y2`` in pixels.
        scores: (N,) float32 confidence of the matched detection.
        classes: (N,) int64 class number.
        detection_indices: (N,) int64 row of the matched detection in the frame's detections, -1 for a predicted box.
    """

    ids: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    detection_indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, selection: Any) -> Tracks:
        """Return the tracks a mask, an index array or a slice selects."""
        return Tracks(
            self.ids[selection],
            self.boxes[selection],
            self.scores[selection],
            self.classes[selection],
            self.detection_indices[selection],
        )

    @staticmethod
    def empty() -> Tracks:
        """Return no tracks."""
        whole = np.zeros(0, np.int64)
        return Tracks(whole, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), whole.copy(), whole.copy())
