"""Annotated videos of a run: as it goes for live cameras, in a second pass over recordings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.floor_area import floor_area
from apps.floor_plan import FloorPlan, PeopleOnFloor
from apps.interrupts import StopRequest
from apps.progress import CameraProgress
from apps.rendering import Renderer
from apps.track_run import TrackRun
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import CameraResult
from tracker.storage.floor_results import FLOOR_OBSERVATION, floor_extent, floor_identities
from tracker.storage.results import OBSERVATION
from tracker.storage.spool import AscendingRecords
from tracker.video.sources import open_source
from tracker.video.synchronizer import synchronize

__all__ = ["live_renderer", "render_results", "show_results"]


def live_renderer(run: TrackRun) -> Renderer | None:
    """Return a renderer for the first pass: for a window, and for live cameras, which cannot be read twice."""
    write = run.has_live_source and (run.outputs.video or run.outputs.mosaic)
    if not write and not run.outputs.show:
        return None
    paths = [run.folder.file(f"{name}.mp4") for name in run.names] if write and run.outputs.video else []
    mosaic_path = run.folder.file("mosaic.mp4") if write and run.outputs.mosaic else None
    rates = [source.frame_rate for source in run.sources]
    return Renderer(run.names, rates, paths, mosaic_path, trails=run.outputs.trails, keep_mosaic=run.outputs.show,
                    floor_plan=_floor_plan(run), blurring=run.outputs.blurring)  # fmt: skip


def _floor_plan(run: TrackRun) -> FloorPlan | None:
    """Return a plan of where people were until now; before the first frame, of what the cameras see."""
    if not isinstance(run.pipeline, FloorPipeline) or run.floor is None or not run.outputs.floor_plan:
        return None
    cameras = run.pipeline.tracker.cameras.values()
    return FloorPlan(cameras, floor_area(cameras, floor_extent(run.floor)))


def show_results(run: TrackRun, renderer: Renderer, results: list[CameraResult], stop: StopRequest) -> None:
    """Draw what the cameras show at one instant; ``stop`` is asked for when somebody presses q in the window."""
    for result in results:
        renderer.draw(result.frame, result.tracks.boxes, result.identities, result.detections.boxes)
    time = min(result.frame.time for result in results)
    if isinstance(run.pipeline, FloorPipeline) and run.pipeline.people is not None:
        people, sure = run.pipeline.people, run.pipeline.people.confirmed
        known = run.identity_on_floor(people.ids[sure], np.full(sure.sum(), time))
        renderer.draw_floor(PeopleOnFloor(people.positions[sure], known, people.seen[sure]))
    renderer.finish_instant(time)
    if not run.outputs.show or renderer.picture is None:
        return
    import cv2

    cv2.imshow("multicam (q ends)", renderer.picture)
    key = cv2.waitKey(1) & 0xFF
    if key in (ord("q"), 27):
        stop.requested = True


def render_results(run: TrackRun, stop: StopRequest) -> None:
    """Read the sources again and draw every frame with the identities as they are known at the end."""
    paths = [run.folder.file(f"{name}.mp4") for name in run.names] if run.outputs.video else []
    mosaic_path = run.folder.file("mosaic.mp4") if run.outputs.mosaic else None
    settings = run.settings
    told = stop.requested
    observations = {
        name: AscendingRecords(run.spool.chunks(camera, 8192), OBSERVATION, "frame")
        for camera, name in enumerate(run.names)
    }
    found = {} if run.detections is None else {
        name: AscendingRecords(run.detections.chunks(camera, 8192), OBSERVATION, "frame")
        for camera, name in enumerate(run.names)
    }  # fmt: skip
    on_floor = None if run.floor is None else AscendingRecords(run.floor.records(8192), FLOOR_OBSERVATION, "time")
    with contextlib.ExitStack() as stack:
        sources = [
            stack.enter_context(open_source(camera, stride=settings.stride, max_frames=settings.max_frames))
            for camera in run.cameras
            if camera.name in run.last_frame
        ]
        rates = [source.frame_rate for source in sources]
        names = [source.name for source in sources]
        renderer = stack.enter_context(Renderer(
            names, rates, [path for path in paths if path.stem in names], mosaic_path, trails=run.outputs.trails,
            floor_plan=_floor_plan(run), blurring=run.outputs.blurring,
        ))  # fmt: skip
        progress = stack.enter_context(CameraProgress("write", run.frame_counts, run.console))
        instants: Iterator[list[Any]] = synchronize(sources)
        stack.callback(instants.close)  # type: ignore[attr-defined]
        for frames in instants:
            if stop.requested and not told:
                told = True
                run.notices.say("All frames are analysed: finishing the videos. Interrupt again to stop at once.")
            wanted = [frame for frame in frames if frame.index <= run.last_frame[frame.camera]]
            for frame in wanted:
                detected = found[frame.camera].at(frame.index)["box"] if run.outputs.blurring else None
                renderer.draw(frame, *_boxes(run, frame.camera, observations[frame.camera].at(frame.index)), detected)
                progress.advance(frame.camera)
            if wanted:
                time = min(frame.time for frame in wanted)
                if on_floor is not None:
                    renderer.draw_floor(_people(run, on_floor.at(time)))
                renderer.finish_instant(time)
            for name in names:
                if all(frame.index >= run.last_frame[name] for frame in frames if frame.camera == name) and any(
                    frame.camera == name for frame in frames
                ):
                    renderer.camera_ended(name)
            if not wanted and all(frame.index > run.last_frame[frame.camera] for frame in frames):
                break


def _boxes(run: TrackRun, camera: str, records: NDArray[np.void]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return boxes (N, 4) and final identities (N,) of one frame's observations."""
    # Copies, since a field of packed records is not aligned.
    tracks, times = np.ascontiguousarray(records["track"]), np.ascontiguousarray(records["time"])
    return np.ascontiguousarray(records["box"]), run.identity_of(run.names.index(camera), tracks, times)


def _people(run: TrackRun, records: NDArray[np.void]) -> PeopleOnFloor:
    """Return who was where at one instant, with final identities."""
    return PeopleOnFloor(records["place"], floor_identities(records, run.identity_on_floor), records["cameras"] > 0)
