"""A made-up place for the tests of ``multicam live``: three cameras, and people in plain colours who walk through."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: name → width and height
CAMERAS = {"entrance": (640, 480), "hall": (640, 360), "till": (480, 640)}
#: seconds that a walk through a view takes, and between views
CROSSING, BETWEEN = 6.0, 1.0
#: shirt and trousers (BGR) of everybody
CLOTHES = [
    ((40, 40, 220), (60, 60, 60)),
    ((210, 120, 30), (200, 200, 200)),
    ((60, 180, 60), (120, 40, 30)),
    ((20, 200, 230), (30, 30, 140)),
    ((200, 60, 180), (40, 120, 160)),
]
_FLOOR, _WALL = (150, 160, 165), (190, 195, 198)


@dataclass(frozen=True)
class Sight:
    """A person in a camera: who, the track's number, the box in pixels, and the share of the way through the view."""

    person: int
    track: int
    box: tuple[float, float, float, float]
    way: float


def sights(camera: str, elapsed: float) -> list[Sight]:
    """Return who is in a camera so many seconds after the beginning, the farthest first."""
    width, height = CAMERAS[camera]
    place, stage = list(CAMERAS).index(camera), CROSSING + BETWEEN
    found = []
    for person in range(len(CLOTHES)):
        # Everybody begins somewhere else, and goes from camera to camera without end.
        own = elapsed + person * 2.6
        leg = int(own // stage)
        way = (own - leg * stage) / CROSSING
        if leg % len(CAMERAS) != place or way > 1:
            continue
        tall = height * (0.42 + 0.05 * person)
        wide = tall * 0.36
        left = (width - wide) * (way if leg % 2 == 0 else 1 - way)
        bottom = height * (0.78 + 0.04 * person)
        found.append(Sight(person, 1 + leg * len(CLOTHES) + person, (left, bottom - tall, left + wide, bottom), way))
    return sorted(found, key=lambda sight: sight.box[3])


def picture(camera: str, seen: list[Sight]) -> NDArray[np.uint8]:
    """Return what a camera shows, (H, W, 3) BGR."""
    width, height = CAMERAS[camera]
    image = np.full((height, width, 3), _WALL, np.uint8)
    image[int(height * 0.55) :] = _FLOOR
    cv2.putText(image, camera, (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (90, 90, 90), 2)
    for sight in seen:
        x1, y1, x2, y2 = (round(value) for value in sight.box)
        shirt, trousers = CLOTHES[sight.person]
        head = (y2 - y1) // 8
        middle, waist = (x1 + x2) // 2, y1 + (y2 - y1) * 55 // 100
        cv2.rectangle(image, (x1, y1 + 2 * head), (x2, waist), shirt, -1)
        cv2.rectangle(image, (x1, waist), (x2, y2), trousers, -1)
        cv2.circle(image, (middle, y1 + head), head, (150, 180, 220), -1)
    return image


def position(camera: str, sight: Sight) -> tuple[float, float]:
    """Return where somebody is on the floor, metres: the cameras' parts of it lie side by side, 4 m × 5 m each."""
    return 4.0 * list(CAMERAS).index(camera) + 4.0 * sight.way, 1.0 + 0.7 * sight.person


def look(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how somebody looks: the colours of eight stripes, as a vector (24,) of length 1."""
    stripes = cv2.resize(crop, (1, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() - 128
    return np.asarray(stripes / max(float(np.linalg.norm(stripes)), 1e-6), np.float32)
