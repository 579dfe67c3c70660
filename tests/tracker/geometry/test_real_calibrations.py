"""The calibrations of the real data against where people were seen there; figures are printed (pytest -s)."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.tracker.geometry.worlds import Array
from tracker.geometry.camera import Camera
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.readers import read_calibration
from tracker.geometry.room_checks import check_room_camera

pytestmark = pytest.mark.data


def table(path: Path) -> Array:
    with gzip.open(path, "rt") as lines:
        return np.array([[float(value) for value in row] for row in list(csv.reader(lines))[1:]])


def uncut(boxes: Array, camera: Camera | HomographyCamera) -> np.ndarray:
    return (boxes[:, :2] > 2).all(axis=1) & (boxes[:, 2] < camera.width - 3) & (boxes[:, 3] < camera.height - 3)


def feet(boxes: Array) -> Array:
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)


def on_floor(places: Array) -> Array:
    return np.column_stack([places, np.zeros(len(places))])


#: median pixels between a projected position and the foot of its uncut box, and median metres on the floor: measured,
#: and rounded up by about a tenth. The README says 2–12 pixels and 7–12 cm.
WILDTRACK = {
    "CVLab1": (7.6, 0.145), "CVLab2": (10.9, 0.08), "CVLab3": (10.0, 0.105), "CVLab4": (8.4, 0.07),
    "IDIAP1": (9.9, 0.08), "IDIAP2": (2.9, 0.145), "IDIAP3": (12.4, 0.085),
}  # fmt: skip


def wildtrack(data_root: Path) -> tuple[dict[str, Camera | HomographyCamera], Array, Array, Array]:
    """Return cameras, and of each annotated box its camera's index, its place (N, 2) and the box (N, 4)."""
    folder = data_root / "data" / "wildtrack"
    positions = {(row[0], row[1]): row[2:] for row in table(folder / "positions.csv.gz")}
    boxes = table(folder / "boxes.csv.gz")
    boxes = boxes[[(row[0], row[2]) in positions for row in boxes]]
    places = np.array([positions[row[0], row[2]] for row in boxes])
    return read_calibration(folder / "cameras.json"), boxes[:, 1], places, boxes[:, 3:]


def test_wildtrack_feet_are_where_the_calibration_says(data_root: Path) -> None:
    cameras, indices, places, boxes = wildtrack(data_root)
    assert list(cameras) == list(WILDTRACK)
    for index, (name, camera) in enumerate(cameras.items()):
        check_room_camera(camera)
        of_camera = indices == index
        kept = uncut(boxes[of_camera], camera)
        here, box = places[of_camera][kept], boxes[of_camera][kept]
        assert camera.visible(on_floor(here)).mean() > 0.99
        pixels = float(np.median(np.hypot(*(camera.project(on_floor(here))[0] - feet(box)).T)))
        metres = float(np.nanmedian(np.hypot(*(camera.to_floor(feet(box)) - here).T)))
        expected = camera.person_box(here[:, 0], here[:, 1], height=1.8, width=0.42)
        off = np.median((expected - box) / (box[:, 3] - box[:, 1])[:, None], axis=0)
        print(f"WILDTRACK {name}: {len(box)} boxes, foot {pixels:.1f} px, {100 * metres:.1f} cm, box {off.round(3)}")
        assert pixels < WILDTRACK[name][0] and metres < WILDTRACK[name][1]
        # WILDTRACK's boxes end at the middle of the feet, ours at the shoes: up to 4 % of the height lower.
        assert np.abs(off[[0, 1, 2]]).max() < 0.04 and 0 < off[3] < 0.05


def test_wildtrack_s_projection_matrices_are_the_same_cameras(data_root: Path, tmp_path: Path) -> None:
    path = data_root / "data" / "wildtrack" / "cameras.json"
    content = json.loads(path.read_text())
    content["cameras"] = [{"name": camera["name"], "P": camera["P"]} for camera in content["cameras"]]
    (tmp_path / "P.json").write_text(json.dumps(content))
    from_matrices = read_calibration(tmp_path / "P.json")
    _, indices, places, _ = wildtrack(data_root)
    worst = 0.0
    for index, (name, camera) in enumerate(read_calibration(path).items()):
        points = on_floor(places[indices == index][:500])
        worst = max(worst, float(np.abs(camera.project(points)[0] - from_matrices[name].project(points)[0]).max()))
    print(f"WILDTRACK: K, R, t against P: {worst:.1e} px")
    assert worst < 1e-3


def test_wildtrack_s_ground_homographies_alone_know_where_heads_are(data_root: Path) -> None:
    cameras, indices, places, boxes = wildtrack(data_root)
    for index, (name, camera) in enumerate(cameras.items()):
        assert isinstance(camera, Camera)
        matrix = camera.intrinsics @ np.column_stack([camera.rotation, camera.translation])
        flat = HomographyCamera(name, camera.width, camera.height, matrix[:, [0, 1, 3]])
        of_camera = indices == index
        kept = uncut(boxes[of_camera], camera)
        here, box = places[of_camera][kept], boxes[of_camera][kept]
        np.testing.assert_allclose(flat.to_floor(feet(box)), camera.to_floor(feet(box)), atol=1e-6)
        off = np.median(
            (flat.person_box(here[:, 0], here[:, 1], height=1.8)[:, 1] - box[:, 1]) / (box[:, 3] - box[:, 1])
        )
        print(f"WILDTRACK {name}: heads from the ground homography alone {100 * off:+.1f} % of the height off")
        assert abs(off) < 0.03


#: median pixels between a projected position and the foot of FairMOT's box (which is at the shoes nearest to the
#: camera), and median metres on the floor. The README says 31–65 pixels and 0.17–0.29 m.
CMC = {"cam1": (31, 0.20), "cam2": (61, 0.28), "cam3": (40, 0.24), "cam4": (43, 0.24)}


@pytest.mark.parametrize("sequence", ["CMC1", "CMC2"])
def test_cmc_people_are_where_the_calibration_says(data_root: Path, sequence: str) -> None:
    folder = data_root / "data" / "cmc" / sequence
    truth = np.loadtxt(folder / "gt_world.txt", delimiter=",")
    centres = json.loads((folder / "cameras.json").read_text())["cameras"]
    for name, camera in read_calibration(folder / "cameras.json").items():
        check_room_camera(camera)
        np.testing.assert_allclose(camera.position, centres[name]["centre_m"], atol=1e-3)
        people, boxes = matched(camera, truth, np.loadtxt(folder / "det-fairmot" / f"{name}.txt", delimiter=","))
        here = people[:, 2:4]
        pixels = float(np.median(np.hypot(*(camera.project(on_floor(here))[0] - feet(boxes)).T)))
        metres = float(np.median(np.hypot(*(camera.to_floor(feet(boxes)) - here).T)))
        expected = camera.person_box(here[:, 0], here[:, 1], height=2 * people[:, 4], width=0.5)
        off = np.median((expected - boxes) / (boxes[:, 3] - boxes[:, 1])[:, None], axis=0)
        print(f"{sequence} {name}: {len(boxes)} boxes, foot {pixels:.0f} px, {metres:.2f} m, box {off.round(3)}")
        assert len(boxes) > 600 and pixels < CMC[name][0] and metres < CMC[name][1]
        # The bottom of the expected box, its shoes, fits better than the middle of the feet does.
        assert abs(off[3]) < 0.035 and np.abs(off[[0, 2]]).max() < 0.08


def matched(camera: Camera | HomographyCamera, truth: Array, detections: Array) -> tuple[Array, Array]:
    """Return people and the detected boxes that overlap best with where they should be, frame by frame."""
    people, found = [], []
    detections = detections[detections[:, 6] > 0.5]
    for frame in np.unique(truth[:, 0]):
        present = truth[truth[:, 0] == frame]
        boxes = detections[detections[:, 0] == frame][:, 2:6]
        boxes = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        overlap = np.nan_to_num(iou(camera.person_box(present[:, 2], present[:, 3], height=2 * present[:, 4]), boxes))
        for row, column in zip(*linear_sum_assignment(-overlap)):
            if overlap[row, column] > 0.4:
                people.append(present[row])
                found.append(boxes[column])
    return np.array(people), np.array(found)


def iou(first: Array, second: Array) -> Array:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return np.asarray(common / (areas[0][:, None] + areas[1][None] - common))
