"""Detections from MOTChallenge files, one file per camera."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tracker.detectors import create_detector
from tracker.errors import InputError
from tracker.protocols import Detector
from tracker.video.frames import Frame

LINES = "1,-1,11,21,30,40,0.9\n1,-1,12,21,30,40,-0.4\n3,-1,101,51,20,20,2.5\n"


def frames(camera: str, *indices: int) -> list[Frame]:
    return [Frame(camera, index, index / 25, None) for index in indices]


def write(path: Path, text: str = LINES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_frame_0_of_a_video_is_frame_1_of_the_file(tmp_path: Path) -> None:
    detector = create_detector(f"mot:{write(tmp_path / 'det.txt')}")
    assert isinstance(detector, Detector) and not detector.needs_images
    first, second, third = detector.detect(frames("hall", 0, 1, 2))
    np.testing.assert_array_equal(first.boxes, [[10, 20, 40, 60], [11, 20, 41, 60]])
    np.testing.assert_allclose(first.scores, [0.9, -0.4], rtol=1e-6)
    assert len(second) == 0
    np.testing.assert_array_equal(third.boxes, [[100, 50, 120, 70]])
    assert detector.class_names == {0: "person"} and third.classes.tolist() == [0]
    assert detector.description == f"mot:{tmp_path / 'det.txt'}"


def test_scores_and_overlaps_are_limited_only_on_request(tmp_path: Path) -> None:
    path = write(tmp_path / "det.txt")
    confident = create_detector(f"mot:{path}", confidence=0.5)
    assert [len(found) for found in confident.detect(frames("hall", 0, 2))] == [1, 1]
    margins = create_detector(f"mot:{path}", confidence=-0.5, iou=0.5)
    (found,) = margins.detect(frames("hall", 0))
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-6)
    assert margins.description == f"mot:{path} (score > -0.5, NMS at IoU 0.5)"


@pytest.mark.parametrize("layout", ["{}.txt", "{}.txt.gz", "{}/det/det.txt", "{}/det/det.txt.gz"])
def test_a_folder_holds_a_file_per_camera(tmp_path: Path, layout: str) -> None:
    write(tmp_path / layout.format("hall"))
    write(tmp_path / layout.format("door"), "1,-1,6,6,10,10,0.5\n")
    detector = create_detector(f"mot:{tmp_path}")
    hall, door = detector.detect(frames("hall", 0) + frames("door", 0))
    assert len(hall) == 2
    np.testing.assert_array_equal(door.boxes, [[5, 5, 15, 15]])


def test_a_template_names_the_file_of_each_camera(tmp_path: Path) -> None:
    write(tmp_path / "MOT-hall-DPM" / "det" / "det.txt")
    detector = create_detector(f"mot:{tmp_path}/MOT-{{camera}}-DPM/det/det.txt")
    assert len(detector.detect(frames("hall", 0))[0]) == 2
    with pytest.raises(InputError, match=r"camera 'door': looked for .*MOT-door-DPM/det/det\.txt"):
        detector.detect(frames("door", 0))


def test_a_camera_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    own = write(tmp_path / "elsewhere.txt", "1,-1,6,6,10,10,0.5\n")
    path = write(tmp_path / "det.txt")
    detector = create_detector(f"mot:{path}", camera_detections={"door": own})
    door, hall = detector.detect(frames("door", 0) + frames("hall", 0))
    assert (len(door), len(hall)) == (1, 2)


def test_the_folder_of_one_sequence_serves_one_camera(tmp_path: Path) -> None:
    write(tmp_path / "det" / "det.txt")
    detector = create_detector(f"mot:{tmp_path}")
    assert len(detector.detect(frames("whatever", 0))[0]) == 2
    with pytest.raises(InputError, match="no detections for camera 'second'"):
        detector.detect(frames("second", 0))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"detections /nowhere/det\.txt do not exist"):
        create_detector("mot:/nowhere/det.txt")
    with pytest.raises(InputError, match="mot: names no file"):
        create_detector("mot:")
    write(tmp_path / "hall.txt")
    detector = create_detector(f"mot:{tmp_path}")
    with pytest.raises(InputError, match=r"'hal': looked for .*hal\.txt, .*hal/det/det\.txt.*did you mean 'hall'"):
        detector.detect(frames("hal", 0))
    single = create_detector(f"mot:{tmp_path / 'hall.txt'}")
    single.detect(frames("hall", 0))
    with pytest.raises(InputError, match="one file of detections, but there is a second camera 'door'"):
        single.detect(frames("door", 0))


def test_oddities_of_a_file_are_passed_on(tmp_path: Path) -> None:
    detector = create_detector(f"mot:{write(tmp_path / 'det.txt', LINES + '4,-1,10,10,0,5,0.5')}")
    with pytest.warns(RuntimeWarning, match="1 boxes without width or height"):
        detector.detect(frames("hall", 0))
    with pytest.raises(InputError):
        create_detector(f"mot:{write(tmp_path / 'bad.txt', 'frame;id')}").detect(frames("hall", 0))
