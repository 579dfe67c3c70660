"""A scene on disk: videos, truth, detections, calibration and ``cameras.yaml``; all of it or nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.simulation.cameras import Camera, corner_cameras
from benchmarks.simulation.corridor import cameras_in_corridor
from benchmarks.simulation.parallel import checked_workers, one_thread_each
from benchmarks.simulation.people import Person
from benchmarks.simulation.poses import Poses
from benchmarks.simulation.render import CameraRenderer, Sighting
from benchmarks.simulation.scene import Scene, make_scene
from benchmarks.simulation.truth import (
    area_of_truth,
    detections_from_truth,
    write_detections,
    write_truth,
    write_world,
)
from tracker.errors import InputError

__all__ = ["Simulation", "render_camera", "simulate_room"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Simulation:
    """What ``simulate_room`` wrote.

    Args:
        folder: where.
        cameras: names, in order; each has ``NAME.mp4``, ``truth/NAME.txt`` and ``detections/NAME.txt``.
        frames: frames of each video.
        frame_rate: frames a second.
        identities: people who were present at some time.
        seconds: wall-clock time that rendering and encoding took.
    """

    folder: Path
    cameras: tuple[str, ...]
    frames: int
    frame_rate: float
    identities: tuple[int, ...]
    seconds: float

    @property
    def cameras_file(self) -> Path:
        """``cameras.yaml``, which names every video with its detections and its calibration."""
        return self.folder / "cameras.yaml"


def render_camera(
    scene: Scene, camera: Camera, *, seed: int = 0, picture: bool = True
) -> Iterator[tuple[NDArray[np.uint8] | None, list[Sighting], NDArray[np.int16]]]:
    """Yield image (H, W, 3) uint8 BGR, sightings and subpixel identities of each frame of one camera.

    Args:
        scene: who is where.
        camera: which view.
        seed: of the sensor's noise.
        picture: without it images are ``None``, and the truth costs about a third.
    """
    renderer = CameraRenderer(camera, scene.room, _poses(scene), seed=seed)
    for frame in range(scene.frames):
        yield renderer.render(frame, scene.stances(frame), picture=picture)


def _poses(scene: Scene) -> Poses:
    return Poses({identity: Person(*scene.outfits[identity - 1]) for identity in scene.identities}, scene.room)


def simulate_room(
    output_dir: str | Path,
    *,
    seed: int = 0,
    seconds: float = 20.0,
    cameras: int = 4,
    people: int = 6,
    at_once: int | None = None,
    frame_rate: float = 15.0,
    size: tuple[int, int] = (640, 480),
    corridor_cameras: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Simulate people in a room and write what its cameras see, with the truth.

    Written are, for each camera ``camK`` and ``corridorK``, ``camK.mp4`` (H.264), ``truth/camK.txt`` (MOTChallenge,
    nine columns) and ``detections/camK.txt`` (MOTChallenge detections of a simulated detector); and ``world.txt``
    (frame, identity, x, y, heading), ``calibration.json`` and ``cameras.yaml``. Everything appears at the end, or
    nothing does.

    Args:
        output_dir: folder to write into; made when missing; files of the same names are replaced.
        seed: the same seed gives the same truth and the same frames before compression.
        seconds: duration of the scene, 0.2 to 7200.
        cameras: 1 to 4, in the corners of the room.
        people: identities that may come, 1 to 200.
        at_once: how many may be inside together, 1 to 7.
        frame_rate: frames a second, 1 to 60.
        size: width and height of the images, even numbers of pixels.
        corridor_cameras: 0 to 2, behind the door: ``corridor1``, ``corridor2``, with the same files as the others.
            Their views overlap with no other; people pass them before they come in and after they leave.
        workers: processes that render, by default one per camera up to the number of processors; 1 renders in this
            process. With more, scripts need the usual ``if __name__ == "__main__"`` guard.
        progress: called with the number of finished and of all camera frames.

    Raises:
        InputError: a value is out of its range, or the folder cannot be written.
    """
    scene = make_scene(
        seed=seed,
        seconds=seconds,
        people=people,
        at_once=at_once,
        frame_rate=frame_rate,
        corridor_cameras=corridor_cameras,
    )
    views = corner_cameras(scene.room.width, scene.room.depth, cameras, size=size)
    views += cameras_in_corridor(scene.room.corridor, size=size)
    count = checked_workers(workers)
    folder = Path(output_dir)
    existed = folder.exists()
    started = time.perf_counter()
    staging: Path | None = None
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".simulation-", dir=folder))
        except OSError as error:
            raise _cannot_write(folder, error) from None
        jobs = [_Job(scene, view, seed + number, str(staging)) for number, view in enumerate(views)]
        _render_all(jobs, min(count, len(jobs)), progress)
        try:
            _write_descriptions(staging, scene, views)
            _publish(staging, folder)
        except OSError as error:
            raise _cannot_write(folder, error) from None
    except InputError as error:
        # A person knows the folder asked for, not the hidden one inside it.
        raise InputError(str(error).replace(str(staging), str(folder))) from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    names = tuple(view.name for view in views)
    elapsed = time.perf_counter() - started
    return Simulation(folder, names, scene.frames, frame_rate, tuple(scene.identities), elapsed)


@dataclass(frozen=True)
class _Job:
    scene: Scene
    camera: Camera
    seed: int
    folder: str


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(f"cannot write the simulation to {folder}: {error.strerror or error}; choose a writable folder")


def _run_jobs(jobs: list[_Job], report: Callable[[int], None]) -> None:
    """Render cameras of one scene, frame by frame in turn, into the staging folder: videos, truth and detections."""
    from tracker.video.writers import VideoWriter

    scene, folder = jobs[0].scene, Path(jobs[0].folder)
    sightings: list[list[list[Sighting]]] = [[] for _ in jobs]
    poses, rate = _poses(scene), scene.frame_rate
    renderers = [CameraRenderer(job.camera, scene.room, poses, seed=job.seed) for job in jobs]
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                VideoWriter(
                    folder / f"{job.camera.name}.mp4", _size(job.camera), rate,
                    preset="ultrafast", quality=20, threads=1,
                )
            )
            for job in jobs
        ]  # fmt: skip
        for frame in range(scene.frames):
            stances = scene.stances(frame)
            for renderer, writer, found in zip(renderers, writers, sightings):
                image, seen, _ = renderer.render(frame, stances)
                assert image is not None
                writer.write(image, frame / rate)
                found.append(seen)
            report(len(jobs))
    for kind in ("truth", "detections"):
        (folder / kind).mkdir(exist_ok=True)
    for job, found in zip(jobs, sightings):
        name, size = f"{job.camera.name}.txt", _size(job.camera)
        write_truth(folder / "truth" / name, found, size)
        write_detections(folder / "detections" / name, detections_from_truth(found, size, seed=job.seed))


def _size(camera: Camera) -> tuple[int, int]:
    return camera.width, camera.height


def _render_all(jobs: list[_Job], workers: int, progress: Progress | None) -> None:
    total = sum(job.scene.frames for job in jobs)
    done = 0

    def report(frames: int) -> None:
        nonlocal done
        done += frames
        if progress is not None and frames:
            progress(done, total)

    if workers <= 1:
        _run_jobs(jobs, report)
        return
    context = get_context("spawn")
    messages: Any = context.Queue()
    processes = [
        context.Process(target=_work, args=(jobs[number::workers], messages), daemon=True) for number in range(workers)
    ]
    try:
        with one_thread_each():
            for process in processes:
                process.start()
        running = workers
        while running:
            try:
                kind, value = messages.get(timeout=0.5)
            except Empty:
                # A process that was killed sends no message of its own.
                dead = [process for process in processes if process.exitcode not in (None, 0)]
                if dead:
                    raise RuntimeError(f"a rendering process ended with exit code {dead[0].exitcode}") from None
                continue
            if kind == "frames":
                report(value)
            elif kind == "error":
                raise value
            else:
                running -= 1
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            if process.pid is not None:
                process.join(timeout=10)


def _work(jobs: list[_Job], messages: Any) -> None:
    # The parent gets the interrupt, too, and ends this process; two tracebacks would help nobody.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import cv2

        # One process per core is at work already.
        cv2.setNumThreads(1)
        _run_jobs(jobs, lambda frames: messages.put(("frames", frames)))
    except InputError as error:
        messages.put(("error", InputError(str(error))))
    except OSError as error:
        messages.put(("error", _cannot_write(Path(jobs[0].folder).parent, error)))
    except Exception as error:
        messages.put(("error", RuntimeError(f"rendering failed: {type(error).__name__}: {error}")))
    else:
        messages.put(("done", None))


def _write_descriptions(folder: Path, scene: Scene, views: list[Camera]) -> None:
    write_world(folder / "world.txt", scene)
    calibration = {
        "units": "metres",
        "world": "x and y on the floor, z up; a pixel (i, j) covers [i, i+1) x [j, j+1)",
        "cameras": [view.calibration() for view in views],
    }
    (folder / "calibration.json").write_text(json.dumps(calibration, indent=2) + "\n", encoding="utf-8")
    entries = [
        {
            "name": view.name,
            "source": f"{view.name}.mp4",
            "detections": f"detections/{view.name}.txt",
            "calibration": "calibration.json",
        }
        for view in views
    ]
    content = {"cameras": entries, "truth_area": area_of_truth(scene.room)}
    (folder / "cameras.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _publish(staging: Path, folder: Path) -> None:
    """Move finished files into place; ``cameras.yaml``, which names the others, last."""
    files = sorted(path.relative_to(staging) for path in staging.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == "cameras.yaml"):
        (folder / path.parent).mkdir(exist_ok=True)
        (staging / path).replace(folder / path)
