"""``python -m benchmarks.soak``: a day of four cameras, as fast as it goes, through trackers, identities and store.

Memory and time per frame after the first hour are compared with those at the end; store and identities forget as they
would by their retention, and the store's size is shown. It begins as a process stands that has run for longer than its
retention: with everybody known who came in that time before. ``--cold`` begins with nobody.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Annotated

import numpy as np
import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.report import make_report, write_json
from benchmarks.soak_streams import CAMERAS, IMAGE_SIZE, SoakSettings, people_before, soak_instants
from tracker.cross_camera.crop_quality import CropRules, crop_quality
from tracker.cross_camera.earlier_runs import LONG_AGO
from tracker.cross_camera.gallery_file import EmbedderMark
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import LONG_RUN, CameraObservations, IdentitySettings
from tracker.detections import Detections
from tracker.pipeline import SMALL_DETECTOR_PARAMETERS
from tracker.single_camera import create_tracker
from tracker.single_camera.base import SingleCameraTracker
from tracker.storage.store_recorder import StoreRecorder
from tracker.storage.track_store import EmbedderRecord, TrackStore

__all__ = ["Mark", "app", "main", "observed", "soak"]

#: bytes of a made-up crop, and seconds between two of one camera's
_CROP_BYTES, _CROP_SECONDS = 4000, 5.0
#: the cosine distance that identities start from; looks of different people lie at about 1
_THRESHOLD = 0.5
_CROP_RULES = CropRules()

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Mark:
    """How it stands after a stretch of the video.

    Times are of its frames in trackers, identities and store: by the clock, and the processor's, of all threads.
    ``forgetting_seconds`` of the clock is what the retention then took.
    """

    hours: float
    memory_mb: float
    ms_per_frame: float
    processor_ms_per_frame: float
    people: int
    identities: int
    in_store: int
    store_mb: float
    forgetting_seconds: float


def soak(
    settings: SoakSettings,
    store_path: Path,
    *,
    keep_hours: float,
    marks: int = 24,
    report: Callable[[int, int], None] | None = None,
) -> Iterator[Mark]:
    """Run it and yield how it stands after each of ``marks`` equal stretches.

    Args:
        settings: of the stream.
        store_path: a new file.
        keep_hours: what is older is forgotten by store and identities, after each stretch.
        marks: stretches.
        report: called with the number of finished and of all frames of a camera.
    """
    generator = np.random.default_rng(settings.seed)
    trackers = [
        create_tracker("bytetrack", frame_rate=settings.frame_rate, **SMALL_DETECTOR_PARAMETERS["bytetrack"])
        for _ in CAMERAS
    ]
    identities = Identities(CAMERAS, IdentitySettings(**LONG_RUN), _THRESHOLD)
    identities.load(people_before(settings))
    total = int(settings.hours * 3600 * settings.frame_rate)
    ends = [round(total * (place + 1) / marks) for place in range(marks)]
    instants = soak_instants(settings)
    with TrackStore(store_path, create=True) as store:
        mark = EmbedderMark("made-up", np.eye(4, settings.dimension, dtype=np.float32))
        store.set_embedder(EmbedderRecord("made-up", None, mark))
        store.begin_run(0.0, clock_kind="wall")
        recorder = StoreRecorder(store, identities)
        begun, cropped = 0, dict.fromkeys(CAMERAS, 0.0)
        for end in ends:
            frames = (end - begun) * len(CAMERAS)
            spent, making, processor = 0.0, 0.0, process_time()
            time, people = 0.0, 0
            for done in range(begun + 1, end + 1):
                making -= thread_time()
                time, detections, people = next(instants)
                making += thread_time()
                started = perf_counter()
                step = [
                    observed(tracker, camera, time, seen)
                    for tracker, camera, seen in zip(trackers, CAMERAS, detections)
                ]
                recorder.record(step, identities.observe(step))
                for seen in step:
                    if len(seen.track_ids) and time - cropped[seen.camera] >= _CROP_SECONDS:
                        cropped[seen.camera] = time
                        content = generator.bytes(_CROP_BYTES)
                        store.add_crop(seen.camera, int(seen.track_ids[0]), time, float(seen.qualities[0]), content)
                spent += perf_counter() - started
                if report is not None and done % 100 == 0:
                    report(done, total)
            processor = process_time() - processor - making
            # Before anything is forgotten, when the store is largest.
            size = store.stats()
            started = perf_counter()
            before = time - 3600 * keep_hours
            store.purge(before)
            identities.forget_before(before, LONG_AGO + before)
            yield Mark(
                end / settings.frame_rate / 3600, _memory_mb(), 1000 * spent / frames, 1000 * processor / frames,
                people, identities.gallery.next_number - 1 - settings.known, size.people, size.file_bytes / 1e6,
                perf_counter() - started,
            )  # fmt: skip
            begun = end
        recorder.finish(identities.finish())


def observed(tracker: SingleCameraTracker, camera: str, time: float, detections: Detections) -> CameraObservations:
    """Run a camera's tracker and return what it reports, with the vectors of the boxes that it used."""
    tracks = tracker.update(detections, image=None, time=time)
    matched = tracks.detection_indices >= 0
    rows = tracks.detection_indices[matched]
    assert detections.features is not None
    features = np.full((len(tracks), detections.features.shape[1]), np.nan, np.float32)
    features[matched] = detections.features[rows]
    qualities = np.zeros(len(tracks), np.float32)
    qualities[matched] = crop_quality(detections.boxes, detections.scores, IMAGE_SIZE, _CROP_RULES)[rows]
    return CameraObservations(
        camera, time, tracks.ids, tracks.boxes, features, qualities, IMAGE_SIZE, tracker.removed_ids
    )


def _memory_mb() -> float:
    """Return the memory that this process holds now, as the system counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


@app.command()
def run(
    hours_of_video: Annotated[float, typer.Option(min=0.02, help="How much video.")] = 24.0,
    frame_rate: Annotated[float, typer.Option(min=1, max=60, help="Frames per second of each camera.")] = 5.0,
    people: Annotated[int, typer.Option(min=10, help="Different people in 24 hours, about.")] = 6000,
    returning: Annotated[float, typer.Option(min=0, max=0.9, help="Share of comings by people who came before.")] = 0.4,
    keep_hours: Annotated[float, typer.Option(min=0.01, help="Retention of the store.")] = 6.0,
    cold: Annotated[bool, typer.Option("--cold", help="Begin with nobody, instead of who came before.")] = False,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    store: Annotated[Path | None, typer.Option(help="Keep the store there; a new file.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the report, of a whole run only.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Run a day of four cameras through trackers, identities and store; compare its beginning with its end.

    Ctrl-C ends it with the table of the hours that are finished.
    """
    from tracker.errors import InputError

    if store is not None and store.exists():
        raise InputError(f"--store {store} is there already: choose another name")
    settings = SoakSettings(hours_of_video, seed, frame_rate, people, returning)
    if not cold:
        came = int(3600 * keep_hours / settings.seconds_between_people)
        settings = replace(settings, known=min(came, IdentitySettings().gallery_capacity))
    found: list[Mark] = []
    try:
        with tempfile.TemporaryDirectory() as folder, StepBars(quiet) as bars:
            path = store or Path(folder) / "store.sqlite"
            marks = max(2, round(hours_of_video))
            for mark in soak(settings, path, keep_hours=keep_hours, marks=marks, report=bars.of("frames")):
                found = [*found, mark]
    except KeyboardInterrupt:
        _show(settings, found, keep_hours)
        raise
    _show(settings, found, keep_hours)
    if json is not None:
        rows = [{"name": "soak", "sequence": f"{one.hours:.2f} h", **asdict(one)} for one in found]
        write_json(json, make_report("soak", asdict(settings) | {"keep_hours": keep_hours}, rows))


def _show(settings: SoakSettings, found: list[Mark], keep_hours: float) -> None:
    if not found:
        return
    header = [
        "after hours", "memory MB", "ms per frame", "processor ms per frame", "new people", "identities",
        "in the store", "store MB", "forgetting s",
    ]  # fmt: skip
    lines = [
        [f"{one.hours:.2f}", f"{one.memory_mb:.1f}", f"{one.ms_per_frame:.3f}", f"{one.processor_ms_per_frame:.3f}",
         str(one.people), str(one.identities), str(one.in_store), f"{one.store_mb:.1f}",
         f"{one.forgetting_seconds:.1f}"]
        for one in found
    ]  # fmt: skip
    first, last = found[0], found[-1]
    print_table(
        f"{len(CAMERAS)} cameras, {settings.frame_rate:g} frames/s, {last.hours:g} hours, {settings.known} people "
        "known before", header, lines,
        f"From the first mark to the last: memory {_change(first.memory_mb, last.memory_mb)}, time per frame "
        f"{_change(first.ms_per_frame, last.ms_per_frame)}, the processor's "
        f"{_change(first.processor_ms_per_frame, last.processor_ms_per_frame)}; "
        f"largest store {max(one.store_mb for one in found):.1f} MB with {keep_hours:g} hours kept.",
    )  # fmt: skip


def _change(first: float, last: float) -> str:
    return f"{100 * (last / first - 1):+.1f} %"


def main() -> None:
    """Run the command, see :func:`benchmarks.console.run_command`."""
    run_command(app, interrupted="interrupted; no report was written")


if __name__ == "__main__":
    main()
