"""Exported detectors are recognised, fed and decoded as the networks they come from."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.tracker.detectors.onnx_graphs import CELLS, HEIGHT, WIDTH, write_network, yolo_output, yolox_output
from tracker.detectors import create_detector
from tracker.detectors.onnx import OnnxDetector
from tracker.detectors.yolox import cell_corners
from tracker.errors import InputError
from tracker.protocols import Detector
from tracker.video.frames import Frame

PERSON, BICYCLE = 0, 1


def frame(height: int = 2 * HEIGHT, width: int = 2 * WIDTH, colour: tuple[int, int, int] = (0, 0, 0)) -> Frame:
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour
    return Frame("camera", 0, 0.0, image)


def yolox_with(path: Path, *people: tuple[int, tuple[float, ...]], **options) -> Path:
    """Write a YOLOX network with (cell number, (x, y, w, h, objectness, class probabilities …)) of the cells given."""
    output = yolox_output()
    for cell, values in people:
        output[0, cell, : len(values)] = values
    return write_network(path, output, **options)


def yolo_with(path: Path, *people: tuple[float, ...], **options) -> Path:
    """Write an ultralytics network with (x, y, w, h, class scores …) in its first cells."""
    output = yolo_output()
    for cell, values in enumerate(people):
        output[0, : len(values), cell] = values
    return write_network(path, output, **options)


def test_yolox_cells_are_decoded_as_the_paper_says(tmp_path: Path) -> None:
    # cell 3 of row 2 on the stride-8 grid, and cell 1 of row 4 on the stride-16 grid
    cells = (2 * 8 + 3, 96 + 4 * 4 + 1)
    log = [math.log(2), math.log(4)]
    path = yolox_with(
        tmp_path / "x.onnx",
        (cells[0], (0.25, 0.75, *log, 0.8, 0.9)),
        (cells[1], (-0.5, 1.5, *log, 0.5, 0.6)),
    )
    detector = create_detector(str(path))
    assert isinstance(detector, Detector)
    (found,) = detector.detect([frame()])
    # the frame is twice the input's size: centre (3.25, 2.75) · 8 · 2, size (2, 4) · 8 · 2; centre (0.5, 5.5) · 16 · 2
    np.testing.assert_allclose(found.boxes, [[36, 12, 68, 76], [0, 112, 48, 192]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.72, 0.30], atol=1e-6)
    assert found.classes.tolist() == [PERSON, PERSON]
    assert found.boxes.dtype == np.float32
    assert detector.description == "x.onnx (yolox 64x96, openvino float32)"
    assert detector.class_names[0] == "person" and detector.class_names[79] == "toothbrush"


def test_decoded_yolox_exports_give_the_same_boxes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    raw = yolox_output()
    raw[0, :, :2] = rng.uniform(-0.5, 1.5, (CELLS, 2))
    raw[0, :, 2:4] = rng.uniform(-0.5, 1.5, (CELLS, 2))
    raw[0, :, 4:6] = rng.uniform(0, 1, (CELLS, 2))
    cells = cell_corners(HEIGHT, WIDTH, (8, 16, 32))
    decoded = raw.copy()
    decoded[0, :, :2] = (raw[0, :, :2] + cells[:, :2]) * cells[:, 2:]
    decoded[0, :, 2:4] = np.exp(raw[0, :, 2:4]) * cells[:, 2:]
    found = [
        OnnxDetector(write_network(tmp_path / name, output)).detect([frame()])[0]
        for name, output in (("raw.onnx", raw), ("decoded.onnx", decoded))
    ]
    assert len(found[0]) > 20
    np.testing.assert_allclose(found[0].boxes, found[1].boxes, atol=1e-3)
    np.testing.assert_array_equal(found[0].scores, found[1].scores)


def test_yolo_exports_are_decoded(tmp_path: Path) -> None:
    path = yolo_with(tmp_path / "v8.onnx", (32, 48, 16, 32, 0.9), (10, 20, 8, 8, 0.2, 0.6), (50, 80, 20, 30, 0.3, 0.1))
    detector = OnnxDetector(path)
    (found,) = detector.detect([frame()])
    np.testing.assert_allclose(found.boxes, [[48, 64, 80, 128], [80, 130, 120, 190]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9, 0.3], atol=1e-6)
    assert detector.description == "v8.onnx (yolo 64x96, openvino float32)"
    (everything,) = OnnxDetector(path, classes=None).detect([frame()])
    assert everything.classes.tolist() == [PERSON, BICYCLE, PERSON]
    (bicycles,) = OnnxDetector(path, classes=(BICYCLE,)).detect([frame()])
    np.testing.assert_allclose(bicycles.boxes, [[12, 32, 28, 48]], atol=1e-3)


def test_end_to_end_exports_are_taken_as_they_are(tmp_path: Path) -> None:
    output = np.zeros((1, 300, 6), np.float32)
    output[0, :3] = [[8, 8, 24, 40, 0.8, 0], [8, 8, 24, 41, 0.7, 0], [30, 8, 60, 40, 0.6, 1]]
    names = {"names": "{0: 'walker', 1: 'wheels'}", "task": "detect"}
    detector = OnnxDetector(write_network(tmp_path / "v10.onnx", output, metadata=names), classes=None)
    (found,) = detector.detect([frame()])
    np.testing.assert_allclose(found.boxes, [[16, 16, 48, 80], [16, 16, 48, 82], [60, 16, 120, 80]], atol=1e-3)
    assert found.classes.tolist() == [0, 0, 1]
    assert detector.class_names == {0: "walker", 1: "wheels"}
    with pytest.raises(InputError, match=r"v10\.onnx has no class 2: its 2 classes are numbered 0 to 1"):
        OnnxDetector(tmp_path / "v10.onnx", classes=(2,))


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255)])
def test_channels_and_range_are_what_each_family_is_trained_on(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    """Both networks score a person by the mean of their first channel: blue 0 … 255 in one, red 0 … 1 in the other."""
    blue = colour == (255, 0, 0)
    seen = yolox_output()
    seen[..., :] = 0
    seen[0, 0, 4] = 0.9 / 255
    path = yolox_with(tmp_path / "x.onnx", (0, (0.5, 0.5, 1, 1, 0, 1)), brightness=seen)
    (found,) = OnnxDetector(path).detect([frame(colour=colour)])
    np.testing.assert_allclose(found.scores, [0.9] if blue else [], atol=1e-5)
    seen = yolo_output()
    seen[0, 4, 0] = 0.9
    path = yolo_with(tmp_path / "v8.onnx", (32, 48, 16, 32), brightness=seen)
    (found,) = OnnxDetector(path).detect([frame(colour=colour)])
    np.testing.assert_allclose(found.scores, [] if blue else [0.9], atol=1e-5)


def test_grey_fills_what_the_image_leaves_free(tmp_path: Path) -> None:
    seen = yolo_output()
    seen[0, 4, 0] = 1
    path = yolo_with(tmp_path / "v8.onnx", (32, 48, 16, 32), brightness=seen)
    # 64×64 of white in the middle of 96×64: a third of the input stays grey
    (found,) = OnnxDetector(path).detect([frame(200, 200, (255, 255, 255))])
    np.testing.assert_allclose(found.scores, [(2 + 114 / 255) / 3], atol=1e-5)
    # and the box is in pixels of the image: scale 0.32, 16 rows of grey above
    np.testing.assert_allclose(found.boxes, [[75, 50, 125, 150]], atol=1e-3)


def test_frames_of_many_sizes_go_together_in_any_batch(tmp_path: Path) -> None:
    seen = yolo_output()
    seen[0, 4, 0] = 0.8
    frames = [frame(96 + 10 * n, 64 + 20 * n, (0, 0, 40 * n)) for n in range(5)]
    frames.append(frame(300, 50, (0, 0, 250)))
    found = []
    for batch in (1, 4, "batch"):
        path = tmp_path / f"{batch}.onnx"
        yolo_with(path, (32, 48, 16, 32, 0.2), brightness=seen, input_shape=(batch, 3, HEIGHT, WIDTH))
        for runtime in ("openvino", "onnxruntime"):
            detector = OnnxDetector(path, runtime=runtime)
            together = detector.detect(frames)
            alone = [detector.detect([single])[0] for single in frames]
            for first, second in zip(together, alone):
                np.testing.assert_array_equal(first.boxes, second.boxes)
                np.testing.assert_array_equal(first.scores, second.scores)
            found.append(together)
    assert found[0][4].scores > found[0][1].scores
    for other in found[1:]:
        for first, second in zip(found[0], other):
            np.testing.assert_allclose(first.boxes, second.boxes, atol=1e-4)
            np.testing.assert_allclose(first.scores, second.scores, atol=1e-5)
    assert OnnxDetector(path).detect([]) == []


def test_free_image_axes_follow_the_option_the_file_and_the_picture(tmp_path: Path) -> None:
    shape = ("batch", 3, "height", "width")
    path = yolo_with(tmp_path / "free.onnx", input_shape=shape, metadata={"imgsz": "[96, 64]"})
    detector = OnnxDetector(path)
    assert detector.description == "free.onnx (yolo 64x96 at most, openvino float32)"
    # 64 wide and 32 high is enough for a picture of 64×20
    assert detector._fitted(frame(20, 64)).canvas.shape == (32, 64, 3)
    # 126 cells belong to no square of 640
    with pytest.raises(InputError, match="takes 640×640 images and gives"):
        OnnxDetector(path, image_size=640)
    fixed = yolo_with(tmp_path / "fixed.onnx")
    with pytest.raises(InputError, match="exported for 64×96 images, not 640"):
        OnnxDetector(fixed, image_size=640)


def test_boxes_are_clipped_and_those_outside_dropped(tmp_path: Path) -> None:
    path = yolo_with(
        tmp_path / "edge.onnx",
        (0, 0, 20, 20, 0.9),
        (63, 95, 20, 20, 0.8),
        (-30, 40, 20, 20, 0.7),
        (30, 40, 0, 20, 0.6),
        (30, 70, -5, 20, 0.5),
    )
    (found,) = OnnxDetector(path).detect([frame()])
    np.testing.assert_allclose(found.boxes, [[0, 0, 20, 20], [106, 170, 128, 192]], atol=1e-3)


def test_duplicates_go_class_by_class(tmp_path: Path) -> None:
    people = [(32, 48, 20, 40, 0.9), (33, 48, 20, 40, 0.8), (34, 49, 20, 40, 0, 0.7), (32, 60, 20, 40, 0.6)]
    path = yolo_with(tmp_path / "twice.onnx", *people)
    (found,) = OnnxDetector(path, classes=None).detect([frame()])
    np.testing.assert_allclose(found.scores, [0.9, 0.7, 0.6], atol=1e-6)
    (found,) = OnnxDetector(path, classes=None, iou=0.3).detect([frame()])
    np.testing.assert_allclose(found.scores, [0.9, 0.7], atol=1e-6)
    (found,) = OnnxDetector(path, classes=None, iou=1).detect([frame()])
    assert len(found) == 4
    (found,) = OnnxDetector(path, confidence=0.75).detect([frame()])
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["yolox", "yolo", "end-to-end"])
def test_boxes_that_are_not_finite_are_dropped_and_counted(tmp_path: Path, bad: float, kind: str) -> None:
    path = tmp_path / "odd.onnx"
    if kind == "yolox":
        output = yolox_output()
        output[0, :2, 2:6] = [0, 0, 0.9, 0.9]
        output[0, 1, 2] = abs(bad)
    elif kind == "yolo":
        output = yolo_output()
        output[0, :5, :2] = np.array([[20, 20, 10, 10, 0.9], [40, bad, 10, 10, 0.8]]).T
    else:
        output = np.zeros((1, 300, 6), np.float32)
        output[0, :2] = [[10, 10, 20, 20, 0.9, 0], [10, 10, 20, bad, 0.8, 0]]
    detector = OnnxDetector(write_network(path, output))
    with pytest.warns(RuntimeWarning, match=r"odd\.onnx gave 1 boxes that are not finite"):
        (found,) = detector.detect([frame()])
    assert len(found) == 1
    detector.detect([frame(), frame()])
    assert detector.dropped == 3


def test_scores_that_are_no_numbers_are_counted_too(tmp_path: Path) -> None:
    detector = OnnxDetector(yolo_with(tmp_path / "odd.onnx", (20, 20, 10, 10, np.nan), (40, 40, 10, 10, 0.8)))
    with pytest.warns(RuntimeWarning, match="not finite"):
        (found,) = detector.detect([frame()])
    assert len(found) == 1 and detector.dropped == 1


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        (
            np.zeros((1, 512)),
            {},
            r"is a classifier or an embedder, no detector: it takes 96×64 images and gives \(1, 512\)",
        ),
        (np.zeros((1, 1000)), {"metadata": {"task": "classify"}}, "was exported for the task 'classify'"),
        (np.zeros((1, 116, CELLS)), {"extra_outputs": 1}, "looks like a segmentation network"),
        (np.zeros((1, 56, CELLS)), {"metadata": {"task": "pose"}}, "was exported for the task 'pose'"),
        (np.zeros((1, 20, 31)), {}, r"no detector that can be recognised: it takes 96×64 images and gives \(1, 20, 31"),
        (np.zeros((1, CELLS, 85)), {"input_shape": (1, 1, HEIGHT, WIDTH)}, r"takes images \(1, 1, 96, 64\)"),
        (np.zeros((1, CELLS, 85)), {"extra_outputs": 1}, "looks like a segmentation network"),
    ],
)
def test_networks_of_another_task_are_refused(tmp_path: Path, output, options, message: str) -> None:
    path = write_network(tmp_path / "other.onnx", output.astype(np.float32), **options)
    with pytest.raises(InputError, match=message) as caught:
        create_detector(str(path))
    assert "other.onnx" in str(caught.value) and "YOLOX (1, cells, 5 + classes)" in str(caught.value)


def test_bad_files_and_frames_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match="not an ONNX network"):
        create_detector(str(tmp_path / "text.onnx"))
    with pytest.raises(InputError, match="does not exist"):
        create_detector(str(tmp_path / "missing.onnx"))
    path = str(yolo_with(tmp_path / "good.onnx"))
    detector = create_detector(path)
    with pytest.raises(InputError, match="frame 7 of camera 'hall' has no image"):
        detector.detect([Frame("hall", 7, 0.0, None)])
    with pytest.raises(InputError, match=r"frame 0 of camera 'hall' is uint8 \(8, 8\)"):
        detector.detect([Frame("hall", 0, 0.0, np.zeros((8, 8), np.uint8))])
    for options, message in (
        ({"classes": (80,)}, "has no class 80"),
        ({"classes": (-1,)}, "has no class -1"),
        ({"classes": ()}, "no class is wanted"),
        ({"confidence": 1.5}, "confidence is 1.5"),
        ({"iou": -0.1}, "iou is -0.1"),
        ({"image_size": 8}, "image size 8 is too small"),
        ({"runtime": "tensorrt"}, "unknown runtime 'tensorrt'"),
    ):
        with pytest.raises(InputError, match=message):
            create_detector(path, **options)
    with pytest.warns(RuntimeWarning, match="do not use device 'cuda:0'"):
        create_detector(path, device="cuda:0")


@pytest.mark.data
def test_yolox_nano_finds_the_people_of_the_shop(data_root: Path) -> None:
    detector = create_detector(str(data_root / "weights" / "yolox_nano.onnx"), confidence=0.25)
    video = cv2.VideoCapture(str(data_root / "data" / "video" / "retail-3cam" / "cam2.mp4"))
    frames = people = 0
    while (picture := video.read())[0]:
        people += len(detector.detect([Frame("cam2", frames, 0.0, picture[1])])[0])
        frames += 1
    assert frames == 419
    assert people == pytest.approx(595, rel=0.01)
