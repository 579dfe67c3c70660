"""The soak's stream, and that a store recorded as a run goes on ends with what the run ends with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.console import run_command
from benchmarks.soak import Mark, app, observed, soak
from benchmarks.soak_streams import CAMERAS, SoakSettings, people_before, soak_instants
from tests.tracker.storage.stores import mark
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import LONG_RUN, IdentitySettings
from tracker.single_camera import create_tracker
from tracker.storage.store_recorder import StoreRecorder
from tracker.storage.track_store import EmbedderRecord, TrackStore


def test_the_stream_is_the_same_for_the_same_seed_and_people_come_back() -> None:
    settings = SoakSettings(0.1, people=20_000, frame_rate=1.0)
    first, again = list(soak_instants(settings)), list(soak_instants(settings))
    assert len(first) == 360
    for (time, seen, people), (time_again, seen_again, people_again) in zip(first, again, strict=True):
        assert (time, people) == (time_again, people_again)
        assert all(np.array_equal(a.boxes, b.boxes) for a, b in zip(seen, seen_again, strict=True))
    # 20 000 a day are 83 in a tenth of an hour.
    assert 50 < first[-1][2] < 120
    looks = np.concatenate([part.features for _, seen, _ in first for part in seen if part.features is not None])
    assert np.linalg.norm(looks, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_recorded_store_says_what_the_run_says_at_its_end(tmp_path: Path) -> None:
    """With merges and corrections on the way, since looks are noisy and decided upon early."""
    settings = SoakSettings(
        0.04, 2, frame_rate=2.0, people=15_000, returning=0.5, dimension=32, view_noise=1.0, crop_noise=1.2
    )
    identities = Identities(CAMERAS, IdentitySettings(minimum_crops=2), 0.5)
    trackers = [create_tracker("bytetrack", frame_rate=2.0) for _ in CAMERAS]
    seen_at: list[tuple[str, int, float]] = []
    kinds: list[str] = []
    with TrackStore(tmp_path / "store.sqlite", create=True) as store:
        store.set_embedder(EmbedderRecord("net", None, mark()))
        store.begin_run(0.0, clock_kind="wall")
        recorder = StoreRecorder(store, identities, box_seconds=0.0)
        for time, detections, _ in soak_instants(settings):
            step = [observed(*each, time, found) for *each, found in zip(trackers, CAMERAS, detections, strict=True)]
            seen_at += [(seen.camera, track, time) for seen in step for track in seen.track_ids.tolist()]
            events = identities.observe(step)
            kinds += [event.kind for event in events]
            recorder.record(step, events)
        events = identities.finish()
        kinds += [event.kind for event in events]
        recorder.finish(events)
        assert {"identities_merged", "identity_corrected", "identity_assigned"} <= set(kinds)
        stored = {
            (sighting.camera, sighting.track, time): person.number
            for person in store.people()
            for sighting in store.sightings(person.number)
            for time in store.path_of(sighting.number)[0].tolist()
        }
        for camera, track, time in seen_at:
            now = int(identities.identity_of(camera, np.array([track]), np.array([time]))[0])
            assert stored.get((camera, track, time), 0) == now, (camera, track, time)
        # Looks, too, are those that the run ends with.
        expected = {
            (known.number, identities.cameras[camera]): summary.count
            for known in identities.gallery.identities()
            for camera, summary in known.views.items()
            if summary.count
        }
        people = store.known_people(mark(), 0.0).identities
        assert {(one.number, name): view.count for one in people for name, view in one.views.items()} == expected


def test_a_short_soak_ends_with_a_bounded_store(tmp_path: Path) -> None:
    settings = SoakSettings(0.04, people=20_000, frame_rate=2.0, dimension=32)
    marks = list(soak(settings, tmp_path / "store.sqlite", keep_hours=0.01, marks=4))
    assert [round(one.hours, 3) for one in marks] == [0.01, 0.02, 0.03, 0.04]
    assert marks[-1].people > marks[0].people > 0 and marks[-1].identities > 0
    assert all(one.ms_per_frame > 0 and one.memory_mb > 20 for one in marks)
    with TrackStore(tmp_path / "store.sqlite") as store:
        first = store.stats().first_time
        assert first is not None and first >= 3600 * 0.03 - 1


def test_people_of_before_are_recognised() -> None:
    settings = SoakSettings(0.05, 1, frame_rate=2.0, people=6000, returning=0.9, dimension=64, known=40)
    identities = Identities(CAMERAS, IdentitySettings(**LONG_RUN), 0.5)
    known = people_before(settings)
    assert [one.number for one in known.identities] == list(range(1, 41)) and known.next_number == 41
    assert all(2 <= len(one.views) <= len(CAMERAS) for one in known.identities)
    # The last of them came last.
    unseen = [one.unseen_seconds for one in known.identities]
    assert unseen == sorted(unseen, reverse=True) and unseen[-1] == 14.4
    identities.load(known)
    trackers = [create_tracker("bytetrack", frame_rate=2.0) for _ in CAMERAS]
    told: set[int] = set()
    new = 0
    for time, detections, new_people in soak_instants(settings):
        new = new_people
        step = [observed(*each, time, found) for *each, found in zip(trackers, CAMERAS, detections, strict=True)]
        for event in identities.observe(step):
            if event.kind == "identity_recalled" and event.identity is not None:
                told.add(event.identity)
    # In three minutes a dozen come anew, and a hundred times somebody comes back, each of them as likely as another.
    assert new < 25 < len(told) and told <= set(range(1, 41))


def test_the_command_says_what_processor_and_memory_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "soak.json"
    options = ["--hours-of-video", "0.02", "--frame-rate", "1", "--keep-hours", "0.02", "--quiet"]
    run_command(app, [*options, "--json", str(report)])
    shown = capsys.readouterr().out
    assert "processor ms per frame" in shown and "5 people known before" in shown
    rows = json.loads(report.read_text())["rows"]
    assert [row["hours"] for row in rows] == [0.01, 0.02]
    assert all(row["processor_ms_per_frame"] > 0 for row in rows)


def test_what_is_interrupted_shows_what_is_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[Mark]:
        yield Mark(1.0, 100.0, 2.0, 1.5, 250, 260, 255, 30.0, 0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.soak.soak", interrupted)
    report = tmp_path / "soak.json"
    with pytest.raises(SystemExit) as ended:
        run_command(app, ["--hours-of-video", "2", "--quiet", "--json", str(report)])
    shown = capsys.readouterr()
    assert ended.value.code == 130 and not report.exists()
    assert "1.500" in shown.out and "260" in shown.out
