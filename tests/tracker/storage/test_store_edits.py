"""Names, merges, splits, erasure and retention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tracker.storage.stores import BOX, DIMENSION, ORIGIN, add_person, look, mark, new_store, unit
from tracker.errors import InputError
from tracker.storage.store_reader import StoreReader
from tracker.storage.track_store import TrackStore


def test_a_name_stays_until_it_is_taken_away(tmp_path: Path) -> None:
    with new_store(tmp_path / "store.sqlite") as store:
        store.observe("hall", 1, 0.0, BOX)
        store.tell("hall", 1, 0.0, 1)
        store.rename(1, "  Anna   Berg ")
        assert store.person(1).name == "Anna Berg"
        store.rename(1, None)
        assert store.person(1).name is None
        with pytest.raises(InputError, match="identity 2 is not in the store"):
            store.rename(2, "Bo")
        with pytest.raises(InputError, match="give a shorter one"):
            store.rename(1, "x" * 101)


def test_a_merge_holds_for_what_a_run_says_afterwards(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    first, second = unit(generator, 4, DIMENSION), unit(generator, 4, DIMENSION)
    with new_store(tmp_path / "store.sqlite") as store:
        add_person(store, 1, "hall", 0.0, first, jpeg=b"one")
        add_person(store, 2, "door", 10.0, second, jpeg=b"two")
        store.rename(2, "Bo")
        store.merge(2, 1)
        # The run knows nothing of it and goes on.
        store.observe("door", 2, 14.0, BOX)
        store.tell("hall", 8, 20.0, 2)
        store.observe("hall", 8, 20.0, BOX)
        store.put_looks([look(2, "door", second, [10.0, 11.0, 12.0, 13.0])])
        (person,) = store.people()
        assert (person.number, person.name, person.cameras, person.crops) == (1, "Bo", ["door", "hall"], 8)
        assert person.last_seen == ORIGIN + 20
        assert [hits[0].identity for hits in store.search(second, 1)] == [1] * 4
        with pytest.raises(InputError, match="identity 2 has become identity 1"):
            store.person(2)
        with pytest.raises(InputError, match="give two numbers"):
            store.merge(1, 1)
        assert store.split_off(1, "door", ORIGIN + 10, ORIGIN + 14) == 3


def test_a_split_takes_sightings_crops_and_looks_along(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    vectors = unit(generator, 10, DIMENSION)
    with new_store(tmp_path / "store.sqlite") as store:
        add_person(store, 1, "hall", 0.0, vectors, seconds=10, jpeg=b"x")
        new = store.split_off(1, "hall", ORIGIN + 3, ORIGIN + 5)
        assert new == 2
        spans = {
            number: [(one.start - ORIGIN, one.end - ORIGIN) for one in store.sightings(number)] for number in (1, 2)
        }
        assert spans == {1: [(0.0, 2.0), (6.0, 9.0)], 2: [(3.0, 5.0)]}
        assert sorted(crop.time - ORIGIN for crop in store.crops(2)) == [3.0, 4.0, 5.0]
        owners = [hits[0].identity for hits in store.search(vectors, 1)]
        assert owners == [1, 1, 1, 2, 2, 2, 1, 1, 1, 1]
        people = store.known_people(mark(), ORIGIN + 100).identities
        weights = {known.number: known.views["hall"].weight for known in people}
        assert weights == pytest.approx({1: 3.5, 2: 1.5})
        mean = people[1].views["hall"].mean
        assert mean is not None and mean @ vectors[3:6].sum(axis=0) > 0.99 * np.linalg.norm(vectors[3:6].sum(axis=0))
        # What the run says later of the track's end is said of the piece it means.
        store.observe("hall", 1, 10.0, BOX)
        assert store.sightings(1)[-1].end == ORIGIN + 10
        with pytest.raises(InputError, match="was not seen in camera 'door' then"):
            store.split_off(1, "door", ORIGIN, ORIGIN + 9)
        with pytest.raises(InputError, match="numbers are not used again"):
            store.split_off(1, "hall", ORIGIN, ORIGIN + 1, new=2)


def test_nothing_of_an_erased_person_is_left_in_the_file(tmp_path: Path) -> None:
    """Among many others, whose rows are moved about in the file; bytes are looked for in all files of the store."""
    generator = np.random.default_rng(5)
    vectors = {identity: unit(generator, 4, DIMENSION) for identity in range(1, 81)}
    pictures = {identity: generator.bytes(int(generator.integers(50, 9000))) for identity in vectors}
    with new_store(tmp_path / "store.sqlite") as store:
        for identity in generator.permutation(list(vectors)).tolist():
            add_person(store, identity, "hall", 10.0 * identity, vectors[identity], jpeg=pictures[identity])
        # Looks that are replaced later, as a run does.
        for identity in generator.permutation(list(vectors)).tolist():
            more = unit(generator, 4, DIMENSION)
            store.put_looks([look(identity, "hall", more, [10.0 * identity] * 4)])
            vectors[identity] = np.concatenate([vectors[identity], more])
        for identity in vectors:
            store.rename(identity, f"Somebody Number{identity:04d}")
        store.flush()
        gone = generator.choice(list(vectors), 25, replace=False).tolist()
        assert store.erase(gone[:10])
        for identity in gone[10:]:
            assert store.erase(identity)
        content = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))

        def left(identity: int) -> list[bool]:
            pieces = [vector.astype("<f2").tobytes()[:24] for vector in vectors[identity][4:]]
            pieces += [pictures[identity][:32], f"Number{identity:04d}".encode()]
            return [piece in content for piece in pieces]

        for identity in vectors:
            assert left(identity) == [identity not in gone] * 6, identity
        # Nor of looks that were replaced.
        replaced = [vector.astype("<f2").tobytes()[:24] for rows in vectors.values() for vector in rows[:4]]
        assert not any(piece in content for piece in replaced)
        assert {person.number for person in store.people()} == set(vectors) - set(gone)


def test_of_an_erased_person_nothing_is_kept_later_and_the_number_is_not_used_again(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0), 4, DIMENSION)
    with new_store(tmp_path / "store.sqlite") as store:
        add_person(store, 1, "hall", 0.0, vectors, jpeg=b"x")
        store.erase(1)
        # Still in view, then in another camera, and the run still knows how they look.
        for time in (4.0, 5.0):
            store.observe("hall", 1, time, BOX)
            store.add_crop("hall", 1, time, 0.9, b"x")
        store.observe("door", 6, 8.0, BOX)
        store.add_crop("door", 6, 8.0, 0.9, b"x")
        store.tell("door", 6, 8.0, 1)
        store.put_looks([look(1, "door", vectors, [8.0] * 4)])
        found = store.stats()
        assert (found.people, found.sightings, found.boxes, found.crops, found.vectors) == (0, 0, 0, 0, 0)
        with pytest.raises(InputError, match="identity 1 was erased"):
            store.person(1)
        add_person(store, 2, "hall", 20.0, vectors, track=7)
        assert store.split_off(2, "hall", ORIGIN + 20, ORIGIN + 21) == 3
        store.erase([2, 3])
        assert store.known_people(mark(), ORIGIN).next_number == 4


def test_bytes_go_when_a_reader_lets_go(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).bytes(500)
    with new_store(tmp_path / "store.sqlite") as store:
        add_person(store, 1, "hall", 0.0, unit(np.random.default_rng(0), 4, DIMENSION), jpeg=picture)
        store.flush()
        with StoreReader(store.path) as reader:
            reader._reader.execute("BEGIN")
            assert len(reader.people()) == 1
            with store._writer._lock:
                store._writer._connection.execute("PRAGMA busy_timeout=50")
            assert not store.erase(1)
            assert [person.number for person in reader.people()] == [1]
    assert picture[:100] not in (tmp_path / "store.sqlite").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]


@pytest.mark.parametrize("seed", range(4))
def test_after_a_purge_nothing_is_older(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    with new_store(tmp_path / "store.sqlite") as store:
        for identity in range(1, 21):
            start = float(generator.integers(0, 100))
            add_person(store, identity, "hall", start, unit(generator, 4, DIMENSION), jpeg=bytes(3000))
        before = ORIGIN + 50
        everything = {person.number: [crop.time for crop in store.crops(person.number)] for person in store.people()}
        size = store.stats().file_bytes
        purged = store.purge(before)
        expected = {
            number: [time for time in times if time >= before]
            for number, times in everything.items() if max(times) >= before
        }  # fmt: skip
        assert purged.identities == len(everything) - len(expected) > 0
        assert purged.crops == sum(map(len, everything.values())) - sum(map(len, expected.values()))
        assert {p.number: [crop.time for crop in store.crops(p.number)] for p in store.people()} == expected
        for number, times in expected.items():
            person = store.person(number)
            assert (person.first_seen, person.last_seen) == (times[0], times[-1])
            assert store.path_of(store.sightings(number)[0].number)[0].tolist() == times
        assert store.vectors().times.min() >= before
        assert store.stats().first_time == min(map(min, expected.values()))
        assert store.stats().file_bytes < size
        assert store.purge(before).sightings == 0
        # An identity without a sighting is nobody's: its number stays used.
        store.purge(before + 1000)
        assert store.people() == [] and store.stats().next_number == 21


def test_runs_do_not_make_the_file_grow(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0), 12, DIMENSION)
    new_store(tmp_path / "store.sqlite").close()
    for run in range(5):
        with TrackStore(tmp_path / "store.sqlite") as store:
            store.begin_run(ORIGIN + 1000.0 * run, clock_kind="wall")
            store.put_looks([look(1, "hall", vectors, list(map(float, range(12))))])
            store.end_run()
            assert store.stats().vectors == (12 if run == 0 else 24)
            known = store.known_people(mark(), ORIGIN + 5000.0).identities[0]
            summary = known.views["hall"]
            assert (summary.count, summary.weight) == (12 * (run + 1), 6.0 * (run + 1))
            assert len(summary.prototypes) <= 12 and (np.diff(summary.times) >= 0).all()
