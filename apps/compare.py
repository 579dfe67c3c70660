"""``multicam compare``: runs side by side, and how sure their differences are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["COMPARISON_FILES", "compare"]

_RUNS = "Runs"
_STATISTICS = "Statistics"
_OUTPUT = "Output"
COMPARISON_FILES = ("compare.json", "compare.md", "compare.html")


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help="report.json of --report (or its folder), or a file of --json; several. The first is the reference; a "
            "file with several names is as many runs.",
        ),
    ],
    name: Annotated[
        list[str] | None,
        typer.Option(help="Only rows of this name, for example a tracker; repeatable.", rich_help_panel=_RUNS),
    ] = None,
    figure: Annotated[
        list[str] | None,
        typer.Option(help="Compare this figure only, for example IDF1@1m; repeatable.", rich_help_panel=_RUNS),
    ] = None,
    draws: Annotated[int, typer.Option(help="Of the bootstrap over sequences.", rich_help_panel=_STATISTICS)] = 10_000,
    confidence: Annotated[float, typer.Option(help="Of the intervals, percent.", rich_help_panel=_STATISTICS)] = 95.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.", rich_help_panel=_STATISTICS)] = 0,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write figures and differences as JSON.", rich_help_panel=_OUTPUT)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Folder for {', '.join(COMPARISON_FILES)}.", rich_help_panel=_OUTPUT),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)] = False,
) -> None:
    """Put runs of one protocol side by side, with differences from the first and their confidence intervals."""
    import json as json_text

    from rich.console import Console

    from apps.interrupts import StopRequest
    from apps.notices import Notices
    from benchmarks.comparison import compare_runs, difference_table, runs_of
    from benchmarks.console import print_table
    from benchmarks.report import write_json
    from benchmarks.report_files import read_report, write_files
    from benchmarks.report_pages.comparison_page import comparison_markdown, comparison_page, remark_of

    with StopRequest(at_once=True) as stop, Notices(None if quiet else Console(stderr=True)):
        found = runs_of([(path, read_report(path)) for path in runs], name or ())
        compared = compare_runs(found, figures=figure or (), draws=draws, confidence=confidence, seed=seed)
        with stop.shielded():
            if json is not None:
                write_json(json, compared)
            if report is not None:
                texts = (
                    json_text.dumps(compared, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
                    comparison_markdown(compared),
                    comparison_page(compared),
                )
                write_files(report, dict(zip(COMPARISON_FILES, texts)))
    if not quiet:
        header, lines = difference_table(compared, figure or ())
        print_table(f"Differences from {compared['settings']['reference']}", header, lines, remark_of(compared))
