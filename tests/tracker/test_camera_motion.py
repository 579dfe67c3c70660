"""Camera motion against motions that were made, so known exactly."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from tracker.errors import InputError
from tracker.motion.camera_motion import CameraMotionEstimator

HEIGHT, WIDTH = 360, 480
PEOPLE = np.array([[60, 80, 130, 260], [250, 40, 340, 330], [390, 100, 440, 240]], float)


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A grey picture with structure at several scales."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((height, width), np.float32)
    for cell, weight in ((48, 3.0), (16, 2.0), (6, 1.0)):
        coarse = generator.random((height // cell + 2, width // cell + 2), dtype=np.float32)
        picture += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    picture = (picture - picture.min()) / np.ptp(picture)
    return (picture * 255).astype(np.uint8)


def motion_about_centre(rotation_degrees: float, zoom: float, shift: tuple[float, float]) -> np.ndarray:
    motion = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), rotation_degrees, zoom)
    motion[:, 2] += shift
    return motion


def scene(motion: np.ndarray, people_shift: tuple[float, float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The background under ``motion`` with people on it who move otherwise; also their boxes."""
    margin = 120
    large = texture(seed, HEIGHT + 2 * margin, WIDTH + 2 * margin)
    into = np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1.0]])
    whole = np.vstack([motion, [0, 0, 1]])
    picture = cv2.warpAffine(large, (whole @ into)[:2], (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    clothes = texture(seed + 1)
    boxes = PEOPLE + np.tile(people_shift, 2)
    for box, source in zip(boxes, PEOPLE, strict=True):
        x, y, right, bottom = box.astype(int)
        left, top = source[:2].astype(int)
        picture[y:bottom, x:right] = clothes[top : top + bottom - y, left : left + right - x]
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), boxes


def largest_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Largest distance in pixels between where both send the picture's corners."""
    corners = np.array([[0, 0, 1], [WIDTH, 0, 1], [0, HEIGHT, 1], [WIDTH, HEIGHT, 1]], float).T
    return float(np.linalg.norm(estimate @ corners - truth @ corners, axis=0).max())


MOTIONS = {
    "shift": motion_about_centre(0, 1, (7.3, -4.6)),
    "rotation": motion_about_centre(2.5, 1, (0, 0)),
    "zoom": motion_about_centre(0, 1.03, (0, 0)),
    "all": motion_about_centre(-1.5, 0.98, (-9.4, 3.2)),
}


@pytest.mark.parametrize("motion", MOTIONS.values(), ids=MOTIONS.keys())
@pytest.mark.parametrize(
    ("method", "downscale"), [("sparse_optical_flow", 1), ("sparse_optical_flow", 2), ("orb", 1), ("ecc", 2)]
)
def test_recovers_known_motion_within_half_a_pixel(method: str, downscale: int, motion: np.ndarray) -> None:
    estimator = CameraMotionEstimator(method, downscale)
    still = motion_about_centre(0, 1, (0, 0))
    assert np.array_equal(estimator.estimate(*scene(still, (0, 0))), np.eye(2, 3))
    estimate = estimator.estimate(*scene(motion, (25, 10)))
    assert estimate.shape == (2, 3)
    assert estimate.dtype == np.float64
    assert largest_error(estimate, motion) < 0.5


def test_people_who_fill_the_picture_and_move_do_not_count_as_background() -> None:
    """Everything but a frame of background moves by 15 pixels: only the mask tells which part is the background."""
    background, crowd = texture(5), texture(6)
    box = np.array([[60, 45, 420, 315]])
    first, second = background.copy(), background.copy()
    first[45:315, 60:420] = crowd[45:315, 60:420]
    second[45:315, 60:420] = crowd[45:315, 45:405]
    masked, unmasked = CameraMotionEstimator(downscale=1), CameraMotionEstimator(downscale=1)
    masked.estimate(first, box)
    unmasked.estimate(first)
    assert largest_error(masked.estimate(second, box), np.eye(2, 3)) < 0.5
    assert largest_error(unmasked.estimate(second), np.eye(2, 3)) > 5


def test_large_jump_is_found_by_matched_features() -> None:
    motion = motion_about_centre(5, 1.05, (55, -38))
    estimator = CameraMotionEstimator("orb", downscale=1)
    estimator.estimate(*scene(np.eye(2, 3), (0, 0)))
    assert largest_error(estimator.estimate(*scene(motion, (0, 0))), motion) < 1.0


@pytest.mark.parametrize("method", ["sparse_optical_flow", "orb", "ecc"])
def test_identity_without_texture_and_between_unrelated_pictures(method: str) -> None:
    estimator = CameraMotionEstimator(method, downscale=2)
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    estimator.estimate(flat)
    assert np.array_equal(estimator.estimate(flat), np.eye(2, 3))
    estimator.estimate(texture(11))
    assert np.array_equal(estimator.estimate(texture(12)), np.eye(2, 3))


@pytest.mark.parametrize("method", ["sparse_optical_flow", "orb", "ecc"])
def test_change_of_size_and_reset_start_again(method: str) -> None:
    motion = motion_about_centre(0, 1, (4.0, 2.0))
    estimator = CameraMotionEstimator(method, downscale=1)
    still, _ = scene(np.eye(2, 3), (0, 0))
    moved, _ = scene(motion, (4, 2))
    estimator.estimate(still)
    assert np.array_equal(estimator.estimate(cv2.resize(moved, (320, 240))), np.eye(2, 3))
    assert np.array_equal(estimator.estimate(still), np.eye(2, 3))
    assert largest_error(estimator.estimate(moved), motion) < 0.5
    estimator.reset()
    assert np.array_equal(estimator.estimate(still), np.eye(2, 3))


def test_same_frames_give_the_same_bytes() -> None:
    def run() -> bytes:
        estimator = CameraMotionEstimator()
        motions = [motion_about_centre(0.3 * k, 1, (2.0 * k, math.sin(k))) for k in range(4)]
        return b"".join(estimator.estimate(*scene(motion, (5 * k, 0))).tobytes() for k, motion in enumerate(motions))

    assert run() == run()


def test_everything_masked_tiny_pictures_and_none_give_the_identity() -> None:
    estimator = CameraMotionEstimator()
    everything = np.array([[0, 0, WIDTH, HEIGHT]])
    for seed in (1, 2):
        assert np.array_equal(estimator.estimate(texture(seed), everything), np.eye(2, 3))
    tiny = np.zeros((1, 1, 3), np.uint8)
    assert np.array_equal(estimator.estimate(tiny), np.eye(2, 3))
    none = CameraMotionEstimator("none")
    none.estimate(texture(1))
    assert np.array_equal(none.estimate(scene(MOTIONS["shift"], (0, 0))[0]), np.eye(2, 3))


def test_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'sparse_optical_flow'"):
        CameraMotionEstimator("sparse_flow")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="downscale is 0"):
        CameraMotionEstimator(downscale=0)
