"""Models of ultralytics from the cache: the boxes of PyTorch without PyTorch, and PyTorch where they would differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_models.runtimes.export_cache import CachedExport, ExportRefused
from tests.tracker.detectors.test_yolo import model, one_thread, pictures  # noqa: F401
from tracker.detections import Detections
from tracker.detectors import cached, create_detector
from tracker.detectors.cached import CheckedDetector
from tracker.detectors.detector_record import DetectorRecord, read_detector_record
from tracker.detectors.raw_outputs import raw_differences
from tracker.errors import InputError
from tracker.video.frames import Frame

ROOT = Path(__file__).resolve().parents[3]
OPTIONS: dict[str, Any] = {"confidence": 0.3, "iou": 0.5, "image_size": 96, "device": "cpu"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cached, "_EXPORTED_SIZE", 96)
    return tmp_path / "cache"


def test_outputs_are_pytorchs_and_the_second_start_does_without_it(model: Path, cache: Path) -> None:  # noqa: F811
    detector = create_detector(str(model), **OPTIONS)
    assert isinstance(detector, CheckedDetector)
    assert detector.description.startswith("tiny.pt (yolo 96x96 at most, openvino float32")
    found = detector.detect(pictures())
    assert sum(map(len, found)) > 10
    wanted = create_detector(str(model), runtime="torch", **OPTIONS).detect(pictures())
    # of boxes of nearly one score suppression may leave others: the best of each picture is sure
    for one, other in zip(wanted, found):
        assert other.scores[0] == pytest.approx(one.scores[0], abs=1e-3)
    (facts,) = (cache / "exports").glob("*.json")
    assert '"frames_of_a_video": 4' in facts.read_text()
    code = f"""
import sys
import numpy as np
from tracker.detectors import cached, create_detector
from tracker.video.frames import Frame
cached._EXPORTED_SIZE = 96
again = create_detector({str(model)!r}, confidence=0.3, iou=0.5, image_size=96, device="cpu")
again.detect([Frame("a", 0, 0.0, np.zeros((90, 160, 3), np.uint8))])
assert not {{"torch", "ultralytics"}} & sys.modules.keys()
assert again.class_names[0] == "person" and len(again.class_names) == 80
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)
    again = create_detector(str(model), **OPTIONS).detect(pictures())
    for one, other in zip(found, again):
        np.testing.assert_array_equal(one.boxes, other.boxes)


def test_a_refused_export_leaves_the_detector_to_pytorch(
    model: Path,  # noqa: F811
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tracker.detectors.conversion as conversion

    def refuse(*_: object) -> None:
        raise ExportRefused("in openvino boxes differ from the original's by 3.000 pixels")

    monkeypatch.setattr(conversion, "export_onnx", refuse)
    for _ in range(2):
        with pytest.warns(
            RuntimeWarning, match=r"export of tiny\.pt is not used \(in openvino boxes differ .* PyTorch"
        ):
            detector = create_detector(str(model), **OPTIONS)
        assert detector.description.startswith("tiny.pt (ultralytics ")
        monkeypatch.setattr(conversion, "export_onnx", lambda *_: pytest.fail("exported again"))


class Fixed:
    """A detector whose network gives the same for every picture."""

    def __init__(self, name: str, left: float) -> None:
        self.description, self.asked = name, 0
        self.output = np.array([[[left, 10, 20, 40, 0.9, 0]]], np.float32)

    def detect(self, frames: list[Frame]) -> list[Detections]:
        box, scores = self.output[0, :, :4], self.output[0, :, 4]
        return [Detections(box, scores, np.zeros(1, np.int64)) for _ in frames]

    def canvas_of(self, frame: Frame) -> Any:
        return frame.image

    def raw_output(self, images: Any) -> Any:
        self.asked += len(images)
        return self.output


def test_the_first_frames_of_a_video_are_compared(cache: Path, tmp_path: Path) -> None:
    frames = [Frame("a", number, 0.0, np.zeros((32, 32, 3), np.uint8)) for number in range(3)]
    kept = CachedExport(tmp_path / "x.onnx", {}, True)
    export, original = Fixed("export", 10), Fixed("original", 10.5)
    fail = lambda: pytest.fail("PyTorch is not needed")  # noqa: E731
    checked = CheckedDetector(export, original.raw_output, fail, kept)  # type: ignore[arg-type]
    for _ in range(3):
        assert [found.boxes[0, 0] for found in checked.detect(frames)] == [10, 10, 10]
    assert (original.asked, checked.description) == (4, "export") and kept.facts == {"frames_of_a_video": 4}
    original = Fixed("original", 12)
    checked = CheckedDetector(export, original.raw_output, lambda: original, kept)  # type: ignore[arg-type]
    with pytest.warns(RuntimeWarning, match="by 2.000 pixels"):
        assert [found.boxes[0, 0] for found in checked.detect(frames)] == [12, 12, 12]
    assert checked.description == "original" and "2.000 pixels" in kept.facts["refused"]


def test_raw_outputs_are_compared_by_corner_and_score() -> None:
    picture = [np.zeros((32, 32, 3), np.uint8)]
    cells = np.zeros((1, 6, 21), np.float32)
    cells[0, :4, 5], cells[0, 4, 5] = [16, 16, 8, 8], 0.7
    moved = cells.copy()
    moved[0, 2, 5] += 0.5  # wider: each side a quarter of a pixel further out
    moved[0, 4, 5] -= 0.02
    found = raw_differences(lambda _: cells, lambda _: moved, picture)
    assert found == {"box": pytest.approx(0.25), "score": pytest.approx(0.02, abs=1e-6)}
    chosen = np.array([[[1, 1, 9, 9, 0.9, 0], [20, 1, 29, 9, 0.8, 0], [0, 0, 1, 1, 0.01, 0]]], np.float32)
    swapped = chosen[:, [1, 0, 2]].copy()
    swapped[0, 2] = [5, 5, 9, 9, 0.02, 3]
    assert raw_differences(lambda _: chosen, lambda _: swapped, picture) == {"box": 0.0, "score": 0.0}
    swapped[0, 0, 5] = 1
    assert raw_differences(lambda _: chosen, lambda _: swapped, picture)["box"] == float("inf")
    broken = np.full_like(cells, np.nan)
    assert raw_differences(lambda _: cells, lambda _: broken, picture)["score"] == float("inf")


def test_the_record_beside_a_detector_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    assert read_detector_record(path, "yolox") == DetectorRecord.of_kind("yolox")
    assert DetectorRecord.of_kind("yolox").pixels.std == (1.0, 1.0, 1.0)
    assert DetectorRecord.of_kind("yolo").pixels.std == (255.0, 255.0, 255.0)
    path.with_suffix(".json").write_text('{"color_order": "BGR", "names": {"0": "guest"}, "mean": [0.5, 0.4, 0.3]}')
    record = read_detector_record(path, "yolo")
    assert record.names == ((0, "guest"),) and not record.pixels.red_first
    assert record.pixels.mean == pytest.approx((127.5, 102, 76.5))
    for text, message in (
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ('{"colour_order": "RGB"}', "unknown field 'colour_order': did you mean 'color_order'"),
        ('{"color_order": "GBR"}', "is not RGB or BGR"),
        ('{"std": [1, 1, 0]}', "must be positive"),
        ('{"mean": [1, 1]}', "mean .* must be 3 numbers"),
    ):
        path.with_suffix(".json").write_text(text)
        with pytest.raises(InputError, match=message):
            read_detector_record(path, "yolo")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "unknown runtime 'tensorrt'"),
        ({"precision": "int4"}, "unknown precision 'int4'"),
        ({"precision": "int8"}, "go together"),
        ({"precision": "float32", "half": True}, "cannot both be"),
        ({"precision": "int8", "calibration_images": "nowhere"}, "nowhere is no folder"),
        ({"precision": "int8", "calibration_images": "x", "runtime": "torch"}, "int8 runs on the processor"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"not looked at")
    spec = "yolo11n_room" if "nowhere" in message else str(tmp_path / "x.pt")
    with pytest.raises(InputError, match=message):
        create_detector(spec, device="cpu", **options)
