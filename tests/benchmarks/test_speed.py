"""``python -m benchmarks.speed``: what it writes, and that both sides are fed the same."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import tracker_speed
from benchmarks.machine import describe_machine
from benchmarks.peers import AssociationSettings, PeerFrame, UltralyticsTracker
from benchmarks.report import make_report, markdown_table, write_json
from benchmarks.speed import tracker_table
from benchmarks.synthetic_streams import StreamSettings, make_stream
from tests.benchmarks.conftest import SpeedCommand
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.tracks import Tracks


def test_command_writes_json_of_the_common_shape_and_markdown(speed: SpeedCommand, tmp_path: Path) -> None:
    report_path, table_path = tmp_path / "speed.json", tmp_path / "speed.md"
    arguments = ["--people", "5,8", "--frames", "25", "--repeats", "2", "--trackers", "bytetrack", "--seed", "1"]
    done = speed("trackers", *arguments, "--json", str(report_path), "--markdown", str(table_path))
    assert done.code == 0, done.err
    report = json.loads(report_path.read_text())
    assert list(report) == ["protocol", "settings", "machine", "rows"]
    assert report["settings"]["people"] == [5, 8]
    assert report["settings"]["trackers"]["bytetrack"]["lost_track_seconds"] == 1.0
    assert report["settings"]["association"]["high"] == 0.6
    assert report["machine"]["versions"]["numpy"] == np.__version__
    assert [(row["name"], row["sequence"]) for row in report["rows"]] == [
        ("bytetrack", "5 people"),
        ("bytetrack", "5 people"),
        ("bytetrack", "8 people"),
        ("bytetrack", "8 people"),
    ]
    for ours, peer in zip(report["rows"][::2], report["rows"][1::2], strict=True):
        assert ours["implementation"].startswith("multicam ")
        assert peer["implementation"].startswith("ultralytics ")
        for row in (ours, peer):
            assert 0 < row["milliseconds_lowest"] <= row["milliseconds_per_frame"] <= row["milliseconds_highest"]
            assert 50 < row["IDF1"] <= 100
        assert ours["speed_ratio"] > 0
    table = table_path.read_text().splitlines()
    assert table[0].startswith("| tracker | people | ms/frame |")
    assert table[2].startswith("| bytetrack | 5 |")
    assert f"{report['rows'][0]['IDF1']:.1f}" in table[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trackers", "bytetracks"], "did you mean 'bytetrack'?"),
        (["--people", "ten"], "--people is 'ten'"),
        (["--people", "0"], "--people is '0'"),
        (["--trackers", ","], "no tracker"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(speed: SpeedCommand, arguments: list[str], message: str) -> None:
    done = speed("trackers", *arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_help_of_the_module_lists_the_benchmarks() -> None:
    """In a process of its own, as a person runs it."""
    command = [sys.executable, "-m", "benchmarks.speed", "--help"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0
    assert "trackers" in done.stdout


def test_the_clock_runs_in_update_only_and_every_repeat_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that our tracker moves by 2 ms an update and the peer's by 10: so 5 times faster, in every repeat."""
    now = 0
    made: list[str] = []
    no_rows = np.zeros((0, 8), np.float32)

    class Clocked:
        def __init__(self, name: str, milliseconds: int, output: object) -> None:
            made.append(name)
            self.milliseconds = milliseconds
            self.output = output

        def update(self, *_: object, **__: object) -> object:
            nonlocal now
            now += self.milliseconds * 1_000_000
            return self.output

        def prepare(self, detections: Detections) -> Detections:
            nonlocal now
            now += 10**9
            return detections

    monkeypatch.setattr(tracker_speed.time, "perf_counter_ns", lambda: now)
    monkeypatch.setattr(tracker_speed, "create_tracker", lambda *_, **__: Clocked("ours", 2, Tracks.empty()))
    monkeypatch.setattr(tracker_speed, "UltralyticsTracker", lambda *_, **__: Clocked("peer", 10, no_rows))
    steps: list[str] = []
    found = tracker_speed.compare_trackers(
        people=[100], frames=4, repeats=3, trackers=["bytetrack"], advance=steps.append
    )
    ours, peer = found["rows"]
    assert ours["milliseconds_per_frame"] == pytest.approx(2)
    assert peer["milliseconds_per_frame"] == pytest.approx(10)
    assert ours["speed_ratio"] == pytest.approx(5)
    assert ours["speed_target"] == 8
    assert len(steps) == 3
    # One peer is made to prepare the input; then both are warmed up, and take turns at going first.
    assert made == ["peer", "ours", "peer", "ours", "peer", "peer", "ours", "ours", "peer"]


def test_peer_sees_the_same_boxes() -> None:
    detections = Detections([[10, 20, 40, 100], [0, 0, 5, 6]], [0.9, 0.3], [0, 2])
    frame = PeerFrame.from_detections(detections)
    np.testing.assert_array_equal(frame.xywh, [[25, 60, 30, 80], [2.5, 3, 5, 6]])
    assert len(frame[np.array([False, True])]) == 1
    np.testing.assert_array_equal(frame[np.array([False, True])].cls, [2])


@pytest.mark.parametrize(("name", "with_features"), [("bytetrack", False), ("botsort", False), ("botsort", True)])
def test_peer_follows_a_person_and_reports_where_they_are(name: str, with_features: bool) -> None:
    stream = make_stream(StreamSettings(people=1, frames=30, seed=5, false_alarm_rate=0, miss_rate=0))
    peer = UltralyticsTracker(name, AssociationSettings(), with_features=with_features)
    outputs = [peer.update(peer.prepare(part)) for part in stream.frames]
    assert {float(row[4]) for output in outputs for row in output} == {1.0}
    np.testing.assert_allclose(outputs[-1][0, :4], stream.truth.boxes[-1], atol=12)


def test_appearance_alone_keeps_a_peer_from_swapping_two_people() -> None:
    """Two people jump past each other between frames: only with features do their tracks follow them."""
    left, right = [0, 0, 40, 100], [10, 0, 50, 100]
    features = np.eye(2, 512, dtype=np.float32)
    swapped = {}
    for with_features in (False, True):
        peer = UltralyticsTracker("botsort", AssociationSettings(), with_features=with_features)
        for boxes in ([left, right], [left, right], [left, right], [right, left]):
            output = peer.update(peer.prepare(Detections(boxes, [0.9, 0.9], features=features)))
        by_detection = output[np.argsort(output[:, 7]), 4]
        swapped[with_features] = by_detection.tolist()
    assert swapped == {False: [2.0, 1.0], True: [1.0, 2.0]}


def test_unknown_peer_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'botsort'"):
        UltralyticsTracker("botsor", AssociationSettings())


def test_report_never_holds_what_json_cannot(tmp_path: Path) -> None:
    report = make_report("test", {"seed": 1}, [{"name": "a", "sequence": "combined", "MOTA": math.nan}])
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "report.json", report)
    assert list(tmp_path.iterdir()) == []


def test_machine_names_no_host_and_no_user() -> None:
    import getpass
    import platform

    text = json.dumps(describe_machine())
    assert platform.node() not in text or len(platform.node()) < 4
    assert str(Path.home()) not in text
    assert f'"{getpass.getuser()}"' not in text


def test_table_without_a_peer_leaves_its_columns_empty() -> None:
    row = {
        "name": "sort", "implementation": "multicam 1", "people": 10, "milliseconds_per_frame": 1.0,
        "milliseconds_lowest": 0.5, "milliseconds_highest": 2.0, "IDF1": 90.04, "MOTA": 80.0, "IDSW": 3,
    }  # fmt: skip
    header, lines = tracker_table([row])
    assert lines == [["sort", "10", "1.00 (0.50–2.00)", "", "", "", "90.0", "", "80.0", "", "3", ""]]
    assert markdown_table(header, lines).splitlines()[1].startswith("| :-- | --: |")
