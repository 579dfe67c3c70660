"""A report as files: JSON for programs, Markdown for pages that show it, HTML with pictures for people."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import markdown_table
from benchmarks.report_pages.report_page import lead_of, report_page, title_of
from benchmarks.report_tables import engine_lines, figure_tables, measured, parameters
from tracker.errors import InputError
from tracker.storage.atomic import AtomicFile, output_error

__all__ = [
    "REPORT_FILES",
    "check_files",
    "check_report_folder",
    "read_report",
    "report_files",
    "report_markdown",
    "write_files",
    "write_report",
]

REPORT_FILES = ("report.json", "report.md", "report.html")


def check_report_folder(directory: str | Path) -> None:
    """Find out before hours of work whether :func:`write_report` could write there; makes the folder.

    Raises:
        InputError: it could not.
    """
    check_files(directory, REPORT_FILES)


def check_files(directory: str | Path, names: Iterable[str]) -> None:
    """Find out whether files of these names can be written into a folder; makes the folder.

    Raises:
        InputError: one cannot.
    """
    for name in names:
        AtomicFile(Path(directory) / name).discard()


def report_files(directory: str | Path, name: str, report: Mapping[str, Any]) -> None:
    """Write a report as ``NAME.json`` and ``NAME.md``, both or none; of details nothing.

    Raises:
        InputError: a file cannot be written.
    """
    shown = {key: value for key, value in report.items() if key != "details"}
    write_files(directory, {f"{name}.json": _json(shown), f"{name}.md": report_markdown(shown).rstrip("\n") + "\n"})


def write_report(directory: str | Path, report: Mapping[str, Any]) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html`` into a folder, all three or none.

    Args:
        directory: made when missing; a report that is there is replaced.
        report: of ``benchmarks.report.make_report``, with or without ``details`` (curves, switches, lengths,
            trajectories).

    Raises:
        InputError: a file cannot be written.
    """
    write_files(
        directory,
        {
            "report.json": _json(report),
            "report.md": report_markdown(report).rstrip("\n") + "\n",
            "report.html": report_page(report),
        },
    )


def write_files(directory: str | Path, contents: Mapping[str, str]) -> None:
    """Write texts as files of a folder; none takes its place before all are complete.

    Args:
        directory: made when missing.
        contents: name → text.

    Raises:
        InputError: a file cannot be written.
    """
    with contextlib.ExitStack() as stack:
        files = []
        for name, content in contents.items():
            file = AtomicFile(Path(directory) / name)
            # Does nothing to one that has taken its place.
            stack.callback(file.discard)
            files.append(file)
            try:
                file.temporary.write_text(content, encoding="utf-8")
            except OSError as error:
                raise output_error(file.path, error) from error
        for file in files:
            file.commit()


def report_markdown(report: Mapping[str, Any]) -> str:
    """Return a report as Markdown: the tables, who computed what, the settings, and what it was measured on."""
    main, further = figure_tables(measured(report["rows"]))
    settings = {name: value for name, value in report["settings"].items() if name != "engines"}
    parts = [f"# {title_of(report)}\n", f"{lead_of(report)}\n", markdown_table(*_joined(main))]
    if further is not None:
        parts.append(f"## All other figures\n\n{markdown_table(*_joined(further))}")
    for title, pairs in (
        ("Who computed what", engine_lines(report["settings"].get("engines") or {})),
        ("Settings", parameters(settings)),
        ("Measured on", parameters(report["machine"])),
    ):
        if pairs:
            parts.append(f"## {title}\n\n" + "".join(f"- {term}: {value}\n" for term, value in pairs))
    return "\n".join(parts)


def read_report(path: str | Path) -> dict[str, Any]:
    """Read a report: ``report.json``, or what ``--json`` wrote.

    Raises:
        InputError: no such file, or no report.
    """
    path = Path(path)
    path = path / "report.json" if path.is_dir() else path
    remedy = "give report.json of --report, or a file of --json"
    try:
        report: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no file {path}: {remedy}") from None
    except (UnicodeDecodeError, ValueError):
        raise InputError(f"{path} is no JSON: {remedy}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    shape = {"protocol": str, "settings": dict, "machine": dict, "rows": list}
    for key, kind in shape.items():
        if not isinstance(report, dict) or not isinstance(report.get(key), kind):
            raise InputError(f"{path} is no report, it has no {key}: {remedy}")
    assert isinstance(report, dict)
    for number, row in enumerate(report["rows"]):
        if (
            not isinstance(row, dict)
            or not isinstance(row.get("name"), str)
            or not isinstance(row.get("sequence"), str)
        ):
            raise InputError(f"{path}: row {number} of rows has no name or no sequence: {remedy}")
    return report


def _joined(table: tuple[list[str], list[list[str]]]) -> tuple[list[str], list[list[str]]]:
    """Return the table with sequence and name in one column, as Markdown tables of ours have them."""
    header, lines = table
    return ["", *header[2:]], [[f"{line[0]}, {line[1]}", *line[2:]] for line in lines]


def _json(report: Mapping[str, Any]) -> str:
    """Return the report as JSON for people too, but for the details, which are long."""
    shown = {name: value for name, value in report.items() if name != "details"}
    text = json.dumps(shown, indent=2, ensure_ascii=False, allow_nan=False)
    if "details" in report:
        details = json.dumps(report["details"], ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text = f'{text.removesuffix("}").rstrip()},\n  "details": {details}\n}}'
    return text + "\n"
