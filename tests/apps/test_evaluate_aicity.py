"""``multicam evaluate aicity``, and the text of the challenge that ``multicam track`` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.command import Command, assert_one_line, call, files_in, read_csv, read_json
from tracker.storage.aicity_files import read_aicity


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Two people before two cameras; of the results the second is 1 m beside the truth."""
    paths = {name: tmp_path / f"{name}.txt" for name in ("truth", "results")} | {"scenes": tmp_path / "map.json"}
    for name, off in (("truth", 0.0), ("results", 1.0)):
        lines = []
        for frame in range(3):
            lines += [f"{camera} 1 {frame} 0 0 9 20 {frame} 5" for camera in (1, 2)]
            lines += [f"2 2 {frame} 0 0 9 20 {10 + off} 5"]
        paths[name].write_text("\n".join(lines) + "\n")
    paths["scenes"].write_text(json.dumps([{"scene_name": "hall", "camera_ids": [1, 2]}]))
    return paths


def arguments(files: dict[str, Path], **changed: Path) -> list[object]:
    files = files | changed
    given = ["evaluate", "aicity", "--ground-truth", files["truth"]]
    return [*given, "--results", files["results"], "--scenes", files["scenes"]]


def test_what_is_printed_and_written(multicam: Command, files: dict[str, Path], tmp_path: Path) -> None:
    report, figures = tmp_path / "report", tmp_path / "a.json"
    outcome = multicam(*arguments(files), "--report", report, "--json", figures)
    assert outcome.code == 0, outcome.err
    assert sorted(files_in(report)) == ["report.html", "report.json", "report.md"]
    hall, combined = read_json(figures)["rows"]
    # One of two always matches, the other at ten of nineteen thresholds: DetA is 1 at ten, 1/3 at nine.
    assert hall["DetA"] == pytest.approx(100 * (10 + 9 / 3) / 19)
    assert (hall["sequence"], hall["name"], combined["HOTA"]) == ("hall", "results.txt", hall["HOTA"])
    assert f"{hall['HOTA']:.1f}" in outcome.out and "trackeval" in outcome.out
    written = read_json(report / "report.json")
    assert written["rows"] == read_json(figures)["rows"] and written["protocol"] == "aicity"
    assert written["details"]["trajectories"]["results.txt"]["hall"]["bounds"] == [0, 5, 11, 5]
    assert str(tmp_path) not in (report / "report.html").read_text()


@pytest.mark.parametrize("name", ["truth", "results", "scenes"])
def test_a_missing_file_is_one_line(multicam: Command, files: dict[str, Path], tmp_path: Path, name: str) -> None:
    outcome = multicam(*arguments(files, **{name: tmp_path / "none"}), "--report", tmp_path / "report", "--quiet")
    assert_one_line(outcome, "no such file", "none")
    assert files_in(tmp_path / "report") == {}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("aicity") / "room"
    scene = ("--seconds", 1, "--cameras", 2, "--people", 3, "--at-once", 3, "--seed", 4, "--workers", 1)
    assert call("simulate", "-o", folder, *scene, "--quiet") == 0
    return folder


def test_track_writes_the_format_that_evaluate_reads(multicam: Command, room: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ("--detector", f"mot:{room / 'detections'}", "--embedder", "none", "--no-video", "--quiet")
    assert multicam("track", room / "cameras.yaml", "-o", out, "--format", "aicity", *given).code == 0
    rows, floor = read_aicity(out / "aicity.txt"), read_csv(out / "floor.csv")
    places = {(int(row["identity"]), int(row["frame"]) - 1): (float(row["x"]), float(row["y"])) for row in floor}
    seen = [row for row in floor if int(row["cameras"])]
    assert len(seen) > 20 and {(int(row["identity"]), int(row["frame"]) - 1) for row in seen} == set(
        zip(rows.ids.tolist(), rows.frames.tolist())
    )
    for identity, frame, position in zip(rows.ids.tolist(), rows.frames.tolist(), rows.positions.tolist()):
        assert position == pytest.approx(places[identity, frame], abs=6e-4)
    assert set(rows.cameras.tolist()) == {1, 2}
    assert len(rows) == sum(int(row["cameras"]) for row in floor)
    scenes = tmp_path / "map.json"
    scenes.write_text('[{"scene_name": "room", "camera_ids": [1, 2]}]')
    files = {"truth": out / "aicity.txt", "results": out / "aicity.txt", "scenes": scenes}
    assert multicam(*arguments(files), "--json", tmp_path / "a.json", "--quiet").code == 0
    assert read_json(tmp_path / "a.json")["rows"][-1]["HOTA"] == 100


@pytest.mark.parametrize("given", [("--floor", "off"), ()])
def test_without_calibration_the_format_is_refused(
    multicam: Command, room: Path, tmp_path: Path, given: tuple[str, ...]
) -> None:
    source = room / "cameras.yaml" if given else room / "cam1.mp4"
    detector = ("--detector", f"mot:{room / 'detections'}", "--embedder", "none")
    outcome = multicam("track", source, "-o", tmp_path / "out", "--format", "aicity", *given, *detector)
    assert_one_line(outcome, "--format aicity needs places on the floor", "calibration")
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_one_line(multicam: Command, room: Path, tmp_path: Path) -> None:
    outcome = multicam("track", room / "cam1.mp4", "-o", tmp_path / "out", "--format", "kitti")
    assert_one_line(outcome, "--format is 'kitti': give aicity")
