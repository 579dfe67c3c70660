"""How bright a surface is: the lamps under the ceiling, the window and the light that walls reflect."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.room import Room
from benchmarks.simulation.solids import Box, Point

__all__ = ["floor_light_map", "irradiance"]

_WINDOW = (3.0, 4.9, 1.7)
_LAMP_STRENGTH = 0.62
_WINDOW_STRENGTH = 0.55


def irradiance(points: NDArray[np.float32], normals: NDArray[np.float32], room: Room) -> NDArray[np.float32]:
    """Return (N,) light on surface ``points`` (N, 3) with unit ``normals`` (N, 3); about 1 for a lit floor."""
    # Light from everywhere: ceiling side brighter than floor side.
    total = 0.44 + 0.13 * normals[:, 2]
    sources = [(lamp, _LAMP_STRENGTH) for lamp in room.lamps]
    total += _light_of(points, normals, [*sources, (_WINDOW, _WINDOW_STRENGTH)])
    if room.corridor.lamps and points[:, 1].min() < 0:
        # Walls keep the corridor's light out of the room.
        chosen = np.flatnonzero(points[:, 1] < 0)
        lamps = [(lamp, _LAMP_STRENGTH) for lamp in room.corridor.lamps]
        total[chosen] += _light_of(points[chosen], normals[chosen], lamps)
    return total.astype(np.float32, copy=False)


def _light_of(
    points: NDArray[np.float32], normals: NDArray[np.float32], sources: Sequence[tuple[Point, float]]
) -> NDArray[np.float32]:
    """Return (N,) what comes from lamps of given places and strengths."""
    lamps = np.array([lamp for lamp, _ in sources], np.float32).T
    strengths = np.array([strength for _, strength in sources], np.float32)
    # (lamp − point)² and (lamp − point) · normal, multiplied out: two matrix products serve all lamps.
    squared = np.einsum("ij,ij->i", points, points)[:, None] - 2 * (points @ lamps)
    squared += np.einsum("ij,ij->j", lamps, lamps)
    cosine = normals @ lamps
    cosine -= np.einsum("ij,ij->i", points, normals)[:, None]
    cosine /= np.sqrt(np.maximum(squared, 1e-6))
    # Wrapped cosine: a lamp is a panel, not a point.
    cosine += np.float32(0.22)
    np.maximum(cosine, 0, out=cosine)
    squared *= np.float32(0.45 * 1.22)
    squared += np.float32(0.9 * 1.22)
    cosine /= squared
    return (cosine @ strengths).astype(np.float32, copy=False)


@lru_cache(maxsize=1)
def floor_light_map(room: Room, step: float = 0.04) -> NDArray[np.float32]:
    """Return (depth/step, width/step) shares of lamp light that reach the floor past the furniture (soft shadows).

    All cameras of a room see the same: it is computed once, and not to be written to.
    """
    xs = np.arange(step / 2, room.width, step, dtype=np.float32)
    ys = np.arange(step / 2, room.depth, step, dtype=np.float32)
    origin = np.stack([*np.meshgrid(xs, ys), np.full((len(ys), len(xs)), 0.002, np.float32)], -1).reshape(-1, 3)
    boxes = [solid for solid in room.solids if isinstance(solid, Box)]
    open_share = np.zeros(len(origin), np.float32)
    offsets = ((-0.3, -0.3), (0.3, -0.3), (-0.3, 0.3), (0.3, 0.3), (0.0, 0.0))
    for lamp in room.lamps:
        for x, y in offsets:
            direction = np.asarray((lamp[0] + x, lamp[1] + y, lamp[2]), np.float32) - origin
            blocked = np.zeros(len(origin), bool)
            for box in boxes:
                blocked |= _segment_hits(origin, direction, box)
            open_share += ~blocked
    open_share /= len(offsets) * len(room.lamps)
    light_map = open_share.reshape(len(ys), len(xs))
    light_map.flags.writeable = False
    return light_map


def _segment_hits(origin: NDArray[np.float32], direction: NDArray[np.float32], box: Box) -> NDArray[np.bool_]:
    enter = np.zeros(len(origin), np.float32)
    leave = np.ones(len(origin), np.float32)
    for axis in range(3):
        inverse = 1 / np.where(np.abs(direction[:, axis]) < 1e-6, np.float32(1e-6), direction[:, axis])
        first = (box.low[axis] - origin[:, axis]) * inverse
        second = (box.high[axis] - origin[:, axis]) * inverse
        np.maximum(enter, np.minimum(first, second), out=enter)
        np.minimum(leave, np.maximum(first, second), out=leave)
    return enter < leave
