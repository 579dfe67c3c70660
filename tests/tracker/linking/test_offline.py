from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import clear_and_identity, higher_order
from tests.tracker.linking.scenes import RATE, SIZE, walk
from tracker.errors import InputError
from tracker.linking import LinkingSettings, track_offline
from tracker.linking.scene_geometry import learn_scene, score_log_odds
from tracker.storage.mot_files import MotDetections, MotTracks


def _height(bottom: np.ndarray) -> np.ndarray:
    return 0.4 * bottom - 80.0


def _scene(seed: int, frames: int = 120, people: int = 6) -> tuple[MotTracks, MotDetections, np.ndarray]:
    """Return truth, raw-margin detections of it and of false boxes, and which detections are true."""
    generator = np.random.default_rng(seed)
    rows, found, right = [], [], []
    starts = np.stack([np.linspace(150, 1100, people), 400 + 60 * (np.arange(people) * 5 % 7 % 6)], axis=1)
    # lamps and posters that look like people of another size, always in the same places
    lamps = [(250.0, 690.0, 0.5), (700.0, 420.0, 1.9), (1000.0, 480.0, 0.55)]
    speeds = generator.normal(0, 1.5, (people, 2)) * (1, 0.2)
    for frame in range(1, frames + 1):
        feet = starts + speeds * frame
        height = _height(feet[:, 1])
        boxes = np.stack([feet[:, 0] - 0.2 * height, feet[:, 1] - height, feet[:, 0] + 0.2 * height, feet[:, 1]], 1)
        rows += [(frame, number + 1, *box) for number, box in enumerate(boxes)]
        for box, tall in zip(boxes, height, strict=True):
            if generator.random() < 0.8:
                found.append((frame, *(box + generator.normal(0, 0.02 * tall, 4)), generator.normal(0.6, 0.5)))
                right.append(True)
        for x, y, factor in lamps:
            if generator.random() < 0.4:
                continue
            tall = _height(np.array(y)) * factor
            found.append((frame, x - 0.2 * tall, y - tall, x + 0.2 * tall, y, generator.normal(0.2, 0.4)))
            right.append(False)
    table, truth = np.array(found), np.array(rows)
    detections = MotDetections(
        table[:, 0].astype(np.int64),
        table[:, 1:5].astype(np.float32),
        table[:, 5].astype(np.float32),
        np.arange(len(table)),
    )
    return MotTracks.from_arrays(truth[:, 0], truth[:, 1], truth[:, 2:]), detections, np.array(right)


def test_heights_tell_true_boxes_from_false_ones_where_scores_hardly_do() -> None:
    _, detections, right = _scene(0)
    odds = score_log_odds(detections.scores)
    scene = learn_scene(detections.frames / RATE, detections.boxes, odds)
    by_score = ((odds > 0) == right).mean()
    by_scene = ((scene.probabilities > 0.5) == right).mean()
    assert by_scene > by_score + 0.08
    assert ((scene.evidence > 0) == right).mean() > 0.95
    expected = _height(detections.boxes[right, 3].astype(np.float64))
    assert np.abs(scene.expected_heights[right] / expected - 1).mean() < 0.03


def test_a_camera_that_nods_is_followed() -> None:
    _, detections, right = _scene(1)
    nod = 60 * np.sin(detections.frames / 60.0)
    boxes = detections.boxes + np.stack([0 * nod, nod, 0 * nod, nod], axis=1)
    scene = learn_scene(detections.frames / RATE, boxes, score_log_odds(detections.scores))
    assert ((scene.evidence > 0) == right).mean() > 0.95


def test_few_boxes_teach_nothing() -> None:
    boxes = np.array([[0, 0, 10, 30]] * 20, np.float64)
    scene = learn_scene(np.arange(20.0), boxes, np.full(20, 1.0))
    assert (scene.evidence == 0).all()
    np.testing.assert_allclose(scene.probabilities, 1 / (1 + np.exp(-1.0)))


def test_people_among_false_boxes_are_followed_and_better_with_the_scene() -> None:
    truth, detections, _ = _scene(2)
    with_scene = track_offline(detections, RATE, SIZE)
    without = track_offline(detections, RATE, SIZE, LinkingSettings(scene_geometry=False))
    figures = clear_and_identity(truth, with_scene, engine="trackeval")
    assert figures["MOTA"] > 85
    assert figures["IDF1"] > 88
    assert figures["MOTA"] > clear_and_identity(truth, without, engine="trackeval")["MOTA"] + 5
    assert higher_order(truth, with_scene)["AssA"] > 75


def test_the_same_input_gives_the_same_output() -> None:
    _, detections, _ = _scene(3, frames=40)
    first, second = (track_offline(detections, RATE, SIZE) for _ in range(2))
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.ids, second.ids)


def test_nothing_gives_nothing_and_an_unknown_tracker_is_named() -> None:
    nothing = MotDetections(
        np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    )
    assert len(track_offline(nothing, RATE, SIZE)) == 0
    with pytest.raises(InputError, match="sorty"):
        track_offline(nothing, RATE, SIZE, tracker="sorty")


def test_the_doubtful_beginning_of_a_track_is_its_own() -> None:
    """Weak detections start nobody for a while; when their track turns out to be somebody they are not lost."""
    frames = np.arange(1, 81)
    boxes = walk(frames, (300, 600), (3, 0))
    scores = np.select([frames == 1, frames <= 25], [0.845, 0.65], 0.95)
    found = MotDetections(frames, boxes.astype(np.float32), scores.astype(np.float32), np.arange(len(frames)))
    plain = LinkingSettings(extend_seconds=0, scene_geometry=False)
    with_them = track_offline(found, RATE, SIZE, plain)
    without = track_offline(found, RATE, SIZE, plain.model_copy(update={"doubtful_boxes": False}))
    assert set(with_them.ids) == set(without.ids) == {1}
    assert with_them.frames.tolist() == frames.tolist() and without.frames.min() > 5
    assert (with_them.scores > 0).all(), "detected, and not made up"
    # who is never believed is nobody
    hopeless = np.where(frames == 1, 0.845, 0.45).astype(np.float32)
    assert len(track_offline(MotDetections(frames, found.boxes, hopeless, found.source_rows), RATE, SIZE, plain)) == 0
