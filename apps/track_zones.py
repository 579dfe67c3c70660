"""Zones and counting lines of ``multicam track``: events as it goes, tables with the final identities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.output_folder import OutputFolder
from tracker.errors import InputError
from tracker.storage.floor_results import FloorSpool
from tracker.storage.results import ObservationSpool
from tracker.video.cameras import CameraSettings
from tracker.zones.definitions import ZoneDefinitions, read_zones
from tracker.zones.reports import interval_counts, write_interval_counts, write_visits
from tracker.zones.zone_set import ZoneSet

__all__ = ["ZONE_FILES", "ZoneCounter", "check_zones"]

#: what a run with zones writes
ZONE_FILES = ("zones.csv", "visits.csv")
#: visits and crossings that the tables hold
_REMEMBERED = 1_000_000

#: ``identity_of(tracks (N,) int64, times (N,) float64 seconds) -> (N,) int64``
_IdentityOf = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.int64]]


def check_zones(
    path: Path | None, interval: float, cameras: Sequence[CameraSettings], *, on_floor: bool
) -> ZoneDefinitions | None:
    """Return the zones of a file, ``None`` without one.

    Raises:
        InputError: they cannot be used, or not with these cameras.
    """
    if path is None:
        return None
    definitions = read_zones(path)
    definitions.check_cameras([camera.name for camera in cameras], on_floor=on_floor)
    # Shows now and not hours later.
    interval_counts(definitions, [], [], interval=interval, begin=0, end=interval)
    return definitions


class ZoneCounter:
    """What happens in zones while a run goes, and once more with what is known at its end.

    Args:
        definitions: the zones and lines.
        interval: seconds of the rows of ``zones.csv``.
    """

    def __init__(self, definitions: ZoneDefinitions, interval: float) -> None:
        self.live = ZoneSet(definitions)
        self._interval = interval
        self._sizes: dict[int, tuple[int, int]] = {}
        self._begin, self._end = np.inf, -np.inf

    def begin_again(self) -> None:
        """Forget what happened so far, before it is told anew."""
        self.live = ZoneSet(self.live.definitions)

    def see(self, camera: int, name: str, time: float, size: tuple[int, int] | None) -> tuple[int, int] | None:
        """Note a frame of a camera; return its width and height if something lies on its image.

        Args:
            camera: its index.
            name: its name.
            time: seconds.
            size: width and height in pixels, ``None`` when unknown.

        Raises:
            InputError: something lies on its image, and its size is not known.
        """
        self._begin, self._end = min(self._begin, time), max(self._end, time)
        if not any(place.camera == name for place in self.live.definitions.places):
            return None
        size = size or self._sizes.get(camera)
        if size is None:
            raise InputError(
                f"camera {name!r} has zones, but neither images nor a known size: give its video or its images"
            )
        self._sizes[camera] = size
        return size

    def write(
        self,
        folder: OutputFolder,
        names: Sequence[str],
        spool: ObservationSpool,
        identity_of: Callable[[int, NDArray[np.int64], NDArray[np.float64]], NDArray[np.int64]],
        floor: FloorSpool | None,
        identity_on_floor: _IdentityOf,
    ) -> None:
        """Write ``zones.csv`` and ``visits.csv`` from all observations, with final identities.

        Args:
            folder: takes the files.
            names: of the cameras.
            spool, floor: what was observed in images, and on the floor.
            identity_of, identity_on_floor: the final identity of each track at each time.
        """
        definitions = self.live.definitions
        zones = ZoneSet(definitions, remembered=_REMEMBERED)
        nobody = np.zeros(0, np.int64)
        begin, end = (self._begin, self._end) if np.isfinite(self._begin) else (0.0, 0.0)
        for camera, size in sorted(self._sizes.items()):

            def in_image(
                tracks: NDArray[np.int64], times: NDArray[np.float64], camera: int = camera
            ) -> NDArray[np.int64]:
                return identity_of(camera, tracks, times)

            for records, identities in _instants(spool.chunks(camera), in_image):
                time = float(records["time"][0])
                zones.observe(names[camera], time, records["track"], identities, records["box"], size)
            zones.observe(names[camera], end, nobody, nobody, np.zeros((0, 4)), size)
        if floor is not None:
            for records, identities in _instants(floor.records(), identity_on_floor):
                zones.observe_floor(float(records["time"][0]), records["track"], identities, records["place"])
            zones.observe_floor(end, nobody, nobody, np.zeros((0, 2)))
        visits = zones.visits()
        counts = interval_counts(definitions, visits, zones.crossings(), interval=self._interval, begin=begin, end=end)
        write_interval_counts(folder.file("zones.csv"), counts)
        write_visits(folder.file("visits.csv"), visits)


def _instants(
    chunks: Iterator[NDArray[np.void]], identity_of: _IdentityOf
) -> Iterator[tuple[NDArray[np.void], NDArray[np.int64]]]:
    """Yield records instant by instant with their identities; what belongs together may lie in two chunks."""
    rest: NDArray[np.void] | None = None
    for chunk in chunks:
        records = chunk if rest is None else np.concatenate([rest, chunk])
        begins = np.flatnonzero(np.diff(records["time"])) + 1
        last = int(begins[-1]) if len(begins) else 0
        rest = records[last:]
        yield from _split(records[:last], begins[:-1], identity_of)
    if rest is not None and len(rest):
        yield from _split(rest, np.zeros(0, np.intp), identity_of)


def _split(
    records: NDArray[np.void], begins: NDArray[np.intp], identity_of: _IdentityOf
) -> Iterator[tuple[NDArray[np.void], NDArray[np.int64]]]:
    if not len(records):
        return
    # Copies, since a field of packed records is not aligned.
    tracks, times = np.ascontiguousarray(records["track"]), np.ascontiguousarray(records["time"])
    identities = identity_of(tracks, times)
    bounds = [0, *begins.tolist(), len(records)]
    for begin, end in pairwise(bounds):
        yield records[begin:end], identities[begin:end]
