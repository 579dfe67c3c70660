"""Where people may be whom nobody has found yet: beyond the views, behind others, at doors, where somebody was lost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tracker.floor.view import BLIND, FULLY_SEEN, visible_shares
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["Undetected"]

Array = NDArray[np.float64]

#: metres around the cameras that are looked over, of a cell of that search, and beyond what is seen that is kept
_FAR, _COARSE, _BEYOND = 40.0, 1.0, 2.0
#: metres of a cell, and most cells
_CELL, _MOST_CELLS = 0.4, 2500
#: pixels of height and share inside the image from which a place is looked at
_TALL, _INSIDE = 30.0, 0.3
#: metres a second by which people spread, and seconds in which they keep their way
_SPEED, _STRAIGHT = 0.8, 1.0
#: seconds: looks that follow one another faster are taken together
_EVERY = 0.2
#: how much a miss says, and the seconds after which detectors fail anew
_MISS, _AGAIN_SECONDS = 0.6, 0.5
#: natural logarithm of the least density, of what is there at the start
_LEAST = -9.0
#: what one arrival adds at its place, in a second and within so many metres, and most that arrivals add
_DOOR, _DOOR_SIZE, _BUSIEST = 0.02, 0.6, 0.2
#: seconds that the first density is worth, and one arrival within so many metres
_AT_FIRST, _EACH, _AROUND = 5.0, 5.0, 1.5
#: metres around the place where somebody was lost
_LOST, _LOST_SIZE = 0.1, 0.8


class Undetected:
    """The density of people who have not been detected, as a share of that before anything was seen (1).

    People come from where no camera looks, walk about, and are found where cameras look: what remains is where others
    hide them. Where people were found, more will come. (The Poisson part of a Poisson multi-Bernoulli filter, on a
    grid: Williams, IEEE TAES 51(3), 2015.)

    Args:
        cameras: name → camera.
        height: of people, metres.
    """

    def __init__(self, cameras: Mapping[str, FloorCamera], height: float) -> None:
        self._cameras = dict(cameras)
        places = np.array([camera.position[:2] for camera in cameras.values()])
        low, high = places.min(axis=0) - _FAR, places.max(axis=0) + _FAR
        coarse = _grid(low, high, _COARSE)[0].reshape(-1, 2)
        seen = np.zeros(len(coarse), bool)
        for camera in cameras.values():
            seen |= self._looked_at(camera, coarse, height)[1]
        if seen.any():
            low, high = coarse[seen].min(axis=0) - _BEYOND, coarse[seen].max(axis=0) + _BEYOND
        self._low = low
        self._cell = max(_CELL, float(np.sqrt(np.prod(high - low) / _MOST_CELLS)))
        cells, self._shape = _grid(low, high, self._cell)
        self._cells = cells.reshape(-1, 2)
        self._boxes, self._distances = {}, {}
        for name, camera in cameras.items():
            box, there = self._looked_at(camera, self._cells, height)
            self._boxes[name] = np.where(there[:, None], box, np.nan)
            self._distances[name] = np.hypot(*(self._cells - camera.position[:2]).T)
        self._density = np.ones(self._shape)
        self._events = np.zeros(self._shape)
        self._time = 0.0
        self._doors = np.zeros(self._shape)
        self._waited = 0.0

    def density(self, places: Array) -> Array:
        """Return the density (N,) at places (N, 2) in metres; 1 beyond the grid."""
        index = np.round((np.asarray(places, np.float64).reshape(-1, 2) - self._low) / self._cell).astype(int)
        inside = ((index >= 0) & (index < self._shape)).all(axis=1)
        index = np.where(inside[:, None], index, 0)
        return np.where(inside, self._density[index[:, 0], index[:, 1]], 1.0)

    def looked(self, seconds: float, rate: float, screens: Mapping[str, tuple[Array, Array]]) -> None:
        """Take that cameras looked for so long.

        Args:
            seconds: since the last look.
            rate: share of people wholly seen that are detected.
            screens: camera → boxes (M, 4) of people who hide others, and their distances (M,) along the floor.
        """
        self._waited += seconds
        if self._waited < _EVERY:
            return
        seconds, self._waited = self._waited, 0.0
        spread = _SPEED * np.sqrt(_STRAIGHT * seconds) / self._cell
        self._time += seconds
        # Where nobody came from for long, nobody is likely to come from.
        most = np.minimum((_AT_FIRST + self._events) / (_AT_FIRST + self._time), 1.0)
        density = np.minimum(gaussian_filter(self._density, spread, mode="nearest"), most)
        missed = np.zeros(len(self._cells))
        for name, (boxes, distances) in screens.items():
            visible, _ = visible_shares(self._cameras[name], self._boxes[name], self._distances[name], boxes, distances)
            share = np.clip((np.nan_to_num(visible) - BLIND) / (FULLY_SEEN - BLIND), 0, 1)
            missed += np.log1p(-rate * share)
        missed *= _MISS * (1 - np.exp(-seconds / _AGAIN_SECONDS))
        density = density * np.exp(missed).reshape(self._shape) + self._doors * seconds
        self._density = np.clip(density, np.exp(_LEAST), 1.0)

    def came_in(self, place: Array) -> None:
        """Take that somebody new was found at ``place`` (2,)."""
        self._events += _EACH * self._around(place, _AROUND)
        self._doors = np.minimum(self._doors + _DOOR * self._around(place, _DOOR_SIZE), _BUSIEST)

    def was_lost(self, place: Array) -> None:
        """Take that somebody was there who is not followed any longer."""
        self._events += _EACH * self._around(place, _LOST_SIZE)
        self._density = np.minimum(self._density + _LOST * self._around(place, _LOST_SIZE), 1.0)

    def _around(self, place: Array, size: float) -> Array:
        squared = ((self._cells - place) ** 2).sum(axis=1)
        return np.exp(-squared / (2 * max(size, self._cell) ** 2)).reshape(self._shape)

    @staticmethod
    def _looked_at(camera: FloorCamera, places: Array, height: float) -> tuple[Array, NDArray[np.bool_]]:
        box = camera.person_box(places[:, 0], places[:, 1], height)
        with np.errstate(invalid="ignore"):
            there = (box[:, 3] - box[:, 1] >= _TALL) & (camera.visible_share(box) >= _INSIDE)
        return box, there


def _grid(low: Array, high: Array, cell: float) -> tuple[Array, tuple[int, ...]]:
    """Return points (rows, columns, 2) and (rows, columns)."""
    axes = [start + cell * np.arange(int(np.ceil((end - start) / cell)) + 1) for start, end in zip(low, high)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return points, points.shape[:2]
