"""``multicam align``: tracks in files to a camera in a calibration.json, and clocks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.apps.command import Command, assert_one_line, files_in, read_json
from tests.tracker.geometry.walks import SIZE, Walks, corner_camera, floor_error, walks
from tracker.geometry.camera import Camera
from tracker.geometry.people_tracks import BoxTracks
from tracker.geometry.readers import read_calibration
from tracker.storage.mot_files import write_tracks

RATE = 8.0


def write_camera(path: Path, tracks: BoxTracks) -> None:
    frames = np.rint(tracks.times * RATE).astype(int) + 1
    write_tracks(path, frames, tracks.ids, tracks.boxes)


@pytest.fixture(scope="module")
def hall() -> Walks:
    return walks(1, seconds=20)


@pytest.fixture
def folder(hall: Walks, tmp_path: Path) -> Path:
    """A run with one uncalibrated camera, who is on the floor, and a calibration of another camera."""
    run = tmp_path / "run"
    run.mkdir()
    write_camera(run / "new.txt", hall.tracks)
    (run / "notes.txt").write_text("not tracks\n")
    record = {
        "settings": {"stride": 2},
        "cameras": [{"name": "new", "frame_rate": RATE / 2, "size": SIZE, "start_offset": 2.0}],
    }
    (run / "run.json").write_text(json.dumps(record))
    lines = [f"{round(time * RATE) + 1},{int(who)},{x:.4f},{y:.4f},0.5\n" for time, who, x, y in hall.rows]
    (tmp_path / "world.txt").write_text("".join(lines))
    corner = corner_camera("old", (7.8, 0.3, 2.5)).calibration()
    (tmp_path / "calibration.json").write_text(json.dumps({"units": "metres", "cameras": [corner]}))
    return tmp_path


def test_tracks_become_a_calibration_that_track_reads(multicam: Command, hall: Walks, folder: Path) -> None:
    output = folder / "calibration.json"
    outcome = multicam(
        "align", "new", "--tracks", folder / "run", "--floor", folder / "world.txt", "--floor-rate", RATE,
        "--range", 2.2, "-o", output,
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    assert list(read_calibration(output)) == ["old", "new"]
    camera = read_calibration(output, "new")["new"]
    assert isinstance(camera, Camera)
    assert np.linalg.norm(camera.position - hall.truth.position) < 0.15
    assert floor_error(camera, hall.truth) < 0.08
    record = read_json(output)["cameras"][1]["estimation"]
    # The run had added two seconds already: the clock is right when they are taken off and the truth is added.
    assert record["start_offset"] == pytest.approx(hall.offset, abs=0.03)
    assert record["offset_seconds"] == pytest.approx(hall.offset - 2, abs=0.03)
    said = outcome.out.splitlines()
    assert said[0].startswith(
        f"4 people matched, {record['explained']} of {record['looks']} looks explained; agreement 0."
    )
    assert said[1].startswith("RMS of what agrees: feet ") and said[1].endswith(" cm on the floor.")
    assert said[2].startswith(f"Clock: start_offset {record['start_offset']:.3f} ± 0.0")
    assert "s taken off its times" in said[2]
    assert said[3].startswith("new: x 0.") and "m above the floor; focal length 4" in said[3]
    assert said[4] == f"{output}: new written."
    assert_one_line(
        multicam("align", "new", "--tracks", folder / "run", "--floor", folder / "world.txt", "-o", output),
        "has a camera 'new'", "--overwrite",
    )  # fmt: skip


def test_clocks_of_calibrated_cameras_are_told(multicam: Command, tmp_path: Path) -> None:
    """Two cameras of a hall, without tracks: what a detector found, whom nobody followed."""
    cameras = {"west": corner_camera("west"), "east": corner_camera("east", (7.8, 0.4, 2.5))}
    calibration = {"units": "metres", "cameras": [camera.calibration() for camera in cameras.values()]}
    (tmp_path / "calibration.json").write_text(json.dumps(calibration))
    for name, offset in (("west", 0.0), ("east", 0.5)):
        seen = walks(4, seconds=14, offset=offset, camera=cameras[name]).tracks
        real = seen.subset(seen.ids < 1000)
        frames = np.rint(real.times * RATE).astype(int) + 1
        write_tracks(tmp_path / f"{name}.txt", frames, np.full(len(real), -1), real.boxes)
    arguments = ("align", "--clocks", "--calibration", tmp_path / "calibration.json", "--rate", RATE, "--range", 1)
    before = files_in(tmp_path)
    outcome = multicam(*arguments, "--tracks", tmp_path / "west.txt", "--tracks", tmp_path / "east.txt")
    assert (outcome.code, outcome.err) == (0, "")
    first, second = outcome.out.splitlines()
    assert first == "west: start_offset 0.000; the others go by it"
    assert second.startswith("east: start_offset ") and "added to its times" in second
    assert float(second.split()[2]) == pytest.approx(0.5, abs=0.08)
    assert files_in(tmp_path) == before
    assert_one_line(multicam(*arguments, "--tracks", tmp_path / "west.txt"), "two calibrated cameras or more")


def test_what_cannot_be_used_is_named(multicam: Command, folder: Path) -> None:
    output = folder / "new" / "calibration.json"
    floor = ("--floor", folder / "world.txt")
    known = ("--calibration", folder / "calibration.json")
    run = ("--tracks", folder / "run")
    lone = folder / "lone.txt"
    lone.write_bytes((folder / "run" / "new.txt").read_bytes())
    (folder / "odd.txt").write_text("frame,id,x,y\n1,2,0.5,there\n")
    (folder / "none.txt").write_text("# nobody\n")
    (folder / "empty").mkdir()

    def refused(*arguments: object, fragments: tuple[str, ...]) -> None:
        assert_one_line(multicam("align", *arguments, "-o", output), *fragments)
        assert not output.parent.exists()

    refused("new", *run, fragments=("give the calibrated cameras as --calibration FILE", "--floor"))
    refused("new", *run, *floor, *known, fragments=("give the calibrated cameras as --calibration FILE",))
    refused("new", *run, *floor, fragments=("nothing says its frame rate", "--floor-rate"))
    refused("new", *run, *floor, "--rate", -2, fragments=("--rate is -2",))
    refused("new", *run, *known, fragments=("no tracks of a calibrated camera (old)", "NAME.txt"))
    refused("old", *run, *known, fragments=("no tracks of camera 'old'",))
    refused("lone", "--tracks", lone, *floor, fragments=("nothing says its frame rate", "--rate"))
    refused("lone", "--tracks", lone, *floor, "--rate", RATE, fragments=("size of camera lone's images", "--size"))
    refused("lone", "--tracks", lone, *floor, "--rate", RATE, "--size", "big", fragments=("--size is 'big'",))
    refused("new", *run, *run, *floor, "--rate", RATE, fragments=("are both of camera 'new'",))
    refused("new", "--tracks", folder / "empty", *floor, fragments=("no tracks in it",))
    refused("new", *run, "--floor", folder / "odd.txt", "--rate", RATE, fragments=("odd.txt line 2", "frame,id,x,y"))
    refused("new", *run, "--floor", folder / "none.txt", "--rate", RATE, fragments=("nobody in it",))
    refused("new", *run, *floor, "--offset", "old", fragments=("--offset 'old' is not NAME=SECONDS",))
    refused("new", *run, *floor, "--rate", RATE, "--model", "plane", fragments=("unknown model 'plane'",))
    refused(*run, *floor, fragments=("give the camera's name and --output FILE", "--clocks"))
    refused(*run, *known, "--clocks", fragments=("--clocks tells the clocks", "no --output"))
    refused("new", *run, *floor, "--rate", RATE / 100, "--range", 0.5, fragments=("cannot be aligned",))
    (folder / "run" / "run.json").write_text("{}")
    refused("new", *run, *floor, fragments=("run.json is no record of a run",))
