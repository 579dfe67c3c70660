"""Tubes of cross-sections that become the triangles of a body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.simulation.gait import BONES
from benchmarks.simulation.outfit import ATLAS, REGIONS

__all__ = ["Mesh", "MeshBuilder", "angles", "smooth", "tube"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of one person of REST_HEIGHT in the rest pose.

    Args:
        points, normals: (V, 3) float32, metres.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        texture: (V, 2) float32 place in the atlas, 0 to 1.
        bone_a, bone_b, weight_b: (V,) each point follows two bones, the second by ``weight_b``.
        openness: (V,) float32, the share of surrounding light that the body itself lets through.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    triangles: NDArray[np.int32]
    texture: NDArray[np.float32]
    bone_a: NDArray[np.int64]
    bone_b: NDArray[np.int64]
    weight_b: NDArray[np.float32]
    openness: NDArray[np.float32]


class MeshBuilder:
    """Collects lofted parts into one mesh."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray, ...]] = []
        self._triangles: list[NDArray[np.int64]] = []
        self._count = 0

    def add(
        self,
        grid: FloatArray,
        region: str,
        bones: tuple[str, str],
        weight_b: ArrayLike = 0.0,
        openness: ArrayLike = 1.0,
        along: FloatArray | None = None,
    ) -> None:
        """Add a tube ``grid`` (rings, points a ring, 3); its texture runs around and ``along`` (0 to 1) the rings."""
        rings, around = grid.shape[:2]
        middle = grid.mean(axis=1, keepdims=True)
        across = np.gradient(grid, axis=1)
        if np.allclose(grid[:, 0], grid[:, -1]):
            # First and last point of a closed ring are the same place: their slope must be, too.
            across[:, 0] = across[:, -1] = (grid[:, 1] - grid[:, -2]) / 2
        lengthwise = np.gradient(grid, axis=0)
        normals = np.cross(across, lengthwise)
        normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
        flipped = float(np.einsum("ijk,ijk->", normals, grid - middle)) < 0
        if flipped:
            normals = -normals
        x, y, width, height = REGIONS[region]
        u = np.linspace(0, 1, around)
        v = np.linspace(0, 1, rings) if along is None else along
        texture = np.empty((rings, around, 2))
        texture[..., 0] = (x + 0.5 + u * (width - 1)) / ATLAS
        texture[..., 1] = ((y + 0.5 + v * (height - 1)) / ATLAS)[:, None]
        shape = (rings, around)
        weights = np.broadcast_to(np.asarray(weight_b, float), shape)
        open_share = np.broadcast_to(np.asarray(openness, float), shape)
        index = np.arange(rings * around).reshape(shape) + self._count
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
        self._triangles.append(faces[:, ::-1] if flipped else faces)
        first, second = (np.full(rings * around, BONES[name]) for name in bones)
        self._parts.append(
            (
                grid.reshape(-1, 3),
                normals.reshape(-1, 3),
                texture.reshape(-1, 2),
                first,
                second,
                weights.reshape(-1),
                open_share.reshape(-1),
            )
        )
        self._count += rings * around

    def mesh(self) -> Mesh:
        """Return everything added so far."""
        points, normals, texture, first, second, weights, openness = (np.concatenate(c) for c in zip(*self._parts))
        return Mesh(
            points.astype(np.float32),
            normals.astype(np.float32),
            np.concatenate(self._triangles).astype(np.int32),
            texture.astype(np.float32),
            first,
            second,
            weights.astype(np.float32),
            openness.astype(np.float32),
        )


def angles(count: int) -> FloatArray:
    """Return angles around a ring, from the back over the right side, the front (0), the left side to the back."""
    return np.linspace(-np.pi, np.pi, count + 1)


def tube(
    z: ArrayLike,
    half_x: ArrayLike,
    half_y: ArrayLike,
    x: ArrayLike = 0.0,
    y: ArrayLike = 0.0,
    *,
    count: int = 12,
    squareness: float = 2.0,
) -> FloatArray:
    """Return an upright tube of superellipses, one ring per height ``z``."""
    heights = np.asarray(z, float)
    angle = angles(count)
    cosine, sine = np.cos(angle), np.sin(angle)
    power = 2 / squareness
    cosine, sine = np.sign(cosine) * np.abs(cosine) ** power, np.sign(sine) * np.abs(sine) ** power
    grid = np.empty((len(heights), count + 1, 3))
    grid[..., 0] = np.broadcast_to(x, heights.shape)[:, None] + np.broadcast_to(half_x, heights.shape)[:, None] * cosine
    grid[..., 1] = np.broadcast_to(y, heights.shape)[:, None] + np.broadcast_to(half_y, heights.shape)[:, None] * sine
    grid[..., 2] = heights[:, None]
    return grid


def smooth(low: float, high: float, value: FloatArray) -> FloatArray:
    """Return 0 at ``low`` rising (or falling) smoothly to 1 at ``high``."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
