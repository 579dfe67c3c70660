"""When identities were switched: a line of time for each name, a mark for each switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report_pages.markup import element, series_class, text
from benchmarks.report_pages.panel import WIDTH, Panel, nice_ticks, panels
from benchmarks.report_tables import short_name

__all__ = ["switch_timelines"]

_ROW = 26.0
#: of these, each mark says who it was; more are drawn as one line
_MOST_TITLES = 300


def switch_timelines(details: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return a panel for each sequence, over its seconds where the frame rate is known, over its frames otherwise.

    Args:
        details: of a report; ``switches`` and ``lengths`` are used.
        names: in the order of their colours.
    """
    switches, lengths = details.get("switches") or {}, details.get("lengths") or {}
    sequences = list(dict.fromkeys(sequence for name in names for sequence in switches.get(name, {})))
    figures = []
    for sequence in sequences:
        found = {name: switches[name][sequence] for name in names if sequence in switches.get(name, {})}
        figures.append(_panel(sequence, found, lengths.get(sequence) or {}, names))
    return panels(figures)


def _panel(
    sequence: str, found: Mapping[str, Sequence[Mapping[str, Any]]], length: Mapping[str, Any], names: Sequence[str]
) -> str:
    rate = length.get("frame_rate")
    frames = max([int(length.get("frames") or 1), *(mark["frame"] for marks in found.values() for mark in marks)])
    panel = Panel((0.0, frames / rate if rate else float(frames)), (0, 1), 12 + _ROW * len(found) + 34, 8, 40, 4)
    parts = [panel.horizontal_axis(nice_ticks(*panel.x_range), "seconds" if rate else "frames")]
    for number, (name, marks) in enumerate(found.items()):
        css, middle = series_class(names.index(name)), panel.top + 6 + _ROW * (number + 0.5)
        parts.append(element("path", class_="grid", d=f"M{panel.left:g} {middle:.1f}H{WIDTH - panel.right:g}"))
        parts.append(_marks(panel, middle, marks, rate, css))
        parts.append(element("text", str(len(marks)), class_="label", x=WIDTH - panel.right + 8, y=middle + 4))
    said = "; ".join(f"{short_name(name)}: {len(marks)}" for name, marks in found.items())
    return panel.figure(sequence, f"Identity switches in {sequence} over time. Their number: {said}", *parts)


def _marks(panel: Panel, middle: float, marks: Sequence[Mapping[str, Any]], rate: float | None, css: str) -> str:
    drawn = [
        (f"M{panel.x(mark['frame'] / rate if rate else mark['frame']):.1f} {middle - 9:.1f}v18", mark) for mark in marks
    ]
    if len(drawn) > _MOST_TITLES:
        return element("path", class_=f"mark {css}", d="".join(line for line, _ in drawn))
    return "".join(
        element("path", element("title", text(_said(mark))), class_=f"mark {css}", d=line) for line, mark in drawn
    )


def _said(mark: Mapping[str, Any]) -> str:
    return f"frame {mark['frame']}: person {mark['truth']} changes from {mark['from']} to {mark['to']}"
