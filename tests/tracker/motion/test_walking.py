"""The filter in body heights and seconds, and the camera's motion from the boxes."""

from __future__ import annotations

import numpy as np

from tests.tracker.single_camera.streams import box
from tracker.motion.common_motion import CommonMotion
from tracker.motion.kalman import VARIANCE
from tracker.motion.walking import WalkingFilter


def deviation_after_a_second(frame_rate: int, height: float) -> float:
    motion = WalkingFilter(frame_rate)
    state = motion.initiate(motion.measure(np.array([box(300, 300, 0.4 * height, height)]).T))
    for _ in range(frame_rate):
        motion.predict(state)
    return float(np.sqrt(state[VARIANCE, 0, 0]))


def test_what_is_not_known_after_a_second_is_the_same_at_any_frame_rate() -> None:
    expected = deviation_after_a_second(30, 100)
    # speed 0.7, acceleration 0.5 / sqrt(3), sway 0.1, measurement 0.05 body heights
    np.testing.assert_allclose(expected, 100 * np.sqrt(0.7**2 + 0.25 / 3 + 0.1**2 + 0.05**2), rtol=0.02)
    np.testing.assert_allclose(deviation_after_a_second(60, 100), expected, rtol=0.02)
    np.testing.assert_allclose(deviation_after_a_second(30, 200), 2 * expected, rtol=1e-6)


def boxes(xs: list[float]) -> np.ndarray:
    return np.array([box(x) for x in xs], np.float64).T


def test_what_all_have_in_common() -> None:
    motion = CommonMotion(doubt=3.0)
    places = [100.0 * person for person in range(9)]
    shift = motion.measure(boxes(places), boxes([x + 12.0 for x in places]), 1 / 30)
    # nine of twelve, and then nine of twelve of what was left
    np.testing.assert_allclose(shift, [12 * (1 - 0.25**2), 0])
    assert 0.3 * 12 < motion.expected(1 / 30)[0] < 12


def test_one_person_says_nothing_of_the_camera() -> None:
    motion = CommonMotion()
    np.testing.assert_array_equal(motion.measure(boxes([100]), boxes([112]), 1 / 30), [0, 0])


def test_those_who_walk_against_the_others_do_not_count() -> None:
    motion = CommonMotion(doubt=0.0)
    places = [100.0 * person for person in range(7)]
    moved = [x + 10 for x in places[:5]] + [x - 15 for x in places[5:]]
    np.testing.assert_allclose(motion.measure(boxes(places), boxes(moved), 1 / 30), [10, 0])


def test_the_speed_of_a_shift_is_forgotten() -> None:
    motion = CommonMotion(rest_seconds=0.5)
    places = [100.0 * person for person in range(5)]
    motion.measure(boxes(places), boxes([x + 10 for x in places]), 1 / 30)
    before = motion.expected(1.0)[0]
    for _ in range(15):
        motion.measure(boxes(places), boxes(places), 1 / 30)
    np.testing.assert_allclose(motion.expected(1.0)[0], before * np.exp(-1), rtol=1e-6)
