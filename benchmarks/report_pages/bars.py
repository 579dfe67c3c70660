"""Bars: each figure of each sequence, one bar for each name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report_pages.markup import element, series_class, text
from benchmarks.report_pages.panel import WIDTH, Panel, nice_ticks, panels
from benchmarks.report_tables import base_of, figures_of, format_figure, is_number, short_name

__all__ = ["MOST_BARS", "figure_bars"]

_FIGURES = ("HOTA", "MOTA", "IDF1", "mAP", "rank1")
_MOST_PANELS = 6
_BAR, _GAP, _LABEL = 11.0, 9.0, 16.0
#: in one panel; a longer one would fill more than a page in print
MOST_BARS = 80


def figure_bars(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return a panel for each of HOTA, MOTA, IDF1, mAP and rank1 that the rows have, at each gate.

    Args:
        rows: of a report.
        names: in the order of their colours.
    """
    figures = [name for name in figures_of(rows) if base_of(name) in _FIGURES][:_MOST_PANELS]
    return panels([_panel(figure, rows, names) for figure in figures])


def _panel(figure: str, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    known = [row for row in rows if is_number(row.get(figure))][:MOST_BARS]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in known:
        groups.setdefault(row["sequence"], []).append(row)
    lowest = min(0.0, *(row[figure] for row in known))
    highest = 20.0 * max(1, math.ceil(max(row[figure] for row in known) / 20))
    top = 4.0
    height = top + 30 + sum(_LABEL + _BAR * len(group) + _GAP for group in groups.values())
    panel = Panel((lowest, highest), (0, 1), height, left=6, right=32, top=top, bottom=30)
    parts, at = [panel.horizontal_axis(nice_ticks(lowest, highest), "%")], top
    for sequence, group in groups.items():
        parts.append(element("text", text(_shortened(sequence)), class_="label", x=6.0, y=at + 12))
        at += _LABEL
        for row in group:
            parts.append(_bar(panel, at, figure, row, series_class(names.index(row["name"]))))
            at += _BAR
        at += _GAP
    said = "; ".join(
        f"{row['sequence']}, {short_name(row['name'])}: {format_figure(figure, row[figure])}" for row in known
    )
    return panel.figure(f"{figure} (%)", f"{figure} in percent. {said}", *parts)


def _bar(panel: Panel, top: float, figure: str, row: Mapping[str, Any], css: str) -> str:
    value = float(row[figure])
    start, end = sorted((panel.x(0.0), panel.x(value)))
    shown = format_figure(figure, value)
    bar = element("rect", class_=f"bar {css}", x=start, y=top, width=max(end - start, 0.5), height=_BAR - 2)
    label = element("text", shown, class_="value", x=min(end + 3, WIDTH - 24), y=top + 8)
    said = f"{row['sequence']}, {short_name(row['name'])}: {figure} {shown}"
    return element("g", element("title", text(said)), bar, label)


def _shortened(name: str, most: int = 48) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
