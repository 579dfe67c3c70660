"""Cameras estimated from point pairs, against the cameras that made the pairs and against OpenCV."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from tests.tracker.geometry.worlds import Array, look_at, make_camera
from tracker.errors import InputError
from tracker.geometry.camera import Camera
from tracker.geometry.estimation import Estimate, default_threshold, estimate_camera
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.point_pairs import PointPairs

WIDTH, HEIGHT = 1280, 720
#: floor of a hall, and what to expect there
LATTICE = np.stack([*np.meshgrid(np.linspace(-2, 3, 9), np.linspace(0, 9, 9)), np.zeros((9, 9))], axis=-1).reshape(
    -1, 3
)


def hall_camera(
    k1: float = 0.0,
    *,
    focal: float = 900.0,
    centre: tuple[float, float] = (WIDTH / 2, HEIGHT / 2),
    position: ArrayLike = (0.5, -4.0, 3.0),
    target: ArrayLike = (1.0, 8.0, 0.6),
) -> Camera:
    """Return a camera with square pixels; its principal point is central unless said."""
    rotation, translation = look_at(position, target, 0.05)
    intrinsics = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    return Camera("hall", WIDTH, HEIGHT, intrinsics, np.array([k1, 0, 0, 0, 0]), rotation, translation)


def seen_pairs(
    camera: Camera, count: int = 16, *, noise: float = 0.0, seed: int = 0, tallest: float = 0.0, wrong: float = 0.0
) -> tuple[PointPairs, Array]:
    """Return pairs that a camera sees, with Gaussian noise on the pixels, and which of them (N,) are not moved away.

    A third of the places are up to ``tallest`` metres above the floor; a share ``wrong`` of the pixels is 25 to 80
    pixels from where it should be, all in different directions.
    """
    generator = np.random.default_rng(seed)
    points = generator.uniform((-4, -2, 0), (5, 10, tallest), (100 * count, 3))
    points[:, 2] *= generator.random(len(points)) < 0.34
    pixels = camera.project(points)[0]
    margin = 90 if wrong else 5
    inside = camera.visible(points) & ((pixels > margin) & (pixels < np.array([WIDTH, HEIGHT]) - margin)).all(axis=1)
    points, pixels = points[inside][:count], pixels[inside][:count] + noise * generator.normal(size=(count, 2))
    moved = generator.permutation(count)[: round(wrong * count)]
    angles, lengths = generator.uniform(0, 2 * np.pi, len(moved)), generator.uniform(25, 80, len(moved))
    pixels[moved] += lengths[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    right = np.ones(count, bool)
    right[moved] = False
    return PointPairs(pixels, points, tuple(f"point {number}" for number in range(1, count + 1))), right


def estimated(pairs: PointPairs, **options: object) -> Estimate:
    return estimate_camera(pairs, WIDTH, HEIGHT, name="hall", **options)  # type: ignore[arg-type]


def floor_error(camera: Camera | HomographyCamera, truth: Camera) -> float:
    """Return the root mean square of the metres between where two cameras put what the second sees on the floor."""
    pixels = truth.project(LATTICE)[0]
    visible = truth.visible(LATTICE)
    distances = np.hypot(*(camera.to_floor(pixels) - LATTICE[:, :2])[visible].T)
    return float(np.sqrt((distances**2).mean()))


def test_exact_pairs_give_the_camera_back() -> None:
    truth = hall_camera()
    pairs, _ = seen_pairs(truth)
    pose = estimated(pairs)
    assert pose.model == "pose" and "determine" in pose.reason and pose.warnings == ()
    assert isinstance(pose.camera, Camera) and pose.inliers.all()
    np.testing.assert_allclose(pose.camera.position, truth.position, atol=1e-6)
    np.testing.assert_allclose(pose.camera.intrinsics, truth.intrinsics, atol=1e-4)
    np.testing.assert_allclose(pose.camera.rotation, truth.rotation, atol=1e-8)
    assert not pose.camera.distortion.any(), "nothing asks for a distortion"
    assert pose.rms < 1e-6 and pose.leave_one_out_rms is not None and pose.leave_one_out_rms < 1e-5
    flat = estimated(pairs, model="homography")
    assert flat.model == "homography" and floor_error(flat.camera, truth) < 1e-8


@settings(max_examples=25, deadline=None)
@given(
    yaw=st.floats(0, 6.28), pitch=st.floats(0.2, 1.4), height=st.floats(2, 8), seed=st.integers(0, 1000),
    count=st.integers(5, 20),
)  # fmt: skip
def test_a_homography_is_exact_wherever_the_camera_hangs(
    yaw: float, pitch: float, height: float, seed: int, count: int
) -> None:
    position = np.array([1.0, 2.0, height])
    direction = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    truth = hall_camera(position=position, target=position + direction)
    pixels = np.random.default_rng(seed).uniform((0, 0.45 * HEIGHT), (WIDTH, HEIGHT), (count, 2))
    places = truth.to_floor(pixels, maximum_distance=80.0)
    seen = np.isfinite(places[:, 0])
    if seen.sum() < 5:
        return
    world = np.column_stack([places[seen], np.zeros(seen.sum())])
    pairs = PointPairs(pixels[seen], world, tuple(f"point {number}" for number in range(int(seen.sum()))))
    estimate = estimated(pairs, model="homography")
    assert estimate.inliers.all() and estimate.rms < 1e-5


def test_least_squares_are_opencv_s() -> None:
    truth = hall_camera()
    pairs, _ = seen_pairs(truth, noise=1.0, seed=4)
    flat = estimated(pairs, model="homography").camera
    reference, _ = cv2.findHomography(pairs.world[:, :2], pairs.pixels, 0)
    assert isinstance(flat, HomographyCamera)
    mine = flat.ground / flat.ground[2, 2]
    np.testing.assert_allclose(mine, reference / reference[2, 2], rtol=2e-3, atol=1e-4)
    # As good as OpenCV's, or better: its own least squares stop after ten steps.
    seen = np.column_stack([pairs.world[:, :2], np.ones(len(pairs))]) @ reference.T
    errors = np.hypot(*(seen[:, :2] / seen[:, 2:] - pairs.pixels).T)
    assert estimated(pairs, model="homography").rms <= np.sqrt((errors**2).mean()) + 1e-9


@pytest.mark.parametrize("tallest", [0.0, 2.0])
def test_a_known_lens_gives_opencv_s_pose(tallest: float) -> None:
    truth = make_camera(lens="barrel")
    pairs, right = seen_pairs(truth, 12, noise=0.5, tallest=tallest, wrong=0.2, seed=2)
    estimate = estimated(pairs, intrinsics=truth)
    assert (estimate.inliers == right).all() and estimate.focal_deviation is None
    assert isinstance(estimate.camera, Camera)
    np.testing.assert_array_equal(estimate.camera.distortion, truth.distortion)
    centred = truth.intrinsics - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    good = pairs.subset(right)
    _, turn, shift = cv2.solvePnP(
        good.world, good.pixels - 0.5, centred, truth.distortion, flags=cv2.SOLVEPNP_SQPNP
    )  # fmt: skip
    turn, shift = cv2.solvePnPRefineLM(good.world, good.pixels - 0.5, centred, truth.distortion, turn, shift)
    position = -cv2.Rodrigues(turn)[0].T @ shift.ravel()
    np.testing.assert_allclose(estimate.camera.position, position, atol=2e-3)


def test_noise_of_one_pixel_is_centimetres_on_the_floor_and_leave_one_out_says_so() -> None:
    truth = hall_camera()
    positions, focals, floors, expected = [], [], [], []
    for seed in range(3):
        estimate = estimated(seen_pairs(truth, 20, noise=1.0, seed=seed)[0])
        assert estimate.model == "pose" and isinstance(estimate.camera, Camera)
        assert estimate.position_deviation is not None and estimate.focal_deviation is not None
        off = estimate.camera.position - truth.position
        assert (np.abs(off) < 4 * estimate.position_deviation).all()
        assert abs(estimate.camera.intrinsics[0, 0] / 900 - 1) < 4 * estimate.focal_deviation
        assert not estimate.camera.distortion.any()
        assert estimate.rms < 1.8 and estimate.leave_one_out_rms is not None
        assert estimate.rms < estimate.leave_one_out_rms < 2.5
        positions.append(np.linalg.norm(off))
        focals.append(abs(estimate.camera.intrinsics[0, 0] - 900))
        floors.append(floor_error(estimate.camera, truth))
        expected.append(estimate.leave_one_out_floor_rms)
        assert (
            floor_error(estimated(seen_pairs(truth, 20, noise=1.0, seed=seed)[0], model="homography").camera, truth)
            < 0.1
        )
    assert max(positions) < 0.12 and max(focals) < 12 and max(floors) < 0.05
    # A point left out errs by its own pixel of noise too, the camera by much less.
    assert all(floor < error for floor, error in zip(floors, expected))


@pytest.mark.parametrize("options", [{"model": "homography"}, {"model": "pose"}, {"tallest": 2.0}], ids=str)
def test_one_wrong_point_in_five_is_found(options: dict[str, object]) -> None:
    truth = hall_camera()
    tallest = float(options.pop("tallest", 0.0))  # type: ignore[arg-type]
    pairs, right = seen_pairs(truth, 20, noise=1.0, seed=5, tallest=tallest, wrong=0.2)
    estimate = estimated(pairs, **options)
    assert estimate.inliers.tolist() == right.tolist()
    assert floor_error(estimate.camera, truth) < 0.08
    assert (estimate.errors[~right] > 15).all()


def test_a_distortion_is_found_where_there_is_one() -> None:
    truth = hall_camera(-0.25, focal=1000)
    exact = estimated(seen_pairs(truth)[0])
    assert isinstance(exact.camera, Camera)
    assert exact.camera.distortion[0] == pytest.approx(-0.25, abs=1e-5)
    np.testing.assert_allclose(exact.camera.position, truth.position, atol=1e-5)
    pairs, right = seen_pairs(truth, 20, noise=1.0, seed=1, wrong=0.2)
    noisy = estimated(pairs)
    assert isinstance(noisy.camera, Camera) and noisy.inliers.tolist() == right.tolist()
    assert noisy.camera.distortion[0] == pytest.approx(-0.25, abs=0.04)
    assert np.linalg.norm(noisy.camera.position - truth.position) < 0.2
    # With fewer than eight points nothing is said of the lens.
    few = estimated(seen_pairs(truth, 7)[0], threshold=50)
    assert not isinstance(few.camera, Camera) or not few.camera.distortion.any()


def test_a_camera_that_looks_straight_down_is_a_homography() -> None:
    truth = hall_camera(position=(1.0, 4.0, 5.0), target=(1.01, 4.02, 0.0))
    pairs, _ = seen_pairs(truth, 12, noise=1.0, seed=3)
    estimate = estimated(pairs)
    assert estimate.model == "homography" and "focal length" in estimate.reason
    assert floor_error(estimate.camera, truth) < 0.02
    # Points above the floor say what the floor does not.
    tall = estimated(seen_pairs(truth, 12, noise=1.0, seed=5, tallest=1.5)[0])
    assert tall.model == "pose" and tall.camera.position[2] == pytest.approx(5.0, abs=0.2)


def test_a_cropped_video_is_a_homography_too() -> None:
    truth = hall_camera(centre=(100, 360))
    estimate = estimated(seen_pairs(truth, 20, noise=0.5, seed=6)[0])
    assert estimate.model == "homography" and "principal point" in estimate.reason
    assert floor_error(estimate.camera, truth) < 0.03


def test_the_same_seed_gives_the_same_numbers() -> None:
    pairs, _ = seen_pairs(hall_camera(), 12, noise=1.0, wrong=0.2)
    first, second = (estimated(pairs, seed=3) for _ in range(2))
    assert first.camera.calibration() == second.camera.calibration()
    assert first.record() == second.record()


def test_four_points_are_enough_but_say_nothing_of_others() -> None:
    truth = hall_camera()
    world = np.array([(-1.0, 1, 0), (2, 1.5, 0), (3, 8, 0), (-2, 7, 0)])
    pairs = PointPairs(truth.project(world)[0], world, ("a", "b", "c", "d"))
    estimate = estimated(pairs, model="homography")
    assert floor_error(estimate.camera, truth) < 1e-8
    assert estimate.leave_one_out_rms is None and estimate.leave_one_out_floor_rms is None
    assert estimate.record()["leave_one_out_pixels"] is None


def four(world: ArrayLike, pixels: ArrayLike | None = None) -> PointPairs:
    places = np.asarray(world, np.float64)
    seen = hall_camera().project(places)[0] if pixels is None else np.asarray(pixels, np.float64)
    return PointPairs(seen, places, tuple(f"line {number}" for number in range(1, len(places) + 1)))


SQUARE = np.array([(-1.0, 1, 0), (2, 1, 0), (2, 6, 0), (-1, 6, 0), (0.5, 3, 0), (1.5, 8, 0)])
MIXED = PointPairs(
    np.random.default_rng(1).uniform((50, 330), (1200, 700), (12, 2)),
    np.column_stack([np.random.default_rng(2).uniform(0, 8, (12, 2)), np.zeros(12)]),
    tuple(f"line {number}" for number in range(1, 13)),
)


@pytest.mark.parametrize(
    ("pairs", "options", "words"),
    [
        (four(SQUARE[:3]), {"model": "homography"}, "3 points for a homography, which needs at least 4; add more"),
        (four(SQUARE[:3]), {"model": "pose"}, "3 points for a pose, which needs at least 4"),
        (four([(x, 2.0 + x, 0) for x in range(5)]), {}, "all points are on one line in the room; add points"),
        (four([*((0.5 * x, 3.0, 0) for x in range(-2, 3)), (0, 6, 0)]), {"model": "homography"},
         "no four of the points are in front of a camera with no three of them on one line"),
        (four(SQUARE, [(100.0 * x, 400.0 + 10 * x) for x in range(6)]), {}, "all points are on one line in the image"),
        (four(SQUARE, [*hall_camera().project(SQUARE[:5])[0], (1400, 300)]), {},
         "line 6: pixel (1400, 300) is outside the image of 1280×720; check the image's size"),
        (four(SQUARE, [*hall_camera().project(SQUARE[:5])[0], (600, 20)]), {"model": "homography"},
         "line 6: pixel (600, 20) is above the horizon of the fitted camera"),
        (four(SQUARE + np.array([0, 0, 0.5])), {"model": "homography"},
         "line 1 is not on the floor (z is not 0); leave it out"),
        (MIXED, {"model": "homography"}, "of 12 points agree within 6.4 pixels"),
        (MIXED, {}, "check that u is the column and v the row, that x, y and z are metres of one plan"),
        (four(SQUARE * (-1, 1, 1), hall_camera().project(SQUARE)[0]), {},
         "m under the floor; world z must point up"),
        (four(SQUARE * (-1, 1, 1), hall_camera().project(SQUARE)[0]), {"model": "pose"}, "exchange x and y"),
        (four(SQUARE), {"model": "tripod"}, "unknown model 'tripod'"),
        (four(SQUARE), {"threshold": 0.0}, "a threshold of 0 pixels"),
        (four(SQUARE), {"model": "homography", "intrinsics": hall_camera()}, "a homography uses no intrinsics"),
    ],
)  # fmt: skip
def test_what_gives_no_camera_is_refused_with_what_to_do(
    pairs: PointPairs, options: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        estimated(pairs, **options)
    assert words in str(caught.value), str(caught.value)


def test_a_mirrored_plan_can_be_a_homography() -> None:
    mirrored = four(SQUARE * (-1, 1, 1), hall_camera().project(SQUARE)[0])
    estimate = estimated(mirrored, model="homography")
    assert estimate.camera.position[2] == pytest.approx(3.0, abs=1e-4)
    np.testing.assert_allclose(estimate.camera.to_floor(mirrored.pixels), mirrored.world[:, :2], atol=1e-8)


def test_points_above_the_floor_are_left_out_of_a_homography() -> None:
    truth = hall_camera(centre=(100, 900), position=(1.0, 4.0, 5.0), target=(1.01, 4.02, 0.0))
    pairs, _ = seen_pairs(truth, 12, seed=3)
    off_floor = dataclasses.replace(pairs, world=pairs.world + np.eye(12)[:, [11, 11, 11]] * (0, 0, 1e-3))
    assert off_floor.on_floor.sum() == 11
    estimate = estimated(off_floor)
    assert estimate.model == "homography" and "points that are not on the floor are not used (1)" in estimate.reason
    assert len(estimate.pairs) == 11


def test_the_threshold_grows_with_the_image() -> None:
    assert default_threshold(640, 480) == 5.0
    assert default_threshold(1080, 1920) == pytest.approx(9.6)
