"""How large a standing person is in a picture: a few points around the body, and the box around their pixels."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["boxes_around", "person_boxes_with_jacobian", "person_points", "share_inside"]

Array = NDArray[np.float64]

#: rings of points around the vertical axis: height and radius, as shares of the person's height and half width: soles,
#: shoulders, crown. Detectors' boxes end at the shoes nearest to the camera and at the hair: in the CMC room a
#: cylinder's box is lower at the bottom by 2 % of its height, one of feet below the centre too high by as much
_RINGS = ((0.0, 0.7), (0.82, 1.0), (1.0, 0.4))
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


def person_points(x: ArrayLike, y: ArrayLike, height: ArrayLike, width: ArrayLike, camera_position: Array) -> Array:
    """Return world points (N, K, 3) around people who stand at (x, y).

    A person is three level circles about one vertical axis: soles (0.7 of ``width`` across, on the floor), shoulders
    (``width`` across, at 0.82 of ``height``) and crown (0.4 of ``width``, at ``height``); metres. Eight points are on
    each. All arguments broadcast; ``camera_position`` (3,) turns the circles so that one point is nearest to it.
    """
    x, y, height, width = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(value, np.float64)) for value in (x, y, height, width))
    )
    towards = np.arctan2(camera_position[1] - y, camera_position[0] - x)
    angles = towards[:, None] + _DIRECTIONS
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    rings = []
    for level, radius in _RINGS:
        ring = np.empty((len(x), len(_DIRECTIONS), 3))
        ring[..., :2] = np.stack([x, y], axis=-1)[:, None] + unit * (radius * width / 2)[:, None, None]
        ring[..., 2] = (level * height)[:, None]
        rings.append(ring)
    return np.concatenate(rings, axis=1)


def boxes_around(pixels: Array, depth: Array) -> Array:
    """Return boxes (N, 4) around pixels (N, K, 2); NaN where one of the depths (N, K) is not in front of the camera."""
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    front = np.asarray((depth > _NEAREST).all(axis=1))
    return np.where(front[:, None], boxes, np.nan)


def person_boxes_with_jacobian(
    camera: _Projecting, x: Array, y: Array, height: Array, width: float = 0.5
) -> tuple[Array, Array]:
    """Return the boxes (N, 4) of people as ``person_box`` does, and their derivatives (N, 4, 3) by x, y and height.

    A side's derivative is that of the point it touches: pixels per metre.

    Args:
        camera: projects world points and knows where it stands.
        x, y, height: (N,) metres.
        width: of the people, metres.
    """
    points = person_points(x, y, height, width, camera.position)
    flat, depth = camera.project(points.reshape(-1, 3))
    pixels = flat.reshape(*points.shape[:2], 2)
    boxes = boxes_around(pixels, depth.reshape(points.shape[:2]))
    rows = np.arange(len(points))[:, None]
    touching = np.concatenate([pixels.argmin(axis=1), pixels.argmax(axis=1)], axis=1)
    chosen = points[rows, touching]
    # The circles turn with the direction to the camera.
    across, deep = camera.position[0] - x, camera.position[1] - y
    turning = np.stack([deep, -across], axis=-1) / np.maximum(across**2 + deep**2, 1e-12)[:, None]
    beside = np.stack([y[:, None] - chosen[..., 1], chosen[..., 0] - x[:, None]], axis=-1)
    change = np.zeros((*chosen.shape, 3))
    change[..., :2, :2] = np.eye(2) + beside[..., :, None] * turning[:, None, None]
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
