"""Calibrated cameras on the command line: people on the floor, and what is said when that cannot be."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml

import apps.track
from tests.apps.command import Command, assert_consistent, assert_one_line, call, read_csv, read_json, read_lines
from tracker.video.drawing import identity_color
from tracker.video.mosaic import mosaic_size

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
    assert {name for name in record["files"] if name.startswith("floor")} == (
        {"floor.csv", "floor.png"} if floor == "auto" else set()
    )
    if floor == "auto":
        assert shared and all(row["identity"] == row["track"] for row in rows)
        assert_consistent(out, ["cam1", "cam2"])


@pytest.fixture(scope="module")
def followed(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with the mosaic and nothing that tells people apart; only to be read."""
    out = tmp_path_factory.mktemp("followed") / "out"
    assert (
        call("track", room / "cameras.yaml", "-o", out, *BARE, "--mosaic", "--detector", f"mot:{room / 'detections'}")
        == 0
    )
    return out


def test_the_table_says_where_people_are_on_the_floor(room: Path, followed: Path) -> None:
    rows = read_csv(followed / "floor.csv")
    assert list(rows[0]) == ["time", "frame", "identity", "track", "x", "y", "height", "cameras"]
    # Who is in a camera's box is in that camera's rows of the same instant, and nobody else is.
    boxes = Counter((row["frame"], row["track"]) for row in read_lines(followed / "tracks.jsonl"))
    found = {(int(row["frame"]), int(row["track"])): int(row["cameras"]) for row in rows}
    assert len(found) == len(rows) and sum(found.values()) > 20
    assert {key: count for key, count in found.items() if count} == boxes
    truth = np.loadtxt(room / "world.txt", delimiter=",")
    for row in rows:
        assert row["identity"] == row["track"]
        assert float(row["time"]) == pytest.approx((int(row["frame"]) - 1) / 15, abs=1e-3)
        assert 0.8 < float(row["height"]) < 2.2
        if int(row["cameras"]) > 1:
            there = truth[truth[:, 0] == int(row["frame"]), 2:4]
            assert np.hypot(*(there - (float(row["x"]), float(row["y"]))).T).min() < 0.5


def test_the_picture_of_the_floor_shows_everybody(followed: Path) -> None:
    picture = cv2.imread(str(followed / "floor.png"))
    assert picture is not None and min(picture.shape[:2]) >= 640
    for row in read_csv(followed / "floor.csv"):
        color = identity_color(int(row["identity"]))
        assert (picture == color).all(axis=2).sum() > 100, "a way, a tag, a line of the legend"


def test_the_plan_is_a_tile_of_the_mosaic_unless_it_is_not_wanted(
    room: Path, followed: Path, multicam: Command, tmp_path: Path
) -> None:
    arguments = (*BARE, "--mosaic", "--no-floor-plan", "--max-frames", 2, "--detector", f"mot:{room / 'detections'}")
    assert multicam("track", room / "cameras.yaml", "-o", tmp_path / "out", *arguments).code == 0
    image = np.zeros((480, 640, 3), np.uint8)
    assert picture_of(tmp_path / "out" / "mosaic.mp4").shape[1::-1] == mosaic_size([image, image])
    shown = picture_of(followed / "mosaic.mp4")
    assert shown.shape[1::-1] == mosaic_size([image, image, None], (1920, 1080))
    # The last tile, in the middle of the second row, is dark, and somebody stands in it.
    middle = shown.shape[1] // 2
    tile = shown[-500:, middle - 330 : middle + 330]
    assert np.median(tile) < 60
    rows = [row for row in read_csv(followed / "floor.csv") if row["frame"] == "1"]
    assert rows
    for row in rows:
        assert (np.abs(tile.astype(int) - identity_color(int(row["identity"]))).max(axis=2) < 40).sum() > 50
    assert read_json(followed / "run.json")["outputs"]["floor_plan"] is True


def test_the_window_has_the_plan_with_people_as_they_are_known_then(
    room: Path, multicam: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(apps.track, "check_window", lambda: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture.copy()))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: -1)
    arguments = (*BARE, "--show", "--max-frames", 3, "--detector", f"mot:{room / 'detections'}")
    assert multicam("track", room / "cameras.yaml", "-o", tmp_path / "out", *arguments).code == 0
    middle = shown[-1].shape[1] // 2
    tile = shown[-1][-500:, middle - 330 : middle + 330]
    last = [row for row in read_csv(tmp_path / "out" / "floor.csv") if row["frame"] == "3"]
    assert len(shown) == 3 and last
    for row in last:
        assert (tile == identity_color(int(row["identity"]))).all(axis=2).sum() > 50


def picture_of(video: Path) -> np.ndarray:
    """Return the first picture (H, W, 3) BGR of a video."""
    with av.open(str(video)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


def test_a_folder_in_the_place_of_the_table_is_said_before_any_work(
    room: Path, multicam: Command, tmp_path: Path
) -> None:
    (tmp_path / "floor.csv").mkdir()
    outcome = multicam("track", room / "cameras.yaml", "-o", tmp_path, *BARE, "--overwrite")
    assert_one_line(outcome, "floor.csv", "folder")


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
