"""Which figures of a report's rows are shown, in what order and how: the same for Markdown, pages and the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

__all__ = [
    "COUNTS",
    "Table",
    "base_of",
    "engine_lines",
    "figure_tables",
    "figures_of",
    "format_figure",
    "is_number",
    "measured",
    "narrow_tables",
    "parameters",
    "short_name",
    "suffix_of",
]

#: header and lines
Table = tuple[list[str], list[list[str]]]

#: figures that are sums, not shares
COUNTS = ("IDSW", "FP", "FN", "TP", "MT", "PT", "ML", "GT", "IDTP", "IDFP", "IDFN")
_ORDER = (
    *("HOTA", "DetA", "AssA", "LocA", "MOTA", "IDF1", "MOTP", "IDSW", "FP", "FN", "TP", "IDP", "IDR", "Rcll", "Prcn"),
    *("DetRe", "DetPr", "AssRe", "AssPr", "MT", "PT", "ML", "GT", "mAP", "rank1", "rank5", "rank10", "mINP"),
)
_MAIN = ("HOTA", "DetA", "AssA", "LocA", "MOTA", "IDF1", "IDSW", "FP", "FN", "mAP", "rank1", "rank5", "rank10", "mINP")
#: of further gates these alone are in the first table
_MAIN_OF_FURTHER = ("HOTA", "MOTA", "IDF1")


def is_number(value: Any) -> bool:
    """Return whether a value of a row is a figure."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def base_of(figure: str) -> str:
    """Return the figure's name without its gate: ``MOTA`` of ``MOTA@1m``."""
    return figure.partition("@")[0]


def suffix_of(figure: str) -> str:
    """Return what stands after the figure's name: ``@1m`` of ``MOTA@1m``, or nothing."""
    return figure[len(base_of(figure)) :]


def measured(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that have a name and a sequence, or ``combined``."""
    return [dict(row) for row in rows if row.get("name") and row.get("sequence")]


def figures_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of all figures of the rows: gate by gate, each in the usual order, what is not usual last.

    A count under its bare name beside the same with a gate is left out.
    """
    names = [
        key for key in dict.fromkeys(key for row in rows for key in row) if any(is_number(r.get(key)) for r in rows)
    ]
    suffixes = list(dict.fromkeys(suffix_of(name) for name in names if base_of(name) in _ORDER))
    bare = {name for name in names if name in COUNTS and any(f"{name}{end}" in names for end in suffixes if end)}
    usual = [
        f"{name}{end}" for end in suffixes for name in _ORDER if f"{name}{end}" in names and name + end not in bare
    ]
    return usual + [name for name in names if name not in usual and name not in bare]


def figure_tables(rows: Sequence[Mapping[str, Any]]) -> tuple[Table, Table | None]:
    """Return the table of the main figures and one of all others, each with sequence and name before them.

    Args:
        rows: of a report.
    """
    figures = figures_of(rows)
    gated = [
        end
        for end in dict.fromkeys(map(suffix_of, figures))
        if any(base_of(f) in _MAIN and suffix_of(f) == end for f in figures)
    ]
    first = gated[0] if gated else ""
    main = [f for f in figures if base_of(f) in (_MAIN if suffix_of(f) == first else _MAIN_OF_FURTHER)]
    main = main or figures[:8]
    others = [figure for figure in figures if figure not in main]
    return _table(rows, main), _table(rows, others) if others else None


def narrow_tables(table: Table, labels: int = 2, most: int = 9) -> list[tuple[str, Table]]:
    """Return a table in parts that are no wider than a page, one gate after the other.

    Args:
        table: of :func:`figure_tables`.
        labels: how many columns are names, which each part has.
        most: figures in a part.

    Returns:
        What all figures of a part have behind their names (``@1m``), and the part.
    """
    header, lines = table
    groups: dict[str, list[int]] = {}
    for index in range(labels, len(header)):
        groups.setdefault(suffix_of(header[index]), []).append(index)
    parts = []
    for suffix, indices in groups.items():
        for start in range(0, len(indices), most):
            chosen = [*range(labels), *indices[start : start + most]]
            parts.append((suffix, ([header[i] for i in chosen], [[line[i] for i in chosen] for line in lines])))
    return parts


def format_figure(figure: str, value: Any) -> str:
    """Return a figure as it is shown; nothing for one that has no value.

    Shares have one decimal, counts none unless they are means, distances in metres three.
    """
    if not is_number(value):
        return ""
    if base_of(figure) == "MOTP" and suffix_of(figure).endswith("m"):
        return f"{value:.3f}"
    if isinstance(value, int):
        return str(value)
    if base_of(figure) in COUNTS and float(value).is_integer():
        return str(int(value))
    return f"{value:.1f}" if abs(value) >= 0.05 or value == 0 else f"{value:.3g}"


def short_name(name: str) -> str:
    """Return a row's name without the folders of a file, which say nothing."""
    return PurePath(name).name or name


def parameters(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as pairs of a dotted name and the value as text; empty ones are left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += parameters(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            if value:
                pairs.append((prefix + name, ", ".join(_plain(one) for one in value)))
        elif value is not None:
            pairs.append((prefix + name, _plain(value)))
    return pairs


def engine_lines(engines: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return which package made which figures: ``("trackeval 1.3.0", "HOTA, DetA, AssA")``."""
    makers: dict[str, set[str]] = {}
    for figure, engine in engines.items():
        makers.setdefault(base_of(figure), set()).add(engine)
    made: dict[str, list[str]] = {}
    for figure, engine in engines.items():
        # A gate is named only where it matters.
        name = base_of(figure) if len(makers[base_of(figure)]) == 1 else figure
        if name not in made.setdefault(engine, []):
            made[engine].append(name)
    return [(engine, ", ".join(figures)) for engine, figures in made.items()]


def _table(rows: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> Table:
    lines = []
    for row in rows:
        cells = [format_figure(figure, row.get(figure)) for figure in figures]
        lines.append([str(row["sequence"]), short_name(str(row["name"])), *cells])
    return ["Sequence", "Name", *figures], lines


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)
