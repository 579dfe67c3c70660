"""``multicam calibrate``: from pairs in a file to a calibration.json, a table and a picture."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.floor_grid import around_points, grid_parts, seen_floor
from tests.apps.command import ROOT, Command, assert_one_line, environment, read_json
from tests.apps.scenes import CORRIDOR, write_scene
from tests.tracker.geometry.worlds import look_at
from tracker.geometry.camera import Camera
from tracker.geometry.estimation import estimate_camera
from tracker.geometry.point_pairs import read_point_pairs
from tracker.geometry.readers import read_calibration
from tracker.geometry.room_checks import check_room_camera

WIDTH, HEIGHT = 640, 480
GREY = 90


def room_camera() -> Camera:
    """A camera in the corner of a room of 6 × 5 m, 2.6 m up."""
    rotation, translation = look_at((0.2, 0.2, 2.6), (4.0, 3.0, 0.4))
    intrinsics = np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]])
    return Camera("corner", WIDTH, HEIGHT, intrinsics, np.zeros(5), rotation, translation)


CAMERA = room_camera()
PLACES = np.array(
    [(2.2, 1, 0), (2, 2.5, 0), (3, 1, 0), (4, 2, 0), (5.5, 1.5, 0), (3, 4, 0), (5, 4.5, 0), (4.5, 3, 0), (2, 2, 0),
     (5.5, 3, 0)]
)  # fmt: skip


def lines(places: np.ndarray = PLACES, shift: tuple[float, float] = (0, 0)) -> str:
    """Return a points file of what the camera sees."""
    pixels = CAMERA.project(places)[0] + shift
    return "u,v,x,y,z\n" + "".join(
        f"{u:.3f},{v:.3f},{x:g},{y:g},{z:g}\n" for (u, v), (x, y, z) in zip(pixels, places)
    )  # fmt: skip


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "corner.png"
    cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), GREY, np.uint8))
    return path


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text(lines())
    return path


def test_pairs_become_a_calibration_that_track_reads(
    multicam: Command, points: Path, image: Path, tmp_path: Path
) -> None:
    output = tmp_path / "new" / "calibration.json"
    outcome = multicam("calibrate", points, "--image", image, "-o", output)
    assert (outcome.code, outcome.err) == (0, "")
    camera = read_calibration(output, "corner")["corner"]
    assert isinstance(camera, Camera)
    np.testing.assert_allclose(camera.position, (0.2, 0.2, 2.6), atol=0.005)
    check_room_camera(camera)
    table = outcome.out.splitlines()
    assert [row.split()[1:3] for row in table[1:11]] == [["line", str(number)] for number in range(2, 12)]
    assert all(row.rstrip().endswith("in") for row in table[1:11])
    assert table[11].startswith("Model: pose; the points determine focal length and camera height to ")
    assert table[12].startswith("10 of 10 points agree within 5 pixels; RMS 0.0")
    assert table[13].startswith("Leave-one-out RMS 0.0") and "what to expect at other points" in table[13]
    assert table[14].startswith("corner: x 0.20 ± ") and "2.60 ± " in table[14] and "focal length 400" in table[14]
    assert table[15] == f"{output}: corner added; in it: corner"
    record = read_json(output)["cameras"][0]["estimation"]
    assert (record["model"], record["points"], record["inliers"]) == ("pose", 10, 10)
    assert record["leave_one_out_floor_metres"] < 0.001


def test_outliers_are_marked_and_the_rest_is_right(
    multicam: Command, points: Path, image: Path, tmp_path: Path
) -> None:
    rows = points.read_text().splitlines()
    u, v, place = rows[4].split(",", 2)
    rows[4] = f"{float(u) + 30},{float(v) - 20},{place}"
    points.write_text("\n".join(rows))
    outcome = multicam("calibrate", points, "--image", image, "-o", tmp_path / "c.json", "--model", "homography")
    assert outcome.code == 0
    assert [row.split()[-1] for row in outcome.out.splitlines()[1:11]] == [*["in"] * 3, "out", *["in"] * 6]
    assert "36.0" in outcome.out.splitlines()[4], "30 columns and 20 rows"
    camera = read_calibration(tmp_path / "c.json")["corner"]
    pixels = CAMERA.project(PLACES)[0]
    np.testing.assert_allclose(camera.to_floor(pixels), PLACES[:, :2], atol=0.002)


def test_cameras_are_added_one_by_one(multicam: Command, points: Path, image: Path, tmp_path: Path) -> None:
    output = tmp_path / "calibration.json"
    arguments = ("calibrate", points, "--image", image, "-o", output)
    assert multicam(*arguments, "--name", "cam1").code == 0
    document = read_json(output)
    document["remark"] = "kept"
    output.write_text(json.dumps(document))
    outcome = multicam(*arguments, "--name", "cam2", "--model", "homography")
    assert outcome.out.splitlines()[-1] == f"{output}: cam2 added; in it: cam1, cam2"
    assert list(read_calibration(output)) == ["cam1", "cam2"] and read_json(output)["remark"] == "kept"
    before = output.read_bytes()
    assert_one_line(
        multicam(*arguments, "--name", "cam1"), f"{output} has a camera 'cam1'", "--name", "--overwrite"
    )  # fmt: skip
    assert output.read_bytes() == before
    outcome = multicam(*arguments, "--name", "cam1", "--model", "homography", "--overwrite")
    assert outcome.out.splitlines()[-1] == f"{output}: cam1 replaced; in it: cam2, cam1"
    assert not list(tmp_path.glob(".*partial*"))


def test_pixels_may_be_counted_from_centres(multicam: Command, image: Path, tmp_path: Path) -> None:
    (tmp_path / "opencv.csv").write_text(lines(shift=(-0.5, -0.5)))
    arguments = ("--image", image, "-o", tmp_path / "c.json", "--pixel-centers", "center", "--quiet")
    outcome = multicam("calibrate", tmp_path / "opencv.csv", *arguments)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    camera = read_calibration(tmp_path / "c.json")["corner"]
    np.testing.assert_allclose(camera.project(PLACES)[0], CAMERA.project(PLACES)[0], atol=0.01)


def test_a_lens_that_was_calibrated_before(multicam: Command, tmp_path: Path) -> None:
    """Four points are enough then; OpenCV's file counts pixel centres, and images of half the size scale."""
    (tmp_path / "points.csv").write_text(lines(PLACES[[0, 4, 5, 8]]))
    storage = cv2.FileStorage(str(tmp_path / "lens.yml"), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 2 * WIDTH)
    storage.write("image_height", 2 * HEIGHT)
    storage.write("camera_matrix", np.array([[800.0, 0, 639.5], [0, 800, 479.5], [0, 0, 1]]))
    storage.write("distortion_coefficients", np.zeros((1, 5)))
    storage.release()
    arguments = ("calibrate", tmp_path / "points.csv", "-o", tmp_path / "c.json", "--intrinsics", tmp_path / "lens.yml")
    outcome = multicam(*arguments, "--size", "640x480", "--name", "corner")
    assert outcome.code == 0 and "focal length 400.0 pixels, as given" in outcome.out
    camera = read_calibration(tmp_path / "c.json")["corner"]
    np.testing.assert_allclose(camera.position, CAMERA.position, atol=0.005)
    outcome = multicam(*arguments, "--size", "640x360", "--name", "other")
    assert_one_line(outcome, "lens.yml: intrinsics of images of 1280×960, but the image is 640×360")


def test_the_picture_has_the_grid_where_the_floor_is(
    multicam: Command, points: Path, image: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "grid.png"
    arguments = ("calibrate", points, "--image", image, "-o", tmp_path / "c.json", "--picture", picture)
    assert multicam(*arguments).out.splitlines()[-1] == str(picture)
    drawn = cv2.imread(str(picture))
    assert drawn.shape[1] == 2 * WIDTH and drawn.shape[0] > 2 * HEIGHT, "enlarged, with a legend"
    colored = np.ptp(drawn[: 2 * HEIGHT].astype(int), axis=2) > 40
    for place in [(2.5, 3, 0), (4, 2.5, 0), (3, 1.5, 0), (3, 4.5, 0)]:
        column, row = np.floor(2 * CAMERA.project([place])[0][0]).astype(int)
        assert colored[row - 1 : row + 2, column - 1 : column + 2].any(), "a line runs through it"
    horizon = int(2 * min(CAMERA.project([(100 * np.cos(a), 100 * np.sin(a), 0)])[0][0, 1] for a in (0.4, 0.7, 1.0)))
    assert horizon > 100
    # Nothing but poles, which are grey, is above the horizon.
    assert not colored[: horizon - 4].any()
    assert_one_line(multicam(*arguments, "--name", "b"), f"--picture {picture} exists", "--overwrite")
    assert multicam(*arguments, "--name", "b", "--overwrite", "--grid", 0.5).code == 0
    assert_one_line(
        multicam(*arguments, "--name", "c", "--overwrite", "--grid", 0.01), "--grid 0.01 draws", "make it larger"
    )  # fmt: skip
    assert list(read_calibration(tmp_path / "c.json")) == ["corner", "b"]


def test_every_grid_line_lies_on_the_floor(points: Path) -> None:
    """The camera looks steeply down, so that some of the floor is behind it."""
    rotation, translation = look_at((3.0, 2.5, 3.0), (3.6, 2.6, 0.0))
    intrinsics = np.array([[250.0, 0, 320], [0, 250, 240], [0, 0, 1]])
    wide = Camera("wide", WIDTH, HEIGHT, intrinsics, np.array([-0.05, 0, 0, 0, 0]), rotation, translation)
    pairs = read_point_pairs(points)
    estimate = estimate_camera(pairs, WIDTH, HEIGHT)
    for camera in (wide, CAMERA):
        corners = seen_floor(camera, estimate, 0.5)
        parts = list(grid_parts(camera, corners, around_points(estimate, 0.5), 0.5, 4.0))
        assert {part.near for part in parts} == {True, False}
        checked = 0
        for part in parts:
            inside = ((part.line >= 0) & (part.line <= (WIDTH, HEIGHT))).all(axis=1)
            cells = camera.to_floor(part.line[inside]) / 0.5
            if len(cells) > 1:
                checked += 1
                assert np.abs(cells - np.rint(cells)).max(axis=0).min() < 1e-6, "x or y is a multiple of the grid"
                if part.axis:
                    assert np.abs(cells[:, "yx".index(part.axis)]).max() < 1e-6
        assert checked > 20


def test_a_video_gives_its_first_frame(multicam: Command, tmp_path: Path) -> None:
    video = write_scene(tmp_path, "corridor", CORRIDOR, 3, rate=10, size=(WIDTH, HEIGHT))
    (tmp_path / "points.yaml").write_text(
        json.dumps({"points": [{"pixel": list(pixel), "world": list(place), "name": f"mark {number}"}
                               for number, (pixel, place) in enumerate(zip(CAMERA.project(PLACES)[0].tolist(),
                                                                           PLACES.tolist()))]})
    )  # fmt: skip
    outcome = multicam("calibrate", tmp_path / "points.yaml", "--image", video, "-o", tmp_path / "c.json")
    assert outcome.code == 0 and "mark 3" in outcome.out
    assert list(read_calibration(tmp_path / "c.json")) == ["corridor"]


SCATTERED = np.random.default_rng(1).uniform((0, 200, 0, 0), (640, 480, 6, 5), (12, 4))
BAD = {
    "few": (lines(PLACES[:3]), [], ["points.csv: 3 points for a pose, which needs at least 4"]),
    "collinear": (lines(np.array([(2.2, 1, 0), (3, 1, 0), (4, 1, 0), (5, 1, 0)])), [],
                  ["points.csv: all points are on one line in the room", "add points"]),
    "twice": (lines() + lines(PLACES[:1])[10:], [], ["line 2 and line 12 give the same place"]),
    "words": (lines() + "12,left,3,4,0\n", [], ["points.csv line 12: v is 'left'", "give a finite number"]),
    "outside": (lines() + "700,20,3,4.5,0\n", [], ["line 12: pixel (700, 20) is outside the image of 640×480"]),
    "sky": (lines() + "320,20,3,4.5,0\n", [], ["line 12: pixel (320, 20) is above the horizon"]),
    "random": ("".join(f"{u:.0f},{v:.0f},{x:.1f},{y:.1f}\n" for u, v, x, y in SCATTERED),
               ["--model", "homography"], ["of 12 points agree within 5 pixels", "must; check"]),
    "mirrored": (lines().replace("u,v,x,y", "u,v,y,x"), [], ["under the floor", "exchange x and y"]),
    "model": (lines(), ["--model", "tripod"], ["--model is 'tripod': ", "homography"]),
    "centers": (lines(), ["--pixel-centers", "middle"], ["--pixel-centers is 'middle': ", "corner"]),
    "threshold": (lines(), ["--threshold", "-1"], ["--threshold is -1: give a positive number of pixels"]),
    "grid": (lines(), ["--grid", "0"], ["--grid is 0: give a positive number of metres"]),
    "size": (lines(), ["--size", "640x480"], ["--image FILE", "--size WxH"]),
    "name": (lines(), ["--name", "a/b"], ["--name 'a/b' is not safe as a file name"]),
    "intrinsics": (lines(), ["--intrinsics", "nothing.yml"], ["intrinsics file nothing.yml does not exist"]),
    "picture": (lines(), ["--picture", "grid.gif"], ["--picture grid.gif: give a file that ends in .png"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(multicam: Command, image: Path, tmp_path: Path, case: str) -> None:
    text, options, fragments = BAD[case]
    (tmp_path / "points.csv").write_text(text)
    output = tmp_path / "c.json"
    outcome = multicam("calibrate", tmp_path / "points.csv", "--image", image, "-o", output, *options)
    assert_one_line(outcome, *fragments)
    assert not output.exists()


def test_bad_images(multicam: Command, points: Path, tmp_path: Path) -> None:
    output = tmp_path / "c.json"
    assert_one_line(multicam("calibrate", points, "-o", output), "--image FILE", "--size WxH")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    for name, words in (
        ("nothing.png", "nothing.png cannot be read (No such file or directory): check the path"),
        ("broken.png", "broken.png cannot be decoded: copy it again"),
        ("nothing.mp4", "nothing.mp4 does not exist: check the path"),
        ("points.csv", "points.csv"),
    ):
        assert_one_line(multicam("calibrate", points, "--image", tmp_path / name, "-o", output), words)
    assert_one_line(multicam("calibrate", points, "--size", "wide", "-o", output), "--size is 'wide'", "1920x1080")


def test_bad_outputs(multicam: Command, points: Path, image: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"people": 3}')
    (tmp_path / "feet.json").write_text('{"units": "cm", "cameras": []}')
    (tmp_path / "folder.json").mkdir()
    for name, words in (
        ("c.yaml", "c.yaml: give a file that ends in .json"),
        ("other.json", "other.json has no list of cameras"),
        ("feet.json", "feet.json counts in other units"),
        ("folder.json", "folder.json is a folder"),
    ):
        before = (tmp_path / name).read_bytes() if (tmp_path / name).is_file() else None
        assert_one_line(multicam("calibrate", points, "--image", image, "-o", tmp_path / name), words)
        assert before is None or (tmp_path / name).read_bytes() == before
    arguments = ("calibrate", points, "--image", image, "-o", tmp_path / "c.json", "--overwrite")
    assert_one_line(multicam(*arguments, "--picture", image), "is read by this command and would be replaced")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom apps.cli import main\n"
        "try: main(['calibrate', '--help'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('LOADED', *(name for name in ('numpy', 'scipy', 'cv2', 'torch', 'av') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), cwd=ROOT, check=True
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert "--pixel-centers" in done.stdout and "--intrinsics" in done.stdout
