"""``multicam demo``: a simulated room through the whole pipeline, and how well that went against the exact truth."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.interrupts import StopRequest
from apps.output_folder import OutputFolder
from apps.settings import ROOM_DETECTOR, ROOM_EMBEDDER, NetworkSettings, OutputSettings, TrackSettings
from apps.simulate import RoomSettings, render_room
from apps.validation import checked

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.room_scores import RoomScores
    from benchmarks.simulation import Simulation

__all__ = ["DemoReport", "DemoSettings", "print_scores", "run_demo"]

#: what is compared with: tracking by motion alone
_MOTION = "none"
#: the detector that looks at no picture
_SIMULATED = "simulated"
_SHOWN = ("MOTA", "IDF1", "HOTA")


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What to show: the room, what finds its people, what tells them apart, and what runs both."""

    room: RoomSettings
    detector: str = ROOM_DETECTOR
    embedder: str = ROOM_EMBEDDER
    embedder_weights: Path | None = None
    networks: NetworkSettings = field(default_factory=NetworkSettings)


@dataclass(frozen=True, slots=True)
class DemoReport:
    """How a demonstration ended.

    Args:
        folder: where everything lies.
        scores: embedder → its scores, the one asked for first; empty when interrupted.
        interrupted: whether somebody ended it before all frames were tracked.
        models: what found people and what told them apart, each with its runtime and precision.
    """

    folder: Path
    scores: Mapping[str, RoomScores]
    interrupted: bool
    models: tuple[str, ...] = ()

    @property
    def mosaic(self) -> Path:
        """The video of all cameras."""
        return self.folder / "track" / "mosaic.mp4"


def run_demo(
    settings: DemoSettings, output: Path, *, overwrite: bool = False, console: Console | None = None
) -> DemoReport:
    """Render a room, track the people in its videos, and score the result.

    ``output`` then has ``room`` (what ``multicam simulate`` writes), ``track`` (what ``multicam track`` writes) and
    ``scores.json``. Whatever is there belongs together: an interrupt while the room is rendered leaves the folder as it
    was, one during tracking leaves the room and, of the tracking, what was done so far or nothing.

    Args:
        settings: what to show.
        output: folder; made when missing.
        overwrite: replace an earlier demonstration.
        console: where progress is shown; ``None``: nowhere.

    Raises:
        InputError: a setting cannot be used.
        KeyboardInterrupt: interrupted at once.
    """
    from apps.build import build_detector, build_embedder
    from apps.track import run_track

    # A wrong name is noticed before the room is rendered.
    wanted = _track_settings(settings, Path(), settings.embedder)
    build_embedder(wanted)
    if settings.detector != _SIMULATED:
        build_detector(wanted, [])
    with StopRequest(at_once=True) as stop, OutputFolder(output, overwrite=overwrite) as folder:
        for name in ("room", "track"):
            # Said now, not after the rendering.
            OutputFolder(folder.path / name, overwrite=overwrite)
        folder.file("scores.json")
        simulation = render_room(folder, "room", settings.room, stop, console)
        with stop.shielded():
            OutputFolder(folder.path / "track", overwrite=True).discard_earlier()
            (folder.path / "scores.json").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                (folder.path / "track").rmdir()
        tracked = run_track(
            _track_settings(settings, simulation.folder, settings.embedder),
            OutputSettings(
                folder=folder.path / "track", overwrite=True, mosaic=True, trails=True, save_crops=True,
                save_detections=True, quiet=console is None,
            ),
            console,
        )  # fmt: skip
        results = {settings.embedder: folder.path / "track"}
        interrupted = tracked.interrupted
        if not interrupted and settings.embedder.lower() != _MOTION:
            results[_MOTION] = folder.staging / "motion"
            # The same detections: nothing is detected twice.
            again = _track_settings(settings, simulation.folder, _MOTION).model_copy(update={
                "sources": [str(_without_detections(simulation, folder.staging))],
                "detector": f"mot:{folder.path / 'track' / 'detections'}",
            })  # fmt: skip
            interrupted = run_track(again, OutputSettings(folder=results[_MOTION], video=False, quiet=True)).interrupted
        if interrupted:
            return DemoReport(folder.path, {}, True, tracked.models)
        scores = _score(settings, simulation, results, folder, tracked.models)
        with stop.shielded():
            folder.publish()
    return DemoReport(folder.path, scores, False, tracked.models)


def _track_settings(settings: DemoSettings, room: Path, embedder: str) -> TrackSettings:
    return checked(
        TrackSettings,
        sources=[str(room / "cameras.yaml")],
        detector=f"mot:{room / 'detections'}" if settings.detector == _SIMULATED else settings.detector,
        embedder=embedder,
        embedder_weights=None if embedder == _MOTION else settings.embedder_weights,
        seed=settings.room.seed,
        **settings.networks.model_dump(),
    )


def _without_detections(simulation: Simulation, folder: Path) -> Path:
    """Write a ``cameras.yaml`` of the room whose cameras name no detections, which would go before any other."""
    import yaml

    cameras = [
        {
            "name": name,
            "source": str((simulation.folder / f"{name}.mp4").absolute()),
            "calibration": str((simulation.folder / "calibration.json").absolute()),
        }
        for name in simulation.cameras
    ]
    path = folder / "cameras.yaml"
    path.write_text(yaml.safe_dump({"cameras": cameras}), encoding="utf-8")
    return path


def _score(
    settings: DemoSettings,
    simulation: Simulation,
    results: Mapping[str, Path],
    folder: OutputFolder,
    models: Sequence[str],
) -> dict[str, RoomScores]:
    from benchmarks.report import make_report, write_json
    from benchmarks.room_scores import ALL_CAMERAS, score_room

    scores = {name: score_room(simulation.folder, path, simulation.cameras) for name, path in results.items()}
    rows: list[dict[str, Any]] = []
    for name, scored in scores.items():
        for row in scored.rows:
            found = {"identities": scored.identities, "people": scored.people}
            rows.append({"name": name, **row, **(found if row["sequence"] == ALL_CAMERAS else {})})
    rows = [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in rows
    ]
    first = next(iter(scores.values()))
    described = {
        **{key: value for key, value in asdict(settings.room).items() if key != "workers"},
        "frames": simulation.frames,
        "frame_rate": simulation.frame_rate,
        "detector": settings.detector,
        **settings.networks.model_dump(mode="json"),
        "models": list(models),
        "tracker": _track_settings(settings, simulation.folder, _MOTION).pipeline.tracker,
        "engines": dict(first.engines),
    }
    write_json(folder.file("scores.json"), make_report("simulated room", described, rows))
    return scores


def print_scores(scores: Mapping[str, RoomScores], console: Console) -> None:
    """Print the scores as a table: a row per camera and one for all, the embedders side by side."""
    from rich.text import Text

    from benchmarks.room_scores import ALL_CAMERAS

    groups = ["motion alone" if name.lower() == _MOTION else Path(name).name for name in scores]
    first = max(len(ALL_CAMERAS), *(len(row["sequence"]) for row in next(iter(scores.values())).rows)) + 2
    # The name of an embedder stands above its three columns, which are as wide as it needs.
    width = max(7, *(-(-(len(group) + 2) // len(_SHOWN)) for group in groups))
    lines = [
        ("bold", " " * first + "".join(f"{group:>{width * len(_SHOWN)}}" for group in groups)),
        ("bold", " " * first + "".join(f"{metric:>{width}}" for _ in groups for metric in _SHOWN)),
    ]
    for rows in zip(*(scored.rows for scored in scores.values())):
        figures = "".join(f"{_percent(row[metric]):>{width}}" for row in rows for metric in _SHOWN)
        sequence = rows[0]["sequence"]
        lines.append(("bold" if sequence == ALL_CAMERAS else "", f"{sequence:<{first}}{figures}"))
    console.print("Against the exact truth, in percent:")
    for style, line in lines:
        console.print(Text(line, style=style), soft_wrap=True, highlight=False)
    people = next(iter(scores.values())).people
    counts = [
        f"{scored.identities} {'by motion alone' if name.lower() == _MOTION else f'with {Path(name).name}'}"
        for name, scored in scores.items()
    ]
    seen = "1 person was seen" if people == 1 else f"{people} people were seen"
    console.print(
        f"“all cameras” asks for one identity per person everywhere. {seen}; identities found: {', '.join(counts)}.",
        soft_wrap=True, markup=False, highlight=False,
    )  # fmt: skip


def _percent(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "–"
