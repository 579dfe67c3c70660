from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import InputError
from tracker.video.addresses import name_problem, name_source, safe_name
from tracker.video.cameras import (
    CameraSettings,
    cameras_from_sources,
    display_source,
    entries_from_sources,
    read_cameras,
)


def names(*sources: str) -> list[str]:
    return [camera.name for camera in cameras_from_sources(list(sources))]


def write_yaml(folder: Path, text: str) -> Path:
    path = folder / "cameras.yaml"
    path.write_text(text)
    return path


def test_names_come_from_the_sources(tmp_path: Path) -> None:
    sequence = tmp_path / "MOT16-11" / "img1"
    sequence.mkdir(parents=True)
    assert names("videos/hall.one.mp4", "0", "rtsp://user:secret@10.0.0.7:554/live", str(sequence)) == [
        "hall.one",
        "camera0",
        "10.0.0.7",
        "MOT16-11",
    ]
    assert names(str(sequence.parent)) == names(str(sequence.parent / "seqinfo.ini")) == ["MOT16-11"]
    assert names("seqinfo/MOT16-09.ini", "my video (1).mp4") == ["MOT16-09", "my-video-1"]


def test_equal_names_get_numbers() -> None:
    assert names("a/x.mp4", "b/x.mp4", "c/X.mp4", "x-2.mp4") == ["x", "x-2", "X-3", "x-2-2"]


def test_a_camera_does_not_take_the_name_of_another_output() -> None:
    assert names("mosaic.mp4") == ["camera-mosaic"]


@given(st.text(max_size=200))
def test_every_name_made_is_safe_as_a_file_name(text: str) -> None:
    name = safe_name(text)
    assert name_problem(name) is None
    assert not set(name) & set('/\\:*?"<>|\0 \n')
    assert len(f"{name}.mp4".encode()) < 255
    assert name not in (".", "..") and name[0] not in ".-"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://user:pw@cam.lan:554/a?token=1", "rtsp://***@cam.lan:554/a?***"),
        ("http://cam.lan/video", "http://cam.lan/video"),
        ("http://cam.lan/v?user=u&password=pw#x", "http://cam.lan/v?***"),
        ("rtsp://user:p@w@cam.lan/a", "rtsp://***@cam.lan/a"),
        ("rtsp://user:p/w@cam.lan/a", "rtsp://***@cam.lan/a"),
        ("http://cam.lan/x?mail=a@pw.com", "http://***"),
        ("video.mp4", "video.mp4"),
        ("0", "webcam 0"),
    ],
)
def test_what_is_shown_of_a_source(source: str, shown: str) -> None:
    assert display_source(source) == shown


SECRET = st.text(st.characters(codec="utf-8", exclude_characters="*", min_codepoint=33), min_size=3)


@given(user=SECRET, password=SECRET, query=SECRET)
def test_credentials_never_show(user: str, password: str, query: str) -> None:
    source = f"rtsp://{user}:{password}@h.x/s?{query}"
    rest = display_source(source).removeprefix("rtsp://")
    assert rest in ("***@h.x/s?***", "***")
    assert name_source(source) in ("h.x", "stream")


def test_settings_do_not_print_the_source() -> None:
    camera = cameras_from_sources(["rtsp://user:secret@host/a"])[0]
    assert "secret" not in repr(camera) + str(camera) + camera.display
    with pytest.raises(ValueError) as caught:
        CameraSettings(name="a", source=["rtsp://user:secret@host/a"])  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_a_cameras_file(tmp_path: Path) -> None:
    path = write_yaml(
        tmp_path,
        """
cameras:
  - name: Front door
    source: videos/door.mp4
    start_offset: 1.5
    calibration: calibration/door.json
    detections: det/door.txt
  - name: hall
    source: 0
  - source: rtsp://user:pw@host/stream
    calibration: {focal_length: 800}
""",
    )
    door, hall, stream = read_cameras(path)
    assert (door.name, door.start_offset) == ("Front door", 1.5)
    assert door.source == str(tmp_path / "videos/door.mp4")
    assert (door.calibration, door.detections) == (tmp_path / "calibration/door.json", tmp_path / "det/door.txt")
    assert (hall.source, hall.start_offset, hall.calibration) == ("0", 0.0, None)
    assert (stream.name, stream.source) == ("host", "rtsp://user:pw@host/stream")
    assert stream.calibration == {"focal_length": 800}


def test_files_that_a_calibration_names_lie_beside_the_cameras_file(tmp_path: Path) -> None:
    entry = "  - {name: a, source: a.mp4, calibration: {file: in.yml, extrinsics: /etc/out.yml, unit: cm}}\n"
    (tmp_path / "cameras.yaml").write_text(f"cameras:\n{entry}")
    (camera,) = read_cameras(tmp_path / "cameras.yaml")
    assert camera.calibration == {"file": str(tmp_path / "in.yml"), "extrinsics": "/etc/out.yml", "unit": "cm"}


def test_a_cameras_file_among_other_sources(tmp_path: Path) -> None:
    path = write_yaml(tmp_path, "cameras: [{name: hall, source: a.mp4}, {name: door, source: b.mp4}]")
    cameras = cameras_from_sources(["hall.mp4", str(path), "1"])
    assert [camera.name for camera in cameras] == ["hall-2", "hall", "door", "camera1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cameras:\n  - name: a\n   source: b\n", r"cameras\.yaml line 3: not valid YAML"),
        ("cameras: [\x00]", "not valid YAML"),
        ("camera: []", "no list of cameras"),
        ("just text", "no list of cameras"),
        ("cameras: []", "list of cameras is empty"),
        ("cameras:", "cameras: is empty, not a list"),
        ("cameras: {a: b}", "is a mapping, not a list"),
        ("cameras: [{source: a}]\ncolour: red", "unknown field 'colour'"),
        ("cameras: [{name: a, source: b, sorce: c}]", "camera 'a' has an unknown field 'sorce': did you mean 'source'"),
        ("cameras: [{name: a, source: b, start_offset: soon}]", "camera 'a': field start_offset is 'soon': .*number"),
        ("cameras: [{name: a, source: b, start_offset: .inf}]", "start_offset is inf: must be a finite number"),
        ("cameras: [{name: a, source: [b]}]", "camera 'a': field source is a list"),
        ("cameras: [{name: 3, source: b}]", "camera 1: field name is 3: .*string"),
        ("cameras: [{name: a}]", "camera 'a' has no source"),
        ("cameras: [{name: a, source: ''}]", "source is text: is empty"),
        ("cameras: [{name: a/b, source: c}]", "name is 'a/b': is not safe as a file name; call it for example 'a-b'"),
        ("cameras: [{name: mosaic, source: c}]", "is the name of another output"),
        ("cameras: [{name: a, source: b}, {name: A, source: c}]", "two cameras are called 'A'"),
        ("cameras: [[1]]", "camera 1 is a list"),
    ],
)
def test_what_is_wrong_with_a_cameras_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = write_yaml(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_cameras(path)
    message = str(caught.value)
    assert re.search(words, message), message
    assert message.startswith(str(path)) and "\n" not in message


def test_a_missing_cameras_file_and_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml does not exist"):
        cameras_from_sources([str(tmp_path / "nowhere.yaml")])
    with pytest.raises(InputError, match="no source given"):
        cameras_from_sources([])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not valid YAML"):
        read_cameras(tmp_path / "binary.yaml")


def test_an_unknown_field_is_refused_in_code_too() -> None:
    with pytest.raises(ValueError, match="fps"):
        CameraSettings(name="a", source="b", fps=3)  # type: ignore[call-arg]


DOOR = "entries: [{name: door, polygon: [[0, 0], [1, 0], [1, 1]]}, {center: [4, 2.5], radius: 0.5}]\n"


def test_entries_of_a_cameras_file(tmp_path: Path) -> None:
    path = write_yaml(tmp_path, f"cameras: [a.mp4]\n{DOOR}area: [[0, 0], [9, 0], [9, 9]]\n")
    assert [camera.name for camera in read_cameras(path)] == ["a"]
    entries = entries_from_sources([str(path), "b.mp4"])
    door, circle = entries.zones
    assert (door.name, door.corners.tolist(), circle.radius) == ("entry 'door'", [[0, 0], [1, 0], [1, 1]], 0.5)
    assert entries.area is not None and len(entries.area.corners) == 3
    assert not entries_from_sources(["b.mp4"])


def test_entries_that_cannot_be_name_the_file(tmp_path: Path) -> None:
    path = write_yaml(tmp_path, "cameras: [a.mp4]\nentries: [{name: door, polygon: [[0, 0], [1, .nan], [1, 1]]}]\n")
    with pytest.raises(InputError, match=r"cameras\.yaml: entry 'door': its polygon: corner 2 is"):
        entries_from_sources([str(path)])
    path = write_yaml(tmp_path, f"cameras: [a.mp4]\n{DOOR}")
    other = tmp_path / "other.yaml"
    other.write_text(path.read_text())
    with pytest.raises(InputError, match=r"cameras\.yaml and .*other\.yaml give entries .*: put them into one file"):
        entries_from_sources([str(path), str(other)])
