"""A store says what was handed over, whatever happened in between."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from tests.tracker.storage.stores import BOX, DIMENSION, ORIGIN, add_person, look, mark, new_store, unit
from tracker.errors import InputError
from tracker.storage import store_reader, store_schema
from tracker.storage.store_reader import StoreReader
from tracker.storage.store_sightings import MOST_CROPS
from tracker.storage.track_store import EmbedderRecord, TrackStore


def test_what_is_handed_over_is_said(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0), 4, DIMENSION)
    with new_store(tmp_path / "store.sqlite", clock_kind="video") as store:
        add_person(store, 3, "hall", 10.0, vectors, jpeg=b"picture")
        store.observe("door", 9, 40.0, (1.4, 2.6, 30.0, 80.0))
        store.tell("door", 9, 40.0, 3)
        store.flush()
        with StoreReader(store.path) as other:
            (person,) = other.people()
            assert (person.number, person.name, person.cameras) == (3, None, ["door", "hall"])
            assert (person.first_seen, person.last_seen) == (ORIGIN + 10, ORIGIN + 40)
            assert (person.sightings, person.crops) == (2, 4)
            first, second = other.sightings(3)
            assert (first.camera, first.start - first.origin, first.end - first.origin) == ("hall", 10.0, 13.0)
            times, boxes = other.path_of(second.number)
            assert times.tolist() == [ORIGIN + 40] and boxes.tolist() == [[1, 3, 30, 80]]
            assert sorted(other.crop(crop.number) or b"" for crop in other.crops(3)) == [
                b"picture" + bytes([second]) for second in range(4)
            ]
            assert [crop.time for crop in other.crops(3, camera="hall", limit=2)] == [ORIGIN + 10, ORIGIN + 11]
            found = other.stats()
            assert (found.people, found.boxes, found.vectors, found.next_number) == (1, 5, 4, 4)
            assert found.cameras == ["door", "hall"] and found.embedder == "net"
    # One file is left, without a log beside it.
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]


@pytest.mark.parametrize("seed", range(8))
def test_boxes_belong_to_whom_was_told_last_of_their_time(tmp_path: Path, seed: int) -> None:
    """Observations and corrections in any order: each box is of whom the newest word on its time names."""
    generator = np.random.default_rng(seed)
    told: dict[int, dict[float, int]] = {1: {}, 2: {}}
    seen: dict[int, list[float]] = {1: [], 2: []}
    with new_store(tmp_path / "store.sqlite") as store:
        for time in range(60):
            for track in (1, 2):
                store.observe("hall", track, float(time), (track, time, 100, 200))
                seen[track].append(float(time))
            while generator.random() < 0.4:
                track, since = int(generator.integers(1, 3)), float(generator.integers(0, time + 1))
                identity = int(generator.integers(0, 5))
                store.tell("hall", track, since, identity)
                told[track][since] = identity
        expected = {}
        for track, times in seen.items():
            for time in times:
                since = max((begin for begin in told[track] if begin <= time), default=None)
                expected[track, time] = 0 if since is None else told[track][since]
        found = dict.fromkeys(expected, 0)
        for person in store.people():
            for sighting in store.sightings(person.number):
                times, boxes = store.path_of(sighting.number)
                assert sighting.start <= times.min() and times.max() <= sighting.end
                for time, box in zip(times.tolist(), boxes.tolist(), strict=True):
                    assert (box[0], box[1]) == (sighting.track, time - ORIGIN)
                    found[sighting.track, time - ORIGIN] = person.number
        assert found == expected


def test_what_is_told_on_the_floor_holds_in_every_camera(tmp_path: Path) -> None:
    with new_store(tmp_path / "store.sqlite") as store:
        store.observe("hall", 5, 0.0, BOX)
        store.tell(None, 5, 0.0, 1)
        store.tell(None, 5, 10.0, 2)
        for camera, time in (("hall", 4.0), ("hall", 12.0), ("door", 6.0), ("door", 11.0)):
            store.observe(camera, 5, time, BOX)
        spans = {
            number: [(one.camera, one.start - ORIGIN, one.end - ORIGIN) for one in store.sightings(number)]
            for number in (1, 2)
        }
        assert spans == {
            1: [("hall", 0.0, 4.0), ("door", 6.0, 6.0)],
            2: [("door", 11.0, 11.0), ("hall", 12.0, 12.0)],
        }


def test_of_many_crops_good_ones_spread_over_the_time_stay(tmp_path: Path) -> None:
    with new_store(tmp_path / "store.sqlite") as store:
        for time in range(200):
            store.observe("hall", 1, float(time), BOX)
            store.add_crop("hall", 1, float(time), 0.9 if time % 4 == 0 else 0.3, b"x")
        store.tell("hall", 1, 0.0, 1)
        kept = store.crops(1)
        assert len(kept) == MOST_CROPS
        times = sorted(crop.time - ORIGIN for crop in kept)
        assert max(np.diff([0.0, *times, 199.0])) < 3 * 200 / MOST_CROPS
        assert sum(crop.quality == 0.9 for crop in kept) > 0.6 * MOST_CROPS


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_search_is_that_of_one_product_with_everything(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(3)
    monkeypatch.setattr(store_reader, "LARGEST_PRODUCT", size)
    with new_store(tmp_path / "store.sqlite") as store:
        for identity in range(1, 31):
            for camera in ("hall", "door"):
                vectors = unit(generator, 4, DIMENSION)
                store.put_looks([look(identity, camera, vectors, [1.0, 2.0, 3.0, 4.0])])
        queries = unit(generator, 3, DIMENSION)
        everything = store.vectors()
        assert everything.vectors.shape == (240, DIMENSION)
        scores = queries @ everything.vectors.T
        for hits, row in zip(store.search(queries, 5), scores, strict=True):
            best = {n: float(row[everything.identities == n].max()) for n in range(1, 31)}
            order = sorted(best, key=lambda number: -best[number])[:5]
            assert [hit.identity for hit in hits] == order
            assert [hit.score for hit in hits] == pytest.approx([best[number] for number in order], abs=1e-6)
            place = int(row.argmax())
            assert (hits[0].camera, hits[0].time) == (everything.cameras[place], everything.times[place])


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    with new_store(tmp_path / "store.sqlite") as store:
        with pytest.raises(InputError, match="net with other weights"):
            store.set_embedder(EmbedderRecord("net", None, mark(2)))
        with pytest.raises(InputError, match="made by the embedder net, whose vectors say nothing to other"):
            store.known_people(mark(2, "other"), ORIGIN)
        with pytest.raises(InputError, match="vectors of 128, the query is one of 64"):
            store.search(np.zeros((1, 64), np.float32), 3)


def test_a_full_disk_loses_nothing_that_can_be_written_later(tmp_path: Path) -> None:
    with new_store(tmp_path / "store.sqlite") as store:
        store.observe("hall", 1, 0.0, BOX)
        with store._writer.connection() as connection:
            connection.execute("PRAGMA max_page_count=1").fetchall()
        store.add_crop("hall", 1, 0.0, 0.5, bytes(200_000))
        store.tell("hall", 1, 0.0, 1)
        with pytest.raises(InputError, match="no space left on the device: free some"):
            store.flush()
        with store._writer._lock:
            store._writer._connection.execute("PRAGMA max_page_count=1000000").fetchall()
        assert [len(store.crop(crop.number) or b"") for crop in store.crops(1)] == [200_000]


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    new_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={len(store_schema.MIGRATIONS) + 1}")
    before = path.read_bytes()
    for opened in (StoreReader, TrackStore):
        with pytest.raises(InputError, match="use the multicam that wrote it, or a newer one"):
            opened(path)
    assert path.read_bytes() == before


def test_an_older_store_is_brought_up_to_date_wholly_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite"
    with new_store(path) as store:
        add_person(store, 1, "hall", 0.0, unit(np.random.default_rng(0), 4, DIMENSION))
    now = tuple(store_schema.MIGRATIONS)
    step = "ALTER TABLE identities ADD COLUMN note TEXT"
    before = path.read_bytes()
    monkeypatch.setattr(store_schema, "MIGRATIONS", (*now, (step, "no statement")))
    with pytest.raises(InputError):
        TrackStore(path)
    monkeypatch.setattr(store_schema, "MIGRATIONS", now)
    assert path.read_bytes() == before
    monkeypatch.setattr(store_schema, "MIGRATIONS", (*now, (step,)))
    with StoreReader(path) as reader:
        assert [person.number for person in reader.people()] == [1]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT number, note FROM identities").fetchall() == [(1, None)]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(now) + 1,)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "database", "cut"])
def test_what_is_no_store_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "store.sqlite"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("nonsense " * 1000)
    elif kind == "empty":
        path.touch()
    elif kind == "database":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE notes (text)")
    elif kind == "cut":
        new_store(path).close()
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"store\.sqlite"), StoreReader(path) as reader:
        reader.people()
    if kind == "database":
        # Nor is somebody else's database made one.
        with pytest.raises(InputError, match="is no store of multicam"):
            TrackStore(path, create=True)


def test_two_runs_do_not_write_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_store(tmp_path / "store.sqlite") as store, TrackStore(store.path) as other:
        monkeypatch.setattr("os.getpid", lambda: 1)
        with pytest.raises(InputError, match="is being written by process"):
            other.begin_run(ORIGIN, clock_kind="wall")
        store.end_run()
        other.begin_run(ORIGIN, clock_kind="wall")
