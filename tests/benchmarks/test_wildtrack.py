"""Reading WILDTRACK: a small folder written here, what is wrong with others, and the real one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.wildtrack import (
    Wildtrack,
    parse_frame_range,
    wildtrack,
    wildtrack_boxes,
    wildtrack_detections,
    wildtrack_frame_range,
    wildtrack_oracle_identities,
    wildtrack_positions,
)
from tracker.errors import InputError

INTRINSICS = [[1700.0, 0.0, 960.0], [0.0, 1700.0, 540.0], [0.0, 0.0, 1.0]]
ROTATION = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
CAMERA: dict[str, Any] = {"K": INTRINSICS, "R": ROTATION, "t": [0.0, 2.0, 9.0]}
CAMERAS = [{"index": 0, "name": "left", **CAMERA}, {"index": 4, "name": "right", **CAMERA}]
POSITIONS = "frame,id,x_m,y_m\n0,122,5.650,14.775\n0,14,3.000,14.350\n2,14,3.100,14.400\n3,14,3.200,14.400\n"
BOXES = "frame,cam,id,x1,y1,x2,y2\n0,0,122,10,20,30,80\n0,4,122,-5,20,15,80\n2,0,14,1,2,3,4\n"
DETECTIONS = (
    "frame,cam,x,y,w,h,score,true_id\n"
    "0,0,934.1,132.1,48.5,180.0,0.546,122\n"
    "0,0,10.0,20.0,30.0,40.0,0.908,-1\n"
    "1,4,-4.0,20.0,30.0,40.0,0.700,14\n"
    "2,0,11.0,20.0,30.0,40.0,0.600,14\n"
)


def write(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))


def describe(folder: Path, **changes: Any) -> None:
    content = {
        "fps": 2,
        "image_size": [1920, 1080],
        "area_m": {"x": [-3, 9], "y": [-9, 27]},
        "cameras": CAMERAS,
    } | changes
    (folder / "cameras.json").write_text(
        json.dumps({name: value for name, value in content.items() if value is not None})
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two cameras, called 0 and 4 in the other files; truth of frames 0 to 3, detections of 0 to 2."""
    describe(tmp_path)
    write(tmp_path / "positions.csv.gz", POSITIONS)
    write(tmp_path / "boxes.csv.gz", BOXES)
    write(tmp_path / "simulated-easy.csv.gz", DETECTIONS)
    return tmp_path


@pytest.fixture
def data(folder: Path) -> Wildtrack:
    return wildtrack(folder)


def test_the_description(data: Wildtrack) -> None:
    assert [(camera.name, camera.index) for camera in data.cameras] == [("left", 0), ("right", 4)]
    assert (data.frame_rate, data.area.x, data.area.y) == (2.0, (-3.0, 9.0), (-9.0, 27.0))
    camera = data.cameras[1]
    np.testing.assert_array_equal(camera.intrinsics, INTRINSICS)
    np.testing.assert_array_equal(camera.rotation, ROTATION)
    np.testing.assert_array_equal(camera.translation, [0, 2, 9])
    assert camera.image_size == (1920, 1080)


def test_positions_and_boxes(data: Wildtrack) -> None:
    truth = wildtrack_positions(data)
    assert (truth.frames.tolist(), truth.ids.tolist()) == ([0, 0, 2, 3], [122, 14, 14, 14])
    np.testing.assert_allclose(truth.positions[0], [5.65, 14.775])
    assert wildtrack_positions(data, (1, 2)).frames.tolist() == [2]
    boxes = wildtrack_boxes(data)
    assert {name: part.ids.tolist() for name, part in boxes.items()} == {"left": [122, 14], "right": [122]}
    np.testing.assert_array_equal(boxes["right"].boxes, [[-5, 20, 15, 80]])
    assert wildtrack_boxes(data, (1, 3))["left"].frames.tolist() == [2]


@pytest.mark.parametrize("name", ["easy", "simulated-easy.csv.gz", "path"])
def test_detections_of_every_camera_and_frame_without_identities(data: Wildtrack, name: str) -> None:
    given = data.folder / "simulated-easy.csv.gz" if name == "path" else name
    found = wildtrack_detections(data, given, (0, 2))
    assert {camera: [len(part) for part in frames.values()] for camera, frames in found.items()} == {
        "left": [2, 0, 1],
        "right": [0, 1, 0],
    }
    np.testing.assert_allclose(found["left"][0].boxes, [[934.1, 132.1, 982.6, 312.1], [10, 20, 40, 60]], rtol=1e-6)
    np.testing.assert_allclose(found["left"][0].scores, [0.546, 0.908])
    for frames in found.values():
        for part in frames.values():
            assert part.features is None
            assert not part.classes.any()
    assert list(wildtrack_detections(data, given, (1, 2))["left"]) == [1, 2]


def test_detections_are_the_same_without_the_column_of_identities(data: Wildtrack, tmp_path: Path) -> None:
    blind = "".join(line.rsplit(",", 1)[0] + "\n" for line in DETECTIONS.splitlines())
    (tmp_path / "blind.csv").write_text(blind)
    one, other = (wildtrack_detections(data, name, (0, 2)) for name in ("easy", tmp_path / "blind.csv"))
    for camera, frames in one.items():
        for frame, part in frames.items():
            np.testing.assert_array_equal(part.boxes, other[camera][frame].boxes)
    with pytest.raises(InputError, match="no column true_id"):
        wildtrack_oracle_identities(data, tmp_path / "blind.csv", (0, 2))


def test_oracle_identities_stand_beside_their_boxes(data: Wildtrack) -> None:
    shuffled = DETECTIONS.splitlines()
    write(data.folder / "shuffled.csv.gz", "\n".join([shuffled[0], *shuffled[:0:-1]]) + "\n")
    for name, in_frame_0 in (("easy", [122, -1]), ("shuffled.csv.gz", [-1, 122])):
        identities = wildtrack_oracle_identities(data, name, (0, 2))
        found = wildtrack_detections(data, name, (0, 2))
        assert identities["left"][0].tolist() == in_frame_0
        assert found["left"][0].scores.tolist() == pytest.approx([0.546 if who == 122 else 0.908 for who in in_frame_0])
        assert {camera: [len(part) for part in frames.values()] for camera, frames in identities.items()} == {
            camera: [len(part) for part in frames.values()] for camera, frames in found.items()
        }


def test_frames_that_truth_and_detections_share(data: Wildtrack) -> None:
    assert wildtrack_frame_range(data, "easy") == (0, 2)
    assert wildtrack_frame_range(data, "easy", (1, 2)) == (1, 2)
    with pytest.raises(InputError, match=r"frames 0-3 are asked for, but simulated-easy\.csv\.gz has 0 to 2; .* 0-2"):
        wildtrack_frame_range(data, "easy", (0, 3))
    with pytest.raises(InputError, match=r"positions\.csv\.gz has 0 to 3"):
        wildtrack_frame_range(data, "easy", (0, 399))
    write(data.folder / "late.csv.gz", "frame,cam,x,y,w,h,score\n9,0,1,1,5,5,0.5\n")
    with pytest.raises(InputError, match="none in common"):
        wildtrack_frame_range(data, "late.csv.gz")
    write(data.folder / "empty.csv.gz", "frame,cam,x,y,w,h,score\n")
    with pytest.raises(InputError, match=r"empty\.csv\.gz is empty"):
        wildtrack_frame_range(data, "empty.csv.gz")


def test_ranges_as_text() -> None:
    assert parse_frame_range("0-239") == (0, 239)
    assert parse_frame_range(" 5 - 5 ") == (5, 5)
    for text in ("", "7", "a-b", "-3-4", "1-2-3", "1.5-2"):
        with pytest.raises(InputError, match="no range; give"):
            parse_frame_range(text)
    with pytest.raises(InputError, match="give 3-9"):
        parse_frame_range("9-3")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cameras": {}}, r"cameras\.json: cameras is missing or no list"),
        ({"cameras": [{"index": 0, "name": "left", "K": INTRINSICS, "R": ROTATION}]}, "camera left: t is missing"),
        ({"cameras": [{**CAMERAS[0], "R": INTRINSICS}]}, "camera left: R is no rotation"),
        ({"cameras": [{**CAMERAS[0], "K": [1, 2, 3]}]}, r"camera left: K has shape \(3,\); give 3 x 3 numbers"),
        ({"cameras": [CAMERAS[0], {**CAMERAS[0], "name": "other"}]}, "the same index or name"),
        ({"cameras": ["left"]}, "camera 0: K is missing"),
        ({"fps": None}, "fps is missing"),
        ({"area_m": None}, "area_m: x is missing"),
    ],
)
def test_descriptions_that_cannot_be_used(folder: Path, changes: dict[str, Any], message: str) -> None:
    describe(folder, **changes)
    with pytest.raises(InputError, match=message):
        wildtrack(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,cam,x,y,w,h\n0,0,1,1,5,5\n", "no column score; the first line must name frame, cam, x"),
        ("", "no column frame"),
        ("frame,cam,x,y,w,h,score\n0,0,1,1,5,5\n", r"simulated-easy\.csv\.gz, line 2: 6 columns"),
        ("frame,cam,x,y,w,h,score\n0,0,1,1,5,5,0.5\n0,0,1,1,five,5,.5\n", "line 3: not finite numbers"),
        ("frame,cam,x,y,w,h,score\n0,3,1,1,5,5,0.5\n", r"cam 3 is not in cameras\.json, which has 0, 4"),
        ("frame,cam,x,y,w,h,score\n0.5,0,1,1,5,5,0.5\n", r"frame 0\.5 is not a whole number"),
        ("frame,cam,x,y,w,h,score\n0,0,1,1,0,5,0.5\n", "camera 0: detection 0 has no area"),
    ],
)
def test_detections_that_cannot_be_used(data: Wildtrack, text: str, message: str) -> None:
    write(data.folder / "simulated-easy.csv.gz", text)
    with pytest.raises(InputError, match=message):
        wildtrack_detections(data, "easy", (0, 2))


def test_files_that_are_missing_or_broken(data: Wildtrack, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no detections simulated-eazy\.csv\.gz: .*did you mean 'simulated-easy"):
        wildtrack_detections(data, "simulated-eazy.csv.gz", (0, 2))
    with pytest.raises(InputError, match="no folder"):
        wildtrack(tmp_path / "elsewhere")
    (data.folder / "boxes.csv.gz").unlink()
    with pytest.raises(InputError, match=r"no such file: .*boxes\.csv\.gz"):
        wildtrack_boxes(data)
    (data.folder / "positions.csv.gz").write_bytes(gzip.compress(POSITIONS.encode())[:-12])
    with pytest.raises(InputError, match=r"positions\.csv\.gz cannot be decompressed"):
        wildtrack_positions(data)
    write(data.folder / "positions.csv.gz", "frame,id,x_m,y_m\n0,1,2,3\n0,1,2,4\n")
    with pytest.raises(InputError, match=r"positions\.csv\.gz: id 1 is in two places in frame 0"):
        wildtrack_positions(data)
    (data.folder / "positions.csv.gz").unlink()
    (data.folder / "positions.csv").write_text(POSITIONS)
    assert len(wildtrack_positions(data)) == 4


@pytest.mark.data
def test_the_real_folder(data_root: Path) -> None:
    """Counts as ``zcat | wc -l`` has them; every box is of somebody who stands somewhere in that frame."""
    data = wildtrack(data_root / "data/wildtrack")
    names = ["CVLab1", "CVLab2", "CVLab3", "CVLab4", "IDIAP1", "IDIAP2", "IDIAP3"]
    assert [camera.name for camera in data.cameras] == names
    truth, boxes = wildtrack_positions(data), wildtrack_boxes(data)
    assert len(truth) == 6012
    assert len(truth.inside(data.area)) == 6012
    assert sum(map(len, boxes.values())) == 25291
    standing = set(zip(truth.frames.tolist(), truth.ids.tolist()))
    assert all(set(zip(part.frames.tolist(), part.ids.tolist())) <= standing for part in boxes.values())
    for level, count in (("easy", 22677), ("medium", 21030), ("hard", 18021)):
        frame_range = wildtrack_frame_range(data, level)
        assert frame_range == (0, 239)
        found = wildtrack_detections(data, level, frame_range)
        assert sum(len(part) for frames in found.values() for part in frames.values()) == count
    half = wildtrack_detections(data, "easy", (100, 149))
    assert all(list(frames) == list(range(100, 150)) for frames in half.values())


@pytest.mark.data
def test_the_real_cameras_see_feet_where_boxes_end(data_root: Path) -> None:
    """The README's 2 to 12 pixels (median) between the projected position and the bottom of an uncut box."""
    data = wildtrack(data_root / "data/wildtrack")
    described = json.loads((data.folder / "cameras.json").read_text())["cameras"]
    truth = wildtrack_positions(data)
    places = dict(zip(zip(truth.frames.tolist(), truth.ids.tolist()), truth.positions.tolist()))
    for camera, part, fields in zip(data.cameras, wildtrack_boxes(data).values(), described):
        projection = camera.intrinsics @ np.column_stack([camera.rotation, camera.translation])
        np.testing.assert_allclose(projection, fields["P"], rtol=1e-3, atol=1e-2)
        width, height = camera.image_size
        uncut = (part.boxes > 1).all(axis=1) & (part.boxes[:, 2] < width - 2) & (part.boxes[:, 3] < height - 2)
        kept = part[uncut]
        world = np.array([[*places[key], 0, 1] for key in zip(kept.frames.tolist(), kept.ids.tolist())])
        u, v, w = projection @ world.T
        feet = np.column_stack([kept.boxes[:, [0, 2]].mean(axis=1), kept.boxes[:, 3]])
        error = np.linalg.norm(np.column_stack([u / w, v / w]) - feet, axis=1)
        assert 1 < np.median(error) < 13, camera.name
