"""The one shape in which everything that measures writes what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from tracker.storage.atomic import atomic_path

__all__ = ["make_report", "markdown_table", "write_json", "write_markdown"]


def make_report(
    protocol: str,
    settings: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    machine: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return ``{"protocol", "settings", "machine", "rows"}``; each row has a name, a sequence and metrics."""
    return {
        "protocol": protocol,
        "settings": dict(settings),
        "machine": dict(machine or describe_machine()),
        "rows": [dict(row) for row in rows],
    }


def write_json(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON, complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    content = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(content + "\n", encoding="utf-8")


def write_markdown(path: str | Path, text: str) -> None:
    """Write Markdown, complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is aligned left, the others right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
