"""How people move on the floor between two looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.floor.settings import FloorSettings

__all__ = ["movement"]

Array = NDArray[np.float64]


def movement(seconds: float, settings: FloorSettings) -> tuple[Array, Array]:
    """Return the transition (5, 5) of states (x, y, their velocities, height) and its noise (5, 5).

    White acceleration; walkers keep their velocity while they are seen, who is not seen for long may have stopped.
    """
    keep = float(np.exp(-seconds / settings.velocity_seconds))
    move = np.eye(5)
    move[0, 2] = move[1, 3] = settings.velocity_seconds * (1 - keep)
    move[2, 2] = move[3, 3] = keep
    q = settings.acceleration**2
    noise = np.zeros((5, 5))
    for axis in (0, 1):
        noise[axis, axis] = q * seconds**3 / 3
        noise[axis, axis + 2] = noise[axis + 2, axis] = q * seconds**2 / 2
        noise[axis + 2, axis + 2] = q * seconds
    noise[4, 4] = settings.height_change**2 * seconds
    return move, noise
