"""A live run as others use it: start, stop, and what there is to see and to change, from any thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from apps import live_people
from apps.build import check_tracker, on_the_floor
from apps.live_crops import CropChooser
from apps.live_events import EventFile, EventRing
from apps.live_floor import floor_description, floor_path
from apps.live_loop import LiveLoop, RunParts
from apps.live_meter import ProcessingMeter
from apps.live_people import event_of
from apps.live_pipeline import Pipeline, build_live_pipeline
from apps.live_search import search_photo
from apps.live_settings import LiveSettings
from apps.live_status import run_status
from apps.live_store import Retention, open_live_store
from apps.live_views import LiveView
from apps.live_zones import LiveZones
from tracker.cross_camera.earlier_runs import LONG_AGO
from tracker.errors import InputError
from tracker.floor.pipeline import FloorPipeline
from tracker.storage.store_reader import StoreReader
from tracker.storage.store_recorder import StoreRecorder
from tracker.storage.track_store import TrackStore
from tracker.video.cameras import cameras_and_transitions, entries_from_sources
from tracker.video.live_capture import LiveCapture
from tracker.video.privacy import PrivacyFilter
from tracker.video.streams import wall_clock
from tracker.zones.definitions import ZoneDefinitions
from tracker.zones.ledger import Visit
from tracker.zones.reports import IntervalCount

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LiveEngine"]

#: seconds that the last step and the last settlement may take when the run is closed
_CLOSE_SECONDS = 2.5
#: pictures of people who are there are looked up in the store this often, seconds
_CROPS_SECONDS = 2.0


class LiveEngine:
    """Runs live cameras through detection, tracks, identities, zones and store.

    Nothing is read and no thread runs before ``start``. All methods may then be called from any thread; those that
    change something return when it is done, which takes a step of the run at most.

    Args:
        settings: what to run.
        log: told of what goes wrong while it runs, one line each, each once; ``None``: nobody is.
    """

    def __init__(self, settings: LiveSettings, log: Callable[[str], None] | None = None) -> None:
        self.settings = settings
        self.store_path: Path = settings.store.expanduser().absolute()
        self._log = log or (lambda text: None)
        self._stack = contextlib.ExitStack()
        self._closing = threading.Lock()
        self._loop: LiveLoop | None = None
        self._store: TrackStore | None = None
        self._crop_of: dict[int, int | None] = {}
        self._looked_up = -np.inf
        self._look_up = threading.Lock()
        self._started = 0.0
        self._stopped = False

    def start(self) -> None:
        """Open cameras, models and store, and begin; returns when the first step can be done.

        Raises:
            InputError: something given cannot be used; nothing runs then.
        """
        settings = self.settings
        cameras, rules = cameras_and_transitions(settings.sources)
        settings = settings.with_transitions(rules)
        entries = entries_from_sources(settings.sources)
        # What needs no model and no video is refused first.
        check_tracker(settings.pipeline)
        if settings.detector.startswith("mot:"):
            raise InputError(f"--detector {settings.detector} knows no live pictures: give a model")
        self._started = wall_clock()
        floor = on_the_floor(settings, cameras)
        zones = LiveZones(settings.zones_path, [one.name for one in cameras], on_floor=floor, began=self._started)
        with contextlib.ExitStack() as stack:
            event_file = None if settings.events is None else EventFile(settings.events)
            capture = LiveCapture(cameras, realtime=settings.realtime, loop=settings.loop)
            stack.callback(capture.close)
            pipeline = build_live_pipeline(settings, cameras, entries, capture, lambda: self._stopped)
            store = open_live_store(settings, pipeline, self._started, self._trouble)
            stack.callback(store.close)
            parts = RunParts(
                capture=capture,
                pipeline=pipeline,
                recorder=StoreRecorder(store, pipeline.identities),
                crops=CropChooser(store.add_crop, settings.crop_seconds),
                zones=zones,
                events=EventRing(),
                meter=ProcessingMeter(settings.max_rate if settings.realtime else 0.0),
                privacy=None if settings.blurring is None else PrivacyFilter(settings.blurring),
                event_file=event_file,
                realtime=settings.realtime,
                max_rate=settings.max_rate,
                names=store.names(),
            )
            self._loop, self._store = LiveLoop(parts, self._log), store
            self._floor = None if not isinstance(pipeline, FloorPipeline) else floor_description(
                list(pipeline.tracker.cameras.values())
            )  # fmt: skip
            self._retention = Retention(store, settings.keep_days, wall_clock, self._purged, self._loop.went_wrong)
            self._loop.start()
            self._retention.start()
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End the run; all that was seen is stored. Returns within about three seconds; may be called again."""
        self._stopped = True
        with self._closing:
            loop, self._closed_loop = self._loop, self._loop
            if loop is None or (not loop.is_alive() and self._store is None):
                return
            self._retention.stop()
            loop.stop()
            loop.join(_CLOSE_SECONDS)
            self._retention.join(_CLOSE_SECONDS)
            self._store = None
            try:
                self._stack.close()
            except InputError as error:
                self._log(str(error))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What there is to see

    @property
    def failure(self) -> str | None:
        """Why the run ended by itself, in one line; ``None`` while it has not."""
        return None if self._loop is None else self._loop.failure

    @property
    def closed(self) -> bool:
        """Whether somebody has closed it."""
        return self._stopped

    @property
    def known_people(self) -> int:
        """How many people of earlier runs this one knew at its beginning and still does."""
        return len(self._pipeline.identities.earlier.numbers)

    @property
    def over(self) -> bool:
        """Whether no picture will ever come: all recordings have ended."""
        return self._parts.capture.over

    @property
    def camera_names(self) -> list[str]:
        """The cameras, in the order given."""
        return self._parts.capture.names

    def status(self) -> dict[str, Any]:
        """Return how the run goes, ready for JSON."""
        return run_status(self._parts, self.settings, self.store_path, self._started, self.failure, self._floor)

    def present(self) -> dict[str, Any]:
        """Return who is in view, ready for JSON."""
        parts, now = self._parts, wall_clock()
        people = parts.presence.now(now)
        crops = self._crops_of(list(people))
        return {
            "time": now,
            "people": [
                {
                    "identity": number, "name": parts.names.get(number), "cameras": sorted(one.cameras),
                    "since": one.since, "last_seen": one.last_seen, "crop": crops.get(number),
                }
                for number, one in sorted(people.items())
            ],
        }  # fmt: skip

    def floor(self) -> dict[str, Any] | None:
        """Return where people are on the floor: ``time`` and ``people`` ``[track, identity, x, y]`` in metres."""
        return self._parts.floor

    def view(self, camera: str) -> LiveView | None:
        """Return the newest processed picture of a camera, ``None`` before the first."""
        return self._parts.views.newest(camera)

    def wait_view(self, camera: str, after: int, timeout: float) -> LiveView | None:
        """Return a camera's newest view once its number is above ``after``; ``None`` after ``timeout`` seconds."""
        return self._parts.views.wait(camera, after, timeout)

    def events(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return the newest ``limit`` of the events after number ``after``, newest last, and the newest number."""
        return self._parts.events.since(after, limit)

    def wait_events(self, after: int, timeout: float) -> bool:
        """Wait until there is an event after number ``after``, for at most ``timeout`` seconds; return whether."""
        return self._parts.events.wait(after, timeout)

    def floor_path(self, identity: int, since: float) -> list[list[float]]:
        """Return where an identity was on the floor, ``[time, x, y]``; nothing without calibration.

        Raises:
            InputError: it is not known.
        """
        pipeline = self._pipeline
        with StoreReader(self.store_path) as store:
            cameras = pipeline.tracker.cameras if isinstance(pipeline, FloorPipeline) else {}
            return floor_path(store, cameras, identity, since)

    def search(self, image: NDArray[np.uint8], detect: bool, top: int) -> list[dict[str, Any]]:
        """Return who looks like the people in a picture (H, W, 3) BGR, see :func:`search_photo`.

        Raises:
            InputError: nobody is in it, there is no embedder, or the run has too much to do.
        """
        pipeline = self._pipeline
        return search_photo(
            image, detect=detect, top=top, detector=pipeline.detector, embedder=pipeline.embedder,
            store_path=self.store_path, in_turn=self._parts.requests.do,
        )  # fmt: skip

    # What people change

    def rename(self, identity: int, name: str | None) -> None:
        """Give an identity a name of at most 100 letters, or take it away.

        Raises:
            InputError: it is not known, or the name cannot be.
        """

        def work() -> None:
            self._open_store.rename(identity, name)
            kept = self._open_store.person(identity).name
            names = self._parts.names
            if kept is None:
                names.pop(identity, None)
            else:
                names[identity] = kept
            self._running.put_events([event_of("identity_renamed", wall_clock(), identity=identity, name=kept)])

        self._parts.requests.do(work)

    def merge(self, identity: int, into: int) -> None:
        """Make an identity the same person as ``into``; what is seen of either from now on is ``into``.

        Raises:
            InputError: one of them is not known, or they were in one camera at once.
        """

        def work() -> None:
            self._running.tell(live_people.merge(self._pipeline, self._open_store, identity, into, wall_clock()))

        self._parts.requests.do(work)

    def split(self, identity: int, camera: str, start: float, end: float) -> int:
        """Make what was seen of an identity in a camera in start ≤ time ≤ end a new one; return its number.

        Raises:
            InputError: it is not known, or was not seen there then.
        """

        def work() -> int:
            new, events = live_people.split(
                self._pipeline, self._open_store, identity, camera, start, end, wall_clock()
            )
            self._running.tell(events)
            return new

        return self._parts.requests.do(work)

    def erase(self, identity: int) -> None:
        """Erase an identity wholly: crops, vectors, sightings, its name. Who is still in view gets a new number.

        Raises:
            InputError: it is not known.
        """

        store, parts = self._open_store, self._parts
        store.person(identity)

        def forget() -> None:
            parts.crops.forget(self._pipeline.identities.erase(identity))
            parts.presence.forget(identity)
            parts.names.pop(identity, None)
            self._running.tell([])

        parts.requests.do(forget)
        # The run says nothing of them any more. That the bytes go may take a while, which it does not wait for.
        store.erase(identity)
        parts.requests.do(
            lambda: self._running.put_events([event_of("identity_erased", wall_clock(), identity=identity)])
        )

    # Zones

    def zones(self) -> ZoneDefinitions:
        """Return the zones and lines that are counted."""
        return self._parts.zones.definitions

    def set_zones(self, definitions: ZoneDefinitions) -> None:
        """Count other zones and lines from now on, and keep them for the next start.

        Raises:
            InputError: they do not fit these cameras, or cannot be kept.
        """

        def work() -> None:
            self._running.put_events([event.to_dict() for event in self._parts.zones.redefine(definitions)])

        self._parts.requests.do(work)

    def counts(self) -> dict[str, Any]:
        """Return what was counted so far, ready for JSON."""
        return self._parts.zones.counts(wall_clock())

    def visits(self) -> list[Visit]:
        """Return the remembered visits to zones, in the order of their beginnings."""
        return self._parts.zones.visits()

    def count_table(self, interval: float) -> Sequence[IntervalCount]:
        """Return counts by intervals of so many seconds.

        Raises:
            InputError: an interval that cannot be.
        """
        return self._parts.zones.table(interval, wall_clock())

    # ------------------------------------------------------------------------------------------------------ inside

    @property
    def _running(self) -> LiveLoop:
        if self._loop is None:
            raise InputError("the run has not begun: start it first")
        return self._loop

    @property
    def _parts(self) -> RunParts:
        return self._running.parts

    @property
    def _pipeline(self) -> Pipeline:
        return self._parts.pipeline

    @property
    def _open_store(self) -> TrackStore:
        if self._store is None:
            raise InputError("the run is over: start it again")
        return self._store

    def _trouble(self, error: InputError) -> None:
        if self._loop is None:
            self._log(str(error))
        else:
            self._loop.went_wrong(str(error))

    def _crops_of(self, numbers: Sequence[int]) -> dict[int, int | None]:
        """Return the best crop of each identity, as it was in the store a moment ago."""
        with self._look_up:
            due = monotonic() - self._looked_up >= _CROPS_SECONDS
            if due or any(number not in self._crop_of for number in numbers):
                self._looked_up = monotonic()
                with StoreReader(self.store_path) as store:
                    self._crop_of = {
                        number: crops[0].number if (crops := store.crops(number, limit=1)) else None
                        for number in numbers
                    }
            return dict(self._crop_of)

    def _purged(self, before: float) -> None:
        """Let the running identities forget what has gone from the store, too."""
        pipeline, loop = self._pipeline, self._running
        with contextlib.suppress(InputError):
            loop.parts.requests.do(
                lambda: pipeline.identities.forget_before(before, LONG_AGO - (self._started - before))
            )
