"""A calibrated camera against OpenCV, against itself, and against random noise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulation.cameras import corner_cameras
from tests.tracker.geometry.worlds import LENSES, Array, look_at, make_camera
from tracker.errors import InputError
from tracker.geometry.camera import Camera, FloorCamera
from tracker.geometry.person_shape import SEATED, person_boxes_with_jacobian
from tracker.geometry.room_checks import check_room_camera

CAMERAS = {lens: make_camera(lens=lens) for lens in LENSES}


def seen_points(camera: Camera, count: int = 300, seed: int = 3) -> Array:
    generator = np.random.default_rng(seed)
    points = generator.uniform((-8, -3, 0), (9, 25, 2.2), (4 * count, 3))
    return points[camera.visible(points)][:count]


@pytest.mark.parametrize("lens", LENSES)
def test_projection_is_opencv_s_half_a_pixel_further(lens: str) -> None:
    camera = CAMERAS[lens]
    points = seen_points(camera)
    assert len(points) > 100
    opencv_intrinsics = camera.intrinsics - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    expected, _ = cv2.projectPoints(
        points, cv2.Rodrigues(camera.rotation)[0], camera.translation, opencv_intrinsics, np.array(LENSES[lens])
    )
    pixels, depth = camera.project(points)
    np.testing.assert_allclose(pixels - 0.5, expected[:, 0], atol=1e-8)
    np.testing.assert_allclose(depth, points @ camera.rotation[2] + camera.translation[2])


def test_the_simulated_room_s_cameras_are_the_same() -> None:
    for simulated in corner_cameras(6.0, 5.0, 4):
        numbers = simulated.calibration()
        camera = Camera(
            numbers["name"], numbers["width"], numbers["height"], np.array(numbers["K"]),
            np.array(numbers["distortion"]), np.array(numbers["R"]), np.array(numbers["t"]),
        )  # fmt: skip
        points = np.random.default_rng(0).uniform((1, 1, 0), (5, 4, 1.8), (50, 3))
        np.testing.assert_allclose(camera.project(points)[0], simulated.project(points)[0], atol=0.01)
        np.testing.assert_allclose(camera.position, simulated.position, atol=1e-12)
        check_room_camera(camera)


@settings(max_examples=60, deadline=None)
@given(
    lens=st.sampled_from(sorted(LENSES)),
    column=st.floats(-100, 1380),
    row=st.floats(0, 760),
    height=st.floats(0, 1.9),
)
def test_a_pixel_sent_to_the_floor_comes_back(lens: str, column: float, row: float, height: float) -> None:
    camera = CAMERAS[lens]
    place = camera.to_floor([(column, row)], height)[0]
    if np.isfinite(place).all():
        pixels, depth = camera.project([(*place, height)])
        np.testing.assert_allclose(pixels[0], (column, row), atol=1e-6)
        assert depth[0] > 0
    else:
        # Only what looks past the plane, or far beyond, has no place on it.
        rows = camera.to_floor([(column, row + step) for step in (-1e-3, 1e-3)], height, maximum_distance=1e9)
        far = np.hypot(*(rows - camera.position[:2]).T)
        assert not (far < 190).any()


@settings(max_examples=60, deadline=None)
@given(
    lens=st.sampled_from(sorted(LENSES)),
    x=st.floats(-4, 5),
    y=st.floats(0, 30),
    height=st.floats(0, 2),
)
def test_a_place_seen_comes_back_from_its_pixel(lens: str, x: float, y: float, height: float) -> None:
    camera = CAMERAS[lens]
    pixels, _ = camera.project([(x, y, height)])
    np.testing.assert_allclose(camera.to_floor(pixels, height)[0], (x, y), atol=1e-6)


@pytest.mark.parametrize("lens", LENSES)
def test_what_lies_far_outside_never_lands_in_the_image(lens: str) -> None:
    camera = CAMERAS[lens]
    # All directions of the half space in front, up to 89 degrees off axis.
    angle, turn = np.meshgrid(np.radians(np.linspace(0, 89, 400)), np.linspace(0, 2 * np.pi, 60))
    rays = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], -1).reshape(-1, 3)
    points = (rays - camera.translation) @ camera.rotation
    pixels, _ = camera.project(points)
    visible = camera.visible(points)
    undistorted = rays[:, :2] / rays[:, 2:] @ camera.intrinsics[:2, :2].T + camera.intrinsics[:2, 2]
    far = np.abs(undistorted - camera.intrinsics[:2, 2]).max(axis=1) > 1.5 * camera.width
    assert visible.any() and not visible[far].any()
    radius = np.hypot(*(pixels - camera.intrinsics[:2, 2]).T).reshape(angle.shape)
    assert (np.diff(radius, axis=1) > 0).all(), "farther off the axis must be farther out in the image"
    if lens in ("barrel", "pincushion"):
        raw, _ = cv2.projectPoints(
            points, cv2.Rodrigues(camera.rotation)[0], camera.translation, camera.intrinsics, np.array(LENSES[lens])
        )
        inside = ((raw[:, 0] >= 0) & (raw[:, 0] < (camera.width, camera.height))).all(axis=1)
        assert (inside & far).any(), "the lens of this test must fold for the test to mean anything"


def test_points_behind_have_no_pixel() -> None:
    camera = CAMERAS["barrel"]
    behind = camera.position - 2 * camera.rotation[2]
    pixels, depth = camera.project([behind])
    assert np.isnan(pixels).all() and depth[0] == pytest.approx(-2)
    assert not camera.visible([behind]).any()


def test_above_the_horizon_and_beyond_the_maximum_distance_is_no_place() -> None:
    camera = make_camera(roll=0.0)
    forward = camera.rotation[2]
    horizon = camera.intrinsics[1, 2] + camera.intrinsics[1, 1] * (camera.rotation[2, 2] / -camera.rotation[1, 2])
    assert forward[2] < 0 and 0 < horizon < camera.height
    middle = camera.intrinsics[0, 2]
    pixels = [(middle, horizon - 1), (middle, horizon + 0.5), (middle, horizon + 100)]
    places = camera.to_floor(pixels)
    assert np.isnan(places[:2]).all() and np.isfinite(places[2]).all()
    assert np.isfinite(camera.to_floor(pixels, maximum_distance=1e5)[1]).all()
    assert np.isnan(camera.to_floor(pixels, maximum_distance=5)[2]).all()
    # A plane above the camera is met above the horizon only.
    above = camera.to_floor([(middle, horizon - 100), (middle, horizon + 100)], height=5.0)
    assert np.isfinite(above[0]).all() and np.isnan(above[1]).all()


@pytest.mark.parametrize("lens", LENSES)
def test_covariance_on_the_floor_is_that_of_random_pixels(lens: str) -> None:
    camera = CAMERAS[lens]
    centres = np.array([(640.0, 420.0), (150.0, 600.0), (1200.0, 300.0)])
    covariances = np.array([[[4.0, 1.5], [1.5, 9.0]], [[2.0, -0.5], [-0.5, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    places, found = camera.to_floor_with_covariance(centres, covariances, height=0.2)
    np.testing.assert_array_equal(places, camera.to_floor(centres, 0.2))
    generator = np.random.default_rng(11)
    for centre, pixel, place, covariance in zip(centres, covariances, places, found):
        # Small noise, scaled up again: the covariance is the linear part.
        noise = generator.multivariate_normal((0, 0), pixel, 20_000)
        moved = (camera.to_floor(centre + 0.02 * noise, 0.2) - place) / 0.02
        sampled = moved.T @ moved / len(moved)
        np.testing.assert_allclose(covariance, sampled, rtol=0.05, atol=0.02 * np.trace(covariance))


def test_one_covariance_serves_all_and_no_place_has_none() -> None:
    camera = CAMERAS["barrel"]
    pixels = [(600.0, 500.0), (600.0, 0.0)]
    places, covariance = camera.to_floor_with_covariance(pixels, 4 * np.eye(2))
    assert np.isfinite(covariance[0]).all() and np.isnan(covariance[1]).all() and np.isnan(places[1]).all()
    assert np.linalg.eigvalsh(covariance[0]).min() > 0


@settings(max_examples=40, deadline=None)
@given(x=st.floats(-2, 3), y=st.floats(2, 20), height=st.floats(1.2, 2.0), lens=st.sampled_from(sorted(LENSES)))
def test_the_box_of_a_person_holds_feet_and_head(x: float, y: float, height: float, lens: str) -> None:
    camera = CAMERAS[lens]
    box = camera.person_box(x, y, height)[0]
    ends, _ = camera.project([(x, y, 0), (x, y, height)])
    assert (box[0] < ends[:, 0]).all() and (ends[:, 0] < box[2]).all()
    # Shoes nearer to the camera than the body's axis end the box below; its top is the crown.
    nearer, _ = camera.project([(x, y, 0)] + 0.175 * unit_towards(camera, x, y))
    assert ends[0, 1] < box[3] == pytest.approx(nearer[0, 1], abs=3.0)
    assert box[1] == pytest.approx(ends[1, 1], abs=0.06 * (box[3] - box[1]))
    taller, wider = camera.person_box(x, y, height + 0.1)[0], camera.person_box(x, y, height, 0.7)[0]
    assert taller[1] < box[1] and taller[3] == pytest.approx(box[3])
    assert wider[0] < box[0] and wider[2] > box[2]


def unit_towards(camera: Camera, x: float, y: float) -> Array:
    offset = np.array([camera.position[0] - x, camera.position[1] - y, 0.0])
    return np.asarray(offset / np.linalg.norm(offset))


@pytest.mark.parametrize("lens", LENSES)
def test_boxes_come_with_their_derivatives(lens: str) -> None:
    camera = CAMERAS[lens]
    generator = np.random.default_rng(4)
    places = np.column_stack(
        [generator.uniform(-2, 3, 40), generator.uniform(3, 15, 40), generator.uniform(1.4, 2, 40)]
    )
    boxes, jacobian = person_boxes_with_jacobian(camera, *places.T)
    np.testing.assert_array_equal(boxes, camera.person_box(*places.T))
    step = 1e-4
    for axis in range(3):
        later, before = (camera.person_box(*(places + sign * step * np.eye(3)[axis]).T) for sign in (1, -1))
        slopes = (later - before) / (2 * step)
        # Where another point becomes the outermost, a side has two slopes.
        wrong = np.abs(jacobian[:, :, axis] - slopes) > 0.02 * np.abs(slopes) + 0.5
        assert wrong.mean() < 0.03
    assert np.isnan(person_boxes_with_jacobian(camera, *np.array([[0.5], [-9.0], [1.7]]))[0]).all()


def test_boxes_of_many_people_are_those_of_each() -> None:
    camera = CAMERAS["rational"]
    x, y = np.array([0.0, 1.0, 0.5, 0.5]), np.array([3.0, 6.0, -9.0, -4.5])
    heights = np.array([1.6, 1.8, 1.7, 1.7])
    boxes = camera.person_box(x, y, heights)
    for number in range(4):
        np.testing.assert_array_equal(boxes[number], camera.person_box(x[number], y[number], heights[number])[0])
    assert np.isfinite(boxes[:2]).all()
    assert np.isnan(boxes[2]).all(), "behind the camera"
    assert np.isnan(boxes[3]).all(), "under the camera: partly behind it"
    assert camera.visible_share(boxes)[2:].tolist() == [0, 0]


def test_visible_share_is_the_area_inside() -> None:
    camera = make_camera(size=(100, 80))
    boxes = [(10, 10, 30, 40), (-10, 0, 10, 80), (90, 70, 110, 90), (100, 0, 120, 40), (-50, -40, 150, 120)]
    np.testing.assert_allclose(camera.visible_share(boxes), [1, 0.5, 0.25, 0, 0.25])


def test_scaled_images_scale_pixels() -> None:
    camera = CAMERAS["barrel"]
    half = camera.resized(640, 360)
    points = seen_points(camera, 50)
    np.testing.assert_allclose(half.project(points)[0], camera.project(points)[0] / 2, atol=1e-9)
    with pytest.raises(InputError, match="camera hall: calibrated for images of 1280×720"):
        camera.resized(640, 480)


def test_a_rounded_rotation_is_put_right_and_the_camera_cannot_be_changed() -> None:
    camera = CAMERAS["none"]
    rounded = Camera("c", 640, 480, camera.intrinsics, np.zeros(5), camera.rotation.round(3), camera.translation)
    np.testing.assert_allclose(rounded.rotation @ rounded.rotation.T, np.eye(3), atol=1e-12)
    with pytest.raises(ValueError, match="read-only"):
        rounded.rotation[0, 0] = 2
    assert isinstance(rounded, FloorCamera)


GOOD = {
    "name": "door", "width": 640, "height": 480, "intrinsics": np.diag([500.0, 500.0, 1.0]),
    "distortion": np.zeros(5), "rotation": look_at((0, 0, 3), (2, 2, 0))[0], "translation": np.zeros(3),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0}, "image of 0×480"),
        ({"intrinsics": np.eye(4)}, r"intrinsics has shape \(4, 4\)"),
        ({"intrinsics": np.diag([500.0, np.nan, 1.0])}, "intrinsics is not finite"),
        ({"intrinsics": np.diag([500.0, -500.0, 1.0])}, "focal lengths 500 and -500"),
        ({"intrinsics": np.array([[500.0, 0, 0], [0, 500, 0], [320, 240, 1]])}, "check their order"),
        ({"distortion": np.zeros(3)}, "3 distortion coefficients"),
        ({"distortion": np.full(12, 0.1)}, "12 distortion coefficients"),
        ({"distortion": np.array([np.inf, 0, 0, 0, 0])}, "distortion is not finite"),
        ({"rotation": 2 * np.eye(3)}, "not orthonormal"),
        ({"rotation": np.diag([1.0, 1.0, -1.0])}, "mirror image"),
        ({"translation": [0, 0]}, "translation has shape"),
        ({"translation": ["a", 0, 0]}, "no number"),
    ],
)
def test_what_is_no_camera_is_refused_by_name(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Camera(**{**GOOD, **changes})  # type: ignore[arg-type]
    assert str(caught.value).startswith("camera door: ") and "\n" not in str(caught.value)


def test_cameras_under_the_floor_looking_away_or_in_another_unit_are_told() -> None:
    def placed(position: tuple[float, float, float], target: tuple[float, float, float]) -> Camera:
        rotation, translation = look_at(position, target)
        return Camera("door", 640, 480, np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]]), np.zeros(5), rotation,
                      translation)  # fmt: skip

    check_room_camera(placed((0, 0, 2.5), (3, 3, 1.0)))
    with pytest.raises(InputError, match=r"camera door: .* 2\.50 m under the floor"):
        check_room_camera(placed((0, 0, -2.5), (3, 3, 1.0)))
    with pytest.raises(InputError, match=r"camera door: .* look away from the floor"):
        check_room_camera(placed((0, 0, 2.5), (3, 3, 8.0)))
    with pytest.raises(InputError, match=r"camera door: .* 250 m above the floor; say in which unit"):
        check_room_camera(placed((0, 0, 250), (300, 300, 100)))


@pytest.mark.parametrize("lens", LENSES)
def test_boxes_of_who_sits_come_with_their_derivatives(lens: str) -> None:
    camera = CAMERAS[lens]
    generator = np.random.default_rng(5)
    places = np.column_stack(
        [generator.uniform(-2, 3, 40), generator.uniform(3, 15, 40), generator.uniform(1.4, 2, 40)]
    )
    facing = generator.uniform(-np.pi, np.pi, 40)

    def seated(states: Array) -> tuple[Array, Array]:
        return person_boxes_with_jacobian(camera, *states.T, rings=SEATED, facing=facing)

    boxes, jacobian = seated(places)
    assert (boxes[:, 1] > camera.person_box(*places.T)[:, 1]).all()
    step = 1e-4
    for axis in range(3):
        later, before = (seated(places + sign * step * np.eye(3)[axis])[0] for sign in (1, -1))
        slopes = (later - before) / (2 * step)
        wrong = np.abs(jacobian[:, :, axis] - slopes) > 0.02 * np.abs(slopes) + 0.5
        assert wrong.mean() < 0.03
