"""``multicam track`` on recordings of calibrated cameras: the results are those of the run looked at again."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import apps.build
from tests.apps.command import Command, assert_consistent, call, files_in, read_csv, read_json, read_lines
from tests.tracker.test_pipeline import MeanColour
from tracker.floor.pipeline import FloorPipeline

CAMERAS = ["cam1", "cam2"]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated") / "room"
    scene = ("--seconds", 1, "--cameras", 2, "--people", 3, "--at-once", 3, "--seed", 4, "--workers", 1)
    assert call("simulate", "-o", folder, *scene, "--quiet") == 0
    (folder / "zones.yaml").write_text(
        "zones:\n- {name: middle, polygon: [[0, 0], [6, 0], [6, 5], [0, 5]]}\n", encoding="utf-8"
    )
    return folder


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let people be told by the mean colours of their crops."""
    monkeypatch.setattr(apps.build, "build_embedder", lambda settings: MeanColour())


def track(multicam: Command, room: Path, out: Path, *more: Any, code: int = 0) -> dict[str, Any]:
    given = ("--detector", f"mot:{room / 'detections'}", "--save-crops", "--save-detections", "--quiet")
    outcome = multicam("track", room / "cameras.yaml", "-o", out, *given, *more)
    assert outcome.code == code, outcome.err
    return read_json(out / "run.json")


def assert_of_one_run(out: Path) -> None:
    """Assert that all files of a run tell of the same tracks."""
    assert_consistent(out, CAMERAS)
    rows = read_lines(out / "tracks.jsonl")
    on_floor = {(int(row["frame"]), int(row["track"])): int(row["cameras"]) for row in read_csv(out / "floor.csv")}
    boxes = Counter((row["frame"], row["track"]) for row in rows)
    assert {key: count for key, count in on_floor.items() if count} == boxes
    shown = {(row["camera"], row["frame"], row["track"], row["identity"]) for row in rows}
    crops = sorted(out.glob("crops/*/*.jpg"))
    assert len(crops) >= len({row[::2] for row in shown}) / 4
    for path in crops:
        camera, frame, number = path.stem.split("_")
        assert (camera, int(frame), int(number), int(path.parent.name)) in shown


def test_all_files_are_of_the_run_looked_at_again_and_the_same_each_time(
    room: Path, multicam: Command, tmp_path: Path
) -> None:
    zones = ("--zones", room / "zones.yaml")
    records = [track(multicam, room, tmp_path / name, "--look-again", *zones) for name in ("first", "second")]
    assert [record["looked_again"] for record in records] == [True, True]
    assert_of_one_run(tmp_path / "first")
    first, second = (files_in(tmp_path / name) for name in ("first", "second"))
    assert first.keys() == second.keys()
    # Stores count time from when a run began.
    assert [name for name in first if first[name] != second[name] and name not in ("run.json", "store.sqlite")] == []
    identities = {str(entry["identity"]) for entry in read_json(tmp_path / "first" / "identities.json")}
    assert {row["identity"] for row in read_csv(tmp_path / "first" / "visits.csv")} <= identities


def test_it_can_be_left_out_and_broken_off(
    room: Path, multicam: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = track(multicam, room, tmp_path / "plain")
    assert not record["looked_again"] and not record["settings"]["look_again"]
    look_again = FloorPipeline.look_again

    def interrupted(self: FloorPipeline, advance: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return look_again(self, advance)

    monkeypatch.setattr(FloorPipeline, "look_again", interrupted)
    record = track(multicam, room, tmp_path / "stopped", "--look-again", code=130)
    assert record["interrupted"] and not record["looked_again"]
    assert_of_one_run(tmp_path / "stopped")
    for name in ("floor.csv", "tracks.csv", "events.jsonl"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
