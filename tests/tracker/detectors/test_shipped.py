"""Detectors that come with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.room_detection import RoomImage, detected, precision_rows, room_images
from tracker.detectors import create_detector
from tracker.detectors.shipped import SHIPPED_DETECTORS, shipped_detector
from tracker.video.frames import Frame

LARGEST = 6_000_000


@pytest.fixture(scope="module")
def pictures() -> list[RoomImage]:
    return room_images([7], moments=3, workers=1)


@pytest.mark.parametrize("name", SHIPPED_DETECTORS)
def test_it_is_small_and_has_a_model_card(name: str) -> None:
    file = shipped_detector(name)
    assert file is not None and file.stat().st_size <= LARGEST
    assert b"data.yaml" not in file.read_bytes(), "no path of the machine it was trained on"
    assert f"## `{name}`" in (file.parent / "README.md").read_text(encoding="utf-8")


def test_other_names_are_files_or_models_of_others() -> None:
    assert shipped_detector("yolo11n.pt") is None
    assert shipped_detector("") is None


def test_it_finds_the_people_of_a_room_it_never_saw(pictures: list[RoomImage]) -> None:
    detector = create_detector("yolo11n_room", confidence=0.01)
    assert list(detector.class_names.values()) == ["person"]
    assert precision_rows(pictures, detected(detector, pictures))[-1]["AP50"] > 90


def test_it_needs_no_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    grey = Frame("cam1", 0, 0.0, np.full((480, 640, 3), 128, np.uint8))
    assert [len(boxes) for boxes in create_detector("yolo11n_room", confidence=0.5).detect([grey])] == [0]
