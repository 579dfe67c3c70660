"""Cameras known by homographies only, made from cameras that are known in full."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.geometry.worlds import Array, look_at, make_camera
from tracker.errors import InputError
from tracker.geometry.camera import Camera, FloorCamera
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.room_checks import check_room_camera


def plane(camera: Camera, height: float = 0.0) -> Array:
    """Return the homography (3, 3) of the plane at ``height``, to pixels."""
    projection = camera.intrinsics @ np.column_stack([camera.rotation, camera.translation])
    return np.column_stack([projection[:, :2], projection[:, 3] + height * projection[:, 2]])


def centred_camera(**changes: object) -> Camera:
    """Return a camera that has what the estimate assumes: square pixels, principal point in the middle."""
    full = make_camera(**changes)  # type: ignore[arg-type]
    intrinsics = np.array([[1000.0, 0, full.width / 2], [0, 1000, full.height / 2], [0, 0, 1]])
    return Camera("hall", full.width, full.height, intrinsics, np.zeros(5), full.rotation, full.translation)


FULL = make_camera()
# Scale and sign of a homography mean nothing.
BOTH = HomographyCamera("hall", 1280, 720, -3.7 * plane(FULL), 0.2 * plane(FULL, 1.7), 1.7)


@settings(max_examples=40, deadline=None)
@given(x=st.floats(-3, 4), y=st.floats(0, 20), height=st.floats(0, 1.9))
def test_with_a_head_plane_it_is_the_whole_camera(x: float, y: float, height: float) -> None:
    points = [(x, y, height)]
    pixels, depth = FULL.project(points)
    found, found_depth = BOTH.project(points)
    np.testing.assert_allclose(found, pixels, atol=1e-6)
    np.testing.assert_allclose(found_depth, depth, rtol=1e-9)
    np.testing.assert_allclose(BOTH.to_floor(pixels, height), [(x, y)], atol=1e-6)
    np.testing.assert_allclose(BOTH.person_box(x, y, height + 0.2), FULL.person_box(x, y, height + 0.2), atol=1e-6)
    assert BOTH.visible(points)[0] == FULL.visible(points)[0]


def test_position_and_covariance_are_those_of_the_camera() -> None:
    assert isinstance(BOTH, FloorCamera)
    np.testing.assert_allclose(BOTH.position, FULL.position, atol=1e-8)
    pixels = [(300.0, 400.0), (900.0, 650.0), (600.0, 5.0)]
    covariances = np.array([[[4.0, 1.0], [1.0, 2.0]]] * 3)
    places, covariance = BOTH.to_floor_with_covariance(pixels, covariances, [0.0, 0.5, 0.0])
    expected_places, expected = FULL.to_floor_with_covariance(pixels, covariances, [0.0, 0.5, 0.0])
    np.testing.assert_allclose(places, expected_places, atol=1e-8)
    np.testing.assert_allclose(covariance, expected, rtol=1e-7)
    assert np.isnan(places[2]).all() and np.isnan(covariance[2]).all()


@settings(max_examples=30, deadline=None)
@given(
    yaw=st.floats(0, 6.28), pitch=st.floats(0.15, 1.2), roll=st.floats(-0.2, 0.2), scale=st.sampled_from([1.0, -2.0])
)
def test_up_is_recovered_from_the_ground_alone_where_its_assumption_holds(
    yaw: float, pitch: float, roll: float, scale: float
) -> None:
    direction = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    full = centred_camera(position=(1.0, 2.0, 3.0), target=np.array([1.0, 2.0, 3.0]) + direction, roll=roll)
    camera = HomographyCamera("hall", full.width, full.height, scale * plane(full))
    np.testing.assert_allclose(camera.position, full.position, atol=1e-4)
    points = full.position + 6 * direction + [(0.5, 0, 0), (0, 0.5, 1.0)]
    np.testing.assert_allclose(camera.project(points)[0], full.project(points)[0], atol=0.01)


def test_ground_alone_of_an_ordinary_camera_is_exact_on_the_floor_and_near_above() -> None:
    camera = HomographyCamera("hall", 1280, 720, plane(FULL))
    x, y = np.meshgrid(np.linspace(-2, 3, 5), np.linspace(2, 12, 5))
    floor = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    pixels, _ = FULL.project(floor)
    np.testing.assert_allclose(camera.to_floor(pixels), floor[:, :2], atol=1e-8)
    check_room_camera(camera)
    boxes, expected = camera.person_box(x.ravel(), y.ravel()), FULL.person_box(x.ravel(), y.ravel())
    heights = expected[:, 3] - expected[:, 1]
    # Pixels 1 % off square, principal point 1 % off centre: heads are some percent wrong, feet hardly.
    assert (np.abs(boxes - expected).max(axis=1) < 0.12 * heights).all()
    assert (np.abs(boxes[:, 3] - expected[:, 3]) < 0.02 * heights).all()


def test_a_top_view_whose_y_runs_down_still_has_the_camera_above_the_floor() -> None:
    mirrored = plane(FULL) @ np.diag([1.0, -1.0, 1.0])
    camera = HomographyCamera("hall", 1280, 720, mirrored)
    assert camera.position[2] > 1
    box, expected = camera.person_box(0.5, -6.0)[0], FULL.person_box(0.5, 6.0)[0]
    assert box[1] == pytest.approx(expected[1], abs=0.12 * (expected[3] - expected[1]))
    np.testing.assert_allclose(camera.to_floor(FULL.project([(0.5, 6.0, 0)])[0]), [(0.5, -6.0)], atol=1e-8)


def test_heads_at_the_camera_s_own_height_lie_on_one_row() -> None:
    # A camera at 1.75 m, level: its horizon is row 360, and so are all heads.
    rotation, translation = look_at((0, 0, 1.75), (0, 10, 1.75))
    intrinsics = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    full = Camera("hall", 1280, 720, intrinsics, np.zeros(5), rotation, translation)
    ground = plane(full)
    row = np.stack([ground[0], 360.0 * ground[2], ground[2]])
    camera = HomographyCamera("hall", 1280, 720, ground, row, 1.75)
    np.testing.assert_allclose(camera.position, full.position, atol=1e-6)
    np.testing.assert_allclose(camera.person_box([0, 1], [4, 9]), full.person_box([0, 1], [4, 9]), atol=1e-6)
    assert np.isnan(camera.to_floor([(640, 360)], 1.75)).all(), "that plane is seen edge on"


def test_scaled_images_scale_pixels() -> None:
    half = BOTH.resized(640, 360)
    points = [(0.5, 5.0, 0.0), (1.0, 9.0, 1.2)]
    np.testing.assert_allclose(half.project(points)[0], BOTH.project(points)[0] / 2)
    with pytest.raises(InputError, match="camera hall: calibrated for images of 1280×720"):
        BOTH.resized(720, 720)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ground": np.ones((3, 3))}, "ground homography is singular"),
        ({"ground": np.full((3, 3), np.nan)}, "must be 3×3 finite numbers"),
        ({"ground": np.eye(4)}, "must be 3×3 finite numbers"),
        ({"head": np.eye(2)}, "head homography must be 3×3"),
        ({"head_height": 175.0}, "heads at 175 m"),
        ({"height": 0}, "image of 1280×0"),
    ],
)
def test_what_is_no_homography_is_refused_by_name(arguments: dict[str, object], words: str) -> None:
    good: dict[str, object] = {"name": "door", "width": 1280, "height": 720, "ground": plane(FULL)}
    with pytest.raises(InputError, match=words) as caught:
        HomographyCamera(**{**good, **arguments})  # type: ignore[arg-type]
    assert str(caught.value).startswith("camera door: ")


def test_planes_of_two_different_cameras_are_refused() -> None:
    other = make_camera(position=(9.0, 3.0, 3.0), target=(0.0, 4.0, 0.0))
    with pytest.raises(InputError, match="not of one camera"):
        HomographyCamera("door", 1280, 720, plane(FULL), plane(other, 1.75))
