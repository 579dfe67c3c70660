from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import corner_cameras
from tracker.floor.view import detection_chance, look


def states(*people: tuple[float, float]) -> np.ndarray:
    return np.array([[x, y, 0.0, 0.0, 1.75] for x, y in people])


@pytest.fixture(scope="module")
def camera():
    return corner_cameras()["southwest"]


def test_predicted_boxes_are_those_of_people_who_stand_there(camera):
    view = look(camera, states((3, 2.5), (4, 3)), np.zeros(2, bool))
    assert np.allclose(view.boxes, camera.person_box([3, 4], [2.5, 3], 1.75))


def test_derivatives_agree_with_finite_differences(camera):
    state = states((3.2, 2.1))
    view = look(camera, state, np.zeros(1, bool))
    for axis, place in enumerate((0, 1, 4)):
        step = np.zeros(5)
        step[place] = 1e-3
        ahead = look(camera, state + step, np.zeros(1, bool)).boxes
        behind = look(camera, state - step, np.zeros(1, bool)).boxes
        assert np.allclose(view.jacobian[0, :, axis], ((ahead - behind) / 2e-3)[0], rtol=0.03, atol=1.0)


def test_who_stands_behind_somebody_known_is_hidden(camera):
    people = states((2.0, 2.0), (2.6, 2.6), (4.5, 1.0))
    view = look(camera, people, np.array([True, True, True]))
    assert view.visible[0] > 0.95 and view.visible[2] > 0.95
    assert view.visible[1] < 0.6
    assert look(camera, people, np.zeros(3, bool)).visible[1] > 0.95


def test_who_is_behind_the_camera_is_not_visible(camera):
    view = look(camera, states((-2, -2)), np.zeros(1, bool))
    assert view.visible[0] == 0 and np.isnan(view.boxes).all()
    assert detection_chance(view.visible, 0.9)[0] == pytest.approx(0.01)


def test_chance_grows_with_what_is_visible_up_to_the_rate(camera):
    view = look(camera, states((3, 2.5)), np.zeros(1, bool))
    assert detection_chance(view.visible, 0.9)[0] == pytest.approx(0.9)


def test_some_of_a_view_are_a_view(camera):
    view = look(camera, states((3, 2.5), (4, 3), (2, 3)), np.zeros(3, bool))
    assert np.array_equal(view[np.array([2, 0])].boxes, view.boxes[[2, 0]])
