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
        triangle: (h, w) int32 index of the nearest triangle; undefined where the person is not.
    """

    left: int
    top: int
    inverse_depth: FloatArray
    triangle: NDArray[np.int32]


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
    out. Each triangle's rows, then each row's subpixels are enumerated, so work grows with the covered area only.
    Returns ``None`` when nothing is covered.
    """
    corner_x, corner_y, corner_w = x[triangles], y[triangles], inverse_depth[triangles]
    x0, x1, x2 = corner_x.T
    y0, y1, y2 = corner_y.T
    w0, w1, w2 = corner_w.T
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    first_row = np.ceil(np.minimum(np.minimum(y0, y1), y2) - 0.5)
    last_row = np.floor(np.maximum(np.maximum(y0, y1), y2) - 0.5)
    keep = (area < -1e-4) & (np.minimum(np.minimum(w0, w1), w2) > 0) & (first_row < height) & (last_row >= 0)
    keep &= (
        (np.maximum(np.maximum(x0, x1), x2) > 0)
        & (np.minimum(np.minimum(x0, x1), x2) < width)
        & (last_row >= first_row)
    )
    kept = np.flatnonzero(keep)
    if not len(kept):
        return None
    first = np.maximum(first_row[kept], 0).astype(np.int32)
    last = np.minimum(last_row[kept], height - 1).astype(np.int32)
    counts = last - first + 1
    owner, within = _expand(counts)
    row = first[owner] + within
    centre_y = row.astype(np.float32) + np.float32(0.5)
    lower = np.full(len(owner), -np.inf, np.float32)
    upper = np.full(len(owner), np.inf, np.float32)
    cx, cy = corner_x[kept], corner_y[kept]
    for a, b in ((0, 1), (1, 2), (2, 0)):
        # Clockwise winding: the inside is where dy·x is below (or above) the edge's crossing with this row.
        dy = cy[:, b] - cy[:, a]
        slope = (cx[:, b] - cx[:, a]) / np.where(dy == 0, np.float32(1), dy)
        crossing = cx[:, a][owner] + (centre_y - cy[:, a][owner]) * slope[owner]
        rising = dy[owner]
        np.maximum(lower, crossing, out=lower, where=rising > 0)
        np.minimum(upper, crossing, out=upper, where=rising < 0)
    start = np.maximum(np.ceil(lower - 0.5), 0).astype(np.int32)
    stop = np.minimum(np.ceil(upper - 0.5), width).astype(np.int32)
    length = stop - start
    filled = np.flatnonzero(length > 0)
    if not len(filled):
        return None
    owner, row, start, length = owner[filled], row[filled], start[filled], length[filled]
    left = int(start.min()) // samples * samples
    top = int(row.min()) // samples * samples
    window_width = -(-(int((start + length).max()) - left) // samples) * samples
    window_height = -(-(int(row.max()) + 1 - top) // samples) * samples
    # 1/depth is linear on the screen: w = w0 + gx·(x − x0) + gy·(y − y0).
    w0, w1, w2 = w0[kept], w1[kept], w2[kept]
    inverse_area = 1 / area[kept]
    ex1, ey1, ex2, ey2 = cx[:, 1] - cx[:, 0], cy[:, 1] - cy[:, 0], cx[:, 2] - cx[:, 0], cy[:, 2] - cy[:, 0]
    gradient_x = ((w1 - w0) * ey2 - (w2 - w0) * ey1) * inverse_area
    gradient_y = ((w2 - w0) * ex1 - (w1 - w0) * ex2) * inverse_area
    offset_x = start.astype(np.float32) + np.float32(0.5) - cx[:, 0][owner]
    offset_y = row.astype(np.float32) + np.float32(0.5) - cy[:, 0][owner]
    at_start = w0[owner] + gradient_x[owner] * offset_x + gradient_y[owner] * offset_y
    span, step = _expand(length)
    place = ((row - top) * window_width + start - left)[span] + step
    value = at_start[span] + gradient_x[owner][span] * step.astype(np.float32)
    nearest = np.zeros(window_height * window_width, np.float32)
    np.maximum.at(nearest, place, value)
    won = np.flatnonzero(nearest[place] == value)
    triangle = np.zeros(window_height * window_width, np.int32)
    triangle[place[won]] = kept[owner][span[won]]
    shape = (window_height, window_width)
    return Fragments(left, top, nearest.reshape(shape), triangle.reshape(shape))


def _expand(counts: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return, for each of ``counts[i]`` repetitions of each ``i``: ``i`` itself and the number of the repetition."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    starts = np.cumsum(counts, dtype=np.int32) - counts
    within = np.arange(len(owner), dtype=np.int32) - starts[owner]
    return owner, within
