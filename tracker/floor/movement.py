"""How people move on the floor between two looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.floor.settings import FloorSettings

__all__ = ["movement", "said_before"]

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


def said_before(matrix: Array, vector: Array, seconds: float, settings: FloorSettings) -> tuple[Array, Array]:
    """Return what information (N, 5, 5), (N, 5) about states says of them so many seconds earlier; may be singular."""
    if seconds <= 0:
        return matrix, vector
    move, noise = movement(seconds, settings)
    gain = matrix @ np.linalg.inv(matrix + np.linalg.inv(noise + 1e-12 * np.eye(5)))
    rest = np.eye(5) - gain
    vector = np.einsum("ij,nj->ni", move.T, np.einsum("nij,nj->ni", rest, vector))
    matrix = move.T @ (rest @ matrix) @ move
    return (matrix + np.swapaxes(matrix, 1, 2)) / 2, vector
