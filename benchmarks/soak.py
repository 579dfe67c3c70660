"""``python -m benchmarks.soak``: a day of four cameras, as fast as it goes, through trackers, identities and store.

Memory and time per frame after the first hour are compared with those at the end; the store is purged as it would be by
its retention, and its size shown.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.report import make_report, write_json
from benchmarks.soak_streams import CAMERAS, IMAGE_SIZE, SoakSettings, soak_instants
from tracker.cross_camera.crop_quality import CropRules, crop_quality
from tracker.cross_camera.gallery_file import EmbedderMark
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations, IdentitySettings
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

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Mark:
    """How it stands after a stretch of the video: the time of its frames is that of trackers, identities and store."""

    hours: float
    memory_mb: float
    ms_per_frame: float
    people: int
    identities: int
    in_store: int
    store_mb: float


def soak(
    settings: SoakSettings,
    store_path: Path,
    *,
    keep_hours: float,
    marks: int = 24,
    report: Callable[[int, int], None] | None = None,
) -> list[Mark]:
    """Run it and return how it stands after each of ``marks`` equal stretches.

    Args:
        settings: of the stream.
        store_path: a new file.
        keep_hours: what is older is purged from the store, after each stretch.
        marks: stretches.
        report: called with the number of finished and of all frames of a camera.
    """
    generator = np.random.default_rng(settings.seed)
    trackers = [
        create_tracker("bytetrack", frame_rate=settings.frame_rate, **SMALL_DETECTOR_PARAMETERS["bytetrack"])
        for _ in CAMERAS
    ]
    identities = Identities(CAMERAS, IdentitySettings(keep_history=False), _THRESHOLD)
    found: list[Mark] = []
    total = int(settings.hours * 3600 * settings.frame_rate)
    ends = [round(total * (place + 1) / marks) for place in range(marks)]
    with TrackStore(store_path, create=True) as store:
        mark = EmbedderMark("made-up", np.eye(4, settings.dimension, dtype=np.float32))
        store.set_embedder(EmbedderRecord("made-up", None, mark))
        store.begin_run(0.0, clock_kind="wall")
        recorder = StoreRecorder(store, identities)
        spent, begun, cropped = 0.0, 0, dict.fromkeys(CAMERAS, 0.0)
        for done, (time, detections, people) in enumerate(soak_instants(settings), start=1):
            started = perf_counter()
            step = [
                observed(tracker, camera, time, seen) for tracker, camera, seen in zip(trackers, CAMERAS, detections)
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
            if done == ends[len(found)]:
                # Before the store is purged, when it is largest.
                size = store.stats()
                found.append(
                    Mark(
                        done / settings.frame_rate / 3600, _memory_mb(),
                        1000 * spent / ((done - begun) * len(CAMERAS)), people,
                        identities.gallery.next_number - 1, size.people, size.file_bytes / 1e6,
                    )
                )  # fmt: skip
                store.purge(time - 3600 * keep_hours)
                spent, begun = 0.0, done
        recorder.finish(identities.finish())
    return found


def observed(tracker: SingleCameraTracker, camera: str, time: float, detections: Detections) -> CameraObservations:
    """Run a camera's tracker and return what it reports, with the vectors of the boxes that it used."""
    tracks = tracker.update(detections, image=None, time=time)
    matched = tracks.detection_indices >= 0
    rows = tracks.detection_indices[matched]
    assert detections.features is not None
    features = np.full((len(tracks), detections.features.shape[1]), np.nan, np.float32)
    features[matched] = detections.features[rows]
    qualities = np.zeros(len(tracks), np.float32)
    qualities[matched] = crop_quality(detections.boxes, detections.scores, IMAGE_SIZE, CropRules())[rows]
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
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    store: Annotated[Path | None, typer.Option(help="Keep the store there; a new file.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the report.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Run a day of four cameras through trackers, identities and store; compare its beginning with its end."""
    from tracker.errors import InputError

    if store is not None and store.exists():
        raise InputError(f"--store {store} is there already: choose another name")
    settings = SoakSettings(hours_of_video, seed, frame_rate, people, returning)
    marks = max(2, round(hours_of_video))
    with tempfile.TemporaryDirectory() as folder, StepBars(quiet) as bars:
        found = soak(
            settings,
            store or Path(folder) / "store.sqlite",
            keep_hours=keep_hours,
            marks=marks,
            report=bars.of("frames"),
        )
    header = ["after hours", "memory MB", "ms per frame", "people", "identities", "in the store", "store MB"]
    lines = [
        [f"{one.hours:.2f}", f"{one.memory_mb:.1f}", f"{one.ms_per_frame:.3f}", str(one.people), str(one.identities),
         str(one.in_store), f"{one.store_mb:.1f}"]
        for one in found
    ]  # fmt: skip
    first, last = found[0], found[-1]
    print_table(
        f"{len(CAMERAS)} cameras, {frame_rate:g} frames/s, {hours_of_video:g} hours", header, lines,
        f"From the first mark to the last: memory {_change(first.memory_mb, last.memory_mb)}, "
        f"time per frame {_change(first.ms_per_frame, last.ms_per_frame)}; "
        f"largest store {max(one.store_mb for one in found):.1f} MB with {keep_hours:g} hours kept.",
    )  # fmt: skip
    if json is not None:
        rows = [{"name": "soak", "sequence": f"{one.hours:.2f} h", **asdict(one)} for one in found]
        write_json(json, make_report("soak", asdict(settings) | {"keep_hours": keep_hours}, rows))


def _change(first: float, last: float) -> str:
    return f"{100 * (last / first - 1):+.1f} %"


def main() -> None:
    """Run the command, see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
