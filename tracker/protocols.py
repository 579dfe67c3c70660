"""What the tracker needs from the parts that are plugged into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.video.frames import Frame

__all__ = ["Detector", "Embedder"]


@runtime_checkable
class Detector(Protocol):
    """Frames in, detections out."""

    #: what ran, for the run's record: for example ``"yolox_nano.onnx (yolox, openvino f32)"``
    description: str
    #: False when detections are read from a file, so images need not be looked at
    needs_images: bool

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame (any cameras, any image sizes), boxes in that frame's pixels."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Crops in, L2-normalised vectors out."""

    #: what ran, for the run's record
    description: str
    #: length D of a vector
    dimension: int
    #: cosine distance below which two crops are taken for one person until the video itself has shown a better one
    default_threshold: float

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N, D) float32 vectors of N crops (H, W, 3) BGR uint8 of any sizes; N may be 0."""
        ...
