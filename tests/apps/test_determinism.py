"""The same command gives the same bytes, and the order of cameras is a matter of taste."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.apps.command import Command, ended, files_in, process, read_json
from tests.apps.conftest import Studio
from tests.thread_settings import THREAD_SETTINGS


def test_the_same_command_gives_the_same_bytes(
    studio: Studio, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another process, whose sets and dictionaries are hashed otherwise, with another number of threads for each
    library, and without looking ahead."""
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    for name in THREAD_SETTINGS:
        monkeypatch.setenv(name, "3" if os.environ.get(name) == "1" else "1")
    folder = tmp_path / "out"
    given = (
        "track", studio.corridor, studio.hall, "-o", folder, "--detector", studio.detections,
        "--mosaic", "--save-crops", "--trails", "--quiet", "--plain-order",
    )  # fmt: skip
    with ended(process(*given, stdout=subprocess.DEVNULL)) as run:
        assert run.wait(timeout=600) == 0
    first, second = files_in(finished), files_in(folder)
    records = [json.loads(files.pop("run.json")) for files in (first, second)]
    # Times in a store count from when the run began.
    stores = [_stored(where, files.pop("store.sqlite")) for where, files in ((finished, first), (folder, second))]
    assert stores[0] == stores[1] and len(stores[0]) > 50
    assert [name for name in first if first[name] != second.get(name)] == []
    assert first.keys() == second.keys()
    for record in records:
        for varying in ("seconds", "start_seconds", "stages", "frames_per_second"):
            assert record.pop(varying)
    assert [record["settings"].pop("overlap") for record in records] == [True, False]
    assert records[0] == records[1]


def _stored(folder: Path, content: bytes) -> list[tuple[object, ...]]:
    """Return all rows of a store with what does not depend on when they were written."""
    with sqlite3.connect(f"{(folder / 'store.sqlite').as_uri()}?mode=ro", uri=True) as connection:
        assert content == (folder / "store.sqlite").read_bytes()
        (origin,) = connection.execute("SELECT origin FROM runs").fetchone()
        rows: list[tuple[object, ...]] = []
        for table, columns in (
            ("sightings", "camera, track, round(start - ?, 4), round(end - ?, 4), identity"),
            ("boxes", "sighting, round(time - ?, 4), x1 + 0 * ?, y1, x2, y2"),
            ("crops", "sighting, round(time - ?, 4), quality + 0 * ?, jpeg"),
            ("vectors", "look, round(time - ?, 4), 0 * ?, vector"),
        ):
            rows += connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3", (origin, origin)).fetchall()
        return rows


def test_the_order_of_cameras_changes_no_identity(
    multicam: Command, studio: Studio, finished: Path, tmp_path: Path
) -> None:
    outcome = multicam(
        "track", studio.hall, studio.corridor, "-o", tmp_path, "--detector", studio.detections, "--mosaic",
        "--save-crops", "--trails", "--quiet",
    )  # fmt: skip
    assert outcome.code == 0
    turned, straight = files_in(tmp_path), files_in(finished)
    assert turned.keys() == straight.keys()
    same = [name for name in straight if turned[name] == straight[name]]
    crops = [name for name in straight if name.startswith("crops/")]
    assert {"corridor.txt", "hall.txt", "corridor.mp4", "hall.mp4", "events.jsonl", *crops} <= set(same)
    for name in ("tracks.csv", "tracks.jsonl"):
        assert sorted(turned[name].splitlines()) == sorted(straight[name].splitlines())
    one, other = read_json(finished / "identities.json"), read_json(tmp_path / "identities.json")
    for entry in [*one, *other]:
        entry["cameras"].sort()
        entry["tracks"].sort(key=lambda track: (track["camera"], track["track"]))
    assert one == other
    record = read_json(tmp_path / "run.json")
    assert [camera["name"] for camera in record["cameras"]] == ["hall", "corridor"]
    assert record["threshold"] == read_json(finished / "run.json")["threshold"]
