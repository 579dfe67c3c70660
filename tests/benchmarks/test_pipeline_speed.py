"""The pipeline's benchmarks: what they measure is there, and what they print says it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detector_stride import stride_table
from benchmarks.end_to_end import VARIANTS, Run, _row, compare_end_to_end, end_to_end_table
from benchmarks.pipeline_scaling import _Recorded, _streams, measure_scaling, scaling_table
from tests.benchmarks.conftest import SpeedCommand
from tracker.errors import InputError
from tracker.pipeline import crop_of

SCORES = {"MOTA": 90.0, "IDF1": 80.0, "MOTA_together": 90.0, "IDF1_together": 70.0}


def test_made_up_looks_are_those_of_their_detections() -> None:
    streams = _streams(2, 3, 20, 0)
    recorded = _Recorded(streams)
    good = total = 0
    for instant in range(20):
        for frame in recorded.frames(instant):
            found = streams[frame.camera][instant]
            assert frame.image is not None and found.features is not None
            looks = recorded.embed([crop_of(frame.image, box) for box in found.boxes])
            good += int((np.abs(looks - found.features).max(axis=1) < 1e-6).sum())
            total += len(found)
    # Only where the middles of two boxes lie on each other one is read for the other.
    assert total > 100 and good / total > 0.97


def test_more_cameras_and_people_take_longer() -> None:
    found = measure_scaling(cameras=[1, 4], people=[2, 60], at_people=5, at_cameras=4, instants=30, repeats=1)
    by = {(row["cameras"], row["people"]): row["milliseconds"] for row in found["rows"]}
    assert set(by) == {(1, 5), (4, 5), (4, 2), (4, 60)}
    assert by[4, 5] > by[1, 5] > 0 and by[4, 60] > by[4, 2]
    assert found["settings"]["ratio_16_to_4"] is None
    header, lines = scaling_table(found["rows"])
    assert all(len(line) == len(header) for line in lines) and max(len(line[3]) for line in lines) == 20


def test_rows_say_speed_cost_and_targets() -> None:
    record = {"stages": {"detect": {"seconds": 1.0}}, "frames_detected": 60}
    runs = {
        "floor": [Run(4.0, 2.0, 6.0, 2**30, 120, record), Run(2.0, 2.0, 5.0, 2**29, 120, record)],
        "usual": [Run(20.0, 5.0, 30.0, 2**31, 120), Run(16.0, 5.0, 30.0, 2**31, 120)],
    }
    rows = [_row(name, runs, SCORES, 6.0) for name in runs]
    assert rows[0]["frames_per_second"] == pytest.approx(40) and rows[0]["real_time"] == pytest.approx(2)
    assert rows[0]["speed_ratio"] == pytest.approx(6.5) and rows[0]["processor_seconds_per_frame"] == 5.5 / 120
    assert rows[0]["peak_bytes"] == 2**30 and rows[0]["real_time_target"] == VARIANTS["floor"].target
    header, lines = end_to_end_table(rows)
    assert all(len(line) == len(header) for line in lines)
    assert lines[0][3:6] == ["2.00", "2", "6.50"] and len(lines[0][2]) == 20 and lines[1][-1] == ""


def test_strides_in_a_table() -> None:
    row = {
        "every": "auto",
        "looked_at": 0.6,
        "detect_milliseconds": 3.0,
        "milliseconds": 8.0,
        "identities": 5,
        **SCORES,
    }
    header, lines = stride_table([row])
    assert len(lines[0]) == len(header) and lines[0][:2] == ["auto", "60 %"]


def test_what_is_no_room_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no simulated room; make one: multicam simulate"):
        compare_end_to_end(tmp_path, ["floor"], repeats=1)
    with pytest.raises(InputError, match="unknown variant 'flor'; known: views, "):
        compare_end_to_end(tmp_path, ["flor"], repeats=1)


def test_scaling_writes_a_report(speed: SpeedCommand, tmp_path: Path) -> None:
    path, table = tmp_path / "scaling.json", tmp_path / "scaling.md"
    done = speed(
        "scaling", "--cameras", "1,2", "--people", "2", "--at-people", "2", "--at-cameras", "1", "--instants", "20",
        "--repeats", "1", "--json", str(path), "--markdown", str(table),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [row["cameras"] for row in json.loads(path.read_text())["rows"]] == [1, 2]
    assert table.read_text().startswith("| cameras | people in each |")
