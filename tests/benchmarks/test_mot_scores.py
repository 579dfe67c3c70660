"""Trackers on made-up sequences: rows by both engines, oracles, preparation of boxes, failures and their costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.failures import worst_failures
from benchmarks.metrics import clear_and_identity, higher_order
from benchmarks.mot_challenge import MotSequence
from benchmarks.mot_input import MotTruth, counted_pair
from benchmarks.mot_oracle import filled_gaps, oracle_tracks
from benchmarks.mot_scores import MotJob, do_job, rows_of
from benchmarks.mot_tracking import Preparation, TrackerChoice, follow, frames_of, prepared
from benchmarks.predictions import PredictionRecorder
from tests.benchmarks.mot_scene import FRAMES, walkers
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.storage.mot_files import MotDetections, MotTracks


def boxes_of(frame: int) -> np.ndarray:
    return np.array([[left, top, left + width, top + height] for _, (left, top, width, height) in walkers(frame)])


def truth(frames: int = FRAMES, people: tuple[int, ...] = (1, 2, 3)) -> MotTruth:
    rows = [
        (frame, person, boxes_of(frame)[person - 1]) for frame in range(1, frames + 1) for person in people
    ]  # fmt: skip
    tracks = MotTracks.from_arrays([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    return MotTruth(MotSequence("MADE-UP", Path("gt.txt"), frame_rate=10.0), tracks, frames)


def detections(known: MotTruth, dropped: tuple[tuple[int, int], ...] = ()) -> MotDetections:
    """Return the truth as detections, but for pairs of frame and person."""
    rows = [
        index
        for index, pair in enumerate(zip(known.tracks.frames.tolist(), known.tracks.ids.tolist(), strict=True))
        if pair not in dropped
    ]
    return MotDetections(
        known.tracks.frames[rows], known.tracks.boxes[rows].astype(np.float32), np.full(len(rows), 0.9, np.float32),
        np.arange(len(rows)),
    )  # fmt: skip


def test_rows_are_those_of_the_engines() -> None:
    known = truth()
    outcomes = [
        do_job(MotJob("ours", known, TrackerChoice("sort"), detections(known, ((8, 2), (9, 2), (20, 1))))),
    ]
    row, whole = rows_of(outcomes)
    assert (row["name"], row["sequence"], whole["sequence"]) == ("ours", "MADE-UP", "combined")
    pair = counted_pair(known, outcomes[0].tracks)
    for engine, suffix in (("motmetrics", ""), ("trackeval", " (TrackEval)")):
        for name in ("MOTA", "IDF1", "IDSW"):
            assert row[name + suffix] == pytest.approx(clear_and_identity(*pair, engine=engine)[name])  # type: ignore[arg-type]
    assert row["HOTA"] == pytest.approx(higher_order(*pair)["HOTA"])
    assert whole["FN"] == row["FN"] > 0
    assert row["frames"] == FRAMES
    assert row["association_seconds"] > 0 and row["metric_seconds"] > 0
    assert "trackeval" in row["engines"] and "motmetrics" in row["engines"]


def test_the_oracle_is_right_about_who_is_who_and_fills_short_gaps() -> None:
    known = truth()
    found = detections(known, ((8, 2), (9, 2), (20, 1)))
    oracle = oracle_tracks(known.tracks, found)
    assert len(oracle) == 3 * FRAMES - 3
    scored = clear_and_identity(known.tracks, oracle)
    assert (scored["IDSW"], scored["FP"], scored["FN"]) == (0, 0, 3)
    assert clear_and_identity(known.tracks, filled_gaps(oracle, 1))["FN"] == 2
    filled = filled_gaps(oracle, 2)
    assert len(filled) == 3 * FRAMES
    row = (filled.frames == 8) & (filled.ids == 2)
    np.testing.assert_allclose(filled.boxes[row][0], boxes_of(8)[1], atol=1e-3)
    job = do_job(MotJob("oracle", known, None, found, oracle_gap=2))
    assert rows_of([job])[0]["FN"] == 0


def test_preparation_suppresses_within_a_frame_and_makes_scores_of_margins() -> None:
    found = MotDetections(
        np.array([1, 1, 1, 2]),
        np.array([[0, 0, 10, 20], [1, 0, 11, 20], [50, 0, 60, 20], [0, 0, 10, 20]], np.float32),
        np.array([0.5, 2.0, -1.0, 0.5], np.float32),
        np.array([3, 2, 1, 0]),
    )
    kept = prepared(found, Preparation(confidence=-0.5, iou=0.5, margins=(2.0, 0.5)))
    assert kept.source_rows.tolist() == [2, 0]
    np.testing.assert_allclose(kept.scores, [1 / (1 + np.exp(-3.0)), 0.5], rtol=1e-6)
    assert prepared(found, Preparation()) is found
    frame = Preparation(iou=0.5)(Detections(found.boxes[:3], found.scores[:3]))
    np.testing.assert_array_equal(frame.scores, [2.0, -1.0])
    for wrong in ({"iou": 1.5}, {"margins": (0.0, 1.0)}, {"margins": (1.0, float("nan"))}):
        with pytest.raises(InputError, match="--"):
            Preparation(**wrong)  # type: ignore[arg-type]


def test_a_tracker_sees_every_frame_and_its_numbers_are_kept() -> None:
    known = truth(frames=6)
    followed = follow(frames_of(detections(known), 9), TrackerChoice("bytetrack").create(10.0))
    assert followed.frames == 9
    assert set(followed.tracks.frames.tolist()) == {1, 2, 3, 4, 5, 6}
    with pytest.raises(InputError, match="unknown tracker 'bytetracks': did you mean 'bytetrack'"):
        TrackerChoice("bytetracks").create(10.0)


def test_a_switch_is_listed_with_the_costs_that_led_there() -> None:
    """One person stands still; at frame 11 the box jumps away by half of its width, and a new track takes it."""
    frames = np.arange(1, 31)
    boxes = np.array([[100.0, 50, 140, 150] if frame <= 10 else [135.0, 50, 175, 150] for frame in frames])
    known = MotTruth(
        MotSequence("MADE-UP", Path("gt.txt"), frame_rate=10.0), MotTracks.from_arrays(frames, [4] * 30, boxes), 30
    )
    found = MotDetections(frames, boxes.astype(np.float32), np.full(30, 0.9, np.float32), np.arange(30))
    recorder = PredictionRecorder()
    followed = follow(frames_of(found, 30), TrackerChoice("bytetrack").create(10.0), recorder)
    switch, miss = worst_failures(known, followed.tracks, recorder, found, 1)
    assert (switch.kind, switch.truth, switch.last_frame, switch.frames) == ("switch", 4, 10, 10)
    assert 11 <= switch.frame <= 13 and switch.time == pytest.approx((switch.frame - 1) / 10)
    assert switch.box == (135.0, 50.0, 175.0, 150.0)
    assert switch.detection_overlap == 1
    assert switch.right is not None and switch.right.predicted
    assert switch.right.overlap == pytest.approx(1 - 5 / 75, abs=0.01)
    assert switch.right.motion is not None and switch.right.motion > 9.5
    assert (miss.kind, miss.frame, miss.frames) == ("miss", 11, switch.frame - 11)
    assert "detected in" in miss.reason
    # Of ready results nobody knows what was expected: the last boxes take its place.
    ready = worst_failures(known, followed.tracks, None, None, 1)[0]
    assert ready.right is not None and not ready.right.predicted
    assert ready.right.overlap == pytest.approx(1 - 5 / 75, abs=0.01)
    assert ready.right.motion is None


def test_the_longest_misses_come_first() -> None:
    known = truth()
    gone = tuple((frame, 1) for frame in range(5, 15)) + tuple((frame, 3) for frame in range(20, 24))
    tracks = MotTracks.from_arrays(
        *(np.array(column) for column in (
            [f for f in range(1, FRAMES + 1) for p in (1, 2, 3) if (f, p) not in gone],
            [p for f in range(1, FRAMES + 1) for p in (1, 2, 3) if (f, p) not in gone],
            [boxes_of(f)[p - 1] for f in range(1, FRAMES + 1) for p in (1, 2, 3) if (f, p) not in gone],
        ))
    )  # fmt: skip
    misses = worst_failures(known, tracks, None, detections(known, gone[:4]), 5)
    assert [(miss.kind, miss.truth, miss.frame, miss.last_frame) for miss in misses] == [
        ("miss", 1, 5, 14),
        ("miss", 3, 20, 23),
    ]
    assert misses[0].reason == "detected in 6 of 10 frames, not reported"


def test_predictions_are_recorded_without_touching_the_tracker() -> None:
    known = truth()
    found = detections(known)
    plain = follow(frames_of(found, FRAMES), TrackerChoice("motdt").create(10.0))
    watched = follow(frames_of(found, FRAMES), TrackerChoice("motdt").create(10.0), PredictionRecorder())
    np.testing.assert_array_equal(plain.tracks.boxes, watched.tracks.boxes)


def test_looks_are_part_of_the_costs_where_there_are_features() -> None:
    recorder = PredictionRecorder()
    tracker = TrackerChoice("deepsort").create(10.0)
    for frame in range(1, 8):
        people = Detections(boxes_of(frame), features=np.eye(3, 4, dtype=np.float32))
        recorder(frame, tracker, people)
        reported = tracker.update(people)
    identity = int(reported.ids[0])
    index = int(reported.detection_indices[0])
    another = (index + 1) % 3
    same = recorder.costs(7, identity, boxes_of(7)[index].astype(float), index)
    other = recorder.costs(7, identity, boxes_of(7)[another].astype(float), another)
    assert same is not None and other is not None
    assert same.appearance == pytest.approx(0, abs=1e-3)
    assert other.appearance == pytest.approx(1, abs=1e-3)
    assert same.motion is not None and other.motion is not None and same.motion < other.motion
    assert recorder.costs(7, 99, boxes_of(7)[0], 0) is None
