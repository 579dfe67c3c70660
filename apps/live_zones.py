"""Zones and counting lines of a live run: counted as it goes, drawn anew at any time, kept for the next start."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from numpy.typing import NDArray

from tracker.cross_camera.events import Event
from tracker.errors import InputError
from tracker.storage.atomic import output_error
from tracker.zones.definitions import LineDefinition, ZoneDefinition, ZoneDefinitions, read_zones, write_zones
from tracker.zones.ledger import Visit
from tracker.zones.reports import IntervalCount, interval_counts
from tracker.zones.zone_set import ZoneSet

__all__ = ["LiveZones", "read_kept_zones"]


def read_kept_zones(path: Path) -> ZoneDefinitions:
    """Return the zones and lines of a file; none when there is no such file, or it holds empty lists.

    Raises:
        InputError: it cannot be used.
    """
    if not path.exists():
        return ZoneDefinitions()
    with contextlib.suppress(OSError, UnicodeDecodeError, ValueError, yaml.YAMLError):
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
        if content == {"zones": [], "lines": []}:
            return ZoneDefinitions()
    return read_zones(path)


class LiveZones:
    """Counts people in zones and over lines; any thread may ask and draw.

    Args:
        path: where definitions are kept; read now.
        cameras: names of all.
        on_floor: whether people are followed on the floor.
        began: when the run did, seconds since 1970.

    Raises:
        InputError: the file cannot be used, or not with these cameras.
    """

    def __init__(self, path: Path, cameras: Collection[str], *, on_floor: bool, began: float) -> None:
        self._path = path
        self._cameras, self._on_floor = list(cameras), on_floor
        self._began = began
        definitions = read_kept_zones(path)
        try:
            self._check(definitions)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        self._zones = ZoneSet(definitions)
        self._lock = threading.Lock()

    @property
    def definitions(self) -> ZoneDefinitions:
        """What is counted now."""
        with self._lock:
            return self._zones.definitions

    def redefine(self, definitions: ZoneDefinitions) -> list[Event]:
        """Count others from now on, and keep them; return what ended with it.

        Raises:
            InputError: they do not fit these cameras, or cannot be written.
        """
        self._check(definitions)
        try:
            write_zones(self._path, definitions)
        except OSError as error:
            raise output_error(self._path, error) from error
        with self._lock:
            return self._zones.redefine(definitions)

    def observe(self, camera: str, time: float, tracks: NDArray[Any], identities: NDArray[Any], boxes: NDArray[Any],
                size: tuple[int, int]) -> list[Event]:  # fmt: skip
        """Take in a camera's frame, see :meth:`ZoneSet.observe`."""
        with self._lock:
            if not any(place.camera == camera for place in self._zones.definitions.places):
                return []
            return self._zones.observe(camera, time, tracks, identities, boxes, size)

    def observe_floor(
        self, time: float, tracks: NDArray[Any], identities: NDArray[Any], positions: NDArray[Any]
    ) -> list[Event]:
        """Take in where people are on the floor, see :meth:`ZoneSet.observe_floor`."""
        with self._lock:
            if not any(place.camera is None for place in self._zones.definitions.places):
                return []
            return self._zones.observe_floor(time, tracks, identities, positions)

    def correct(self, events: Iterable[Event]) -> None:
        """Take in what was found out about who tracks are."""
        with self._lock:
            self._zones.correct(events)

    def visits(self) -> list[Visit]:
        """Return the remembered visits, in the order of their beginnings."""
        with self._lock:
            return self._zones.visits()

    def counts(self, time: float) -> dict[str, Any]:
        """Return what was counted so far, at ``time`` seconds since 1970, ready for JSON."""
        with self._lock:
            definitions, totals, occupancy = self._zones.definitions, self._zones.totals(), self._zones.occupancy()
        zones, lines = [], []
        for place in definitions.places:
            total = totals[place.name]
            if isinstance(place, ZoneDefinition):
                dwell = round(total.dwell_seconds / total.left, 3) if total.left else None
                zones.append({
                    "name": place.name, "camera": place.camera, "occupancy": occupancy[place.name],
                    "entered": total.entered, "left": total.left, "dwell_mean": dwell,
                })  # fmt: skip
            elif isinstance(place, LineDefinition):
                lines.append({
                    "name": place.name, "camera": place.camera, "forward": total.forward, "backward": total.backward,
                })  # fmt: skip
        return {"time": time, "zones": zones, "lines": lines}

    def table(self, interval: float, time: float) -> list[IntervalCount]:
        """Return counts by intervals of so many seconds, from the beginning of what is remembered to ``time``.

        Raises:
            InputError: an interval that cannot be.
        """
        with self._lock:
            definitions, visits, crossings = self._zones.definitions, self._zones.visits(), self._zones.crossings()
        moments = [visit.entered for visit in visits] + [crossing.time for crossing in crossings]
        begin = min(moments, default=self._began)
        counts: Sequence[IntervalCount] = interval_counts(
            definitions, visits, crossings, interval=interval, begin=begin, end=max(time, begin)
        )
        return list(counts)

    def finish(self) -> list[Event]:
        """End all visits."""
        with self._lock:
            return self._zones.finish()

    def _check(self, definitions: ZoneDefinitions) -> None:
        definitions.check_cameras(self._cameras, on_floor=self._on_floor)
