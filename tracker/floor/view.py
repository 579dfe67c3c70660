"""How tracks on the floor look in one camera: predicted boxes, their derivatives, and how much of each can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.geometry.floor_camera import FloorCamera

__all__ = ["BLIND", "FULLY_SEEN", "View", "detection_chance", "look"]

Array = NDArray[np.float64]

#: metres by which a state is moved to find the derivative of its box
_STEP = 0.01
#: lowest height of a person's box that is worth looking at, pixels
_SMALLEST = 8.0
#: metres by which an occluder must be nearer
_NEARER = 0.15
#: shares of a person between which a detector goes from blind to its full rate
BLIND, FULLY_SEEN = 0.1, 0.6


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """N people in one camera.

    Args:
        boxes: (N, 4) predicted ``x1, y1, x2, y2``, pixels; NaN for who is not in front.
        jacobian: (N, 4, 3) derivative of the boxes by x, y and height, pixels per metre.
        visible: (N,) share of the box that is inside the image and not behind somebody nearer, 0 to 1.
        feet_visible: (N,) the same of the lowest fifth.
    """

    boxes: Array
    jacobian: Array
    visible: Array
    feet_visible: Array

    def __getitem__(self, rows: NDArray[Any] | slice) -> View:
        """Return the view of some of the people."""
        return View(self.boxes[rows], self.jacobian[rows], self.visible[rows], self.feet_visible[rows])


def detection_chance(view: View, rate: float) -> Array:
    """Return (N,) how likely each person is detected, where those wholly seen are at ``rate``."""
    share = np.clip((view.visible - BLIND) / (FULLY_SEEN - BLIND), 0, 1)
    return np.clip(rate * share, 0.01, 0.99)


def look(camera: FloorCamera, states: Array, certain: NDArray[np.bool_]) -> View:
    """Return how people of ``states`` (N, 5: x, y, their velocities, height) look; who is ``certain`` hides others."""
    count = len(states)
    moved = np.repeat(states[None][..., [0, 1, 4]], 4, axis=0)
    for axis in range(3):
        moved[axis + 1, :, axis] += _STEP
    flat = moved.reshape(-1, 3)
    boxes = camera.person_box(flat[:, 0], flat[:, 1], flat[:, 2]).reshape(4, count, 4)
    jacobian = np.moveaxis((boxes[1:] - boxes[0]) / _STEP, 0, -1)
    box = boxes[0]
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(box).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2))
        seen &= box[:, 3] - box[:, 1] >= _SMALLEST
    box = np.where(seen[:, None], box, np.nan)
    inside = camera.visible_share(box)
    feet = box.copy()
    feet[:, 1] = box[:, 3] - (box[:, 3] - box[:, 1]) / 5
    distance = np.hypot(*(states[:, :2] - camera.position[:2]).T)
    hidden, feet_hidden = (_hidden(part, box, distance, certain & seen) for part in (box, feet))
    return View(box, jacobian, inside * (1 - hidden), camera.visible_share(feet) * (1 - feet_hidden))


def _hidden(parts: Array, boxes: Array, distance: Array, certain: NDArray[np.bool_]) -> Array:
    """Return (N,) the share of each part that is behind the boxes of people nearer to the camera."""
    if not len(parts):
        return np.zeros(0)
    # A person fills about two thirds of the width of their box.
    margin = (boxes[:, 2] - boxes[:, 0]) / 6
    left, right = boxes[:, 0] + margin, boxes[:, 2] - margin
    with np.errstate(invalid="ignore"):
        own_left = parts[:, 0] + margin
        own_right = parts[:, 2] - margin
        across = np.minimum(own_right[:, None], right) - np.maximum(own_left[:, None], left)
        down = np.minimum(parts[:, None, 3], boxes[:, 3]) - np.maximum(parts[:, None, 1], boxes[:, 1])
        area = (own_right - own_left) * (parts[:, 3] - parts[:, 1])
        share = np.clip(across, 0, None) * np.clip(down, 0, None) / area[:, None]
        nearer = (distance < distance[:, None] - _NEARER) & certain
    share = np.where(nearer & np.isfinite(share), np.clip(share, 0, 1), 0.0)
    return 1 - np.prod(1 - share, axis=1)
