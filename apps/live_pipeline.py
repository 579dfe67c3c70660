"""The pipeline of a live run: built when cameras have shown what they are, and fed whatever size they then send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

import cv2
import numpy as np

from apps.build import build_pipeline, on_the_floor
from apps.live_settings import LiveSettings
from tracker.cross_camera.events import Event
from tracker.cross_camera.identity_settings import CameraObservations
from tracker.floor.entries import Entries
from tracker.floor.pipeline import FLOOR, FloorPipeline
from tracker.geometry.floor_camera import FloorCamera
from tracker.pipeline import CameraResult, MultiCameraPipeline
from tracker.video.cameras import CameraSettings
from tracker.video.frames import Frame
from tracker.video.live_capture import LiveCapture

__all__ = ["Pipeline", "build_live_pipeline", "fitted", "observations"]

Pipeline = MultiCameraPipeline | FloorPipeline

#: seconds that cameras get to show their first pictures before the run begins without knowing their sizes
_FIRST_PICTURE_SECONDS = 10.0
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class _Known:
    """What is known of a camera before the run begins."""

    name: str
    frame_rate: float | None
    size: tuple[int, int] | None


def build_live_pipeline(
    settings: LiveSettings,
    cameras: Sequence[CameraSettings],
    entries: Entries | None,
    capture: LiveCapture,
    stopped: Callable[[], bool],
) -> Pipeline:
    """Return the pipeline for cameras that are being captured.

    On the floor, what a calibration means for pictures of another size is known only when there is one: cameras get a
    few seconds to show it; of one that does not, the calibration's own size counts, and its pictures are fitted to it.

    Args:
        settings: of the run, with what is known of the ways between cameras.
        cameras: as ``capture`` has them.
        entries: where people come in; ``None``: nothing is known.
        capture: running.
        stopped: whether somebody wants the run to end.

    Raises:
        InputError: something cannot be opened, or a calibration needs a size that nobody has shown.
    """
    if on_the_floor(settings, cameras):
        deadline = monotonic() + _FIRST_PICTURE_SECONDS
        while monotonic() < deadline and not stopped() and any(state.size is None for state in capture.states()):
            capture.wait(_LOOK_SECONDS)
    known = [_Known(state.name, None, state.size) for state in capture.states()]
    return build_pipeline(settings, cameras, known, entries)


def fitted(frame: Frame, cameras: Mapping[str, FloorCamera]) -> Frame:
    """Return a frame whose picture has the size that its calibrated camera is for, if there is one."""
    camera = cameras.get(frame.camera)
    if camera is None or frame.image is None or frame.image.shape[:2] == (camera.height, camera.width):
        return frame
    image = cv2.resize(frame.image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return replace(frame, image=np.asarray(image, np.uint8))


def observations(
    pipeline: Pipeline, results: Sequence[CameraResult], events: Sequence[Event], time: float
) -> list[CameraObservations]:
    """Return what each camera reported of a step, as a store takes it.

    Args:
        pipeline: that did the step.
        results: of it.
        events: of it.
        time: seconds, of cameras without a picture in it.
    """
    none = np.zeros(0, np.int64)
    if isinstance(pipeline, FloorPipeline):
        # A track on the floor ends in all cameras, also in those that showed nothing just now.
        ended = [event.track for event in events if event.kind == "track_ended" and event.camera == FLOOR]
        gone = {camera: np.array(ended, np.int64) for camera in pipeline.tracker.cameras}
        others = set(gone) - {result.frame.camera for result in results} if ended else set()
    else:
        gone = {result.frame.camera: pipeline.cameras[result.frame.camera].tracker.removed_ids for result in results}
        others = set()
    step = []
    for result in results:
        frame, tracks = result.frame, result.tracks
        assert frame.image is not None
        size = (frame.image.shape[1], frame.image.shape[0])
        step.append(
            CameraObservations(frame.camera, frame.time, tracks.ids, tracks.boxes, None, result.qualities, size,
                               gone[frame.camera])
        )  # fmt: skip
    step += [
        CameraObservations(camera, time, none, np.zeros((0, 4), np.float32), None, np.zeros(0, np.float32), (1, 1),
                           gone[camera])
        for camera in sorted(others)
    ]  # fmt: skip
    return step
