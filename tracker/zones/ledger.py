"""What happened in zones and on lines: visits and crossings, the latest of them in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Crossing", "Direction", "Ending", "Ledger", "Totals", "Visit", "joined_visits"]

Direction = Literal["forward", "backward"]
Ending = Literal["open", "left", "lost"]


@dataclass(slots=True)
class Visit:
    """One stay of one person in one zone.

    Args:
        zone: its name.
        view: the camera, or ``floor``.
        track: whose track entered.
        identity: who it is; 0: not identified.
        entered: seconds.
        left: seconds, when the person was last seen in the zone where the visit is over or not.
        ending: ``open``: still there; ``left``: walked out; ``lost``: not seen any more.
    """

    zone: str
    view: str
    track: int
    identity: int
    entered: float
    left: float
    ending: Ending = "open"

    @property
    def seconds(self) -> float:
        """How long it lasted, or has lasted."""
        return max(self.left - self.entered, 0.0)


@dataclass(slots=True)
class Crossing:
    """One crossing of one line by one person at ``time`` seconds; other fields as in ``Visit``."""

    line: str
    view: str
    track: int
    identity: int
    time: float
    direction: Direction


@dataclass(slots=True)
class Totals:
    """Counts of one zone or line since the beginning, of what is not remembered singly too."""

    entered: int = 0
    left: int = 0
    dwell_seconds: float = 0.0
    forward: int = 0
    backward: int = 0


class Ledger:
    """The latest visits and crossings, and what became of the older ones in numbers.

    Args:
        remembered: visits that are over, and crossings, at most so many of each.
    """

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._open: dict[int, Visit] = {}
        self._closed: deque[Visit] = deque()
        self._crossings: deque[Crossing] = deque()
        self._forgotten: dict[str, Totals] = {}

    def open(self, visit: Visit) -> None:
        """Take in a visit that begins."""
        self._open[id(visit)] = visit

    def close(self, visit: Visit, time: float, ending: Ending) -> None:
        """A visit is over at ``time`` seconds."""
        visit.left, visit.ending = time, ending
        del self._open[id(visit)]
        self._closed.append(visit)
        if len(self._closed) > self._remembered:
            old = self._closed.popleft()
            totals = self._forgotten.setdefault(old.zone, Totals())
            totals.entered += 1
            totals.left += 1
            totals.dwell_seconds += old.seconds

    def discard(self, visit: Visit) -> None:
        """An open visit turned out to be a part of another."""
        del self._open[id(visit)]

    def cross(self, crossing: Crossing) -> None:
        """Take in a crossing."""
        self._crossings.append(crossing)
        if len(self._crossings) > self._remembered:
            old = self._crossings.popleft()
            totals = self._forgotten.setdefault(old.line, Totals())
            totals.forward += old.direction == "forward"
            totals.backward += old.direction == "backward"

    def rename(self, tracks: Iterable[tuple[str, int]], identity_at: Callable[[str, int, float], int | None]) -> None:
        """Look the identities of some tracks up again; ``None`` leaves one as it is.

        Args:
            tracks: (view, track) of each.
            identity_at: of view, track and seconds.
        """
        wanted = set(tracks)
        for visit in (*self._closed, *self._open.values()):
            if (visit.view, visit.track) in wanted:
                identity = identity_at(visit.view, visit.track, visit.entered)
                visit.identity = visit.identity if identity is None else identity
        for crossing in self._crossings:
            if (crossing.view, crossing.track) in wanted:
                identity = identity_at(crossing.view, crossing.track, crossing.time)
                crossing.identity = crossing.identity if identity is None else identity

    def visits(self) -> list[Visit]:
        """Return copies of the remembered visits as they are, in the order of their beginnings."""
        visits = [replace(visit) for visit in (*self._closed, *self._open.values())]
        return sorted(visits, key=lambda visit: (visit.entered, visit.zone, visit.track))

    def crossings(self) -> list[Crossing]:
        """Return copies of the remembered crossings, in the order of time."""
        return sorted((replace(crossing) for crossing in self._crossings), key=lambda crossing: crossing.time)

    def occupancy(self, zone: str) -> int:
        """Return how many people are in a zone now."""
        return sum(visit.zone == zone for visit in self._open.values())

    def totals(self, place: str) -> Totals:
        """Return the counts of a zone or line since the beginning."""
        result = replace(self._forgotten.get(place, Totals()))
        for visit in (*self._closed, *self._open.values()):
            if visit.zone == place:
                over = visit.ending != "open"
                result.entered += 1
                result.left += over
                result.dwell_seconds += visit.seconds if over else 0.0
        for crossing in self._crossings:
            if crossing.line == place:
                result.forward += crossing.direction == "forward"
                result.backward += crossing.direction == "backward"
        return result


def joined_visits(visits: Iterable[Visit], gap_seconds: float) -> list[Visit]:
    """Return visits with those of one person made one that follow each other within ``gap_seconds``.

    A track that broke in the middle of a visit leaves two; that they are of one person may be known only later.

    Args:
        visits: in the order of their beginnings; they stay as they are.
        gap_seconds: from the end of one to the beginning of the next.
    """
    result: list[Visit] = []
    latest: dict[tuple[str, str, int], Visit] = {}
    for visit in visits:
        key = (visit.zone, visit.view, visit.identity)
        before = latest.get(key) if visit.identity > 0 else None
        if before is not None and visit.entered - before.left <= gap_seconds:
            if visit.left >= before.left:
                before.left, before.ending = visit.left, visit.ending
            continue
        latest[key] = replace(visit)
        result.append(latest[key])
    return result
