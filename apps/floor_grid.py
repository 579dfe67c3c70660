"""The lines of a grid on the floor as a camera sees them: only what is in front of it and can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.geometry.estimate import Estimate
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["GridPart", "around_points", "grid_nodes", "grid_parts", "in_reach", "seen_floor"]

Array = NDArray[np.float64]
Corners = tuple[Array, Array]

_MOST_LINES = 150
_SAMPLES = 400
#: metres in front of the camera from which a line is drawn
_NEAREST = 0.05
#: how far beyond the farthest point the grid goes, as a multiple of its distance
_BEYOND_POINTS = 1.5


@dataclass(frozen=True, eq=False)
class GridPart:
    """A stretch of one line.

    Args:
        line: (K, 2) pixels.
        axis: ``"x"`` or ``"y"`` for the part of an axis, else empty.
        near: whether it is around the points.
    """

    line: Array
    axis: str
    near: bool


def seen_floor(camera: FloorCamera, estimate: Estimate, grid: float) -> Corners:
    """Return the corners (2,) and (2,), multiples of ``grid``, of the floor in view, not far beyond the points.

    Args:
        camera: the estimate's, perhaps for larger images.
        estimate: whose inliers count.
        grid: metres between lines.

    Raises:
        InputError: there would be more than 150 lines of a direction.
    """
    columns, rows = np.linspace(0, camera.width, 33), np.linspace(0, camera.height, 33)
    pixels = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    points = estimate.pairs.world[estimate.inliers, :2]
    farthest = float(np.hypot(*(points - camera.position[:2]).T).max())
    places = camera.to_floor(pixels, maximum_distance=_BEYOND_POINTS * farthest)
    places = np.concatenate([places[np.isfinite(places).all(axis=1)], points])
    low, high = grid * np.floor(places.min(axis=0) / grid), grid * np.ceil(places.max(axis=0) / grid)
    extent = float((high - low).max())
    if extent / grid > _MOST_LINES:
        raise InputError(
            f"--grid {grid:g} draws {extent / grid:.0f} lines over {extent:.0f} m of floor; make it larger"
        )
    return low, high


def around_points(estimate: Estimate, grid: float) -> Corners:
    """Return the corners, multiples of ``grid``, of the floor under the inliers and one cell around it."""
    places = estimate.pairs.world[estimate.inliers, :2] / grid
    return grid * (np.floor(places.min(axis=0)) - 1), grid * (np.ceil(places.max(axis=0)) + 1)


def grid_nodes(corners: Corners, grid: float) -> Array:
    """Return (N, 3) where the lines between ``corners`` cross, metres."""
    x, y = (grid * np.arange(round(low / grid), round(high / grid) + 1) for low, high in zip(*corners))
    across, along = np.meshgrid(x, y)
    return np.column_stack([across.ravel(), along.ravel(), np.zeros(across.size)])


def grid_parts(
    camera: FloorCamera, corners: Corners, near: Corners, grid: float, least_spacing: float
) -> Iterator[GridPart]:
    """Yield what can be seen of the lines between ``corners``.

    Args:
        camera: the view.
        corners: of the floor that is drawn.
        near: corners of the floor around the points.
        grid: metres between lines.
        least_spacing: pixels below which a line is too near the next one.
    """
    for axis in (0, 1):
        low, high = corners[0][axis], corners[1][axis]
        begin, end = corners[0][1 - axis], corners[1][1 - axis]
        borders = np.clip([near[0][1 - axis], near[1][1 - axis]], begin, end)
        along = np.unique(np.concatenate([np.linspace(begin, end, _SAMPLES), borders]))
        # One line more than is drawn, for the spacing of the last.
        values = grid * np.arange(round(low / grid), round(high / grid) + 2)
        points = np.zeros((len(values), len(along), 3))
        points[..., axis], points[..., 1 - axis] = values[:, None], along
        flat, depth = camera.project(points.reshape(-1, 3))
        pixels = flat.reshape(len(values), len(along), 2)
        shown = (depth.reshape(len(values), -1) > _NEAREST) & in_reach(pixels, camera)
        # What a lens' model throws into the image from beyond where it holds is not there.
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(axis=2)
        shown &= ~inside | camera.visible(points.reshape(-1, 3)).reshape(inside.shape)
        shown[:-1] &= _spacing(pixels) >= least_spacing
        between = (along[:-1] >= borders[0]) & (along[1:] <= borders[1])
        for value, line, seen in zip(values[:-1], pixels, shown):
            name = "" if abs(value) > grid / 2 else "xy"[1 - axis]
            beside = near[0][axis] - grid / 2 < value < near[1][axis] + grid / 2
            whole = seen[:-1] & seen[1:]
            for close in (False, True):
                chosen = whole & ((between & beside) == close)
                for first, last in _runs(chosen):
                    yield GridPart(line[first : last + 1], name, close)


def in_reach(pixels: Array, camera: FloorCamera) -> NDArray[np.bool_]:
    """Return which pixels (…, 2) are so near the image that a drawing library's coordinates hold them."""
    size = np.array([camera.width, camera.height], np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(pixels / size - 0.5) < 8).all(axis=-1))


def _spacing(pixels: Array) -> Array:
    """Return (L − 1, N) how far lines (L, N, 2) are from the next one, across their own direction."""
    with np.errstate(invalid="ignore"):
        direction = np.gradient(pixels, axis=1)[:-1]
        direction /= np.maximum(np.linalg.norm(direction, axis=2, keepdims=True), 1e-9)
        step = np.diff(pixels, axis=0)
        return np.abs(step[..., 0] * direction[..., 1] - step[..., 1] * direction[..., 0])


def _runs(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (R, 2) the first and one past the last of every stretch that is chosen."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    return borders.astype(np.int64).reshape(-1, 2)
