"""What a run found, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from apps.run_record import RunReport

__all__ = ["print_summary", "run_by"]


def run_by(models: Iterable[str]) -> str:
    """Return the line that says what ran: each network with its runtime and precision, once."""
    return f"Run by: {'; '.join(dict.fromkeys(models))}."


def print_summary(report: RunReport, console: Console) -> None:
    """Print how many people were found, how fast, and where the results lie."""
    frames = sum(report.frames.values())
    cameras = len(report.frames)
    people = "1 identity" if report.identities == 1 else f"{report.identities} identities"
    shared = f", {report.shared_identities} of them in several cameras" if cameras > 1 else ""
    console.print(
        f"[bold]{people}[/bold]{shared}; {frames} frames of {cameras} camera{'s' if cameras != 1 else ''} "
        f"in {report.seconds:.1f} s ({frames / max(report.seconds, 1e-9):.1f} frames/s).",
        soft_wrap=True,
    )
    if report.models:
        console.print(run_by(report.models), soft_wrap=True, markup=False, emoji=False)
    if report.store_bytes is not None:
        size = report.store_bytes / 1e6
        console.print(f"Store: {size:.1f} MB, for multicam search and multicam store.", soft_wrap=True)
    console.print(f"Results: {report.folder}", soft_wrap=True, markup=False, emoji=False)
