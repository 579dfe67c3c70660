"""A run without networks for the tests of ``multicam live``: made-up pictures, and a real store and real zones.

``python -m tests.apps.live_fake_engine --port 8080`` serves it; on its standard input ``down CAMERA`` takes a camera
away and ``up CAMERA`` brings it back.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time as clock
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.apps.live_fake_run import FakeRun, FakeView
from tests.apps.live_fake_world import CAMERAS, look
from tracker.errors import InputError
from tracker.storage.store_reader import StoreReader
from tracker.storage.store_search import VectorHit
from tracker.zones.definitions import ZoneDefinitions, write_zones
from tracker.zones.ledger import Visit
from tracker.zones.reports import IntervalCount, interval_counts


class FakeEngine(FakeRun):
    """Everything that a run can be asked, as the web server's ``Engine`` says."""

    def status(self) -> dict[str, Any]:
        with self._changed:
            now = clock.time()
            stats = self._store.stats()
            cameras = [self._camera(name, now) for name in self.camera_names]
            floor = {
                "bounds": [0.0, 0.0, 12.0, 5.0],
                "cameras": [
                    {"name": name, "position": [4.0 * place + 2.0, 0.0], "direction": [0.0, 1.0]}
                    for place, name in enumerate(self.camera_names)
                ],
            }
            return {
                "version": "0.1.0", "started": self._began, "time": now, "cameras": cameras,
                "processing": {
                    "frames_per_second": self.rate, "latency_seconds": 0.02, "load": 0.1, "too_slow": False,
                    "message": "", "processed": sum(self._frames.values()), "embedded_crops": stats.vectors,
                    "skipped_crops": 0, "rule": "each second",
                },
                "memory_bytes": 200_000_000,
                "store": {
                    "people": stats.people, "bytes": stats.file_bytes, "keep_days": 30.0, "vectors": stats.vectors,
                },
                "floor": floor if self.calibrated else None,
                "privacy": {"faces": False, "people": False},
                "embedder": "stripes", "detector": "made-up",
            }  # fmt: skip

    def _camera(self, name: str, now: float) -> dict[str, Any]:
        view, down = self._views.get(name), self._down.get(name)
        message = "" if down is None else "connection refused; asked again in 2 s"
        return {
            "name": name, "source": f"rtsp://***@10.0.0.7/{name}", "message": message,
            "phase": "reconnecting" if down is not None else "running" if view else "starting",
            "frame_rate": 0.0 if down is not None else self.rate, "size": view.size if view else None,
            "frames": self._frames[name], "dropped": 0, "reconnects": self._reconnects[name],
            "age": None if view is None else now - view.time, "calibrated": self.calibrated,
        }  # fmt: skip

    def present(self) -> dict[str, Any]:
        with self._changed:
            now = clock.time()
            here = {number: facts for number, facts in self._known.items() if now - facts["last_seen"] < 2}
            people = [
                {
                    "identity": number, "name": facts["name"], "since": facts["since"],
                    "cameras": [camera for camera, time in facts["seen"].items() if now - time < 2],
                    "last_seen": facts["last_seen"], "crop": self._crop_of(number),
                }
                for number, facts in sorted(here.items())
            ]  # fmt: skip
            return {"time": now, "people": people}

    def _crop_of(self, identity: int) -> int | None:
        crops = self._store.crops(identity, limit=1)
        return crops[0].number if crops else None

    def floor(self) -> dict[str, Any] | None:
        with self._changed:
            return {"time": clock.time(), "people": self._floor} if self.calibrated else None

    def view(self, camera: str) -> FakeView | None:
        with self._changed:
            return self._views.get(camera)

    def wait_view(self, camera: str, after: int, timeout: float) -> FakeView | None:
        def newer() -> FakeView | None:
            view = self._views.get(camera)
            return view if view is not None and view.sequence > after else None

        with self._changed:
            return self._changed.wait_for(newer, timeout)

    def events(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        with self._changed:
            found = [event for number, event in self._events if number > after]
            return found[-limit:], self._count

    def wait_events(self, after: int, timeout: float) -> object:
        with self._changed:
            return self._changed.wait_for(lambda: self._count > after, timeout)

    def rename(self, identity: int, name: str | None) -> None:
        with self._changed:
            self._store.flush()
            self._store.rename(identity, name)
            name = self._store.person(identity).name
            if identity in self._known:
                self._known[identity]["name"] = name
            self._put("identity_renamed", identity=identity)

    def merge(self, identity: int, into: int) -> None:
        with self._changed:
            self._store.flush()
            self._store.merge(identity, into)
            self._move(identity, into)
            gone = self._known.pop(identity, None)
            if gone is not None:
                kept = self._known.setdefault(into, gone)
                kept["seen"] = {**gone["seen"], **kept["seen"]}
                kept["name"] = self._store.person(into).name
            self._put("identities_merged", identity=into, previous_identity=identity)

    def split(self, identity: int, camera: str, start: float, end: float) -> int:
        with self._changed:
            self._store.flush()
            number = self._store.split_off(identity, camera, start, end, new=self._next)
            self._next = number + 1
            self._put("identity_opened", identity=number)
            for (place, track), (person, known, last) in list(self._tracks.items()):
                if place == camera and known == identity and start <= last and end >= last - 2:
                    self._tracks[place, track] = (person, number, last)
                    self._numbers[person] = number
                    self._assign(place, track, number, last)
            return number

    def erase(self, identity: int) -> None:
        with self._changed:
            self._store.flush()
            self._store.erase(identity)
            self._known.pop(identity, None)
            self._paths.pop(identity, None)
            self._looks = {key: value for key, value in self._looks.items() if key[0] != identity}
            self._numbers = {person: number for person, number in self._numbers.items() if number != identity}
            self._move(identity, 0)
            self._put("identity_erased", identity=identity)

    def _move(self, old: int, new: int) -> None:
        self._numbers = {person: new if number == old else number for person, number in self._numbers.items()}
        self._tracks = {
            key: (person, new if number == old else number, last)
            for key, (person, number, last) in self._tracks.items()
        }

    def search(self, image: NDArray[np.uint8], detect: bool, top: int) -> list[dict[str, Any]]:
        # Whoever is found is the whole picture.
        box = [0.0, 0.0, float(image.shape[1]), float(image.shape[0])]
        with self._changed:
            self._store.flush()
        with StoreReader(self.store_path) as store:
            cameras = store.camera_names()
            answers = [self._answer(store, hit, cameras) for hit in store.search(look(image)[None], top)[0]]
        return [{"box": box, "answers": answers}]

    @staticmethod
    def _answer(store: StoreReader, hit: VectorHit, cameras: dict[int, str]) -> dict[str, Any]:
        camera = cameras[hit.camera]
        crops = store.crops(hit.identity, camera=camera)
        return {
            "identity": hit.identity, "name": store.person(hit.identity).name, "score": round(hit.score, 4),
            "camera": camera, "time": hit.time,
            "crop": min(crops, key=lambda crop: abs(crop.time - hit.time)).number if crops else None,
        }  # fmt: skip

    def zones(self) -> ZoneDefinitions:
        with self._changed:
            return self._zones.definitions

    def set_zones(self, definitions: ZoneDefinitions) -> None:
        definitions.check_cameras(self.camera_names, on_floor=self.calibrated)
        with self._changed:
            self._tell(self._zones.redefine(definitions))
            if definitions.places:
                write_zones(self._zones_path, definitions)
            else:
                self._zones_path.unlink(missing_ok=True)

    def counts(self) -> dict[str, Any]:
        with self._changed:
            occupancy, totals = self._zones.occupancy(), self._zones.totals()
            definitions = self._zones.definitions
            zones = [
                {
                    "name": zone.name, "camera": zone.camera, "occupancy": occupancy[zone.name],
                    "entered": totals[zone.name].entered, "left": totals[zone.name].left,
                    "dwell_mean": totals[zone.name].dwell_seconds / totals[zone.name].left
                    if totals[zone.name].left else None,
                }
                for zone in definitions.zones
            ]  # fmt: skip
            lines = [
                {
                    "name": line.name, "camera": line.camera,
                    "forward": totals[line.name].forward, "backward": totals[line.name].backward,
                }
                for line in definitions.lines
            ]  # fmt: skip
            return {"time": clock.time(), "zones": zones, "lines": lines}

    def visits(self) -> list[Visit]:
        with self._changed:
            return self._zones.visits()

    def count_table(self, interval: float) -> list[IntervalCount]:
        with self._changed:
            return interval_counts(
                self._zones.definitions, self._zones.visits(), self._zones.crossings(),
                interval=interval, begin=self._began, end=clock.time(),
            )  # fmt: skip

    def floor_path(self, identity: int, since: float) -> list[list[float]]:
        with self._changed:
            return [point for point in self._paths.get(identity, ()) if point[0] >= since]


def _obey(engine: FakeEngine) -> None:
    for line in sys.stdin:
        word, _, camera = line.strip().partition(" ")
        if word in ("down", "up") and camera in CAMERAS:
            (engine.down if word == "down" else engine.up)(camera)


def main() -> None:
    """Serve until interrupted."""
    from rich.console import Console

    from apps.live_web import serve

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--token")
    parser.add_argument("--folder", type=Path, help="of the store and the zones; made and taken away if left out")
    parser.add_argument("--uncalibrated", action="store_true")
    given = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as made:
        try:
            with FakeEngine(given.folder or Path(made), calibrated=not given.uncalibrated) as engine:
                threading.Thread(target=_obey, args=(engine,), daemon=True).start()
                serve(engine, address=given.address, port=given.port, token=given.token, console=console)
        except InputError as error:
            print(f"multicam: {error}", file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main()
