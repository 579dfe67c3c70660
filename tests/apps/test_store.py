"""``multicam store``: stats, export, purge and erase."""

from __future__ import annotations

import io
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.apps.command import Command, assert_one_line, files_in, read_csv, read_json
from tests.tracker.storage.stores import DIMENSION, add_person, mark, unit
from tracker.storage.store_reader import StoreReader
from tracker.storage.track_store import EmbedderRecord, TrackStore

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two people, seen 40 days ago and yesterday."""
    path = tmp_path / "store.sqlite"
    jpeg = cv2.imencode(".jpg", np.full((40, 20, 3), 90, np.uint8))[1].tobytes()
    generator = np.random.default_rng(0)
    with TrackStore(path, create=True) as opened:
        opened.set_embedder(EmbedderRecord("net", None, mark()))
        opened.begin_run(time.time() - 40 * DAY, clock_kind="wall")
        add_person(opened, 1, "hall", 0.0, unit(generator, 4, DIMENSION), jpeg=jpeg)
        add_person(opened, 2, "door", 39 * DAY, unit(generator, 4, DIMENSION), jpeg=jpeg)
        opened.rename(1, "=Anna")
        opened.end_run()
    return path


def numbers(path: Path) -> list[int]:
    with StoreReader(path) as opened:
        return [person.number for person in opened.people()]


def test_stats(multicam: Command, store: Path, tmp_path: Path) -> None:
    outcome = multicam("store", "stats", "--store", tmp_path, "--people", "--json", tmp_path / "stats.json")
    assert outcome.code == 0 and "8 of net" in outcome.out and "1 =Anna: hall" in outcome.out
    found = read_json(tmp_path / "stats.json")
    assert (found["people"], found["crops"], found["cameras"]) == (2, 8, ["door", "hall"])
    assert found["file_bytes"] == store.stat().st_size


def test_export_is_read_by_other_programs(multicam: Command, store: Path, tmp_path: Path) -> None:
    before, folder = store.read_bytes(), tmp_path / "out"
    assert multicam("store", "export", "--store", store, "-o", folder).code == 0
    people = read_csv(folder / "people.csv")
    # No spreadsheet shall take a name for a formula.
    assert [(row["identity"], row["name"], row["cameras"]) for row in people] == [
        ("1", "'=Anna", "hall"),
        ("2", "", "door"),
    ]
    sightings = read_csv(folder / "sightings.csv")
    assert [row["identity"] for row in sightings] == ["1", "2"]
    boxes = read_csv(folder / "boxes.csv")
    assert [row["sighting"] for row in boxes] == [row["sighting"] for row in sightings for _ in range(4)]
    entries = read_json(folder / "store.json")
    assert entries[0]["name"] == "=Anna"
    assert len(list(folder.rglob("*.jpg"))) == sum(len(entry["crops"]) for entry in entries) == 8
    assert cv2.imread(str(folder / entries[1]["crops"][0]["file"])).shape == (40, 20, 3)
    assert store.read_bytes() == before
    assert_one_line(multicam("store", "export", "--store", store, "-o", folder), "is not empty")


def test_purge_asks_and_keeps_thirty_days(multicam: Command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    outcome = multicam("store", "purge", "--store", store)
    assert outcome.code == 1 and "Nothing was changed" in outcome.out and numbers(store) == [1, 2]
    outcome = multicam("store", "purge", "--store", store, "--yes")
    assert outcome.code == 0 and "Gone: 1 people, 1 sightings, 4 crops, 4 vectors" in outcome.out
    assert numbers(store) == [2]
    assert multicam("store", "purge", "--store", store, "--keep-days", 0.5, "--yes", "--quiet").out == ""
    assert numbers(store) == []


def test_erase_leaves_nothing(multicam: Command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"=Anna" in store.read_bytes()
    assert_one_line(multicam("store", "erase", 1, 7, "--store", store, "--yes"), "identity 7 is not in the store")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    outcome = multicam("store", "erase", 1, "--store", store)
    assert outcome.code == 0 and "Erased: 1 =Anna." in outcome.out
    assert numbers(store) == [2] and b"=Anna" not in store.read_bytes()
    assert_one_line(multicam("store", "erase", 1, "--store", store, "--yes"), "identity 1 was erased")
    assert sorted(files_in(store.parent)) == ["store.sqlite"]


@pytest.mark.parametrize("command", ["stats", "purge", "erase", "export"])
def test_no_store(multicam: Command, tmp_path: Path, command: str) -> None:
    more = {"erase": [1], "export": ["-o", tmp_path / "out"]}.get(command, [])
    assert_one_line(multicam("store", command, *more, "--store", tmp_path / "no.sqlite"), "there is no store")
    assert files_in(tmp_path) == {} and not (tmp_path / "out").exists()
