"""The lens model outside what it was fitted to."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.geometry.worlds import LENSES
from tracker.geometry.distortion import Distortion


def lens(name: str, reach: float = 0.7) -> Distortion:
    given_ = np.array(LENSES[name])
    return Distortion(np.concatenate([given_, np.zeros(8 - len(given_))]), reach)


@settings(max_examples=80, deadline=None)
@given(
    name=st.sampled_from([name for name in LENSES if name != "none"]),
    x=st.floats(-6, 6),
    y=st.floats(-6, 6),
)
def test_undoing_is_the_inverse_near_and_far(name: str, x: float, y: float) -> None:
    model = lens(name)
    point = np.array([(x, y)])
    np.testing.assert_allclose(model.undo(model.apply(point)), point, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in LENSES if name != "none"])
def test_derivatives_are_those_of_differences(name: str) -> None:
    model = lens(name)
    points = np.random.default_rng(0).uniform(-3, 3, (200, 2))
    _, jacobian = model.apply_with_jacobian(points)
    step = 1e-6
    for axis in range(2):
        moved = np.eye(2)[axis] * step
        difference = (model.apply(points + moved) - model.apply(points - moved)) / (2 * step)
        np.testing.assert_allclose(jacobian[:, :, axis], difference, atol=1e-5)
    inside = model.trusts(points)
    assert inside.any() and not inside.all()


def test_within_the_trusted_radius_opencv_undoes_the_same() -> None:
    model = lens("barrel")
    points = np.random.default_rng(1).uniform(-0.4, 0.4, (100, 2))
    opencv = cv2.undistortPoints(
        points[:, None], np.eye(3), np.array(LENSES["barrel"]),
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 500, 1e-14),
    )  # fmt: skip
    np.testing.assert_allclose(model.undo(points), opencv[:, 0], atol=1e-9)


def test_pixels_beyond_where_the_model_turns_back_have_no_ray() -> None:
    # r (1 − r²/2) is largest at r = 0.816, where it is 0.544: the image's corners at 0.8 are on no ray.
    model = Distortion(np.array([-0.5, 0, 0, 0, 0, 0, 0, 0]), 0.8)
    assert model.trusted_radius == pytest.approx(0.775, abs=0.01)
    radii = np.array([0.3, 0.5, 0.56, 0.8])
    found = model.undo(np.stack([radii, np.zeros(4)], axis=1))
    assert np.isfinite(found[:2]).all() and np.isnan(found[2:]).all()
    np.testing.assert_allclose(found[:2, 0] - found[:2, 0] ** 3 / 2, radii[:2])


def test_without_distortion_nothing_changes_at_any_distance() -> None:
    model = lens("none")
    points = np.array([(1e6, -1e6), (0.1, 0.2)])
    assert model.none and model.trusts(points).all()
    np.testing.assert_array_equal(model.apply(points), points)
    np.testing.assert_array_equal(model.undo(points), points)
