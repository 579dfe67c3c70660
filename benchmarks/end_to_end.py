"""``multicam track`` from videos to results beside the usual stack on the same videos, turn by turn.

Each run is a process of its own, so that its processor time and its peak of memory are its own. Clocks of both sides
start when the networks are loaded; what starting costs is told apart.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.room_scores import ALL_CAMERAS, score_room
from tracker.errors import InputError
from tracker.video.cameras import CameraSettings
from tracker.video.sources import open_source

__all__ = ["VARIANTS", "Run", "Variant", "compare_end_to_end", "end_to_end_table", "run_track", "score_of"]

OURS = f"multicam {version('multicam-tracker')}"
DETECTOR, EMBEDDER = "yolo11n_room", "osnet_x0_25:room"
USUAL = "usual"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run ``multicam track`` on the room.

    Args:
        title: what is printed.
        options: of the command, besides sources, networks and output.
        calibrated: give ``cameras.yaml`` with its calibration, not the videos alone.
        target: multiple of real time that is meant to be reached, or ``None``.
        ratio: times the usual stack's speed that are meant to be reached, or ``None``.
    """

    title: str
    options: tuple[str, ...] = ()
    calibrated: bool = False
    target: float | None = None
    ratio: float | None = None


VARIANTS: dict[str, Variant] = {
    "views": Variant("view by view", ("--no-video",), target=2.0, ratio=5.0),
    "views-auto": Variant("view by view, --detect-every auto", ("--no-video", "--detect-every", "auto"), target=2.0),
    "floor": Variant("on the floor", ("--no-video",), calibrated=True, target=2.0),
    "floor-2": Variant("on the floor, --detect-every 2", ("--no-video", "--detect-every", "2"), True, target=2.0),
    "floor-auto": Variant("on the floor, --detect-every auto", ("--no-video", "--detect-every", "auto"), True, 2.0),
    "plain": Variant("on the floor, --plain-order", ("--no-video", "--plain-order"), calibrated=True),
    "views-video": Variant("view by view, four videos", target=1.3),
    "floor-video": Variant("on the floor, four videos", calibrated=True, target=1.3),
}


@dataclass(slots=True)
class Run:
    """What was measured of one process: seconds without its start, of the start, of processors, and peak bytes."""

    seconds: float
    start_seconds: float
    processor_seconds: float
    peak_bytes: int
    frames: int
    record: dict[str, Any] = field(default_factory=dict)


def run_track(room: Path, output: Path, variant: Variant, *, threads: int | None = None) -> Run:
    """Run ``multicam track`` on a room and return what it took.

    Raises:
        InputError: it failed.
    """
    sources = [str(room / "cameras.yaml")] if variant.calibrated else [str(path) for path in _videos(room)]
    command = [
        sys.executable, "-m", "apps.cli", "track", *sources, "-o", str(output), "--overwrite", "--quiet",
        "--detector", DETECTOR, "--embedder", EMBEDDER, "--no-store", *variant.options,
    ]  # fmt: skip
    _, wall, processor, peak = _measured(command, threads)
    record = json.loads((output / "run.json").read_text(encoding="utf-8"))
    # What came before the first frame: imports, of which the command cannot know, and models.
    seconds = record["seconds"] - record["start_seconds"]
    return Run(seconds, wall - seconds, processor, peak, record["frames"], record)


def run_usual(room: Path, output: Path) -> Run:
    """Run the usual stack on a room's videos and return what it took.

    Raises:
        InputError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.usual_stack", str(room), str(output), EMBEDDER]
    said, wall, processor, peak = _measured(command, None)
    measured = json.loads(said.strip().splitlines()[-1])
    return Run(measured["seconds"], wall - measured["seconds"], processor, peak, int(measured["frames"]))


def _measured(command: Sequence[str], threads: int | None) -> tuple[str, float, float, int]:
    """Run a command; return what it said, wall and processor seconds, and its peak of memory in bytes."""
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            last = (errors.read().strip().splitlines() or [f"exit code {process.returncode}"])[-1]
            raise InputError(f"{' '.join(command[1:4])} failed: {last}")
        peak = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
        return out.read(), wall, usage.ru_utime + usage.ru_stime, peak


def _videos(room: Path) -> list[Path]:
    videos = sorted(room.glob("*.mp4"))
    if not videos or not (room / "truth").is_dir():
        raise InputError(f"{room} holds no simulated room; make one: multicam simulate --minutes 0.5 -o {room}")
    return videos


def score_of(room: Path, results: Path) -> dict[str, float]:
    """Return MOTA and IDF1 in percent: means over the cameras, and of all cameras together (``…_together``)."""
    names = [path.stem for path in _videos(room)]
    rows = score_room(room, results, names).rows
    single = [row for row in rows if row["sequence"] != ALL_CAMERAS]
    together = next(row for row in rows if row["sequence"] == ALL_CAMERAS)
    return {
        "MOTA": statistics.fmean(row["MOTA"] for row in single),
        "IDF1": statistics.fmean(row["IDF1"] for row in single),
        "MOTA_together": together["MOTA"],
        "IDF1_together": together["IDF1"],
    }


def compare_end_to_end(
    room: Path,
    names: Sequence[str],
    *,
    repeats: int,
    with_usual: bool = True,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Measure variants of ours and the usual stack, alternating.

    Args:
        room: folder of ``multicam simulate``.
        names: of :data:`VARIANTS`.
        repeats: of each.
        with_usual: measure the usual stack too.
        advance: called before each run with what comes.

    Raises:
        InputError: no room, an unknown variant, or a run that failed.
    """
    unknown = next((name for name in names if name not in VARIANTS), None)
    if unknown is not None:
        raise InputError(f"unknown variant {unknown!r}; known: {', '.join(VARIANTS)}")
    video_seconds = _video_seconds(room)
    everything = [*names, *([USUAL] if with_usual else [])]
    runs: dict[str, list[Run]] = {name: [] for name in everything}
    scores: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats):
            for name in everything if repeat % 2 == 0 else everything[::-1]:
                advance(f"{name}, repeat {repeat + 1}")
                output = Path(folder) / name
                runs[name].append(run_usual(room, output) if name == USUAL else run_track(room, output, VARIANTS[name]))
                if name not in scores:
                    scores[name] = score_of(room, output)
    return {
        "settings": {
            "room": room.name, "video_seconds": round(video_seconds, 3), "repeats": repeats, "detector": DETECTOR,
            "embedder": EMBEDDER, "variants": list(names),
        },
        "rows": [_row(name, runs, scores[name], video_seconds) for name in everything],
    }  # fmt: skip


def _video_seconds(room: Path) -> float:
    with open_source(CameraSettings(name="room", source=str(_videos(room)[0]))) as source:
        if not source.frame_count or not source.frame_rate:
            raise InputError(f"{_videos(room)[0]} does not say how long it is; simulate the room again")
        return source.frame_count / source.frame_rate


def _row(
    name: str, runs: Mapping[str, Sequence[Run]], scores: Mapping[str, float], video_seconds: float
) -> dict[str, Any]:
    mine = runs[name]
    seconds = [run.seconds for run in mine]
    frames = mine[0].frames
    row: dict[str, Any] = {
        "name": name,
        "title": "ultralytics track, BoT-SORT, OSNet in PyTorch" if name == USUAL else VARIANTS[name].title,
        "implementation": f"ultralytics {version('ultralytics')}" if name == USUAL else OURS,
        "frames": frames,
        "seconds": statistics.median(seconds),
        "seconds_lowest": min(seconds),
        "seconds_highest": max(seconds),
        "start_seconds": statistics.median(run.start_seconds for run in mine),
        "frames_per_second": frames / statistics.median(seconds),
        "real_time": video_seconds / statistics.median(seconds),
        "processor_seconds_per_frame": statistics.median(run.processor_seconds for run in mine) / frames,
        "peak_bytes": max(run.peak_bytes for run in mine),
        **scores,
    }
    if name != USUAL:
        variant = VARIANTS[name]
        row["real_time_target"], row["ratio_target"] = variant.target, variant.ratio
        row["stages"] = {stage: of["seconds"] for stage, of in mine[0].record["stages"].items()}
        row["frames_detected"] = mine[0].record["frames_detected"]
        if USUAL in runs:
            row["speed_ratio"] = statistics.median(
                other.seconds / run.seconds for run, other in zip(mine, runs[USUAL], strict=True)
            )
    return row


def end_to_end_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table that is printed."""
    header = [
        "what", "frames/s", "", "× real time", "target", "× usual", "CPU ms/frame", "GB", "start s", "IDF1", "MOTA",
        "IDF1 together",
    ]  # fmt: skip
    fastest = max(row["frames_per_second"] for row in rows)
    lines = []
    for row in rows:
        target, ratio = row.get("real_time_target"), row.get("speed_ratio")
        lines.append([
            row["title"],
            f"{row['frames_per_second']:.1f} ({row['frames'] / row['seconds_highest']:.1f}–"
            f"{row['frames'] / row['seconds_lowest']:.1f})",
            "█" * max(round(20 * row["frames_per_second"] / fastest), 1),
            f"{row['real_time']:.2f}",
            f"{target:g}" if target else "",
            f"{ratio:.2f}" if ratio else "",
            f"{1000 * row['processor_seconds_per_frame']:.1f}",
            f"{row['peak_bytes'] / 1e9:.2f}",
            f"{row['start_seconds']:.1f}",
            f"{row['IDF1']:.1f}",
            f"{row['MOTA']:.1f}",
            "" if row["name"] == USUAL else f"{row['IDF1_together']:.1f}",
        ])  # fmt: skip
    return header, lines
