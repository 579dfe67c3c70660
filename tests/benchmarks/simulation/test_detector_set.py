"""The detector set: laid out as ultralytics wants it, with the boxes of the truth."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.simulation.cameras import corner_cameras
from benchmarks.simulation.detector_set import (
    FRAME_RATE,
    FRAMES_FILE,
    DetectorSet,
    DetectorSetSettings,
    labelled_boxes,
    write_detector_set,
)
from benchmarks.simulation.render import Sighting
from benchmarks.simulation.scene import MAXIMUM_AT_ONCE, make_scene
from benchmarks.simulation.seeds import TRAINING_SEEDS, VALIDATION_SEEDS
from benchmarks.simulation.truth import clip_box
from benchmarks.simulation.variation import Variation, people_of, renderer_of
from tracker.errors import InputError

_SIZE = (192, 144)
_SETTINGS = DetectorSetSettings(
    cameras=2,
    moments=3,
    spacing_seconds=2.0,
    empty_share=0.25,
    variation=Variation(sizes=((160, 120), (192, 144))),
    corner_size=_SIZE,
)
_COUNTS = {"images": 8, "validation_images": 5, "seed": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DetectorSet:
    folder = tmp_path_factory.mktemp("detector") / "set"
    calls: list[tuple[int, int]] = []
    result = write_detector_set(
        folder, **_COUNTS, settings=_SETTINGS, workers=1, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(number, 13) for number in range(1, 14)]
    return result


def _frames(folder: Path) -> list[dict[str, str]]:
    with (folder / FRAMES_FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def _boxes(folder: Path, name: str) -> np.ndarray:
    """The label file's boxes in pixels."""
    path = folder / "labels" / f"{name}.txt"
    numbers = np.loadtxt(path, ndmin=2) if path.read_text() else np.zeros((0, 5))
    assert (numbers[:, 0] == 0).all()
    height, width = cv2.imread(str(folder / "images" / f"{name}.jpg")).shape[:2]
    centre, size = numbers[:, 1:3] * (width, height), numbers[:, 3:5] * (width, height)
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def test_ultralytics_reads_the_set_from_anywhere(
    made: DetectorSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.chdir(tmp_path)
    from ultralytics.data.utils import check_det_dataset

    found = check_det_dataset(os.path.relpath(made.data_file, tmp_path), autodownload=False)
    assert (found["nc"], found["names"]) == (1, {0: "person"})
    for part, count in (("train", 8), ("val", 5)):
        images = sorted(Path(found[part]).glob("*.jpg"))
        assert Path(found[part]).resolve() == (made.folder / "images" / part).resolve() and len(images) == count
        labels = {path.stem for path in (made.folder / "labels" / part).iterdir()}
        assert labels == {path.stem for path in images}


def test_frames_are_of_the_right_scenes_and_far_apart(made: DetectorSet) -> None:
    rows = _frames(made.folder)
    assert [row["image"] for row in rows] == [
        *(f"train/{number:06d}" for number in range(1, 9)),
        *(f"val/{number:06d}" for number in range(1, 6)),
    ]
    looks: dict[tuple[int, str], list[float]] = {}
    for row in rows:
        seeds = TRAINING_SEEDS if row["image"].startswith("train") else VALIDATION_SEEDS
        assert int(row["scene_seed"]) in seeds
        looks.setdefault((int(row["scene_seed"]), row["camera"]), []).append(int(row["frame"]) / FRAME_RATE)
    gaps = [gap for times in looks.values() for gap in np.diff(times)]
    assert gaps and min(gaps) >= _SETTINGS.spacing_seconds


def test_labels_are_the_truth_of_the_frame(made: DetectorSet) -> None:
    seconds = _SETTINGS.moments * _SETTINGS.spacing_seconds
    people_seen = 0
    for row in _frames(made.folder):
        if not row["image"].startswith("val"):
            continue
        seed, frame = int(row["scene_seed"]), int(row["frame"])
        at_once = int(np.random.default_rng([seed, 60_223]).integers(1, MAXIMUM_AT_ONCE + 1))
        scene = make_scene(seed=seed, seconds=seconds, people=MAXIMUM_AT_ONCE, at_once=at_once, frame_rate=FRAME_RATE)
        view = corner_cameras(scene.room.width, scene.room.depth, size=_SIZE)[int(row["camera"][-1]) - 1]
        stances = {} if int(row["empty"]) else scene.stances(frame)
        renderer = renderer_of(view, scene.room, people_of(scene))
        image, sightings, _ = renderer.render(seed * 1000 + frame, stances)
        assert image is not None
        expected = [clip_box(s.box, _SIZE) for s in sightings if s.visibility >= 0.2]
        np.testing.assert_allclose(_boxes(made.folder, row["image"]), np.reshape(expected, (-1, 4)), atol=1e-3)
        stored = cv2.imread(str(made.folder / "images" / f"{row['image']}.jpg"))
        assert np.abs(stored.astype(int) - image).mean() < 6, "only compression lies between them"
        people_seen += len(expected)
    assert people_seen > 0


def test_boxes_lie_in_the_image_and_empty_frames_have_none(made: DetectorSet) -> None:
    rows = _frames(made.folder)
    assert any(int(row["empty"]) for row in rows)
    count = 0
    for row in rows:
        boxes = _boxes(made.folder, row["image"])
        count += len(boxes)
        if int(row["empty"]):
            assert len(boxes) == 0
        height, width = cv2.imread(str(made.folder / "images" / f"{row['image']}.jpg")).shape[:2]
        assert (boxes[:, :2] > -1e-3).all() and (boxes[:, 2:] < np.array([width, height]) + 1e-3).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert count == made.boxes > 0


def test_who_is_hardly_seen_gets_no_label() -> None:
    boxes = {0.1: (10.0, 10.0, 20.0, 40.0), 0.2: (-5.0, 30.0, 30.0, 90.0), 1.0: (50.0, 50.0, 70.0, 95.0)}
    sightings = [Sighting(number, box, box, seen, (1, 1)) for number, (seen, box) in enumerate(boxes.items())]
    assert labelled_boxes(sightings, (100, 80), 0.2) == [(0.0, 30.0, 30.0, 80.0), (50.0, 50.0, 70.0, 80.0)]


def test_training_cameras_differ_and_corner_cameras_do_not(made: DetectorSet) -> None:
    """The mean image of a camera that hangs elsewhere is another one."""
    rows = [row for row in _frames(made.folder) if row["image"].startswith("train")]
    means = {}
    for row in rows:
        image = cv2.imread(str(made.folder / "images" / f"{row['image']}.jpg"))
        small = cv2.resize(image, (16, 12), interpolation=cv2.INTER_AREA).astype(float)
        means.setdefault((row["scene_seed"], row["camera"]), []).append(small - small.mean())
    views = [np.mean(images, axis=0) for images in means.values()]
    assert len(views) == 4
    for number, first in enumerate(views):
        for second in views[number + 1 :]:
            assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.9


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(made: DetectorSet, tmp_path: Path) -> None:
    again = write_detector_set(tmp_path / "again", **_COUNTS, settings=_SETTINGS, workers=2)
    contents = [
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (made.folder, again.folder)
    ]
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"images": 0}, "0 training images"),
        ({"images": 5, "validation_images": 0}, "0 validation images"),
        ({"seed": -1}, "data set seed -1"),
        ({"workers": 0}, "0 processes"),
    ],
)
def test_senseless_sets_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, int], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write_detector_set(tmp_path / "set", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="empty_share 2"):
        DetectorSetSettings(empty_share=2)


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_detector_set(tmp_path / "set", images=4, settings=_SETTINGS, workers=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []
