"""Training a detector on a few images: what comes out is a detector that runs without ultralytics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.detector_training import main
from tracker.detectors import create_detector
from tracker.video.frames import Frame


@pytest.fixture
def few_images(tmp_path: Path) -> Path:
    """Four images with one rectangle each, in the layout of ultralytics."""
    generator = np.random.default_rng(0)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / "set" / kind / part).mkdir(parents=True)
        for number in range(4):
            image = generator.integers(90, 110, (96, 128, 3), np.uint8)
            cv2.rectangle(image, (40, 20), (70, 80), (30, 30, 200), -1)
            cv2.imwrite(str(tmp_path / "set/images" / part / f"{number}.jpg"), image)
            label = tmp_path / "set/labels" / part / f"{number}.txt"
            label.write_text(f"0 {55 / 128:.4f} {50 / 96:.4f} {30 / 128:.4f} {60 / 96:.4f}\n")
    data = tmp_path / "set/data.yaml"
    data.write_text("train: images/train\nval: images/val\nnames: {0: person}\n")
    return data


def test_a_trained_detector_runs_as_onnx(few_images: Path, tmp_path: Path) -> None:
    output = tmp_path / "detector.onnx"
    arguments = ["--data", few_images, "-o", output, "--run", tmp_path / "run", "--epochs", 1, "--image-size", 128]
    main([str(argument) for argument in (*arguments, "--batch", 4)])
    # The nano network in 16 bits.
    assert output.stat().st_size < 6e6
    assert str(tmp_path).encode() not in output.read_bytes(), "where the data lay is nobody's business"
    detector = create_detector(str(output), confidence=0.0)
    assert dict(detector.class_names) == {0: "person"}
    image = cv2.imread(str(few_images.parent / "images/val/0.jpg"))
    (found,) = detector.detect([Frame("camera", 0, 0.0, image)])
    assert len(found.boxes) and np.isfinite(found.boxes).all()


def refusal(arguments: Sequence[object], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which refuses; return the one line that it says."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and error.count("\n") == 1
    return error


def test_a_missing_set_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refusal(["--data", tmp_path / "data.yaml", "-o", tmp_path / "out.onnx"], capsys)
    assert str(tmp_path / "data.yaml") in error and "detector-set" in error


def test_nothing_to_resume_is_one_line(few_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", few_images, "-o", tmp_path / "out.onnx", "--run", tmp_path / "run", "--resume"]
    assert "nothing to resume" in refusal(arguments, capsys)


def test_a_wrong_option_is_one_line(few_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", few_images, "-o", tmp_path / "out.onnx", "--epochs", 0]
    assert "--epochs" in refusal(arguments, capsys)
