"""From frames of calibrated cameras to identities, with a detector that knows and an embedder that sees colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.tracker.floor.room import SIZE, boxes_of, corner_cameras
from tests.tracker.test_pipeline import COLOURS, MeanColour
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.pipeline import FLOOR, FloorPipeline
from tracker.geometry.camera import Camera
from tracker.pipeline import PipelineSettings
from tracker.video.frames import Frame

RATE = 10.0
#: person → where they are, at a frame
Places = Callable[[int], dict[int, tuple[float, float]]]


class Boxes:
    """Knows where everybody is; of nobody it is as unsure as of somebody."""

    description = "boxes"
    needs_images = False

    def __init__(self, places: Places) -> None:
        self.places = places
        self.cameras = corner_cameras()

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        result = []
        for frame in frames:
            people = list(self.places(frame.index).values())
            boxes = boxes_of({frame.camera: self.cameras[frame.camera]}, people)[frame.camera].boxes
            unsure = np.array([[10.0, 10, 60, 200]], np.float32)
            scores = np.r_[0.15, np.full(len(boxes), 0.9)]
            result.append(Detections(np.vstack([unsure, boxes]), scores))
        return result


def frames_of(places: Places, index: int, *, images: bool = True) -> list[Frame]:
    """Return what the four cameras see: people as coloured boxes, the nearest in front."""
    frames = []
    for name, camera in corner_cameras().items():
        if not images:
            frames.append(Frame(name, index, index / RATE, None))
            continue
        image = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
        people = places(index)
        for person in sorted(people, key=lambda one: -np.hypot(*(np.array(people[one]) - camera.position[:2]))):
            box = np.clip(camera.person_box(*people[person])[0], 0, [*SIZE, *SIZE])
            if np.isfinite(box).all():
                left, top, right, bottom = box.astype(int)
                image[top:bottom, left:right] = COLOURS[person]
        frames.append(Frame(name, index, index / RATE, image))
    return frames


def run(places: Places, frames: int, *, embedder: object | None = None, images: bool = True):
    pipeline = FloorPipeline(corner_cameras(), Boxes(places), embedder)  # type: ignore[arg-type]
    events, seen = [], []
    for index in range(frames):
        results, happened = pipeline.step(frames_of(places, index, images=images))
        events += happened
        for result in results:
            now = result.frame.time
            for track, box in zip(result.tracks.ids.tolist(), result.tracks.boxes):
                seen.append((result.frame.camera, index, now, track, box))
    return pipeline, events + pipeline.finish(), seen


def who(seen_row, places: Places) -> int:
    """Return the person whose box an observation is."""
    camera = corner_cameras()[seen_row[0]]
    people = places(seen_row[1])
    off = {
        person: float(np.abs(np.clip(camera.person_box(*place)[0], 0, [*SIZE, *SIZE]) - seen_row[4]).max())
        for person, place in people.items()
    }
    return min(off, key=lambda person: off[person])


def identities(pipeline: FloorPipeline, seen, places: Places) -> dict[int, set[int]]:
    """Return person → the identities they were given, in any camera."""
    given: dict[int, set[int]] = {}
    for row in seen:
        identity = pipeline.identity_of(row[0], np.array([row[3]]), np.array([row[2]]))[0]
        given.setdefault(who(row, places), set()).add(int(identity))
    return given


def two(index: int) -> dict[int, tuple[float, float]]:
    t = index / RATE
    return {0: (1.5 + 0.3 * t, 1.5), 2: (4.5, 3.8 - 0.3 * t)}


def comes_back(index: int) -> dict[int, tuple[float, float]]:
    here = {1: (4.0, 3.5)}
    if not 30 <= index < 110:
        here[0] = (1.5, 1.8) if index < 30 else (2.5, 1.5)
    return here


def test_each_person_is_one_identity_in_all_cameras():
    pipeline, _, seen = run(two, 40, embedder=MeanColour())
    given = identities(pipeline, seen, two)
    assert all(len(numbers) == 1 and 0 not in numbers for numbers in given.values())
    assert given[0] != given[2]
    assert {row[0] for row in seen} == set(corner_cameras())
    assert pipeline.times.crops > 100 and pipeline.times.frames == 160


def test_who_comes_back_is_known_by_their_looks_and_not_by_motion():
    pipeline, _, seen = run(comes_back, 150, embedder=MeanColour())
    assert len(identities(pipeline, seen, comes_back)[0]) == 1
    pipeline, _, seen = run(comes_back, 150, images=False)
    given = identities(pipeline, seen, comes_back)
    assert len(given[0]) == 2 and len(given[1]) == 1


@pytest.mark.parametrize("embedder", [MeanColour, lambda: None], ids=["by looks", "by motion"])
def test_the_events_say_what_the_end_knows(embedder):
    pipeline, events, seen = run(two, 30, embedder=embedder())
    pieces: dict[int, dict[float, int]] = {}
    for event in events:
        if event.kind in ("identity_assigned", "identity_corrected"):
            assert event.camera == FLOOR
            pieces.setdefault(event.track, {})[event.since] = event.identity
    for camera, _, time, track, _ in seen:
        since = max(begin for begin in pieces[track] if begin <= time + 1e-9)
        assert pieces[track][since] == pipeline.identity_of(camera, np.array([track]), np.array([time]))[0]


def test_unsure_boxes_are_reported_and_not_followed():
    pipeline = FloorPipeline(corner_cameras(), Boxes(two), None)
    for index in range(10):
        results, _ = pipeline.step(frames_of(two, index, images=False))
    for result in results:
        assert result.detections.scores.min() < 0.2
        assert (result.detections.scores[result.tracks.detection_indices] > 0.8).all()
        assert np.array_equal(result.detections.boxes[result.tracks.detection_indices], result.tracks.boxes)


def test_an_embedder_needs_images():
    pipeline = FloorPipeline(corner_cameras(), Boxes(two), MeanColour())
    with pytest.raises(InputError, match="has no images to embed people from"):
        pipeline.step(frames_of(two, 0, images=False))


def test_a_camera_under_the_floor_is_refused():
    cameras = corner_cameras()
    above = cameras["southwest"]
    under = Camera(
        "southwest", *SIZE, above.intrinsics, above.distortion, above.rotation,
        -above.rotation @ (above.position * [1, 1, -1]),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"southwest.*under the floor"):
        FloorPipeline({**cameras, "southwest": under}, Boxes(two), None)


def lost_for_a_while(index: int) -> dict[int, tuple[float, float]]:
    # In the middle of the room, where nobody goes out.
    there = {2: (4.6, 3.6)}
    return there if 10 <= index < 34 else {**there, 0: (1.6 + 0.02 * index, 2.0)}


def test_looked_at_again_everybody_keeps_one_identity_and_the_boxes_are_those_detected(tmp_path):
    pipeline = FloorPipeline(corner_cameras(), Boxes(lost_for_a_while), MeanColour(), remember=tmp_path)
    times = []
    for index in range(44):
        results, _ = pipeline.step(frames_of(lost_for_a_while, index))
        times.append(results[0].frame.time)
    again = pipeline.look_again()
    pipeline.begin_again()
    seen, events = [], []
    for frames, results, happened in pipeline.replayed(again):
        assert [frame.camera for frame in frames] == list(corner_cameras())
        assert all(frame.image is None for frame in frames)
        events += happened
        for result in results:
            tracks = result.tracks
            assert np.array_equal(result.detections.boxes[tracks.detection_indices], tracks.boxes)
            assert len(result.qualities) == len(result.identities) == len(tracks)
            seen += [(result.frame.camera, result.frame.index, result.frame.time, track, box)
                     for track, box in zip(tracks.ids.tolist(), tracks.boxes)]  # fmt: skip
    events += pipeline.finish()
    given = identities(pipeline, seen, lost_for_a_while)
    assert all(len(numbers) == 1 and 0 not in numbers for numbers in given.values()) and given[0] != given[2]
    # One track each: who is lost in the middle of a room is still there.
    assert {track for *_, track, _ in seen} == {event.track for event in events if event.kind == "track_started"}
    assert len({track for *_, track, _ in seen}) == 2 and pipeline.looked_again
    assert sorted({time for _, _, time, *_ in seen}) == times


@pytest.mark.parametrize(
    ("embedder", "every"), [(None, 1), (MeanColour(), 2), ("biased", 1)], ids=["no looks", "frames left out", "tinted"]
)
def test_what_cannot_be_told_by_looks_is_not_kept(tmp_path, embedder, every):
    if embedder == "biased":
        embedder = MeanColour()
        embedder.camera_bias = True
    settings = PipelineSettings(detect_every=every)
    pipeline = FloorPipeline(corner_cameras(), Boxes(two), embedder, settings, remember=tmp_path)
    assert pipeline.remembered is None
    with pytest.raises(InputError, match="remember"):
        pipeline.look_again()
