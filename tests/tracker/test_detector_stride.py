"""Which frames a detector looks at, and where people are said to be in those between."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.test_pipeline import Boxes, frames_of
from tests.tracker.test_pipeline import MeanColour
from tracker.detections import Detections
from tracker.detector_stride import AUTO, DetectorStride, in_doubt
from tracker.floor.bridging import BridgedBoxes
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import MultiCameraPipeline, PipelineSettings
from tracker.single_camera import TRACKERS, create_tracker
from tracker.single_camera.expectation import expected_tracks
from tracker.video.frames import Frame

CAMERAS = ["a", "b", "c"]
RATE = 10.0


def test_cameras_take_turns_after_their_first_frames() -> None:
    stride = DetectorStride(CAMERAS, 3)
    looked = np.array([stride.chosen(CAMERAS) for _ in range(13)])
    assert looked[0].all()
    assert (looked[1:].sum(axis=1) == 1).all() and (looked[1:].sum(axis=0) == 4).all()
    everything = DetectorStride(CAMERAS, 1)
    assert all(all(everything.chosen(CAMERAS)) for _ in range(5))


def test_auto_looks_where_somebody_is_in_doubt_three_instants_later() -> None:
    stride = DetectorStride(CAMERAS, AUTO)
    looked = []
    for number in range(24):
        looked.append(stride.chosen(CAMERAS))
        stride.decided(["b"] if 10 <= number < 15 else [])
    first, second, _ = np.array(looked).T
    assert np.array(looked)[:3].all(), "before anything was concluded everybody is in doubt"
    assert second[13:18].all() and second.sum() == 13
    # Nobody is in doubt: every fourth, so that newcomers are found.
    assert np.diff(np.flatnonzero(first[3:])).tolist() == [4] * 4


def test_what_was_decided_later_does_not_matter() -> None:
    """The looks are the same whether the last two instants have been thought about or not."""
    prompt, late = DetectorStride(CAMERAS, AUTO), DetectorStride(CAMERAS, AUTO)
    unsure = [["a"] if number % 7 < 2 else [] for number in range(40)]
    looks: list[list[list[bool]]] = [[], []]
    for number in range(40):
        looks[0].append(prompt.chosen(CAMERAS))
        prompt.decided(unsure[number])
        looks[1].append(late.chosen(CAMERAS))
        if number >= 2:
            late.decided(unsure[number - 2])
    assert looks[0] == looks[1]


@pytest.mark.parametrize("name", sorted(TRACKERS.names()))
def test_a_walker_is_expected_where_they_will_be(name: str) -> None:
    tracker = create_tracker(name, frame_rate=RATE)

    def box(time: float) -> list[float]:
        return [50 + 40 * time, 40, 90 + 40 * time, 160]

    assert len(expected_tracks(tracker, 1.0)) == 0
    for number in range(20):
        tracks = tracker.update(Detections([box(number / RATE)], [0.9]), time=number / RATE)
    state = tracker.table.state.copy()
    expected = expected_tracks(tracker, 2.2)
    assert expected.ids.tolist() == tracks.ids.tolist() and expected.detection_indices.tolist() == [-1]
    assert np.abs(expected.boxes[0] - box(2.2)).max() < 6
    np.testing.assert_array_equal(tracker.table.state, state)
    assert tracker.update(Detections([box(2.3)], [0.9]), time=2.3).ids.tolist() == tracks.ids.tolist()


def test_who_is_new_or_lost_or_before_another_is_in_doubt() -> None:
    tracker = create_tracker("bytetrack", frame_rate=RATE)
    left, right = [10.0, 10, 50, 130], [200.0, 10, 240, 130]
    assert not in_doubt(tracker, 0.0)
    for number in range(20):
        tracker.update(Detections([left, right], [0.9, 0.9]), time=number / RATE)
        assert in_doubt(tracker, number / RATE) == (number < 5)
    tracker.update(Detections([left], [0.9]), time=2.0)
    assert in_doubt(tracker, 2.0)
    for number in range(21, 40):
        right = [max(right[0] - 12, 30.0), 10, max(right[0] - 12, 30.0) + 40, 130]
        tracker.update(Detections([left, right], [0.9, 0.9]), time=number / RATE)
    assert in_doubt(tracker, 3.9), "one stands before the other"


def test_a_box_goes_on_being_what_it_was_beside_the_expected_one() -> None:
    bridged = BridgedBoxes()
    expected = np.array([[100.0, 50, 140, 170], [300, 60, 340, 180]])
    found = Detections([[105.0, 48, 145, 150], [296, 60, 344, 181]], [0.9, 0.8])
    bridged.saw("hall", np.array([7, 9]), found, np.array([0, 1]), expected)
    assert bridged.holders() == {"hall": frozenset({7, 9})}
    now = bridged.now("hall", np.array([9, 7]), expected[::-1] + np.array([10.0, 0, 10, 0]), (640, 480))
    assert now.ids.tolist() == [7, 9] and now.detection_indices.tolist() == [-1, -1]
    np.testing.assert_allclose(now.boxes, found.boxes + np.array([10, 0, 10, 0], np.float32))
    # Who is gone, out of the picture or not in front of the camera is not shown.
    assert bridged.now("hall", np.array([9]), expected[1:] + 400, (640, 480)).ids.tolist() == []
    assert bridged.now("hall", np.array([9]), np.full((1, 4), np.nan), (640, 480)).ids.tolist() == []
    assert bridged.now("elsewhere", np.array([9]), expected[1:], (640, 480)).ids.tolist() == []


@pytest.mark.parametrize("every", [2, 3, "auto"])
def test_walkers_keep_their_tracks_and_boxes_in_all_cameras(every: int | str) -> None:
    def places(index: int) -> dict[int, tuple[float, float]]:
        return {0: (1.5 + 0.05 * index, 1.5), 1: (4.5 - 0.04 * index, 3.5)}

    detector = Boxes(places)
    pipeline = FloorPipeline(detector.cameras, detector, MeanColour(), PipelineSettings(detect_every=every))
    tracks: set[int] = set()
    for index in range(40):
        results, _ = pipeline.step(frames_of(places, index))
        if index < 10:
            continue
        for result in results:
            true = Boxes(places).detect([result.frame])[0].boxes[1:]
            assert len(result.tracks) == len(true)
            for box in result.tracks.boxes:
                assert np.abs(true - box).max(axis=1).min() < 25, (every, index, result.frame.camera)
            tracks |= set(result.tracks.ids.tolist())
    pipeline.finish()
    assert len(tracks) == 2
    assert pipeline.times.frames == 160
    assert pipeline.times.looked_at < (160 * 0.75 if every == "auto" else 160 / int(every) + 5)


def test_view_by_view_frames_between_are_bridged() -> None:
    class Walker:
        description = "walker"
        needs_images = False

        def detect(self, frames: list[Frame]) -> list[Detections]:
            return [Detections([[50.0 + 4 * one.index, 40, 90 + 4 * one.index, 160]], [0.9]) for one in frames]

    pipeline = MultiCameraPipeline(
        {"a": RATE}, Walker(), None, PipelineSettings(detect_every=2), image_sizes={"a": (640, 480)}
    )
    shown = []
    for index in range(30):
        results, _ = pipeline.step([Frame("a", index, index / RATE, None)])
        shown.append(len(results[0].tracks))
        if index > 10:
            assert abs(float(results[0].tracks.boxes[0, 0]) - (50 + 4 * index)) < 6
    assert shown[4:] == [1] * 26 and pipeline.times.looked_at == 15
