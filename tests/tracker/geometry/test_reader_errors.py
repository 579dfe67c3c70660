"""Files that are no calibration: one line that names the file, what is wrong and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.geometry.worlds import make_camera
from tracker.errors import InputError
from tracker.geometry.readers import read_calibration

SIZE = (1280, 720)
GOOD = make_camera("hall").calibration()


def without(*fields: str, **changes: Any) -> str:
    entry = {field: value for field, value in GOOD.items() if field not in fields} | changes
    return json.dumps({"cameras": [entry]})


TSAI = (
    '<Camera name="v"><Geometry width="768" height="576" dpx="0.005" dpy="0.005"/>'
    '<Intrinsic focal="5" kappa1="{kappa1}" cx="384" cy="288" sx="1"/>'
    '<Extrinsic tx="0" ty="0" tz="9000" rx="{rx}" ry="0" rz="0"/></Camera>'
)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("c.json", "{", "line 1: not valid JSON"),
        ("c.json", "[]", "cameras: is empty or no list"),
        ("c.json", '{"cameras": 3}', "cameras: is empty or no list"),
        ("c.json", '{"cameras": [3]}', "camera 1 is no mapping"),
        ("c.json", "3", "no calibration in it"),
        ("c.json", "{}", "no calibration in it"),
        ("c.json", '{"cameras": [{"name": "a"}]}', "camera 'a': no calibration in it .*K, R and t"),
        ("c.json", json.dumps({"cameras": [GOOD, GOOD]}), "two cameras are called 'hall'"),
        ("c.json", without("width"), "camera 'hall': the calibration gives no image size"),
        ("c.json", without("R"), "camera 'hall': no calibration in it"),
        ("c.json", without(width="wide"), r"image size \('wide', 720\)"),
        ("c.json", without(width=-5), "image size -5×720"),
        ("c.json", without(K=[[1, 2], [3, 4]]), "K has 4 numbers; give 3×3"),
        ("c.json", without(K=[[1, 2, "x"]]), "K is not a list of numbers"),
        ("c.json", without(t=[0, 0]), "t has 2 numbers; give 3"),
        ("c.json", without(t=[0, 0, float("nan")]), "t is not finite"),
        ("c.json", without(R=[[2, 0, 0], [0, 2, 0], [0, 0, 2]]), "camera 'hall': its rotation is not orthonormal"),
        ("c.json", without(distortion=[0.1, 0.2]), "2 distortion coefficients"),
        ("c.json", without(unit="ells"), "unknown unit 'ells'"),
        ("c.json", without(unit=-1), "a unit of -1 metres"),
        ("c.json", json.dumps({"P": [[1, 0, 0, 0]] * 3, "image_size": SIZE}), "left 3×3 is singular"),
        ("c.json", json.dumps({"P": [[1, 0, 0]] * 3, "image_size": SIZE}), "P has 9 numbers; give 3×4"),
        ("c.json", json.dumps({"homography": [[1, 0, 0]] * 3, "image_size": SIZE}), "ground homography is singular"),
        ("c.json", json.dumps({"homography": [[1, 0, 0]], "maps": "up", "image_size": SIZE}), "maps: 'up'"),
        ("c.yaml", "a: [1", "line 1: not valid YAML"),
        ("c.yaml", "hello", "no calibration in it"),
        ("c.yml", "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n  rows: 3\n  data: [ 1, 2\n", "OpenCV can read"),
        ("c.yml", "%YAML:1.0\n---\nimage_width: 640\n", "no calibration in it .it has image_width"),
        ("c.xml", "<a", "not valid XML"),
        ("c.xml", "<opencv_storage><a>", "OpenCV can read"),
        ("c.xml", "<kml></kml>", "<kml> is no calibration known here"),
        ("c.xml", TSAI.format(kappa1="much", rx="2"), "camera 'v': kappa1 of <Intrinsic> is 'much'"),
        ("c.xml", TSAI.format(kappa1="-0.2", rx="2"), "camera 'v': kappa1 = -0.2 turns the image over"),
        ("c.xml", TSAI.replace("Extrinsic", "Pose").format(kappa1="0", rx="2"), "<Extrinsic> has no tx"),
        ("c.txt", "", "no matrix in it"),
        ("c.txt", "1 2 3 4\n5 6 7 8\n", "a matrix has 2 rows; give three"),
        ("c.txt", "1 2 3 4\n5 6 7\n8 9 10 11\n", "rows of 3 and 4 numbers"),
        ("c.txt", "1 2 3 4\n5 6 inf 8\n8 9 10 11\n", "line 2: a number that is not finite"),
        ("c.txt", "once upon a time\n", "line 1: 'once upon a time' is neither numbers nor a known heading"),
        ("c.txt", "# Camera 0\n# Head plane homography\n1 0 0\n0 1 0\n0 0 1\n", "head plane without a ground plane"),
        ("c.txt", "# Camera 0\n# Ground plane homography\n1 0 0\n0 1 0\n", "has 2 rows; give three"),
        ("c.txt", "# Camera 0\n1 0 0 0\n0 1 0 0\n0 0 1 5\n# Camera 0\n1 0 0 0\n0 1 0 0\n0 0 1 5\n", "second camera"),
    ],
)
def test_malformed_files(tmp_path: Path, file: str, content: str, words: str) -> None:
    path = tmp_path / file
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        read_calibration(path, image_size=None if file == "c.json" else SIZE)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json does not exist: check the path"):
        read_calibration(tmp_path / "nowhere.json")
    binary = tmp_path / "video.json"
    binary.write_bytes(b"\xff\xfe\x00\x81" * 10)
    with pytest.raises(InputError, match=r"video\.json: not text"):
        read_calibration(binary)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no calibration files in it"):
        read_calibration(tmp_path / "empty")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "extr_a.xml").write_text("<opencv_storage/>")
    with pytest.raises(InputError, match=r"extr_a\.xml without intr_a\.xml"):
        read_calibration(tmp_path / "half")


def test_a_camera_that_the_file_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"cameras": [GOOD, GOOD | {"name": "door"}]}))
    with pytest.raises(InputError, match="no camera 'dor' in it: did you mean 'door'"):
        read_calibration(path, "dor")
    with pytest.raises(InputError, match="unknown field 'extrinsic': did you mean 'extrinsics'"):
        read_calibration({"file": "c.json", "extrinsic": "x"}, "door", folder=tmp_path)


@settings(max_examples=30, deadline=None)
@given(
    suffix=st.sampled_from(["json", "yaml", "xml", "txt"]),
    text=st.one_of(
        st.text(max_size=60),
        st.text(alphabet="0123456789 .-\n[]{}:,\"'<>/#%!&*", max_size=120),
        st.builds(lambda cut: json.dumps({"cameras": [GOOD]})[:cut], st.integers(0, 300)),
    ),
)
def test_no_text_ends_in_anything_but_cameras_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    path.write_text(text, encoding="utf-8")
    try:
        assert read_calibration(path, image_size=SIZE)
    except InputError as error:
        assert "\n" not in str(error)
