"""Zones and counting lines at work: who enters, stays, leaves and crosses, in all views."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.cross_camera.events import Event
from tracker.errors import InputError
from tracker.floor.pipeline import FLOOR
from tracker.zones.definitions import ZoneDefinitions
from tracker.zones.ledger import Crossing, Ledger, Totals, Visit, joined_visits
from tracker.zones.presence import ViewPresence
from tracker.zones.shapes import feet

__all__ = ["ZoneSet"]

_MOST_TRACKS = 20_000


class ZoneSet:
    """Counts people in zones and across lines, by identity; those without one by their track.

    Feet are the middle of a box's lower side. Give it what every frame shows (``observe``, or ``observe_floor``), also
    when nobody is there, and the events of identities (``correct``), so that what it remembers says who it was as is
    known now. Memory is bounded however long it runs.

    Args:
        definitions: the zones and lines.
        image_margin: hysteresis in images, as a share of the image's height.
        floor_margin: hysteresis on the floor, metres.
        gap_seconds: who was not seen for so long has gone.
        remembered: visits that are over, and crossings, that are remembered singly; older ones only in ``totals``.

    Raises:
        InputError: a margin, gap or number that cannot be.
    """

    def __init__(
        self,
        definitions: ZoneDefinitions,
        *,
        image_margin: float = 0.015,
        floor_margin: float = 0.15,
        gap_seconds: float = 2.0,
        remembered: int = 20_000,
    ) -> None:
        for name, value in (("image_margin", image_margin), ("floor_margin", floor_margin), ("gap", gap_seconds)):
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name} is {value:g}; give 0 or more")
        if remembered < 1:
            raise InputError(f"remembered is {remembered}; give at least 1")
        self.definitions = definitions
        self._image_margin = image_margin
        self._floor_margin = floor_margin
        self._gap = gap_seconds
        self._ledger = Ledger(remembered)
        self._views: dict[str, ViewPresence] = {}
        self._floor: ViewPresence | None = None
        self._names = _TrackIdentities()

    def observe(
        self,
        camera: str,
        time: float,
        tracks: ArrayLike,
        identities: ArrayLike,
        boxes: ArrayLike,
        size: tuple[int, int],
    ) -> list[Event]:
        """Take in what one camera's frame shows; return what happened in it.

        Args:
            camera: its name.
            time: seconds, not earlier than the camera's frame before.
            tracks: (N,) numbers.
            identities: (N,) numbers, below 1: none yet.
            boxes: (N, 4) ``x1, y1, x2, y2`` pixels.
            size: width and height of the image in pixels; another than before begins anew.

        Returns:
            Events ``zone_entered``, ``zone_left`` and ``line_crossed``.
        """
        width, height = size
        view = self._views.get(camera)
        events: list[Event] = []
        if view is None or view.aspect != width / height:
            events = [] if view is None else view.forget()
            view = self._views[camera] = ViewPresence(
                camera,
                [zone for zone in self.definitions.zones if zone.camera == camera],
                [line for line in self.definitions.lines if line.camera == camera],
                self._ledger,
                aspect=width / height,
                margin=self._image_margin,
                gap_seconds=self._gap,
            )
        return events + view.observe(time, _numbers(tracks), _numbers(identities), feet(boxes, height))

    def observe_floor(self, time: float, tracks: ArrayLike, identities: ArrayLike, positions: ArrayLike) -> list[Event]:
        """Take in where people are on the floor at one instant, (N, 2) metres; otherwise as ``observe``."""
        if self._floor is None:
            self._floor = ViewPresence(
                FLOOR,
                [zone for zone in self.definitions.zones if zone.camera is None],
                [line for line in self.definitions.lines if line.camera is None],
                self._ledger,
                aspect=1.0,
                margin=self._floor_margin,
                gap_seconds=self._gap,
                upwards=True,
            )
        points = np.asarray(positions, np.float64).reshape(-1, 2)
        return self._floor.observe(time, _numbers(tracks), _numbers(identities), points)

    def correct(self, events: Iterable[Event]) -> None:
        """Take in what was found out about who tracks are, for what is remembered."""
        touched = self._names.add(events)
        if not touched:
            return
        views = {view for view, _ in touched} | ({FLOOR} if self._floor else set()) | set(self._views)
        # What is said of the floor holds in every camera.
        tracks = {(other, track) for view, track in touched for other in (views if view == FLOOR else (view,))}
        self._ledger.rename(tracks, self._names.identity_at)

    def redefine(self, definitions: ZoneDefinitions) -> list[Event]:
        """Go on with other zones and lines; visits that go on are ended, and begin anew where the zone is still there.

        What is remembered stays.
        """
        events = self.finish()
        self.definitions = definitions
        self._views, self._floor = {}, None
        return events

    def finish(self) -> list[Event]:
        """Nobody will be seen any more: end all visits."""
        views = [*self._views.values(), *([self._floor] if self._floor else [])]
        return [event for view in views for event in view.forget()]

    def occupancy(self) -> dict[str, int]:
        """Return how many people are in each zone now."""
        return {zone.name: self._ledger.occupancy(zone.name) for zone in self.definitions.zones}

    def totals(self) -> dict[str, Totals]:
        """Return the counts of each zone and line since the beginning."""
        return {place.name: self._ledger.totals(place.name) for place in self.definitions.places}

    def visits(self) -> list[Visit]:
        """Return the remembered visits in the order of their beginnings, one for each stay of a person."""
        return joined_visits(self._ledger.visits(), self._gap)

    def crossings(self) -> list[Crossing]:
        """Return the remembered crossings in the order of time."""
        return self._ledger.crossings()


class _TrackIdentities:
    """Who tracks are from when on, as events tell; of so many tracks, those told of last."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[tuple[str, int], dict[float, int]] = OrderedDict()

    def add(self, events: Iterable[Event]) -> set[tuple[str, int]]:
        """Take in events; return the tracks (view, track) of which they say something."""
        touched = set()
        for event in events:
            if event.kind not in ("identity_assigned", "identity_corrected"):
                continue
            if event.camera is None or event.track is None or event.identity is None:
                continue
            key = (event.camera, event.track)
            since = event.time if event.since is None else event.since
            self._pieces.setdefault(key, {})[since] = event.identity
            self._pieces.move_to_end(key)
            touched.add(key)
        while len(self._pieces) > _MOST_TRACKS:
            self._pieces.popitem(last=False)
        return touched

    def identity_at(self, view: str, track: int, time: float) -> int | None:
        """Return who a track was at ``time`` seconds; ``None`` when nothing was said of it."""
        pieces = self._pieces.get((view, track)) or self._pieces.get((FLOOR, track))
        if not pieces:
            return None
        begins = sorted(pieces)
        place = bisect_right(begins, time + 1e-6)
        return pieces[begins[place - 1]] if place else 0


def _numbers(values: ArrayLike) -> Sequence[int]:
    numbers: NDArray[np.int64] = np.asarray(values, np.int64).reshape(-1)
    values_: list[int] = numbers.tolist()
    return values_
