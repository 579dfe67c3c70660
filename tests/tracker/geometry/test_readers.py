"""Every format, written from a known camera and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from scipy.optimize import brentq

from benchmarks.simulation.cameras import corner_cameras
from tests.tracker.geometry.worlds import LENSES, Array, make_camera, same_view
from tracker.geometry.camera import Camera
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.readers import read_calibration
from tracker.geometry.room_checks import check_room_camera
from tracker.geometry.tsai import tsai_distortion
from tracker.video.cameras import read_cameras

SIZE = (1280, 720)
HALF_A_PIXEL = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


def places(count: int = 60) -> Array:
    return np.random.default_rng(5).uniform((-2, 2, 0), (3, 12, 1.9), (count, 3))


def assert_same(found: Any, camera: Any, tolerance: float = 1e-6) -> None:
    assert (found.width, found.height) == (camera.width, camera.height)
    assert same_view(found, camera, places()) < tolerance


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def projection(camera: Camera) -> Array:
    return np.asarray(camera.intrinsics @ np.column_stack([camera.rotation, camera.translation]))


def rows(matrix: Array) -> str:
    return "\n".join(" ".join(f"{value:.12g}" for value in row) for row in matrix)


def test_the_simulation_s_calibration(tmp_path: Path) -> None:
    views = corner_cameras(6.0, 5.0, 3)
    content = {"units": "metres", "world": "z up", "cameras": [view.calibration() for view in views]}
    cameras = read_calibration(write(tmp_path / "calibration.json", json.dumps(content)))
    assert list(cameras) == ["cam1", "cam2", "cam3"]
    for view in views:
        points = np.random.default_rng(0).uniform((1, 1, 0), (5, 4, 1.8), (20, 3))
        np.testing.assert_allclose(cameras[view.name].project(points)[0], view.project(points)[0], atol=0.01)
    only = read_calibration(tmp_path / "calibration.json", "cam2")
    assert list(only) == ["cam2"]


def test_our_own_entries_come_back(tmp_path: Path) -> None:
    full = make_camera("full", lens="rational")
    ground = projection(full)[:, [0, 1, 3]]
    plain = HomographyCamera("plain", *SIZE, ground, ground + 1.8 * projection(full)[:, [0, 0, 2]] * (0, 0, 1), 1.8)
    content = {"units": "metres", "cameras": [full.calibration(), plain.calibration()]}
    cameras = read_calibration(write(tmp_path / "calibration.json", json.dumps(content)))
    assert_same(cameras["full"], full, 1e-9)
    assert_same(cameras["plain"], plain, 1e-6)
    np.testing.assert_allclose(cameras["plain"].position, full.position, atol=1e-6)


@pytest.mark.parametrize("as_mapping", [True, False])
def test_projection_matrices_in_json_with_one_image_size(tmp_path: Path, as_mapping: bool) -> None:
    cameras = {name: make_camera(name, position) for name, position in (("a", (0, -3, 2.5)), ("b", (2, -5, 4.0)))}
    entries: Any = {name: {"P": (-2 * projection(camera)).tolist()} for name, camera in cameras.items()}
    if not as_mapping:
        entries = [{"name": name, "index": 0, **entry} for name, entry in entries.items()]
    content = {"image_size": SIZE, "world_unit": "metre", "fps": 4, "cameras": entries}
    found = read_calibration(write(tmp_path / "cameras.json", json.dumps(content)))
    for name, camera in cameras.items():
        assert_same(found[name], camera)


def test_the_calibration_entry_of_cameras_yaml(tmp_path: Path) -> None:
    camera = make_camera("door", lens="barrel")
    entry = camera.calibration()
    del entry["name"]
    assert_same(read_calibration(entry, "door")["door"], camera, 1e-9)
    both = {"cameras": [make_camera("x").calibration(), entry | {"name": "d1"}]}
    write(tmp_path / "calibrations" / "all.json", json.dumps(both))
    pointed = {"file": "calibrations/all.json", "camera": "d1"}
    found = read_calibration(pointed, "door", folder=tmp_path)
    assert list(found) == ["door"]
    assert_same(found["door"], camera, 1e-9)
    spelt = {
        "camera_matrix": entry["K"],
        "dist_coeffs": entry["distortion"],
        "rvec": cv2.Rodrigues(camera.rotation)[0].tolist(),
        "position": camera.position.tolist(),
        "image_size": list(SIZE),
    }
    text = yaml.safe_dump({"cameras": {"door": spelt}})
    assert_same(read_calibration(write(tmp_path / "c.yaml", text))["door"], camera)


def test_what_read_cameras_returns_is_understood(tmp_path: Path) -> None:
    camera = make_camera("door", lens="barrel")
    write(
        tmp_path / "calibration.json", json.dumps({"cameras": [camera.calibration(), make_camera("x").calibration()]})
    )
    entry = {field: value for field, value in camera.calibration().items() if field != "name"}
    sources = [
        {"name": "door", "source": "a.mp4", "calibration": "calibration.json"},
        {"name": "gate", "source": "b.mp4", "calibration": entry},
        {"name": "hall", "source": "c.mp4", "calibration": {"file": "calibration.json", "camera": "door"}},
    ]
    write(tmp_path / "cameras.yaml", yaml.safe_dump({"cameras": sources}))
    for described in read_cameras(tmp_path / "cameras.yaml"):
        assert described.calibration is not None
        found = read_calibration(described.calibration, described.name, folder=tmp_path)
        assert list(found) == [described.name] == [found[described.name].name]
        assert_same(found[described.name], camera, 1e-9)


def opencv_file(path: Path, **nodes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in nodes.items():
        storage.write(name, value)
    storage.release()
    return path


@pytest.mark.parametrize("suffix", ["yml", "yaml", "xml", "json"])
@pytest.mark.parametrize("vector", [True, False])
def test_opencv_files(tmp_path: Path, suffix: str, vector: bool) -> None:
    camera = make_camera("hall", lens="barrel")
    pose: dict[str, Any] = (
        {"rvec": cv2.Rodrigues(camera.rotation)[0], "tvec": camera.translation}
        if vector
        else {"R": camera.rotation, "T": camera.translation}
    )
    path = opencv_file(
        tmp_path / f"hall.{suffix}", image_width=1280, image_height=720,
        camera_matrix=HALF_A_PIXEL @ camera.intrinsics, distortion_coefficients=np.array(LENSES["barrel"]), **pose,
    )  # fmt: skip
    cameras = read_calibration(path)
    assert list(cameras) == ["hall"]
    assert_same(cameras["hall"], camera)


@pytest.mark.parametrize(("unit", "given"), [(100.0, None), (1000.0, None), (1.0, None), (3.28084, 0.3048)])
def test_units_are_detected_or_given(tmp_path: Path, unit: float, given: float | None) -> None:
    camera = make_camera("hall")
    path = opencv_file(
        tmp_path / "hall.yml", K=HALF_A_PIXEL @ camera.intrinsics, R=camera.rotation, t=camera.translation * unit
    )
    found = read_calibration(path, image_size=SIZE, unit=given)["hall"]
    np.testing.assert_allclose(found.position, camera.position, atol=1e-4)


def wildtrack_pair(folder: Path, camera: Camera) -> None:
    """WILDTRACK's layout: OpenCV matrices in one file, plain numbers in centimetres in the other."""
    for kind, lens in (("intrinsic_zero", np.zeros(5)), ("intrinsic_original", np.array(LENSES["barrel"]))):
        opencv_file(
            folder / kind / f"intr_{camera.name}.xml", camera_matrix=HALF_A_PIXEL @ camera.intrinsics,
            distortion_coefficients=lens,
        )  # fmt: skip
    numbers = [
        " ".join(str(value) for value in values)
        for values in (cv2.Rodrigues(camera.rotation)[0].ravel(), 100 * camera.translation)
    ]
    write(
        folder / "extrinsic" / f"extr_{camera.name}.xml",
        f'<?xml version="1.0"?>\n<opencv_storage>\n<rvec>\n  {numbers[0]}</rvec>\n<tvec>\n  {numbers[1]}</tvec>\n'
        "</opencv_storage>\n",
    )


def test_wildtrack_s_pairs_of_files(tmp_path: Path) -> None:
    cameras = [make_camera("CVLab1"), make_camera("IDIAP3", (-4, 2, 2.2), (3, 4, 0.5))]
    for camera in cameras:
        wildtrack_pair(tmp_path, camera)
    found = read_calibration(tmp_path, image_size=SIZE)
    assert list(found) == ["CVLab1", "IDIAP3"]
    for camera in cameras:
        assert_same(found[camera.name], camera)
    pair = {
        "file": "intrinsic_original/intr_CVLab1.xml",
        "extrinsics": "extrinsic/extr_CVLab1.xml",
        "image_size": list(SIZE),
        "unit": "cm",
    }
    assert_same(read_calibration(pair, "door", folder=tmp_path)["door"], make_camera(lens="barrel"))


def test_matrices_in_plain_text(tmp_path: Path) -> None:
    first, second = make_camera("a"), make_camera("b", (3, -4, 2.6))
    text = f"# Camera 1\n{rows(projection(first))}\n\n# Camera 2\n{rows(-projection(second) / 7)}\n"
    found = read_calibration(write(tmp_path / "P.txt", text), image_size=SIZE)
    assert list(found) == ["camera1", "camera2"]
    assert_same(found["camera1"], first)
    assert_same(found["camera2"], second)
    line = "[" + ", ".join(f"{value:.12g}" for value in projection(first).ravel()) + "]"
    assert_same(read_calibration(write(tmp_path / "hall.txt", line), image_size=SIZE)["hall"], first)
    two = f"{rows(projection(first))}\n{rows(projection(second))}\n"
    assert list(read_calibration(write(tmp_path / "both.txt", two), image_size=SIZE)) == ["both", "both-2"]


def test_pixels_that_begin_at_one(tmp_path: Path) -> None:
    camera = make_camera("hall")
    from_one = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]) @ projection(camera)
    path = write(tmp_path / "hall.txt", rows(from_one))
    assert_same(read_calibration(path, image_size=SIZE, first_pixel_centre=1)["hall"], camera)


def test_epfl_s_ground_and_head_planes(tmp_path: Path) -> None:
    full = make_camera("c0")
    matrix = projection(full)
    cells = np.diag([1 / 0.02, 1 / 0.02, 1.0])  # a top view of 2 cm a cell
    ground = cells @ np.linalg.inv(matrix[:, [0, 1, 3]])
    head = cells @ np.linalg.inv(np.column_stack([matrix[:, :2], matrix[:, 3] + 1.75 * matrix[:, 2]]))
    rule = "#" * 40
    text = (
        f"{rule}\n# Camera 0\n{rule}\n\n# Ground plane homography\n{rows(ground)}\n\n"
        f"# Head plane homography\n{rows(head)}\n"
        f"\n{rule}\n# Camera 1\n{rule}\n# Ground plane homography\n{rows(ground)}\n\n"
        "# Head plane height in camera view\n123.0\n"
    )
    found = read_calibration(write(tmp_path / "calibration-terrace.txt", text), image_size=SIZE, unit=0.02)
    assert list(found) == ["camera0", "camera1"]
    assert_same(found["camera0"], full, 1e-3)
    np.testing.assert_allclose(found["camera0"].position, full.position, atol=1e-4)
    rows_of_heads = found["camera1"].project([(0, 3, 1.75), (1, 9, 1.75)])[0][:, 1]
    np.testing.assert_allclose(rows_of_heads, 123.0, atol=1e-6)
    other_way = write(tmp_path / "h.txt", rows(matrix[:, [0, 1, 3]]))
    floor = read_calibration(other_way, image_size=SIZE, image_to_floor=False)["h"]
    np.testing.assert_allclose(floor.to_floor(full.project([(1, 4, 0)])[0]), [(1, 4)], atol=1e-6)


#: the published calibration of PETS 2009, views 1 and 2 (millimetres)
PETS = {
    "View_001": {
        "focal": 5.5549183034, "kappa1": 0.0051113043639, "cx": 324.22149053, "cy": 282.56650051, "sx": 1.0937855397,
        "tx": 828.73214225, "ty": -3175.4796051, "tz": 35469.298547,
        "rx": 2.0405458695, "ry": -0.89337703748, "rz": -0.43056124791,
    },
    "View_002": {
        "focal": 3.1316979686, "kappa1": 0.037880262468, "cx": 361.05480377, "cy": 307.32879992, "sx": 1.0894268482,
        "tx": 7496.9800372, "ty": -1940.2122072, "tz": 23838.02768,
        "rx": 1.8665618542, "ry": 0.15219705811, "rz": 0.045968889283,
    },
}  # fmt: skip
SENSOR = {
    "width": 768, "height": 576, "ncx": 795, "nfx": 752, "dx": 0.00485, "dy": 0.00465, "dpx": 0.0051273271277,
    "dpy": 0.00465,
}  # fmt: skip


def tsai_xml(name: str, values: dict[str, float]) -> str:
    def attributes(*names: str) -> str:
        return " ".join(f'{key}="{values[key]}"' for key in names)

    sensor = " ".join(f'{key}="{value}"' for key, value in SENSOR.items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<Camera name="{name}">\n  <Geometry {sensor}/>\n'
        f"  <Intrinsic {attributes('focal', 'kappa1', 'cx', 'cy', 'sx')}/>\n"
        f"  <Extrinsic {attributes('tx', 'ty', 'tz', 'rx', 'ry', 'rz')}/>\n</Camera>\n"
    )


def tsai_pixel(values: dict[str, float], point: Array) -> Array:
    """Tsai's own model, from the paper: the distorted radius is the root of r_u = r_d (1 + κ₁ r_d²)."""
    angles = (values["rx"], values["ry"], values["rz"])
    (ca, cb, cg), (sa, sb, sg) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cg, -sg, 0], [sg, cg, 0], [0, 0, 1]])
    seen = about_z @ about_y @ about_x @ (1000 * point) + (values["tx"], values["ty"], values["tz"])
    undistorted = values["focal"] * seen[:2] / seen[2]
    radius = float(np.hypot(*undistorted))
    distorted = brentq(lambda r: r * (1 + values["kappa1"] * r * r) - radius, 0, radius + 1)
    x, y = undistorted * distorted / radius
    return np.array([x * values["sx"] / SENSOR["dpx"] + values["cx"], y / SENSOR["dpy"] + values["cy"]])


@pytest.mark.parametrize("name", PETS)
def test_tsai_cameras_of_pets(tmp_path: Path, name: str) -> None:
    camera = read_calibration(write(tmp_path / "any.xml", tsai_xml(name, PETS[name])))[name]
    assert isinstance(camera, Camera)
    check_room_camera(camera)
    assert 2 < camera.position[2] < 10, "PETS' cameras hang a few metres high"
    pixels = np.random.default_rng(0).uniform((0, 250), (768, 576), (200, 2))
    floor = camera.to_floor(pixels)
    assert np.isfinite(floor).all(axis=1).sum() > 150
    for (column, row), (x, y) in zip(pixels, floor):
        if np.isfinite(x):
            truth = tsai_pixel(PETS[name], np.array([x, y, 0.0]))
            np.testing.assert_allclose(truth, (column, row), atol=1e-3)


@pytest.mark.parametrize(("kappa1", "focal", "reach"), [(0.0, 5.0, 0.5), (-0.02, 5.0, 0.5), (0.05, 3.0, 0.9)])
def test_the_fitted_distortion_s_residual_is_what_it_says(kappa1: float, focal: float, reach: float) -> None:
    coefficients, residual = tsai_distortion(kappa1, focal, reach)
    distorted = np.linspace(0, reach, 1234)
    undistorted = distorted * (1 + kappa1 * (focal * distorted) ** 2)
    points = np.stack([undistorted, np.zeros(1234), np.ones(1234)], axis=1)
    opencv, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), coefficients)
    error = np.abs(opencv[:, 0, 0] - distorted).max()
    assert error <= 1.05 * residual + 1e-12
    assert residual < 1e-5
