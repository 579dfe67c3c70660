"""Where people are at one instant, as the floor tracker reports it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloorPeople"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FloorPeople:
    """Where people are at one instant.

    Args:
        ids: (N,) of tracks, never used twice.
        positions: (N, 2) metres.
        velocities: (N, 2) metres a second.
        heights: (N,) metres.
        covariances: (N, 2, 2) of the positions, square metres.
        boxes: camera → (N,) row of its detections that is this person; -1 none.
        confirmed: (N,) it is a person, not a false alarm.
    """

    ids: Ints
    positions: Array
    velocities: Array
    heights: Array
    covariances: Array
    boxes: dict[str, Ints]
    confirmed: NDArray[np.bool_]

    @property
    def cameras(self) -> Ints:
        """(N,) in how many cameras' boxes they are at this instant."""
        count = np.zeros(len(self.ids), np.int64)
        for rows in self.boxes.values():
            count += rows >= 0
        return count

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,) who is in some camera's box at this instant; the others are only expected where they are."""
        return self.cameras > 0
