"""Cameras: projection, rays and calibration agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulation.cameras import Camera, corner_cameras
from tracker.errors import InputError

_CAMERAS = corner_cameras(6.0, 5.0, 4)


@settings(max_examples=40, deadline=None)
@given(
    camera=st.sampled_from(_CAMERAS),
    x=st.floats(0.5, 5.5),
    y=st.floats(0.5, 4.5),
    z=st.floats(0.0, 1.9),
)
def test_projection_is_the_calibration_written_to_file(camera: Camera, x: float, y: float, z: float) -> None:
    numbers = camera.calibration()
    seen = np.array(numbers["R"]) @ (x, y, z) + np.array(numbers["t"])
    pixel = np.array(numbers["K"]) @ seen
    pixels, depth = camera.project([(x, y, z)])
    assert depth[0] == pytest.approx(seen[2], abs=1e-4)
    if seen[2] > 0.3:
        np.testing.assert_allclose(pixels[0], pixel[:2] / pixel[2], rtol=1e-4, atol=0.05)


@pytest.mark.parametrize("samples", [1, 2])
def test_a_point_on_a_ray_projects_back_to_its_pixel(samples: int) -> None:
    camera = Camera("c", (0.2, 0.3, 2.4), (3.0, 2.5, 0.9), width=64, height=48)
    rays = camera.rays(samples)
    points = np.asarray(camera.position) + 2.5 * rays.reshape(-1, 3)
    pixels, depth = camera.project(points)
    rows, columns = np.mgrid[0 : 48 * samples, 0 : 64 * samples]
    expected = np.stack([columns, rows], -1).reshape(-1, 2) / samples + 0.5 / samples
    np.testing.assert_allclose(pixels, expected, atol=2e-3)
    np.testing.assert_allclose(depth, 2.5, atol=1e-4)


def test_rotation_is_a_rotation_and_up_is_up() -> None:
    for camera in _CAMERAS:
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.rotation) == pytest.approx(1.0)
        pixels, _ = camera.project([(3.0, 2.5, 0.0), (3.0, 2.5, 1.8)])
        assert pixels[1, 1] < pixels[0, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"field_of_view": 170.0}, "field of view 170"),
        ({"width": 641}, "641×480"),
        ({"look_at": (1.0, 1.0, 0.0)}, "not vertical"),
    ],
)
def test_senseless_cameras_are_refused_in_one_line(arguments: dict[str, object], words: str) -> None:
    settings_: dict[str, object] = {"name": "c", "position": (1.0, 1.0, 2.0), "look_at": (3.0, 3.0, 1.0), **arguments}
    with pytest.raises(InputError, match=words) as caught:
        Camera(**settings_)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [0, 5])
def test_the_room_has_four_corners(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} cameras"):
        corner_cameras(6, 5, count)
