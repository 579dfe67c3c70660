from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.live_engine import LiveEngine
from apps.live_settings import LiveSettings
from tests.apps.live_scene import HeadDetector, eyes
from tests.apps.scenes import CORRIDOR, GREEN_YELLOW, HALL, PURPLE_WHITE, RED_BLUE, Figure, write_scene
from tracker.errors import InputError
from tracker.storage.store_reader import StoreReader
from tracker.zones.definitions import zones_from_document

__all__ = ["eyes"]

pytestmark = pytest.mark.usefixtures("eyes")
SIZE = (192, 144)


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def settings(folder: Path, sources: Sequence[Path], **values: Any) -> LiveSettings:
    identities = {"keep_history": False, **values.pop("identities", {})}
    given = {"realtime": False, "store": folder / "live.sqlite", "crop_seconds": 0.5, **values}
    return LiveSettings(sources=[str(one) for one in sources], pipeline={"identities": identities}, **given)


@contextmanager
def running(wanted: LiveSettings) -> Iterator[LiveEngine]:
    told: list[str] = []
    with LiveEngine(wanted, log=told.append) as engine:
        engine.told = told  # type: ignore[attr-defined]
        yield engine


def finished(wanted: LiveSettings) -> list[dict[str, Any]]:
    """Run until the recordings are over; return the events."""
    with running(wanted) as engine:
        until(lambda: engine.over)
        until(
            lambda: engine.status()["processing"]["processed"] == sum(c["frames"] for c in engine.status()["cameras"])
        )
        return engine.events(0, 10_000)[0]


def who_is(events: Sequence[dict[str, Any]], camera: str) -> dict[int, int]:
    """Return track → identity in the end."""
    kinds = ("identity_assigned", "identity_corrected")
    return {
        event["track"]: event["identity"] for event in events if event["kind"] in kinds and event["camera"] == camera
    }


def walk(folder: Path, name: str, *clothes: Any, frames: int = 30, start: float = 10.0) -> Path:
    figures = [Figure(one, (start + 60 * place, 40), 1.0) for place, one in enumerate(clothes)]
    return write_scene(folder, name, figures, frames, size=SIZE)


def test_two_cameras_one_identity_for_each_person(tmp_path: Path) -> None:
    corridor = write_scene(tmp_path, "corridor", CORRIDOR, 80)
    hall = write_scene(tmp_path, "hall", HALL, 100, rate=12.5, size=(256, 160))
    log = tmp_path / "events.jsonl"
    log.write_text('{"kind": "of an earlier run"}\n')
    with running(settings(tmp_path, [corridor, hall], events=log)) as engine:
        assert engine.camera_names == ["corridor", "hall"] and engine.failure is None
        until(lambda: engine.over and engine.status()["processing"]["processed"] == 180)
        until(lambda: engine.status()["store"]["people"] == 3)  # the store may be a moment late
        status, (events, newest) = engine.status(), engine.events(0, 1000)
        view = engine.wait_view("hall", 0, 1.0)
        assert view is not None and view.sequence == 100 and view.size == (256, 160) == view.image.shape[1::-1]
        assert engine.wait_view("hall", 100, 0.01) is None and engine.view("nowhere") is None
        assert newest == len(events) and engine.events(newest, 10) == ([], newest)
        assert engine.events(0, 2)[0] == events[-2:], "the newest, newest last"
        assert not engine.wait_events(newest, 0.01) and engine.wait_events(newest - 1, 0.01)
    assert who_is(events, "corridor")[1] == who_is(events, "hall")[1] == 1
    assert who_is(events, "hall")[2] == 2
    assert {event["identity"] for event in events if event["kind"] == "identity_opened"} == {1, 2, 3}
    cameras = status["cameras"]
    assert [camera["phase"] for camera in cameras] == ["ended", "ended"]
    assert [(camera["frames"], camera["dropped"], camera["size"]) for camera in cameras] == [
        (80, 0, [192, 144]), (100, 0, [256, 160]),
    ]  # fmt: skip
    assert status["processing"]["embedded_crops"] > 0 and not status["processing"]["too_slow"]
    assert status["floor"] is None and status["memory_bytes"] > 1e7
    json.dumps(status, allow_nan=False)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0] == {"kind": "of an earlier run"}
    assert lines[1 : newest + 1] == events, "what is streamed is what is written"
    with StoreReader(tmp_path / "live.sqlite") as store:
        assert [person.cameras for person in store.people()] == [["corridor", "hall"]] * 2 + [["corridor"]]
        assert all(store.crops(number) for number in (1, 2, 3))
        sighting = store.sightings(1)[0]
        assert abs(sighting.start - time.time()) < 300, "wall clock"


def test_who_comes_back_after_a_restart_keeps_the_number(tmp_path: Path) -> None:
    first = walk(tmp_path, "first", RED_BLUE, GREEN_YELLOW)
    second = walk(tmp_path, "second", GREEN_YELLOW, PURPLE_WHITE)
    before = who_is(finished(settings(tmp_path, [first])), "first")
    assert before == {1: 1, 2: 2}
    events = finished(settings(tmp_path, [second]))
    assert who_is(events, "second") == {1: 2, 2: 3}
    assert [event["identity"] for event in events if event["kind"] == "identity_recalled"] == [2]
    with StoreReader(tmp_path / "live.sqlite") as store:
        assert store.person(2).cameras == ["first", "second"]


@pytest.fixture
def endless(tmp_path: Path) -> LiveSettings:
    """Two people who walk side by side, again and again."""
    film = walk(tmp_path, "hall", RED_BLUE, GREEN_YELLOW, frames=40)
    return settings(tmp_path, [film], realtime=True, loop=True, max_rate=0.0, identities={"settle_seconds": 0.5})


def kinds_in(log: Path) -> dict[str, dict[str, Any]]:
    """Return the newest event of each kind in a file of events; a line may be half written."""
    lines = log.read_text().splitlines(keepends=True)
    return {event["kind"]: event for event in (json.loads(line) for line in lines if line.endswith("\n"))}


def in_view(engine: LiveEngine) -> set[int]:
    view = engine.view("hall")
    return set() if view is None else {box[5] for box in view.boxes}


def test_people_are_renamed_and_searched_for_while_they_walk(endless: LiveSettings) -> None:
    with running(endless) as engine:
        until(lambda: in_view(engine) >= {1, 2})
        engine.rename(1, "  Ada ")
        until(lambda: any(box[6] == "Ada" for box in engine.view("hall").boxes))  # type: ignore[union-attr]
        assert engine.events(0, 1)[0] != []
        present = {one["identity"]: one for one in engine.present()["people"]}
        assert present[1]["name"] == "Ada" and present[1]["cameras"] == ["hall"]
        until(lambda: all(one["crop"] is not None for one in engine.present()["people"]))
        view = engine.view("hall")
        assert view is not None
        whole = engine.search(view.image, detect=True, top=5)
        # Looks are in the store some seconds after they were seen.
        until(lambda: engine.search(view.image, detect=True, top=5)[0]["answers"] != [])
        whole = engine.search(view.image, detect=True, top=5)
        found = [person["answers"][0]["identity"] for person in whole]
        assert len(whole) == 2 and sorted(found) == sorted(box[5] for box in view.boxes)
        named = next(answer for person in whole for answer in person["answers"] if answer["identity"] == 1)
        assert named["name"] == "Ada" and named["camera"] == "hall"
        with pytest.raises(InputError, match="nobody is found"):
            engine.search(np.zeros((40, 40, 3), np.uint8), detect=True, top=5)
        with pytest.raises(InputError, match="identity 99 is not in the store"):
            engine.rename(99, "x")
        renamed = [one for one in engine.events(0, 1000)[0] if one["kind"] == "identity_renamed"]
        assert [(one["identity"], one["name"]) for one in renamed] == [(1, "Ada")]


def test_who_is_erased_while_in_view_is_a_stranger_from_then_on(endless: LiveSettings) -> None:
    with running(endless) as engine:
        until(lambda: in_view(engine) >= {1, 2})
        engine.erase(2)
        until(lambda: 1 in in_view(engine) and any(number > 2 for number in in_view(engine)))
        time.sleep(0.6)  # a settlement later
        assert 2 not in in_view(engine)
        with pytest.raises(InputError, match="identity 2 was erased"):
            engine.erase(2)
    with StoreReader(endless.store) as store:
        assert 2 not in {person.number for person in store.people()}
        assert any(person.number > 2 and person.sightings for person in store.people())
    after = finished(endless.model_copy(update={"realtime": False, "loop": False}))
    assert 2 not in who_is(after, "hall").values() and 1 in who_is(after, "hall").values()


def test_what_is_split_off_and_merged_by_hand_stays_so(endless: LiveSettings, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    with running(endless.model_copy(update={"events": log})) as engine:
        until(lambda: in_view(engine) >= {1, 2})
        with StoreReader(endless.store) as store:
            until(
                lambda: (
                    min(seen[-1].end - seen[-1].start if (seen := store.sightings(one)) else 0 for one in (1, 2)) > 2.2
                )
            )
        with pytest.raises(InputError, match="both in camera 'hall' at once"):
            engine.merge(2, 1)
        with pytest.raises(InputError, match="not seen in camera 'nowhere'"):
            engine.split(1, "nowhere", 0, 1e10)
        new = engine.split(1, "hall", 0, time.time() + 60)
        assert new == 3
        until(lambda: new in in_view(engine))
        time.sleep(1.2)  # settlements later
        assert 1 not in in_view(engine) and new in in_view(engine)
    corrected = kinds_in(log)["identity_corrected"]
    assert (corrected["previous_identity"], corrected["identity"], corrected["camera"]) == (1, new, "hall")
    with StoreReader(endless.store) as store:
        assert store.sightings(1) == [] and store.sightings(new) != []


def test_two_that_are_made_one_stay_so(tmp_path: Path) -> None:
    # The same person twice, in other clothes: nothing but a person can know.
    red = Figure(RED_BLUE, (10, 40), 1.0, 0, 39)
    green = Figure(GREEN_YELLOW, (10, 40), 1.0, 45, 84)
    film = write_scene(tmp_path, "hall", [red, green], 90, size=SIZE)
    wanted = settings(tmp_path, [film], realtime=True, loop=True, identities={"settle_seconds": 0.5})
    with running(wanted) as engine:
        until(lambda: 1 in in_view(engine))
        until(lambda: 2 in in_view(engine))
        engine.rename(2, "Ada")
        engine.merge(2, 1)
        merged = engine.events(0, 10_000)[1]
        until(lambda: 1 in in_view(engine))
        # Once around: both sets of clothes are the same person now.
        seen: set[int] = set()
        deadline = time.monotonic() + 9.5
        while time.monotonic() < deadline:
            seen |= in_view(engine) - {0}
            time.sleep(0.05)
        assert seen == {1}
        assert engine.view("hall").boxes == [] or engine.present()["people"][0]["name"] == "Ada"  # type: ignore[union-attr]
        told = [one for one in engine.events(merged, 10_000)[0] if one["kind"].startswith("identit")]
        assert {one["identity"] for one in told if one["kind"] == "identity_assigned"} == {1}
    with StoreReader(wanted.store) as store:
        assert [person.number for person in store.people()] == [1] and store.person(1).name == "Ada"
    # Neither look is forgotten when it is started again.
    again = finished(wanted.model_copy(update={"realtime": False, "loop": False}))
    assert set(who_is(again, "hall").values()) == {1}


def test_zones_are_drawn_counted_and_kept(endless: LiveSettings, tmp_path: Path) -> None:
    drawn = zones_from_document(
        {"zones": [{"name": "all", "camera": "hall", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}]}, "page"
    )
    with running(endless) as engine:
        assert engine.zones().places == () and engine.counts()["zones"] == []
        engine.set_zones(drawn)
        until(lambda: engine.counts()["zones"][0]["occupancy"] == 2)
        assert {visit.zone for visit in engine.visits()} == {"all"}
        assert engine.count_table(60.0)[-1].entered == 2
        bad = zones_from_document({"lines": [{"name": "l", "camera": "yard", "from": [0, 0], "to": [1, 1]}]}, "page")
        with pytest.raises(InputError, match="no camera is called 'yard'"):
            engine.set_zones(bad)
        assert engine.zones() == drawn
    assert (tmp_path / "zones.json").is_file()
    with running(endless) as engine:
        assert engine.zones() == drawn
        engine.set_zones(type(drawn)())
    with running(endless) as engine:
        assert engine.zones().places == ()


def test_the_file_of_events_tells_all_that_happens_to_somebody(endless: LiveSettings, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    drawn = {"zones": [{"name": "all", "camera": "hall", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}]}
    endless.zones_path.write_text(json.dumps(drawn))
    wanted = {"track_started", "identity_opened", "identity_assigned", "zone_entered", "track_ended"}
    with running(endless.model_copy(update={"events": log})) as engine:
        # The clip begins again: who was at its end is gone.
        until(lambda: kinds_in(log).keys() >= wanted, 60.0)
        assert engine.failure is None
    last = kinds_in(log)
    assert all(last[kind]["camera"] == "hall" for kind in wanted - {"identity_opened"})
    assert last["zone_entered"]["place"] == "all" and last["identity_assigned"]["identity"] > 0


def test_what_one_camera_sends_does_not_break_the_others(tmp_path: Path, eyes: HeadDetector) -> None:
    films = [walk(tmp_path, name, RED_BLUE, frames=30) for name in ("good", "bad")]
    eyes.broken = {"bad"}
    with running(settings(tmp_path, films)) as engine:
        until(lambda: engine.over and engine.status()["processing"]["processed"] == 60)
        status = engine.status()["processing"]
        assert status["errors"] == 30 and "camera 'bad'" in status["message"] and engine.failure is None
        assert engine.told == [status["message"]]  # type: ignore[attr-defined]
        assert who_is(engine.events(0, 1000)[0], "good") == {1: 1}
    # Pictures of the two were looked at together only until it was known which one it is.
    assert eyes.calls.count(["good", "bad"]) == 1


def test_a_failed_step_is_no_end_but_twenty_are(tmp_path: Path, eyes: HeadDetector) -> None:
    film = walk(tmp_path, "hall", RED_BLUE, frames=40)
    eyes.failures = [RuntimeError(f"no memory for {number}") for number in range(19)]
    assert who_is(finished_but_for(settings(tmp_path, [film]), 19), "hall") == {1: 1}
    eyes.failures = [RuntimeError("no memory") for _ in range(20)]
    with running(settings(tmp_path, [film])) as engine:
        until(lambda: engine.failure is not None)
        assert engine.failure == "the run broke off: RuntimeError: no memory"
        assert engine.status()["processing"]["message"] == engine.failure
        with pytest.raises(InputError, match="the run broke off"):
            engine.rename(1, "Ada")


def finished_but_for(wanted: LiveSettings, failures: int) -> list[dict[str, Any]]:
    with running(wanted) as engine:
        until(lambda: engine.over and engine.status()["processing"]["processed"] == 40 - failures)
        assert engine.status()["processing"]["errors"] == failures and engine.failure is None
        return engine.events(0, 10_000)[0]


def test_it_ends_quickly_and_once(endless: LiveSettings) -> None:
    engine = LiveEngine(endless)
    with pytest.raises(InputError, match="has not begun"):
        engine.status()
    engine.start()
    until(lambda: engine.view("hall") is not None)
    began = time.monotonic()
    engine.close()
    engine.close()
    assert time.monotonic() - began < 3
    assert engine.failure is None and engine.view("hall") is not None
    with pytest.raises(InputError, match="the run is over"):
        engine.merge(1, 2)
    with pytest.raises(InputError):
        LiveEngine(endless.model_copy(update={"detector": "mot:x"})).start()


def test_blurred_people_are_blurred_in_views_and_crops(tmp_path: Path) -> None:
    film = walk(tmp_path, "hall", RED_BLUE, frames=20)
    shown = {}
    for blur in (False, True):
        wanted = settings(tmp_path, [film], store=tmp_path / f"{blur}.sqlite", blur_people=blur)
        with running(wanted) as engine:
            until(lambda: engine.over and engine.status()["processing"]["processed"] == 20)
            view = engine.view("hall")
            assert view is not None and engine.status()["privacy"] == {"faces": False, "people": blur}
            shown[blur] = view
        with StoreReader(wanted.store) as store:
            assert store.crops(1)
    x1, y1, x2, y2 = (round(value) for value in shown[True].boxes[0][:4])
    parts = [shown[blur].image[y1:y2, x1:x2].astype(int) for blur in (False, True)]
    # Edges between head, top and trousers are gone, the rest of the picture is as it was.
    assert np.abs(np.diff(parts[1], axis=0)).max() < 0.4 * np.abs(np.diff(parts[0], axis=0)).max()
    assert np.array_equal(shown[True].image[: y1 - 4], shown[False].image[: y1 - 4])
