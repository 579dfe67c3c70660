"""Figures of trackers on MOTChallenge sequences, and the worst failures, as tables to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.failures import Failure
from benchmarks.metrics import COMBINED
from benchmarks.predictions import Costs

__all__ = ["failure_tables", "figure_tables"]

_SHARES = ("HOTA", "DetA", "AssA", "MOTA", "IDF1")
_COUNTS = ("IDSW", "FP", "FN")
_OFFICIAL = ("MOTA", "IDF1", "IDSW")

Table = tuple[list[str], list[list[str]]]


def figure_tables(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, Table]]:
    """Return titled tables: one for each name, with a line for each sequence, and one over all names, if several.

    TrackEval's CLEAR and identity figures are shown where they differ from motmetrics'.
    """
    names = list(dict.fromkeys(row["name"] for row in rows))
    tables = [(name, _table("sequence", [row for row in rows if row["name"] == name])) for name in names]
    if len(names) > 1:
        tables.append((COMBINED, _table("name", [row for row in rows if row["sequence"] == COMBINED])))
    return tables


def failure_tables(failures: Sequence[Mapping[str, Any]]) -> list[tuple[str, Table]]:
    """Return titled tables of failures, one for each name; each failure has the ``name`` and ``sequence`` it is of."""
    header = ["sequence", "what", "frames", "seconds", "person", "worth", "box", "right cost", "chosen cost", "why"]
    tables = []
    for name in dict.fromkeys(entry["name"] for entry in failures):
        lines = []
        for entry in failures:
            one: Failure = entry["failure"]
            if entry["name"] != name:
                continue
            span = f"{one.last_frame} → {one.frame}" if one.kind == "switch" else f"{one.frame} – {one.last_frame}"
            box = " ".join(f"{side:.0f}" for side in one.box)
            lines.append(
                [entry["sequence"], one.kind, span, f"{one.time:.1f}", str(one.truth), str(one.frames), box,
                 _cost(one.right), _cost(one.chosen), one.reason]
            )  # fmt: skip
        tables.append((name, (header, lines)))
    return tables


def _table(first: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    header = [first, *_SHARES, *_COUNTS, "TrackEval MOTA / IDF1 / IDSW", "ms/frame", "metrics s"]
    return header, [
        [
            row[first],
            *(_share(row[name]) for name in _SHARES),
            *(str(row[name]) for name in _COUNTS),
            _official(row),
            "-" if row["association_ms_per_frame"] is None else f"{row['association_ms_per_frame']:.3f}",
            f"{row['metric_seconds']:.1f}",
        ]
        for row in rows
    ]


def _official(row: Mapping[str, Any]) -> str:
    pairs = [(row[name], row[f"{name} (TrackEval)"]) for name in _OFFICIAL]
    if all(_shown(one) == _shown(other) for one, other in pairs):
        return "the same"
    return " / ".join(_shown(other) for _, other in pairs)


def _shown(value: float | None) -> str:
    return str(value) if isinstance(value, int) else _share(value)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _cost(costs: Costs | None) -> str:
    if costs is None:
        return "-"
    words = [f"{costs.overlap:.2f}"]
    words += [f"motion {costs.motion:.1f}"] if costs.motion is not None else []
    words += [f"looks {costs.appearance:.2f}"] if costs.appearance is not None else []
    return f"{costs.track}: {', '.join(words)}"
