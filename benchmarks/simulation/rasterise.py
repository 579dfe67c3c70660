"""Triangles to subpixels with a depth buffer, all triangles of a person in a few array operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fragments", "rasterise"]

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Fragments:
    """The nearest triangle of one person at each subpixel of a window.

    Args:
        left, top: subpixel of the window's upper left corner; multiples of the samples per pixel.
        inverse_depth: (h, w) float32, 1/metres; 0 where the person is not.
        triangle: (h, w) int32 index of the nearest triangle; −1 where the person is not.
    """

    left: int
    top: int
    inverse_depth: FloatArray
    triangle: NDArray[np.int32]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the whole buffer."""
        height, width = self.triangle.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def rasterise(
    x: FloatArray,
    y: FloatArray,
    inverse_depth: FloatArray,
    triangles: NDArray[np.int32],
    width: int,
    height: int,
    samples: int,
) -> Fragments | None:
    """Draw ``triangles`` (T, 3) with corners at subpixel places ``x``, ``y`` (V,) into a ``width × height`` buffer.

    Triangles that face away (clockwise on the screen) or have a corner behind the camera (inverse depth ≤ 0) are left
    out. Each triangle's rows, then each row's subpixels are enumerated, so work grows with the covered area only. Of
    triangles equally near the one of the highest number is taken. Returns ``None`` when nothing is covered.
    """
    corners = triangles.T.astype(np.intp)
    x0, x1, x2 = x.take(corners)
    y0, y1, y2 = y.take(corners)
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    faces = np.flatnonzero(area < -1e-4)
    corners = corners[:, faces]
    corner_x, corner_y, corner_w = x.take(corners), y.take(corners), inverse_depth.take(corners)
    inside = (
        (corner_w.min(axis=0) > 0)
        & (corner_x.max(axis=0) > 0)
        & (corner_x.min(axis=0) < width)
        & (corner_y.max(axis=0) > 0)
        & (corner_y.min(axis=0) < height)
    )
    kept = faces[inside]
    if not len(kept):
        return None
    cx, cy, cw, area = corner_x[:, inside], corner_y[:, inside], corner_w[:, inside], area[kept]
    halves = _halves(cx, cy, height)
    counts = np.maximum(halves.stop - halves.first, 0)
    row = np.repeat(halves.first, counts) + _within(counts)
    centre_y = row.astype(np.float32) + np.float32(0.5)
    lower, upper = (
        np.repeat(edge_x, counts) + (centre_y - np.repeat(edge_y, counts)) * np.repeat(slope, counts)
        for edge_x, edge_y, slope in (halves.left, halves.right)
    )
    start = np.clip(np.ceil(lower - np.float32(0.5)), 0, width).astype(np.int64)
    stop = np.clip(np.ceil(upper - np.float32(0.5)), 0, width).astype(np.int64)
    filled = np.flatnonzero(stop > start)
    if not len(filled):
        return None
    # From here on a "span" is what a triangle covers of one row.
    owner = np.repeat(np.tile(np.arange(len(kept)), 2), counts)[filled]
    row, start, stop = row[filled], start[filled], stop[filled]
    left = int(start.min()) // samples * samples
    top = int(row.min()) // samples * samples
    window_width = -(-(int(stop.max()) - left) // samples) * samples
    window_height = -(-(int(row.max()) + 1 - top) // samples) * samples
    # 1/depth is linear on the screen: w = w0 + gx·(x − x0) + gy·(y − y0).
    first_x, first_y, first_w = cx[0], cy[0], cw[0]
    ex1, ey1, ex2, ey2 = cx[1] - first_x, cy[1] - first_y, cx[2] - first_x, cy[2] - first_y
    gradient_x = ((cw[1] - first_w) * ey2 - (cw[2] - first_w) * ey1) / area
    gradient_y = ((cw[2] - first_w) * ex1 - (cw[1] - first_w) * ex2) / area
    across = gradient_x.take(owner)
    offset_x = start.astype(np.float32) + np.float32(0.5) - first_x.take(owner)
    offset_y = row.astype(np.float32) + np.float32(0.5) - first_y.take(owner)
    at_start = first_w.take(owner) + across * offset_x + gradient_y.take(owner) * offset_y
    length = stop - start
    step = _within(length)
    place = np.repeat((row - top) * window_width + start - left, length) + step
    value = np.repeat(at_start, length) + np.repeat(across, length) * step.astype(np.float32)
    np.maximum(value, 0, out=value)
    # Positive floats are ordered as their bits are: depth above, triangle below, and one maximum finds both.
    key = value.view(np.uint32).astype(np.uint64) << np.uint64(32)
    key |= np.repeat(kept.take(owner).astype(np.uint64), length)
    nearest = np.zeros(window_height * window_width, np.uint64)
    np.maximum.at(nearest, place, key)
    depth = (nearest >> np.uint64(32)).astype(np.uint32).view(np.float32)
    triangle = nearest.astype(np.uint32).view(np.int32)
    triangle[depth == 0] = -1
    shape = (window_height, window_width)
    return Fragments(left, top, depth.reshape(shape), triangle.reshape(shape))


@dataclass(frozen=True, eq=False)
class _Halves:
    """Triangles (K,) cut at the height of their middle corner: first the K upper halves, then the K lower ones.

    Args:
        first, stop: (2K,) rows from the first to before the last whose centres lie in the half; inside the buffer.
        left, right: the half's two edges, each as a corner's x and y and the slope dx/dy, (2K,).
    """

    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    left: tuple[FloatArray, FloatArray, FloatArray]
    right: tuple[FloatArray, FloatArray, FloatArray]


def _halves(x: FloatArray, y: FloatArray, height: int) -> _Halves:
    """Cut triangles with corners ``x``, ``y`` (3, K).

    Edges run from their upper to their lower corner, whatever triangle they are of: two that share one leave no gap.
    """
    (xt, xm, xb), (yt, ym, yb) = x, y
    xt, yt, xm, ym = _by_height(xt, yt, xm, ym)
    xm, ym, xb, yb = _by_height(xm, ym, xb, yb)
    xt, yt, xm, ym = _by_height(xt, yt, xm, ym)
    long, upper, lower = _slope(xt, yt, xb, yb), _slope(xt, yt, xm, ym), _slope(xm, ym, xb, yb)
    bulges_right = (xm - xt) * (yb - yt) > (xb - xt) * (ym - yt)
    rows = np.clip(np.ceil(np.stack([yt, ym, yb]) - np.float32(0.5)), 0, height).astype(np.int64)
    straight = (np.concatenate([xt, xt]), np.concatenate([yt, yt]), np.concatenate([long, long]))
    bent = (np.concatenate([xt, xm]), np.concatenate([yt, ym]), np.concatenate([upper, lower]))
    right = np.concatenate([bulges_right, bulges_right])
    return _Halves(
        first=np.concatenate([rows[0], rows[1]]),
        stop=np.concatenate([rows[1], rows[2]]),
        left=tuple(np.where(right, a, b) for a, b in zip(straight, bent)),  # type: ignore[arg-type]
        right=tuple(np.where(right, b, a) for a, b in zip(straight, bent)),  # type: ignore[arg-type]
    )


def _by_height(x1: FloatArray, y1: FloatArray, x2: FloatArray, y2: FloatArray) -> tuple[FloatArray, ...]:
    """Return both places, the upper first; of equally high ones the left."""
    swap = (y2 < y1) | ((y2 == y1) & (x2 < x1))
    return np.where(swap, x2, x1), np.where(swap, y2, y1), np.where(swap, x1, x2), np.where(swap, y1, y2)


def _slope(x1: FloatArray, y1: FloatArray, x2: FloatArray, y2: FloatArray) -> FloatArray:
    rise = y2 - y1
    return (x2 - x1) / np.where(rise == 0, np.float32(1), rise)


def _within(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each of ``counts[i]`` repetitions of each ``i``, the number of the repetition."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1])) - np.repeat(ends - counts, counts)
