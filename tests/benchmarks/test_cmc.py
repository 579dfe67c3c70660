"""Reading the CMC sequences: a small one written here, what is wrong with others, and the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cmc import (
    DETECTORS,
    CmcSequence,
    cmc_detections,
    cmc_published_estimates,
    cmc_sequence,
    cmc_truth,
    evaluated_frames,
    jittered,
)
from benchmarks.world_metrics import FloorTracks, score_floor
from tracker.detections import Detections
from tracker.errors import InputError

PROJECTION = [[500.0, -1300.0, -430.0, 4790.0], [2.0, -12.0, -1232.0, 2729.0], [0.85, -0.27, -0.45, 1.6]]
DESCRIPTION: dict[str, Any] = {
    "sequence": "CMC9",
    "fps": 4,
    "frames": 3,
    "first_frame": 1,
    "image_size": [1920, 1024],
    "room_m": [7.67, 3.41, 2.7],
    "tracked_area_m": {"x": [2.0, 6.0], "y": [0.0, 3.0]},
    "cameras": {"cam1": {"P": PROJECTION}, "cam2": {"P": PROJECTION}},
}


def describe(folder: Path, **changes: Any) -> None:
    content = {name: value for name, value in (DESCRIPTION | changes).items() if value is not None}
    (folder / "cameras.json").write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three frames of two cameras; of CSTrack there is the first camera only; the truth ends with frame 2."""
    folder = tmp_path / "CMC9"
    for name in DETECTORS.values():
        (folder / name).mkdir(parents=True)
    describe(folder)
    for name in ("det", "det-fairmot"):
        (folder / name / "cam1.txt").write_text(
            "1,-1,10.00,20.00,30.00,40.00,0.9000\n1,-1,-5.50,0.00,10.00,20.00,0.3000\n3,-1,1.00,2.00,3.00,4.00,0.5000\n"
        )
        (folder / name / "cam2.txt").write_text("2,-1,100.00,200.00,50.00,60.00,0.8000\n")
    (folder / "det-cstrack/cam1.txt").write_text("3,-1,1,2,3,4,0.5\n1,-1,10,20,30,40,0.9\n1,-1,50,20,30,40,0.7\n")
    np.save(folder / "det-cstrack/cam1.features_int8.npy", np.array([[0, 0], [3, 4], [0, -7]], np.int8))
    (folder / "gt_world.txt").write_text(
        "1,1,2.5,1.5,0.8,0.5,0.5,0.8\n2,1,2.6,1.5,0.8,0.5,0.5,0.8\n1,2,4,2,.8,.5,.5,.8\n"
    )
    (folder / "published_estimates.txt").write_text("1,35,2.4,1.5,0.8\n")
    return folder


@pytest.fixture
def sequence(folder: Path) -> CmcSequence:
    return cmc_sequence(folder)


def test_the_description(sequence: CmcSequence) -> None:
    assert sequence.name == "CMC9"
    assert (sequence.first_frame, sequence.last_frame, sequence.frame_rate) == (1, 3, 4.0)
    assert (sequence.area.x, sequence.area.y) == ((2.0, 6.0), (0.0, 3.0))
    assert sequence.room == (7.67, 3.41, 2.7)
    assert [camera.name for camera in sequence.cameras] == ["cam1", "cam2"]
    assert sequence.cameras[0].image_size == (1920, 1024)
    assert sequence.cameras[0].projection.dtype == np.float64
    np.testing.assert_array_equal(sequence.cameras[1].projection, PROJECTION)


def test_detections_of_every_camera_and_frame(sequence: CmcSequence) -> None:
    found = cmc_detections(sequence, "frcnn")
    assert {camera: {frame: len(part) for frame, part in frames.items()} for camera, frames in found.items()} == {
        "cam1": {1: 2, 2: 0, 3: 1},
        "cam2": {1: 0, 2: 1, 3: 0},
    }
    np.testing.assert_allclose(found["cam1"][1].boxes, [[10, 20, 40, 60], [-5.5, 0, 4.5, 20]])
    np.testing.assert_allclose(found["cam1"][1].scores, [0.9, 0.3])
    assert found["cam1"][1].features is None


def test_features_follow_their_lines_and_have_length_one(sequence: CmcSequence) -> None:
    with pytest.warns(RuntimeWarning, match="not sorted by frame"):
        found = cmc_detections(sequence, "cstrack")
    assert list(found) == ["cam1"]
    np.testing.assert_allclose(found["cam1"][1].boxes[:, 0], [10, 50])
    np.testing.assert_allclose(found["cam1"][1].features, [[0.6, 0.8], [0, -1]], atol=1e-7)
    assert np.isnan(found["cam1"][3].features).all()


def test_truth_area_and_the_frames_that_count(sequence: CmcSequence) -> None:
    truth = cmc_truth(sequence)
    assert truth.frames.tolist() == [1, 2, 1]
    assert truth.ids.tolist() == [1, 1, 2]
    np.testing.assert_allclose(truth.positions, [[2.5, 1.5], [2.6, 1.5], [4, 2]])
    assert evaluated_frames(sequence, truth) == (1, 2)
    assert cmc_published_estimates(sequence).ids.tolist() == [35]
    strangers = FloorTracks([1, 1, 1], [1, 2, 3], [[1.9, 1.0], [2.0, 1.0], [3.0, 3.2]])
    assert strangers.inside(sequence.area).ids.tolist() == [2]
    with pytest.raises(InputError, match="nobody in frames 1 to 3"):
        evaluated_frames(sequence, FloorTracks([4], [1], [[2, 2]]))


def test_detections_beyond_the_last_frame_are_left_out_with_a_warning(folder: Path) -> None:
    describe(folder, frames=2)
    with pytest.warns(RuntimeWarning, match=r"cam1.txt: 1 detections outside of frames 1 to 2"):
        found = cmc_detections(cmc_sequence(folder), "fairmot")
    assert list(found["cam1"]) == [1, 2]


def test_jitter_is_small_repeatable_and_keeps_the_rest(sequence: CmcSequence) -> None:
    found = cmc_detections(sequence, "frcnn")
    found["cam1"][1] = found["cam1"][1].with_features([[0.6, 0.8], [0, 1]])
    moved, again, other = jittered(found, 3), jittered(dict(reversed(found.items())), 3), jittered(found, 4)
    assert list(moved) == list(found)
    for camera, frames in found.items():
        assert list(moved[camera]) == list(frames)
        for frame, part in frames.items():
            np.testing.assert_array_equal(moved[camera][frame].boxes, again[camera][frame].boxes)
            np.testing.assert_array_equal(moved[camera][frame].scores, part.scores)
            assert (part.features is None) == (moved[camera][frame].features is None)
            if len(part):
                assert (moved[camera][frame].boxes != part.boxes).all()
                assert (moved[camera][frame].boxes != other[camera][frame].boxes).any()
    with pytest.raises(InputError, match="-1"):
        jittered(found, 0, sigma_pixels=-1)


def test_jitter_has_the_deviation_asked_for_and_never_turns_a_box_over() -> None:
    many = Detections(np.tile([100.0, 200.0, 150.0, 300.0], (4000, 1)))
    noise = jittered({"a": {1: many}}, 0)["a"][1].boxes - many.boxes
    assert noise.std(axis=0) == pytest.approx([0.1] * 4, rel=0.05)
    assert noise.mean(axis=0) == pytest.approx([0] * 4, abs=0.01)
    thin = Detections(np.tile([100.0, 200.0, 100.1, 200.1], (200, 1)))
    boxes = jittered({"a": {1: thin}}, 0, sigma_pixels=1.0)["a"][1].boxes
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def remove(name: str):
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str):
    return lambda folder: (folder / name).write_text(text)


def change(**changes: Any):
    return lambda folder: describe(folder, **changes)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove("cameras.json"), r"no such file: .*cameras\.json"),
        (write("cameras.json", "{"), r"cameras\.json is not JSON"),
        (write("cameras.json", "[]"), "no JSON object"),
        (change(fps=None), r"cameras\.json: fps is missing"),
        (change(fps=0), "fps is 0; give a number above 0"),
        (change(frames="many"), "frames is not numeric"),
        (change(image_size=[1920]), r"image_size has shape \(1,\)"),
        (change(cameras=None), "cameras is missing"),
        (change(cameras={"cam1": {}}), "camera cam1: P is missing; give 3 x 4 numbers"),
        (change(cameras={"cam1": {"P": [[1, 2], [3, 4]]}}), r"camera cam1: P has shape \(2, 2\)"),
        (change(cameras={"cam1": {"P": [[1, 2, 3, 4]] * 2 + [[1, 2, 3, float("nan")]]}}), "P is not finite"),
        (change(tracked_area_m=None), "tracked_area_m: x is missing"),
        (change(tracked_area_m={"x": [6, 2], "y": [0, 3]}), r"tracked_area_m: .*from 6\.0 to 2\.0"),
    ],
)
def test_descriptions_that_cannot_be_used(folder: Path, spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=message):
        cmc_sequence(folder)


@pytest.mark.parametrize(
    ("spoil", "detector", "message"),
    [
        (remove("det/cam2.txt"), "frcnn", r"no such file: .*cam2\.txt; cameras\.json names cam2"),
        (write("det/cam2.txt", "1,-1,x,2,3,4,5\n"), "frcnn", r"cam2\.txt, line 1: 'x' is not a number"),
        (remove("det-cstrack/cam1.txt"), "cstrack", "no file of any camera"),
        (remove("det-cstrack/cam1.features_int8.npy"), "cstrack", "comes with its features"),
        (write("det-cstrack/cam1.features_int8.npy", "text"), "cstrack", "is no NumPy array"),
        (write("det-cstrack/cam1.txt", "1,-1,10,20,30,40,0.9\n"), "cstrack", r"shape \(3, 2\) of int8, .* 1 lines"),
        (lambda folder: None, "fairmott", "did you mean 'fairmot'"),
    ],
)
def test_detections_that_cannot_be_used(folder: Path, spoil, detector: str, message: str) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=message):
        cmc_detections(cmc_sequence(folder), detector)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove("gt_world.txt"), "CMC9 has no ground truth"),
        (write("gt_world.txt", "1,1,2.0\n"), r"gt_world\.txt, line 1: 3 columns; expected frame, id, x, y"),
        (write("gt_world.txt", "1,1,2,3\n2,1,2\n"), r"line 2: 3 columns"),
        (write("gt_world.txt", "1,1,2,3\n\n2,1,two,3\n"), "line 3: not finite numbers"),
        (write("gt_world.txt", "1,1,2,3\n2,1,inf,3\n"), "line 2: not finite numbers"),
        (write("gt_world.txt", "1,1,2,3\n1,1,2,4\n"), r"gt_world\.txt: id 1 is in two places in frame 1"),
        (write("gt_world.txt", "1.5,1,2,3\n"), r"gt_world\.txt: frame 1\.5"),
    ],
)
def test_truth_that_cannot_be_used(folder: Path, spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=message):
        cmc_truth(cmc_sequence(folder))


def test_what_is_missing_is_named_with_what_there_is(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no CMC sequence .*CMC8; Known: CMC9"):
        cmc_sequence(folder.with_name("CMC8"))
    for path in (folder / "det-fairmot").iterdir():
        path.unlink()
    (folder / "det-fairmot").rmdir()
    with pytest.raises(InputError, match=r"no fairmot detections: .*there are: frcnn, cstrack"):
        cmc_detections(cmc_sequence(folder), "fairmot")
    (folder / "published_estimates.txt").unlink()
    with pytest.raises(InputError, match="no published estimates"):
        cmc_published_estimates(cmc_sequence(folder))


@pytest.mark.data
def test_the_real_sequences_have_the_lines_they_should(data_root: Path) -> None:
    """Detections as ``wc -l`` counts them, those of CSTrack with 512 numbers each."""
    counts = {
        ("CMC1", "frcnn"): (1187, 1208, 1265, 1561),
        ("CMC1", "fairmot"): (687, 1000, 983, 674),
        ("CMC1", "cstrack"): (774, 1259, 1385, 840),
        ("CMC2", "frcnn"): (2266, 2318, 2290, 2221),
        ("CMC2", "fairmot"): (1976, 2118, 2089, 1954),
        ("CMC2", "cstrack"): (1981, 1928),
        ("CMC4", "frcnn"): (451, 434, 462, 473),
        ("CMC4", "fairmot"): (411, 404, 414, 401),
    }
    frames = {"CMC1": 261, "CMC2": 263, "CMC4": 147}
    for (name, detector), expected in counts.items():
        sequence = cmc_sequence(data_root / "data/cmc" / name)
        assert sequence.last_frame == frames[name]
        found = cmc_detections(sequence, detector)
        assert tuple(sum(map(len, parts.values())) for parts in found.values()) == expected
        assert all(list(parts) == list(range(1, frames[name] + 1)) for parts in found.values())
    assert list(cmc_detections(cmc_sequence(data_root / "data/cmc/CMC2"), "cstrack")) == ["cam1", "cam4"]
    features = cmc_detections(cmc_sequence(data_root / "data/cmc/CMC1"), "cstrack")["cam2"][100].features
    assert features is not None
    assert features.shape[1] == 512
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    with pytest.raises(InputError, match="CMC4 has no ground truth"):
        cmc_truth(cmc_sequence(data_root / "data/cmc/CMC4"))


@pytest.mark.data
def test_the_real_matrices_put_people_where_boxes_are(data_root: Path) -> None:
    """The floor under a person is seen 30 to 65 pixels from the bottom of the box (README; median)."""
    sequence = cmc_sequence(data_root / "data/cmc/CMC1")
    found, truth = cmc_detections(sequence, "fairmot"), cmc_truth(sequence)
    for camera in sequence.cameras:
        nearest = []
        for frame, position in zip(truth.frames.tolist(), truth.positions):
            boxes = found[camera.name][frame].boxes
            u, v, w = camera.projection @ [*position, 0.0, 1.0]
            feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
            if w > 0 and len(boxes):
                nearest.append(np.linalg.norm(feet - [u / w, v / w], axis=1).min())
        assert 15 < np.median(nearest) < 80, camera.name


@pytest.mark.data
@pytest.mark.parametrize("engine", ["motmetrics", "trackeval"])
def test_published_estimates_score_what_is_published(data_root: Path, engine) -> None:
    """To the digits of the data's README; truth and estimates as they are, not cut to the tracked area."""
    sequences, frame_ranges = {}, {}
    for name in ("CMC1", "CMC2"):
        sequence = cmc_sequence(data_root / "data/cmc" / name)
        sequences[name] = cmc_truth(sequence), cmc_published_estimates(sequence)
        frame_ranges[name] = evaluated_frames(sequence, sequences[name][0])
    assert frame_ranges == {"CMC1": (1, 261), "CMC2": (1, 261)}
    assert [(len(truth), len(np.unique(truth.ids))) for truth, _ in sequences.values()] == [(656, 3), (2076, 10)]
    rows = score_floor(sequences, frame_ranges=frame_ranges, engine=engine)["rows"]
    names = ("MOTA@1m", "IDF1@1m", "MOTA@0.5m", "IDF1@0.5m", "HOTA@1m")
    figures = {row["sequence"]: [round(row[name], 1) for name in names] for row in rows}
    assert figures["CMC1"] == [100.0, 100.0, 100.0, 100.0, 91.9]
    assert figures["CMC2"] == [98.5, 99.3, 94.0, 96.7, 81.4]
