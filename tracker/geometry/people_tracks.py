"""People as an alignment sees them: paths on the floor in metres, and boxes that one camera followed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError

__all__ = ["BoxTracks", "FloorPaths"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: seconds over which a path is drawn on between two places
_LONGEST_GAP = 1.0
#: seconds over which paths are averaged
_SMOOTH = 0.4
#: pixels from the image's border, and share of its longer side, within which a box ends there
_BORDER = (2.0, 0.004)


class FloorPaths:
    """Where J people were on the floor.

    Args:
        times: (N,) seconds, in any order.
        ids: (N,) whole numbers: who.
        positions: (N, 2) x and y, metres.

    Raises:
        InputError: lengths differ, or a value is not finite.
    """

    def __init__(self, times: ArrayLike, ids: ArrayLike, positions: ArrayLike) -> None:
        seconds, who = np.asarray(times, np.float64).reshape(-1), np.asarray(ids, np.int64).reshape(-1)
        places = np.asarray(positions, np.float64).reshape(-1, 2)
        if not len(seconds) == len(who) == len(places):
            raise InputError(f"{len(seconds)} times, {len(who)} ids and {len(places)} places of paths; give as many")
        if not (np.isfinite(seconds).all() and np.isfinite(places).all()):
            raise InputError("paths on the floor hold a number that is not finite; leave it out")
        order = np.lexsort((seconds, who))
        self.ids, starts = np.unique(who[order], return_index=True)
        cut = starts[1:]
        self._times = np.split(seconds[order], cut) if len(seconds) else []
        self._places = np.split(places[order], cut) if len(seconds) else []
        #: of every path, from its beginning: metres times seconds
        self._sums = [
            np.concatenate([np.zeros((1, 2)), np.cumsum((xy[1:] + xy[:-1]) / 2 * np.diff(t)[:, None], axis=0)])
            for t, xy in zip(self._times, self._places)
        ]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def span(self) -> tuple[float, float]:
        """First and last second; there must be somebody."""
        return min(times[0] for times in self._times), max(times[-1] for times in self._times)

    @property
    def places(self) -> Array:
        """(N, 2) all places, metres."""
        return np.concatenate(self._places) if len(self) else np.zeros((0, 2))

    def at(self, times: ArrayLike) -> Array:
        """Return (T, J, 2) where everybody was at (T,) seconds; NaN before, after, and in gaps of over a second."""
        when = np.asarray(times, np.float64).reshape(-1)
        result = np.full((len(when), len(self), 2), np.nan)
        for person, known in enumerate(self._times):
            inside = (when >= known[0]) & (when <= known[-1])
            if len(known) > 1:
                following = np.clip(np.searchsorted(known, when), 1, len(known) - 1)
                inside &= known[following] - known[following - 1] <= _LONGEST_GAP
            result[inside, person] = self._smooth(person, when[inside])
        return result

    def places_of(self, people: Ints, times: Array) -> Array:
        """Return (M, 2) where ``people`` (M,), as rows of ``ids``, were at ``times`` (M,); gaps are drawn straight."""
        result = np.zeros((len(people), 2))
        for person in np.unique(people):
            mine = people == person
            result[mine] = self._smooth(int(person), np.clip(times[mine], *self._times[person][[0, -1]]))
        return result

    def _smooth(self, person: int, when: Array) -> Array:
        """Return (T, 2) the mean of a path over ``_SMOOTH`` seconds, less towards its ends.

        Between two noisy places the path is less noisy than at them, so that without this clocks would come out where
        most times fall between.
        """
        known, places = self._times[person], self._places[person]
        half = np.minimum(_SMOOTH / 2, np.minimum(when - known[0], known[-1] - when))
        exact = half < 1e-3
        early, late = self._integral(person, when - half), self._integral(person, when + half)
        mean = (late - early) / np.where(exact, 1.0, 2 * half)[:, None]
        here = np.stack([np.interp(when, known, places[:, axis]) for axis in range(2)], axis=1)
        return np.where(exact[:, None], here, mean)

    def _integral(self, person: int, when: Array) -> Array:
        known, places, sums = self._times[person], self._places[person], self._sums[person]
        before = np.clip(np.searchsorted(known, when, side="right") - 1, 0, max(len(known) - 2, 0))
        since = (when - known[before])[:, None]
        here = np.stack([np.interp(when, known, places[:, axis]) for axis in range(2)], axis=1)
        return np.asarray(sums[before] + since * (places[before] + here) / 2)


@dataclass(frozen=True, eq=False)
class BoxTracks:
    """The boxes of one camera, followed within it.

    Args:
        times: (N,) seconds of the camera's own clock.
        ids: (N,) whole numbers: which track of this camera.
        boxes: (N, 4) ``x1, y1, x2, y2``, pixels.
        width, height: of the image, pixels.
        cut: (N, 4) which sides end at the image's border and not where the person does; ``None``: looked up.

    Raises:
        InputError: lengths differ, or a value is not finite.
    """

    times: Array
    ids: Ints
    boxes: Array
    width: int
    height: int
    cut: Mask | None = None

    def __post_init__(self) -> None:
        if not len(self.times) == len(self.ids) == len(self.boxes):
            raise InputError(f"{len(self.times)} times, {len(self.ids)} ids, {len(self.boxes)} boxes; give as many")
        if not (np.isfinite(self.times).all() and np.isfinite(self.boxes).all()):
            raise InputError("boxes of a camera hold a number that is not finite; leave it out")

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def sides_cut(self) -> Mask:
        """(N, 4) which sides say nothing of where the person ends."""
        if self.cut is not None:
            return self.cut
        margin = max(_BORDER[0], _BORDER[1] * max(self.width, self.height))
        low, high = self.boxes[:, :2] <= margin, self.boxes[:, 2:] >= np.array([self.width, self.height]) - margin
        return np.concatenate([low, high], axis=1)

    def subset(self, chosen: Mask | Ints) -> BoxTracks:
        """Return the boxes that a mask (N,) or indices select."""
        return BoxTracks(
            self.times[chosen], self.ids[chosen], self.boxes[chosen], self.width, self.height, self.sides_cut[chosen]
        )

    def looks(self, seconds: float) -> BoxTracks:
        """Return the mean of every track's boxes, and of their times, in every stretch of ``seconds``.

        One box errs much and its neighbours err alike: their mean says almost as much as all, and costs less.
        A side is cut when it is in any of them. Sorted by time.
        """
        if not len(self):
            return self
        keys = np.column_stack([np.floor(self.times / seconds).astype(np.int64), self.ids])
        _, group, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        group = group.reshape(-1)

        def mean(values: Array) -> Array:
            sums = np.zeros((len(counts), *values.shape[1:]))
            np.add.at(sums, group, values)
            return sums / counts.reshape(-1, *[1] * (values.ndim - 1))

        ids, cut = np.zeros(len(counts), np.int64), np.zeros((len(counts), 4), bool)
        ids[group] = self.ids
        np.logical_or.at(cut, group, self.sides_cut)
        return BoxTracks(mean(self.times), ids, mean(self.boxes), self.width, self.height, cut)
