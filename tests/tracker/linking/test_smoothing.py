from __future__ import annotations

import numpy as np
from filterpy.kalman import KalmanFilter

from tests.tracker.linking.scenes import shaken, walk
from tracker.linking.box_motion import box_noise, camera_offsets
from tracker.linking.smoothing import WalkingFilter, smooth_tracks
from tracker.linking.tracklets import Tracklets
from tracker.motion.kalman import POSITION, VARIANCE


def _motion() -> WalkingFilter:
    return WalkingFilter(25.0, acceleration=0.3, growth=0.1, center_noise=0.03, height_noise=0.04)


def test_equals_the_smoother_of_filterpy_over_a_gap() -> None:
    frames = np.array([frame for frame in range(1, 41) if not 15 <= frame < 22])
    boxes = shaken(walk(frames, (200, 600), (4, 1)), 4.0, 0)
    motion = _motion()
    smoothed = smooth_tracks(motion, np.zeros(len(frames), np.int64), frames, boxes)
    measured = motion.measure(boxes.T)
    state = motion.initiate(measured[:, :1])
    mean, covariance = motion.mean_vector(state, 0), motion.covariance_matrix(state, 0)
    transition, seen = motion.motion_matrix(), motion.measurement_matrix()
    means, covariances, noises = [mean], [covariance], [np.eye(8)]
    for frame in range(2, 41):
        noises.append(motion.process_noise(mean[:4]))
        mean, covariance = transition @ mean, transition @ covariance @ transition.T + noises[-1]
        if frame in frames:
            noise = motion.measurement_noise(mean[:4])
            total = seen @ covariance @ seen.T + noise
            gain = covariance @ seen.T @ np.linalg.inv(total)
            mean = mean + gain @ (measured[:, frames.tolist().index(frame)] - seen @ mean)
            covariance = covariance - gain @ total @ gain.T
        means.append(mean)
        covariances.append(covariance)
    reference = KalmanFilter(8, 4)
    count = len(means)
    expected, spreads, _, _ = reference.rts_smoother(
        np.array(means)[:, :, None], np.array(covariances), Fs=[transition] * count, Qs=noises
    )
    np.testing.assert_allclose(smoothed.states[POSITION].T, expected[:, :4, 0], rtol=1e-6)
    np.testing.assert_allclose(smoothed.states[VARIANCE, 0], spreads[:, 0, 0], rtol=1e-6)
    assert smoothed.states[VARIANCE, 0, 17] > 1.5 * smoothed.states[VARIANCE, 0, 10]


def test_tracks_do_not_influence_one_another() -> None:
    long, short = np.arange(3, 60), np.arange(20, 31)
    first, second = walk(long, (200, 600), (4, 0)), shaken(walk(short, (700, 500), (-3, 1)), 2.0, 1)
    both = smooth_tracks(
        _motion(),
        np.repeat([0, 1], [len(long), len(short)]),
        np.concatenate([long, short]),
        np.concatenate([first, second]),
    )
    alone = smooth_tracks(_motion(), np.zeros(len(short), np.int64), short, second)
    np.testing.assert_allclose(both.states[:, :, both.starts[1] :], alone.states)
    assert both.ends.tolist() == [56, 67]


def _crowd(displaced: np.ndarray, noise: float) -> Tracklets:
    frames = np.arange(1, len(displaced) + 1)
    parts = [
        shaken(walk(frames, (200 + 60 * k, 500 + 10 * k), (1.0 - 0.2 * k, 0.1 * k)), noise, k) + np.tile(displaced, 2)
        for k in range(10)
    ]
    return Tracklets(
        np.repeat(np.arange(10), len(frames)), np.tile(frames, 10), np.concatenate(parts), np.ones(10 * len(frames))
    )


def test_the_shaking_of_the_camera_is_found_and_a_camera_that_stands_is_left_alone() -> None:
    generator = np.random.default_rng(0)
    shake = generator.normal(0, 8.0, (80, 2))
    found = camera_offsets(_crowd(shake, 1.0), _motion(), 80)[1:]
    for axis in (0, 1):
        rest = found[:, axis] - shake[:, axis]
        assert (rest - rest.mean()).std() < 3.0  # of 8; the slow part belongs to the people
    still = camera_offsets(_crowd(np.zeros((80, 2)), 1.0), _motion(), 80)
    assert np.abs(still).max() < 1.0


def test_the_noise_of_boxes_is_measured() -> None:
    center, height = box_noise(_crowd(np.zeros((80, 2)), 3.0))
    # sides off by 3 of 150 pixels: middles by 3 / sqrt(2), heights by 3 sqrt(2)
    assert abs(center - 3 / np.sqrt(2) / 150) < 0.002
    assert abs(height - 3 * np.sqrt(2) / 150) < 0.004
