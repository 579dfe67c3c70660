"""``multicam evaluate``: how well people are followed, on data whose truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.evaluate_aicity import aicity
from apps.evaluate_all import all_protocols
from apps.evaluate_lab import lab
from apps.evaluate_mot16 import mot16
from apps.evaluation_options import (
    DATA,
    OUTPUT,
    PROTOCOL,
    FloorSettingOption,
    Gates,
    Json,
    Overwrite,
    Quiet,
    Report,
)
from apps.interrupts import stoppable

if TYPE_CHECKING:
    from benchmarks.floor_protocols import FloorEvaluation
    from benchmarks.floor_scenes import FloorScene
    from tracker.floor.settings import FloorSettings

__all__ = ["app"]

app = typer.Typer(
    help="Score the tracker against known truth: people in pictures, and on the floor in metres.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_Root = Annotated[
    Path,
    typer.Option(
        "--root",
        envvar="MULTICAM_DATA",
        help="Folder of the data, or one that has it as cmc, wildtrack or data/….",
        rich_help_panel=DATA,
    ),
]
_Runs = Annotated[
    int,
    typer.Option(
        help="Of each sequence, every one with other noise on the boxes; 1 takes them as they are.",
        rich_help_panel=PROTOCOL,
    ),
]
_Jitter = Annotated[
    float, typer.Option(help="Noise of the boxes' sides in several runs, pixels.", rich_help_panel=PROTOCOL)
]
_Seed = Annotated[int, typer.Option(help="Of the first run's noise; the others count on.", rich_help_panel=PROTOCOL)]
_Online = Annotated[
    bool,
    typer.Option(
        "--online",
        help="Score what was known at each instant; else the run is looked at again from its end.",
        rich_help_panel=PROTOCOL,
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder for report.json, report.md and the first run's tracks: tracks/NAME.txt, lines of frame,id,x,y "
        "in metres.",
        rich_help_panel=OUTPUT,
    ),
]


@dataclass(frozen=True, slots=True)
class _Request:
    """What both commands are asked for; see their options."""

    protocol: str
    title: str
    root: Path
    data: Mapping[str, Any]
    gates: tuple[float, ...]
    runs: int
    jitter: float
    seed: int
    settings: tuple[str, ...]
    output: Path | None
    overwrite: bool
    json: Path | None
    quiet: bool
    combine: bool = False
    online: bool = False
    report: Path | None = None


@app.command()
@stoppable()
def cmc(
    root: _Root,
    sequences: Annotated[
        list[str] | None,
        typer.Option(
            "--sequences",
            "--sequence",
            help="Names, with commas or repeatable; all that have a truth by default.",
            rich_help_panel=DATA,
        ),
    ] = None,
    detections: Annotated[
        str, typer.Option(help="Whose boxes: frcnn, fairmot or cstrack.", rich_help_panel=DATA)
    ] = "frcnn",
    gate: Gates = None,
    runs: _Runs = 6,
    jitter: _Jitter = 0.1,
    seed: _Seed = 0,
    setting: FloorSettingOption = None,
    online: _Online = False,
    output: _Output = None,
    overwrite: Overwrite = False,
    json: Json = None,
    report: Report = None,
    quiet: Quiet = False,
) -> None:
    """CMC: a room before four cameras, from published detectors' boxes; beside the authors' published estimates."""
    names = [name.strip() for given in sequences or [] for name in given.split(",") if name.strip()]

    def scenes() -> list[FloorScene]:
        from benchmarks.floor_scenes import cmc_scene, cmc_sequence_folders

        return [cmc_scene(folder, detections) for folder in cmc_sequence_folders(root, names)]

    request = _Request(
        "cmc", "CMC: people on the floor", root, {"detections": detections}, tuple(gate or ()), runs, jitter, seed,
        tuple(setting or ()), output, overwrite, json, quiet, combine=True, online=online, report=report,
    )  # fmt: skip
    _evaluate(request, scenes)


@app.command()
@stoppable()
def wildtrack(
    root: _Root,
    detections: Annotated[
        list[str] | None,
        typer.Option(
            help="easy, medium, hard, or a file of the same columns; repeatable, all three by default.",
            rich_help_panel=DATA,
        ),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(metavar="A-B", help="First and last; all by default.", rich_help_panel=DATA),
    ] = None,
    gate: Gates = None,
    runs: _Runs = 1,
    jitter: _Jitter = 0.1,
    seed: _Seed = 0,
    setting: FloorSettingOption = None,
    online: _Online = False,
    output: _Output = None,
    overwrite: Overwrite = False,
    json: Json = None,
    report: Report = None,
    quiet: Quiet = False,
) -> None:
    """WILDTRACK: a square before seven cameras, from simulated boxes; beside what perfect identities would reach."""
    given = list(detections or ("easy", "medium", "hard"))

    def scenes() -> list[FloorScene]:
        from benchmarks.floor_scenes import wildtrack_folder, wildtrack_scene
        from benchmarks.wildtrack import detections_file, parse_frame_range
        from benchmarks.wildtrack import wildtrack as described

        wanted = None if frames is None else parse_frame_range(frames)
        data = described(wildtrack_folder(root))
        files = {detections_file(data, one).resolve(): one for one in given}
        return [wildtrack_scene(data, path, wanted) for path in files]

    request = _Request(
        "wildtrack", "WILDTRACK: people on the floor", root, {"detections": given, "frames": frames},
        tuple(gate or ()), runs, jitter, seed, tuple(setting or ()), output, overwrite, json, quiet, online=online,
        report=report,
    )  # fmt: skip
    _evaluate(request, scenes)


def _evaluate(request: _Request, load: Callable[[], Sequence[FloorScene]]) -> None:
    """Read the scenes, evaluate them, write what was asked for, and print a table.

    Everything is read before anything is tracked, and everything is written at the end or nothing.
    """
    from rich.console import Console

    from apps.evaluation import floor_settings, write_evaluation
    from apps.interrupts import StopRequest
    from apps.notices import Notices
    from apps.output_folder import OutputFolder
    from benchmarks.console import StepBars, print_table
    from benchmarks.floor_protocols import evaluate_scenes, table_of
    from benchmarks.report import make_report, markdown_table, write_json
    from benchmarks.report_files import check_report_folder, write_report
    from benchmarks.world_metrics import GATES
    from tracker.storage.atomic import AtomicFile

    settings, gates = floor_settings(request.settings), request.gates or GATES
    if request.json is not None:
        # Said now, not after the tracking.
        AtomicFile(request.json).discard()
    if request.report is not None:
        check_report_folder(request.report)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopRequest(at_once=True))
        folder = None
        if request.output is not None:
            folder = stack.enter_context(OutputFolder(request.output, overwrite=request.overwrite))
        notices = stack.enter_context(Notices(None if request.quiet else Console(stderr=True)))
        scenes = load()
        with StepBars(request.quiet) as bars:
            evaluation = evaluate_scenes(
                scenes,
                settings,
                gates=gates,
                runs=request.runs,
                jitter_pixels=request.jitter,
                seed=request.seed,
                online=request.online,
                combine=request.combine,
                progress=_Bars(bars),
            )
            details = (
                None if request.report is None else _details(request, scenes, gates, evaluation, bars.of("pictures"))
            )
        described = _described(request, scenes, gates, settings, evaluation)
        report = make_report(request.protocol, described, evaluation.rows)
        header, lines = table_of(evaluation.rows, gates)
        remarks = _remarks(request, gates, report["machine"])
        with stop.shielded():
            if folder is not None:
                text = f"# {request.title}\n\n{markdown_table(header, lines)}\n{remarks}"
                write_evaluation(folder, report, text, evaluation.tracks, notices.warnings)
            if request.json is not None:
                write_json(request.json, report)
            if request.report is not None:
                write_report(request.report, report | {"details": details})
    if not request.quiet:
        print_table(request.title, header, lines, remarks)


class _Bars:
    """A bar for each kind of step, made when the first is done."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._of: dict[str, Callable[[int, int], None]] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._of:
            self._of[what] = self._bars.of(what)
        self._of[what](done, total)


def _details(
    request: _Request,
    scenes: Sequence[FloorScene],
    gates: Sequence[float],
    evaluation: FloorEvaluation,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Return what a page shows besides the figures, of the first run and of what else is known."""
    from benchmarks.floor_details import FloorSequence, floor_details
    from benchmarks.floor_protocols import OURS

    sequences = {}
    for scene in scenes:
        tracks = {OURS: evaluation.tracks[scene.name], **scene.references}
        counted = {name: found.between(*scene.evaluated) for name, found in tracks.items()}
        truth, (_, last) = scene.truth.between(*scene.evaluated), scene.evaluated
        sequences[scene.name] = FloorSequence(truth, counted, last, scene.frame_rate, scene.area)
    return floor_details(sequences, gates[0], combine=request.combine and len(scenes) > 1, progress=progress)


def _described(
    request: _Request,
    scenes: Sequence[FloorScene],
    gates: Sequence[float],
    settings: FloorSettings,
    evaluation: FloorEvaluation,
) -> dict[str, Any]:
    return {
        "root": str(request.root),
        **request.data,
        "sequences": [scene.name for scene in scenes],
        "evaluated_frames": {scene.name: list(scene.evaluated) for scene in scenes},
        "cameras": {scene.name: list(scene.cameras) for scene in scenes},
        "gates": list(gates),
        "runs": request.runs,
        "jitter_pixels": request.jitter if request.runs > 1 else 0.0,
        "seed": request.seed,
        "online": request.online,
        "tracker": settings.model_dump(mode="json"),
        "engines": evaluation.engines,
    }


def _remarks(request: _Request, gates: Sequence[float], machine: Mapping[str, Any]) -> str:
    boxes = request.data["detections"]
    runs = "1 run on the boxes as they are"
    if request.runs > 1:
        runs = f"Mean of {request.runs} runs with {request.jitter:g} pixels of noise on the boxes"
    runs += ", as known at each instant" if request.online else ", looked at again from the end"
    changed = f" Settings: {', '.join(request.settings)}." if request.settings else ""
    return (
        f"Detections: {boxes if isinstance(boxes, str) else ', '.join(boxes)}. {runs}. MOTP, IDSW, FP and FN at "
        f"{gates[0]:g} m.{changed} {machine['processor']}, {machine['cores_usable']} of {machine['cores']} cores."
    )


app.command()(stoppable()(lab))
app.command()(stoppable()(aicity))
app.command()(stoppable()(mot16))
app.command("all")(stoppable()(all_protocols))
