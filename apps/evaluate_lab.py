"""``multicam evaluate lab``: a room before calibrated cameras, by motion alone and with re-identification."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.evaluation_options import DATA, OUTPUT, PROTOCOL, FloorSettingOption, Gates, Json, Overwrite, Quiet, Report
from apps.network_options import MODELS, NetworkOptions
from apps.option_groups import with_option_groups

if TYPE_CHECKING:
    from apps.lab_runs import LabWork
    from apps.settings import NetworkSettings
    from apps.simulate import RoomSettings
    from benchmarks.lab_scores import LabScores
    from benchmarks.lab_sequence import LabSequence
    from tracker.floor.settings import FloorSettings

__all__ = ["lab"]

_TITLE = "LAB: a room before calibrated cameras"
_MOTION = "none"


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for; see the options of :func:`lab`."""

    root: Path | None
    rooms: tuple[RoomSettings, ...]
    work: Path | None
    detector: str
    detections: str | None
    embedders: tuple[str, ...]
    networks: NetworkSettings
    gates: tuple[float, ...]
    settings: tuple[str, ...]
    look_again: bool
    output: Path | None
    overwrite: bool
    json: Path | None
    report: Path | None
    quiet: bool


@with_option_groups
def lab(
    context: typer.Context,
    root: Annotated[
        Path | None,
        typer.Option(
            envvar="MULTICAM_DATA",
            help="Folder of a sequence or of several, or one that has them as lab or data/lab.",
            rich_help_panel=DATA,
        ),
    ] = None,
    simulate: Annotated[
        list[int] | None,
        typer.Option(
            metavar="SEED",
            help="Render and evaluate our own room instead; repeatable. Seeds 0 to 999.",
            rich_help_panel=DATA,
        ),
    ] = None,
    minutes: Annotated[float, typer.Option(help="Of each simulated room.", rich_help_panel=DATA)] = 12.5,
    people: Annotated[int, typer.Option(help="Who may come into a simulated room.", rich_help_panel=DATA)] = 20,
    at_once: Annotated[int, typer.Option(help="How many may be in it together, at most 7.", rich_help_panel=DATA)] = 7,
    workers: Annotated[
        int | None, typer.Option(help="Processes that render; by default one per core.", rich_help_panel=DATA)
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            help="Folder for rooms, detections and tracks, kept: what is complete and was made from the same is not "
            "made again. By default a temporary one.",
            rich_help_panel=DATA,
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(help="As for track; yolo26n.pt by default, with --simulate yolo11n_room.", rich_help_panel=MODELS),
    ] = None,
    detections: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="MOTChallenge text instead of a detector: a file, a folder with NAME.txt of each camera (or with a "
            "folder for each sequence), or own: detections/NAME.txt of the sequence.",
            rich_help_panel=MODELS,
        ),
    ] = None,
    embedder: Annotated[
        list[str] | None,
        typer.Option(
            help="As for track; repeatable. Motion alone (none) is always there. osnet_x0_25 by default, with "
            "--simulate osnet_x0_25:room.",
            rich_help_panel=MODELS,
        ),
    ] = None,
    *,
    networks: NetworkOptions,
    gate: Gates = None,
    setting: FloorSettingOption = None,
    look_again: Annotated[
        bool,
        typer.Option(
            "--look-again",
            help="Runs with an embedder are looked at again from their end, and scored then.",
            rich_help_panel=PROTOCOL,
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for report.json, report.md and tracks/SEQUENCE/EMBEDDER.txt, lines of frame,id,x,y in metres.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = None,
    report: Report = None,
    quiet: Quiet = False,
) -> None:
    """LAB: a room before calibrated cameras, by motion alone and with embedders; beside the paper of Robust-ReID."""
    from apps.settings import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, ROOM_DETECTOR, ROOM_EMBEDDER
    from apps.simulate import RoomSettings
    from benchmarks.simulation.seeds import check_test_seeds
    from tracker.errors import InputError

    seeds = tuple(simulate or ())
    source = context.get_parameter_source("root")
    if seeds and source is not None and source.name == "ENVIRONMENT":
        root = None
    if (root is None) == (not seeds):
        given = "none" if root is None else "both"
        raise InputError(f"of --root DIR and --simulate SEED {given} is given: give one, to say what is evaluated")
    if seeds:
        check_test_seeds(seeds)
    if detector is not None and detections is not None:
        raise InputError(
            f"--detector {detector} and --detections {detections} both say where boxes come from: give one"
        )
    embedders = embedder or [ROOM_EMBEDDER if seeds else DEFAULT_EMBEDDER]
    request = _Request(
        root=root,
        rooms=tuple(RoomSettings(seed, 60 * minutes, 4, people, at_once, workers) for seed in seeds),
        work=work,
        detector=detector or (ROOM_DETECTOR if seeds else DEFAULT_DETECTOR),
        detections=detections,
        embedders=tuple(dict.fromkeys([_MOTION, *(name for name in embedders if name.lower() != _MOTION)])),
        networks=networks.settings(),
        gates=tuple(gate or ()),
        settings=tuple(setting or ()),
        look_again=look_again,
        output=output,
        overwrite=overwrite,
        json=json,
        report=report,
        quiet=quiet,
    )
    _evaluate(request)


def _evaluate(request: _Request) -> None:
    """Do the long work, score it, write what was asked for, and print the tables."""
    from rich.console import Console

    from apps.evaluation import floor_settings, write_evaluation
    from apps.interrupts import StopRequest
    from apps.lab_runs import LabWork
    from apps.notices import Notices
    from apps.output_folder import OutputFolder
    from benchmarks.console import StepBars, print_table
    from benchmarks.floor_protocols import check_gates
    from benchmarks.lab_scores import PAPER_ROWS, mean_rows
    from benchmarks.lab_sequence import lab_sequences
    from benchmarks.lab_tables import lab_tables
    from benchmarks.report import make_report, markdown_table, write_json
    from benchmarks.report_files import check_report_folder, write_report
    from benchmarks.world_metrics import GATES
    from tracker.storage.atomic import AtomicFile

    settings, gates = floor_settings(request.settings), request.gates or GATES
    check_gates(gates)
    if request.json is not None:
        # Said now, not after hours.
        AtomicFile(request.json).discard()
    if request.report is not None:
        check_report_folder(request.report)
    console = None if request.quiet else Console(stderr=True)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopRequest(at_once=True))
        folder = None
        if request.output is not None:
            folder = stack.enter_context(OutputFolder(request.output, overwrite=request.overwrite))
        notices = stack.enter_context(Notices(console))
        place = request.work
        if place is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="multicam-lab-")))
        work = LabWork(
            place.expanduser().absolute(), request.detector, request.detections, request.networks, settings,
            request.look_again, stop, notices, console,
        )  # fmt: skip
        sequences = [] if request.root is None else lab_sequences(request.root)
        for sequence in sequences:
            work.detections_of(sequence, len(sequences))
        work.check_models(request.embedders)
        sequences += [work.room(room) for room in request.rooms]
        runs = _runs(work, sequences, request.embedders)
        with StepBars(request.quiet) as bars:
            scores = _scores(sequences, runs, gates, bars)
            details = None if request.report is None else _details(sequences, scores, gates, bars.of("pictures"))
        rows = [score.row for found in scores.values() for score in found.values()]
        rows += mean_rows(rows)
        models = work.models(runs)
        described = _described(request, sequences, gates, settings, scores, models)
        report = make_report("lab", described, [*rows, *PAPER_ROWS])
        tables = lab_tables(rows, PAPER_ROWS, gates)
        remarks = _remarks(request, gates, report["machine"], models)
        with stop.shielded():
            if folder is not None:
                parts = [f"## {title}\n\n{markdown_table(header, lines)}" for title, header, lines in tables]
                text = "\n".join([f"# {_TITLE}\n", *parts, remarks])
                write_evaluation(folder, report, text, _tracks(scores), notices.warnings)
            if request.json is not None:
                write_json(request.json, report)
            if request.report is not None:
                write_report(request.report, report | {"details": details})
    if not request.quiet:
        for title, header, lines in tables:
            print_table(title, header, lines, remarks if title == tables[-1][0] else "")


def _runs(work: LabWork, sequences: Sequence[LabSequence], embedders: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Return sequence → embedder → folder of ``multicam track``."""
    runs: dict[str, dict[str, Path]] = {}
    for sequence in sequences:
        detections = work.detections_of(sequence, len(sequences)) or work.detected(sequence)
        runs[sequence.name] = {name: work.tracked(sequence, detections, name) for name in embedders}
    return runs


def _scores(
    sequences: Sequence[LabSequence], runs: Mapping[str, Mapping[str, Path]], gates: Sequence[float], bars: Any
) -> dict[str, dict[str, LabScores]]:
    """Return sequence → embedder → scores."""
    from benchmarks.lab_scores import MOTION, score_lab_run

    report, total = bars.of("scores"), sum(map(len, runs.values()))
    scores: dict[str, dict[str, LabScores]] = {sequence.name: {} for sequence in sequences}
    for sequence in sequences:
        for name, run in runs[sequence.name].items():
            report(sum(map(len, scores.values())), total)
            row = MOTION if name == _MOTION else name
            scores[sequence.name][name] = score_lab_run(sequence, run, row, gates)
    return scores


def _tracks(scores: Mapping[str, Mapping[str, LabScores]]) -> dict[str, Any]:
    from apps.lab_runs import file_name

    return {
        f"{file_name(sequence)}/{file_name(name)}": score.tracks
        for sequence, found in scores.items()
        for name, score in found.items()
        if score.tracks is not None
    }


def _details(
    sequences: Sequence[LabSequence],
    scores: Mapping[str, Mapping[str, LabScores]],
    gates: Sequence[float],
    progress: Any,
) -> dict[str, Any]:
    """Return what a page shows besides the figures: of sequences with a truth on the floor."""
    import numpy as np

    from benchmarks.floor_details import FloorSequence, floor_details

    found = {}
    for sequence in sequences:
        if sequence.world is None:
            continue
        tracks = {one.row["name"]: one.tracks for one in scores[sequence.name].values() if one.tracks is not None}
        truth, last = sequence.world[np.isin(sequence.world.frames, sequence.evaluated)], int(sequence.evaluated[-1])
        found[sequence.name] = FloorSequence(truth, tracks, last, None, sequence.area)
    return floor_details(found, gates[0], progress=progress)


def _described(
    request: _Request,
    sequences: Sequence[LabSequence],
    gates: Sequence[float],
    settings: FloorSettings,
    scores: Mapping[str, Mapping[str, LabScores]],
    models: Sequence[str],
) -> dict[str, Any]:
    on_floor = [sequence for sequence in sequences if sequence.world is not None]
    simulated = [dataclasses.asdict(room) for room in request.rooms]
    return {
        "root": None if request.root is None else str(request.root),
        "simulated": [{key: value for key, value in room.items() if key != "workers"} for room in simulated],
        "sequences": [sequence.name for sequence in sequences],
        "cameras": {sequence.name: [camera.name for camera in sequence.cameras] for sequence in sequences},
        "areas": {
            sequence.name: None if sequence.area is None else dataclasses.asdict(sequence.area) for sequence in on_floor
        },
        "evaluated_frames": {
            sequence.name: [int(sequence.evaluated[0]), int(sequence.evaluated[-1])] for sequence in on_floor
        },
        "detector": request.detector if request.detections is None else None,
        "detections": request.detections,
        "embedders": list(request.embedders),
        **request.networks.model_dump(mode="json"),
        "models": list(models),
        "gates": list(gates),
        "look_again": request.look_again,
        "tracker": settings.model_dump(mode="json"),
        "engines": {
            key: value for found in scores.values() for one in found.values() for key, value in one.engines.items()
        },
    }


def _remarks(request: _Request, gates: Sequence[float], machine: Mapping[str, Any], models: Sequence[str]) -> str:
    from apps.summary import run_by

    boxes = f"detections of {request.detector}" if request.detections is None else f"detections {request.detections}"
    changed = f" Settings: {', '.join(request.settings)}." if request.settings else ""
    known = "as known at each instant"
    if request.look_again:
        known = f"as looked at again from their end, by motion alone {known}"
    return (
        f"All rows of a sequence have the same boxes: {boxes}. Runs are scored {known}. "
        f"MOTP, IDSW, FP and FN on the floor at {gates[0]:g} m. frames/s without detection, the frames of all "
        "cameras at an instant counted as one. The paper's rows are of the real LAB sequence and its authors' own "
        "tracker, for orientation: it does not say how far a match may be."
        f"{changed} {machine['processor']}, {machine['cores_usable']} of {machine['cores']} cores."
        f"{f' {run_by(models)}' if models else ''}"
    )
