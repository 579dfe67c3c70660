"""Calibrated cameras on the command line: people on the floor, and what is said when that cannot be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.apps.command import Command, assert_consistent, assert_one_line, call, read_json

BARE = ("--embedder", "none", "--no-video", "--quiet")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated") / "room"
    scene = ("--seconds", 1, "--cameras", 2, "--people", 3, "--at-once", 3, "--seed", 4, "--workers", 1)
    assert call("simulate", "-o", folder, *scene, "--quiet") == 0
    return folder


def changed(room: Path, folder: Path, change: Callable[[list[dict]], None]) -> Path:
    """Copy the room and change the cameras of its ``cameras.yaml``; return that file."""
    path = Path(shutil.copytree(room, folder)) / "cameras.yaml"
    content = yaml.safe_load(path.read_text())
    change(content["cameras"])
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(("floor", "tracker"), [("auto", "floor"), ("off", "bytetrack")])
def test_calibrated_cameras_are_followed_on_the_floor(
    room: Path, multicam: Command, tmp_path: Path, floor: str, tracker: str
) -> None:
    out = tmp_path / "out"
    arguments = ("--detector", f"mot:{room / 'detections'}", "--floor", floor, "--embedder", "none", "--quiet")
    assert multicam("track", room / "cameras.yaml", "-o", out, *arguments).code == 0
    record = read_json(out / "run.json")
    assert record["tracker"] == tracker
    rows = [json.loads(line) for line in (out / "tracks.jsonl").read_text().splitlines()]
    shared = {row["track"] for row in rows if row["camera"] == "cam1"} & {
        row["track"] for row in rows if row["camera"] == "cam2"
    }
    if floor == "auto":
        assert shared and all(row["identity"] == row["track"] for row in rows)
        assert_consistent(out, ["cam1", "cam2"])


def test_a_camera_without_calibration_is_named_and_all_go_view_by_view(
    room: Path, multicam: Command, tmp_path: Path
) -> None:
    cameras = changed(room, tmp_path / "room", lambda entries: entries[1].pop("calibration"))
    detections = ("--detector", f"mot:{room / 'detections'}")
    outcome = multicam("track", cameras, "-o", tmp_path / "out", *detections, "--embedder", "none", "--no-video")
    assert outcome.code == 0
    assert "No calibration of cam2: people are followed view by view" in " ".join(outcome.err.split())
    assert read_json(tmp_path / "out" / "run.json")["tracker"] == "bytetrack"


def test_people_on_the_floor_keep_their_numbers_from_run_to_run(room: Path, multicam: Command, tmp_path: Path) -> None:
    looks = ("--detector", f"mot:{room / 'detections'}", "--embedder", "color_histogram", "--no-video", "--quiet")
    known = ("--gallery", tmp_path / "people.npz")
    for name in ("first", "second"):
        assert multicam("track", room / "cameras.yaml", "-o", tmp_path / name, *looks, *known).code == 0
    first, second = (read_json(tmp_path / name / "identities.json") for name in ("first", "second"))
    assert first and [entry["identity"] for entry in second] == [entry["identity"] for entry in first]
    assert [entry["observations"] for entry in second] == [entry["observations"] for entry in first]
    assert read_json(tmp_path / "second" / "run.json")["recalled_from_earlier_runs"] == len(first)


@pytest.mark.parametrize("calibrated", [True, False])
def test_entries_are_used_on_the_floor_and_else_said_not_to_be(
    room: Path, multicam: Command, tmp_path: Path, calibrated: bool
) -> None:
    cameras = changed(room, tmp_path / "room", lambda entries: None if calibrated else entries[1].pop("calibration"))
    arguments = ("--detector", f"mot:{room / 'detections'}", "--embedder", "none", "--no-video")
    plain = cameras.read_text()
    cameras.write_text(plain + "area: [[90, 0], [91, 0], [91, 1]]\n")
    outcome = multicam("track", cameras, "-o", tmp_path / "out", *arguments)
    if calibrated:
        assert outcome.code == 2 and "the cameras see nothing of the area" in outcome.err
        cameras.write_text(plain + "entries: [{name: door, center: [4, 0], radius: 0.6}]\n")
        assert multicam("track", cameras, "-o", tmp_path / "out", *arguments, "--quiet").code == 0
    else:
        assert outcome.code == 0
        (warning,) = read_json(tmp_path / "out" / "run.json")["warnings"]
        assert warning.startswith("The entries and the area of cameras.yaml are not used") and warning in outcome.err


def _under_the_floor(entries: list[dict]) -> None:
    entries[0]["calibration"] = {
        "K": [[500, 0, 320], [0, 500, 240], [0, 0, 1]], "R": [[1, 0, 0], [0, 0, -1], [0, 1, 0]], "t": [0, -2, 3],
        "width": 640, "height": 480,
    }  # fmt: skip


def _of_another_shape(entries: list[dict]) -> None:
    _under_the_floor(entries)
    entries[0]["calibration"] |= {"t": [0, 2, 3], "width": 640, "height": 640}


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (lambda entries: entries[0].update(calibration="nowhere.json"), ("nowhere.json",)),
        (lambda entries: entries[0].update(name="attic"), ("no camera 'attic' in it", "cam1")),
        (_under_the_floor, ("cam1", "under the floor")),
        (_of_another_shape, ("cam1", "calibrated for images of 640×640")),
    ],
    ids=["no such file", "not in the file", "under the floor", "of another shape"],
)
def test_a_calibration_that_cannot_be_used_is_one_line(
    room: Path, multicam: Command, tmp_path: Path, change: Callable[[list[dict]], None], fragments: tuple[str, ...]
) -> None:
    cameras = changed(room, tmp_path / "room", change)
    detections = ("--detector", f"mot:{room / 'detections'}/cam1.txt")
    assert_one_line(multicam("track", cameras, "-o", tmp_path / "out", *detections, *BARE), *fragments)
    assert not (tmp_path / "out").exists()
