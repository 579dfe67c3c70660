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
_COSINES, _SINES = np.cos(_DIRECTIONS)[:, None], np.sin(_DIRECTIONS)[:, None]
#: factors of (y, x) that make a quarter turn of (x, y) to the left, and to the right
_QUARTER_TURN, _QUARTER_BACK = np.array([-1.0, 1.0]), np.array([1.0, -1.0])
#: where circles turn to that are right under the camera
_EAST = np.array([1.0, 0.0])
_PLANE = np.eye(2)
#: sides of a box, and along which axis of the picture each lies
_SIDES = np.arange(4)
_AXES = _SIDES % 2
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
    rings: Rings | Array = STANDING,
    facing: ArrayLike = 0.0,
) -> Array:
    """Return world points (N, K, 3) around people who are at (x, y).

    A person is some level circles, by default about one vertical axis: soles (0.7 of ``width`` across, on the floor),
    shoulders (``width`` across, at 0.82 of ``height``) and crown (0.4 of ``width``, at ``height``); metres. Each has
    eight points. ``facing`` (radians, 0 along x) is where those look who sit (``SEATED``). All arguments broadcast;
    ``rings`` are the same for all, or (N, R, 3) of each; ``camera_position`` (3,) turns the circles so that one point
    is nearest to it.
    """
    x, y, height, width, facing = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(value, np.float64)) for value in (x, y, height, width, facing))
    )
    return _points(np.stack([x, y], axis=-1), height, width, camera_position, np.asarray(rings, np.float64), facing)


def _points(places: Array, height: Array, width: Array, camera_position: Array, rings: Array, facing: Array) -> Array:
    """Return ``person_points`` of arrays: places (N, 2), the others (N,), rings (R, 3) or (N, R, 3)."""
    across = camera_position[:2] - places
    distance = np.sqrt((across * across).sum(axis=1))[:, None]
    towards = np.where(distance > 0, across / np.maximum(distance, 1e-300), _EAST)
    aside = towards[:, ::-1] * _QUARTER_TURN
    unit = towards[:, None] * _COSINES + aside[:, None] * _SINES
    level, radius, forward = rings[..., 0], rings[..., 1], rings[..., 2]
    middle = places[:, None]
    if forward.any():
        ahead = np.stack([np.cos(facing), np.sin(facing)], axis=-1) * height[:, None]
        middle = middle + forward[..., None] * ahead[:, None]
    count, levels = len(places), rings.shape[-2]
    points = np.empty((count, levels, len(_DIRECTIONS), 3))
    half = radius * (width / 2)[:, None]
    points[..., :2] = middle[:, :, None] + half[..., None, None] * unit[:, None]
    points[..., 2] = (level * height[:, None])[..., None]
    return points.reshape(count, levels * len(_DIRECTIONS), 3)


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
    rings: Rings | Array = STANDING,
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
    count = len(x)
    places, shapes = np.stack([x, y], axis=-1), np.asarray(rings, np.float64)
    towards = np.broadcast_to(np.asarray(facing, np.float64), (count,))
    position = camera.position
    points = _points(places, height, np.full(count, float(width)), position, shapes, towards)
    flat, depth = camera.project(points.reshape(-1, 3))
    number = points.shape[1]
    # Columns and rows apart, so that every search runs along memory.
    pixels = np.ascontiguousarray(flat.reshape(count, number, 2).transpose(0, 2, 1))
    touching = np.concatenate([pixels.argmin(axis=2), pixels.argmax(axis=2)], axis=1)
    rows = np.arange(count)[:, None]
    touched = pixels[rows, _AXES, touching]
    front = np.asarray((depth.reshape(count, number) > _NEAREST).all(axis=1))
    boxes = np.where(front[:, None], touched, np.nan)
    chosen = points[rows, touching]
    # The circles turn with the direction to the camera.
    across = position[:2] - places
    turning = across[:, ::-1] * _QUARTER_BACK / np.maximum((across * across).sum(axis=1), 1e-12)[:, None]
    offset = chosen[..., :2] - places[:, None]
    change = np.zeros((count, 4, 3, 3))
    change[..., 2, 2] = chosen[..., 2] / height[:, None]
    if shapes[..., 2].any():
        ring = touching // len(_DIRECTIONS)
        forward = (shapes[ring, 2] if shapes.ndim == 2 else shapes[rows, ring, 2])[..., None]
        ahead = forward * np.stack([np.cos(towards), np.sin(towards)], axis=-1)[:, None]
        change[..., 2, :2] = ahead
        offset = offset - ahead * height[:, None, None]
    beside = offset[..., ::-1] * _QUARTER_TURN
    change[..., :2, :2] = _PLANE + turning[:, None, :, None] * beside[:, :, None]
    moved = chosen[:, :, None] + _STEP * change
    later = camera.project(moved.reshape(-1, 3))[0].reshape(count, 4, 3, 2)
    return boxes, (later[:, _SIDES, :, _AXES].transpose(1, 0, 2) - boxes[:, :, None]) / _STEP


def share_inside(boxes: ArrayLike, width: float, height: float) -> Array:
    """Return (N,) the share of the area of each box (N, 4) that lies inside the image; 0 for boxes of NaN."""
    box = np.asarray(boxes, np.float64).reshape(-1, 4)
    area = np.maximum(box[:, 2] - box[:, 0], 0) * np.maximum(box[:, 3] - box[:, 1], 0)
    across = np.clip(box[:, 2], 0, width) - np.clip(box[:, 0], 0, width)
    down = np.clip(box[:, 3], 0, height) - np.clip(box[:, 1], 0, height)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = across * down / area
    return np.where(np.isfinite(share), share, 0.0)
