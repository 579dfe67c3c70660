"""The rows of the LAB protocol as tables: people on the floor, and in the images of all cameras together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Table", "lab_tables"]

#: title, header and lines
Table = tuple[str, list[str], list[list[str]]]

_SHARES = ("MOTA", "IDF1", "HOTA")
_COUNTS = ("IDSW", "FP", "FN")


def lab_tables(
    rows: Sequence[Mapping[str, Any]], references: Sequence[Mapping[str, Any]], gates: Sequence[float]
) -> list[Table]:
    """Return what can be shown of the rows: a table of the floor, if any has it, and one of everything else.

    Args:
        rows: of ``benchmarks.lab_scores``, in order.
        references: rows with MOTA and IDF1 alone, which stand below the first gate's.
        gates: metres; MOTP and the counts are those of the first.
    """
    first = f"@{gates[0]:g}m"
    shown = [(f"{name}@{gate:g}m", 1) for gate in gates for name in _SHARES]
    floor = [*shown, (f"MOTP{first}", 2), *((f"{name}{first}", 0) for name in _COUNTS)]
    images = [(f"{name}@images", 1) for name in _SHARES] + [(f"{name}@images", 0) for name in _COUNTS]
    people = [("people", 0), ("identities", 0), ("frames_per_second", 1)]
    tables: list[Table] = []
    on_floor = [row for row in rows if f"MOTA{first}" in row]
    if on_floor:
        header = ["", *(name for name, _ in shown), "MOTP m", *_COUNTS]
        lines = [_line(row, floor) for row in on_floor]
        known = [{"name": row["name"], **{f"{name}{first}": row[name] for name in _SHARES[:2]}} for row in references]
        tables.append(("On the floor", header, lines + [_line(row, floor) for row in known]))
    in_images = [row for row in rows if "MOTA@images" in row]
    figures = images * bool(in_images) + people
    header = ["", *(_SHARES + _COUNTS) * bool(in_images), "people", "identities", "frames/s"]
    title = "In the images of all cameras together" if in_images else "People and identities"
    tables.append((title, header, [_line(row, figures) for row in rows]))
    return tables


def _line(row: Mapping[str, Any], figures: Sequence[tuple[str, int]]) -> list[str]:
    # An embedder may be a file, whose folders say nothing.
    name = Path(row["name"]).name if "sequence" in row else row["name"]
    label = f"{row['sequence']}, {name}" if "sequence" in row else name
    return [label, *(_number(row.get(figure), digits) for figure, digits in figures)]


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return ""
    # Means of counts are no whole numbers.
    return f"{value:.{max(digits, int(isinstance(value, float)))}f}"
