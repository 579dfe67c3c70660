"""Small videos and images of our own making."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tracker.video.cameras import CameraSettings
from tracker.video.sources import Source, open_source
from tracker.video.writers import VideoWriter


def names_in(folder: Path) -> list[str]:
    """Names of everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def frame_image(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture that tells its number: eight columns, each dark or bright, are its bits."""
    width, height = size
    bits = [(number >> bit) & 1 for bit in range(8)]
    row = np.repeat([60 + 140 * bit for bit in bits], width // 8).astype(np.uint8)
    return np.repeat(np.tile(row, (height, 1))[:, :, None], 3, axis=2)


def number_of(image: np.ndarray) -> int:
    """The number that ``frame_image`` put into a picture."""
    columns = image.mean(axis=(0, 2)).reshape(8, -1).mean(axis=1)
    return sum(1 << bit for bit in range(8) if columns[bit] > 130)


def write_video(path: Path, times: Sequence[float], size: tuple[int, int] = (64, 48), **settings) -> Path:
    with VideoWriter(path, size, 25, **settings) as writer:
        for number, time in enumerate(times):
            writer.write(frame_image(number, size), time)
    return path


def write_images(folder: Path, names: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), frame_image(number))
    return folder


def opened(source: object, **options) -> Source:
    camera = {"name": "camera", "source": str(source)}
    settings = {key: options.pop(key) for key in ("start_offset", "frame_rate") if key in options}
    return open_source(CameraSettings(**camera, **settings), **options)
