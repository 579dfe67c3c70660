"""Correspondences and details of reports: cases counted by hand, and TrackEval's own count."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.correspondences import identity_switches
from benchmarks.metrics import PairedFrames, clear_and_identity, pair_boxes, score_sequences
from benchmarks.report_details import (
    THRESHOLDS,
    higher_order_curves,
    make_details,
    sequence_length,
    switch_records,
    trajectory_record,
)
from tests.benchmarks.test_metrics import LEFT, RIGHT, TWO_PEOPLE, tracks
from tracker.storage.mot_files import MotTracks


def test_a_switch_is_told_with_the_names_of_the_files() -> None:
    results = tracks(
        *[(frame, 70 if frame <= 5 else 80, LEFT) for frame in range(1, 11) if frame != 6],
        *[(frame, 9, RIGHT) for frame in range(1, 11)],
    )
    paired = pair_boxes(TWO_PEOPLE, results)
    assert switch_records(paired) == [{"frame": 7, "truth": 1, "from": 70, "to": 80}]
    assert identity_switches(paired)[0].previous_frame == 5


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 12), people=st.integers(1, 5))
def test_as_many_switches_as_trackeval_counts(seed: int, frames: int, people: int) -> None:
    generator = np.random.default_rng(seed)
    corners = np.repeat(generator.uniform(0, 40, (1, people, 2)), frames, axis=0).reshape(-1, 2)
    truth = MotTracks.from_arrays(
        np.repeat(np.arange(1, frames + 1), people),
        np.tile(np.arange(people), frames),
        np.hstack([corners, corners + 30]),
    )
    kept = generator.random(len(truth)) < 0.7
    boxes = truth.boxes + generator.normal(0, 3, truth.boxes.shape)
    ids = np.concatenate([generator.permutation(people + 2)[:people] for _ in range(frames)])
    results = MotTracks.from_arrays(truth.frames[kept], ids[kept], boxes[kept])
    counted = clear_and_identity(truth, results, engine="trackeval")["IDSW"] if kept.any() else 0
    assert len(switch_records(pair_boxes(truth, results))) == counted


def test_the_mean_of_a_curve_is_the_figure_of_the_row() -> None:
    shifted = tracks(*[(frame, 1 + (frame > 4), [2.5, 0, 12.5, 20]) for frame in range(1, 11)])
    pairs = {"a": pair_boxes(TWO_PEOPLE, shifted), "b": pair_boxes(TWO_PEOPLE, TWO_PEOPLE)}
    curves = higher_order_curves(pairs)
    assert list(curves) == ["a", "b", "combined"]
    # An overlap of 0.6 is enough for the first twelve thresholds.
    assert [value > 0 for value in curves["a"]["HOTA"]] == [True] * 12 + [False] * 7
    for row in score_sequences(pairs)["rows"]:
        for name, curve in curves[row["sequence"]].items():
            assert len(curve) == len(THRESHOLDS) == 19
            assert np.mean(curve) == pytest.approx(row[name], abs=1e-3)


def test_trajectories_keep_the_longest_tracks_and_both_ends() -> None:
    frames = np.concatenate([np.arange(1, 1001), np.arange(5, 8), np.arange(3, 5)])
    ids = np.repeat([7, 2, 9], [1000, 3, 2])
    points = np.stack([frames, 2 * frames], axis=1) / 3
    order = np.random.default_rng(0).permutation(len(frames))
    record = trajectory_record(frames[order], ids[order], points[order], image_size=(640, 480), most_tracks=2)
    assert [track["id"] for track in record["tracks"]] == [2, 7]
    assert record["tracks"][0]["points"] == [[5, 1.67, 3.33], [6, 2.0, 4.0], [7, 2.33, 4.67]]
    long = record["tracks"][1]["points"]
    assert len(long) == 200
    assert (long[0][0], long[-1][0]) == (1, 1000)
    assert np.diff([point[0] for point in long]).max() <= 6
    assert (record["image_size"], record["bounds"]) == ([640, 480], None)
    assert trajectory_record([], [], np.zeros((0, 2)), bounds=[0, 0, 5, 6])["tracks"] == []


def test_details_are_plain_json() -> None:
    paired = pair_boxes(TWO_PEOPLE, TWO_PEOPLE)
    empty = PairedFrames(np.zeros(0, np.int64), [], [], [])
    details = make_details(
        curves={"ours": higher_order_curves({"a": paired})},
        switches={"ours": {"a": switch_records(paired), "b": switch_records(empty)}},
        lengths={"a": sequence_length(np.int64(10), None)},
        trajectories={"ours": {"a": trajectory_record(TWO_PEOPLE.frames, TWO_PEOPLE.ids, TWO_PEOPLE.boxes[:, :2])}},
    )
    assert json.loads(json.dumps(details, allow_nan=False)) == details
    assert details["switches"]["ours"] == {"a": [], "b": []}
    assert details["lengths"]["a"] == {"frames": 10, "frame_rate": None}
