"""Recall and precision in the room: people and boxes counted by hand, and images that show what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.room_detection import (
    PRECISION_TARGET,
    RECALL_TARGET,
    RoomImage,
    SeenPerson,
    detected,
    precision_rows,
    recall_rows,
    room_images,
)
from benchmarks.simulation.variation import encoded
from tracker.detections import Detections
from tracker.detectors import create_detector
from tracker.errors import InputError
from tracker.video.frames import Frame

_BLACK = encoded(np.zeros((48, 64, 3), np.uint8), 90)


def person(left: float, pose: str = "walking", *, seen: float = 1.0, height: float = 100.0) -> SeenPerson:
    box = (left, 10.0, left + 40, 10.0 + height)
    half = (left, 10.0, left + 40, 10.0 + 0.3 * height)
    return SeenPerson(box, box if seen == 1 else half, seen, pose)


def image(*people: SeenPerson, camera: str = "cam1") -> RoomImage:
    return RoomImage(0, camera, 0, _BLACK, people)


def found(*people: SeenPerson, score: float = 0.9) -> Detections:
    return Detections([other.box for other in people], [score] * len(people)) if people else Detections.empty()


def test_recall_is_the_share_of_clearly_visible_people_that_are_found_by_pose() -> None:
    walking, standing, sitting = person(0), person(100, "standing"), person(200, "seated")
    hidden, small = person(300, seen=0.4), person(400, height=70)
    images = [image(walking, standing, sitting, hidden, small), image(walking, standing)]
    rows = recall_rows(images, [found(walking, hidden), found(walking, standing)])
    assert [(row["name"], row["people"], row["found"], row["recall"]) for row in rows] == [
        ("walking", 2, 2, 100),
        ("standing", 2, 1, 50),
        ("walking and standing", 4, 3, 75),
        ("seated", 1, 0, 0),
    ]
    assert [row.get("target") for row in rows] == [None, None, RECALL_TARGET, None]


def test_one_box_finds_one_person_only() -> None:
    rows = recall_rows([image(person(0), person(2))], [found(person(1))])
    assert rows[0]["found"] == 1


def test_nobody_to_find_is_no_figure() -> None:
    rows = recall_rows([image()], [found(person(0))])
    assert [row["recall"] for row in rows] == [None] * 4


def test_precision_neither_asks_for_hidden_people_nor_holds_them_against_a_detector() -> None:
    clear, hidden, small = person(0), person(100, seen=0.4), person(200, height=30)
    images = [image(clear, hidden, small), image(clear, camera="cam2")]
    whole = Detections([hidden.box, hidden.visible_box, small.box, clear.box], [0.9, 0.8, 0.7, 0.6])
    rows = precision_rows(images, [whole, found(clear)])
    assert [(row["sequence"], row["people"], row["AP50"]) for row in rows] == [
        ("cam1", 1, pytest.approx(100)),
        ("cam2", 1, pytest.approx(100)),
        ("combined", 2, pytest.approx(100)),
    ]
    assert rows[2]["target"] == PRECISION_TARGET
    nothing = Detections([[500, 10, 540, 110]], [0.95])
    worse = precision_rows(images, [Detections.concatenate([whole, nothing]), found(clear)])
    assert worse[0]["AP50"] == pytest.approx(50) and worse[1]["AP50"] == pytest.approx(100)


@pytest.fixture(scope="module")
def pictures() -> list[RoomImage]:
    return room_images([0], moments=2, spacing_seconds=3.0, size=(192, 144), workers=1)


def test_images_are_those_of_four_cameras_and_the_people_in_them_are_true(pictures: list[RoomImage]) -> None:
    assert [picture.camera for picture in pictures] == ["cam1", "cam2", "cam3", "cam4"] * 2
    assert [picture.frame for picture in pictures] == [5] * 4 + [11] * 4
    people = [(picture, seen) for picture in pictures for seen in picture.people]
    assert len(people) > 10
    for picture, seen in people:
        assert picture.pixels.shape == (144, 192, 3)
        x1, y1, x2, y2 = seen.box
        assert 0 <= x1 < x2 <= 192 and 0 <= y1 < y2 <= 144
        assert 0 < seen.visibility <= 1 and seen.pose in ("walking", "standing", "seated")
        a1, b1, a2, b2 = seen.visible_box
        assert a1 >= x1 - 1 and b1 >= y1 - 1 and a2 <= x2 + 1 and b2 <= y2 + 1


class _Oracle:
    """Knows the truth, by the number of the frame."""

    description = "oracle"
    needs_images = True

    def __init__(self, images: list[RoomImage]) -> None:
        self._images = images

    def detect(self, frames: list[Frame]) -> list[Detections]:
        for frame in frames:
            assert frame.image is not None and frame.camera == self._images[frame.index].camera
        return [Detections([seen.box for seen in self._images[frame.index].people]) for frame in frames]


def test_who_knows_the_truth_has_everything_right(pictures: list[RoomImage]) -> None:
    result = detected(_Oracle(pictures), pictures)  # type: ignore[arg-type]
    assert precision_rows(pictures, result, minimum_height=10)[-1]["AP50"] == pytest.approx(100)
    rows = recall_rows(pictures, result, minimum_height=10)
    assert {row["recall"] for row in rows} <= {100, None}


def test_only_test_scenes_are_measured_and_only_by_who_looks() -> None:
    with pytest.raises(InputError, match="seed 100000 is not one of the test seeds"):
        room_images([0, 100_000])
    with pytest.raises(InputError, match="0 moments"):
        room_images([0], moments=0)
    reader = _Oracle([])
    reader.needs_images = False
    with pytest.raises(InputError, match="does not look at images"):
        detected(reader, [])  # type: ignore[arg-type]


@pytest.mark.data
def test_a_detector_trained_on_photographs_finds_most_people(data_root: Path) -> None:
    path = data_root / "weights" / "yolox_nano.onnx"
    if not path.is_file():
        pytest.skip(f"no detector at {path}")
    images = room_images([1], moments=2, workers=1)
    rows = recall_rows(images, detected(create_detector(str(path), confidence=0.3), images))
    assert rows[2]["people"] >= 10 and rows[2]["recall"] > 75
