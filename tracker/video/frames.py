"""Frame: one picture of one camera at one time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    Args:
        camera: the camera's name, unique in a run.
        index: 0-based number of the frame in its source (frames skipped by a stride are counted).
        time: seconds, from the stream's own timestamps plus the camera's start offset.
        image: (H, W, 3) uint8, BGR; ``None`` when the source has no pictures (precomputed detections only).
    """

    camera: str
    index: int
    time: float
    image: NDArray[np.uint8] | None
