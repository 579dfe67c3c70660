"""Who is in which zone of one view, and on which side of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.events import Event
from tracker.zones.definitions import LineDefinition, ZoneDefinition
from tracker.zones.ledger import Crossing, Direction, Ending, Ledger, Visit
from tracker.zones.shapes import line_offsets, paths_cross

__all__ = ["ViewPresence"]

Array = NDArray[np.float64]


@dataclass(slots=True)
class _Person:
    """Somebody in a view: an identity, or a track that has none yet.

    Of each line ``sides`` holds the side (−1 or 1) on which the person was clearly seen last, 0 before, ``anchors``
    where that was; and ``first_…`` the same of the first time.
    """

    identity: int
    track: int
    first_seen: float
    last_seen: float
    sides: NDArray[np.int8]
    anchors: Array
    first_sides: NDArray[np.int8]
    first_anchors: Array
    tracks: set[int] = field(default_factory=set)
    visits: dict[int, Visit] = field(default_factory=dict)


class ViewPresence:
    """People in the zones and beside the lines of one view: an image, or the floor.

    Somebody is in a zone as soon as the feet are inside, and until they are farther outside than ``margin``; on the
    other side of a line as soon as they are farther beyond it than ``margin``. So whoever lingers on a border or on a
    line enters, leaves or crosses once. A crossing counts where the way from one side to the other goes through the
    line, and not past its ends.

    What is known goes with the identity from one track to the next, if the gap is not longer than ``gap_seconds``.

    Args:
        view: the camera's name, or ``floor``.
        zones, lines: of this view.
        ledger: takes visits and crossings.
        aspect: width over height of the image; 1 on the floor.
        margin: heights of the image, or metres.
        gap_seconds: who was not seen for so long is gone.
        upwards: y grows upwards, as on the floor.
    """

    def __init__(
        self,
        view: str,
        zones: Sequence[ZoneDefinition],
        lines: Sequence[LineDefinition],
        ledger: Ledger,
        *,
        aspect: float,
        margin: float,
        gap_seconds: float,
        upwards: bool = False,
    ) -> None:
        self.view = view
        self.aspect = aspect
        self._names = [zone.name for zone in zones]
        self._shapes = [zone.shape(aspect) for zone in zones]
        self._lines = [line.name for line in lines]
        scale = np.array([aspect, 1.0])
        self._starts = np.array([line.start for line in lines], np.float64).reshape(-1, 2) * scale
        self._ends = np.array([line.end for line in lines], np.float64).reshape(-1, 2) * scale
        self._ledger = ledger
        self._margin = margin
        self._gap = gap_seconds
        self._right = -1.0 if upwards else 1.0
        #: people by identity, or by −1 − track
        self._people: dict[int, _Person] = {}
        self._key_of: dict[int, int] = {}

    def observe(self, time: float, tracks: Sequence[int], identities: Sequence[int], points: Array) -> list[Event]:
        """Take in who is where at one instant; return what happened.

        Args:
            time: seconds, not earlier than the one before.
            tracks: N numbers.
            identities: N numbers, below 1: none yet.
            points: (N, 2) of the feet, heights of the image or metres.
        """
        if not self._names and not self._lines:
            return []
        events = self.forget(time - self._gap)
        if not tracks:
            return events
        outside = np.array([shape.distance(points) for shape in self._shapes]).reshape(-1, len(points)).T
        offsets = line_offsets(points, self._starts, self._ends) * self._right
        for row, (track, identity) in enumerate(zip(tracks, identities, strict=True)):
            person, bridged = self._person(track, identity, time)
            events += bridged
            person.last_seen = time
            events += self._cross(person, time, points[row], offsets[row])
            events += self._visit(person, time, outside[row])
        return events

    def forget(self, before: float = np.inf) -> list[Event]:
        """End the visits of those last seen before ``before`` seconds, and forget them."""
        events: list[Event] = []
        for key in [key for key, person in self._people.items() if person.last_seen < before]:
            person = self._people.pop(key)
            events += [self._end(person, zone, person.last_seen, "lost") for zone in sorted(person.visits)]
            for track in person.tracks:
                self._key_of.pop(track, None)
        return events

    def _person(self, track: int, identity: int, time: float) -> tuple[_Person, list[Event]]:
        """Return whose track it is, and what follows from that if it was not known before."""
        identity = max(identity, 0)
        key = identity or -1 - track
        previous = self._key_of.get(track)
        events: list[Event] = []
        if previous is not None and previous != key:
            person = self._people[previous]
            person.tracks.discard(track)
            if not person.tracks:
                # What the track did goes to whom it belongs now.
                del self._people[previous]
                events = self._hand_over(person, key, identity, track)
        self._key_of[track] = key
        if key not in self._people:
            count = len(self._lines)
            self._people[key] = _Person(
                identity, track, time, time, np.zeros(count, np.int8), np.zeros((count, 2)), np.zeros(count, np.int8),
                np.zeros((count, 2)),
            )  # fmt: skip
        person = self._people[key]
        person.track = track
        person.tracks.add(track)
        return person, events

    def _hand_over(self, person: _Person, key: int, identity: int, track: int) -> list[Event]:
        person.identity = identity
        for visit in person.visits.values():
            visit.identity = identity
        known = self._people.get(key)
        if known is None:
            self._people[key] = person
            return []
        events: list[Event] = []
        changed = (known.sides != 0) & (person.first_sides != 0) & (known.sides != person.first_sides)
        if known.last_seen < person.first_seen and changed.any():
            # The line lies between where one track ended and where the next began.
            crossed = changed & paths_cross(known.anchors, person.first_anchors, self._starts, self._ends)
            events = [
                self._crossed(known, int(line), person.first_seen, int(person.first_sides[line]), track)
                for line in np.flatnonzero(crossed)
            ]
        seen = person.sides != 0
        known.sides[seen], known.anchors[seen] = person.sides[seen], person.anchors[seen]
        for zone, visit in person.visits.items():
            if zone in known.visits:
                self._ledger.discard(visit)
            else:
                known.visits[zone] = visit
        return events

    def _cross(self, person: _Person, time: float, point: Array, offsets: Array) -> list[Event]:
        clear = np.abs(offsets) > self._margin
        if not clear.any():
            return []
        sides = np.where(clear, np.sign(offsets), person.sides).astype(np.int8)
        changed = clear & (sides != person.sides)
        events: list[Event] = []
        if changed.any():
            known = changed & (person.sides != 0)
            crossed = known & paths_cross(
                person.anchors, np.broadcast_to(point, person.anchors.shape), self._starts, self._ends
            )
            events = [
                self._crossed(person, int(line), time, int(sides[line]), person.track)
                for line in np.flatnonzero(crossed)
            ]
            new = changed & (person.first_sides == 0)
            person.first_sides[new], person.first_anchors[new] = sides[new], point
        person.sides = sides
        person.anchors[clear] = point
        return events

    def _crossed(self, person: _Person, line: int, time: float, side: int, track: int) -> Event:
        direction: Direction = "forward" if side > 0 else "backward"
        name = self._lines[line]
        self._ledger.cross(Crossing(name, self.view, track, person.identity, time, direction))
        return Event("line_crossed", time, self.view, track, person.identity or None, place=name, direction=direction)

    def _visit(self, person: _Person, time: float, outside: Array) -> list[Event]:
        events: list[Event] = []
        for zone, distance in enumerate(outside.tolist()):
            visit = person.visits.get(zone)
            if visit is None:
                if distance == 0:
                    visit = Visit(self._names[zone], self.view, person.track, person.identity, time, time)
                    person.visits[zone] = visit
                    self._ledger.open(visit)
                    events.append(
                        Event("zone_entered", time, self.view, person.track, person.identity or None, place=visit.zone)
                    )
            elif distance > self._margin:
                events.append(self._end(person, zone, time, "left"))
            else:
                visit.left = time
        return events

    def _end(self, person: _Person, zone: int, time: float, ending: Ending) -> Event:
        visit = person.visits.pop(zone)
        self._ledger.close(visit, time, ending)
        return Event("zone_left", time, self.view, person.track, person.identity or None, place=visit.zone)
