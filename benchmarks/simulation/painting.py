"""A person's visible subpixels to pixels: light and texture, linear on each triangle, and the share of each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.rasterise import Fragments

__all__ = ["paint"]

FloatArray = NDArray[np.floating[Any]]

#: Where each half of a pixel is shaded, so that edges between limbs are smooth as well.
_UPPER, _LOWER = (0.5, 0.25), (0.5, 0.75)


def paint(
    canvas: FloatArray,
    fragments: Fragments,
    won: NDArray[np.bool_],
    corners: tuple[FloatArray, FloatArray],
    triangles: NDArray[np.int32],
    light: FloatArray,
    texture: FloatArray,
    atlas: tuple[FloatArray, int],
    gain: FloatArray,
) -> None:
    """Blend a surface into a picture, each pixel by the share of its four subpixels that the surface holds.

    Args:
        canvas: (H, W, 3) float32, changed in place.
        fragments: the surface's triangles at two by two subpixels a pixel.
        won: (h, w) where in the window of ``fragments`` nothing nearer was drawn before.
        corners: x and y, (V,) each, of the surface's points in pixels.
        triangles: (T, 3) int32 corners.
        light: (V,) brightness.
        texture: (V, 2) float32 place in the atlas, 0 to 1.
        atlas: colours (n·n, 3) float32, and n.
        gain: (3,) of the sensor's colours.
    """
    chosen = np.where(won, fragments.triangle, np.int32(-1))
    first, second, third, fourth = (np.ascontiguousarray(chosen[dy::2, dx::2]) for dy in (0, 1) for dx in (0, 1))
    coverage = (first >= 0).view(np.uint8) + (second >= 0).view(np.uint8)
    coverage += (third >= 0).view(np.uint8) + (fourth >= 0).view(np.uint8)
    rows, columns = np.nonzero(coverage)
    places = rows * coverage.shape[1] + columns
    upper = np.maximum(first.take(places), second.take(places))
    lower = np.maximum(third.take(places), fourth.take(places))
    x = columns.astype(np.float32) + np.float32(fragments.left // 2)
    y = rows.astype(np.float32) + np.float32(fragments.top // 2)
    triangle = np.concatenate([np.where(upper < 0, lower, upper), np.where(lower < 0, upper, lower)])
    colours, side = atlas
    across, down = texture.T * np.float32(side)
    shade, u, v = _interpolate(
        np.concatenate([x + np.float32(_UPPER[0]), x + np.float32(_LOWER[0])]),
        np.concatenate([y + np.float32(_UPPER[1]), y + np.float32(_LOWER[1])]),
        triangle,
        corners,
        triangles,
        (light, across, down),
    )
    colour = colours.take(v.astype(np.intp) * side + u.astype(np.intp), axis=0)
    colour *= shade[:, None]
    halves = colour.reshape(2, -1, 3)
    colour = halves[0] + halves[1]
    colour *= gain * np.float32(0.5)
    np.minimum(colour, 255, out=colour)
    pixels = canvas.reshape(-1, 3)
    targets = (rows + fragments.top // 2) * canvas.shape[1] + columns + fragments.left // 2
    before = pixels.take(targets, axis=0)
    colour -= before
    colour *= (coverage.ravel().take(places).astype(np.float32) * np.float32(0.25))[:, None]
    colour += before
    pixels[targets] = colour


def _interpolate(
    x: FloatArray,
    y: FloatArray,
    triangle: NDArray[np.int32],
    corners: tuple[FloatArray, FloatArray],
    triangles: NDArray[np.int32],
    values: tuple[FloatArray, ...],
) -> list[FloatArray]:
    """Return each of ``values`` (V,) at the points ``x``, ``y`` (N,) of ``triangle`` (N,), or of its nearest side.

    What only depends on the triangle is computed once for each, then looked up by the points.
    """
    a, b, c = triangles.T
    x0, y0 = corners[0].take(a), corners[1].take(a)
    x1, y1 = corners[0].take(b) - x0, corners[1].take(b) - y0
    x2, y2 = corners[0].take(c) - x0, corners[1].take(c) - y0
    area = x1 * y2 - x2 * y1
    scale = 1 / np.where(np.abs(area) < 1e-6, np.float32(1e-6), area)
    triangle = triangle.astype(np.intp)
    dx, dy = x - x0.take(triangle), y - y0.take(triangle)
    second = (y2 * scale).take(triangle) * dx - (x2 * scale).take(triangle) * dy
    third = (x1 * scale).take(triangle) * dy - (y1 * scale).take(triangle) * dx
    np.clip(second, 0, 1, out=second)
    np.clip(third, 0, 1 - second, out=third)
    found = []
    for value in values:
        at = [value.take(corner) for corner in (a, b, c)]
        result = (at[1] - at[0]).take(triangle) * second
        result += (at[2] - at[0]).take(triangle) * third
        result += at[0].take(triangle)
        found.append(result)
    return found
