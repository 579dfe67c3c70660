"""From frames to tracks and identities: one camera, and many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tracker.cross_camera.crop_quality import CropRules, crop_quality, overlap_with_others
from tracker.cross_camera.events import Event
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations, IdentitySettings
from tracker.detections import Detections
from tracker.embedding_rule import EmbeddingRule, EmbeddingSettings, presumed_tracks
from tracker.errors import InputError
from tracker.floor.settings import FloorSettings
from tracker.protocols import Detector, Embedder
from tracker.single_camera import create_tracker
from tracker.tracks import Tracks
from tracker.video.frames import Frame

__all__ = [
    "SMALL_DETECTOR_PARAMETERS",
    "CameraPipeline",
    "CameraResult",
    "MultiCameraPipeline",
    "PipelineSettings",
    "StageTimes",
    "crop_of",
]


#: The papers' thresholds suit the large detectors they used; small ones, which run on a processor, are less sure of
#: themselves. Options given for a tracker go before these.
SMALL_DETECTOR_PARAMETERS: dict[str, dict[str, Any]] = {
    "bytetrack": {"high_confidence": 0.5, "new_track_confidence": 0.6},
    "botsort": {"high_confidence": 0.5, "new_track_confidence": 0.6},
}


class PipelineSettings(BaseModel):
    """What happens between a frame and its identities; the same object builds the same pipeline anywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracker: str = "bytetrack"
    tracker_parameters: dict[str, Any] = Field(default_factory=dict)
    embed_interval_seconds: float = Field(
        default=0.15, ge=0, description="a track is embedded this often, when its tracker itself uses no appearance"
    )
    embedding: EmbeddingSettings = EmbeddingSettings()
    crops: CropRules = CropRules()
    identities: IdentitySettings = IdentitySettings()
    floor: str = Field(
        default="auto", pattern="^(auto|off)$", description="auto: on the floor, if all cameras are calibrated"
    )
    floor_settings: FloorSettings = FloorSettings()


@dataclass(frozen=True, slots=True, eq=False)
class CameraResult:
    """What one camera's frame showed.

    ``identities`` (N,) int64 belong to ``tracks`` as known now, 0 where none has been given yet; ``qualities`` (N,)
    say how good each track's crop is (0: not fit to be compared).
    """

    frame: Frame
    detections: Detections
    tracks: Tracks
    identities: NDArray[np.int64]
    qualities: NDArray[np.float32]


@dataclass(slots=True)
class StageTimes:
    """Seconds spent in each stage, and what went through it."""

    detect: float = 0.0
    embed: float = 0.0
    track: float = 0.0
    identify: float = 0.0
    frames: int = 0
    crops: int = 0


@dataclass(slots=True)
class _Prepared:
    """A camera's frame between two stages."""

    frame: Frame
    detections: Detections
    qualities: NDArray[np.float32]
    size: tuple[int, int]
    tracks: Tracks = field(default_factory=Tracks.empty)
    features: NDArray[np.float32] | None = None
    wanted: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


class CameraPipeline:
    """One camera: its tracker, and which of its crops are embedded.

    Args:
        name: the camera's name.
        settings: of the pipeline.
        frame_rate: frames per second, for trackers whose settings count frames.
        image_size: (width, height) used when frames carry no image.
    """

    def __init__(
        self, name: str, settings: PipelineSettings, frame_rate: float, image_size: tuple[int, int] | None = None
    ) -> None:
        self.name = name
        self.settings = settings
        self.image_size = image_size
        parameters = SMALL_DETECTOR_PARAMETERS.get(settings.tracker, {}) | settings.tracker_parameters
        self.tracker = create_tracker(settings.tracker, frame_rate=frame_rate, **parameters)
        self.rule = EmbeddingRule(settings.embedding, settings.embed_interval_seconds)
        # boxes and numbers of the tracks in the frame before
        self._before = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64))

    @property
    def uses_features(self) -> bool:
        """Whether the tracker itself looks at appearance, so that crops are embedded before it runs."""
        return self.tracker.uses_features

    def prepare(self, frame: Frame, detections: Detections) -> _Prepared:
        """Judge the crops of a frame's detections."""
        if frame.image is not None:
            size = (frame.image.shape[1], frame.image.shape[0])
        elif self.image_size is not None:
            size = self.image_size
        else:
            size = (int(detections.boxes[:, 2].max(initial=1)) + 1, int(detections.boxes[:, 3].max(initial=1)) + 1)
        qualities = crop_quality(detections.boxes, detections.scores, size, self.settings.crops)
        return _Prepared(frame, detections, qualities, size)

    def track(self, prepared: _Prepared) -> None:
        """Run the tracker."""
        detections = prepared.detections
        if prepared.features is not None and self.uses_features:
            detections = detections.with_features(prepared.features)
        image = prepared.frame.image if self.tracker.uses_image else None
        prepared.tracks = self.tracker.update(detections, image=image, time=prepared.frame.time)
        if self.uses_features:
            self._before = (prepared.tracks.boxes, prepared.tracks.ids)
            self.rule.ended(self.tracker.removed_ids.tolist())

    def due(self, prepared: _Prepared) -> NDArray[np.int64]:
        """Return the detections to embed after tracking, as the rule has it."""
        tracks = prepared.tracks
        matched = tracks.detection_indices >= 0
        rows = tracks.detection_indices[matched].astype(np.int64)
        boxes, qualities = prepared.detections.boxes, prepared.qualities
        covered = overlap_with_others(boxes)[rows]
        chosen = self.rule.choose(prepared.frame.time, tracks.ids[matched], boxes[rows], qualities[rows], covered)
        self.rule.ended(self.tracker.removed_ids.tolist())
        return rows[chosen]

    def due_before(self, prepared: _Prepared) -> NDArray[np.int64]:
        """Return the detections to embed before tracking, for a tracker that looks at appearance itself."""
        boxes, qualities = prepared.detections.boxes, prepared.qualities
        if self.settings.embedding.rule == "every":
            self.rule.embedded += int(np.count_nonzero(qualities > 0))
            return np.flatnonzero(qualities > 0)
        presumed = presumed_tracks(boxes, self._before[0], self._before[1])
        return np.flatnonzero(self.rule.choose(prepared.frame.time, presumed, boxes, qualities))


class MultiCameraPipeline:
    """Many cameras, and the identities of the people they see.

    Args:
        cameras: name → frames per second (for trackers whose settings count frames).
        detector: finds people.
        embedder: makes vectors of crops; ``None`` tracks by motion alone and attempts no identity across cameras.
        settings: everything else.
        image_sizes: name → (width, height), for cameras whose frames carry no images.

    Raises:
        InputError: unknown tracker or tracker parameter.
    """

    def __init__(
        self,
        cameras: Mapping[str, float | None],
        detector: Detector,
        embedder: Embedder | None,
        settings: PipelineSettings | None = None,
        *,
        image_sizes: Mapping[str, tuple[int, int] | None] | None = None,
    ) -> None:
        self.settings = settings or PipelineSettings()
        self.detector = detector
        self.embedder = embedder
        sizes = image_sizes or {}
        self.cameras = {
            name: CameraPipeline(name, self.settings, rate or 25.0, sizes.get(name)) for name, rate in cameras.items()
        }
        self.identities = Identities(
            list(cameras),
            self.settings.identities,
            None if embedder is None else embedder.default_threshold,
            camera_bias=bool(getattr(embedder, "camera_bias", False)),
        )
        self.times = StageTimes()

    def step(self, frames: Sequence[Frame]) -> tuple[list[CameraResult], list[Event]]:
        """Process the frames of one instant, at most one per camera; return what each showed, and what happened.

        Raises:
            InputError: a detector or embedder cannot use what it was given.
        """
        started = perf_counter()
        detections = self.detector.detect(frames)
        started = self._clock("detect", started)
        steps = [
            (self.cameras[frame.camera], self.cameras[frame.camera].prepare(frame, found))
            for frame, found in zip(frames, detections)
        ]
        self._embed([(camera, step, camera.due_before(step)) for camera, step in steps if camera.uses_features])
        started = self._clock("embed", started)
        for camera, step in steps:
            camera.track(step)
        started = self._clock("track", started)
        self._embed([(camera, step, camera.due(step)) for camera, step in steps if not camera.uses_features])
        started = self._clock("embed", started)
        observations = [_observations(camera, step) for camera, step in steps]
        events = self.identities.observe(observations)
        results = []
        for (camera, step), observed in zip(steps, observations):
            now = np.full(len(step.tracks), step.frame.time)
            known = self.identity_of(camera.name, step.tracks.ids, now)
            results.append(CameraResult(step.frame, step.detections, step.tracks, known, observed.qualities))
        self._clock("identify", started)
        self.times.frames += len(frames)
        return results, events

    @property
    def rules(self) -> list[EmbeddingRule]:
        """What chose the crops, one for each camera."""
        return [camera.rule for camera in self.cameras.values()]

    def finish(self) -> list[Event]:
        """Settle all identities; call once, after the last frame."""
        started = perf_counter()
        events = self.identities.finish()
        self._clock("identify", started)
        return events

    def identity_of(self, camera: str, tracks: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the identities (N,) of a camera's tracks (N,) at times (N,), 0 where there is none."""
        return self.identities.identity_of(camera, tracks, times)

    def _clock(self, stage: str, started: float) -> float:
        now = perf_counter()
        setattr(self.times, stage, getattr(self.times, stage) + now - started)
        return now

    def _embed(self, wanted: Sequence[tuple[CameraPipeline, _Prepared, NDArray[np.int64]]]) -> None:
        """Embed the wanted detections of all cameras in one batch."""
        if self.embedder is None:
            return
        crops: list[NDArray[np.uint8]] = []
        for camera, step, rows in wanted:
            step.wanted = rows
            if len(rows) and step.frame.image is None:
                raise InputError(
                    f"camera {camera.name!r} has no images to embed people from: give its video or images, "
                    "or track by motion alone with --embedder none"
                )
            crops += [crop_of(step.frame.image, box) for box in step.detections.boxes[rows]]  # type: ignore[arg-type]
        vectors = self.embedder.embed(crops)
        self.times.crops += len(crops)
        start = 0
        for _, step, rows in wanted:
            step.features = np.full((len(step.detections), vectors.shape[1]), np.nan, np.float32)
            step.features[rows] = vectors[start : start + len(rows)]
            start += len(rows)


def crop_of(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the part of the image inside the box: a view, at least one pixel."""
    height, width = image.shape[:2]
    left = int(np.clip(round(float(box[0])), 0, width - 1))
    top = int(np.clip(round(float(box[1])), 0, height - 1))
    right = int(np.clip(round(float(box[2])), left + 1, width))
    bottom = int(np.clip(round(float(box[3])), top + 1, height))
    return image[top:bottom, left:right]


def _observations(camera: CameraPipeline, step: _Prepared) -> CameraObservations:
    tracks = step.tracks
    matched = tracks.detection_indices >= 0
    rows = tracks.detection_indices[matched]
    qualities = np.zeros(len(tracks), np.float32)
    qualities[matched] = step.qualities[rows]
    features: NDArray[np.float32] | None = None
    if step.features is not None:
        features = np.full((len(tracks), step.features.shape[1]), np.nan, np.float32)
        features[matched] = step.features[rows]
    boxes = tracks.boxes.copy()
    # The detection's own box is where the person was seen; the filter's lags behind a turn.
    boxes[matched] = step.detections.boxes[rows]
    return CameraObservations(
        camera.name,
        step.frame.time,
        tracks.ids,
        boxes,
        features,
        qualities,
        step.size,
        camera.tracker.removed_ids,
    )
