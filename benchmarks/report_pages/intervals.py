"""Differences with their confidence intervals, one panel for each figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.comparison import format_difference
from benchmarks.report_pages.markup import element, series_class, text
from benchmarks.report_pages.panel import Panel, nice_ticks, panels
from benchmarks.report_tables import base_of

__all__ = ["difference_panels"]

_FIGURES = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "mAP", "rank1")
_MOST_PANELS, _ROW = 9, 30.0


def difference_panels(differences: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return a panel for each of the usual shares: a dot for each run's difference, a line for its interval.

    Args:
        differences: of ``benchmarks.comparison.compare_runs``.
        names: all runs, in the order of their colours.
    """
    figures = [one for one in dict.fromkeys(one["figure"] for one in differences) if base_of(one) in _FIGURES]
    return panels([_panel(f, [o for o in differences if o["figure"] == f], names) for f in figures[:_MOST_PANELS]])


def _panel(figure: str, differences: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    ends = [0.0, *(one[key] for one in differences for key in ("difference", "low", "high") if one[key] is not None)]
    low, high = min(ends), max(ends)
    margin = max(0.06 * (high - low), 0.5)
    panel = Panel((low - margin, high + margin), (0, 1), 6 + _ROW * len(differences) + 34, 8, 10, 4)
    parts = [panel.horizontal_axis(nice_ticks(*panel.x_range), "difference in percentage points")]
    zero = panel.x(0.0)
    parts.append(element("path", class_="axis", d=f"M{zero:.1f} {panel.top:g}V{panel.height - panel.bottom:g}"))
    for number, one in enumerate(differences):
        css, middle = series_class(names.index(one["name"])), panel.top + _ROW * (number + 0.62)
        mark = [element("title", text(f"{one['name']}: {format_difference(one)}"))]
        if one["low"] is not None:
            ends_of = f"M{panel.x(one['low']):.1f} {middle:.1f}H{panel.x(one['high']):.1f}"
            caps = "".join(f"M{panel.x(one[key]):.1f} {middle - 4:.1f}v8" for key in ("low", "high"))
            mark.append(element("path", class_="mark", d=ends_of + caps))
        mark.append(element("circle", class_="bar", cx=panel.x(one["difference"]), cy=middle, r=4.0))
        mark.append(element("text", text(one["name"]), class_="value", x=panel.left + 2, y=middle - 9))
        parts.append(element("g", *mark, class_=css))
    said = "; ".join(f"{one['name']}: {format_difference(one)}" for one in differences)
    return panel.figure(figure, f"Difference in {figure}. {said}", *parts)
