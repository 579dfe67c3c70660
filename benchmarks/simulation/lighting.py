"""How bright a surface is: the lamps under the ceiling, the window and the light that walls reflect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.room import Box, Room

__all__ = ["floor_light_map", "irradiance"]

_WINDOW = (3.0, 4.9, 1.7)
_LAMP_STRENGTH = 0.62
_WINDOW_STRENGTH = 0.55


def irradiance(points: NDArray[np.float32], normals: NDArray[np.float32], room: Room) -> NDArray[np.float32]:
    """Return (N,) light on surface ``points`` (N, 3) with unit ``normals`` (N, 3); about 1 for a lit floor."""
    # Light from everywhere: ceiling side brighter than floor side.
    total = 0.44 + 0.13 * normals[:, 2]
    for lamp, strength in [*((lamp, _LAMP_STRENGTH) for lamp in room.lamps), (_WINDOW, _WINDOW_STRENGTH)]:
        toward = np.asarray(lamp, np.float32) - points
        squared = np.einsum("ij,ij->i", toward, toward)
        cosine = np.einsum("ij,ij->i", toward, normals) / np.sqrt(squared)
        # Wrapped cosine: a lamp is a panel, not a point.
        np.maximum((cosine + 0.22) / 1.22, 0, out=cosine)
        total += strength * cosine / (squared * 0.45 + 0.9)
    return total.astype(np.float32, copy=False)


def floor_light_map(room: Room, step: float = 0.04) -> NDArray[np.float32]:
    """Return (depth/step, width/step) shares of lamp light that reach the floor past the furniture (soft shadows)."""
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
    return open_share.reshape(len(ys), len(xs))


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
