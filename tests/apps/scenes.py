"""Small scenes of our own making: people in plain colours who walk, and the files that say where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.video.writers import VideoWriter

#: (top, trousers) in BGR, unlike each other in hue
RED_BLUE = ((30, 30, 220), (210, 60, 20))
GREEN_YELLOW = ((60, 190, 40), (20, 210, 230))
PURPLE_WHITE = ((190, 30, 150), (240, 240, 240))
_GREY = 120


@dataclass(frozen=True)
class Figure:
    """Somebody who walks on a straight line, seen from frame ``first`` to ``last`` (0-based, both included)."""

    clothes: tuple[tuple[int, int, int], tuple[int, int, int]]
    start: tuple[float, float]
    speed: float
    first: int = 0
    last: int = 10_000
    height: int = 64

    def box(self, frame: int) -> tuple[float, float, float, float] | None:
        """Left, top, width and height in pixels counted from 0; ``None`` when not there."""
        if not self.first <= frame <= self.last:
            return None
        left = self.start[0] + self.speed * (frame - self.first)
        return left, self.start[1], round(self.height * 0.4), self.height


def picture(figures: Sequence[Figure], frame: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a frame: striped floor, and the figures with heads, tops and trousers."""
    width, height = size
    image = np.full((height, width, 3), _GREY, np.uint8)
    image[::8] = _GREY + 12
    for figure in figures:
        box = figure.box(frame)
        if box is None:
            continue
        left, top, wide, high = (round(value) for value in box)
        top_color, trousers = figure.clothes
        cv2.rectangle(image, (left, top + high // 6), (left + wide - 1, top + high * 55 // 100), top_color, -1)
        cv2.rectangle(image, (left, top + high * 55 // 100), (left + wide - 1, top + high - 1), trousers, -1)
        cv2.circle(image, (left + wide // 2, top + high // 10), high // 10, (150, 170, 210), -1)
    return image


def write_scene(
    folder: Path,
    name: str,
    figures: Sequence[Figure],
    frames: int,
    *,
    size: tuple[int, int] = (192, 144),
    rate: float = 10.0,
) -> Path:
    """Write ``folder/NAME.mp4`` and the detections ``folder/det/NAME.txt``; return the video's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mp4"
    with VideoWriter(path, size, rate, quality=16) as writer:
        for frame in range(frames):
            writer.write(picture(figures, frame, size), frame / rate)
    write_detections(folder / "det" / f"{name}.txt", figures, frames)
    return path


def write_detections(path: Path, figures: Sequence[Figure], frames: int) -> Path:
    """Write where the figures are as MOTChallenge detections: frames and pixels counted from 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for frame in range(frames):
        for figure in figures:
            box = figure.box(frame)
            if box is not None:
                left, top, width, height = box
                lines.append(f"{frame + 1},-1,{left + 1:.2f},{top + 1:.2f},{width},{height},0.9\n")
    path.write_text("".join(lines))
    return path


def write_sequence(
    folder: Path, figures: Sequence[Figure], frames: int, *, rate: float = 10.0, images: bool = True,
    size: tuple[int, int] = (192, 144),
) -> Path:  # fmt: skip
    """Write a MOTChallenge sequence: ``seqinfo.ini``, ``img1`` and ``det/det.txt``; return its folder."""
    (folder / "img1").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate={rate:g}\nseqLength={frames}\n"
        f"imWidth={size[0]}\nimHeight={size[1]}\nimExt=.png\n"
    )
    if images:
        for frame in range(frames):
            cv2.imwrite(str(folder / "img1" / f"{frame + 1:06d}.png"), picture(figures, frame, size))
    write_detections(folder / "det" / "det.txt", figures, frames)
    return folder


#: one after the other, all in both cameras: left first in the corridor, then in the hall
CORRIDOR = (
    Figure(RED_BLUE, (10, 30), 4.0, 0, 34),
    Figure(GREEN_YELLOW, (150, 60), -3.5, 4, 38),
    Figure(PURPLE_WHITE, (12, 70), 2.0, 45, 79),
)
HALL = (
    Figure(RED_BLUE, (20, 20), 5.0, 38, 75, 80),
    Figure(GREEN_YELLOW, (200, 40), -4.0, 42, 79, 80),
)
