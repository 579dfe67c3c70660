"""``multicam tune``: a tracker's parameters by search on sequences whose truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.evaluation_options import OUTPUT, Json, Quiet
from apps.mot_data import MotData
from apps.network_options import NetworkOptions
from apps.option_groups import with_option_groups

if TYPE_CHECKING:
    from apps.settings import NetworkSettings
    from benchmarks.mot_input import MotTruth
    from benchmarks.tuning import TuningTask
    from benchmarks.tuning_choice import Candidate
    from tracker.protocols import Detector
    from tracker.storage.mot_files import MotDetections

__all__ = ["tune"]

_SEARCH = "Search"


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for; see the options of :func:`tune`."""

    data: MotData
    networks: NetworkSettings
    tracker: str
    tracker_options: tuple[str, ...]
    parameters: tuple[str, ...]
    tune_boxes: bool
    metrics: tuple[str, ...]
    trials: int
    study: Path | None
    workers: int | None
    seed: int
    leave_one_out: bool
    output: Path
    overwrite: bool
    json: Path | None
    quiet: bool


@with_option_groups
def tune(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE",
            help="YAML of the tracker with what was found; track and evaluate mot16 read it by --tracker-parameters.",
            rich_help_panel=OUTPUT,
        ),
    ],
    *,
    data: MotData,
    networks: NetworkOptions,
    tracker: Annotated[str, typer.Option(help="As for track.", rich_help_panel=_SEARCH)] = "bytetrack",
    tune_boxes: Annotated[
        bool,
        typer.Option(
            "--tune-boxes", help="Search suppression of boxes, and for margins slope and centre, too.",
            rich_help_panel=_SEARCH,
        ),
    ] = False,
    tracker_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A setting that is not searched; repeatable.", rich_help_panel=_SEARCH),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW:HIGH", help="Search this one, between these; repeatable. By default all of motion.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="HOTA, MOTA, IDF1, AssA or DetA; of several, with commas, the mean.",
                          rich_help_panel=_SEARCH),
    ] = "HOTA",
    trials: Annotated[
        int, typer.Option(help="In all, those of an earlier run of the study too.", rich_help_panel=_SEARCH)
    ] = 100,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Optuna's journal: kept, and gone on with where it is there; results beside it.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; by default one per core.", rich_help_panel=_SEARCH)
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of the search; the same trials again with --workers 1.", rich_help_panel=_SEARCH)
    ] = 0,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out", help="Print also what is reached on each sequence by what is best on the others.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.", rich_help_panel=OUTPUT)] = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Search a tracker's parameters on MOTChallenge sequences: pruned, kept, in parallel, and gone on with."""
    _tune(
        _Request(
            data=data,
            networks=networks.settings(),
            tracker=tracker,
            tracker_options=tuple(tracker_option or ()),
            parameters=tuple(parameter or ()),
            tune_boxes=tune_boxes,
            metrics=tuple(name.strip() for name in metric.split(",")),
            trials=trials,
            study=study,
            workers=workers,
            seed=seed,
            leave_one_out=leave_one_out,
            output=output,
            overwrite=overwrite,
            json=json,
            quiet=quiet,
        )
    )


def _tune(request: _Request) -> None:
    """Read everything, search, then write and print what was found; interrupted, what was found until then."""
    import time

    from rich.console import Console

    from apps.interrupts import StopRequest
    from apps.notices import Notices
    from apps.summary import run_by
    from apps.tracker_file import write_tracker_file
    from benchmarks.console import StepBars, print_table
    from benchmarks.report import make_report, write_json
    from benchmarks.simulation.parallel import checked_workers
    from benchmarks.tuning import check_metrics, open_study
    from benchmarks.tuning import tune as search
    from benchmarks.tuning_choice import best_candidate, candidates_of
    from benchmarks.tuning_parts import PartCache
    from benchmarks.tuning_space import split_values
    from tracker.errors import InputError
    from tracker.storage.atomic import AtomicFile

    check_metrics(request.metrics)
    if request.trials < 1:
        raise InputError(f"--trials is {request.trials}; give at least 1")
    workers = checked_workers(request.workers)
    if request.output.exists() and not request.overwrite:
        raise InputError(f"{request.output} exists: give another --output, or add --overwrite")
    for path in filter(None, (request.output, request.json)):
        # Said now, not after the search.
        AtomicFile(path).discard()
    with contextlib.ExitStack() as stack:
        notices = stack.enter_context(Notices(None if request.quiet else Console(stderr=True)))
        task, models = _task(request)
        for line in [run_by(models)] if models else []:
            notices.say(line)
        study = open_study(task, request.study, request.seed)
        cache = PartCache(None if request.study is None else request.study.with_name(f"{request.study.name}.parts"))
        stack.callback(cache.close)
        before, begun = len(candidates_of(study, task.names)), time.perf_counter()
        ended = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
        with StopRequest() as stop, StepBars(request.quiet) as bars:
            report_progress = bars.of("trials")
            search(task, study, cache, trials=request.trials, workers=workers, progress=report_progress,
                   stopped=lambda: stop.requested)  # fmt: skip
        seconds = time.perf_counter() - begun
        candidates = candidates_of(study, task.names)
        if not candidates:
            raise KeyboardInterrupt
        best = best_candidate(task, candidates, task.names)
        choice, preparation = split_values(task.tracker, best.values, task.fixed, task.preparation)
        done = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False)) - ended
        rows = _rows(task, candidates, best, request.leave_one_out)
        settings = task.described() | {
            "root": str(request.data.root), **request.networks.model_dump(mode="json"), "models": models,
            "trials": len(study.trials), "whole_trials": len(candidates),
            "trials_of_earlier_runs": before, "evaluations_per_minute": round(60 * done / max(seconds, 1e-9), 1),
            "seed": request.seed, "workers": workers, "best_trial": best.number, "best": dict(best.values),
        }  # fmt: skip
        remarks = {
            "made by": "multicam tune",
            "sequences": ", ".join(task.names),
            "maximised": f"{' + '.join(task.metrics)}, trial {best.number} of {len(study.trials)}",
        }
        write_tracker_file(request.output, choice, preparation, remarks)
        if request.json is not None:
            write_json(request.json, make_report("tune", settings, rows))
        if stop.requested:
            notices.say("Interrupted: what was found until then is written. The same --study goes on with it.")
    if not request.quiet:
        header, lines = _table(rows)
        print_table(f"{request.tracker}: {' + '.join(task.metrics)} maximised", header, lines, _said(settings, request))
    if stop.requested:
        raise typer.Exit(130)


def _task(request: _Request) -> tuple[TuningTask, list[str]]:
    """Return what is searched, and what found the boxes if a detector did."""
    import numpy as np

    from apps.kept_results import code_fingerprint
    from apps.validation import parse_options
    from benchmarks.mot_input import read_truth
    from benchmarks.mot_tracking import TrackerChoice, prepared
    from benchmarks.tuning import TuningTask
    from benchmarks.tuning_space import box_space, restricted, tracker_space
    from tracker.errors import InputError

    fixed = parse_options(request.tracker_options, "--tracker-option")
    TrackerChoice(request.tracker, fixed).create(30.0)
    preparation = request.data.preparation
    sequences = request.data.chosen_sequences()
    if request.leave_one_out and len(sequences) < 2:
        raise InputError(f"--leave-one-out needs two sequences or more, and {sequences[0].name} is the only one")
    truths = [read_truth(sequence) for sequence in sequences]
    detector = request.data.detector(sequences, request.networks)
    if detector is None:
        found = list(request.data.read_boxes(truths).values())
    else:
        found = _found_in_images(truths, detector, request.quiet)
    # Small ones first: what is pruned has cost little.
    order = sorted(range(len(truths)), key=lambda index: len(found[index]) + len(truths[index].tracks))
    raw = np.concatenate([boxes.scores for boxes in found])
    boxes = box_space(raw, request.tracker) if request.tune_boxes else []
    given = np.concatenate([prepared(boxes_, preparation).scores for boxes_ in found])
    if any(one.name.endswith("slope") for one in boxes):
        given = np.linspace(0.0, 1.0, 101)
    space = [one for one in tracker_space(request.tracker, given) if one.name not in fixed] + boxes
    space = restricted(space, request.parameters)
    if not space:
        raise InputError(f"--tracker {request.tracker} has no parameter left to search; leave out a --tracker-option")
    task = TuningTask(
        request.tracker, space, fixed, preparation, [truths[index] for index in order],
        [found[index] for index in order], request.metrics, code_fingerprint(),
    )  # fmt: skip
    return task, [] if detector is None else [detector.description]


def _found_in_images(truths: Sequence[MotTruth], detector: Detector, quiet: bool) -> list[MotDetections]:
    """Return what a detector finds in the images of each sequence: once, for all trials."""
    from apps.mot_images import detect_and_embed
    from apps.mot_runs import as_file
    from benchmarks.console import StepBars
    from benchmarks.mot_tracking import Preparation

    found = []
    with StepBars(quiet) as bars:
        for truth in truths:
            report = bars.of(f"images of {truth.sequence.name}")
            found.append(as_file(detect_and_embed(truth.sequence, truth.length, detector, Preparation(), None, report)))
    return found


def _rows(
    task: TuningTask, candidates: Sequence[Candidate], best: Candidate, leave_one_out: bool
) -> list[dict[str, Any]]:
    """Return rows of the defaults, of the best, and of what is best on all sequences but the row's own."""
    from benchmarks.metrics import COMBINED
    from benchmarks.tuning_choice import left_out
    from benchmarks.tuning_parts import figures_of

    chosen: dict[str, dict[str, Candidate]] = {}
    if candidates[0].number == 0:
        chosen["defaults"] = dict.fromkeys(task.names, candidates[0])
    chosen["in sample"] = dict.fromkeys(task.names, best)
    if leave_one_out:
        chosen["left out"] = left_out(task, candidates)
    rows = []
    for name, of in chosen.items():
        parts = {sequence: one.parts[sequence] for sequence, one in of.items()}
        for sequence, these in [*((one, [part]) for one, part in parts.items()), (COMBINED, list(parts.values()))]:
            trial = of[sequence].number if sequence in of else None
            rows.append({"name": name, "sequence": sequence, **figures_of(these), "trial": trial})
    return rows


def _table(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    shares, counts = ("HOTA", "DetA", "AssA", "MOTA", "IDF1"), ("IDSW", "FP", "FN")
    return ["", "sequence", *shares, *counts, "trial"], [
        [row["name"], row["sequence"], *(f"{row[name]:.2f}" for name in shares), *(str(row[name]) for name in counts),
         "" if row["trial"] is None else str(row["trial"])]
        for row in rows
    ]  # fmt: skip


def _said(settings: dict[str, Any], request: _Request) -> str:
    from benchmarks.metric_engines import engine_version

    left_out = (
        " left out: each sequence with what is best on the others; the search itself saw all of them, so it is an "
        "upper bound of what a new sequence would show." if request.leave_one_out else ""
    )  # fmt: skip
    return (
        f"{settings['trials']} trials, {settings['whole_trials']} of them not pruned; "
        f"{settings['evaluations_per_minute']:g} a minute in {settings['workers']} processes. "
        f"All figures: {engine_version('trackeval')}.{left_out} Written: {request.output}"
    )
