"""Made-up people in one picture, as a tracker or a detector would report them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.storage.mot_files import MotTracks

RATE = 25.0
SIZE = (1280, 720)


def walk(
    frames: NDArray[np.int64], start: tuple[float, float], speed: tuple[float, float], height: float = 150.0
) -> NDArray[np.float64]:
    """Return (N, 4) boxes of one person whose feet are at ``start`` in frame 1 and move by ``speed`` pixels a frame."""
    x = start[0] + speed[0] * (frames - 1.0)
    y = start[1] + speed[1] * (frames - 1.0)
    return np.stack([x - 0.2 * height, y - height, x + 0.2 * height, y], axis=1)


def tracks_of(*parts: tuple[int, NDArray[np.int64], NDArray[np.float64]], score: float = 0.95) -> MotTracks:
    """Return tracks from (id, frames, boxes) of each stretch."""
    frames = np.concatenate([part[1] for part in parts])
    ids = np.concatenate([np.full(len(part[1]), part[0]) for part in parts])
    boxes = np.concatenate([part[2] for part in parts])
    return MotTracks.from_arrays(frames, ids, boxes, np.full(len(frames), score))


def shaken(boxes: NDArray[np.float64], pixels: float, seed: int) -> NDArray[np.float64]:
    """Return boxes each of whose sides is off by noise of that deviation."""
    return boxes + np.random.default_rng(seed).normal(0, pixels, boxes.shape)
