from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import SIZE, corner_cameras
from tracker.detections import Detections
from tracker.floor.likelihood import measured_boxes
from tracker.floor.posture import (
    FACING,
    POSTURE_SIZE,
    SEATED_CASES,
    SEATED_SHARE,
    PostureViews,
    body_places,
    posture_later,
    posture_of_shape,
    sitting_chance,
    usual_odds,
    usual_posture,
    walking_says,
)
from tracker.floor.settings import FloorSettings
from tracker.floor.tracker import FloorTracker
from tracker.geometry.person_shape import SEATED, boxes_around, person_points

SETTINGS = FloorSettings()
STATE = np.array([[3.0, 2.5, 0.0, 0.0, 1.75]])
COVARIANCE = np.diag([0.1, 0.1, 0.2, 0.2, 0.03])[None] ** 2
#: the place of seated people's bodies behind their feet, metres
BEHIND = 0.26 * 1.75


def seated_box(camera, x, y, facing, height=1.75):
    """The box of who sits with feet at (x, y), knees towards ``facing`` (radians)."""
    points = person_points(x, y, height, 0.5, camera.position, SEATED, facing)
    pixels, depth = camera.project(points.reshape(-1, 3))
    return boxes_around(pixels.reshape(1, -1, 2), depth.reshape(1, -1))


def seen(box, posture, camera="southwest"):
    camera = corner_cameras()[camera]
    view = PostureViews.of(camera, STATE, np.zeros(1, bool), posture[None])
    boxes = measured_boxes(box(camera), *SIZE, 1.0)
    return view, boxes, view.likelihood(COVARIANCE, boxes, SETTINGS, 1.0)


def upright(height):
    return lambda camera: camera.person_box(3.0, 2.5, height)


def test_a_low_box_speaks_for_sitting_and_a_tall_one_against_it():
    assert seen(upright(1.75), usual_posture(SETTINGS))[2][3][0, 0, 0] < -1
    assert seen(upright(SEATED_SHARE * 1.75), usual_posture(SETTINGS))[2][3][0, 0, 0] > 0.5


def test_who_sits_is_put_where_their_feet_are():
    compact = posture_of_shape(np.array([2.0]), np.array([0]))[0]
    view, boxes, (_, cases, _, _) = seen(upright(SEATED_SHARE * 1.75), compact)
    assert SEATED_CASES <= cases[0, 0] < 2 * SEATED_CASES
    matrix, vector = view.say(STATE, boxes, cases[:, 0], SETTINGS, 1.0)
    prior = np.diag([1.0, 1, 1, 1, 1 / 0.03**2])
    mean = np.linalg.solve(prior + matrix[0], prior @ STATE[0] + vector[0])
    assert mean[:2] == pytest.approx((3.0, 2.5), abs=0.05)
    assert mean[4] == pytest.approx(1.75, abs=0.03)


@pytest.mark.parametrize("direction", range(8))
def test_boxes_of_two_cameras_tell_where_the_knees_of_who_sits_are(direction):
    posture = usual_posture(SETTINGS, 6.0)
    for name in ("southwest", "southeast", "northwest"):
        *_, (_, _, _, said) = seen(lambda camera: seated_box(camera, 3.0, 2.5, FACING[direction]), posture, name)
        posture = posture + said[0, 0]
    assert posture[1:].argmax() == 1 + direction
    place = body_places(STATE, posture[None])[0]
    truth = STATE[0, :2] - BEHIND * np.array([np.cos(FACING[direction]), np.sin(FACING[direction])])
    assert np.hypot(*(place - truth)) < 0.2


def test_who_surely_stands_is_not_thought_to_sit():
    low = upright(SEATED_SHARE * 1.75)
    view, _, (density, _, _, said) = seen(low, usual_posture(SETTINGS, -6.0))
    assert len(view.seated.boxes) == 0 and (said == 0).all()
    assert density[0, 0] < seen(low, usual_posture(SETTINGS, 0.0))[2][0][0, 0]
    assert view.chance(0.9)[0] == pytest.approx(0.9)
    assert body_places(STATE, usual_posture(SETTINGS, -6.0)[None]) == pytest.approx(STATE[:, :2], abs=0.01)


def test_with_time_anybody_may_have_sat_down_or_risen_and_turned():
    sure = posture_of_shape(np.array([-6.0, 6.0]), np.array([3, 3]))
    soon, late = (posture_later(sure, seconds, SETTINGS) for seconds in (0.1, 600.0))
    assert sitting_chance(soon[0, 0]) < 0.02 and sitting_chance(soon[1, 0]) > 0.97
    assert sitting_chance(late[:, 0]) == pytest.approx(
        sitting_chance(np.array([usual_odds(SETTINGS)] * 2)) * 1.2, rel=0.3
    )
    assert soon[1, 1:].argmax() == 3
    assert late[:, 1:] == pytest.approx(np.tile(usual_posture(SETTINGS)[1:], (2, 1)), abs=1e-6)
    assert np.exp(soon[:, 1:]).sum(axis=1) == pytest.approx(1)


def test_who_walks_does_not_sit():
    walking, still = STATE.copy(), STATE.copy()
    walking[0, 2:4] = 0.8, 0.6
    still[0, 2:4] = 0.05, 0.0
    assert walking_says(walking, COVARIANCE)[0, 0] == -2 and walking_says(still, COVARIANCE)[0, 0] == 0
    assert (walking_says(walking, COVARIANCE)[0, 1:] == 0).all()
    # Of a velocity that is not known nothing follows.
    assert walking_says(walking, COVARIANCE * 1000)[0, 0] > -0.1


def test_of_nobody_nothing_is_said():
    camera = corner_cameras()["southwest"]
    view = PostureViews.of(camera, np.zeros((0, 5)), np.zeros(0, bool), np.zeros((0, POSTURE_SIZE)))
    boxes = measured_boxes(upright(1.75)(camera), *SIZE, 1.0)
    density, cases, distance, said = view.likelihood(np.zeros((0, 5, 5)), boxes, SETTINGS, 1.0)
    assert density.shape == cases.shape == distance.shape == (0, 1) and said.shape == (0, 1, POSTURE_SIZE)


def test_who_sat_from_the_start_is_followed_as_one_when_they_rise_and_go():
    """As someone shorter who stands nearer, they would be held apart from who rises."""
    cameras = corner_cameras()
    tracker, generator = FloorTracker(cameras), np.random.default_rng(4)
    feet, seat = np.array([4.6, 2.5]), np.array([4.6 + BEHIND, 2.5])
    for frame in range(105):
        found = {}
        for name, camera in cameras.items():
            if frame < 60:
                box = seated_box(camera, *feet, np.pi)
            else:
                box = camera.person_box(*(feet - [0.9 * (frame - 60) / 15, 0]))
            box = np.clip(box + generator.normal(0, 2.0, 4), 0, [*SIZE, *SIZE])
            found[name] = Detections(box)
        people = tracker.update(found, frame / 15)
        if frame == 59:
            assert people.confirmed.sum() == 1
            assert np.hypot(*(people.positions[0] - seat)) < 0.25
            assert people.heights[0] == pytest.approx(1.75, abs=0.12)
    assert people.ids.tolist() == [1]
    assert people.positions[0] == pytest.approx(feet - [0.9 * 44 / 15, 0], abs=0.2)
    assert people.heights[0] == pytest.approx(1.70, abs=0.15)
