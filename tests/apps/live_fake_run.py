"""The run behind the made-up engine of the tests of ``multicam live``: people walk, and store and zones are told."""

from __future__ import annotations

import threading
import time as clock
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.apps.live_fake_world import CAMERAS, CLOTHES, CROSSING, Sight, look, picture, position, sights
from tracker.cross_camera.events import Event
from tracker.cross_camera.gallery_file import EmbedderMark
from tracker.storage.store_looks import Look
from tracker.storage.store_reader import EmbedderRecord
from tracker.storage.track_store import TrackStore
from tracker.zones.definitions import ZoneDefinitions, read_zones
from tracker.zones.zone_set import ZoneSet

#: a new track is known as somebody after so many seconds
_KNOWN_AFTER = 0.5
_EVENTS = 10_000


@dataclass(frozen=True)
class FakeView:
    """As the contract says."""

    camera: str
    sequence: int
    time: float
    size: tuple[int, int]
    image: NDArray[np.uint8]
    boxes: list[list[Any]]


class FakeRun:
    """People in plain colours who walk through three cameras.

    Args:
        folder: of the store and the zones.
        rate: pictures per second.
        calibrated: people are on the floor, too.
        head_start: seconds that people have been walking when it begins.
    """

    def __init__(self, folder: Path, *, rate: float = 10.0, calibrated: bool = True, head_start: float = 0.0) -> None:
        self.store_path = folder / "live.sqlite"
        self.camera_names = list(CAMERAS)
        self.failure: str | None = None
        self.rate, self.calibrated, self._head_start = rate, calibrated, head_start
        self._zones_path = folder / "zones.json"
        self._began = clock.time()
        self._changed = threading.Condition(threading.RLock())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._store = TrackStore(self.store_path, create=True)
        # People's numbers by who they are; what an earlier run called them is not known any more.
        self._numbers: dict[int, int] = {}
        self._next = self._store.stats().next_number
        self._known: dict[int, dict[str, Any]] = {}
        self._tracks: dict[tuple[str, int], tuple[int, int, float]] = {}
        self._views: dict[str, FakeView] = {}
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=_EVENTS)
        self._count = 0
        self._looks: dict[tuple[int, str], list[tuple[float, NDArray[np.float32]]]] = {}
        self._kept = 0.0
        self._paths: dict[int, deque[list[float]]] = {}
        self._floor: list[list[float]] = []
        self._down: dict[str, float] = {}
        self._reconnects = dict.fromkeys(CAMERAS, 0)
        self._frames = dict.fromkeys(CAMERAS, 0)
        definitions = read_zones(self._zones_path) if self._zones_path.exists() else ZoneDefinitions()
        self._zones = ZoneSet(definitions)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin."""
        marks = np.stack([look(np.full((16, 6, 3), shirt, np.uint8)) for shirt, _ in CLOTHES[:4]])
        self._store.set_embedder(EmbedderRecord("stripes", None, EmbedderMark("stripes", marks), 0.3))
        self._store.begin_run(0.0, clock_kind="wall")
        self._thread.start()

    def close(self) -> None:
        """End; everything is stored."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(3)
        with self._changed:
            self._store.close()

    # What a test does to it

    def down(self, camera: str) -> None:
        """Take a camera away."""
        with self._changed:
            self._down[camera] = clock.time()
            self._put("camera_state", camera=camera)

    def up(self, camera: str) -> None:
        """Bring it back."""
        with self._changed:
            self._down.pop(camera, None)
            self._reconnects[camera] += 1
            self._put("camera_state", camera=camera)

    # The run

    def _run(self) -> None:
        while not self._stop.wait(1 / self.rate):
            with self._changed:
                self._step(clock.time())
                self._changed.notify_all()

    def _step(self, now: float) -> None:
        keep = now - self._kept >= 1.0
        floor = []
        for camera, size in CAMERAS.items():
            if camera in self._down:
                continue
            seen = sights(camera, now - self._began + self._head_start)
            image = picture(camera, seen)
            identities = [self._identity(camera, sight, now) for sight in seen]
            boxes: list[list[Any]] = []
            for sight, identity in zip(seen, identities):
                boxes.append([*(round(v, 1) for v in sight.box), sight.track, identity, self._name(identity)])
                if identity and keep:
                    self._keep(camera, sight, identity, image, now)
                if identity and self.calibrated:
                    x, y = position(camera, sight)
                    floor.append([sight.track, identity, round(x, 2), round(y, 2)])
                    self._paths.setdefault(identity, deque(maxlen=5000)).append([now, round(x, 2), round(y, 2)])
            self._frames[camera] += 1
            self._views[camera] = FakeView(camera, self._frames[camera], now, size, image, boxes)
            tracks, places = [sight.track for sight in seen], [sight.box for sight in seen]
            self._tell(self._zones.observe(camera, now, tracks, identities, places, size))
        if self.calibrated:
            spots = [spot[2:] for spot in floor]
            self._tell(self._zones.observe_floor(now, [s[0] for s in floor], [s[1] for s in floor], spots))
        self._floor = floor
        for (camera, track), (_, identity, last) in list(self._tracks.items()):
            if now - last > 1.0:
                del self._tracks[camera, track]
                self._put("track_ended", camera=camera, track=track, identity=identity or None)
        if keep:
            self._kept = now

    def _identity(self, camera: str, sight: Sight, now: float) -> int:
        if (camera, sight.track) not in self._tracks:
            self._put("track_started", camera=camera, track=sight.track)
            self._tracks[camera, sight.track] = (sight.person, 0, now)
            self._store.observe(camera, sight.track, now, sight.box)
        _, identity, _ = self._tracks[camera, sight.track]
        if not identity and sight.way * CROSSING >= _KNOWN_AFTER:
            identity = self._number_of(sight.person)
            self._assign(camera, sight.track, identity, now - sight.way * CROSSING)
        self._tracks[camera, sight.track] = (sight.person, identity, now)
        if identity in self._known:
            facts = self._known[identity]
            facts["last_seen"] = now
            facts["seen"][camera] = now
        return identity

    def _number_of(self, person: int) -> int:
        if person not in self._numbers:
            self._numbers[person], self._next = self._next, self._next + 1
            self._put("identity_opened", identity=self._numbers[person])
        return self._numbers[person]

    def _assign(self, camera: str, track: int, identity: int, since: float) -> None:
        self._known.setdefault(identity, {"name": None, "since": since, "last_seen": since, "seen": {}})
        self._store.tell(camera, track, since, identity)
        self._put("identity_assigned", camera=camera, track=track, identity=identity, since=since, score=4.2)

    def _keep(self, camera: str, sight: Sight, identity: int, image: NDArray[np.uint8], now: float) -> None:
        x1, y1, x2, y2 = (max(round(value), 0) for value in sight.box)
        crop = image[y1:y2, x1:x2]
        self._store.observe(camera, sight.track, now, sight.box)
        self._store.add_crop(camera, sight.track, now, 0.5 + sight.way / 2, cv2.imencode(".jpg", crop)[1].tobytes())
        seen = self._looks.setdefault((identity, camera), [])
        seen.append((now, look(crop)))
        del seen[:-12]
        vectors = np.stack([vector for _, vector in seen])
        times = np.array([when for when, _ in seen])
        total = vectors.sum(0).astype(np.float64)
        self._store.put_looks([Look(identity, camera, total, float(len(seen)), len(seen), vectors, times)])

    def _name(self, identity: int) -> str | None:
        return self._known[identity]["name"] if identity in self._known else None

    def _put(self, kind: str, *, now: float | None = None, **fields: Any) -> None:
        self._count += 1
        event = {"kind": kind, "time": clock.time() if now is None else now, **fields}
        self._events.append((self._count, {key: value for key, value in event.items() if value is not None}))
        self._changed.notify_all()

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            fields = event.to_dict()
            self._put(fields.pop("kind"), now=fields.pop("time"), **fields)
