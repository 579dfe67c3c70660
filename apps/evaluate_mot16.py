"""``multicam evaluate mot16``: trackers of one camera on MOTChallenge sequences."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["MotRequest", "mot16"]

_DATA = "Data"
_MODELS = "Models"
_TRACKING = "Tracking"
_OUTPUT = "Output"


@dataclass(frozen=True, slots=True)
class MotRequest:
    """What is asked for; see the options of :func:`mot16`."""

    root: Path
    sequences: tuple[str, ...]
    detections: str | None
    confidence: float | None
    iou: float | None
    margins: str | None
    trackers: tuple[str, ...]
    parameter_files: tuple[Path, ...]
    tracker_options: tuple[str, ...]
    offline: bool
    embedders: tuple[str, ...]
    device: str
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


def mot16(
    root: Annotated[
        Path,
        typer.Option(
            envvar="MULTICAM_DATA",
            help="Folder of MOTChallenge sequences (MOT15, 16, 17, 20, DanceTrack), as distributed or flat, one "
            "sequence, or a folder that has them as train, mot16 or data/mot16.",
            rich_help_panel=_DATA,
        ),
    ],
    sequences: Annotated[
        list[str] | None,
        typer.Option(
            "--sequences",
            "--sequence",
            help="Names or numbers (02,05), with commas or repeatable; all that have a truth by default.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    detections: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Whose boxes: dpm, frcnn, sdp, a file, a folder with SEQ.txt, or, with images, a detector as for "
            "track. By default those that come with the sequences.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(help="Boxes need a higher score, in the file's units.", rich_help_panel=_DATA)
    ] = None,
    iou: Annotated[
        float | None, typer.Option(help="Of boxes that overlap by more, the best stays.", rich_help_panel=_DATA)
    ] = None,
    margins: Annotated[
        str | None,
        typer.Option(
            metavar="SLOPE,CENTRE",
            help="Make scores of margins (DPM's): 1 / (1 + exp(-SLOPE (score - CENTRE))).",
            rich_help_panel=_DATA,
        ),
    ] = None,
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
            rich_help_panel=_MODELS,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:0, …", rich_help_panel=_MODELS)] = "auto",
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Score ready results, SEQ.txt of each, instead of tracking.", rich_help_panel=_DATA
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
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    crops: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="With --failures and images: a picture of each failure.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes; by default one per core, one with images.", rich_help_panel=_TRACKING),
    ] = None,
    save_results: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write ROW/SEQ.txt in the official format.", rich_help_panel=_OUTPUT),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace results and pictures of an earlier run.", rich_help_panel=_OUTPUT),
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the figures as JSON.", rich_help_panel=_OUTPUT)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write report.json, report.md and a page with plots, report.html.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)] = False,
) -> None:  # fmt: skip
    """MOTChallenge: trackers of one camera on public or own boxes, scored by motmetrics and by TrackEval."""
    request = MotRequest(
        root=root,
        sequences=tuple(name for given in sequences or [] for name in given.split(",")),
        detections=detections,
        confidence=confidence,
        iou=iou,
        margins=margins,
        trackers=tuple(dict.fromkeys(tracker or ())),
        parameter_files=tuple(tracker_parameters or ()),
        tracker_options=tuple(tracker_option or ()),
        offline=offline,
        embedders=tuple(dict.fromkeys(embedder or ())),
        device=device,
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
            outcomes = finished_rows(plan, request, bars.of("tracked and scored"), bars.of("images"))
        outputs.take(plan, outcomes)
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
