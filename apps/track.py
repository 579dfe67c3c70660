"""``multicam track``: videos of one or many cameras in, one identity per person out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from apps.build import build_pipeline, check_tracker, input_files, on_the_floor
from apps.crop_keeper import CropKeeper
from apps.floor_area import floor_area
from apps.floor_plan import FloorPlan, PeopleOnFloor
from apps.floor_results import write_floor_results
from apps.gallery import GalleryKeeper, check_gallery
from apps.interrupts import StopRequest
from apps.notices import Notices
from apps.output_folder import RUN_RECORD, OutputFolder
from apps.progress import CameraProgress
from apps.rendering import Renderer
from apps.run_record import RunReport, run_record, write_run_record
from apps.settings import OutputSettings, TrackSettings
from apps.window import check_window
from reid_models.errors import InputError as EmbedderInputError
from tracker.errors import InputError
from tracker.floor.people import FloorPeople
from tracker.floor.pipeline import FLOOR, FloorPipeline
from tracker.pipeline import CameraResult, MultiCameraPipeline
from tracker.storage.atomic import AtomicFile
from tracker.storage.event_log import EventLog
from tracker.storage.floor_results import FLOOR_OBSERVATION, FloorSpool, floor_extent, floor_identities
from tracker.storage.results import (
    OBSERVATION,
    ObservationSpool,
    identity_records,
    write_detections,
    write_identities_json,
    write_mot,
    write_tracks_csv,
    write_tracks_jsonl,
)
from tracker.storage.spool import AscendingRecords
from tracker.video.cameras import CameraSettings, cameras_and_transitions, entries_from_sources
from tracker.video.source_base import Source
from tracker.video.sources import open_source
from tracker.video.synchronizer import synchronize

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_track"]

#: each half of the house has its own
_INPUT_ERRORS = (InputError, EmbedderInputError)


@dataclass(slots=True)
class _Run:
    """What the stages of one run share."""

    settings: TrackSettings
    outputs: OutputSettings
    folder: OutputFolder
    cameras: list[CameraSettings]
    sources: list[Source]
    pipeline: MultiCameraPipeline | FloorPipeline
    spool: ObservationSpool
    #: where people were, when they are followed on the floor
    floor: FloorSpool | None
    #: what the detector found, when that is to be saved
    detections: ObservationSpool | None
    events: EventLog
    crops: CropKeeper | None
    notices: Notices
    console: Console | None
    gallery: GalleryKeeper | None = None
    interrupted: bool = False
    failure: InputError | None = None
    last_frame: dict[str, int] = field(default_factory=dict)
    frame_counts: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [camera.name for camera in self.cameras]

    @property
    def has_live_source(self) -> bool:
        return any(source.is_live for source in self.sources)

    def identity_of(self, camera: int, tracks: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        return self.pipeline.identity_of(self.cameras[camera].name, tracks, times)

    def identity_on_floor(self, tracks: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        return self.pipeline.identity_of(FLOOR, tracks, times)


def run_track(settings: TrackSettings, outputs: OutputSettings, console: Console | None = None) -> RunReport:
    """Track people through all sources and write the results.

    An interrupt (Ctrl-C) ends the run early: what was done so far is written properly. A second one stops at once and
    leaves no half-written file. Results appear in the folder together, at the end. A run that breaks off by itself
    leaves the results of an earlier run as they were; in a folder without any it writes what was done.

    Args:
        settings: what to do.
        outputs: what to write and where.
        console: where progress and warnings are shown; ``None``: nowhere.

    Raises:
        InputError: something given cannot be used.
        KeyboardInterrupt: interrupted twice, or before the first frame; nothing has been written.
    """
    cameras, rules = cameras_and_transitions(settings.sources)
    settings = settings.with_transitions(rules)
    entries = entries_from_sources(settings.sources)
    # What needs no model and no video is refused first.
    check_tracker(settings.pipeline)
    if outputs.show:
        check_window()
    if settings.gallery is not None:
        check_gallery(settings.gallery, embedder=settings.embedder)
    inputs = input_files(settings, cameras)
    folder = OutputFolder(outputs.folder, overwrite=outputs.overwrite, inputs=inputs)
    _reserve(folder, cameras, outputs, on_floor=on_the_floor(settings, cameras))
    started = time.time()
    with contextlib.ExitStack() as stack:
        notices = stack.enter_context(Notices(console))
        sources = [
            stack.enter_context(open_source(camera, stride=settings.stride, max_frames=settings.max_frames,
                                            read_images=_needs_images(settings, outputs)))
            for camera in cameras
        ]  # fmt: skip
        pipeline = build_pipeline(settings, cameras, sources, entries)
        gallery = None if settings.gallery is None else GalleryKeeper(settings.gallery, pipeline)
        stop = stack.enter_context(StopRequest())
        stack.enter_context(folder)
        try:
            run = _Run(
                settings,
                outputs,
                folder,
                cameras,
                sources,
                pipeline,
                stack.enter_context(ObservationSpool(folder.staging)),
                stack.enter_context(FloorSpool(folder.staging)) if isinstance(pipeline, FloorPipeline) else None,
                stack.enter_context(ObservationSpool(folder.staging)) if outputs.save_detections else None,
                stack.enter_context(EventLog(AtomicFile(folder.file("events.jsonl")))),
                CropKeeper(folder.staging) if outputs.save_crops else None,
                notices,
                console,
                gallery,
            )
            if run.crops is not None:
                stack.callback(run.crops.close)
            if gallery is not None and gallery.known:
                notices.say(f"{gallery.known} people known from earlier runs: {gallery.path}")
            if rules.listed and isinstance(pipeline, FloorPipeline):
                notices.say("transitions: in cameras.yaml say nothing where people are followed on the floor.")
            without = [camera.name for camera in cameras if camera.calibration is None]
            if without and len(without) < len(cameras) and settings.pipeline.floor != "off":
                notices.say(f"No calibration of {', '.join(without)}: people are followed view by view, "
                            "not on the floor.")  # fmt: skip
            if entries and isinstance(pipeline, MultiCameraPipeline):
                notices.warn("The entries and the area of cameras.yaml are not used: they are places on the floor, and "
                             "people are followed view by view.")  # fmt: skip
            if isinstance(pipeline, MultiCameraPipeline) and not settings.attempts_identities and len(cameras) > 1:
                notices.say("No embedder: people are tracked by motion alone, "
                            "identities across cameras are not attempted.")  # fmt: skip
            _analyse(run, stop)
            if run.failure is not None and (folder.had_files or not run.frame_counts):
                raise run.failure
            if run.interrupted and not run.frame_counts:
                raise KeyboardInterrupt
            report = _write_results(run, stop, started)
        except InputError as error:
            raise InputError(folder.shown(str(run.failure or error))) from error
    if run.failure is not None:
        raise InputError(folder.shown(f"{run.failure} (what was done before is in {folder.path})"))
    return report


def _reserve(folder: OutputFolder, cameras: list[CameraSettings], outputs: OutputSettings, *, on_floor: bool) -> None:
    """Find out before hours of work whether a result cannot have its name."""
    names = ["mosaic.mp4"] if outputs.mosaic else []
    names += ["floor.csv", "floor.png"] if on_floor else []
    names += ["crops/identity", "contact_sheet.jpg"] if outputs.save_crops else []
    names += [f"detections/{camera.name}.txt" for camera in cameras] if outputs.save_detections else []
    names += [
        f"{camera.name}{suffix}" for camera in cameras for suffix in ((".mp4", ".txt") if outputs.video else (".txt",))
    ]
    for name in [*names, "tracks.jsonl", "tracks.csv", "identities.json", "events.jsonl", RUN_RECORD]:
        folder.file(name)


def _needs_images(settings: TrackSettings, outputs: OutputSettings) -> bool:
    return (
        not settings.detector.startswith("mot:")
        or settings.attempts_identities
        or outputs.video
        or outputs.mosaic
        or outputs.save_crops
        or outputs.show
    )


def _analyse(run: _Run, stop: StopRequest) -> None:
    """Detect, embed, track and identify until the sources end, or something breaks it off, which the run notes."""
    totals = {source.name: source.frame_count for source in run.sources}
    live = _live_renderer(run)
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(CameraProgress("track", totals, run.console))
        if live is not None:
            stack.enter_context(live)
        instants = synchronize(run.sources)
        stack.callback(instants.close)  # type: ignore[attr-defined]
        index_of = {name: index for index, name in enumerate(run.names)}
        try:
            for frames in instants:
                results, events = run.pipeline.step(frames)
                run.events.add(events)
                if isinstance(run.pipeline, FloorPipeline) and run.pipeline.people is not None:
                    _record_floor(run, min(frame.time for frame in frames), frames[0].index, run.pipeline.people)
                for result in results:
                    _record(run, index_of[result.frame.camera], result)
                    progress.advance(result.frame.camera)
                if live is not None:
                    _show(run, live, results, stop)
                if stop.requested:
                    break
        except _INPUT_ERRORS as error:
            run.failure = InputError(str(error))
        run.interrupted = stop.requested
        for source in run.sources:
            progress.finish(source.name, run.frame_counts.get(source.name, 0))
    if run.interrupted:
        run.notices.say("Interrupted: finishing what was done so far. Interrupt again to stop at once.")
    run.events.add(run.pipeline.finish())
    for source in run.sources:
        for warning in source.warnings:
            run.notices.warn(warning)


def _record(run: _Run, camera: int, result: CameraResult) -> None:
    frame, tracks = result.frame, result.tracks
    run.last_frame[frame.camera] = frame.index
    run.frame_counts[frame.camera] = run.frame_counts.get(frame.camera, 0) + 1
    run.spool.append(camera, frame.index, frame.time, tracks.ids, tracks.boxes, tracks.scores, tracks.classes)
    if run.detections is not None:
        found = result.detections
        run.detections.append(
            camera, frame.index, frame.time, np.full(len(found), -1), found.boxes, found.scores, found.classes
        )
    if run.crops is None or frame.image is None:
        return
    height, width = frame.image.shape[:2]
    for track, box, quality in zip(tracks.ids.tolist(), tracks.boxes, result.qualities.tolist()):
        x1, y1 = (int(max(0, round(float(value)))) for value in box[:2])
        x2, y2 = min(width, round(float(box[2]))), min(height, round(float(box[3])))
        if x2 - x1 >= 4 and y2 - y1 >= 8:
            run.crops.offer(camera, track, frame.index, frame.time, quality, frame.image[y1:y2, x1:x2])


def _record_floor(run: _Run, time: float, frame_index: int, people: FloorPeople) -> None:
    """Keep where people are at one instant: ``frame_index`` is of the first camera that looked."""
    if run.floor is not None:
        run.floor.append(time, frame_index, people)


def _live_renderer(run: _Run) -> Renderer | None:
    """Return a renderer for the first pass: for a window, and for live cameras, which cannot be read twice."""
    write = run.has_live_source and (run.outputs.video or run.outputs.mosaic)
    if not write and not run.outputs.show:
        return None
    paths = [run.folder.file(f"{name}.mp4") for name in run.names] if write and run.outputs.video else []
    mosaic_path = run.folder.file("mosaic.mp4") if write and run.outputs.mosaic else None
    rates = [source.frame_rate for source in run.sources]
    return Renderer(run.names, rates, paths, mosaic_path, trails=run.outputs.trails, keep_mosaic=run.outputs.show,
                    floor_plan=_floor_plan(run))  # fmt: skip


def _floor_plan(run: _Run) -> FloorPlan | None:
    """Return a plan of where people were until now; before the first frame, of what the cameras see."""
    if not isinstance(run.pipeline, FloorPipeline) or run.floor is None or not run.outputs.floor_plan:
        return None
    cameras = run.pipeline.tracker.cameras.values()
    return FloorPlan(cameras, floor_area(cameras, floor_extent(run.floor)))


def _show(run: _Run, renderer: Renderer, results: list[CameraResult], stop: StopRequest) -> None:
    for result in results:
        renderer.draw(result.frame, result.tracks.boxes, result.identities)
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


def _write_results(run: _Run, stop: StopRequest, started: float) -> RunReport:
    rendering = time.perf_counter()
    if not run.has_live_source and (run.outputs.video or run.outputs.mosaic):
        _render(run, stop)
    rendered = time.perf_counter() - rendering
    folder, names = run.folder, run.names
    for camera, name in enumerate(names):
        write_mot(folder.file(f"{name}.txt"), run.spool, camera, run.identity_of)
        if run.detections is not None:
            write_detections(folder.file(f"detections/{name}.txt"), run.detections, camera)
    write_tracks_jsonl(folder.file("tracks.jsonl"), run.spool, names, run.identity_of)
    write_tracks_csv(folder.file("tracks.csv"), run.spool, names, run.identity_of)
    if isinstance(run.pipeline, FloorPipeline) and run.floor is not None:
        write_floor_results(folder, run.pipeline.tracker.cameras.values(), run.floor, run.identity_on_floor)
    best: dict[int, str] = {}
    if run.crops is not None:
        best, written = run.crops.write(folder.staging, names, run.identity_of)
        for name in written:
            folder.file(name)
    records = identity_records(run.spool, names, run.identity_of, best)
    write_identities_json(folder.file("identities.json"), records)
    run.events.commit()
    report = RunReport(
        folder=folder.path,
        identities=len(records),
        shared_identities=sum(len(record.cameras) > 1 for record in records),
        frames=run.frame_counts,
        seconds=time.time() - started,
        render_seconds=rendered,
        interrupted=run.interrupted,
        warnings=run.notices.warnings,
        failure=None if run.failure is None else folder.shown(str(run.failure)),
    )
    write_run_record(folder, run_record(run.settings, run.outputs, run.pipeline, run.cameras, run.sources, report))
    gallery = None if run.gallery is None else run.gallery.staged()
    with stop.shielded():
        try:
            folder.publish()
            if gallery is not None:
                gallery.commit()
        finally:
            if gallery is not None:
                gallery.discard()
    return report


def _render(run: _Run, stop: StopRequest) -> None:
    """Read the sources again and draw every frame with the identities as they are known at the end."""
    paths = [run.folder.file(f"{name}.mp4") for name in run.names] if run.outputs.video else []
    mosaic_path = run.folder.file("mosaic.mp4") if run.outputs.mosaic else None
    settings = run.settings
    told = stop.requested
    observations = {
        name: AscendingRecords(run.spool.chunks(camera, 8192), OBSERVATION, "frame")
        for camera, name in enumerate(run.names)
    }
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
            floor_plan=_floor_plan(run),
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
                renderer.draw(frame, *_boxes(run, frame.camera, observations[frame.camera].at(frame.index)))
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


def _boxes(run: _Run, camera: str, records: NDArray[np.void]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return boxes (N, 4) and final identities (N,) of one frame's observations."""
    # Copies, since a field of packed records is not aligned.
    tracks, times = np.ascontiguousarray(records["track"]), np.ascontiguousarray(records["time"])
    return np.ascontiguousarray(records["box"]), run.identity_of(run.names.index(camera), tracks, times)


def _people(run: _Run, records: NDArray[np.void]) -> PeopleOnFloor:
    """Return who was where at one instant, with final identities."""
    return PeopleOnFloor(records["place"], floor_identities(records, run.identity_on_floor), records["cameras"] > 0)
