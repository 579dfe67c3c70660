"""The room: its shape, door, furniture and lamps, and where in it a person can stand."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.corridor import Corridor
from benchmarks.simulation.solids import Box, Colour, Cylinder, Ellipsoid, Point, Solid

__all__ = ["Room", "Seat"]

WHITE: Colour = (222, 226, 228)
OAK: Colour = (92, 138, 178)
WALNUT: Colour = (48, 72, 104)
STEEL: Colour = (120, 118, 116)
FABRIC: Colour = (112, 96, 78)
LEAF: Colour = (52, 104, 58)


@dataclass(frozen=True)
class Seat:
    """A place where one person can sit, metres.

    Args:
        front: free floor from which the seat is reached.
        before: where the feet stand while one sits down, too close to the furniture to walk there.
        place: where the pelvis comes to rest.
        facing: radians, the way one looks who sits, 0 along +x.
        height: of the surface one sits on.
    """

    front: tuple[float, float]
    before: tuple[float, float]
    place: tuple[float, float]
    facing: float
    height: float


def _seats() -> tuple[Seat, ...]:
    sofa = [Seat((4.90, y), (5.14, y), (5.55, y), np.pi, 0.47) for y in (2.57, 3.13)]
    # The chairs stand a step away from the table; each is reached from its free side.
    chairs = [Seat((side, 3.75), (x, 3.75), (x, 3.38), np.pi / 2, 0.475) for side, x in ((2.02, 2.65), (4.18, 3.62))]
    return (*sofa, *chairs)


def _table(x: float, y: float, width: float, depth: float) -> list[Box]:
    legs = [(x + a * (width / 2 - 0.06), y + b * (depth / 2 - 0.06)) for a in (-1, 1) for b in (-1, 1)]
    top = Box((x - width / 2, y - depth / 2, 0.70), (x + width / 2, y + depth / 2, 0.74), OAK, "wood")
    return [top, *(Box((a - 0.025, b - 0.025, 0), (a + 0.025, b + 0.025, 0.70), STEEL) for a, b in legs)]


def _chair(x: float, y: float, back: tuple[int, int], colour: Colour) -> list[Box]:
    half = 0.21
    legs = [(x + a * 0.18, y + b * 0.18) for a in (-1, 1) for b in (-1, 1)]
    parts = [Box((x - half, y - half, 0.43), (x + half, y + half, 0.475), colour, "fabric")]
    parts += [Box((a - 0.014, b - 0.014, 0), (a + 0.014, b + 0.014, 0.43), STEEL) for a, b in legs]
    if back[0]:
        edge = x + back[0] * (half - 0.02)
        parts.append(Box((edge - 0.02, y - half, 0.52), (edge + 0.02, y + half, 0.86), colour, "fabric"))
    else:
        edge = y + back[1] * (half - 0.02)
        parts.append(Box((x - half, edge - 0.02, 0.52), (x + half, edge + 0.02, 0.86), colour, "fabric"))
    return parts


def _furniture() -> tuple[Solid, ...]:
    solids: list[Solid] = []
    solids += _table(3.1, 4.25, 1.5, 0.75)
    solids += _chair(2.65, 3.36, (0, -1), (70, 60, 132))
    solids += _chair(3.62, 3.36, (0, -1), (130, 92, 52))
    # On the table: a closed laptop, a cup and a stack of paper.
    solids += [
        Box((2.72, 4.12, 0.74), (3.05, 4.36, 0.758), (70, 68, 66)),
        Cylinder((3.42, 4.22, 0.74), 0.038, 0.09, (210, 214, 216)),
        Box((3.52, 4.20, 0.74), (3.73, 4.48, 0.765), (236, 238, 238)),
    ]
    # A low cabinet along the wall x = 0, with books, a box and a lamp on it.
    solids += [
        Box((0.02, 1.95, 0.06), (0.42, 3.15, 0.82), (196, 204, 208), "cabinet"),
        Box((0.0, 1.97, 0.0), (0.38, 3.13, 0.06), (60, 60, 60)),
        Box((0.02, 1.94, 0.82), (0.44, 3.16, 0.845), OAK, "wood"),
        Cylinder((0.20, 2.85, 0.845), 0.055, 0.05, STEEL),
        Cylinder((0.20, 2.85, 0.895), 0.012, 0.24, STEEL),
        Cylinder((0.20, 2.85, 1.12), 0.10, 0.16, (196, 226, 238)),
        Box((0.08, 2.02, 0.845), (0.30, 2.36, 0.97), (86, 120, 168), "plain"),
    ]
    spines = ((50, 50, 140), (120, 84, 40), (60, 110, 60), (180, 180, 190), (40, 44, 48), (60, 140, 190), (110, 60, 90))
    edge = 2.44
    for number, colour in enumerate(spines):
        thickness = 0.022 + 0.010 * (number % 3)
        height = 1.06 + 0.025 * ((number * 5) % 4)
        solids.append(Box((0.08, edge, 0.845), (0.26, edge + thickness, height), colour))
        edge += thickness + 0.001
    # A two-seat sofa along the wall x = 6.
    solids += [
        Box((5.22, 2.10, 0.10), (5.94, 3.62, 0.40), FABRIC, "fabric"),
        Box((5.74, 2.10, 0.40), (5.96, 3.62, 0.80), FABRIC, "fabric"),
        Box((5.22, 2.10, 0.40), (5.94, 2.28, 0.58), FABRIC, "fabric"),
        Box((5.22, 3.44, 0.40), (5.94, 3.62, 0.58), FABRIC, "fabric"),
        Box((5.24, 2.30, 0.40), (5.74, 2.855, 0.47), (126, 108, 88), "fabric"),
        Box((5.24, 2.865, 0.40), (5.74, 3.42, 0.47), (126, 108, 88), "fabric"),
        Ellipsoid((5.66, 3.38, 0.62), (0.09, 0.13, 0.17), (60, 128, 196), "fabric"),
    ]
    # A plant in a pot.
    x, y = 2.98, 0.34
    solids += [
        Cylinder((x, y, 0.0), 0.17, 0.34, (168, 176, 186)),
        Cylinder((x, y, 0.34), 0.15, 0.012, (36, 44, 56)),
        Cylinder((x, y, 0.34), 0.018, 0.50, (52, 76, 92)),
    ]
    generator = np.random.default_rng(7)
    for _ in range(26):
        angle, reach = generator.uniform(0, 2 * np.pi), generator.uniform(0.03, 0.24)
        centre = (x + reach * np.cos(angle), y + reach * np.sin(angle), generator.uniform(0.62, 1.28))
        radii = tuple(generator.uniform((0.06, 0.06, 0.04), (0.13, 0.13, 0.09)))
        tone = generator.uniform(0.65, 1.25)
        solids.append(Ellipsoid(centre, radii, tuple(tone * channel for channel in LEAF), "leaf"))  # type: ignore[arg-type]
    # A waste bin near the door.
    solids.append(Cylinder((5.76, 0.22, 0.0), 0.14, 0.32, (66, 64, 62)))
    return tuple(solids)


@dataclass(frozen=True)
class Room:
    """A furnished rectangular room with one doorway in the wall ``y = 0`` and a corridor behind it.

    Lengths in metres: ``0 ≤ x ≤ width``, ``0 ≤ y ≤ depth``, ``0 ≤ z ≤ height``.
    """

    width: float = 6.0
    depth: float = 5.0
    height: float = 2.8
    door: tuple[float, float] = (3.50, 4.55)
    door_height: float = 2.12
    wall: float = 0.14
    corridor: Corridor = field(default_factory=Corridor)
    solids: tuple[Solid, ...] = field(default_factory=_furniture)
    seats: tuple[Seat, ...] = field(default_factory=_seats)
    lamps: tuple[Point, ...] = ((1.6, 1.4, 2.7), (4.4, 1.4, 2.7), (1.6, 3.6, 2.7), (4.4, 3.6, 2.7))

    @property
    def door_centre(self) -> float:
        """x of the middle of the doorway."""
        return (self.door[0] + self.door[1]) / 2

    def doorway(self) -> tuple[Box | Cylinder, ...]:
        """Return the door frame, the leaf, opened flat against the wall, and its handle."""
        low, high = self.door
        frame: Colour = (206, 212, 214)
        top = self.door_height
        return (
            Box((low - 0.07, -self.wall - 0.01, 0), (low, 0.015, top + 0.07), frame),
            Box((high, -self.wall - 0.01, 0), (high + 0.07, 0.015, top + 0.07), frame),
            Box((low, -self.wall - 0.01, top), (high, 0.015, top + 0.07), frame),
            Box((high + 0.08, 0.03, 0.01), (high + 1.05, 0.075, top - 0.02), OAK, "wood"),
            Cylinder((high + 0.97, 0.10, 1.03), 0.025, 0.035, STEEL),
        )

    def obstacles(self) -> NDArray[np.float64]:
        """Return (K, 4) floor rectangles ``x1, y1, x2, y2`` that nobody may stand in."""
        return np.array(
            [
                (2.30, 3.11, 3.90, 5.0),
                (0.0, 1.90, 0.46, 3.20),
                (5.20, 2.05, 6.0, 3.66),
                (2.70, 0.0, 3.26, 0.62),
                (5.60, 0.0, 6.0, 0.38),
                (4.60, 0.0, 5.66, 0.10),
            ]
        )

    def inside(self, points: NDArray[np.floating], margin: float) -> NDArray[np.bool_]:
        """Return (N,) whether floor ``points`` (N, 2) are free for a body of half width ``margin``."""
        x, y = points[:, 0], points[:, 1]
        in_room = (x >= margin) & (x <= self.width - margin) & (y >= margin) & (y <= self.depth - margin)
        for x1, y1, x2, y2 in self.obstacles():
            in_room &= ~((x > x1 - margin) & (x < x2 + margin) & (y > y1 - margin) & (y < y2 + margin))
        low, high = self.corridor.low, self.corridor.high
        in_corridor = (x >= low[0] + margin) & (x <= high[0] - margin)
        in_corridor &= (y >= low[1] + margin) & (y <= high[1] - margin)
        for start, end in self.corridor.passages:
            in_passage = (x >= start[0] + margin) & (x <= end[0] - margin)
            in_corridor |= in_passage & (y >= start[1] + margin) & (y <= high[1] - margin)
        # The body turns sideways when needed: a doorway is passed with less room on both sides.
        side = min(margin, 0.30)
        in_door = (x >= self.door[0] + side) & (x <= self.door[1] - side)
        in_door &= (y > high[1] - margin) & (y < margin)
        return in_room | in_corridor | in_door
