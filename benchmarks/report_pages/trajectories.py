"""Where people went according to the results: over the picture, or over the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report_pages.markup import element, series_class, text
from benchmarks.report_pages.panel import WIDTH, Panel, nice_ticks, panels
from benchmarks.report_tables import short_name

__all__ = ["MOST_PANELS", "trajectory_panels"]

#: more would make the page slow; the names that come first are shown
MOST_PANELS = 12
_LEAST, _MOST_HEIGHT = 120.0, 420.0


def trajectory_panels(details: Mapping[str, Any], names: Sequence[str]) -> tuple[str, str]:
    """Return panels, and what is to be said of them.

    A ring is where somebody was first, a dot where they were last. Colours tell neighbours apart and come again.

    Args:
        details: of a report; ``trajectories`` are used.
        names: that may be shown, the first ones first.
    """
    known = [
        (name, sequence, one)
        for name in names
        for sequence, one in ((details.get("trajectories") or {}).get(name) or {}).items()
        if one.get("tracks") and (one.get("image_size") or one.get("bounds"))
    ]
    whose = list(dict.fromkeys(name for name, _, _ in known))
    remark = "A ring is where somebody was first, a dot where they were last; pointing at a line names it."
    if len(known) > MOST_PANELS:
        shown = known[:MOST_PANELS]
        remark += f" {len(shown)} of {len(known)} are shown; report.json has all."
    else:
        shown = known
    figures = [
        _panel(f"{sequence}, {short_name(name)}" if len(whose) > 1 else sequence, one) for name, sequence, one in shown
    ]
    return panels(figures), remark


def _panel(caption: str, one: Mapping[str, Any]) -> str:
    tracks = one["tracks"]
    if one.get("image_size"):
        width, height = (float(side) for side in one["image_size"])
        margins = {"left": 1.0, "right": 1.0, "top": 1.0, "bottom": 1.0}
        panel = Panel((0.0, width), (height, 0.0), _height(height / width, 2, 2), **margins)
        frame = element("rect", class_="axis", x=1.0, y=1.0, width=WIDTH - 2, height=panel.height - 2)
        where = f"in the picture of {width:g} × {height:g} pixels"
    else:
        x1, y1, x2, y2 = (float(value) for value in one["bounds"])
        x_range, y_range = _stretched((x1, x2), (y1, y2))
        share = (y_range[1] - y_range[0]) / (x_range[1] - x_range[0])
        panel = Panel(x_range, y_range, _height(share, 44, 42))
        frame = panel.vertical_axis(nice_ticks(*y_range)) + panel.horizontal_axis(nice_ticks(*x_range), "metres")
        where = "on the floor, in metres"
    ways = [_way(panel, track, series_class(number)) for number, track in enumerate(tracks)]
    return panel.figure(caption, f"Ways of {len(tracks)} tracks {where}: {caption}", frame, *ways)


def _way(panel: Panel, track: Mapping[str, Any], css: str) -> str:
    points = track["points"]
    if not points:
        return ""
    places = [(x, y) for _, x, y in points]
    first, last = places[0], places[-1]
    return element(
        "g",
        element("title", text(f"{track['id']}, frames {points[0][0]} to {points[-1][0]}")),
        element("path", class_="way", d=panel.path(places)),
        element("circle", class_="way start", cx=panel.x(first[0]), cy=panel.y(first[1]), r=2.6),
        element("circle", class_="way end", cx=panel.x(last[0]), cy=panel.y(last[1]), r=1.6),
        class_=css,
    )


def _height(share: float, across: float, upright: float) -> float:
    """Return the height at which a unit is as long on both axes; ``across`` and ``upright`` are the margins."""
    return (WIDTH - across) * share + upright


def _stretched(x: tuple[float, float], y: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ranges a little wider than the bounds, neither more than about three times the other."""
    sizes = [max(high - low, 1.0) * 1.04 for low, high in (x, y)]
    least = _LEAST / (WIDTH - 44)
    sizes = [max(sizes[0], sizes[1] * (WIDTH - 44) / _MOST_HEIGHT), max(sizes[1], sizes[0] * least)]
    middles = [(low + high) / 2 for low, high in (x, y)]
    (x1, x2), (y1, y2) = ((middle - size / 2, middle + size / 2) for middle, size in zip(middles, sizes))
    return (x1, x2), (y1, y2)
