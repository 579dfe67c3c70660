"""The batched filter is the textbook filter, and stays sane however long nobody is seen."""

from __future__ import annotations

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.motion.kalman import MINIMUM_SIZE, create_filter

FORMS = ("xyah", "xywh", "xysr")


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.uniform(0, 1500, (2, count))
    size = np.stack([rng.uniform(20, 120, count), rng.uniform(60, 400, count)])
    return np.concatenate([low, low + size])


def reference(motion, state, track: int) -> KalmanFilter:
    size = motion.motion_matrix().shape[0]
    kalman = KalmanFilter(dim_x=size, dim_z=4)
    kalman.x = motion.mean_vector(state, track).reshape(-1, 1)
    kalman.P = motion.covariance_matrix(state, track)
    kalman.H = motion.measurement_matrix()
    return kalman


def keep_sizes_positive(kalman: KalmanFilter, dt: float) -> None:
    """Apply SORT's rule to the reference: a size that would vanish loses its velocity."""
    for size, velocity in ((2, 6), (3, 7)):
        if velocity < len(kalman.x) and kalman.x[size, 0] + dt * kalman.x[velocity, 0] < MINIMUM_SIZE:
            kalman.x[velocity, 0] = 0.0


steps = st.lists(
    st.tuples(
        st.floats(0.05, 12.0, allow_subnormal=False),
        st.booleans(),
        st.floats(-15, 15),
        st.floats(0.85, 1.18),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), steps=steps)
def test_equals_filterpy(form: str, seed: int, steps: list[tuple[float, bool, float, float]]) -> None:
    rng = np.random.default_rng(seed)
    motion = create_filter(form)
    boxes = random_boxes(rng, 3)
    state = motion.initiate(motion.measure(boxes))
    references = [reference(motion, state, track) for track in range(3)]
    for dt, seen, shift, growth in steps:
        for kalman in references:
            keep_sizes_positive(kalman, dt)
            noise = motion.process_noise(kalman.x[:4, 0], dt)
            kalman.predict(F=motion.motion_matrix(dt), Q=noise)
        motion.predict(state, dt)
        if seen:
            boxes = boxes + shift
            boxes[2:] += (growth - 1.0) * (boxes[2:] - boxes[:2])
            measurements = motion.measure(boxes)
            found = np.array([2, 0])
            for track in found:
                kalman = references[track]
                kalman.update(measurements[:, track : track + 1], R=motion.measurement_noise(kalman.x[:4, 0]))
            motion.update(state, found, measurements[:, found])
        for track, kalman in enumerate(references):
            np.testing.assert_allclose(motion.mean_vector(state, track), kalman.x[:, 0], rtol=1e-9, atol=1e-9)
            covariance = motion.covariance_matrix(state, track)
            np.testing.assert_allclose(covariance, kalman.P, rtol=1e-9, atol=1e-9)
            np.testing.assert_array_equal(covariance, covariance.T)


@pytest.mark.parametrize(
    ("form", "mean", "first_variance", "noise"),
    [
        # DeepSORT's initiate() of a box 60 × 200 at (130, 300): std 2·h/20, 1e-2, 10·h/160, 1e-5
        ("xyah", (130, 300, 0.3, 200), [400, 400, 1e-4, 400, 156.25, 156.25, 1e-10, 156.25], (100, 100, 1e-2, 100)),
        # BoT-SORT: the same factors of the width for x and w, of the height for y and h
        ("xywh", (130, 300, 60, 200), [36, 400, 36, 400, 14.0625, 156.25, 14.0625, 156.25], (9, 100, 9, 100)),
        # SORT: P = 10·diag(1, 1, 1, 1, 1000, 1000, 1000), R = diag(1, 1, 10, 10)
        ("xysr", (130, 300, 12000, 0.3), [10, 10, 10, 10, 1e4, 1e4, 1e4], (1, 1, 10, 10)),
    ],
)
def test_published_noise(form: str, mean: tuple, first_variance: list, noise: tuple) -> None:
    motion = create_filter(form)
    box = np.array([[100.0], [200.0], [160.0], [400.0]])
    state = motion.initiate(motion.measure(box))
    np.testing.assert_allclose(state[0, :, 0], mean)
    np.testing.assert_allclose(np.diag(motion.covariance_matrix(state, 0)), first_variance)
    np.testing.assert_allclose(np.diag(motion.measurement_noise(state[0, :, 0])), noise)
    np.testing.assert_allclose(motion.boxes(state[0]), box)


def test_published_process_noise() -> None:
    at_rest = [1000.0, 500.0, 0.4, 160.0]
    expected = np.diag([64, 64, 1e-4, 64, 1, 1, 1e-10, 1])
    np.testing.assert_allclose(create_filter("xyah").process_noise(at_rest), expected)
    np.testing.assert_allclose(
        create_filter("xysr").process_noise([0, 0, 900, 0.5]), np.diag([1, 1, 1, 1, 0.01, 0.01, 0.0001])
    )


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(parts=st.lists(st.floats(0.01, 9.0), min_size=1, max_size=8), seed=st.integers(0, 2**31))
def test_time_may_be_cut_anywhere(form: str, parts: list[float], seed: int) -> None:
    """One long step and many short ones lead to the same mean and covariance while the size stands still."""
    motion = create_filter(form)
    state = motion.initiate(motion.measure(random_boxes(np.random.default_rng(seed), 4)))
    state[1, :2] = np.random.default_rng(seed).normal(0, 3, (2, 4))
    whole = state.copy()
    motion.predict(whole, sum(parts))
    for part in parts:
        motion.predict(state, part)
    np.testing.assert_allclose(state, whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_many_steps_of_one_frame_are_the_papers_sum(form: str) -> None:
    motion = create_filter(form)
    state = motion.initiate(motion.measure(random_boxes(np.random.default_rng(1), 1)))
    dense = motion.covariance_matrix(state, 0)
    transition, noise = motion.motion_matrix(), motion.process_noise(state[0, :, 0])
    for _ in range(7):
        dense = transition @ dense @ transition.T + noise
    motion.predict(state, 7.0)
    np.testing.assert_allclose(motion.covariance_matrix(state, 0), dense, rtol=1e-12)


@pytest.mark.parametrize(("form", "steps"), [("xyah", 100_000), ("xywh", 20_000), ("xysr", 20_000)])
def test_coasting_for_an_hour_stays_finite(form: str, steps: int) -> None:
    motion = create_filter(form)
    rng = np.random.default_rng(3)
    boxes = random_boxes(rng, 6)
    state = motion.initiate(motion.measure(boxes))
    for _ in range(5):
        motion.predict(state)
        # walk away fast, so that the size is on its way to zero
        shrink = 0.1 * (boxes[2:] - boxes[:2])
        boxes = np.concatenate([boxes[:2] + shrink, boxes[2:] - shrink])
        motion.update(state, None, motion.measure(boxes))
    for step in range(steps):
        motion.predict(state, 1.0 if step % 3 else 2.5)
    assert np.isfinite(state).all()
    assert (state[0, 2:] > 0).all()
    low, high = np.split(motion.boxes(state[0]), 2)
    assert (high > low).all()
    for track in range(6):
        covariance = motion.covariance_matrix(state, track)
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
        assert np.linalg.eigvalsh(covariance / np.outer(scale, scale)).min() > -1e-9
    # and a detection brings it back
    motion.update(state, None, motion.measure(boxes))
    np.testing.assert_allclose(motion.boxes(state[0]), boxes, atol=1.0)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), dt=st.floats(0.01, 1000))
def test_any_step_keeps_the_covariance_positive(form: str, seed: int, dt: float) -> None:
    motion = create_filter(form)
    boxes = random_boxes(np.random.default_rng(seed), 3)
    state = motion.initiate(motion.measure(boxes))
    for _ in range(20):
        motion.predict(state, dt)
        motion.update(state, None, motion.measure(boxes))
        variance, covariance, velocity_variance = state[2:]
        assert (variance > 0).all()
        assert (covariance**2 <= variance * velocity_variance * (1 + 1e-9)).all()


def test_lost_tracks_keep_their_size() -> None:
    motion = create_filter("xywh")
    state = motion.initiate(motion.measure(random_boxes(np.random.default_rng(0), 2)))
    state[1] = 2.0
    before = state.copy()
    motion.predict(state, 3.0, tracked=np.array([True, False]))
    np.testing.assert_allclose(state[0, :, 0], before[0, :, 0] + 6.0)
    np.testing.assert_allclose(state[0, :2, 1], before[0, :2, 1] + 6.0)
    np.testing.assert_array_equal(state[0, 2:, 1], before[0, 2:, 1])


@pytest.mark.parametrize("form", FORMS)
def test_squared_distance_is_mahalanobis(form: str) -> None:
    motion = create_filter(form)
    rng = np.random.default_rng(5)
    state = motion.initiate(motion.measure(random_boxes(rng, 4)))
    motion.predict(state, 2.0)
    measurements = motion.measure(random_boxes(rng, 5))
    distances = motion.squared_distance(state, measurements)
    for track in range(4):
        matrix = motion.measurement_matrix()
        total = matrix @ motion.covariance_matrix(state, track) @ matrix.T
        total += motion.measurement_noise(state[0, :, track])
        for column in range(5):
            offset = measurements[:, column] - state[0, :, track]
            expected = offset @ np.linalg.solve(total, offset)
            assert distances[track, column] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_extrapolation_equals_prediction_and_leaves_the_state(form: str) -> None:
    motion = create_filter(form)
    rng = np.random.default_rng(6)
    state = motion.initiate(motion.measure(random_boxes(rng, 3)))
    state[1, :3] = rng.normal(0, 0.01, (3, 3))
    before = state.copy()
    ahead = motion.extrapolate(state, [1.0, 4.5])
    np.testing.assert_array_equal(state, before)
    motion.predict(state, 4.5)
    np.testing.assert_allclose(ahead[1], motion.boxes(state[0]))


@pytest.mark.parametrize("form", FORMS)
def test_warp_moves_and_scales_boxes(form: str) -> None:
    """For a translation with a scale the warped box is the box of the warped corners, and P becomes A P Aᵀ."""
    motion = create_filter(form)
    boxes = random_boxes(np.random.default_rng(7), 3)
    state = motion.initiate(motion.measure(boxes))
    state[1, :2] = 3.0
    before = state.copy()
    motion.warp(state, np.array([[1.1, 0.0, 7.0], [0.0, 1.1, -4.0]]))
    expected = boxes * 1.1 + np.array([[7.0], [-4.0], [7.0], [-4.0]])
    np.testing.assert_allclose(motion.boxes(state[0]), expected)
    np.testing.assert_allclose(state[1, :2], 3.3)
    np.testing.assert_allclose(state[2:, :2], before[2:, :2] * 1.21)


def test_warp_by_a_rotation_keeps_the_marginal_variances() -> None:
    motion = create_filter("xywh")
    state = motion.initiate(motion.measure(random_boxes(np.random.default_rng(8), 1)))
    dense = motion.covariance_matrix(state, 0)
    angle = 0.3
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rotation = np.eye(8)
    rotation[:2, :2] = rotation[4:6, 4:6] = linear
    exact = rotation @ dense @ rotation.T
    motion.warp(state, np.column_stack([linear, [1.0, 2.0]]))
    np.testing.assert_allclose(np.diag(motion.covariance_matrix(state, 0)), np.diag(exact))


def test_warp_ignores_nonsense() -> None:
    motion = create_filter("xyah")
    state = motion.initiate(motion.measure(random_boxes(np.random.default_rng(9), 2)))
    before = state.copy()
    motion.warp(state, np.full((2, 3), np.nan))
    motion.warp(state, np.zeros((2, 3)))
    np.testing.assert_array_equal(state, before)
