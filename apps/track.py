"""``multicam track``: videos of one or many cameras in, one identity per person out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from apps.build import build_pipeline, check_tracker, input_files, on_the_floor
from apps.crop_keeper import CropKeeper
from apps.floor_results import write_floor_results
from apps.gallery import GalleryKeeper, check_gallery
from apps.interrupts import StopRequest
from apps.notices import Notices
from apps.output_folder import RUN_RECORD, OutputFolder
from apps.progress import CameraProgress
from apps.run_record import RunReport, run_record, write_run_record
from apps.run_store import STORE_FILE, RunToStore, embedder_record, write_run_store
from apps.settings import OutputSettings, TrackSettings
from apps.track_again import look_again
from apps.track_rendering import live_renderer, render_results, show_results
from apps.track_run import TrackRun
from apps.track_zones import ZONE_FILES, ZoneCounter, check_zones
from apps.window import check_window
from reid_models.errors import InputError as EmbedderInputError
from tracker.ahead import ahead
from tracker.cross_camera.events import Event
from tracker.errors import InputError
from tracker.floor.people import FloorPeople
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import CameraResult, MultiCameraPipeline
from tracker.storage.aicity_files import camera_numbers, write_aicity
from tracker.storage.atomic import AtomicFile
from tracker.storage.event_log import EventLog
from tracker.storage.floor_results import FloorSpool
from tracker.storage.results import (
    ObservationSpool,
    identity_records,
    write_detections,
    write_identities_json,
    write_mot,
    write_tracks_csv,
    write_tracks_jsonl,
)
from tracker.video.cameras import CameraSettings, cameras_and_transitions, entries_from_sources
from tracker.video.frames import Frame
from tracker.video.privacy import PrivacyFilter
from tracker.video.sources import open_source
from tracker.video.synchronizer import synchronize

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_track"]

#: each half of the house has its own
_INPUT_ERRORS = (InputError, EmbedderInputError)


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
    if outputs.format is not None and not on_the_floor(settings, cameras):
        raise InputError(
            f"--format {outputs.format} needs places on the floor, which nobody knows without calibration: give "
            "cameras.yaml with a calibration: of every camera, and not --floor off"
        )
    inputs = input_files(settings, cameras)
    zones = check_zones(outputs.zones, outputs.zone_interval, cameras, on_floor=on_the_floor(settings, cameras))
    inputs += [] if outputs.zones is None else [outputs.zones]
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
        recorded = not any(source.is_live for source in sources)
        remember = folder.staging if settings.look_again and recorded else None
        pipeline = build_pipeline(settings, cameras, sources, entries, remember)
        gallery = None if settings.gallery is None else GalleryKeeper(settings.gallery, pipeline)
        stop = stack.enter_context(StopRequest())
        stack.enter_context(folder)
        try:
            run = TrackRun(
                settings,
                outputs,
                folder,
                cameras,
                sources,
                pipeline,
                stack.enter_context(ObservationSpool(folder.staging)),
                stack.enter_context(FloorSpool(folder.staging)) if isinstance(pipeline, FloorPipeline) else None,
                stack.enter_context(ObservationSpool(folder.staging))
                if outputs.save_detections or outputs.blurring
                else None,
                stack.enter_context(EventLog(AtomicFile(folder.file("events.jsonl")))),
                CropKeeper(folder.staging) if outputs.save_crops or outputs.store else None,
                notices,
                console,
                gallery,
                None if zones is None else ZoneCounter(zones, outputs.zone_interval),
                None if outputs.blurring is None else PrivacyFilter(outputs.blurring),
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
            _analyse(run, stop, stack)
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
    names += list(ZONE_FILES) if outputs.zones is not None else []
    names += [STORE_FILE] if outputs.store else []
    names += ["aicity.txt"] if outputs.format == "aicity" else []
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


def _analyse(run: TrackRun, stop: StopRequest, stack: contextlib.ExitStack) -> None:
    """Detect, embed, track and identify until the sources end, or something breaks it off, which the run notes.

    ``stack`` takes what the results need until they are written.
    """
    totals = {source.name: source.frame_count for source in run.sources}
    run.began = time.time()
    live = live_renderer(run)
    with contextlib.ExitStack() as reading:
        progress = reading.enter_context(CameraProgress("track", totals, run.console))
        if live is not None:
            reading.enter_context(live)
        instants = synchronize(run.sources)
        reading.callback(instants.close)  # type: ignore[attr-defined]
        steps = ahead(instants, _looker(run), overlap=run.settings.overlap and not run.has_live_source)
        # Closed before the sources are: who looks ahead may still be reading.
        reading.callback(steps.close)
        try:
            for frames, decide in steps:
                results, events = decide()
                run.events.add(events)
                _take(run, frames, results)
                for result in results:
                    progress.advance(result.frame.camera)
                if live is not None:
                    show_results(run, live, results, stop)
                if stop.requested:
                    break
        except _INPUT_ERRORS as error:
            run.failure = InputError(str(error))
        run.interrupted = stop.requested
        for source in run.sources:
            progress.finish(source.name, run.frame_counts.get(source.name, 0))
    if run.interrupted:
        run.notices.say("Interrupted: finishing what was done so far. Interrupt again to stop at once.")
    look_again(run, stop, stack, partial(_take, run))
    run.events.add(run.pipeline.finish())
    for source in run.sources:
        for warning in source.warnings:
            run.notices.warn(warning)


def _looker(run: TrackRun) -> Callable[[list[Frame]], Callable[[], tuple[list[CameraResult], list[Event]]]]:
    """Return what looks at an instant's frames and returns how to decide, in its turn, what they mean."""
    pipeline = run.pipeline

    def look(frames: list[Frame]) -> Callable[[], tuple[list[CameraResult], list[Event]]]:
        if isinstance(pipeline, FloorPipeline):
            return partial(pipeline.decide, pipeline.see(frames))
        return partial(pipeline.decide, pipeline.see(frames))

    return look


def _take(run: TrackRun, frames: Sequence[Frame], results: list[CameraResult]) -> None:
    """Keep what one instant showed."""
    if isinstance(run.pipeline, FloorPipeline) and run.pipeline.people is not None:
        _record_floor(run, min(frame.time for frame in frames), frames[0].index, run.pipeline.people)
    for result in results:
        _record(run, run.names.index(result.frame.camera), result)


def _record(run: TrackRun, camera: int, result: CameraResult) -> None:
    frame, tracks = result.frame, result.tracks
    run.last_frame[frame.camera] = frame.index
    run.frame_counts[frame.camera] = run.frame_counts.get(frame.camera, 0) + 1
    run.spool.append(camera, frame.index, frame.time, tracks.ids, tracks.boxes, tracks.scores, tracks.classes)
    if run.detections is not None:
        found = result.detections
        run.detections.append(
            camera, frame.index, frame.time, np.full(len(found), -1), found.boxes, found.scores, found.classes
        )
    if run.zones is not None:
        size = run.sources[camera].size if frame.image is None else (frame.image.shape[1], frame.image.shape[0])
        size = run.zones.see(camera, frame.camera, frame.time, size)
        if size is not None:
            run.events.add(
                run.zones.live.observe(frame.camera, frame.time, tracks.ids, result.identities, tracks.boxes, size)
            )
    if run.crops is None or frame.image is None:
        return
    image = frame.image
    if run.privacy is not None:
        everybody = np.concatenate([tracks.boxes, result.detections.boxes])
        image = run.privacy.apply(frame.camera, frame.time, image, everybody)
    height, width = frame.image.shape[:2]
    shown = zip(tracks.ids.tolist(), tracks.boxes, result.qualities.tolist(), tracks.detection_indices.tolist())
    for track, box, quality, row in shown:
        x1, y1 = (int(max(0, round(float(value)))) for value in box[:2])
        x2, y2 = min(width, round(float(box[2]))), min(height, round(float(box[3])))
        if x2 - x1 >= 4 and y2 - y1 >= 8:
            run.crops.offer(camera, track, frame.index, frame.time, quality, image[y1:y2, x1:x2], row)


def _record_floor(run: TrackRun, time: float, frame_index: int, people: FloorPeople) -> None:
    """Keep where people are at one instant: ``frame_index`` is of the first camera that looked."""
    if run.floor is not None:
        run.floor.append(time, frame_index, people)
    if run.zones is not None:
        sure = people.confirmed
        known = run.identity_on_floor(people.ids[sure], np.full(sure.sum(), time))
        run.events.add(run.zones.live.observe_floor(time, people.ids[sure], known, people.positions[sure]))


def _write_results(run: TrackRun, stop: StopRequest, started: float) -> RunReport:
    rendering = time.perf_counter()
    if not run.has_live_source and (run.outputs.video or run.outputs.mosaic):
        render_results(run, stop)
    rendered = time.perf_counter() - rendering
    folder, names = run.folder, run.names
    for camera, name in enumerate(names):
        write_mot(folder.file(f"{name}.txt"), run.spool, camera, run.identity_of)
        if run.detections is not None and run.outputs.save_detections:
            write_detections(folder.file(f"detections/{name}.txt"), run.detections, camera)
    write_tracks_jsonl(folder.file("tracks.jsonl"), run.spool, names, run.identity_of)
    write_tracks_csv(folder.file("tracks.csv"), run.spool, names, run.identity_of)
    if isinstance(run.pipeline, FloorPipeline) and run.floor is not None:
        write_floor_results(folder, run.pipeline.tracker.cameras.values(), run.floor, run.identity_on_floor)
        if run.outputs.format == "aicity":
            numbers = list(camera_numbers(names).values())
            write_aicity(folder.file("aicity.txt"), run.spool, run.floor, numbers, run.identity_on_floor)
    if run.zones is not None:
        run.zones.write(folder, names, run.spool, run.identity_of, run.floor, run.identity_on_floor)
    best: dict[int, str] = {}
    if run.crops is not None and run.outputs.save_crops:
        best, written = run.crops.write(folder.staging, names, run.identity_of)
        for name in written:
            folder.file(name)
    records = identity_records(run.spool, names, run.identity_of, best)
    write_identities_json(folder.file("identities.json"), records)
    run.events.commit()
    store_bytes = _write_store(run, started) if run.outputs.store else None
    report = RunReport(
        folder=folder.path,
        identities=len(records),
        shared_identities=sum(len(record.cameras) > 1 for record in records),
        frames=run.frame_counts,
        seconds=time.time() - started,
        start_seconds=run.began - started,
        render_seconds=rendered,
        interrupted=run.interrupted,
        warnings=run.notices.warnings,
        failure=None if run.failure is None else folder.shown(str(run.failure)),
        store_bytes=store_bytes,
        models=_models(run),
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


def _models(run: TrackRun) -> tuple[str, ...]:
    detector, embedder = run.pipeline.detector, run.pipeline.embedder
    return (detector.description, *([] if embedder is None else [embedder.description]))


def _write_store(run: TrackRun, started: float) -> int:
    """Write the store and return its size in bytes."""
    embedder, identities = run.pipeline.embedder, run.pipeline.identities
    record = None
    if embedder is not None:
        # An embedder that broke the run off cannot say how it sees.
        with contextlib.suppress(EmbedderInputError, InputError):
            record = embedder_record(run.settings, embedder, identities)
    crops = [] if run.crops is None else run.crops.kept()
    finished = RunToStore(run.names, run.spool, run.identity_of, crops, identities, started, not run.has_live_source)
    return write_run_store(run.folder.file(STORE_FILE), finished, record)
