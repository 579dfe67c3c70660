from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import boxes_of, corner_cameras
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.settings import FloorSettings
from tracker.floor.tracker import FloorTracker
from tracker.floor.trajectories import FloorTrajectories

RATE = 10.0


def walk(tracker, frames, places, generator=None, *, start=0, **options):
    """Run ``tracker`` over people at ``places(frame)``; return what it reports of every frame."""
    return [
        tracker.update(boxes_of(tracker.cameras, places(frame), generator, **options), frame / RATE)
        for frame in range(start, start + frames)
    ]


def errors(report, people):
    """Return the distance from each person to the nearest confirmed track, and that track's id."""
    sure = report.positions[report.confirmed]
    gap = np.hypot(*(np.array(people)[:, None] - sure[None]).transpose(2, 0, 1))
    return gap.min(axis=1), report.ids[report.confirmed][gap.argmin(axis=1)]


def three(frame):
    t = frame / RATE
    return [(1.5 + 0.3 * t, 1.5), (4.5, 3.8 - 0.25 * t), (3.0 + 0.8 * np.cos(t / 2), 2.8 + 0.8 * np.sin(t / 2))]


def test_three_walkers_are_three_tracks_for_as_long_as_they_walk():
    tracker = FloorTracker(corner_cameras())
    reports = walk(tracker, 80, three, np.random.default_rng(3), missed=0.1)
    names = None
    for frame, report in enumerate(reports[5:], 5):
        off, ids = errors(report, three(frame))
        assert off.max() < 0.3
        assert report.confirmed.sum() == 3
        assert names is None or (ids == names).all()
        names = ids
    assert np.mean([errors(report, three(frame))[0].mean() for frame, report in enumerate(reports)]) < 0.1


def test_people_who_cross_keep_their_numbers():
    def places(frame):
        x = 1.5 + 0.1 * frame
        return [(x, 2.4), (6.0 - x, 2.75)]

    tracker = FloorTracker(corner_cameras())
    reports = walk(tracker, 30, places, np.random.default_rng(0), missed=0.05)
    _, first = errors(reports[4], places(4))
    _, last = errors(reports[-1], places(29))
    assert (first == last).all()


def test_a_camera_that_dies_costs_nobody():
    cameras = corner_cameras()
    tracker = FloorTracker(cameras)
    before = walk(tracker, 20, three, np.random.default_rng(1))[-1]
    left = {name: camera for name, camera in cameras.items() if name != "southwest"}
    for frame in range(20, 60):
        after = tracker.update(boxes_of(left, three(frame), np.random.default_rng(frame)), frame / RATE)
    assert set(before.ids[before.confirmed]) == set(after.ids[after.confirmed])
    assert "southwest" not in after.boxes


def test_cameras_of_different_rates_take_turns():
    cameras = corner_cameras()
    tracker = FloorTracker(cameras)
    names = list(cameras)
    for frame in range(80):
        looking = {name: cameras[name] for place, name in enumerate(names) if frame % (place + 1) == 0}
        report = tracker.update(boxes_of(looking, three(frame), np.random.default_rng(frame)), frame / RATE)
    off, _ = errors(report, three(79))
    assert off.max() < 0.3 and report.confirmed.sum() == 3


def test_who_leaves_is_forgotten_and_numbers_are_never_used_twice():
    tracker = FloorTracker(corner_cameras())
    first = walk(tracker, 20, lambda _: [(3, 2.5)])[-1]
    gone = walk(tracker, 60, lambda _: [], start=20)[-1]
    again = walk(tracker, 20, lambda _: [(3, 2.5)], start=80)[-1]
    assert len(gone.ids) == 0
    assert set(first.ids).isdisjoint(again.ids)
    assert again.confirmed.all() and len(again.ids) == 1


def test_false_alarms_of_one_camera_are_nobody():
    generator = np.random.default_rng(5)
    cameras = corner_cameras()
    tracker = FloorTracker(cameras)
    for frame in range(60):
        found = boxes_of(cameras, [(3, 2.5)], generator)
        for name in found:
            if generator.random() < 0.5:
                x, y, w = generator.uniform(50, 500), generator.uniform(50, 250), generator.uniform(20, 80)
                found[name] = Detections(np.vstack([found[name].boxes, [x, y, x + w, y + 2.5 * w]]))
        report = tracker.update(found, frame / RATE)
        assert report.confirmed.sum() <= 1 or frame < 5
    assert report.confirmed.sum() == 1


def test_second_boxes_of_one_person_are_no_second_person():
    generator = np.random.default_rng(6)
    cameras = corner_cameras()
    tracker = FloorTracker(cameras)
    for frame in range(40):
        found = boxes_of(cameras, [(3, 2.5)], generator)
        twice = {
            name: Detections(np.vstack([one.boxes, one.boxes + generator.normal(0, 4, one.boxes.shape)]))
            for name, one in found.items()
        }
        report = tracker.update(twice, frame / RATE)
    assert report.confirmed.sum() == 1


def test_one_box_belongs_to_one_person():
    tracker = FloorTracker(corner_cameras())
    for report in walk(tracker, 40, three, np.random.default_rng(8), missed=0.2):
        assert len(set(report.ids)) == len(report.ids)
        for rows in report.boxes.values():
            taken = rows[rows >= 0]
            assert len(set(taken)) == len(taken)


def test_heights_are_learnt():
    tracker = FloorTracker(corner_cameras())
    report = walk(tracker, 40, three, np.random.default_rng(9), height=1.95)[-1]
    assert np.abs(report.heights[report.confirmed] - 1.95).max() < 0.08


def test_the_same_boxes_give_the_same_tracks():
    reports = [walk(FloorTracker(corner_cameras()), 30, three, np.random.default_rng(4))[-1] for _ in range(2)]
    assert np.array_equal(reports[0].positions, reports[1].positions)
    assert np.array_equal(reports[0].ids, reports[1].ids)


def test_nothing_at_all_is_nobody():
    tracker = FloorTracker(corner_cameras())
    assert len(tracker.update({}, 0.0).ids) == 0
    assert len(tracker.update({name: Detections([]) for name in tracker.cameras}, 0.1).ids) == 0


@pytest.mark.parametrize(
    ("detections", "time", "message"),
    [
        ({"attic": Detections([])}, 2.0, "camera 'attic', which is not among southwest"),
        ({}, 0.5, "put them in order"),
        ({}, float("nan"), "give their time"),
    ],
)
def test_what_cannot_be_used_is_named(detections, time, message):
    tracker = FloorTracker(corner_cameras())
    tracker.update({}, 1.0)
    with pytest.raises(InputError, match=message):
        tracker.update(detections, time)


def test_a_tracker_needs_a_camera():
    with pytest.raises(InputError, match="give at least one"):
        FloorTracker({})


def test_trajectories_begin_at_the_first_sight_and_fill_short_gaps():
    cameras = corner_cameras()
    tracker = FloorTracker(cameras, FloorSettings(confirmation=11.9))
    trajectories = FloorTrajectories(longest_gap=4)
    for frame in range(40):
        there = [] if 20 <= frame < 23 else [(3.0, 2.5)]
        trajectories.add(frame, tracker.update(boxes_of(cameras, there), frame / RATE))
    frames, ids, positions = trajectories.finished()
    assert frames.tolist() == list(range(40)) and len(set(ids)) == 1
    assert np.hypot(*(positions - [3.0, 2.5]).T).max() < 0.1
    with pytest.raises(InputError, match="gaps of 0 frames"):
        FloorTrajectories(0)


def test_no_trajectories_are_empty():
    frames, ids, positions = FloorTrajectories().finished()
    assert len(frames) == len(ids) == 0 and positions.shape == (0, 2)


def test_a_camera_is_not_blamed_for_missing_whom_only_one_other_sees():
    """Coats on a stand: found in one view for as long as they hang there, where somebody stood before."""
    cameras = corner_cameras()
    tracker, generator = FloorTracker(cameras), np.random.default_rng(6)
    for frame in range(150):
        found = boxes_of(cameras, [(3.0, 2.5)] if frame < 30 else [], generator)
        if frame >= 30:
            box = cameras["southwest"].person_box(3.0, 2.5, 1.75) + generator.normal(0, 1.0, 4)
            found["southwest"] = Detections(box)
        tracker.update(found, frame / 15)
    assert tracker.detectors.rate > 0.9


def test_boxes_of_who_does_not_move_say_less_when_they_follow_each_other():
    cameras = corner_cameras()
    tracker = FloorTracker(cameras)
    for frame in range(15):
        tracker.update(boxes_of(cameras, [(2.0, 2.0), (3.0 + 1.2 * frame / 15, 3.0)]), frame / 15)
    stays, walks = np.argsort(tracker._mean[:, 0])
    tracker._time += 1 / 15  # the cameras look the next time
    weights = tracker._hit_weights("southwest")
    assert weights[stays] == pytest.approx(1 - np.exp(-2 / 15), abs=0.03)
    assert weights[walks] > 2 * weights[stays]
    tracker.update({name: Detections.empty() for name in cameras}, 1.0)
    assert (tracker._hit_weights("southwest") == 1).all()


def test_who_walks_and_is_found_by_one_camera_only_is_followed():
    """Each box of a walker is news: nothing but a person walks."""
    cameras = corner_cameras()
    tracker, generator = FloorTracker(cameras), np.random.default_rng(7)
    seen = []
    for frame in range(75):
        found = boxes_of(cameras, [(1.0 + 0.8 * frame / 15, 2.5)], generator)
        if frame >= 15:
            found = {name: one if name == "southwest" else Detections.empty() for name, one in found.items()}
        people = tracker.update(found, frame / 15)
        seen.append(people.ids[people.confirmed].tolist())
    assert seen[-1] == seen[10] and len(seen[-1]) == 1
