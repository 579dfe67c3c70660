"""Every kind of recorded source, and sources that are unlike each other in one run."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.apps.command import Command, assert_consistent, read_json, read_lines
from tests.apps.conftest import Studio
from tests.apps.scenes import CORRIDOR, GREEN_YELLOW, RED_BLUE, Figure, write_scene, write_sequence


def test_a_folder_of_images_is_as_good_as_a_video(
    multicam: Command, finished: Path, studio: Studio, tmp_path: Path
) -> None:
    sequence = write_sequence(tmp_path / "corridor", CORRIDOR, 40)
    plain = shutil.copytree(sequence / "img1", tmp_path / "plain")
    shutil.copytree(sequence / "det", plain / "det")
    outcome = multicam("track", plain, "-o", tmp_path / "out", "--detector", f"mot:{plain}", "--no-video")
    assert outcome.code == 0
    warnings = [line for line in outcome.err.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1 and "25 frames per second assumed" in warnings[0]
    record = read_json(tmp_path / "out" / "run.json")
    assert record["warnings"] == record["cameras"][0]["warnings"] == [warnings[0].removeprefix("Warning: ")]
    rows = read_lines(tmp_path / "out" / "tracks.jsonl")
    assert rows[-1]["time"] == pytest.approx((rows[-1]["frame"] - 1) / 25)


def test_a_motchallenge_sequence_gives_its_rate_and_frame_numbers(
    multicam: Command, finished: Path, tmp_path: Path
) -> None:
    sequence = write_sequence(tmp_path / "corridor", CORRIDOR, 80)
    outcome = multicam("track", sequence, "-o", tmp_path / "out", "--detector", f"mot:{sequence}")
    assert outcome.code == 0
    assert_consistent(tmp_path / "out", ["corridor"])
    assert read_json(tmp_path / "out" / "run.json")["warnings"] == []
    # Images without loss: the same boxes at the same times as from the video of the same scene.
    whole = [row for row in read_lines(finished / "tracks.jsonl") if row["camera"] == "corridor"]
    mine = read_lines(tmp_path / "out" / "tracks.jsonl")
    assert [(row["frame"], row["time"], row["track"], row["box"]) for row in mine] == [
        (row["frame"], row["time"], row["track"], row["box"]) for row in whole
    ]


def test_a_sequence_without_images_is_tracked_by_motion(multicam: Command, tmp_path: Path) -> None:
    sequence = write_sequence(tmp_path / "somewhere", CORRIDOR, 80, images=False)
    arguments = ("track", sequence, "-o", tmp_path / "out", "--detector", f"mot:{sequence}")
    assert multicam(*arguments, "--no-video", "--embedder", "none").code == 0
    assert_consistent(tmp_path / "out", ["somewhere"], video=False)
    assert read_json(tmp_path / "out" / "run.json")["frames"] == 80
    assert len({row["identity"] for row in read_lines(tmp_path / "out" / "tracks.jsonl")}) >= 2


def test_cameras_yaml_with_names_offsets_and_detections(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    for path in (studio.corridor, studio.hall):
        shutil.copy(path, tmp_path)
    (tmp_path / "cameras.yaml").write_text(
        "cameras:\n"
        "  - {name: first, source: corridor.mp4, detections: boxes-1.txt}\n"
        "  - name: second\n    source: hall.mp4\n    start_offset: 2.5\n    detections: boxes-2.txt\n"
    )
    shutil.copy(studio.folder / "det" / "corridor.txt", tmp_path / "boxes-1.txt")
    shutil.copy(studio.folder / "det" / "hall.txt", tmp_path / "boxes-2.txt")
    outcome = multicam("track", tmp_path / "cameras.yaml", "-o", tmp_path / "out", "--detector", f"mot:{tmp_path}")
    assert outcome.code == 0, outcome.err
    assert_consistent(tmp_path / "out", ["first", "second"])
    rows = read_lines(tmp_path / "out" / "tracks.jsonl")
    for name, rate, offset in (("first", 10, 0.0), ("second", 12.5, 2.5)):
        mine = [row for row in rows if row["camera"] == name]
        assert mine
        assert [row["time"] for row in mine] == pytest.approx([offset + (row["frame"] - 1) / rate for row in mine])
    times = [row["time"] for row in rows]
    assert all(later - earlier > -0.05 for earlier, later in pairwise(times)), "in the order of time"
    record = read_json(tmp_path / "out" / "run.json")
    assert [camera["start_offset"] for camera in record["cameras"]] == [0.0, 2.5]


def test_different_rates_sizes_and_lengths_run_together(multicam: Command, tmp_path: Path) -> None:
    """A slow large one, a fast small one and one that ends early: the rest go on, no frame is lost."""
    slow = write_scene(tmp_path, "slow", [Figure(RED_BLUE, (20, 40), 3, height=120)], 12, size=(320, 240), rate=5)
    fast = write_scene(tmp_path, "fast", [Figure(GREEN_YELLOW, (4, 20), 0.5, height=50)], 72, size=(97, 91), rate=30)
    short = write_scene(tmp_path, "short", [Figure(RED_BLUE, (20, 30), 2)], 5, rate=12.5)
    outcome = multicam(
        "track", slow, fast, short, "-o", tmp_path / "out", "--detector", f"mot:{tmp_path}/det", "--mosaic"
    )
    assert outcome.code == 0
    assert_consistent(tmp_path / "out", ["slow", "fast", "short"])
    record = read_json(tmp_path / "out" / "run.json")
    assert [camera["frames"] for camera in record["cameras"]] == [12, 72, 5]
    for name, count, rate in (("slow", 12, 5), ("fast", 72, 30), ("short", 5, 12.5)):
        with av.open(str(tmp_path / "out" / f"{name}.mp4")) as container:
            stream = container.streams.video[0]
            times = [frame.time for frame in container.decode(stream)]
        assert times == pytest.approx(np.arange(count) / rate, abs=1e-3)
    with av.open(str(tmp_path / "out" / "mosaic.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 72, "as many as the fastest has"


def test_stride_and_limit_keep_numbers_and_times(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    outcome = multicam(
        "track", studio.corridor, studio.hall, "-o", tmp_path / "out", "--detector", studio.detections,
        "--stride", 3, "--max-frames", 10,
    )  # fmt: skip
    assert outcome.code == 0
    assert_consistent(tmp_path / "out", ["corridor", "hall"])
    record = read_json(tmp_path / "out" / "run.json")
    assert [camera["frames"] for camera in record["cameras"]] == [10, 10]
    rows = [row for row in read_lines(tmp_path / "out" / "tracks.jsonl") if row["camera"] == "corridor"]
    assert {row["frame"] for row in rows} == set(range(1, 31, 3))
    assert [row["time"] for row in rows] == pytest.approx([(row["frame"] - 1) / 10 for row in rows])


def test_two_sources_of_one_name_stay_apart(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/corridor.mp4", "corridor.mp4"):
        shutil.copy(studio.corridor, tmp_path / name)
    shutil.copytree(studio.folder / "det", tmp_path / "det")
    shutil.copy(tmp_path / "det" / "corridor.txt", tmp_path / "det" / "corridor-2.txt")
    outcome = multicam(
        "track", tmp_path / "a/corridor.mp4", tmp_path / "corridor.mp4", "-o", tmp_path / "out",
        "--detector", f"mot:{tmp_path}/det", "--max-frames", 12,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert_consistent(tmp_path / "out", ["corridor", "corridor-2"])


def test_a_damaged_video_is_finished_with_what_decodes(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    content = bytearray(studio.corridor.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 400] = bytes(400)
    (tmp_path / "corridor.mp4").write_bytes(content)
    outcome = multicam("track", tmp_path / "corridor.mp4", "-o", tmp_path / "out", "--detector", studio.detections)
    assert outcome.code == 0, outcome.err
    assert_consistent(tmp_path / "out", ["corridor"])
    record = read_json(tmp_path / "out" / "run.json")
    assert 30 <= record["frames"] <= 80
    assert sum(line.startswith("Warning: ") for line in outcome.err.splitlines()) == len(record["warnings"]) <= 1
    assert record["frames"] == 80 or record["warnings"]
