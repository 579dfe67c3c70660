"""Where everybody's surface is at one instant, and what light falls on it: the same for every camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.gait import Stance
from benchmarks.simulation.lighting import irradiance
from benchmarks.simulation.people import Person
from benchmarks.simulation.room import Room

__all__ = ["Posed", "Poses"]

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Posed:
    """A person at one instant.

    Args:
        person: in the clothes worn.
        outfit: number of these clothes within the person's.
        points: (V, 3) float32 of the surface, metres.
        normals: (V, 3) float32 of unit length.
        light: (V,) float32 that falls on each point.
    """

    person: Person
    outfit: int
    points: FloatArray
    normals: FloatArray
    light: FloatArray


class Poses:
    """Poses people, and remembers each one's last pose: cameras that take turns share the work.

    Args:
        people: by identity.
        room: whose lamps shine on them.
    """

    def __init__(self, people: Mapping[int, Person], room: Room) -> None:
        self._people = people
        self._room = room
        self._last: dict[int, tuple[Stance, Posed]] = {}

    def of(self, identity: int, stance: Stance) -> Posed:
        """Return the person ``identity`` as ``stance`` says; of clothes there are not, the last there are."""
        last = self._last.get(identity)
        if last is not None and last[0] == stance:
            return last[1]
        outfits = self._people[identity].outfits
        outfit = min(stance.outfit, len(outfits) - 1)
        person = outfits[outfit]
        points, normals = person.posed(stance)
        light = irradiance(points, normals, self._room) * person.openness
        # Less of it near the floor.
        light *= 0.80 + 0.20 * np.minimum(points[:, 2] / 0.5, 1)
        posed = Posed(person, outfit, points, normals, light)
        self._last[identity] = (stance, posed)
        return posed
