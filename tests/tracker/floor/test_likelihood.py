from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import SIZE, corner_cameras
from tracker.floor import likelihood as likelihood_module
from tracker.floor.likelihood import (
    HEAD_AND_FEET,
    NO_FEET,
    NO_HEAD,
    box_log_likelihood,
    information,
    inverses,
    measured_boxes,
)
from tracker.floor.settings import FloorSettings
from tracker.floor.view import look

SETTINGS = FloorSettings()
STATE = np.array([[3.0, 2.5, 0.0, 0.0, 1.75]])
COVARIANCE = np.diag([0.1, 0.1, 0.2, 0.2, 0.05])[None] ** 2


@pytest.fixture(scope="module")
def camera():
    return corner_cameras()["southwest"]


def likelihood(camera, sides, state=STATE, covariance=COVARIANCE):
    view = look(camera, state, np.zeros(len(state), bool))
    boxes = measured_boxes(np.atleast_2d(sides), *SIZE, SETTINGS.false_alarms)
    return box_log_likelihood(view, covariance, boxes, SETTINGS, 1.0)


def test_a_box_where_it_is_expected_is_likelier_than_any_other(camera):
    box = camera.person_box(3.0, 2.5, 1.75)[0]
    moved = [box + np.array(by) for by in ([20, 0, 20, 0], [0, 15, 0, 15], [0, 0, 0, 20], [0, -30, 0, -30])]
    density, cases, distances = likelihood(camera, [box, *moved])
    assert density[0].argmax() == 0 and cases[0, 0] == HEAD_AND_FEET
    assert distances[0, 0] < 0.01


def test_feet_that_are_hidden_and_heads_that_are_lowered_are_seen_as_such(camera):
    box = camera.person_box(3.0, 2.5, 1.75)[0]
    tall = box[3] - box[1]
    density, cases, _ = likelihood(
        camera, [box - np.array([0, 0, 0, 0.4 * tall]), box + np.array([0, 0.4 * tall, 0, 0])]
    )
    assert cases[0].tolist() == [NO_FEET, NO_HEAD]
    # Either still says far more than a false alarm would.
    assert (density > measured_boxes(box, *SIZE, 1.0).log_clutter + 3).all()


def test_a_box_that_ends_with_the_image_says_nothing_of_that_side(camera):
    near = np.array([[1.5, 1.2, 0, 0, 1.75]])
    box = camera.person_box(1.5, 1.2, 1.75)[0]
    assert box[3] > SIZE[1], "the test's person must be cut off"
    clipped = np.minimum(box, [SIZE[0], SIZE[1], SIZE[0], SIZE[1]])
    density, cases, _ = likelihood(camera, clipped, near)
    assert cases[0, 0] == NO_FEET and np.isfinite(density[0, 0])


def test_sides_at_the_border_are_cut_off_and_sides_beyond_are_not():
    width, height = SIZE
    boxes = measured_boxes(
        np.array([[0, 50, 40, 200], [600, 50, width, 200], [0, 0, width, height], [-20, 60, 30, 500]], float), *SIZE, 1
    )
    assert boxes.across.tolist() == [2, 1, -1, 0]
    assert boxes.top_cut.tolist() == [False, False, True, False]
    assert boxes.bottom_cut.tolist() == [False, False, True, False]
    assert boxes.values[:2, 0].tolist() == [40, 600]


def test_boxes_of_two_cameras_put_a_person_where_they_stand():
    cameras = corner_cameras()
    state = np.array([[2.6, 2.9, 0.0, 0.0, 1.70]])
    prior = np.diag([1e-4, 1e-4, 1.0, 1.0, 100.0])
    for _ in range(4):
        total, vector = prior[None].copy(), np.array([[2.6, 2.9, 0, 0, 1.7]]) @ prior
        for name in ("southwest", "southeast"):
            view = look(cameras[name], state, np.zeros(1, bool))
            boxes = measured_boxes(cameras[name].person_box(3.0, 2.5, 1.80), *SIZE, 1.0)
            matrix, add = information(view, state, boxes, np.array([HEAD_AND_FEET]), SETTINGS, 1.0)
            total, vector = total + matrix, vector + add
        state = np.einsum("nij,nj->ni", inverses(total), vector)
    assert np.allclose(state[0, :2], (3.0, 2.5), atol=0.02)
    assert state[0, 4] == pytest.approx(1.80, abs=0.05)


def test_nobody_and_nothing_are_no_error(camera):
    density, cases, distances = likelihood(camera, np.zeros((0, 4)))
    assert density.shape == cases.shape == distances.shape == (1, 0)
    density, _, _ = likelihood(camera, camera.person_box(3, 2.5), np.zeros((0, 5)), np.zeros((0, 5, 5)))
    assert density.shape == (0, 1)


def test_who_cannot_be_in_the_picture_has_no_box(camera):
    density, _, _ = likelihood(camera, camera.person_box(3, 2.5), np.array([[-3.0, -3, 0, 0, 1.75]]))
    assert np.isneginf(density).all()


def test_what_is_believed_of_a_box_fits_as_well_as_its_own_covariance_says():
    generator = np.random.default_rng(5)
    root = generator.normal(size=(2, 4, 3, 3))
    spread = root @ np.swapaxes(root, -1, -2) + 0.1 * np.eye(3)
    off = generator.normal(size=(2, 4, 3))
    first, second, third = np.moveaxis(off, -1, 0)
    a, b, c, d, e, f = (spread[..., row, column] for row, column in zip(*np.triu_indices(3)))
    found = {
        (0, 1, 2): likelihood_module._fit_three(first, second, third, a, b, c, d, e, f),
        (0, 1): likelihood_module._fit_two(first, second, a, b, d),
        (0, 2): likelihood_module._fit_two(first, third, a, c, f),
    }
    for sides, (distance, log_determinant) in found.items():
        for person, box in np.ndindex(2, 4):
            part, rest = spread[person, box][np.ix_(sides, sides)], off[person, box, list(sides)]
            assert distance[person, box] == pytest.approx(rest @ np.linalg.solve(part, rest), abs=1e-9)
            assert log_determinant[person, box] == pytest.approx(np.linalg.slogdet(part)[1], abs=1e-9)
