"""From frames to identities with a detector and an embedder whose every call is seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.tracker.cross_camera.worlds import Reader
from tracker.cross_camera.appearance import normalised
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.pipeline import SMALL_DETECTOR_PARAMETERS, MultiCameraPipeline, PipelineSettings
from tracker.protocols import Detector, Embedder
from tracker.single_camera import TRACKERS
from tracker.video.frames import Frame

WIDTH, HEIGHT = 400, 300
#: (blue, green, red) of each person's clothes: the vector of a crop is its mean colour
COLOURS = np.array([(250, 10, 10), (10, 250, 10), (10, 10, 250), (180, 180, 10)], np.uint8)
WITH_FEATURES = ["botsort", "deepsort", "motdt"]


class BoxesOnFrames:
    """Knows where everybody is in every frame."""

    description = "boxes on frames"
    needs_images = False

    def __init__(self, boxes: dict[tuple[str, int], list[list[float]]]) -> None:
        self.boxes = boxes
        self.calls: list[list[str]] = []

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.calls.append([frame.camera for frame in frames])
        found = [self.boxes.get((frame.camera, frame.index), []) for frame in frames]
        return [Detections(boxes, [0.9] * len(boxes)) for boxes in found]


class MeanColour:
    """A crop's vector is its mean colour; remembers what it was given."""

    description = "mean colour"
    dimension = 3
    default_threshold = 0.3

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, ...]]] = []

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        assert all(crop.ndim == 3 and crop.size for crop in crops)
        self.batches.append([crop.shape for crop in crops])
        if not crops:
            return np.zeros((0, 3), np.float32)
        return normalised(np.stack([crop.reshape(-1, 3).mean(axis=0) for crop in crops]))


def person_box(person: int, index: int, camera: int) -> list[float]:
    left = 30.0 + 90.0 * person + 2.0 * index * (1 if camera else -1) * (person % 2)
    return [left, 100.0, left + 40.0, 220.0]


def scene(
    cameras: Sequence[str], frames: int, people: Sequence[int] = (0, 1, 2), *, images: bool = True
) -> tuple[list[list[Frame]], dict[tuple[str, int], list[list[float]]]]:
    """Return the steps and the boxes of coloured people; each is painted where the box says."""
    steps, boxes = [], {}
    for index in range(frames):
        step = []
        for number, camera in enumerate(cameras):
            image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
            here = []
            for person in people:
                box = person_box(person, index, number)
                left, top, right, bottom = (int(value) for value in box)
                image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = COLOURS[person]
                here.append(box)
            boxes[camera, index] = here
            step.append(Frame(camera, index, index * 0.1, image if images else None))
        steps.append(step)
    return steps, boxes


def build(
    cameras: Sequence[str],
    boxes: dict[tuple[str, int], list[list[float]]],
    *,
    embedder: bool = True,
    **settings: object,
) -> tuple[MultiCameraPipeline, BoxesOnFrames, MeanColour | None]:
    detector, colour = BoxesOnFrames(boxes), MeanColour() if embedder else None
    pipeline = MultiCameraPipeline(
        dict.fromkeys(cameras, 10.0), detector, colour, PipelineSettings.model_validate(settings)
    )
    return pipeline, detector, colour


def test_the_fakes_are_what_the_pipeline_asks_for() -> None:
    assert isinstance(BoxesOnFrames({}), Detector)
    assert isinstance(MeanColour(), Embedder)


@pytest.mark.parametrize("tracker", TRACKERS.names())
def test_the_same_person_in_both_cameras(tracker: str) -> None:
    steps, boxes = scene(["hall", "door"], 30)
    pipeline, detector, colour = build(["hall", "door"], boxes, tracker=tracker)
    assert colour is not None
    assert all(camera.uses_features == (tracker in WITH_FEATURES) for camera in pipeline.cameras.values())
    reader = Reader()
    results = []
    for step in steps:
        results, events = pipeline.step(step)
        reader.read(events)
    reader.read(pipeline.finish())
    assert [result.frame.camera for result in results] == ["hall", "door"]
    who = []
    for result in results:
        assert len(result.tracks) == len(result.identities) == len(result.qualities) == 3
        assert (result.qualities > 0).all()
        order = np.argsort(result.tracks.boxes[:, 0])
        now = np.full(3, result.frame.time)
        numbers = pipeline.identities.identity_of(result.frame.camera, result.tracks.ids, now)
        who.append(numbers[order].tolist())
        read = [reader.identity_of(result.frame.camera, track, now[0]) for track in result.tracks.ids.tolist()]
        assert read == numbers.tolist()
    assert who[0] == who[1]
    assert sorted(who[0]) == [1, 2, 3]
    assert detector.calls == [["hall", "door"]] * 30


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort"])
def test_one_batch_for_all_cameras(tracker: str) -> None:
    steps, boxes = scene(["a", "b", "c"], 12)
    pipeline, _, colour = build(["a", "b", "c"], boxes, tracker=tracker, embed_interval_seconds=0.0)
    assert colour is not None
    for step in steps:
        before = len(colour.batches)
        pipeline.step(step)
        filled = [batch for batch in colour.batches[before:] if batch]
        assert len(filled) <= 1
    assert colour.batches[-1] == [(120, 40, 3)] * 9 or [batch for batch in colour.batches if len(batch) == 9]
    assert pipeline.times.crops == sum(len(batch) for batch in colour.batches)
    assert pipeline.times.frames == 36


def test_crops_are_embedded_now_and_then() -> None:
    """Four crops at once, so that an identity can be given; then one each half second."""
    steps, boxes = scene(["a"], 40, people=[0])
    pipeline, _, colour = build(["a"], boxes, embed_interval_seconds=0.5)
    assert colour is not None
    per_step = []
    for step in steps:
        before = pipeline.times.crops
        pipeline.step(step)
        per_step.append(pipeline.times.crops - before)
    first = per_step.index(1)
    assert per_step[first : first + 4] == [1] * 4
    rest = np.flatnonzero(per_step[first + 3 :])
    assert np.diff(rest).tolist() == [5] * (len(rest) - 1) and len(rest) >= 6


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort"])
def test_vectors_go_to_the_track_whose_crop_they_are_of(tracker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boxes are given in another order in each frame, and one of them is too small to be embedded."""
    steps, boxes = scene(["a", "b"], 25, people=[0, 1, 2])
    rng = np.random.default_rng(0)
    for key, here in boxes.items():
        here.append([360.0, 20.0, 372.0, 50.0])
        boxes[key] = [here[row] for row in rng.permutation(len(here))]
    pipeline, _, _ = build(["a", "b"], boxes, tracker=tracker, embed_interval_seconds=0.0)
    observed = []
    observe = pipeline.identities.observe
    monkeypatch.setattr(pipeline.identities, "observe", lambda step: (observed.append(step), observe(step))[1])
    checked = 0
    for step in steps:
        pipeline.step(step)
        for camera in observed[-1]:
            assert camera.features is not None
            assert camera.features.shape == (len(camera.track_ids), 3)
            assert camera.image_size == (WIDTH, HEIGHT)
            for box, feature, quality in zip(camera.boxes, camera.features, camera.qualities, strict=True):
                if box[0] > 350:
                    assert quality == 0 and np.isnan(feature).all()
                    continue
                image = next(frame.image for frame in step if frame.camera == camera.camera)
                assert image is not None
                colour = image[int(box[1]) + 60, int(box[0]) + 20].astype(float)
                np.testing.assert_allclose(feature, normalised(colour), atol=0.02)
                checked += 1
    assert checked > 100


def test_boxes_that_reach_over_the_border() -> None:
    steps, boxes = scene(["a"], 10, people=[])
    for index in range(10):
        boxes["a", index] = [
            [-60.0, 50.0, 30.0, 250.0], [WIDTH - 50.0, 40.0, WIDTH + 20.0, 230.0],
            [150.0, -30.0, 220.0, 180.0], [250.0, 200.0, 300.0, 320.0],
        ]  # fmt: skip
    pipeline, _, colour = build(["a"], boxes, embed_interval_seconds=0.0)
    assert colour is not None
    for step in steps:
        results, _ = pipeline.step(step)
    shapes = {shape for batch in colour.batches for shape in batch}
    assert shapes == {(200, 30, 3), (190, 50, 3), (180, 70, 3), (100, 50, 3)}
    assert len(results[0].tracks) == 4


def test_a_box_outside_the_picture_breaks_nothing() -> None:
    steps, boxes = scene(["a"], 10, people=[0])
    for index in range(10):
        boxes["a", index] += [[500.0, 50.0, 560.0, 250.0], [-300.0, -300.0, -200.0, -50.0]]
    for tracker in ("bytetrack", "botsort"):
        pipeline, _, _ = build(["a"], boxes, tracker=tracker)
        for step in steps:
            results, _ = pipeline.step(step)
        outside = (results[0].tracks.boxes[:, 0] > 400) | (results[0].tracks.boxes[:, 0] < -100)
        assert outside.sum() == 2
        assert (results[0].qualities[outside] == 0).all()


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort"])
def test_an_embedder_needs_images(tracker: str) -> None:
    steps, boxes = scene(["yard"], 6, images=False)
    pipeline, _, _ = build(["yard"], boxes, tracker=tracker)
    with pytest.raises(InputError, match=r"'yard' has no images .*--embedder none"):
        for step in steps:
            pipeline.step(step)


def test_no_embedder_needs_none() -> None:
    steps, boxes = scene(["yard", "gate"], 20, images=False)
    pipeline, _, _ = build(["yard", "gate"], boxes, embedder=False)
    kinds = set()
    for step in steps:
        results, events = pipeline.step(step)
        kinds |= {event.kind for event in events}
    kinds |= {event.kind for event in pipeline.finish()}
    numbers = [number for result in results for number in result.identities.tolist()]
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    assert kinds == {"track_started", "identity_opened", "identity_assigned"}
    assert pipeline.times.crops == 0


def test_an_empty_step_and_frames_in_which_nobody_is() -> None:
    steps, _ = scene(["a", "b"], 5, people=[])
    pipeline, _, _ = build(["a", "b"], {})
    assert pipeline.step([]) == ([], [])
    for step in steps:
        results, events = pipeline.step(step)
        assert [len(result.tracks) for result in results] == [0, 0]
        assert [len(result.identities) for result in results] == [0, 0]
        assert events == []
    # one camera ends before the other
    results, _ = pipeline.step([Frame("a", 9, 0.9, None)])
    assert [result.frame.camera for result in results] == ["a"]


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort", "ocsort"])
def test_the_same_settings_build_the_same_pipeline(tracker: str) -> None:
    given = PipelineSettings.model_validate(
        {
            "tracker": tracker, "embed_interval_seconds": 0.3, "crops": {"minimum_height": 50},
            "identities": {"views": "separate", "tracklets": {"maximum_jump": 0.5}, "false_match_rate": 0.02},
        }
    )  # fmt: skip
    again = PipelineSettings.model_validate_json(given.model_dump_json())
    assert again == given
    steps, boxes = scene(["a", "b"], 25)
    outcomes = []
    for settings in (given, again):
        pipeline = MultiCameraPipeline({"a": 10.0, "b": None}, BoxesOnFrames(boxes), MeanColour(), settings)
        told = []
        for step in steps:
            results, events = pipeline.step(step)
            told += [event.to_dict() for event in events]
            told += [(result.tracks.ids.tolist(), result.identities.tolist()) for result in results]
        outcomes.append([*told, *(event.to_dict() for event in pipeline.finish())])
    assert outcomes[0] == outcomes[1]


def test_options_of_a_tracker_go_before_what_suits_small_detectors() -> None:
    pipeline, _, _ = build(["a"], {}, tracker="bytetrack")
    assert pipeline.cameras["a"].tracker.high_confidence == SMALL_DETECTOR_PARAMETERS["bytetrack"]["high_confidence"]
    pipeline, _, _ = build(["a"], {}, tracker="bytetrack", tracker_parameters={"high_confidence": 0.77})
    assert pipeline.cameras["a"].tracker.high_confidence == 0.77


def test_what_cannot_be_built_is_said() -> None:
    with pytest.raises(InputError, match="did you mean 'bytetrack'"):
        build(["a"], {}, tracker="bytetrak")
    with pytest.raises(InputError, match="no parameter 'high_confidenc': did you mean 'high_confidence'"):
        build(["a"], {}, tracker_parameters={"high_confidenc": 0.5})
    with pytest.raises(ValueError, match="embed_intervall"):
        PipelineSettings.model_validate({"embed_intervall": 1})


def test_time_is_written_down_where_it_was_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("tracker.pipeline.perf_counter", lambda: clock[0])

    class SlowDetector(BoxesOnFrames):
        def detect(self, frames: Sequence[Frame]) -> list[Detections]:
            clock[0] += 1.0
            return super().detect(frames)

    class SlowEmbedder(MeanColour):
        def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
            clock[0] += 10.0 if crops else 0.0
            return super().embed(crops)

    steps, boxes = scene(["a"], 5)
    for tracker in ("bytetrack", "botsort"):
        embedder = SlowEmbedder()
        pipeline = MultiCameraPipeline({"a": 10.0}, SlowDetector(boxes), embedder, PipelineSettings(tracker=tracker))
        for step in steps:
            pipeline.step(step)
        batches = sum(bool(batch) for batch in embedder.batches)
        assert batches >= 3
        times = pipeline.times
        assert (times.detect, times.embed, times.track, times.identify) == (5.0, 10.0 * batches, 0.0, 0.0)
        assert (times.frames, times.crops) == (5, 3 * batches)


def test_identities_of_the_results_are_those_known_at_the_time() -> None:
    steps, boxes = scene(["a"], 20)
    pipeline, _, _ = build(["a"], boxes)
    known = []
    for step in steps:
        (result,), _ = pipeline.step(step)
        known.append(result.identities.tolist())
    assert [0, 0, 0] in known, "nobody is known before enough crops were good"
    assert known[-1] == [1, 2, 3]
    started = next(row for row, numbers in enumerate(known) if len(numbers) == 3)
    pipeline.finish()
    assert pipeline.identities.identity_of("a", np.array([1, 2, 3]), np.full(3, started * 0.1)).tolist() == [1, 2, 3]
