"""Colours of the room's surfaces as functions of the place on them: planks, plaster, wood, cloth, the view outside."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.lighting import floor_light_map
from benchmarks.simulation.room import Room
from benchmarks.simulation.solids import Box, Cylinder, Ellipsoid, Solid

__all__ = ["paint_room", "paint_solid"]

FloatArray = NDArray[np.floating[Any]]

_WALLS = {2: (196, 206, 208), 3: (174, 184, 178), 4: (202, 208, 210), 5: (184, 194, 198)}
_NOISE_SIZE = 512


def _noise_field(seed: int, smoothness: float) -> FloatArray:
    field = np.random.default_rng(seed).standard_normal((_NOISE_SIZE, _NOISE_SIZE)).astype(np.float32)
    padded = cv2.copyMakeBorder(field, 64, 64, 64, 64, cv2.BORDER_WRAP)
    smoothed = np.asarray(cv2.GaussianBlur(padded, (0, 0), smoothness), np.float32)[64:-64, 64:-64]
    return smoothed / smoothed.std()


_FINE, _COARSE = _noise_field(1, 0.8), _noise_field(2, 12.0)


def _noise(field: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Return the periodic noise ``field`` at positions in cells."""
    return field[np.floor(v).astype(np.int64) % _NOISE_SIZE, np.floor(u).astype(np.int64) % _NOISE_SIZE]


def _hash(*values: NDArray[np.int64]) -> FloatArray:
    """Return a number in [0, 1) that depends only on the integers given."""
    mixed = np.zeros_like(values[0])
    for value in values:
        mixed = (mixed * 7919 + value * 104729 + 12345) % 2147483647
        mixed = (mixed * 48271) % 2147483647
    return (mixed % 10007).astype(np.float32) / 10007


def _planks(x: FloatArray, y: FloatArray) -> FloatArray:
    row = np.floor(y / 0.16).astype(np.int64)
    shift = _hash(row) * 1.6
    column = np.floor((x + shift) / 1.6).astype(np.int64)
    tone = 0.86 + 0.26 * _hash(row, column)
    grain = 0.035 * _noise(_FINE, x * 22 + 191 * tone, y * 260) + 0.04 * _noise(_COARSE, x * 24 + 97 * row, y * 300)
    across = np.abs(y / 0.16 - np.round(y / 0.16)) * 0.16
    along = np.abs((x + shift) / 1.6 - np.round((x + shift) / 1.6)) * 1.6
    gap = np.minimum(across, along)
    line = 1 - 0.38 * np.exp(-((gap / 0.004) ** 2))
    colour = np.asarray((108, 146, 176), np.float32) * (tone + grain)[:, None]
    return colour * line[:, None]


def _corner_shade(distance: FloatArray, strength: float = 0.30, reach: float = 0.28) -> FloatArray:
    return 1 - strength * np.exp(-np.abs(distance) / reach)


@lru_cache(maxsize=1)
def _shade_map(room: Room) -> FloatArray:
    """Return shares of light on the floor, finely; all cameras of a room see the same."""
    light_map = floor_light_map(room)
    rows, columns = light_map.shape
    # Contact shadow: the furniture's footprints, blurred; and the lamps' soft shadows.
    footprint = np.zeros_like(light_map)
    for solid in room.solids:
        if isinstance(solid, Box) and solid.low[2] < 0.45:
            a, b = (int(value / room.width * columns) for value in (solid.low[0], solid.high[0]))
            c, d = (int(value / room.depth * rows) for value in (solid.low[1], solid.high[1]))
            footprint[c : d + 1, a : b + 1] = 1.0
        elif isinstance(solid, Cylinder) and solid.base[2] < 0.1:
            centre = (int(solid.base[0] / room.width * columns), int(solid.base[1] / room.depth * rows))
            cv2.circle(footprint, centre, max(1, round(solid.radius / room.width * columns)), 1.0, -1)
    contact = 1 - 0.5 * np.minimum(cv2.GaussianBlur(footprint, (0, 0), 3.0), 1)
    soft = cv2.GaussianBlur(0.45 + 0.55 * light_map, (0, 0), 1.6) * contact
    fine = np.asarray(cv2.resize(soft, None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR), np.float32)
    fine.flags.writeable = False
    return fine


def _floor_shade(x: FloatArray, y: FloatArray, room: Room) -> FloatArray:
    fine = _shade_map(room)
    u = np.clip(x / room.width * fine.shape[1], 0, fine.shape[1] - 1).astype(np.int64)
    v = np.clip(y / room.depth * fine.shape[0], 0, fine.shape[0] - 1).astype(np.int64)
    shade = fine[v, u]
    edges = np.minimum(np.minimum(x, room.width - x), np.minimum(y, room.depth - y))
    return shade * _corner_shade(edges)


def paint_room(points: FloatArray, surface: NDArray[np.int32], room: Room) -> FloatArray:
    """Return (N, 3) BGR of the shell's ``points`` (N, 3); ``surface`` numbers: 0 floor, 1 ceiling, 2–5 walls
    x=0, x=width, y=0, y=depth, 6–8 corridor floor, ceiling, walls, 9 lamps and window (light of their own)."""
    colour = np.empty_like(points)
    x, y, z = points.T
    for number in np.unique(surface):
        chosen = np.flatnonzero(surface == number)
        a, b, c = x[chosen], y[chosen], z[chosen]
        if number == 0:
            colour[chosen] = _planks(a, b) * _floor_shade(a, b, room)[:, None]
        elif number == 1:
            edges = np.minimum(np.minimum(a, room.width - a), np.minimum(b, room.depth - b))
            tile = np.minimum(np.abs(a / 0.6 - np.round(a / 0.6)), np.abs(b / 0.6 - np.round(b / 0.6))) * 0.6
            tone = 225 * _corner_shade(edges, 0.22) * (1 - 0.13 * (tile < 0.008)) * 1.55
            colour[chosen] = tone[:, None]
        elif number in _WALLS:
            along, extent = (b, room.depth) if number in (2, 3) else (a, room.width)
            colour[chosen] = _wall(int(number), along, c, extent, room)
        elif number == 6:
            tone = 1 + 0.04 * _noise(_FINE, a * 90, b * 90)
            if room.corridor.watched:
                tone *= _corner_shade(_corridor_edge(b, room), 0.25, 0.2)
            colour[chosen] = np.asarray((128, 132, 134), np.float32) * tone[:, None]
        elif number == 7:
            colour[chosen] = 220
            if room.corridor.watched:
                colour[chosen] *= 1.5 * _corner_shade(_corridor_edge(b, room), 0.22)[:, None]
        elif number == 8:
            tone = np.where(c < 0.09, np.float32(0.62), np.float32(1.0))
            if room.corridor.watched:
                tone *= _corner_shade(c, 0.22) * _corner_shade(room.corridor.high[2] - c, 0.15)
            colour[chosen] = np.asarray((190, 206, 214), np.float32) * tone[:, None]
        else:
            colour[chosen] = _shine(a, b, c, room)
    return colour


def _corridor_edge(y: FloatArray, room: Room) -> FloatArray:
    """Return metres from the nearer of the corridor's long walls; a passage counts as far from both."""
    return np.where(y < room.corridor.low[1], 1.0, np.minimum(y - room.corridor.low[1], room.corridor.high[1] - y))


def _wall(number: int, along: FloatArray, z: FloatArray, extent: float, room: Room) -> FloatArray:
    plaster = 1 + 0.012 * _noise(_COARSE, along * 60 + 50 * number, z * 60) + 0.008 * _noise(_FINE, along * 90, z * 90)
    shade = (
        _corner_shade(np.minimum(along, extent - along)) * _corner_shade(z, 0.22) * _corner_shade(room.height - z, 0.15)
    )
    colour = np.asarray(_WALLS[number], np.float32) * (plaster * shade)[:, None]
    skirting = (z < 0.09)[:, None]
    colour = np.where(skirting, np.asarray((214, 218, 220), np.float32) * 0.95, colour)
    colour *= (1 - 0.4 * np.exp(-(((z - 0.09) / 0.008) ** 2)))[:, None]
    if number == 3:
        _picture(colour, along, z, (1.05, 1.75, 1.35, 1.95), (70, 66, 60), 0)
        _picture(colour, along, z, (3.95, 4.45, 1.25, 1.95), (58, 64, 74), 1)
    elif number == 4:
        _picture(colour, along, z, (0.75, 2.25, 1.05, 2.0), (196, 196, 196), 2)
    elif number == 2:
        _picture(colour, along, z, (3.75, 4.35, 1.2, 2.0), (66, 86, 110), 3)
    elif number == 5:
        frame = (np.abs(along - 3.0) < 1.33) & (np.abs(z - 1.62) < 0.74)
        colour[frame] = (228, 230, 230)
        sill = (np.abs(along - 3.0) < 1.42) & (np.abs(z - 0.86) < 0.025)
        colour[sill] = (216, 220, 222)
    return colour


def _picture(
    colour: FloatArray,
    along: FloatArray,
    z: FloatArray,
    place: tuple[float, float, float, float],
    frame: tuple[int, int, int],
    kind: int,
) -> None:
    """Hang a framed picture (0: hills, 1: blocks, 2: whiteboard, 3: circles) on a wall."""
    x1, x2, z1, z2 = place
    inside = np.flatnonzero((along > x1) & (along < x2) & (z > z1) & (z < z2))
    if not len(inside):
        return
    u, v = (along[inside] - x1) / (x2 - x1), (z[inside] - z1) / (z2 - z1)
    if kind == 0:
        hills = 0.35 + 0.12 * np.sin(6 * u) + 0.05 * np.sin(17 * u + 1)
        back = 0.55 + 0.10 * np.sin(4 * u + 2)
        tone = np.where(
            (v < back)[:, None], np.asarray((150, 150, 128), np.float32), np.asarray((214, 190, 168), np.float32)
        )
        tone = np.where((v < hills)[:, None], np.asarray((84, 118, 96), np.float32), tone)
    elif kind == 1:
        cell = (np.floor(u * 3).astype(np.int64), np.floor(v * 5).astype(np.int64))
        palette = np.asarray([(206, 214, 220), (60, 90, 190), (150, 110, 60), (70, 160, 200), (40, 44, 50)], np.float32)
        tone = palette[(_hash(*cell) * len(palette)).astype(np.int64)]
    elif kind == 2:
        tone = np.full((len(inside), 3), 232, np.float32)
        stroke = np.abs(v - 0.62 - 0.12 * np.sin(16 * u)) < 0.012
        tone[stroke & (u > 0.12) & (u < 0.5)] = (160, 80, 50)
        lines = (np.abs((v * 12) % 1 - 0.5) < 0.10) & (u > 0.58) & (v > 0.4) & (v < 0.85)
        lines &= u < 0.65 + 0.25 * _hash(np.floor(v * 12).astype(np.int64))
        tone[lines] = (70, 70, 80)
    else:
        tone = np.full((len(inside), 3), (220, 226, 230), np.float32)
        for middle, radius, paint in (((0.4, 0.6), 0.28, (70, 110, 200)), ((0.6, 0.42), 0.24, (130, 90, 60))):
            tone[((u - middle[0]) ** 2 + (1.3 * (v - middle[1])) ** 2) < radius**2] = paint
    margin = 0.025
    edge = np.minimum(np.minimum(u, 1 - u) * (x2 - x1), np.minimum(v, 1 - v) * (z2 - z1)) < margin
    tone = np.where(edge[:, None], np.asarray(frame, np.float32), tone)
    colour[inside] = tone


def _shine(x: FloatArray, y: FloatArray, z: FloatArray, room: Room) -> FloatArray:
    """Return the lamps (white) and the view through the window: sky over blurred trees, with its bars."""
    colour = np.full((len(x), 3), (250, 252, 252), np.float32)
    window = y > room.depth - 0.5
    height = np.clip((z[window] - 0.96) / 1.32, 0, 1)
    trees = 0.30 + 0.10 * np.sin(x[window] * 3.1) + 0.05 * np.sin(x[window] * 9.7 + 1)
    mix = 1 / (1 + np.exp((height - trees) / 0.05))
    sky = np.asarray((250, 240, 226), np.float32)
    leaf = np.asarray((150, 176, 156), np.float32)
    view = sky + (leaf - sky) * mix[:, None]
    bars = (np.abs(x[window] - 3.0) < 0.03) | (np.abs(np.abs(x[window] - 3.0) - 1.25) < 0.03)
    bars |= np.abs(np.abs(z[window] - 1.62) - 0.64) < 0.03
    view[bars] = (196, 200, 202)
    colour[window] = view
    return colour


def paint_solid(points: FloatArray, normals: FloatArray, solid: Solid) -> FloatArray:
    """Return (N, 3) BGR of ``points`` (N, 3) on a piece of furniture."""
    x, y, z = points.T
    colour = np.broadcast_to(np.asarray(solid.colour, np.float32), points.shape).copy()
    if solid.texture == "wood":
        grain = 0.07 * _noise(_COARSE, (x + 0.3 * z) * 40, (y + z) * 300) + 0.04 * _noise(_FINE, x * 40, (y + z) * 400)
        colour *= (1 + grain)[:, None]
    elif solid.texture == "fabric":
        colour *= (
            1 + 0.07 * _noise(_FINE, (x + z) * 240, (y + z) * 240) + 0.05 * _noise(_COARSE, x * 90, (y + z) * 90)
        )[:, None]
    elif solid.texture == "leaf":
        colour *= (1 + 0.16 * _noise(_FINE, (x + z) * 50, y * 50))[:, None]
    elif solid.texture == "cabinet":
        seam = np.abs((y - 1.95) / 0.4 - np.round((y - 1.95) / 0.4)) * 0.4
        handle = (np.abs(seam - 0.045) < 0.008) & (z > 0.52) & (z < 0.66)
        colour *= (1 - 0.5 * (seam < 0.004))[:, None]
        colour[handle & (normals[:, 0] > 0.5)] = (90, 90, 90)
    # Near the floor and on downward faces less light arrives.
    shade = (1 - 0.35 * np.exp(-np.maximum(z, 0) / 0.12)) * np.where(normals[:, 2] < -0.5, 0.6, 1.0)
    if isinstance(solid, Ellipsoid):
        shade *= 0.72 + 0.28 * np.clip((z - solid.centre[2]) / solid.radii[2] + 0.6, 0, 1)
    return colour * shade[:, None].astype(np.float32)
