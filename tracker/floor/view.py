"""How tracks on the floor look in one camera: predicted boxes, their derivatives, and how much of each can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.person_shape import SEATED, STANDING, person_boxes_with_jacobian

__all__ = [
    "BLIND",
    "FULLY_SEEN",
    "UPRIGHT",
    "WITH_KNEES",
    "Bodies",
    "View",
    "detection_chance",
    "distances_from",
    "look",
    "look_at",
    "predicted_boxes",
    "visible_shares",
]

Array = NDArray[np.float64]

#: lowest height of a person's box that is worth looking at, pixels
_SMALLEST = 8.0
#: metres by which an occluder must be nearer
_NEARER = 0.15
#: shares of a person between which a detector goes from blind to its full rate
BLIND, FULLY_SEEN = 0.1, 0.6
#: bodies that stand, or sit with no knees to be seen; and those that sit on chairs
UPRIGHT, WITH_KNEES = 0, 1
#: circles of both, equally many: a crown that is there twice changes nothing
_RINGS = np.array([(*STANDING, STANDING[-1]), SEATED])


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


def detection_chance(visible: Array, rate: float) -> Array:
    """Return (N,) how likely people are detected whose visible shares are (N,), those wholly seen at ``rate``."""
    share = np.clip((visible - BLIND) / (FULLY_SEEN - BLIND), 0, 1)
    return np.clip(rate * share, 0.01, 0.99)


def look(
    camera: FloorCamera,
    states: Array,
    certain: NDArray[np.bool_],
    *,
    share: float = 1.0,
    slack: float = 0.0,
    facing: Array | None = None,
) -> View:
    """Return how people of ``states`` (N, 5: x, y, their velocities, height) look.

    Args:
        camera: that looks.
        states: of the people.
        certain: (N,) who hides others.
        share: of their height at which the people have their heads.
        slack: what to put down as ``View.slack``, metres.
        facing: (N,) radians, where the knees of those lie who sit on chairs; ``None``: nobody does.
    """
    count = len(states)
    kinds = np.full(count, UPRIGHT if facing is None else WITH_KNEES)
    bodies = Bodies(
        states[:, :2], states[:, 4], np.full(count, share), np.full(count, slack), kinds,
        np.zeros(count) if facing is None else facing,
    )  # fmt: skip
    screens = camera.person_box(states[certain, 0], states[certain, 1], states[certain, 4])
    distances = distances_from(camera, bodies.places)
    view, _ = look_at(camera, bodies, distances, lambda _: (screens, distances[certain]))
    return view


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """B bodies whose looks are asked for together: of different people, or of one in several postures.

    Args:
        places: (B, 2) metres.
        heights: (B,) of the people, metres.
        shares: (B,) of their heights at which their heads are.
        slack: (B,) what to put down as ``View.slack``, metres.
        kinds: (B,) ``UPRIGHT`` or ``WITH_KNEES``.
        facing: (B,) radians, where knees lie.
    """

    places: Array
    heights: Array
    shares: Array
    slack: Array
    kinds: NDArray[np.int64]
    facing: Array


def distances_from(camera: FloorCamera, places: Array) -> Array:
    """Return the distances (N,) of places (N, 2) from the camera along the floor, metres."""
    return np.asarray(np.hypot(*(places - camera.position[:2]).T), np.float64)


def look_at(
    camera: FloorCamera, bodies: Bodies, distances: Array, screens_of: Callable[[Array], tuple[Array, Array]]
) -> tuple[View, Array]:
    """Return how bodies look, all predicted by one projection, and their boxes (B, 4) however small they are.

    Args:
        camera: that looks.
        bodies: in front of it or not.
        distances: (B,) of the bodies, ``distances_from``.
        screens_of: takes those boxes and returns the boxes (M, 4) of who hides others, and their distances (M,): most
            of these are among the bodies.
    """
    raw, jacobian = _predicted(camera, bodies)
    boxes = _worth_looking_at(raw, jacobian)
    visible, feet_visible = visible_shares(camera, boxes, distances, *screens_of(raw))
    return View(boxes, jacobian, visible, feet_visible, bodies.slack), raw


def predicted_boxes(camera: FloorCamera, bodies: Bodies) -> tuple[Array, Array]:
    """Return boxes (B, 4) of bodies and their derivatives (B, 4, 3), without asking what hides them."""
    raw, jacobian = _predicted(camera, bodies)
    return _worth_looking_at(raw, jacobian), jacobian


def _predicted(camera: FloorCamera, bodies: Bodies) -> tuple[Array, Array]:
    knees = bool(bodies.kinds.any())
    boxes, jacobian = person_boxes_with_jacobian(
        camera, bodies.places[:, 0], bodies.places[:, 1], bodies.shares * bodies.heights,
        rings=_RINGS[bodies.kinds] if knees else STANDING, facing=bodies.facing if knees else 0.0,
    )  # fmt: skip
    jacobian[..., 2] *= bodies.shares[:, None]
    return boxes, jacobian


def _worth_looking_at(boxes: Array, jacobian: Array) -> Array:
    """Return the boxes (N, 4); NaN for who is not in front, or too far away."""
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(boxes).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2))
        seen &= boxes[:, 3] - boxes[:, 1] >= _SMALLEST
    return np.where(seen[:, None], boxes, np.nan)


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
    count = len(boxes)
    parts = np.concatenate([boxes, boxes])
    parts[count:, 1] = boxes[:, 3] - (boxes[:, 3] - boxes[:, 1]) / 5
    shares = camera.visible_share(parts)
    if count and len(screens):
        shares = shares * (1 - _hidden(parts, np.concatenate([distances, distances]), screens, screen_distances))
    return shares[:count], shares[count:]


def _hidden(parts: Array, distances: Array, screens: Array, screen_distances: Array) -> Array:
    """Return (N,) the share of each part that is behind screens nearer to the camera."""
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
