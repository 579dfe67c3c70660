"""The LAB protocol: sequences, positions converted to ours, and figures counted by hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks import lab
from benchmarks.lab_scores import MEAN, PAPER_ROWS, LabScores, mean_rows, read_floor_results, score_lab_run
from benchmarks.lab_sequence import lab_sequence, lab_sequences
from benchmarks.lab_tables import lab_tables
from benchmarks.lab_truth import TruthFormat, convert_truth, read_world, write_world
from benchmarks.simulation.room import Room
from benchmarks.simulation.truth import area_of_truth
from benchmarks.world_metrics import GATES
from tests.benchmarks.lab_scene import AREA, FRAMES, HEADER, Result, truly, write_run, write_sequence
from tracker.errors import InputError


def scored(folder: Path, run: Path, **options: bool) -> LabScores:
    return score_lab_run(lab_sequence(write_sequence(folder / "LAB", **options)), run, "motion alone")


def test_a_sequence_has_what_its_files_say(tmp_path: Path) -> None:
    sequence = lab_sequence(write_sequence(tmp_path / "LAB"))
    assert (sequence.name, [camera.name for camera in sequence.cameras]) == ("LAB", ["a", "b"])
    assert sequence.area is not None and (sequence.area.x, sequence.area.y) == ((0, 6), (0, 5))
    assert sequence.boxes and sequence.world is not None and len(sequence.world) == 2 * FRAMES
    assert sequence.world.positions[0].tolist() == [1.1, 1.0]
    assert sequence.evaluated.tolist() == list(range(1, FRAMES + 1))


def test_either_truth_is_enough_and_the_area_may_be_left_out(tmp_path: Path) -> None:
    floor = lab_sequence(write_sequence(tmp_path / "floor", boxes=False, area=""))
    assert (floor.boxes, floor.area) == (False, None) and floor.world is not None
    images = lab_sequence(write_sequence(tmp_path / "images", world=False))
    assert images.boxes and images.world is None


def test_videos_beside_a_calibration_need_no_cameras_file(tmp_path: Path) -> None:
    for name in ("cam10.mp4", "cam2.mp4", "calibration.json"):
        (tmp_path / name).write_text("")
    (tmp_path / "world.txt").write_text("1,1,0,0\n")
    cameras = lab_sequence(tmp_path).cameras
    assert [camera.name for camera in cameras] == ["cam2", "cam10"]
    assert {camera.calibration for camera in cameras} == {tmp_path / "calibration.json"}


def test_positions_noted_every_fifth_frame_are_the_only_ones_that_count(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "LAB")
    (folder / "world.txt").write_text("1,1,1.1,1\n6,1,1.6,1\n6,2,4,4\n1,2,4,4\n")
    sequence = lab_sequence(folder)
    assert sequence.evaluated.tolist() == [1, 6]
    row = score_lab_run(sequence, write_run(tmp_path / "run", truly), "motion alone").row
    assert (row["TP"], row["FP"], row["FN"], row["MOTA@1m"]) == (4, 0, 0, 100)


def test_sequences_are_found_where_they_may_lie(tmp_path: Path) -> None:
    write_sequence(tmp_path / "data" / "lab" / "second")
    write_sequence(tmp_path / "data" / "lab" / "first")
    (tmp_path / "data" / "lab" / "notes").mkdir()
    for root in (tmp_path, tmp_path / "data", tmp_path / "data" / "lab"):
        assert [sequence.name for sequence in lab_sequences(root)] == ["first", "second"]
    assert [sequence.name for sequence in lab_sequences(tmp_path / "data" / "lab" / "second")] == ["second"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (["world.txt", "truth/a.txt", "truth/b.txt"], "no truth: neither world.txt nor truth/a.txt"),
        (["truth/b.txt"], "truth/b.txt, but one of a; give that of every camera"),
        (["cameras.yaml"], "no cameras.yaml and no videos cam1.mp4"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, missing: list[str], words: str) -> None:
    folder = write_sequence(tmp_path / "LAB")
    for name in missing:
        (folder / name).unlink()
    with pytest.raises(InputError, match=words):
        lab_sequences(folder)


def test_other_faults_of_a_sequence(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "LAB", boxes=False)
    with pytest.raises(InputError, match=r"no sequence in .*empty"):
        (tmp_path / "empty").mkdir()
        lab_sequences(tmp_path / "empty")
    with pytest.raises(InputError, match="no folder"):
        lab_sequences(tmp_path / "nowhere")
    (folder / "cam1.mp4").write_text("")
    cameras = (folder / "cameras.yaml").read_text()
    (folder / "cameras.yaml").unlink()
    with pytest.raises(InputError, match=r"no file .*calibration.json"):
        lab_sequence(folder)
    for area, words in (
        ("truth_area: {x: [0, 6]}", "y is missing"),
        ("truth_area: {x: [6, 0], y: [0, 5]}", "x goes from 6"),
    ):
        (folder / "cameras.yaml").write_text(cameras.replace(AREA, area))
        with pytest.raises(InputError, match=words):
            lab_sequence(folder)
    (folder / "cameras.yaml").write_text("cameras: [{name: a, source: a.mp4}]")
    with pytest.raises(InputError, match="no calibration of a, which people on the floor need"):
        lab_sequence(folder)
    for text, words in (
        ("", "nobody"),
        ("0,1,2,3\n", "frame 0; frames count from 1"),
        ("1,1,2,3\n1,1,3,3\n", "two pl"),
    ):
        (folder / "world.txt").write_text(text)
        with pytest.raises(InputError, match=words):
            read_world(folder / "world.txt")


def test_without_calibration_only_the_images_count(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "LAB")
    (folder / "cameras.yaml").write_text("cameras: [{name: a, source: a.mp4}, {name: b, source: b.mp4}]")
    with pytest.warns(RuntimeWarning, match="scored in the images only"):
        sequence = lab_sequence(folder)
    assert sequence.world is None and sequence.boxes


def test_the_area_of_a_simulated_room_is_where_everybody_is_listed() -> None:
    room = Room()
    assert area_of_truth(room) == {"x": [0, room.width], "y": [0, room.depth]}


def test_everything_right(tmp_path: Path) -> None:
    scores = scored(tmp_path, write_run(tmp_path / "run", truly))
    row = scores.row
    for figure in ("MOTA", "IDF1", "HOTA"):
        for place in ("1m", "0.5m", "images"):
            assert row[f"{figure}@{place}"] == pytest.approx(100), (figure, place)
    assert row["MOTP@1m"] == pytest.approx(0, abs=1e-9)
    assert [row[name] for name in ("IDSW", "FP", "FN", "TP")] == [0, 0, 0, 2 * FRAMES]
    assert (row["people"], row["identities"]) == (2, 2)
    assert (row["frames"], row["frames_per_second"]) == (FRAMES, FRAMES / 2)
    assert row["TP@images"] == 4 * FRAMES
    assert scores.tracks is not None and sorted(set(scores.tracks.ids.tolist())) == [10, 20]
    assert scores.engines["MOTA@0.5m"].startswith("motmetrics")


def test_six_decimetres_off_pass_one_gate_and_fail_the_other(tmp_path: Path) -> None:
    def off(frame: int) -> list[Result]:
        return [(identity, track, x, y + 0.6) for identity, track, x, y in truly(frame)]

    row = scored(tmp_path, write_run(tmp_path / "run", off)).row
    assert (row["MOTA@1m"], row["IDF1@1m"], row["MOTP@1m"]) == (100, 100, pytest.approx(0.6))
    assert (row["MOTA@0.5m"], row["IDF1@0.5m"], row["MOTP@0.5m"]) == (-100, 0, None)
    assert row["HOTA@1m"] < 80 and row["HOTA@0.5m"] == 0


def test_people_who_swap_identities_half_way(tmp_path: Path) -> None:
    half = FRAMES // 2

    def swapped(frame: int) -> list[Result]:
        (first, *one), (second, *other) = truly(frame)
        return [(first, *one), (second, *other)] if frame <= half else [(second, *one), (first, *other)]  # type: ignore[list-item]

    run = write_run(tmp_path / "run", swapped, lambda person, frame: 10 * (person if frame <= half else 3 - person))
    row = scored(tmp_path, run).row
    assert (row["IDSW@1m"], row["MOTA@1m"], row["IDF1@1m"]) == (2, 90, 50)
    # In the second camera they start as they did in the first, and swap again.
    assert (row["IDF1@images"], row["IDSW@images"]) == (50, 6)


def test_a_track_without_identity_is_somebody_of_its_own(tmp_path: Path) -> None:
    def unsure(frame: int) -> list[Result]:
        (_, *one), (_, *other) = truly(frame)
        return [("", *one), ("1", *other)]  # type: ignore[list-item]

    scores = scored(tmp_path, write_run(tmp_path / "run", unsure))
    assert (scores.row["IDF1@1m"], scores.row["identities"]) == (100, 1)
    assert scores.tracks is not None and set(scores.tracks.ids.tolist()) == {1, 1_000_001}


def test_who_is_outside_the_area_counts_on_neither_side(tmp_path: Path) -> None:
    def with_corridor(frame: int) -> list[Result]:
        return [*truly(frame), ("30", 3, 3.0, -1.0)]

    folder = write_sequence(tmp_path / "LAB")
    world = folder / "world.txt"
    world.write_text(
        world.read_text() + "".join(f"{frame},9,8,8\n" for frame in range(1, FRAMES + 1)).replace("\n", ",0\n")
    )
    run = write_run(tmp_path / "run", with_corridor)
    row = score_lab_run(lab_sequence(folder), run, "motion alone").row
    assert (row["MOTA@1m"], row["FP"], row["FN"], row["people"], row["identities"]) == (100, 0, 0, 2, 2)
    cameras = folder / "cameras.yaml"
    cameras.write_text(cameras.read_text().replace(AREA, ""))
    row = score_lab_run(lab_sequence(folder), run, "motion alone").row
    assert (row["FP"], row["FN"], row["people"], row["identities"]) == (FRAMES, FRAMES, 3, 3)


def test_truth_that_goes_on_after_the_videos_is_said(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "LAB", boxes=False)
    (folder / "world.txt").write_text((folder / "world.txt").read_text() + f"{FRAMES + 5},1,2,2,0\n")
    run = write_run(tmp_path / "run", truly)
    with pytest.warns(RuntimeWarning, match="goes to frame 15, the videos to 10"):
        score_lab_run(lab_sequence(folder), run, "motion alone")
    (folder / "world.txt").write_text("1,1,1.1,1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score_lab_run(lab_sequence(folder), run, "motion alone")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,frame,identity,x,y\n", "no column track"),
        (HEADER + "0,1,1,1,2,2,1.7,a\n0,1,,1,far,2,1.7,a\n", "line 3: "),
        (HEADER + "0,1,5,1,2,2,1.7,a\n0,1,5,2,3,3,1.7,a\n", "id 5 is in two places in frame 1"),
    ],
)
def test_faults_of_floor_positions(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "floor.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_floor_results(tmp_path / "floor.csv")
    with pytest.raises(InputError, match="did not follow people on the floor"):
        read_floor_results(tmp_path / "none" / "floor.csv")


def test_means_and_tables(tmp_path: Path) -> None:
    rows = [
        {"name": name, "sequence": sequence, "MOTA@1m": mota, "MOTP@1m": motp, "IDSW@1m": 1, "identities": 4}
        for name, sequence, mota, motp in (("motion alone", "s1", 80.0, None), ("motion alone", "s2", 90.0, 0.2))
    ]
    assert mean_rows(rows[:1]) == []
    (mean,) = mean_rows(rows)
    assert (mean["sequence"], mean["MOTA@1m"], mean["MOTP@1m"], mean["identities"]) == (MEAN, 85, 0.2, 4)
    floor, people = lab_tables([*rows, mean], PAPER_ROWS, GATES)
    assert floor[0] == "On the floor" and floor[1][:3] == ["", "MOTA@1m", "IDF1@1m"]
    assert floor[2][0][:2] == ["s1, motion alone", "80.0"]
    assert floor[2][3:][0][:3] == ["paper, real LAB: no ReID", "96.1", "57.1"]
    assert floor[2][-1][:3] == ["paper, real LAB: Robust-ReID, DukeMTMC", "96.1", "89.1"]
    assert people[1] == ["", "people", "identities", "frames/s"] and people[2][0][2] == "4"


def test_converted_positions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Centimetres, y before x, x the other way, frames from 0 at a third of the rate, ids last, a heading."""
    given, output = tmp_path / "positions.txt", tmp_path / "LAB" / "world.txt"
    given.write_text("y x time frame id\n# by hand\n\n300 250 0.5 1 8\n100 50 0.0 0 7\n200 250 0.5 1 7\n")
    options = ("--columns", "y,-x,_,frame,id", "--delimiter", "space", "--scale", "0.01", "--origin", "450,100")
    lab.main(
        [
            "convert",
            str(given),
            "-o",
            str(output),
            *options,
            "--frame-step",
            "3",
            "--frame-offset",
            "1",
            "--skip-lines",
            "1",
        ]
    )
    assert output.read_text() == "1,7,4.0000,0.0000\n4,7,2.0000,1.0000\n4,8,2.0000,2.0000\n"
    assert "2 people, frames 1 to 4, x 2.00 to 4.00 m, y 0.00 to 2.00 m" in capsys.readouterr().out
    tracks = read_world(output)
    assert (tracks.frames.tolist(), tracks.ids.tolist()) == ([1, 4, 4], [7, 7, 8])
    write_world(output, tracks[::-1])
    np.testing.assert_array_equal(read_world(output).positions, tracks.positions)
    with pytest.raises(SystemExit) as end:
        lab.main(["convert", str(given), "-o", str(output)])
    assert end.value.code == 2 and "exists: choose another name, or add --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("frame,id,x,y\n1,1,1,1\n", {}, "line 1: 'frame' in column frame is no finite number"),
        ("1 1 1 1\n", {}, "line 1: 1 columns where frame,id,x,y are 4; check --columns and --delimiter"),
        ("0,1,1,1\n", {}, "frame 0 after the offset; the first is 1: check --frame-offset"),
        ("1,1,1,1\n1,1,2,2\n", {}, "id 1 is in two places in frame 1"),
        ("1,1,1,inf\n", {}, "'inf' in column y"),
        ("", {}, "has nobody in it"),
        ("1,1,1,1\n", {"columns": ("frame", "id", "x", "z")}, "column 'z' is unknown"),
        ("1,1,1,1\n", {"columns": ("frame", "id", "x", "-x")}, "column x is named twice"),
        ("1,1,1,1\n", {"columns": ("frame", "id", "x")}, "column y is missing"),
        ("1,1,1,1\n", {"delimiter": "komma"}, "delimiter 'komma'"),
        ("1,1,1,1\n", {"scale": 0.0}, "the scale is 0"),
        ("1,1,1,1\n", {"frame_step": 0}, "a frame step of 0"),
    ],
)
def test_positions_that_cannot_be_converted(tmp_path: Path, text: str, options: dict, words: str) -> None:
    (tmp_path / "positions.txt").write_text(text)
    with pytest.raises(InputError, match=words):
        convert_truth(tmp_path / "positions.txt", TruthFormat(**options))
