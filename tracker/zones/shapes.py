"""Points, lines and polygons, many at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["feet", "line_offsets", "paths_cross"]

Array = NDArray[np.float64]


def feet(boxes: ArrayLike, height: int) -> Array:
    """Return (N, 2) where people stand in an image, in heights of the image: the middle of the lower sides of boxes.

    Args:
        boxes: (N, 4) ``x1, y1, x2, y2`` pixels.
        height: of the image, pixels.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.column_stack([(corners[:, 0] + corners[:, 2]) / 2, corners[:, 3]]) / height


def line_offsets(points: Array, starts: Array, ends: Array) -> Array:
    """Return (N, L) signed distances of points (N, 2) from the endless lines through starts and ends (L, 2).

    Positive is clockwise from the line's direction where y grows downwards: to the right of who looks along it.
    """
    along = ends - starts
    beside = points[:, None] - starts
    cross = along[:, 0] * beside[..., 1] - along[:, 1] * beside[..., 0]
    return np.asarray(cross / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-12))


def paths_cross(first: Array, second: Array, starts: Array, ends: Array) -> NDArray[np.bool_]:
    """Return (K,) whether the straight paths from first to second (K, 2) cross the lines from starts to ends (K, 2).

    A path through the very end of a line crosses it.
    """

    def turns(origin: Array, toward: Array, point: Array) -> Array:
        one, other = toward - origin, point - origin
        return np.asarray(np.sign(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]))

    across = turns(starts, ends, first) * turns(starts, ends, second) < 0
    return np.asarray(across & (turns(first, second, starts) * turns(first, second, ends) <= 0))
