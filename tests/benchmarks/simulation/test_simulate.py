"""A whole small simulation on disk."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.simulation import Sighting, detections_from_truth, simulate_room
from benchmarks.simulation.truth import write_detections, write_truth
from tracker.errors import InputError
from tracker.storage.mot_files import read_detections, read_tracks
from tracker.video.cameras import read_cameras

_SMALL = {"seed": 5, "seconds": 0.8, "cameras": 2, "people": 3, "size": (128, 96)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulation") / "room"
    calls: list[tuple[int, int]] = []
    result = simulate_room(out, workers=2, progress=lambda done, total: calls.append((done, total)), **_SMALL)  # type: ignore[arg-type]
    assert result.frames == 12 and result.cameras == ("cam1", "cam2")
    assert result.cameras_file.is_file()
    assert calls[-1] == (24, 24)
    return out


def test_all_files_are_there_and_nothing_else(folder: Path) -> None:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "cam1.mp4", "cam2.mp4", "truth/cam1.txt", "truth/cam2.txt", "detections/cam1.txt", "detections/cam2.txt",
        "world.txt", "calibration.json", "cameras.yaml",
    }  # fmt: skip


def test_videos_decode_to_every_frame_at_its_time(folder: Path) -> None:
    with av.open(str(folder / "cam2.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = list(container.decode(video=0))
    assert len(frames) == 12
    assert (frames[0].width, frames[0].height) == (128, 96)
    np.testing.assert_allclose([float(frame.time or 0) for frame in frames], np.arange(12) / 15, atol=2e-3)


def test_cameras_file_and_truth_are_read_by_the_tracker(folder: Path) -> None:
    cameras = read_cameras(folder / "cameras.yaml")
    assert [camera.name for camera in cameras] == ["cam1", "cam2"]
    for camera in cameras:
        assert Path(camera.source).is_file()
        assert camera.detections is not None and len(read_detections(camera.detections)) > 0
        truth = read_tracks(folder / "truth" / f"{camera.name}.txt")
        assert truth.last_frame == 12
        assert (truth.boxes[:, 2] > truth.boxes[:, 0]).all()
        assert truth.boxes.min() >= -0.01 and truth.boxes[:, 2].max() <= 128.02
        assert ((truth.visibility > 0) & (truth.visibility <= 1)).all()


def test_floor_positions_and_calibration_put_people_at_their_feet(folder: Path) -> None:
    calibration = json.loads((folder / "calibration.json").read_text())["cameras"][0]
    world = np.loadtxt(folder / "world.txt", delimiter=",", ndmin=2)
    places = {(int(row[0]), int(row[1])): row[2:4] for row in world}
    truth = read_tracks(folder / "truth" / "cam1.txt")
    compared = 0
    for frame, identity, box, visibility in zip(truth.frames, truth.ids, truth.boxes, truth.visibility):
        if visibility < 0.9 or (int(frame), int(identity)) not in places:
            continue
        point = np.array([*places[int(frame), int(identity)], 0.0])
        pixel = np.array(calibration["K"]) @ (np.array(calibration["R"]) @ point + np.array(calibration["t"]))
        foot = pixel[:2] / pixel[2]
        height = box[3] - box[1]
        assert box[0] - 1 <= foot[0] <= box[2] + 1
        assert abs(foot[1] - box[3]) < 0.15 * height
        compared += 1
    assert compared > 5


def test_the_same_seed_gives_the_same_truth_with_any_number_of_processes(folder: Path, tmp_path: Path) -> None:
    simulate_room(tmp_path, workers=1, **_SMALL)  # type: ignore[arg-type]
    for name in ("truth/cam1.txt", "truth/cam2.txt", "detections/cam1.txt", "world.txt", "calibration.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for workers in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            simulate_room(tmp_path / "out", workers=workers, progress=interrupt, **_SMALL)  # type: ignore[arg-type]
        assert not (tmp_path / "out").exists()


def test_unwritable_output_is_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="cannot write the simulation to") as caught:
        simulate_room(blocked / "room", **_SMALL)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="0 processes"):
        simulate_room(tmp_path, workers=0, **_SMALL)  # type: ignore[arg-type]


def _crowd(visibility: float, frames: int = 600) -> list[list[Sighting]]:
    box, seen = (100.0, 50.0, 160.0, 230.0), (100.0, 50.0, 160.0, 140.0)
    return [[Sighting(1, box, box if visibility == 1 else seen, visibility, (1.0, 1.0))] for _ in range(frames)]


def test_simulated_detector_misses_and_doubts_hidden_people_more() -> None:
    size = (640, 480)
    clear = detections_from_truth(_crowd(1.0), size, seed=1, miss_rate=0.05, false_alarms=0)
    hidden = detections_from_truth(_crowd(0.3), size, seed=1, miss_rate=0.05, false_alarms=0)
    share = [sum(len(found) for found in frames) / 600 for frames in (clear, hidden)]
    assert 0.92 < share[0] < 0.98
    assert share[1] < share[0] - 0.15
    scores = [np.concatenate([found.scores for found in frames]).mean() for frames in (clear, hidden)]
    assert scores[0] > scores[1] + 0.15
    boxes = np.concatenate([found.boxes for found in clear])
    np.testing.assert_allclose(boxes.mean(axis=0), (100, 50, 160, 230), atol=1.0)
    assert (boxes.std(axis=0) > 0.5).all()


def test_false_alarms_come_as_often_as_asked() -> None:
    found = detections_from_truth([[]] * 2000, (640, 480), seed=2, false_alarms=0.5)
    assert 0.45 < sum(len(frame) for frame in found) / 2000 < 0.55
    with pytest.raises(InputError, match="miss rate 2"):
        detections_from_truth([[]], (640, 480), miss_rate=2)


def test_truth_and_detection_files_keep_their_numbers(tmp_path: Path) -> None:
    sightings = [[Sighting(4, (-20.0, 30.0, 50.5, 200.25), (0.0, 30.0, 50.0, 200.0), 0.7, (1, 1))], []]
    write_truth(tmp_path / "gt.txt", sightings, (640, 480))
    truth = read_tracks(tmp_path / "gt.txt")
    np.testing.assert_allclose(truth.boxes, [(0, 30, 50.5, 200.25)])
    assert truth.ids.tolist() == [4] and truth.frames.tolist() == [1] and truth.visibility.tolist() == [0.7]
    detections = detections_from_truth(_crowd(1.0, 20), (640, 480), seed=3)
    write_detections(tmp_path / "det.txt", detections)
    read = read_detections(tmp_path / "det.txt")
    np.testing.assert_allclose(read.boxes, np.concatenate([found.boxes for found in detections]), atol=0.02)
