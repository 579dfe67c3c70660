"""Where people may be whom nobody has found yet: beyond the views, behind others, at doors, where somebody was lost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tracker.errors import InputError
from tracker.floor.entries import Entries
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
#: where entries are given: what is left of the first and of the least density elsewhere, and how much an arrival there
#: teaches; and how many times more who is lost away from them, who cannot have left, is expected where they were
_ELSEWHERE, _STAYED = 0.1, 3.0


class Undetected:
    """The density of people who have not been detected, as a share of that before anything was seen (1).

    People come from where no camera looks, walk about, and are found where cameras look: what remains is where others
    hide them. Where people were found, more will come. (The Poisson part of a Poisson multi-Bernoulli filter, on a
    grid: Williams, IEEE TAES 51(3), 2015.)

    Where entries are given, each is as busy as the busiest that could be learnt. Elsewhere few come: only as many as
    detectors may have overlooked. Where people cannot be the density is 0.

    Args:
        cameras: name → camera.
        height: of people, metres.
        entries: where people come in, and where they can be; empty: learnt, and everywhere.

    Raises:
        InputError: an entry, or all of the area, is away from what the cameras see.
    """

    def __init__(self, cameras: Mapping[str, FloorCamera], height: float, entries: Entries | None = None) -> None:
        self._entries = entries or Entries()
        self._cameras = dict(cameras)
        places = np.array([camera.position[:2] for camera in cameras.values()])
        low, high = places.min(axis=0) - _FAR, places.max(axis=0) + _FAR
        coarse = _grid(low, high, _COARSE)[0].reshape(-1, 2)
        seen = np.zeros(len(coarse), bool)
        for camera in cameras.values():
            seen |= self._looked_at(camera, coarse, height)[1]
        if seen.any():
            low, high = coarse[seen].min(axis=0) - _BEYOND, coarse[seen].max(axis=0) + _BEYOND
        _check_seen(self._entries, coarse[seen])
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
        self._waited = 0.0
        #: those of cameras that looked and were not yet counted
        self._screens: dict[str, tuple[Array, Array]] = {}
        self._near = self._entries.nearness(self._cells).reshape(self._shape)
        self._doors = _BUSIEST * self._near
        allowed = self._entries.allowed(self._cells).reshape(self._shape)
        self._allowed = None if self._entries.area is None else allowed.astype(np.float64)

    def density(self, places: Array) -> Array:
        """Return the density (N,) at places (N, 2) in metres; beyond the grid that of places nobody looks at."""
        places = np.asarray(places, np.float64).reshape(-1, 2)
        index = np.round((places - self._low) / self._cell).astype(int)
        inside = ((index >= 0) & (index < self._shape)).all(axis=1)
        index = np.where(inside[:, None], index, 0)
        density = np.where(inside, self._density[index[:, 0], index[:, 1]], self._left())
        return density if self._allowed is None else np.where(self._entries.allowed(places), density, 0.0)

    def looked(self, seconds: float, rate: float, screens: Mapping[str, tuple[Array, Array]]) -> None:
        """Take that cameras looked for so long.

        Args:
            seconds: since the last look.
            rate: share of people wholly seen that are detected.
            screens: camera → boxes (M, 4) of people who hide others, and their distances (M,) along the floor.
        """
        self._waited += seconds
        self._screens.update(screens)
        if self._waited < _EVERY:
            return
        seconds, self._waited = self._waited, 0.0
        screens, self._screens = self._screens, {}
        spread = _SPEED * np.sqrt(_STRAIGHT * seconds) / self._cell
        self._time += seconds
        # Where nobody came from for long, nobody is likely to come from.
        most = np.minimum((_AT_FIRST * self._left() + self._events) / (_AT_FIRST + self._time), 1.0)
        density = np.minimum(self._walked(spread), np.maximum(most, self._near))
        missed = np.zeros(len(self._cells))
        for name, (boxes, distances) in screens.items():
            visible, _ = visible_shares(self._cameras[name], self._boxes[name], self._distances[name], boxes, distances)
            share = np.clip((np.nan_to_num(visible) - BLIND) / (FULLY_SEEN - BLIND), 0, 1)
            missed += np.log1p(-rate * share)
        missed *= _MISS * (1 - np.exp(-seconds / _AGAIN_SECONDS))
        density = density * np.exp(missed).reshape(self._shape) + self._doors * seconds
        self._density = np.clip(density, (_ELSEWHERE if self._entries.zones else 1.0) * np.exp(_LEAST), 1.0)

    def came_in(self, place: Array) -> None:
        """Take that somebody new was found at ``place`` (2,)."""
        taught = 1.0 - (1 - _ELSEWHERE) * self._away(place)
        self._events += taught * _EACH * self._around(place, _AROUND)
        self._doors = np.minimum(self._doors + taught * _DOOR * self._around(place, _DOOR_SIZE), _BUSIEST)

    def was_lost(self, place: Array) -> None:
        """Take that somebody was there who is not followed any longer."""
        stayed = 1.0 + (_STAYED - 1) * self._away(place)
        self._events += stayed * _EACH * self._around(place, _LOST_SIZE)
        self._density = np.minimum(self._density + stayed * _LOST * self._around(place, _LOST_SIZE), 1.0)

    def _away(self, place: Array) -> float:
        """Return how much ``place`` (2,) is away from all entries given by hand, 0 to 1; 0 where none are."""
        return 1.0 - float(self._entries.nearness(np.asarray(place)[None])[0]) if self._entries.zones else 0.0

    def _left(self) -> float:
        """Return what is left of the first density where nobody looks: all of it, unless entries are given."""
        if not self._entries.zones:
            return 1.0
        return _ELSEWHERE + (1 - _ELSEWHERE) * float(np.exp(-self._time / _AT_FIRST))

    def _walked(self, spread: float) -> Array:
        """Return the density after people walked, ``spread`` cells of deviation, and nobody out of the area."""
        density = np.asarray(gaussian_filter(self._density, spread, mode="nearest"))
        if self._allowed is None:
            return density
        inside = np.asarray(gaussian_filter(self._allowed, spread, mode="nearest"))
        density = np.asarray(gaussian_filter(self._density * self._allowed, spread, mode="nearest"))
        return np.where(self._allowed > 0, density / np.maximum(inside, 1e-9), 0.0)

    def _around(self, place: Array, size: float) -> Array:
        squared = ((self._cells - place) ** 2).sum(axis=1)
        return np.exp(-squared / (2 * max(size, self._cell) ** 2)).reshape(self._shape)

    @staticmethod
    def _looked_at(camera: FloorCamera, places: Array, height: float) -> tuple[Array, NDArray[np.bool_]]:
        box = camera.person_box(places[:, 0], places[:, 1], height)
        with np.errstate(invalid="ignore"):
            there = (box[:, 3] - box[:, 1] >= _TALL) & (camera.visible_share(box) >= _INSIDE)
        return box, there


def _check_seen(entries: Entries, seen: Array) -> None:
    """Raise when an entry is away from the floor that cameras see, at places ``seen`` (N, 2), or they see no area."""
    for zone in entries.zones:
        apart = float(zone.distance(seen).min(initial=np.inf))
        if apart > _BEYOND:
            raise InputError(
                f"{zone.name} is {apart:.1f} m away from the floor that the cameras see; check its metres and the "
                "calibration's origin"
            )
    if entries.area is not None and not entries.allowed(seen).any():
        raise InputError("the cameras see nothing of the area where people can be; check its metres")


def _grid(low: Array, high: Array, cell: float) -> tuple[Array, tuple[int, ...]]:
    """Return points (rows, columns, 2) and (rows, columns)."""
    axes = [start + cell * np.arange(int(np.ceil((end - start) / cell)) + 1) for start, end in zip(low, high)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return points, points.shape[:2]
