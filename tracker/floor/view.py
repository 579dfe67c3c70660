"""How tracks on the floor look in one camera: predicted boxes, their derivatives, and how much of each can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.person_shape import SEATED, STANDING, person_boxes_with_jacobian

__all__ = ["BLIND", "FULLY_SEEN", "View", "detection_chance", "look", "visible_shares"]

Array = NDArray[np.float64]

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
        slack: by how much heads are off in this posture, metres.
    """

    boxes: Array
    jacobian: Array
    visible: Array
    feet_visible: Array
    slack: Array

    def __getitem__(self, rows: NDArray[Any] | slice) -> View:
        """Return the view of some of the people."""
        return View(
            self.boxes[rows], self.jacobian[rows], self.visible[rows], self.feet_visible[rows], self.slack[rows]
        )  # fmt: skip


def detection_chance(view: View, rate: float) -> Array:
    """Return (N,) how likely each person is detected, where those wholly seen are at ``rate``."""
    share = np.clip((view.visible - BLIND) / (FULLY_SEEN - BLIND), 0, 1)
    return np.clip(rate * share, 0.01, 0.99)


def look(
    camera: FloorCamera,
    states: Array,
    certain: NDArray[np.bool_],
    *,
    share: float = 1.0,
    slack: float = 0.0,
    hiding: Array | None = None,
    asked: NDArray[np.bool_] | None = None,
    facing: Array | None = None,
) -> View:
    """Return how people of ``states`` (N, 5: x, y, their velocities, height) look.

    Args:
        camera: that looks.
        states: of the people.
        certain: (N,) who hides others.
        share: of their height at which the people have their heads.
        slack: what to put down as ``View.slack``, metres.
        hiding: (N,) shares of their heights at which those who hide others have theirs; ``None``: 1.
        asked: (N,) whose view is asked for; the others' is NaN. ``None``: everybody's.
        facing: (N,) radians, where the knees of those lie who sit on chairs; ``None``: nobody does.
    """
    count = len(states)
    distance = np.hypot(*(states[:, :2] - camera.position[:2]).T)
    if hiding is None:
        hiding = np.ones(count)
    screens = camera.person_box(states[certain, 0], states[certain, 1], hiding[certain] * states[certain, 4])
    rows = np.arange(count) if asked is None else np.flatnonzero(asked)
    box, jacobian = _boxes(camera, states[rows], share, None if facing is None else facing[rows])
    visible, feet_visible = visible_shares(camera, box, distance[rows], screens, distance[certain])
    if len(rows) == count:
        return View(box, jacobian, visible, feet_visible, np.full(count, slack))
    view = View(
        np.full((count, 4), np.nan), np.full((count, 4, 3), np.nan), np.zeros(count), np.zeros(count),
        np.full(count, slack),
    )  # fmt: skip
    view.boxes[rows], view.jacobian[rows] = box, jacobian
    view.visible[rows], view.feet_visible[rows] = visible, feet_visible
    return view


def _boxes(camera: FloorCamera, states: Array, share: float, facing: Array | None) -> tuple[Array, Array]:
    """Return predicted boxes (N, 4) and their derivatives (N, 4, 3) by x, y and height."""
    x, y, height = states[:, [0, 1, 4]].T
    if facing is None:
        box, jacobian = person_boxes_with_jacobian(camera, x, y, share * height, rings=STANDING)
    else:
        box, jacobian = person_boxes_with_jacobian(camera, x, y, share * height, rings=SEATED, facing=facing)
    jacobian[..., 2] *= share
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(box).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2))
        seen &= box[:, 3] - box[:, 1] >= _SMALLEST
    return np.where(seen[:, None], box, np.nan), jacobian


def visible_shares(
    camera: FloorCamera, boxes: Array, distances: Array, screens: Array, screen_distances: Array
) -> tuple[Array, Array]:
    """Return which share of each box (N, 4), and of its lowest fifth, is inside the image and not behind a screen.

    Args:
        camera: that looks.
        boxes: of people, pixels.
        distances: (N,) of them from the camera, along the floor in metres.
        screens: (M, 4) boxes of who may hide them.
        screen_distances: (M,) likewise.
    """
    feet = boxes.copy()
    feet[:, 1] = boxes[:, 3] - (boxes[:, 3] - boxes[:, 1]) / 5
    whole, lowest = (
        camera.visible_share(part) * (1 - _hidden(part, distances, screens, screen_distances)) for part in (boxes, feet)
    )
    return whole, lowest


def _hidden(parts: Array, distances: Array, screens: Array, screen_distances: Array) -> Array:
    """Return (N,) the share of each part that is behind screens nearer to the camera."""
    if not len(parts) or not len(screens):
        return np.zeros(len(parts))
    # A person fills about two thirds of the width of their box.
    margin = (screens[:, 2] - screens[:, 0]) / 6
    left, right = screens[:, 0] + margin, screens[:, 2] - margin
    own_margin = (parts[:, 2] - parts[:, 0]) / 6
    own_left, own_right = parts[:, 0] + own_margin, parts[:, 2] - own_margin
    with np.errstate(invalid="ignore"):
        across = np.minimum(own_right[:, None], right) - np.maximum(own_left[:, None], left)
        down = np.minimum(parts[:, None, 3], screens[:, 3]) - np.maximum(parts[:, None, 1], screens[:, 1])
        area = (own_right - own_left) * (parts[:, 3] - parts[:, 1])
        share = np.clip(across, 0, None) * np.clip(down, 0, None) / area[:, None]
        nearer = screen_distances < distances[:, None] - _NEARER
    share = np.where(nearer & np.isfinite(share), np.clip(share, 0, 1), 0.0)
    return np.asarray(1 - np.prod(1 - share, axis=1), np.float64)
