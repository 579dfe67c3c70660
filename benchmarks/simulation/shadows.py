"""The shadows that people cast on the floor: dark under the feet, soft away from each lamp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.background import FLOOR_STEP, Background
from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.gait import Stance
from benchmarks.simulation.room import Room

__all__ = ["cast_shadows"]

FloatArray = NDArray[np.floating[Any]]

#: how far from a person, in metres, the floor can be darker
_REACH = 1.25


def cast_shadows(
    canvas: FloatArray, background: Background, camera: Camera, room: Room, stances: Sequence[Stance]
) -> None:
    """Darken the floor under and beside people in ``canvas`` (H, W, 3), in place.

    Shadows are soft: they are computed for one in ``FLOOR_STEP`` pixels of each row and column, and interpolated.
    """
    height, width = canvas.shape[:2]
    floor_x, floor_y = background.floor
    shadow = np.ones(floor_x.shape, np.float32)
    touched: list[tuple[int, int, int, int]] = []
    for stance in stances:
        window = _floor_window(camera, stance, shadow.shape)
        if window is None:
            continue
        x1, y1, x2, y2 = window
        touched.append(window)
        dx = floor_x[y1:y2, x1:x2] - np.float32(stance.x)
        dy = floor_y[y1:y2, x1:x2] - np.float32(stance.y)
        total = _contact(dx, dy, stance)
        for lamp in room.lamps if stance.y > 0 else room.corridor.lamps or room.lamps:
            _add_lamp(total, dx, dy, stance, lamp[:2])
        np.subtract(1, total, out=total)
        np.maximum(total, np.float32(0.18), out=total)
        shadow[y1:y2, x1:x2] *= total
    if not touched:
        return
    boxes = np.array(touched)
    x1, y1 = (int(value) for value in boxes[:, :2].min(axis=0))
    x2, y2 = (int(value) for value in boxes[:, 2:].max(axis=0))
    size = ((x2 - x1) * FLOOR_STEP, (y2 - y1) * FLOOR_STEP)
    full = cv2.resize(1 - shadow[y1:y2, x1:x2], size, interpolation=cv2.INTER_LINEAR)
    x1, y1, x2, y2 = x1 * FLOOR_STEP, y1 * FLOOR_STEP, min(x2 * FLOOR_STEP, width), min(y2 * FLOOR_STEP, height)
    full = 1 - full[: y2 - y1, : x2 - x1] * background.floor_share[y1:y2, x1:x2]
    canvas[y1:y2, x1:x2] *= cv2.merge([full, full, full])


def _contact(dx: FloatArray, dy: FloatArray, stance: Stance) -> FloatArray:
    """Return how dark it is under the body and both feet at places ``dx``, ``dy`` from a person."""
    seated = stance.seated
    squared = dx * dx + dy * dy
    # A seated body is further from the floor, and its feet are ahead of it.
    total = np.float32(0.42 - 0.20 * seated) * np.exp(squared * np.float32(-1 / (2 * 0.17**2)))
    total += np.float32(0.22) * np.exp(squared * np.float32(-1 / (2 * 0.42**2)))
    forward = (np.cos(stance.heading), np.sin(stance.heading))
    stride = 0.30 * min(1.0, stance.speed / 0.8) * np.sin(stance.phase)
    ahead = 0.05 + 0.40 * seated
    for sign in (1, -1):
        fx = sign * (stride * forward[0] - 0.10 * forward[1]) + ahead * forward[0]
        fy = sign * (stride * forward[1] + 0.10 * forward[0]) + ahead * forward[1]
        ex, ey = dx - np.float32(fx), dy - np.float32(fy)
        total += np.float32(0.34) * np.exp((ex * ex + ey * ey) * np.float32(-1 / (2 * 0.085**2)))
    return np.asarray(total, np.float32)


def _add_lamp(total: FloatArray, dx: FloatArray, dy: FloatArray, stance: Stance, lamp: tuple[float, ...]) -> None:
    """Add to ``total`` the shadow that falls away from the lamp at ``lamp`` x, y; it widens and fades."""
    ax, ay = stance.x - lamp[0], stance.y - lamp[1]
    reach = np.hypot(ax, ay)
    if reach < 0.3:
        return
    east, north = np.float32(ax / reach), np.float32(ay / reach)
    along = dx * east + dy * north
    across = dy * east - dx * north
    across /= np.float32(0.15) + np.float32(0.16) * np.maximum(along, 0)
    across *= across
    fall = np.clip(1 - along * np.float32(1 / ((0.55 * reach + 0.35) * (1 - 0.3 * stance.seated))), 0, 1)
    fall *= along > np.float32(-0.05)
    fall *= np.float32(0.20 / (0.7 + 0.35 * reach))
    fall *= np.exp(-across)
    total += fall


def _floor_window(camera: Camera, stance: Stance, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Return ``x1, y1, x2, y2`` of the floor map's places near a person, or ``None`` when none are seen."""
    corners = [(stance.x + a, stance.y + b, 0.0) for a in (-_REACH, _REACH) for b in (-_REACH, _REACH)]
    pixels, depth = camera.project(corners)
    rows, columns = shape
    if depth.min() < 0.2:
        return 0, 0, columns, rows
    x1, y1 = np.floor(pixels.min(axis=0) / FLOOR_STEP).astype(int)
    x2, y2 = np.ceil(pixels.max(axis=0) / FLOOR_STEP).astype(int) + 1
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, columns), min(y2, rows)
    return (int(x1), int(y1), int(x2), int(y2)) if x2 > x1 and y2 > y1 else None
