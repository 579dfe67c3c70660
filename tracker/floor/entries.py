"""Entry zones given by hand: where people come in and go out, and where they can be at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError, nearest_name_hint

__all__ = ["Entries", "Zone", "entries_from_document"]

Array = NDArray[np.float64]

#: metres: coordinates beyond are not metres of a room
_FARTHEST = 100_000.0
#: metres around an entry within which it counts less and less, and by which an area is taken larger: feet are found to
#: a few decimetres
_FADES, _MARGIN = 0.4, 0.3
#: square metres below which a polygon encloses nothing
_LEAST_AREA = 1e-4
#: points of a circle's outline
_CIRCLE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """A piece of floor: a polygon without crossings, or a circle.

    Args:
        name: what a person calls it.
        corners: (K, 2) metres, in order around the polygon; of a circle its centre, (1, 2).
        radius: of a circle, metres; 0 for a polygon.

    Raises:
        InputError: not finite, fewer than three corners, sides that cross, or no floor inside.
    """

    name: str
    corners: Array
    radius: float = 0.0

    def __post_init__(self) -> None:
        if not (np.abs(self.corners) <= _FARTHEST).all():
            raise InputError(f"{self.name}: coordinates must be finite metres, {_FARTHEST:g} at most")
        if len(self.corners) == 1:
            if not 0 < self.radius <= _FARTHEST:
                raise InputError(f"{self.name}: its radius is {self.radius:g}; give metres above 0")
            return
        if len(np.unique(self.corners, axis=0)) < 3:
            raise InputError(f"{self.name}: its polygon needs at least three different corners [x, y]")
        x, y = self.corners.T
        following = np.roll(self.corners, -1, axis=0)
        if _crosses(self.corners, following):
            raise InputError(f"{self.name}: sides of its polygon cross; give its corners in order around it")
        if abs(float((x * following[:, 1] - following[:, 0] * y).sum())) / 2 < _LEAST_AREA:
            raise InputError(f"{self.name}: its corners are on one line; give a polygon with floor inside")

    def distance(self, places: Array) -> Array:
        """Return (N,) metres from places (N, 2) to the zone, 0 inside."""
        places = np.asarray(places, np.float64).reshape(-1, 2)
        if len(self.corners) == 1:
            return np.maximum(np.hypot(*(places - self.corners[0]).T) - self.radius, 0.0)
        side = np.roll(self.corners, -1, axis=0) - self.corners
        offset = places[:, None] - self.corners
        along = (offset * side).sum(axis=2) / np.maximum((side**2).sum(axis=1), 1e-12)
        nearest = np.linalg.norm(offset - np.clip(along, 0, 1)[..., None] * side, axis=2).min(axis=1)
        # Inside: a ray to the right crosses an odd number of sides.
        above = self.corners[:, 1] > places[:, None, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = self.corners[:, 0] + side[:, 0] * offset[..., 1] / side[:, 1]
        crossed = (above != np.roll(above, -1, axis=1)) & (places[:, None, 0] < crossing)
        return np.where(crossed.sum(axis=1) % 2 == 1, 0.0, nearest)

    def outline(self) -> Array:
        """Return (K, 2) points of its border, metres."""
        if len(self.corners) == 1:
            angles = np.linspace(0, 2 * np.pi, _CIRCLE, endpoint=False)
            return self.corners + self.radius * np.column_stack([np.cos(angles), np.sin(angles)])
        parts = np.linspace(0, 1, 9)[:-1, None, None]
        return (self.corners + parts * (np.roll(self.corners, -1, axis=0) - self.corners)).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Where people come in and go out, and where they can be at all.

    Args:
        zones: doors, stairs, the open sides of a square; none: they are learnt.
        area: where people can be; ``None``: everywhere.

    Raises:
        InputError: an entry that is away from the area.
    """

    zones: tuple[Zone, ...] = ()
    area: Zone | None = None

    def __post_init__(self) -> None:
        if self.area is None:
            return
        for zone in self.zones:
            apart = min(self.area.distance(zone.outline()).min(), zone.distance(self.area.outline()).min())
            if apart > _MARGIN:
                raise InputError(
                    f"{zone.name} is {apart:.1f} m away from the area where people can be; move one of them"
                )

    def __bool__(self) -> bool:
        return bool(self.zones) or self.area is not None

    def nearness(self, places: Array) -> Array:
        """Return (N,) how much places (N, 2) belong to an entry: 1 inside, soon 0 outside, 0 without entries."""
        result = np.zeros(len(places))
        for zone in self.zones:
            result = np.maximum(result, np.exp(-(zone.distance(places) ** 2) / (2 * _FADES**2)))
        return result

    def allowed(self, places: Array) -> NDArray[np.bool_]:
        """Return (N,) whether people can be at places (N, 2): in the area, or 0.3 m around it."""
        if self.area is None:
            return np.ones(len(places), bool)
        return np.asarray(self.area.distance(places) <= _MARGIN)


def entries_from_document(entries: Any, area: Any = None) -> Entries:
    """Return what ``entries:`` and ``area:`` of a ``cameras.yaml`` say.

    Args:
        entries: a list of mappings with ``polygon`` (a list of [x, y]) or ``center`` and ``radius``, and perhaps
            ``name``; ``None``: no entries.
        area: a polygon; ``None``: everywhere.

    Raises:
        InputError: something else, or a zone that cannot be; the message names it and not the file.
    """
    if entries is not None and not (isinstance(entries, list) and entries):
        raise InputError("entries: is no list of zones; write - {name: door, polygon: [[x, y], …]}, or leave it out")
    zones = tuple(_zone(entry, number) for number, entry in enumerate(entries or [], start=1))
    names = [zone.name.casefold() for zone in zones]
    twice = next((zone.name for place, zone in enumerate(zones) if zone.name.casefold() in names[:place]), None)
    if twice is not None:
        raise InputError(f"two entries are called {twice.removeprefix('entry ')}; give each its own name")
    return Entries(zones, None if area is None else Zone("area", _corners(area, "area")))


def _zone(entry: Any, number: int) -> Zone:
    if not isinstance(entry, Mapping):
        raise InputError(f"entry {number} is no mapping; write {{name: door, polygon: [[x, y], …]}}")
    name = entry.get("name")
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise InputError(f"entry {number}: its name is {name!r}; give text, or leave it out")
    label = f"entry {number}" if name is None else f"entry {name!r}"
    known = ("name", "polygon", "center", "radius")
    unknown = next((str(field) for field in entry if field not in known), None)
    if unknown is not None:
        raise InputError(f"{label} has an unknown field {unknown!r}: {nearest_name_hint(unknown, known)}")
    if ("polygon" in entry) == ("center" in entry or "radius" in entry):
        raise InputError(f"{label}: give a polygon: [[x, y], …], or a center: [x, y] and a radius:")
    if "polygon" in entry:
        return Zone(label, _corners(entry["polygon"], f"{label}: its polygon"))
    center, radius = entry.get("center"), entry.get("radius")
    if not _is_place(center):
        raise InputError(f"{label}: its center is {center!r}; give finite metres [x, y]")
    if radius is None or not _is_number(radius):
        raise InputError(f"{label}: its radius is {radius!r}; give metres above 0")
    return Zone(label, np.array([center], np.float64), float(radius))


def _corners(value: Any, label: str) -> Array:
    if not isinstance(value, list):
        raise InputError(f"{label} is no list of corners; write [[x, y], [x, y], [x, y]]")
    wrong = next((number for number, place in enumerate(value, start=1) if not _is_place(place)), None)
    if wrong is not None:
        raise InputError(f"{label}: corner {wrong} is {value[wrong - 1]!r}; give finite metres [x, y]")
    if len(value) < 3:
        raise InputError(f"{label} has {len(value)} corners; give at least three")
    return np.array(value, np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _FARTHEST


def _is_place(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) == 2 and all(_is_number(number) for number in value)


def _crosses(begins: Array, ends: Array) -> bool:
    """Return whether two of the sides from ``begins`` (K, 2) to ``ends`` (K, 2) properly cross."""

    def turn(first: Array, second: Array, third: Array) -> Array:
        one, other = second - first, third - first
        return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])

    a, b, c, d = begins[:, None], ends[:, None], begins[None], ends[None]
    across = (turn(a, b, c) * turn(a, b, d) < 0) & (turn(c, d, a) * turn(c, d, b) < 0)
    return bool(across.any())
