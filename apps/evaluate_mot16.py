"""``multicam evaluate mot16``: trackers of one camera on MOTChallenge sequences."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.evaluation_options import DATA, OUTPUT, Json, Quiet, Report
from apps.mot_data import MotData
from apps.network_options import MODELS, NetworkOptions
from apps.option_groups import with_option_groups

if TYPE_CHECKING:
    from apps.settings import NetworkSettings

__all__ = ["MotRequest", "mot16"]

_TRACKING = "Tracking"


@dataclass(frozen=True, slots=True)
class MotRequest:
    """What is asked for; see the options of :func:`mot16`."""

    data: MotData
    networks: NetworkSettings
    trackers: tuple[str, ...]
    parameter_files: tuple[Path, ...]
    tracker_options: tuple[str, ...]
    offline: bool
    embedders: tuple[str, ...]
    results: Path | None
    oracle: bool
    failures: bool
    workers: int | None
    save_results: Path | None
    crops: Path | None
    overwrite: bool
    json: Path | None
    report: Path | None
    quiet: bool


@with_option_groups
def mot16(
    *,
    data: MotData,
    networks: NetworkOptions,
    tracker: Annotated[
        list[str] | None,
        typer.Option(help="As for track, or all; repeatable. bytetrack by default.", rich_help_panel=_TRACKING),
    ] = None,
    tracker_parameters: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="YAML of a tracker, its parameters and what is done to boxes first, as multicam tune writes it; "
            "repeatable, a row each.",
            rich_help_panel=_TRACKING,
        ),
    ] = None,
    tracker_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="A setting of the one --tracker; repeatable.", rich_help_panel=_TRACKING
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Link tracks with the whole sequence known; a row beside.", rich_help_panel=_TRACKING
        ),
    ] = False,
    embedder: Annotated[
        list[str] | None,
        typer.Option(
            help="As for track; repeatable, a row each. Needs images; motion alone by default.",
            rich_help_panel=MODELS,
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Score ready results, SEQ.txt of each, instead of tracking.", rich_help_panel=DATA
        ),
    ] = None,
    oracle: Annotated[
        bool,
        typer.Option(
            "--oracle", help="Beside: identities from the truth on the same boxes.", rich_help_panel=_TRACKING
        ),
    ] = False,
    failures: Annotated[
        bool,
        typer.Option(
            "--failures",
            help="List the worst identity switches and misses, with the costs that led there.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    crops: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="With --failures and images: a picture of each failure.", rich_help_panel=OUTPUT
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes; by default one per core, one with images.", rich_help_panel=_TRACKING),
    ] = None,
    save_results: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write ROW/SEQ.txt in the official format.", rich_help_panel=OUTPUT),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace results and pictures of an earlier run.", rich_help_panel=OUTPUT),
    ] = False,
    json: Json = None,
    report: Report = None,
    quiet: Quiet = False,
) -> None:
    """MOTChallenge: trackers of one camera on public or own boxes, scored by motmetrics and by TrackEval."""
    request = MotRequest(
        data=data,
        networks=networks.settings(),
        trackers=tuple(dict.fromkeys(tracker or ())),
        parameter_files=tuple(tracker_parameters or ()),
        tracker_options=tuple(tracker_option or ()),
        offline=offline,
        embedders=tuple(dict.fromkeys(embedder or ())),
        results=results,
        oracle=oracle,
        failures=failures,
        workers=workers,
        save_results=save_results,
        crops=crops,
        overwrite=overwrite,
        json=json,
        report=report,
        quiet=quiet,
    )
    _evaluate(request)


def _evaluate(request: MotRequest) -> None:
    """Read everything, then track and score, then write what was asked for, and print the tables."""
    from rich.console import Console

    from apps.interrupts import StopRequest
    from apps.mot_outputs import MotOutputs
    from apps.mot_runs import finished_rows, planned_runs
    from apps.notices import Notices
    from benchmarks.console import StepBars, print_table
    from benchmarks.mot_tables import failure_tables, figure_tables

    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopRequest(at_once=True))
        notices = stack.enter_context(Notices(None if request.quiet else Console(stderr=True)))
        outputs = stack.enter_context(MotOutputs(request))
        plan = planned_runs(request)
        for remark in plan.remarks:
            notices.say(remark)
        with StepBars(request.quiet) as bars:
            outcomes, models = finished_rows(plan, request, bars.of("tracked and scored"), bars.of("images"))
        outputs.take(plan, outcomes, models)
        with stop.shielded():
            outputs.write(notices.warnings)
    if request.quiet:
        return
    tables = figure_tables(outputs.rows)
    for title, (header, lines) in tables:
        print_table(title, header, lines, outputs.remarks if title == tables[-1][0] else "")
    for title, (header, lines) in failure_tables(outputs.failures) if request.failures else []:
        print_table(f"{title}: worst switches and misses", header, lines, _ABOUT_FAILURES)


_ABOUT_FAILURES = (
    "A switch is worth the frames with the name before or, if fewer, with the name after; a miss the frames it lasts. "
    "Costs are of pairing that track with the box in that frame: 1 - IoU with the tracker's predicted box (of ready "
    "results: with its last box), motion the squared Mahalanobis distance, looks the cosine distance."
)
