"""What no tracker may break, whatever it is given."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.single_camera.streams import box, random_stream, same
from tracker import Detections, InputError, create_tracker
from tracker.single_camera import TRACKERS
from tracker.track_table import UNMATCHED

every_tracker = pytest.mark.parametrize("name", TRACKERS.names())


@every_tracker
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    classes=st.integers(1, 3),
    crowded=st.booleans(),
    dimension=st.sampled_from([None, 8]),
    regular=st.booleans(),
)
def test_random_streams(
    name: str, seed: int, classes: int, crowded: bool, dimension: int | None, regular: bool
) -> None:
    tracker = create_tracker(name, frame_rate=25.0)
    rng = np.random.default_rng(seed)
    removed: set[int] = set()
    class_of: dict[int, int] = {}
    known: set[int] = set()
    time = 100.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for detections in random_stream(seed, classes=classes, crowded=crowded, dimension=dimension):
            # ordinary jitter, dropped frames and, now and then, a gap
            time += (
                0.04
                if regular
                else float(rng.choice([rng.uniform(0.001, 0.1), 0.04, 0.4, 3.0], p=[0.5, 0.4, 0.07, 0.03]))
            )
            tracks = tracker.update(detections, time=time)
            ids = tracks.ids.tolist()
            assert len(set(ids)) == len(ids)
            assert not removed & set(ids)
            assert (tracks.ids > 0).all()
            assert all(number <= len(known | set(ids)) for number in ids), "ids are given in sequence"
            known |= set(ids)
            assert np.isfinite(tracks.boxes).all() and np.isfinite(tracks.scores).all()
            assert (tracks.boxes[:, 2:] > tracks.boxes[:, :2]).all()
            matched = tracks.detection_indices >= 0
            rows = tracks.detection_indices[matched]
            assert len(set(rows.tolist())) == len(rows)
            np.testing.assert_array_equal(tracks.classes[matched], detections.classes[rows])
            for number, kind in zip(ids, tracks.classes.tolist(), strict=True):
                assert class_of.setdefault(number, kind) == kind
            gone = set(tracker.removed_ids.tolist())
            assert gone <= known and not gone & removed
            removed |= gone
            living = set(tracker.active_ids.tolist()) | set(tracker.lost_ids.tolist())
            assert not living & removed
            state = tracker.table.state
            assert np.isfinite(state).all() and (state[2] > 0).all() and (state[0, 2:] > 0).all()
            assert (tracker.table.detection >= UNMATCHED).all()


@every_tracker
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**31), crowded=st.booleans())
def test_same_input_same_output_and_order_of_detections_is_nothing(name: str, seed: int, crowded: bool) -> None:
    first, second, shuffled = (create_tracker(name) for _ in range(3))
    rng = np.random.default_rng(seed)
    for detections in random_stream(seed, frames=40, crowded=crowded, classes=2):
        order = rng.permutation(len(detections))
        expected = first.update(detections)
        assert same(expected, second.update(detections))
        found = shuffled.update(detections[order])
        np.testing.assert_array_equal(found.ids, expected.ids)
        # one-ulp differences of a matrix product's summation order are no difference
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
        original = np.where(found.detection_indices >= 0, np.append(order, -1)[found.detection_indices], -1)
        np.testing.assert_array_equal(original, expected.detection_indices)


@every_tracker
def test_reset_makes_it_new(name: str) -> None:
    used, new = create_tracker(name), create_tracker(name)
    for detections in random_stream(1, frames=20):
        used.update(detections)
    used.reset()
    for detections in random_stream(2, frames=20, dimension=16):
        assert same(used.update(detections), new.update(detections))


@every_tracker
def test_memory_stays_bounded(name: str) -> None:
    tracker = create_tracker(name)
    rng = np.random.default_rng(0)
    sizes = []
    rush = [box(60.0 * i, 200.0 + 150 * j) for i in range(30) for j in range(5)]
    for step in range(900):
        if step < 5:
            boxes = np.array(rush)
        else:
            # other people every few frames
            generation = np.random.default_rng(step // 6)
            center = generation.uniform(0, 2000, (4, 2)) + rng.normal(0, 1, (4, 2))
            half = np.array([20, 50])
            boxes = np.concatenate([center - half, center + half], axis=1)
        features = np.random.default_rng(step // 6).normal(size=(len(boxes), 64))
        tracker.update(Detections(boxes, np.full(len(boxes), 0.9), features=features))
        memory = 0 if tracker.appearance is None else tracker.appearance.nbytes
        sizes.append((len(tracker.table), tracker.table.nbytes + memory))
    assert max(rows for rows, _ in sizes[200:]) <= 4 * (70 / 6 + 3)
    assert max(held for _, held in sizes[400:]) <= max(held for _, held in sizes[200:400])
    assert sizes[-1][1] < sizes[4][1] or tracker.appearance is None


@every_tracker
def test_nothing_detected_is_ordinary(name: str) -> None:
    tracker = create_tracker(name)
    for _ in range(3):
        assert len(tracker.update(Detections.empty())) == 0
    for step in range(5):
        tracker.update(Detections([box(100 + step)], [0.9]))
    assert len(tracker.active_ids) == 1
    for _ in range(120):
        tracker.update(Detections([], features=np.zeros((0, 8))))
    assert len(tracker.table) == 0
    assert len(tracker.active_ids) == len(tracker.lost_ids) == 0


@every_tracker
def test_removed_is_told_once(name: str) -> None:
    tracker = create_tracker(name)
    for step in range(6):
        tracker.update(Detections([box(100 + step), box(400)], [0.9, 0.9]))
    told = []
    for _ in range(100):
        tracker.update(Detections.empty())
        told += tracker.removed_ids.tolist()
    assert sorted(told) == [1, 2]


@every_tracker
def test_time_must_increase(name: str) -> None:
    tracker = create_tracker(name)
    tracker.update(Detections.empty(), time=5.0)
    for wrong in (5.0, 4.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"does not come after the last one, 5\.0 s"):
            tracker.update(Detections.empty(), time=wrong)
    tracker.update(Detections.empty(), time=5.01)
    tracker.reset()
    tracker.update(Detections.empty(), time=0.0)


@pytest.mark.parametrize("name", ["botsort", "deepsort", "motdt"])
def test_features_must_keep_their_length(name: str) -> None:
    tracker = create_tracker(name)
    tracker.update(Detections([box(50)], features=np.ones((1, 8))))
    tracker.update(Detections.empty())
    tracker.update(Detections([box(50)]))
    with pytest.raises(InputError, match="features of length 16 after features of length 8"):
        tracker.update(Detections([box(50)], features=np.ones((1, 16))))


@every_tracker
def test_an_interrupted_stream_does_not_continue_old_tracks(name: str) -> None:
    tracker = create_tracker(name)
    for step in range(6):
        tracker.update(Detections([box(100)], [0.9]), time=step / 30)
    assert tracker.active_ids.tolist() == [1]
    tracks = tracker.update(Detections([box(100)], [0.9]), time=3600.0)
    assert 1 not in tracks.ids.tolist()
    assert tracker.removed_ids.tolist() == [1]


@every_tracker
def test_times_and_their_default_are_the_same(name: str) -> None:
    timed, counted = create_tracker(name, frame_rate=10.0), create_tracker(name, frame_rate=10.0)
    for index, detections in enumerate(random_stream(5, frames=40)):
        assert same(timed.update(detections, time=index * 0.1), counted.update(detections))


@every_tracker
def test_a_frame_of_twice_the_interval_is_two_steps(name: str) -> None:
    """A walker seen at irregular times keeps the identity, and the motion model meets the walker where expected."""
    tracker = create_tracker(name, frame_rate=30.0)
    time, ids = 0.0, set()
    intervals = [1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 3, 1, 1, 2, 4, 1, 0.5, 0.5, 3, 2, 5, 1, 1]
    for index, interval in enumerate(intervals):
        time += interval / 30
        # 7 px a nominal frame: five frames are almost a box width, too far without prediction
        tracks = tracker.update(Detections([box(100 + 7 * 30 * time)], [0.95]), time=time)
        ids |= set(tracks.ids.tolist())
        if index > 8:
            assert len(tracks) == 1
    assert ids == {1}


@every_tracker
@pytest.mark.parametrize("scale", [1e-3, 1e7])
def test_extreme_coordinates_stay_finite(name: str, scale: float) -> None:
    tracker = create_tracker(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in range(40):
            people = [] if 10 < step < 20 else [box(100.0 + 5 * step), box(300.0 - step)]
            boxes = np.array(people, np.float64).reshape(-1, 4) * scale
            tracks = tracker.update(Detections(boxes, np.full(len(boxes), 0.9)))
            assert np.isfinite(tracks.boxes).all()
            assert (tracks.boxes[:, 2:] > tracks.boxes[:, :2]).all()
            assert np.isfinite(tracker.table.state).all()


@every_tracker
@pytest.mark.parametrize(
    ("parameter", "value"),
    [("frame_rate", 0.0), ("frame_rate", float("nan")), ("lost_track_seconds", -1.0), ("frame_rate", "fast")],
)
def test_impossible_parameters_are_named(name: str, parameter: str, value: object) -> None:
    with pytest.raises(InputError, match=parameter):
        create_tracker(name, **{parameter: value})


@pytest.mark.parametrize("name", ["sort", "ocsort", "deepsort", "motdt"])
def test_confidence_that_is_no_number_is_named(name: str) -> None:
    with pytest.raises(InputError, match="minimum_confidence is nan; give a value that is a number"):
        create_tracker(name, minimum_confidence=float("nan"))


def test_a_scorer_of_the_wrong_shape_is_named() -> None:
    tracker = create_tracker("motdt", scorer=lambda image, boxes: np.ones((len(boxes), 2)))
    with pytest.raises(InputError, match=r"scorer gave shape \(1, 2\) for 1 boxes"):
        tracker.update(Detections([box(50)]))
