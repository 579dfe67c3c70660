"""The bodies that furniture is made of."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Box", "Colour", "Cylinder", "Ellipsoid", "Point", "Solid"]

Colour = tuple[float, float, float]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """An axis-parallel block between two corners, metres; ``texture`` names how its surface looks."""

    low: Point
    high: Point
    colour: Colour
    texture: str = "plain"


@dataclass(frozen=True)
class Cylinder:
    """An upright cylinder: middle of its base, radius, height, metres."""

    base: Point
    radius: float
    height: float
    colour: Colour
    texture: str = "plain"


@dataclass(frozen=True)
class Ellipsoid:
    """An axis-parallel ellipsoid: centre and half axes, metres."""

    centre: Point
    radii: Point
    colour: Colour
    texture: str = "plain"


Solid = Box | Cylinder | Ellipsoid
