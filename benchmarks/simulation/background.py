"""The empty room as one camera sees it, ray-cast once: picture, depth and where the floor is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.lighting import irradiance
from benchmarks.simulation.room import Room
from benchmarks.simulation.solids import Box, Cylinder, Ellipsoid, Solid
from benchmarks.simulation.surfaces import paint_room, paint_solid

__all__ = ["FLOOR_STEP", "SAMPLES", "Background", "render_background"]

# Subpixels per pixel and axis: of the background's picture and depth, and of people's silhouettes.
SAMPLES = 2
# Pixels, along both axes, for each of which a floor position is kept.
FLOOR_STEP = 4
# Rows of pixels that are cast together.
_BAND = 24

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Background:
    """What never changes in a camera's view.

    Args:
        image: (H, W, 3) float32, BGR grey levels after the sensor's gain.
        inverse_depth: (H·SAMPLES, W·SAMPLES) float32, 1/metres along the optical axis.
        floor: x and y, (H/4, W/4) float32 each, of the floor in the middle of ``FLOOR_STEP`` by ``FLOOR_STEP`` pixels,
            whatever stands before it; far away above the horizon.
        floor_share: (H, W) float32, 1 where the pixel shows the floor.
    """

    image: FloatArray
    inverse_depth: FloatArray
    floor: tuple[FloatArray, FloatArray]
    floor_share: FloatArray


def render_background(camera: Camera, room: Room) -> Background:
    """Cast the rays of ``camera`` into the empty ``room``."""
    directions = camera.rays(SAMPLES)
    origin = np.asarray(camera.position, np.float32)
    solids = [*room.solids, *room.doorway(), *room.corridor.solids]
    windows = [(solid, window) for solid in solids if (window := _screen_window(camera, solid)) is not None]
    # In bands that fit into the processor's cache.
    bands = [
        _cast_band(room, windows, origin, directions[SAMPLES * top : SAMPLES * (top + _BAND)], top)
        for top in range(0, camera.height, _BAND)
    ]
    image, inverse_depth, floor_share = (np.concatenate(parts) for parts in zip(*bands))
    image *= np.asarray(camera.gain, np.float32) * _vignette(camera)[..., None]
    return Background(image, inverse_depth, _floor_places(origin, directions), floor_share)


def _cast_band(
    room: Room,
    windows: Sequence[tuple[Solid, tuple[int, int, int, int]]],
    origin: NDArray[np.float32],
    directions: NDArray[np.float32],
    top: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return picture, inverse depth and the floor's share of the rows of pixels from ``top``."""
    height, width = directions.shape[:2]
    rays = directions.reshape(-1, 3)
    depth, normals, surface = _cast_shell(origin, rays, room)
    owner = np.full(len(rays), -1, np.int32)
    rows = np.arange(height * width, dtype=np.int64).reshape(height, width)
    for number, (solid, (x1, y1, x2, y2)) in enumerate(windows):
        first, last = (min(max(SAMPLES * (y - top), 0), height) for y in (y1, y2))
        if first == last:
            continue
        selected = rows[first:last, SAMPLES * x1 : SAMPLES * x2].reshape(-1)
        hit_depth, hit_normals = _cast_solid(origin, rays[selected], solid)
        nearer = hit_depth < depth[selected]
        chosen = selected[nearer]
        depth[chosen] = hit_depth[nearer]
        normals[chosen] = hit_normals[nearer]
        owner[chosen] = number
    points = origin + depth[:, None] * rays
    colour = np.zeros((len(rays), 3), np.float32)
    shell = np.flatnonzero(owner < 0)
    colour[shell] = paint_room(points[shell], surface[shell], room)
    for number in np.unique(owner[owner >= 0]):
        chosen = np.flatnonzero(owner == number)
        colour[chosen] = paint_solid(points[chosen], normals[chosen], windows[number][0])
    lit = np.flatnonzero((surface != _EMITTING) | (owner >= 0))
    colour[lit] *= irradiance(points[lit], normals[lit], room)[:, None]
    in_corridor = (points[:, 1] < -0.02)[:, None]
    colour *= np.where(in_corridor, np.float32(1.05), np.float32(1.0))
    size = (width // SAMPLES, height // SAMPLES)
    picture = cv2.resize(np.clip(colour, 0, 262).reshape(height, width, 3), size, interpolation=cv2.INTER_AREA)
    is_floor = ((owner < 0) & ((surface == _FLOOR) | (surface == _CORRIDOR_FLOOR))).reshape(height, width)
    floor_share = cv2.resize(is_floor.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(picture), (1 / depth).reshape(height, width), np.asarray(floor_share)


# Numbers of the shell's surfaces, shared with surfaces.paint_room.
_FLOOR, _CEILING, _CORRIDOR_FLOOR, _CORRIDOR_CEILING, _CORRIDOR_WALL, _EMITTING = 0, 1, 6, 7, 8, 9


def _floor_places(origin: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    step = FLOOR_STEP * SAMPLES
    rays = directions[step // 2 :: step, step // 2 :: step]
    down = np.minimum(rays[..., 2], np.float32(-1e-6))
    reach = np.where(rays[..., 2] < -1e-3, -origin[2] / down, np.float32(1e3))
    return origin[0] + reach * rays[..., 0], origin[1] + reach * rays[..., 1]


def _vignette(camera: Camera) -> FloatArray:
    columns = (np.arange(camera.width, dtype=np.float32) + 0.5) / camera.width - 0.5
    rows = (np.arange(camera.height, dtype=np.float32) + 0.5) / camera.height - 0.5
    return 1 - 0.22 * (columns[None] ** 2 + rows[:, None] ** 2)


def _cast_shell(origin: FloatArray, rays: FloatArray, room: Room) -> tuple[FloatArray, FloatArray, NDArray[np.int32]]:
    """Return depth, inward normal and surface number where rays end at a wall, floor or ceiling.

    Room, corridor and the passages that turn off it are boxes; a ray leaves one through an opening into the next.
    """
    corridor = room.corridor
    spaces = [((0.0, 0.0, 0.0), (room.width, room.depth, room.height)), (corridor.low, corridor.high)]
    # All openings lie in walls of constant y: from which space into which, toward y of what sign, between which x, top.
    openings = [(0, 1, -1, *room.door, room.door_height), (1, 0, 1, *room.door, room.door_height)]
    for low, high in corridor.passages:
        openings += [(1, len(spaces), -1, low[0], high[0], high[2]), (len(spaces), 1, 1, low[0], high[0], high[2])]
        spaces.append((low, high))
    start = next(n for n, (low, high) in enumerate(spaces) if np.all(origin >= low) and np.all(origin <= high))
    inside = np.full(len(rays), start)
    depth, axis = _leave_box(origin, rays, *spaces[start])
    for _ in spaces:
        hit, before = origin + depth[:, None] * rays, inside.copy()
        for source, target, sign, x1, x2, top in openings:
            through = (before == source) & (axis == 1) & (sign * rays[:, 1] > 0)
            chosen = np.flatnonzero(through & (hit[:, 0] > x1) & (hit[:, 0] < x2) & (hit[:, 2] < top))
            if len(chosen):
                depth[chosen], axis[chosen] = _leave_box(origin, rays[chosen], *spaces[target])
                inside[chosen] = target
        if np.array_equal(before, inside):
            break
    positive = rays[np.arange(len(rays)), axis] > 0
    surface = np.array([2, 3, 4, 5, _FLOOR, _CEILING], np.int32)[2 * axis + positive]
    outside = np.array([_CORRIDOR_WALL] * 4 + [_CORRIDOR_FLOOR, _CORRIDOR_CEILING], np.int32)[2 * axis + positive]
    surface = np.where(inside == 0, surface, outside)
    normals = np.zeros_like(rays)
    normals[np.arange(len(rays)), axis] = np.where(positive, -1, 1)
    hit = origin + depth[:, None] * rays
    window = (surface == 5) & (np.abs(hit[:, 0] - 3.0) < 1.25) & (np.abs(hit[:, 2] - 1.62) < 0.66)
    surface[window] = _EMITTING
    lit = np.zeros(len(rays), bool)
    for lamps, ceiling in ((room.lamps, _CEILING), (corridor.lamps, _CORRIDOR_CEILING)):
        for x, y, _ in lamps:
            lit |= (surface == ceiling) & (np.abs(hit[:, 0] - x) < 0.6) & (np.abs(hit[:, 1] - y) < 0.15)
    surface[lit] = _EMITTING
    return depth, normals, surface


def _leave_box(
    origin: FloatArray, rays: FloatArray, low: tuple[float, ...], high: tuple[float, ...]
) -> tuple[FloatArray, NDArray[np.int64]]:
    safe = np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays)
    bound = np.where(safe > 0, np.asarray(high, np.float32), np.asarray(low, np.float32))
    distance = (bound - origin) / safe
    axis = np.argmin(distance, axis=1)
    return distance[np.arange(len(rays)), axis], axis


def _screen_window(camera: Camera, solid: Solid) -> tuple[int, int, int, int] | None:
    """Return the pixels ``x1, y1, x2, y2`` that can show ``solid``, or ``None``."""
    if isinstance(solid, Box):
        low, high = solid.low, solid.high
    elif isinstance(solid, Cylinder):
        x, y, z = solid.base
        low = (x - solid.radius, y - solid.radius, z)
        high = (x + solid.radius, y + solid.radius, z + solid.height)
    else:
        low = tuple(np.subtract(solid.centre, solid.radii))
        high = tuple(np.add(solid.centre, solid.radii))
    corners = np.array([(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    pixels, depth = camera.project(corners)
    if depth.max() <= 0.05:
        return None
    if depth.min() <= 0.05:
        return 0, 0, camera.width, camera.height
    x1, y1 = np.floor(pixels.min(axis=0)).astype(int) - 1
    x2, y2 = np.ceil(pixels.max(axis=0)).astype(int) + 1
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, camera.width), min(y2, camera.height)
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _cast_solid(origin: FloatArray, rays: FloatArray, solid: Solid) -> tuple[FloatArray, FloatArray]:
    """Return depth (inf where missed) and unit normal of the first hit."""
    normals = np.zeros_like(rays)
    if isinstance(solid, Box):
        safe = np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays)
        first = (np.asarray(solid.low, np.float32) - origin) / safe
        second = (np.asarray(solid.high, np.float32) - origin) / safe
        near = np.minimum(first, second)
        axis = np.argmax(near, axis=1)
        index = np.arange(len(rays))
        enter = near[index, axis]
        hit = (enter < np.maximum(first, second).min(axis=1)) & (enter > 0.05)
        normals[index, axis] = -np.sign(safe[index, axis])
        return np.where(hit, enter, np.float32(np.inf)), normals
    if isinstance(solid, Ellipsoid):
        scale = 1 / np.asarray(solid.radii, np.float32)
        start = (origin - np.asarray(solid.centre, np.float32)) * scale
        direction = rays * scale
        a = np.einsum("ij,ij->i", direction, direction)
        b = direction @ start
        root = b * b - a * (start @ start - 1)
        depth = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.float32(np.inf))
        outward = (start + np.where(np.isfinite(depth), depth, 0)[:, None] * direction) * scale
        normals = outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
        return depth.astype(np.float32), normals.astype(np.float32)
    return _cast_cylinder(origin, rays, solid)


def _cast_cylinder(origin: FloatArray, rays: FloatArray, solid: Cylinder) -> tuple[FloatArray, FloatArray]:
    base = np.asarray(solid.base, np.float32)
    start = origin - base
    a = np.maximum(rays[:, 0] ** 2 + rays[:, 1] ** 2, 1e-12)
    b = rays[:, 0] * start[0] + rays[:, 1] * start[1]
    root = b * b - a * (start[0] ** 2 + start[1] ** 2 - solid.radius**2)
    side = (-b - np.sqrt(np.maximum(root, 0))) / a
    z = start[2] + side * rays[:, 2]
    side = np.where((root > 0) & (z >= 0) & (z <= solid.height) & (side > 0.05), side, np.inf)
    top = (solid.height - start[2]) / np.where(np.abs(rays[:, 2]) < 1e-6, np.float32(1e-6), rays[:, 2])
    x, y = start[0] + top * rays[:, 0], start[1] + top * rays[:, 1]
    top = np.where((x * x + y * y <= solid.radius**2) & (top > 0.05), top, np.inf)
    depth = np.minimum(side, top)
    normals = np.zeros_like(rays)
    reach = np.where(np.isfinite(side), side, 0)
    normals[:, 0] = (start[0] + reach * rays[:, 0]) / solid.radius
    normals[:, 1] = (start[1] + reach * rays[:, 1]) / solid.radius
    capped = top < side
    normals[capped] = (0, 0, 1)
    return depth.astype(np.float32), normals
