"""How large a person is in a picture: a few points around the body, and the box around their pixels."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "SEATED",
    "SEAT_BEHIND",
    "STANDING",
    "Rings",
    "boxes_around",
    "person_boxes_with_jacobian",
    "person_points",
    "share_inside",
]

Array = NDArray[np.float64]

#: circles of points: height, radius, and how far ahead of the person's place their middle is, as shares of the person's
#: height when standing, of half the width, and of that height
Rings = tuple[tuple[float, float, float], ...]

#: soles, shoulders, crown. Detectors' boxes end at the shoes nearest to the camera and at the hair: in the CMC room a
#: cylinder's box is lower at the bottom by 2 % of its height, one of feet below the centre too high by as much
STANDING: Rings = ((0.0, 0.7, 0.0), (0.82, 1.0, 0.0), (1.0, 0.4, 0.0))
#: of who sits on a chair, whose place is where the feet are: soles, knees, shoulders, crown. Seats are 0.26 of people's
#: height above the floor, the crown 0.52 above them, less for who leans back; from the back to the knees it is 0.34
SEAT_BEHIND = 0.26
SEATED: Rings = ((0.0, 0.6, 0.0), (0.31, 0.7, 0.0), (0.61, 1.0, -SEAT_BEHIND), (0.77, 0.4, -SEAT_BEHIND))
#: directions of the points of a ring, from the one towards the camera: with these four the nearest, the farthest and
#: both outermost points are among them whatever the view, and the other four serve cameras that are rolled
_DIRECTIONS = np.arange(8) * np.pi / 4
#: metres a person must be in front of the camera: nearer, the box says nothing
_NEAREST = 0.1
#: metres by which a point is moved to find the derivative of its pixel
_STEP = 0.01


class _Projecting(Protocol):
    @property
    def position(self) -> Array: ...

    def project(self, points: ArrayLike) -> tuple[Array, Array]: ...


def person_points(
    x: ArrayLike,
    y: ArrayLike,
    height: ArrayLike,
    width: ArrayLike,
    camera_position: Array,
    rings: Rings = STANDING,
    facing: ArrayLike = 0.0,
) -> Array:
    """Return world points (N, K, 3) around people who are at (x, y).

    A person is some level circles, by default about one vertical axis: soles (0.7 of ``width`` across, on the floor),
    shoulders (``width`` across, at 0.82 of ``height``) and crown (0.4 of ``width``, at ``height``); metres. Each has
    eight points. ``facing`` (radians, 0 along x) is where those look who sit (``SEATED``). All arguments broadcast;
    ``camera_position`` (3,) turns the circles so that one point is nearest to it.
    """
    x, y, height, width, facing = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(value, np.float64)) for value in (x, y, height, width, facing))
    )
    towards = np.arctan2(camera_position[1] - y, camera_position[0] - x)
    angles = towards[:, None] + _DIRECTIONS
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    place = np.stack([x, y], axis=-1)
    ahead = np.stack([np.cos(facing), np.sin(facing)], axis=-1) * height[:, None]
    points = np.empty((len(x), len(rings), len(_DIRECTIONS), 3))
    for number, (level, radius, forward) in enumerate(rings):
        middle = place + forward * ahead if forward else place
        points[:, number, :, :2] = middle[:, None] + unit * (radius * width / 2)[:, None, None]
        points[:, number, :, 2] = (level * height)[:, None]
    return points.reshape(len(x), len(rings) * len(_DIRECTIONS), 3)


def boxes_around(pixels: Array, depth: Array) -> Array:
    """Return boxes (N, 4) around pixels (N, K, 2); NaN where one of the depths (N, K) is not in front of the camera."""
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    front = np.asarray((depth > _NEAREST).all(axis=1))
    return np.where(front[:, None], boxes, np.nan)


def person_boxes_with_jacobian(
    camera: _Projecting,
    x: Array,
    y: Array,
    height: Array,
    width: float = 0.5,
    rings: Rings = STANDING,
    facing: Array | float = 0.0,
) -> tuple[Array, Array]:
    """Return the boxes (N, 4) of people as ``person_box`` does, and their derivatives (N, 4, 3) by x, y and height.

    A side's derivative is that of the point it touches: pixels per metre.

    Args:
        camera: projects world points and knows where it stands.
        x, y, height: (N,) metres.
        width: of the people, metres.
        rings, facing: of ``person_points``; facing (N,) radians.
    """
    points = person_points(x, y, height, width, camera.position, rings, facing)
    flat, depth = camera.project(points.reshape(-1, 3))
    pixels = flat.reshape(*points.shape[:2], 2)
    boxes = boxes_around(pixels, depth.reshape(points.shape[:2]))
    rows = np.arange(len(points))[:, None]
    touching = np.concatenate([pixels.argmin(axis=1), pixels.argmax(axis=1)], axis=1)
    chosen = points[rows, touching]
    forward = np.array([ring[2] for ring in rings])[touching // len(_DIRECTIONS)][..., None]
    ahead = forward * np.stack(np.broadcast_arrays(np.cos(facing), np.sin(facing)), axis=-1).reshape(-1, 1, 2)
    # The circles turn with the direction to the camera.
    across, deep = camera.position[0] - x, camera.position[1] - y
    turning = np.stack([deep, -across], axis=-1) / np.maximum(across**2 + deep**2, 1e-12)[:, None]
    middle = np.stack([x, y], axis=-1)[:, None] + ahead * height[:, None, None]
    beside = np.stack([middle[..., 1] - chosen[..., 1], chosen[..., 0] - middle[..., 0]], axis=-1)
    change = np.zeros((*chosen.shape, 3))
    change[..., :2, :2] = np.eye(2) + beside[..., :, None] * turning[:, None, None]
    change[..., :2, 2] = ahead
    change[..., 2, 2] = chosen[..., 2] / height[:, None]
    moved = chosen[..., None, :] + _STEP * np.swapaxes(change, -1, -2)
    later = camera.project(moved.reshape(-1, 3))[0].reshape(*moved.shape[:3], 2)
    sides = np.arange(4)
    axis = sides % 2
    return boxes, (later[:, sides, :, axis].transpose(1, 0, 2) - boxes[:, :, None]) / _STEP


def share_inside(boxes: ArrayLike, width: float, height: float) -> Array:
    """Return (N,) the share of the area of each box (N, 4) that lies inside the image; 0 for boxes of NaN."""
    box = np.asarray(boxes, np.float64).reshape(-1, 4)
    area = np.maximum(box[:, 2] - box[:, 0], 0) * np.maximum(box[:, 3] - box[:, 1], 0)
    across = np.clip(box[:, 2], 0, width) - np.clip(box[:, 0], 0, width)
    down = np.clip(box[:, 3], 0, height) - np.clip(box[:, 1], 0, height)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = across * down / area
    return np.where(np.isfinite(share), share, 0.0)
