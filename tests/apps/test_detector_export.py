"""``multicam detector export``: files that give PyTorch's output and say how they are fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.apps.command import Command, assert_one_line, files_in, read_json
from tests.tracker.detectors.conftest import ultralytics  # noqa: F401
from tests.tracker.detectors.test_yolo import model  # noqa: F401
from tracker.detectors.conversion import pytorch_output
from tracker.detectors.onnx import OnnxDetector
from tracker.detectors.raw_outputs import raw_differences

SIZE = ("--image-size", 64)


@pytest.mark.parametrize("suffix", [".xml", ".torchscript"])
def test_a_model_in_other_formats(multicam: Command, model: Path, tmp_path: Path, suffix: str) -> None:  # noqa: F811
    file = tmp_path / "new" / f"tiny{suffix}"
    outcome = multicam("detector", "export", model, "-o", file, *SIZE)
    assert (outcome.code, outcome.err) == (0, ""), outcome.err
    assert outcome.out.startswith(f"{file}: tiny.pt (yolo), ") and "pixels of PyTorch's" in outcome.out
    weights = ["tiny.bin"] if suffix == ".xml" else []
    assert sorted(files_in(file.parent)) == sorted([*weights, "tiny.json", file.name])
    record = read_json(file.with_suffix(".json"))
    assert (record["color_order"], record["mean"], record["std"]) == ("RGB", [0, 0, 0], [1, 1, 1])
    assert record["names"]["0"] == "person" and record["input_size"] == [64, 64]
    detector = OnnxDetector(file, classes=None)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    found = raw_differences(pytorch_output(model), detector.raw_output, [picture])
    assert found["box"] < 0.05 and found["score"] < 1e-3
    # what stands beside the network is followed
    file.with_suffix(".json").write_text('{"color_order": "BGR", "names": {"0": "guest"}}')
    swapped = OnnxDetector(file, classes=None)
    assert swapped.class_names == {0: "guest"}
    expected = detector.raw_output(picture[None])
    np.testing.assert_allclose(swapped.raw_output(picture[None, ..., ::-1]), expected, atol=0.05)
    assert np.abs(swapped.raw_output(picture[None]) - expected).max() > 0.05, "the order of channels matters"
    assert_one_line(multicam("detector", "export", model, "-o", file, *SIZE), "exists already", "--overwrite")


def test_what_cannot_be_exported_is_one_line(multicam: Command, tmp_path: Path) -> None:
    given = ("detector", "export", "yolo11n_room", "-o")
    for arguments, message in (
        ((tmp_path / "a.engine",), "must end in .onnx, .xml (OpenVINO) or .torchscript"),
        ((tmp_path / "a.torchscript",), "TorchScript is made from .pt files"),
        ((tmp_path / "a.onnx", "--precision", "int4"), "give float32 or int8"),
        ((tmp_path / "a.onnx", "--precision", "int8"), "go together"),
        ((tmp_path / "a.xml", "--precision", "int8", "--calibration-images", tmp_path), "written as ONNX"),
        ((tmp_path / "a.onnx", "--precision", "int8", "--calibration-images", tmp_path), "holds 0 pictures"),
        ((tmp_path / "a.onnx", "--image-size", 8), "is too small"),
    ):
        assert_one_line(multicam(*given, *arguments), message)
    assert_one_line(multicam("detector", "export", "no.onnx", "-o", tmp_path / "a.xml"), "no.onnx does not exist")
    assert list(tmp_path.iterdir()) == []
