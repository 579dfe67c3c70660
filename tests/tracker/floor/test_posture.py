from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import SIZE, corner_cameras
from tracker.floor.likelihood import measured_boxes
from tracker.floor.posture import SEATED_SHARE, PostureViews, sitting_chance, sitting_later, usual_odds
from tracker.floor.settings import FloorSettings

SETTINGS = FloorSettings()
STATE = np.array([[3.0, 2.5, 0.0, 0.0, 1.75]])
COVARIANCE = np.diag([0.1, 0.1, 0.2, 0.2, 0.03])[None] ** 2


def seen(height, odds):
    camera = corner_cameras()["southwest"]
    view = PostureViews.of(camera, STATE, np.zeros(1, bool), np.array([odds]))
    boxes = measured_boxes(camera.person_box(3.0, 2.5, height), *SIZE, 1.0)
    return view, boxes, view.likelihood(COVARIANCE, boxes, SETTINGS, 1.0)


def test_a_low_box_speaks_for_sitting_and_a_tall_one_against_it():
    assert seen(1.75, usual_odds(SETTINGS))[2][3][0, 0] < -1
    assert seen(SEATED_SHARE * 1.75, usual_odds(SETTINGS))[2][3][0, 0] > 0.5


def test_who_sits_is_put_where_their_feet_are():
    view, boxes, (_, cases, _, _) = seen(SEATED_SHARE * 1.75, 2.0)
    matrix, vector = view.say(STATE, boxes, cases[:, 0], SETTINGS, 1.0)
    prior = np.diag([1.0, 1, 1, 1, 1 / 0.03**2])
    mean = np.linalg.solve(prior + matrix[0], prior @ STATE[0] + vector[0])
    assert mean[:2] == pytest.approx((3.0, 2.5), abs=0.05)
    assert mean[4] == pytest.approx(1.75, abs=0.03)


def test_who_surely_stands_is_not_thought_to_sit():
    view, _, (density, _, _, said) = seen(SEATED_SHARE * 1.75, -6.0)
    assert np.isnan(view.seated.boxes).all() and said[0, 0] == 0
    assert density[0, 0] < seen(SEATED_SHARE * 1.75, 0.0)[2][0][0, 0]
    assert view.chance(0.9)[0] == pytest.approx(0.9)


def test_with_time_anybody_may_have_sat_down_or_risen():
    odds = np.array([-6.0, 6.0])
    soon, late = (sitting_chance(sitting_later(odds, seconds, SETTINGS)) for seconds in (0.1, 600.0))
    assert soon[0] < 0.02 and soon[1] > 0.97
    assert late == pytest.approx(sitting_chance(np.array([usual_odds(SETTINGS)] * 2)) * 1.2, rel=0.3)
