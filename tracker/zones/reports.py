"""Counts of zones and lines by interval, and visits, as tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.storage.atomic import atomic_path
from tracker.zones.definitions import ZoneDefinition, ZoneDefinitions
from tracker.zones.ledger import Crossing, Visit

__all__ = ["IntervalCount", "interval_counts", "occupancy_steps", "write_interval_counts", "write_visits"]

_MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class IntervalCount:
    """What happened at one zone or line in one interval; what does not apply to it is ``None``.

    Args:
        place: name of the zone or line.
        kind: ``zone`` or ``line``.
        camera: ``None`` on the floor.
        begin, end: of the interval, seconds.
        entered, left: visits that began, and that ended, in it.
        occupancy_mean, occupancy_peak: people in the zone, averaged over the interval, and at most.
        dwell_mean: seconds that the visits that ended in it had lasted.
        forward, backward: crossings.
    """

    place: str
    kind: str
    camera: str | None
    begin: float
    end: float
    entered: int | None = None
    left: int | None = None
    occupancy_mean: float | None = None
    occupancy_peak: int | None = None
    dwell_mean: float | None = None
    forward: int | None = None
    backward: int | None = None


def occupancy_steps(visits: Sequence[Visit]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return how many visits go on over time: from each of the times (T,) on, seconds ascending, so many (T,).

    Who leaves at the moment another enters makes room first.
    """
    times = np.array([visit.entered for visit in visits] + [visit.left for visit in visits], np.float64)
    changes = np.repeat([1, -1], len(visits))
    order = np.lexsort([changes, times])
    return times[order], np.cumsum(changes[order]).astype(np.int64)


def interval_counts(
    definitions: ZoneDefinitions,
    visits: Iterable[Visit],
    crossings: Iterable[Crossing],
    *,
    interval: float,
    begin: float,
    end: float,
) -> list[IntervalCount]:
    """Return the counts of each zone and line, interval after interval, also where nothing happened.

    Args:
        definitions: the zones and lines.
        visits, crossings: what happened.
        interval: seconds; intervals begin at multiples of it.
        begin, end: seconds between which people were looked for; the first and the last interval are cut there.

    Raises:
        InputError: an interval that is not positive, or so short that the table would be endless.
    """
    if not (math.isfinite(interval) and interval > 0):
        raise InputError(f"the interval of counts is {interval:g} s; give seconds above 0")
    first, last = math.floor(begin / interval), max(math.ceil(end / interval), math.floor(begin / interval) + 1)
    count = last - first
    if count * len(definitions.places) > _MOST_ROWS:
        raise InputError(f"the interval of counts is {interval:g} s: {count} rows for each zone; give a longer one")
    edges = np.clip(np.arange(first, last + 1) * interval, begin, max(begin, end))
    visits, crossings = list(visits), list(crossings)
    rows: list[IntervalCount] = []
    for place in definitions.places:
        if isinstance(place, ZoneDefinition):
            rows += _zone_rows(place, [visit for visit in visits if visit.zone == place.name], edges)
        else:
            mine = [crossing for crossing in crossings if crossing.line == place.name]
            forward, backward = (
                _per_interval([one.time for one in mine if one.direction == direction], edges)
                for direction in ("forward", "backward")
            )
            rows += [
                IntervalCount(place.name, "line", place.camera, *bounds, forward=ahead, backward=back)
                for bounds, ahead, back in zip(_bounds(edges), forward.tolist(), backward.tolist(), strict=True)
            ]
    return rows


def _zone_rows(zone: ZoneDefinition, visits: list[Visit], edges: NDArray[np.float64]) -> list[IntervalCount]:
    over = [visit for visit in visits if visit.ending != "open"]
    entered = _per_interval([visit.entered for visit in visits], edges)
    left = _per_interval([visit.left for visit in over], edges)
    dwell = np.zeros(len(edges) - 1)
    np.add.at(dwell, _interval_of([visit.left for visit in over], edges), [visit.seconds for visit in over])
    times, occupied = occupancy_steps(visits)
    rows = []
    for number, (begin, end) in enumerate(_bounds(edges)):
        start, stop = np.searchsorted(times, [begin, end], side="right")
        before = int(occupied[start - 1]) if start else 0
        inside = np.clip(times[start:stop], begin, end)
        levels = np.concatenate([[before], occupied[start:stop]])
        lengths = np.diff(np.concatenate([[begin], inside, [end]]))
        mean = float((levels * lengths).sum() / (end - begin)) if end > begin else float(levels[-1])
        ended = int(left[number])
        rows.append(
            IntervalCount(
                zone.name, "zone", zone.camera, begin, end, int(entered[number]), ended, round(mean, 3),
                int(levels.max()), round(float(dwell[number]) / ended, 3) if ended else None,
            )
        )  # fmt: skip
    return rows


def _interval_of(times: Sequence[float], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    # What happens at the very end belongs to the last interval.
    return np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2)


def _per_interval(times: Sequence[float], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.bincount(_interval_of(times, edges), minlength=len(edges) - 1)


def _bounds(edges: NDArray[np.float64]) -> list[tuple[float, float]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def write_interval_counts(path: str | Path, counts: Iterable[IntervalCount]) -> None:
    """Write counts as CSV under a header; what does not apply is an empty field. Complete or not at all."""
    header = [field.name for field in fields(IntervalCount)]
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows([_rounded(value) for value in astuple(count)] for count in counts)


def write_visits(path: str | Path, visits: Iterable[Visit]) -> None:
    """Write visits as CSV: zone, view, identity (empty: none), track, entered, left, seconds and how each ended."""
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["zone", "view", "identity", "track", "entered", "left", "seconds", "ending"])
        for visit in visits:
            table.writerow([
                visit.zone, visit.view, visit.identity if visit.identity > 0 else "", visit.track,
                _rounded(visit.entered), _rounded(visit.left), _rounded(visit.seconds), visit.ending,
            ])  # fmt: skip


def _rounded(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value
