from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import boxes_of, corner_cameras
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.tracker import FloorTracker

RATE = 5.0


def crossing(frame):
    x = 1.5 + 0.2 * frame
    return [(x, 2.4), (6.0 - x, 2.75)]


def run(places, frames, **options):
    tracker, generator = FloorTracker(corner_cameras(), remember=True), np.random.default_rng(1)
    reports = [
        tracker.update(boxes_of(tracker.cameras, places(frame), generator, **options), frame / RATE)
        for frame in range(frames)
    ]
    return tracker, reports


def off(people, places):
    gap = np.hypot(*(np.array(places)[:, None] - people.positions[None]).transpose(2, 0, 1))
    return gap.min(axis=1), people.ids[gap.argmin(axis=1)]


def test_looked_at_again_people_are_nearer_to_where_they_were():
    tracker, reports = run(crossing, 15, missed=0.15, noise=0.04)
    again = tracker.refined()
    assert len(again) == len(reports)
    first = np.mean([off(people, crossing(f))[0].mean() for f, people in enumerate(reports) if len(people.ids)])
    second = np.mean([off(people, crossing(f))[0].mean() for f, people in enumerate(again)])
    assert second < first and second < 0.12
    assert all(sorted(people.ids.tolist()) == again[0].ids.tolist() for people in again)
    assert (off(again[1], crossing(1))[1] == off(again[-1], crossing(14))[1]).all()


def test_a_trajectory_that_broke_is_one_again():
    def places(frame):
        # For two and a half seconds no camera finds anybody.
        return [] if 8 <= frame < 21 else [(1.5 + 0.1 * frame, 2.5)]

    tracker, _ = run(places, 32)
    again = tracker.refined()
    assert again[2].ids.tolist() == again[-1].ids.tolist()
    assert not any(len(set(people.ids.tolist())) > 1 for people in again)


def test_no_box_is_of_two_people_and_every_row_is_a_box():
    tracker, _ = run(crossing, 12, missed=0.1)
    for frame, people in enumerate(tracker.refined()):
        assert people.confirmed.all()
        for name, rows in people.boxes.items():
            held = rows[rows >= 0]
            assert len(np.unique(held)) == len(held), (frame, name)


def test_progress_is_told_and_an_empty_run_is_no_error():
    tracker, _ = run(crossing, 6)
    told = []
    tracker.refined(lambda: told.append(1))
    assert len(told) == 18
    assert FloorTracker(corner_cameras(), remember=True).refined() == []
    empty = FloorTracker(corner_cameras(), remember=True)
    empty.update({name: Detections(np.zeros((0, 4))) for name in empty.cameras}, 0.0)
    assert len(empty.refined()[0].ids) == 0


def test_what_was_not_remembered_cannot_be_looked_at_again():
    with pytest.raises(InputError, match="remember=True"):
        FloorTracker(corner_cameras()).refined()
