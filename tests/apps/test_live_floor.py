"""Calibrated live cameras: people on the floor, from made-up detections in very small pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml

from apps import build
from apps.live_engine import LiveEngine
from apps.live_settings import LiveSettings
from benchmarks.simulation.cameras import corner_cameras
from tests.apps.test_live_engine import until
from tracker.detections import Detections
from tracker.geometry.floor_camera import FloorCamera
from tracker.storage.store_reader import StoreReader
from tracker.video.frames import Frame
from tracker.video.writers import VideoWriter

SIZE, RATE, FRAMES = (160, 120), 10.0, 60


def places(time: float) -> list[tuple[float, float]]:
    """Return where the two are, metres: one walks along the room, one stands."""
    return [(1.2 + 0.6 * time, 2.4), (3.6, 3.9)]


class MadeUp:
    """Finds both people in every camera, by its calibration."""

    description = "made up"
    needs_images = False

    def __init__(self) -> None:
        self.cameras: dict[str, FloorCamera] = {}

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        # It is tried before the run begins.
        known = [self.cameras.get(frame.camera) for frame in frames]
        return [
            Detections.empty() if camera is None else self._look(camera, frame.index / RATE)
            for camera, frame in zip(known, frames)
        ]

    @staticmethod
    def _look(camera: FloorCamera, time: float) -> Detections:
        boxes = [camera.person_box(x, y, 1.75)[0] for x, y in places(time)]
        rows = np.clip(np.array(boxes, np.float32), 0, [*SIZE, *SIZE])
        whole = (rows[:, 2:] - rows[:, :2] > 4).all(axis=1)
        return Detections(rows[whole], np.full(int(whole.sum()), 0.9))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two calibrated cameras with grey pictures; return their ``cameras.yaml``."""
    cameras = corner_cameras(6.0, 5.0, 2, size=SIZE)
    document = {"units": "metres", "cameras": [camera.calibration() for camera in cameras]}
    (tmp_path / "calibration.json").write_text(json.dumps(document))
    for camera in cameras:
        with VideoWriter(tmp_path / f"{camera.name}.mp4", SIZE, RATE) as writer:
            for frame in range(FRAMES):
                writer.write(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), frame / RATE)
    rows = [{"name": one.name, "source": f"{one.name}.mp4", "calibration": "calibration.json"} for one in cameras]
    (tmp_path / "cameras.yaml").write_text(yaml.safe_dump({"cameras": rows}))
    seen = MadeUp()
    monkeypatch.setattr(build, "build_detector", lambda settings, cameras: seen)
    plan = build.FloorPipeline.__init__

    def noted(self: object, cameras: dict[str, FloorCamera], *given: object, **more: object) -> None:
        seen.cameras = dict(cameras)
        plan(self, cameras, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(build.FloorPipeline, "__init__", noted)
    return tmp_path / "cameras.yaml"


def test_people_of_two_calibrated_cameras_are_followed_on_the_floor(room: Path, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    (tmp_path / "zones.json").write_text(
        json.dumps({"zones": [{"name": "far end", "polygon": [[3, 1.6], [6, 1.6], [6, 3.2], [3, 3.2]]}]})
    )
    wanted = LiveSettings(
        sources=[str(room)], embedder="none", realtime=False, store=tmp_path / "live.sqlite", events=log,
        pipeline={"identities": {"keep_history": False}},
    )  # fmt: skip
    with LiveEngine(wanted) as engine:
        until(lambda: engine.over and engine.status()["processing"]["processed"] == 2 * FRAMES, 240.0)
        status, floor = engine.status(), engine.floor()
        views = [engine.view(name) for name in engine.camera_names]
        counts = engine.counts()["zones"]
        assert floor is not None
        people = {identity: (x, y) for _, identity, x, y in floor["people"]}
        walker = min(people, key=lambda identity: people[identity][1])
        path = engine.floor_path(walker, 0.0)
    assert [camera["calibrated"] for camera in status["cameras"]] == [True, True]
    assert [camera["name"] for camera in status["floor"]["cameras"]] == ["cam1", "cam2"]
    # Where they are now, and one number for each in both cameras.
    assert len(people) == 2
    for there, (x, y) in zip(sorted(people.values(), key=lambda place: place[1]), places((FRAMES - 1) / RATE)):
        assert there == pytest.approx((x, y), abs=0.4)
    assert [{box[5] for box in view.boxes} for view in views if view] == [set(people)] * 2
    # The way of who walked: from the stored boxes, along the room, not across it.
    xs, ys = np.array(path)[:, 1], np.array(path)[:, 2]
    assert xs[-1] - xs[0] > 2.0 and (np.diff(xs) > -0.1).all() and np.abs(ys - 2.4).max() < 0.5
    # Zones on the floor, and the events that say so.
    assert [(one["name"], one["entered"], one["occupancy"]) for one in counts] == [("far end", 1, 1)]
    events = [json.loads(line) for line in log.read_text().splitlines()]
    (entered,) = [event for event in events if event["kind"] == "zone_entered"]
    assert (entered["place"], entered["identity"]) == ("far end", walker)
    assert {event["identity"] for event in events if event["kind"] == "identity_assigned"} == set(people)
    assert {event["camera"] for event in events if event["kind"] == "track_started"} == {"floor"}
    with StoreReader(wanted.store) as store:
        assert [person.cameras for person in store.people()] == [["cam1", "cam2"]] * 2
