"""Synthetic streams: what a stream of detections must be like to say anything about a tracker."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import iou_matrix
from benchmarks.synthetic_streams import StreamSettings, SyntheticStream, make_stream
from tracker.errors import InputError

CROWD = StreamSettings(people=60, frames=120, seed=3)


@pytest.fixture(scope="module")
def crowd() -> SyntheticStream:
    return make_stream(CROWD)


def contents(stream: SyntheticStream) -> bytes:
    arrays = [stream.truth.frames, stream.truth.ids, stream.truth.boxes]
    for part in stream.frames:
        assert part.features is not None
        arrays += [part.boxes, part.scores, part.features]
    return b"".join(array.tobytes() for array in arrays)


def test_same_seed_same_bytes_another_seed_others(crowd: SyntheticStream) -> None:
    assert contents(make_stream(CROWD)) == contents(crowd)
    assert contents(make_stream(StreamSettings(people=60, frames=120, seed=4))) != contents(crowd)


def test_people_are_always_as_many_and_nobody_comes_back(crowd: SyntheticStream) -> None:
    truth = crowd.truth
    assert len(truth) == 60 * 120
    lives: dict[int, list[int]] = {}
    for frame in range(1, 121):
        ids = truth.ids[truth.frames == frame]
        assert len(np.unique(ids)) == 60
        for person in ids.tolist():
            lives.setdefault(person, []).append(frame)
    assert all(frames == list(range(frames[0], frames[-1] + 1)) for frames in lives.values())
    assert len(lives) > 60


def test_walking_is_smooth(crowd: SyntheticStream) -> None:
    """Between frames nobody moves by more than a tenth of their height, and speed changes little."""
    truth = crowd.truth
    for person in np.unique(truth.ids)[:20]:
        boxes = truth.boxes[truth.ids == person]
        if len(boxes) < 3:
            continue
        feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
        height = (boxes[:, 3] - boxes[:, 1])[1:, None]
        velocity = np.diff(feet, axis=0) / height
        assert np.linalg.norm(velocity, axis=1).max() < 0.1
        assert np.abs(np.diff(velocity[:, 0])).max() < 0.02


def test_detections_are_untidy_in_the_ways_they_should_be(crowd: SyntheticStream) -> None:
    truth = crowd.truth
    missed = false = 0
    hidden_scores, clear_scores, errors = [], [], []
    for frame, found in enumerate(crowd.frames, start=1):
        boxes = truth.boxes[truth.frames == frame]
        overlap = iou_matrix(boxes, found.boxes)
        missed += int((overlap.max(axis=1) < 0.4).sum())
        false += int((overlap.max(axis=0) < 0.4).sum())
        among = iou_matrix(boxes, boxes) - np.eye(len(boxes))
        nearer = boxes[None, :, 3] > boxes[:, None, 3]
        for person, detection in enumerate(overlap.argmax(axis=1)):
            if overlap[person, detection] < 0.6:
                continue
            if (among[person] * nearer[person]).max() > 0.4:
                hidden_scores.append(found.scores[detection])
            elif among[person].max() == 0:
                clear_scores.append(found.scores[detection])
                errors.append(found.boxes[detection] - boxes[person])
        assert found.scores.min() > 0
        assert found.scores.max() < 1
    assert 0.03 < missed / len(truth) < 0.15
    assert 0.01 < false / len(truth) < 0.05
    assert np.mean(hidden_scores) < 0.6 < 0.85 < np.mean(clear_scores)
    assert 0.5 < np.std(errors) < 5


def test_features_are_unit_vectors_that_tell_people_apart(crowd: SyntheticStream) -> None:
    same, different = [], []
    for before, after in zip(crowd.frames[:20], crowd.frames[1:21], strict=True):
        assert before.features is not None
        assert after.features is not None
        np.testing.assert_allclose(np.linalg.norm(before.features, axis=1), 1, atol=1e-5)
        distance = 1 - before.features @ after.features.T
        sure = iou_matrix(before.boxes, after.boxes) > 0.8
        sure &= (before.scores[:, None] > 0.8) & (after.scores[None, :] > 0.8)
        apart = iou_matrix(before.boxes, after.boxes) == 0
        same += distance[sure].tolist()
        different += distance[apart].tolist()
    assert np.quantile(same, 0.95) < 0.35
    assert np.quantile(different, 0.05) > 0.8


def test_without_features_and_bad_settings() -> None:
    stream = make_stream(StreamSettings(people=2, frames=3, feature_dimension=0))
    assert [part.features is None for part in stream.frames] == [True] * 3
    with pytest.raises(InputError, match="people is 0"):
        StreamSettings(people=0)
