"""The thread of a live run: newest frames of all cameras in, one step for all, and out to views, store and events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np

from apps.live_crops import CropChooser
from apps.live_detector import PatientDetector
from apps.live_events import EventFile, EventRing
from apps.live_meter import ProcessingMeter
from apps.live_people import event_of
from apps.live_pipeline import Pipeline, fitted, observations
from apps.live_presence import Presence
from apps.live_requests import Requests
from apps.live_views import ViewBoard
from apps.live_zones import LiveZones
from tracker.cross_camera.events import Event
from tracker.errors import InputError
from tracker.floor.people import FloorPeople
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import CameraResult
from tracker.storage.store_recorder import StoreRecorder
from tracker.video.frames import Frame
from tracker.video.live_capture import LiveCapture
from tracker.video.privacy import PrivacyFilter
from tracker.video.streams import wall_clock

__all__ = ["LiveLoop", "RunParts"]

#: failed steps in a row that end the run
_MOST_FAILURES = 20
#: seconds: between two looks at what others ask for, at the cameras' states, and for cameras whose pictures come at
#: nearly the same time to be taken together
_LOOK_SECONDS, _STATES_SECONDS, _TOGETHER_SECONDS = 0.05, 0.5, 0.012


@dataclass(slots=True)
class RunParts:
    """What a run consists of."""

    capture: LiveCapture
    pipeline: Pipeline
    recorder: StoreRecorder
    crops: CropChooser
    zones: LiveZones
    events: EventRing
    meter: ProcessingMeter
    privacy: PrivacyFilter | None
    event_file: EventFile | None
    realtime: bool
    max_rate: float
    names: dict[int, str] = field(default_factory=dict)
    views: ViewBoard = field(default_factory=ViewBoard)
    presence: Presence = field(default_factory=Presence)
    requests: Requests = field(default_factory=Requests)
    #: the newest ``floor`` message
    floor: dict[str, Any] | None = None


class LiveLoop(threading.Thread):
    """Does the steps until it is stopped, or fails for good.

    Args:
        parts: of the run.
        log: told once of each thing that went wrong, in one line.
    """

    def __init__(self, parts: RunParts, log: Callable[[str], None]) -> None:
        super().__init__(name="live", daemon=True)
        self.parts = parts
        parts.pipeline.detector = PatientDetector(parts.pipeline.detector, self._camera_failed)
        #: why the run ended by itself
        self.failure: str | None = None
        self._log = log
        self._logged: set[str] = set()
        self._stopping = threading.Event()
        self._failed_steps = 0
        self._phases: dict[str, tuple[str, str]] = {}
        self._looked_at_states = -np.inf
        self._begun = -np.inf
        self._over = False

    def stop(self) -> None:
        """Ask it to end; what was seen is stored then."""
        self._stopping.set()

    def run(self) -> None:
        parts = self.parts
        try:
            while not self._stopping.is_set():
                parts.requests.serve()
                self._look_at_states()
                if self._due():
                    frames = parts.capture.newest()
                    if frames:
                        self._step(frames)
                elif parts.capture.over and not self._over:
                    self._over = True
                    self.tell(parts.pipeline.identities.settle())
        except BaseException as error:
            self.failure = f"the run broke off: {_words(error)}"
            self._log(self.failure)
        finally:
            parts.requests.close(self.failure or "the run is over: start it again")
            self._finish()

    def tell(self, events: Sequence[Event]) -> None:
        """Hand on what somebody changed of identities between two steps; for the thread of the run."""
        for rule in self.parts.pipeline.rules:
            # Who is there is to be looked at again.
            rule.renew()
        # The store has been told of it already, and what the one looked like stays beside what the other does.
        self._record([], [event for event in events if event.kind != "identities_merged"])
        self._follow(events)

    def put_events(self, events: Sequence[dict[str, Any]]) -> None:
        """Hand events on to who listens; for the thread of the run."""
        self.parts.events.add(events)
        if self.parts.event_file is not None:
            try:
                self.parts.event_file.add(events)
            except InputError as error:
                self.went_wrong(str(error))

    def went_wrong(self, text: str) -> None:
        """Note what went wrong, in one line; it is logged once. Any thread may call it."""
        self.parts.meter.problem(monotonic(), text)
        if text not in self._logged and len(self._logged) < 1000:
            self._logged.add(text)
            self._log(text)

    def _due(self) -> bool:
        """Wait a moment at most; return whether it is time for a step, and there are frames."""
        parts = self.parts
        if parts.realtime and parts.max_rate:
            early = self._begun + 1 / parts.max_rate - monotonic()
            if early > 0:
                self._stopping.wait(min(early, _LOOK_SECONDS))
                if early > _LOOK_SECONDS:
                    return False
        if not parts.capture.wait(_LOOK_SECONDS):
            if parts.capture.over:
                self._stopping.wait(_LOOK_SECONDS)
            return False
        if parts.realtime and len(parts.capture.names) > 1:
            self._stopping.wait(_TOGETHER_SECONDS)
        return not self._stopping.is_set()

    def _step(self, frames: Sequence[Frame]) -> None:
        parts, self._begun = self.parts, monotonic()
        parts.meter.begin(self._begun)
        if isinstance(parts.pipeline, FloorPipeline):
            frames = [fitted(frame, parts.pipeline.tracker.cameras) for frame in frames]
        try:
            results, events = parts.pipeline.step(frames)
        except Exception as error:
            self._failed(error)
            return
        self._failed_steps = 0
        time = max(frame.time for frame in frames)
        self._record(observations(parts.pipeline, results, events, time), events)
        self._follow(events)
        for result in results:
            self._show(result)
        if isinstance(parts.pipeline, FloorPipeline) and parts.pipeline.people is not None:
            self._show_floor(parts.pipeline, parts.pipeline.people, min(frame.time for frame in frames))
        now = monotonic()
        parts.meter.step(now, now - self._begun, len(frames), wall_clock() - min(frame.time for frame in frames))

    def _failed(self, error: Exception) -> None:
        """Note a step that failed; the run goes on unless too many have in a row."""
        self._failed_steps += 1
        self.parts.meter.failed()
        self.went_wrong(f"a picture could not be processed: {_words(error)}")
        if self._failed_steps >= _MOST_FAILURES:
            raise error

    def _camera_failed(self, camera: str, error: Exception) -> None:
        self.parts.meter.errors += 1
        self.went_wrong(f"a picture of camera {camera!r} could not be processed: {_words(error)}")

    def _record(self, step: Sequence[Any], events: Sequence[Event]) -> None:
        try:
            self.parts.recorder.record(step, events)
        except InputError as error:
            self.went_wrong(str(error))

    def _follow(self, events: Sequence[Event]) -> None:
        """Let everybody else know what happened to tracks and identities."""
        if not events:
            return
        parts = self.parts
        parts.zones.correct(events)
        for event in events:
            if event.kind == "identities_merged":
                assert event.previous_identity is not None and event.identity is not None
                parts.presence.merged(event.previous_identity, event.identity)
                name = parts.names.pop(event.previous_identity, None)
                if name is not None:
                    parts.names.setdefault(event.identity, name)
        self.put_events([event.to_dict() for event in events])

    def _show(self, result: CameraResult) -> None:
        parts, frame, tracks = self.parts, result.frame, result.tracks
        image = frame.image
        assert image is not None
        if parts.privacy is not None:
            everybody = np.concatenate([tracks.boxes, result.detections.boxes])
            image = parts.privacy.apply(frame.camera, frame.time, image, everybody)
        size = (image.shape[1], image.shape[0])
        boxes = [
            [*(round(float(value), 1) for value in box), track, identity, parts.names.get(identity)]
            for box, track, identity in zip(tracks.boxes, tracks.ids.tolist(), result.identities.tolist())
        ]
        parts.views.put(frame.camera, frame.time, image, boxes)
        parts.presence.see(frame.camera, frame.time, result.identities.tolist())
        happened = parts.zones.observe(frame.camera, frame.time, tracks.ids, result.identities, tracks.boxes, size)
        if happened:
            self.put_events([event.to_dict() for event in happened])
        try:
            for track, box, quality in zip(tracks.ids.tolist(), tracks.boxes, result.qualities.tolist()):
                parts.crops.offer(frame.camera, track, frame.time, quality, box, image)
            parts.crops.end_silent(frame.time)
        except InputError as error:
            self.went_wrong(str(error))

    def _show_floor(self, pipeline: FloorPipeline, people: FloorPeople, time: float) -> None:
        sure = people.confirmed
        ids, places = people.ids[sure], people.positions[sure]
        known = pipeline.identity_of("", ids, np.full(len(ids), time))
        rows = zip(ids.tolist(), known.tolist(), places.tolist())
        self.parts.floor = {
            "time": time,
            "people": [[track, identity, round(x, 3), round(y, 3)] for track, identity, (x, y) in rows],
        }
        happened = self.parts.zones.observe_floor(time, ids, known, places)
        if happened:
            self.put_events([event.to_dict() for event in happened])

    def _look_at_states(self) -> None:
        """Tell of cameras that came and went."""
        now = monotonic()
        if now - self._looked_at_states < _STATES_SECONDS:
            return
        self._looked_at_states = now
        events = []
        for state in self.parts.capture.states():
            # How long it has been so changes all the time.
            phase, before = state.phase, self._phases.get(state.name)
            if before is None or before[0] != phase:
                events.append(event_of("camera_state", wall_clock(), camera=state.name, phase=phase,
                                       message=state.message or None))  # fmt: skip
            self._phases[state.name] = (phase, state.message)
        self.put_events(events)

    def _finish(self) -> None:
        """Store what is held, settle who is who, and end the store's run."""
        parts = self.parts
        try:
            self.put_events([event.to_dict() for event in parts.zones.finish()])
            events = parts.pipeline.finish()
            self._follow(events)
            parts.crops.finish()
            parts.recorder.finish(events)
        except Exception as error:
            self.went_wrong(f"the end of the run could not be stored: {_words(error)}")
        if parts.event_file is not None:
            try:
                parts.event_file.close()
            except InputError as error:
                self.went_wrong(str(error))
        parts.views.close()
        parts.events.wake()


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, InputError) or type(error).__name__ == "InputError" else (
        f"{type(error).__name__}: {text}"
    )  # fmt: skip
