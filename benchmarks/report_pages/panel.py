"""One panel of a figure: axes in the units of the data, drawn as SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.report_pages.markup import element, text

__all__ = ["WIDTH", "Panel", "nice_ticks", "number", "panels"]

#: of every panel, in units of its own; about the pixels of a phone
WIDTH = 360.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A rectangle of the plane and where it lies in the picture.

    Args:
        x_range: values at the left and at the right edge.
        y_range: values at the bottom and at the top edge; the first may be the higher one.
        height: of the whole picture; its width is :data:`WIDTH`.
        left: margin for labels; likewise ``right``, ``top`` and ``bottom``.
    """

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    height: float
    left: float = 34
    right: float = 10
    top: float = 8
    bottom: float = 34

    def x(self, value: float) -> float:
        """Return where a value of the horizontal axis lies."""
        low, high = self.x_range
        return self.left + (value - low) / ((high - low) or 1) * (WIDTH - self.left - self.right)

    def y(self, value: float) -> float:
        """Return where a value of the vertical axis lies."""
        low, high = self.y_range
        return self.height - self.bottom - (value - low) / ((high - low) or 1) * (self.height - self.top - self.bottom)

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        """Return the ``d`` of a line through points; what would be drawn twice at one place is left out."""
        places: list[tuple[float, float]] = []
        for x, y in points:
            place = round(self.x(x), 1), round(self.y(y), 1)
            if not places or place != places[-1]:
                places.append(place)
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)

    def horizontal_axis(self, ticks: Sequence[float], label: str, *, lines: bool = True) -> str:
        """Return ticks with numbers below, a label under them, and lines of the grid."""
        base, parts = self.height - self.bottom, []
        for tick in ticks:
            at = self.x(tick)
            if lines:
                parts.append(element("path", class_="grid", d=f"M{at:.1f} {self.top:g}V{base:g}"))
            parts.append(element("text", number(tick), x=at, y=base + 14, text_anchor="middle"))
        parts.append(element("path", class_="axis", d=f"M{self.left:g} {base:g}H{WIDTH - self.right:g}"))
        middle = (self.left + WIDTH - self.right) / 2
        parts.append(element("text", text(label), x=middle, y=base + 29, text_anchor="middle"))
        return "".join(parts)

    def vertical_axis(self, ticks: Sequence[float]) -> str:
        """Return lines of the grid with numbers at the left."""
        parts = []
        for tick in ticks:
            at = self.y(tick)
            parts.append(element("path", class_="grid", d=f"M{self.left:g} {at:.1f}H{WIDTH - self.right:g}"))
            parts.append(element("text", number(tick), x=self.left - 5, y=at + 4, text_anchor="end"))
        return "".join(parts)

    def figure(self, caption: str, description: str, *content: str) -> str:
        """Return the panel with a caption above, and a description for those who do not see it."""
        picture = element(
            "svg",
            element("title", text(description)),
            *content,
            viewBox=f"0 0 {WIDTH:g} {self.height:g}",
            role="img",
            aria_label=description,
        )
        return element("figure", element("figcaption", text(caption)), picture)


def panels(figures: Sequence[str]) -> str:
    """Return panels side by side, as many as fit; empty if there are none."""
    return element("div", "\n", *(figure + "\n" for figure in figures), class_="panels") if figures else ""


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most ``most`` round numbers, evenly apart, from ``low`` to ``high``."""
    if not high > low:
        return [low]
    step = 10 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20):
        first, last = math.ceil(low / (step * factor) - 1e-9), math.floor(high / (step * factor) + 1e-9)
        if last - first + 1 <= most:
            return [index * step * factor for index in range(first, last + 1)]
    return [low, high]


def number(value: float) -> str:
    """Return a number of an axis as short as it can be."""
    return f"{round(value, 6):g}".replace("-", "−")
