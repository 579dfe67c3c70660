"""From frames of calibrated cameras to people on the floor and their identities."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.crop_quality import crop_quality
from tracker.cross_camera.events import Event
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations
from tracker.cross_camera.possible_transitions import TransitionRules
from tracker.detections import Detections
from tracker.detector_stride import AUTO, DetectorStride
from tracker.embedding_rule import EmbeddingRule, presumed_tracks
from tracker.errors import InputError
from tracker.floor.bridging import BridgedBoxes, in_doubt_on_floor
from tracker.floor.entries import Entries
from tracker.floor.people import FloorPeople
from tracker.floor.remembered import RememberedRun, SeenOnFloor
from tracker.floor.tracker import FloorTracker
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.room_checks import check_room_camera
from tracker.pipeline import CameraResult, PipelineSettings, StageTimes, crop_of, looked_at
from tracker.protocols import Detector, Embedder
from tracker.tracks import Tracks
from tracker.video.frames import Frame

__all__ = ["FLOOR", "FloorPipeline"]

#: what identities call the one view that all cameras share: the floor from above
FLOOR = "floor"
#: of that view: pixels of a metre, metres beyond the cameras that it shows, sides of a person's box in metres and how
#: far people may get from one look to the next, metres a second
_PIXELS, _BEYOND, _SIDE, _FASTEST = 100.0, 50.0, (0.5, 2.0), 3.0
#: a crop speaks neither for nor against where it is this much farther away than pairs of strangers seldom are
_UNDECIDED = 1.07


class FloorPipeline:
    """Many calibrated cameras, one track for each person on the floor, and who they are.

    The floor from above counts as one view whose tracks all cameras make together: who leaves and comes back is found
    again by ``Identities`` as in any view. It does what ``MultiCameraPipeline`` does, for the same callers.

    Args:
        cameras: name → calibrated camera, for images of the size that the sources have.
        detector: finds people.
        embedder: makes vectors of crops; ``None`` tracks by motion alone, and a track is an identity.
        settings: everything else; ``tracker`` is not used.
        entries: where people come in and go out, and where they can be; ``None``: learnt, and everywhere.
        remember: folder for a temporary file, to keep the run in and on disk until ``look_again``; ``None``: it is not
            kept, nor where looking again is worth nothing: without crops that can be compared, or where a detector
            leaves frames out.

    Raises:
        InputError: no camera, a calibration that cannot be of a camera which sees a floor, or entries away from what
            the cameras see.
    """

    def __init__(
        self,
        cameras: Mapping[str, FloorCamera],
        detector: Detector,
        embedder: Embedder | None,
        settings: PipelineSettings | None = None,
        *,
        entries: Entries | None = None,
        remember: Path | None = None,
    ) -> None:
        self.settings = settings or PipelineSettings()
        self.detector = detector
        self.embedder = embedder
        for camera in cameras.values():
            check_room_camera(camera)
        floor = self.settings.floor_settings
        self._threshold = None if embedder is None else embedder.default_threshold
        if self._threshold is not None:
            floor = floor.model_copy(update={"alike": float(np.clip(self._threshold * _UNDECIDED, 0.01, 1.99))})
        self._confidence = floor.confidence
        # Colours differ from camera to camera too much to tell people apart from one look to the next.
        self._looks = embedder is not None and not getattr(embedder, "camera_bias", False)
        kept = remember is not None and self._looks and self.settings.detect_every == 1
        #: the run so far, if it can be looked at again
        self.remembered = RememberedRun(remember) if kept else None
        #: whether identities are those of a run looked at again
        self.looked_again = False
        self.tracker = FloorTracker(cameras, floor, remember=kept, entries=entries)
        self.identities = self._new_identities()
        self.times = StageTimes()
        self.stride = DetectorStride(list(cameras), self.settings.detect_every)
        #: whether crops are embedded by ``see``: False where which ones depends on what was decided before
        self.embeds_ahead = self.settings.embedding.rule == "every"
        self._boxes = BridgedBoxes()
        self._rules = {
            name: EmbeddingRule(self.settings.embedding, self.settings.embed_interval_seconds) for name in cameras
        }
        # camera → boxes and tracks of the people in its frame before
        self._before: dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]] = {}
        places = np.array([camera.position[:2] for camera in cameras.values()])
        self._origin = places.min(axis=0) - _BEYOND
        across, deep = (np.ptp(places, axis=0) + 2 * _BEYOND) * _PIXELS
        self._size = (int(across), int(deep))
        self._reported: set[int] = set()
        self._time: float | None = None
        #: where people were at the last step; ``None`` before the first
        self.people: FloorPeople | None = None

    def step(self, frames: Sequence[Frame]) -> tuple[list[CameraResult], list[Event]]:
        """Process the frames of one instant, at most one per camera; return what each showed, and what happened.

        Raises:
            InputError: a detector or embedder cannot use what it was given.
        """
        return self.decide(self.see(frames))

    def see(self, frames: Sequence[Frame]) -> SeenOnFloor:
        """Do of ``step`` what needs nothing of earlier instants: detect people and embed them.

        May be called in another thread while ``decide`` is busy with the instant before (``tracker.ahead``).

        Raises:
            InputError: a detector or embedder cannot use what it was given.
        """
        started = perf_counter()
        looked, detected = looked_at(self.detector, self.stride, frames)
        everything = {frame.camera: found for frame, found, one in zip(frames, detected, looked) if one}
        kept = {name: np.flatnonzero(one.scores >= self._confidence) for name, one in everything.items()}
        found = {name: one[kept[name]] for name, one in everything.items()}
        started = self._clock("detect", started)
        seen = [frame for frame in frames if frame.camera in found]
        qualities = {frame.camera: self._qualities(frame, found[frame.camera]) for frame in seen}
        if self.embeds_ahead:
            found = self._embedded(seen, found, qualities)
        self._clock("embed", started)
        return SeenOnFloor(frames, everything, kept, found, qualities)

    def decide(self, seen: SeenOnFloor) -> tuple[list[CameraResult], list[Event]]:
        """Do the rest of ``step`` with what ``see`` returned, in the order of the instants."""
        started = perf_counter()
        frames, everything, found, qualities = seen.frames, seen.everything, seen.found, seen.qualities
        if not self.embeds_ahead:
            found = self._embedded([frame for frame in frames if frame.camera in found], found, qualities)
            started = self._clock("embed", started)
        if self.remembered is not None:
            self.remembered.add(dataclasses.replace(seen, found=found))
        time = self._time_of(frames)
        people = self.people = self.tracker.update(self._compared(found), time)
        self._note_boxes(people, found)
        self._clock("track", started)
        result = self._concluded(people, dataclasses.replace(seen, found=found), time)
        self.times.frames += len(frames)
        self.times.looked_at += len(everything)
        if self.settings.detect_every == AUTO:
            self.stride.decided(in_doubt_on_floor(people, self._boxes.holders()))
        return result

    def look_again(self, advance: Callable[[], None] | None = None) -> list[FloorPeople]:
        """Return who was where at every instant so far, now that it is known what came later.

        Args:
            advance: called ``3 × instants`` times, for a progress bar; what it raises ends the work.

        Raises:
            InputError: the run was not kept.
        """
        started = perf_counter()
        vectors = None if self.remembered is None else self.remembered.vectors
        people = self.tracker.refined(advance, vectors=vectors)
        self._clock("track", started)
        return people

    def begin_again(self) -> None:
        """Forget all identities, before those of people looked at again are given by ``replayed``."""
        self.identities = self._new_identities()
        self._reported, self._time, self.people = set(), None, None
        self.looked_again = True

    def replayed(
        self, everybody: Sequence[FloorPeople]
    ) -> Iterator[tuple[Sequence[Frame], list[CameraResult], list[Event]]]:
        """Yield of every instant its frames, without images, and what ``step`` returns, of people looked at again.

        Args:
            everybody: of ``look_again``; ``begin_again`` comes between.
        """
        assert self.remembered is not None
        for number, people in enumerate(everybody):
            seen = self.remembered.seen(number)
            self.people = people
            yield seen.frames, *self._concluded(people, seen, self._time_of(seen.frames))

    def finish(self) -> list[Event]:
        """Settle all identities; call once, after the last frame."""
        if self.embedder is None:
            return []
        started = perf_counter()
        events = self.identities.finish()
        self._clock("identify", started)
        return events

    def identity_of(self, camera: str, tracks: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the identities (N,) of tracks (N,) at times (N,), 0 where there is none; the same in all cameras."""
        if self.embedder is None:
            return np.asarray(tracks, np.int64)
        return self.identities.identity_of(FLOOR, tracks, times)

    def _new_identities(self) -> Identities:
        # One view that all cameras share knows no ways between cameras.
        settings = self.settings.identities.model_copy(
            update={"learn_geometry": False, "handover": "off", "transitions": TransitionRules()}
        )
        return Identities([FLOOR], settings, self._threshold)

    def _time_of(self, frames: Sequence[Frame]) -> float:
        """Return the time of an instant: no frame is earlier than what is said of it, and time never goes back."""
        time = min(frame.time for frame in frames)
        return time if self._time is None else max(time, self._time)

    def _concluded(self, people: FloorPeople, seen: SeenOnFloor, time: float) -> tuple[list[CameraResult], list[Event]]:
        """Return what each camera shows of people, and what happened."""
        started = perf_counter()
        if self.embedder is None:
            events = self._tracks_are_people(people, time)
        else:
            events = self.identities.observe([self._from_above(people, seen.found, seen.qualities, time)])
        self._time = time
        results = []
        for frame in seen.frames:
            name = frame.camera
            if name in seen.everything:
                qualities = seen.qualities[name]
                results.append(self._result(frame, people, seen.everything[name], seen.kept[name], qualities))
            else:
                results.append(self._bridged(frame, people))
        self._clock("identify", started)
        return results, events

    def _clock(self, stage: str, started: float) -> float:
        now = perf_counter()
        setattr(self.times, stage, getattr(self.times, stage) + now - started)
        return now

    def _qualities(self, frame: Frame, found: Detections) -> NDArray[np.float32]:
        camera = self.tracker.cameras[frame.camera]
        return crop_quality(found.boxes, found.scores, (camera.width, camera.height), self.settings.crops)

    def _embedded(
        self,
        frames: Sequence[Frame],
        found: Mapping[str, Detections],
        qualities: Mapping[str, NDArray[np.float32]],
    ) -> dict[str, Detections]:
        """Embed the crops of all cameras that are fit for it, in one batch."""
        if self.embedder is None:
            return dict(found)
        crops: list[NDArray[np.uint8]] = []
        wanted = {}
        for frame in frames:
            rows = self._due(frame, found[frame.camera].boxes, qualities[frame.camera])
            if len(rows) and frame.image is None:
                raise InputError(
                    f"camera {frame.camera!r} has no images to embed people from: give its video or images, "
                    "or track by motion alone with --embedder none"
                )
            wanted[frame.camera] = rows
            crops += [crop_of(frame.image, box) for box in found[frame.camera].boxes[rows]]  # type: ignore[arg-type]
        vectors = self.embedder.embed(crops)
        self.times.crops += len(crops)
        result, start = {}, 0
        for name, rows in wanted.items():
            features = np.full((len(found[name]), vectors.shape[1]), np.nan, np.float32)
            features[rows] = vectors[start : start + len(rows)]
            start += len(rows)
            result[name] = found[name].with_features(features)
        return result

    def _due(self, frame: Frame, boxes: NDArray[np.float32], qualities: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return which detections of a camera are embedded: who they are of is known only afterwards."""
        rule = self._rules[frame.camera]
        if self.settings.embedding.rule == "every":
            rule.embedded += int(np.count_nonzero(qualities > 0))
            return np.flatnonzero(qualities > 0)
        presumed = np.zeros(len(boxes), np.int64)
        if frame.camera in self._before:
            presumed = presumed_tracks(boxes, *self._before[frame.camera])
        return np.flatnonzero(rule.choose(frame.time, presumed, boxes, qualities))

    @property
    def rules(self) -> list[EmbeddingRule]:
        """What chose the crops, one for each camera."""
        return list(self._rules.values())

    def _note_boxes(self, people: FloorPeople, found: Mapping[str, Detections]) -> None:
        """Remember whose boxes are whose, for the next frame of each camera; of who is gone nothing is kept."""
        there = set(people.ids.tolist())
        for name, rows in people.boxes.items():
            if name not in found:
                continue
            mine = rows >= 0
            self._before[name] = (found[name].boxes[rows[mine]], people.ids[mine])
        for rule in self._rules.values():
            rule.keep_only(there)

    def _compared(self, found: Mapping[str, Detections]) -> dict[str, Detections]:
        if self._looks or self.embedder is None:
            return dict(found)
        return {name: Detections(one.boxes, one.scores, one.classes) for name, one in found.items()}

    def _from_above(
        self,
        people: FloorPeople,
        found: Mapping[str, Detections],
        qualities: Mapping[str, NDArray[np.float32]],
        time: float,
    ) -> CameraObservations:
        """Return the confirmed people as a camera straight above would report them, with the looks of all cameras."""
        sure = np.flatnonzero(people.confirmed)
        quality = np.zeros(len(sure), np.float32)
        width = next((one.features.shape[1] for one in found.values() if one.features is not None), 0)
        sums = np.zeros((len(sure), width), np.float32)
        for name, rows in people.boxes.items():
            mine = rows[sure]
            vectors = found[name].features
            if vectors is None or not len(vectors):
                continue
            weight = np.where(mine >= 0, qualities[name][mine], 0.0).astype(np.float32)
            sums += weight[:, None] * np.nan_to_num(vectors[mine])
            quality = np.maximum(quality, weight)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        features = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), np.nan).astype(np.float32)
        interval = 0.0 if self._time is None else time - self._time
        half = float(np.clip(_FASTEST * interval, *_SIDE)) / 2
        places = people.positions[sure] - self._origin
        boxes = (np.column_stack([places - half, places + half]) * _PIXELS).astype(np.float32)
        _, gone = self._changes(people)
        ended = np.array(gone, np.int64)
        return CameraObservations(
            FLOOR, time, people.ids[sure], boxes, features if width else None, quality, self._size, ended
        )

    def _changes(self, people: FloorPeople) -> tuple[list[int], list[int]]:
        """Return the tracks that are confirmed for the first time, and those of before that are no more."""
        now, sure = set(people.ids.tolist()), set(people.ids[people.confirmed].tolist())
        new, gone = sorted(sure - self._reported), sorted(self._reported - now)
        self._reported = (self._reported & now) | sure
        return new, gone

    def _tracks_are_people(self, people: FloorPeople, time: float) -> list[Event]:
        """Return what happened when, without an embedder, every track is an identity of its own."""
        new, gone = self._changes(people)
        events = []
        for track in new:
            events += [
                Event("track_started", time, FLOOR, track),
                Event("identity_opened", time, identity=track),
                Event("identity_assigned", time, FLOOR, track, track, since=time),
            ]
        return events + [Event("track_ended", time, FLOOR, track) for track in gone]

    def _result(
        self,
        frame: Frame,
        people: FloorPeople,
        found: Detections,
        kept: NDArray[np.intp],
        qualities: NDArray[np.float32],
    ) -> CameraResult:
        rows = people.boxes[frame.camera]
        seen = np.flatnonzero(people.confirmed & (rows >= 0))
        mine = kept[rows[seen]]
        ids = people.ids[seen]
        tracks = Tracks(ids, found.boxes[mine], found.scores[mine], found.classes[mine], mine)
        known = self.identity_of(frame.camera, ids, np.full(len(ids), frame.time))
        if self.settings.detect_every != 1:
            self._boxes.saw(frame.camera, ids, found, mine, self.tracker.expected_boxes(frame.camera)[seen])
        return CameraResult(frame, found, tracks, known, qualities[rows[seen]])

    def _bridged(self, frame: Frame, people: FloorPeople) -> CameraResult:
        """Return what a camera shows at which no detector looked."""
        camera = self.tracker.cameras[frame.camera]
        boxes = self.tracker.expected_boxes(frame.camera)
        tracks = self._boxes.now(frame.camera, people.ids, boxes, (camera.width, camera.height))
        known = self.identity_of(frame.camera, tracks.ids, np.full(len(tracks), frame.time))
        return CameraResult(frame, Detections.empty(), tracks, known, np.zeros(len(tracks), np.float32))
