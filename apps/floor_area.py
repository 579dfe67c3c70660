"""The part of the floor that a plan shows: what the cameras see together, and wherever else people were."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.geometry.floor_camera import FloorCamera

__all__ = ["FloorArea", "floor_area", "viewing_direction"]

Array = NDArray[np.float64]

#: metres of a person who is looked for, from which share inside the image and of its height on
_TALL, _INSIDE, _LEAST_HEIGHT = 1.7, 0.5, 0.1
#: how many pixels and then places are looked at, in each direction
_PIXELS, _PLACES = 24, 120
#: metres of floor around what is to be shown, and least length of a side
_MARGIN, _LEAST_SIDE = 0.4, 2.0


@dataclass(frozen=True, eq=False)
class FloorArea:
    """A rectangle of the floor.

    Args:
        low, high: (2,) its corners, metres.
        mirrored: x and y are those of a mirror image, as in top views whose y runs down.
    """

    low: Array
    high: Array
    mirrored: bool = False


def floor_area(cameras: Collection[FloorCamera], people: tuple[Array, Array] | None = None) -> FloorArea:
    """Return the floor that a plan shows.

    It holds what most cameras see at once (a person there is large enough to be found), the places of people, and the
    cameras themselves unless they are far away.

    Args:
        cameras: at least one.
        people: (2,) and (2,) the corners of where people were, metres; ``None``: not known.
    """
    low, high = _seen_together(cameras)
    if people is not None:
        low, high = np.minimum(low, people[0]), np.maximum(high, people[1])
    positions = np.array([camera.position[:2] for camera in cameras])
    reach = (high - low).max() / 2
    near = np.clip(positions, low - reach, high + reach)
    low, high = np.minimum(low, near.min(axis=0)) - _MARGIN, np.maximum(high, near.max(axis=0)) + _MARGIN
    wider = np.maximum(_LEAST_SIDE - (high - low), 0) / 2
    return FloorArea(low - wider, high + wider, _mirrored(cameras))


def viewing_direction(camera: FloorCamera, across: float = 0.5) -> Array | None:
    """Return the unit vector (2,) on the floor in which a camera looks; ``None`` when it looks straight down.

    Args:
        camera: the view.
        across: which column of the image, from 0 at its left border to 1.
    """
    rows = np.linspace(camera.height / 2, camera.height - 1, 16)
    places = camera.to_floor(np.column_stack([np.full(16, across * camera.width), rows]))
    ahead = places[np.isfinite(places).all(axis=1)] - camera.position[:2]
    if not len(ahead) or np.hypot(*ahead[0]) < 0.1 * abs(camera.position[2]):
        return None
    return np.asarray(ahead[0] / np.hypot(*ahead[0]), np.float64)


def _seen_together(cameras: Collection[FloorCamera]) -> tuple[Array, Array]:
    """Return the corners of the floor that more than half of the cameras see, or as many as see any at once."""
    views = []
    for camera in cameras:
        columns, rows = np.linspace(0, camera.width, _PIXELS), np.linspace(0, camera.height, _PIXELS)
        found = camera.to_floor(np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2))
        found = found[np.isfinite(found).all(axis=1)]
        views.append(found[_sees_people(camera, found)])
    everything = np.concatenate(views)
    if not len(everything):
        everything = np.array([camera.position[:2] for camera in cameras])
    low, high = everything.min(axis=0), everything.max(axis=0)
    x, y = np.meshgrid(*(np.linspace(low[axis], high[axis], _PLACES) for axis in (0, 1)))
    places = np.column_stack([x.ravel(), y.ravel()])
    count = np.sum([_sees_people(camera, places) for camera in cameras], axis=0)
    common = places[count >= min(len(cameras) // 2 + 1, count.max())]
    return common.min(axis=0), common.max(axis=0)


def _sees_people(camera: FloorCamera, places: Array) -> NDArray[np.bool_]:
    """Return (N,) at which places (N, 2) a camera sees enough of a person who stands there."""
    boxes = camera.person_box(places[:, 0], places[:, 1], _TALL)
    with np.errstate(invalid="ignore"):
        large = boxes[:, 3] - boxes[:, 1] >= _LEAST_HEIGHT * camera.height
        return np.asarray(large & (camera.visible_share(boxes) >= _INSIDE))


def _mirrored(cameras: Collection[FloorCamera]) -> bool:
    """Return whether on the floor of most cameras x, y turn the other way than right, ahead do in the image."""
    votes = 0.0
    for camera in cameras:
        shares = np.array([(0.25, 0.99), (0.75, 0.99), (0.5, 0.99), (0.5, 0.9)])
        left, right, near, far = camera.to_floor(shares * (camera.width, camera.height))
        across, ahead = right - left, far - near
        votes += float(np.sign(np.nan_to_num(across[0] * ahead[1] - across[1] * ahead[0])))
    return votes < 0
