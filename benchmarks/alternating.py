"""Times of several ways to do one thing: in one run, turn by turn, as medians with their spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["bars", "measure_in_turn", "ratio_to"]

_BAR = 30


def measure_in_turn(
    sides: Mapping[str, Callable[[], Any]],
    repeats: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, list[float]]:
    """Return seconds of each side for each repeat.

    Each side is called once before the clock starts. Every second repeat goes through the sides backwards, so that
    what comes before a side, or a machine that slows down, is shared evenly.

    Args:
        sides: name → what is measured.
        repeats: how often.
        clock: wall time, or ``time.process_time``.
        advance: called with the side's name before each of its repeats.
    """
    for call in sides.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats):
        for name in list(sides)[:: 1 if repeat % 2 == 0 else -1]:
            advance(name)
            start = clock()
            sides[name]()
            seconds[name].append(clock() - start)
    return seconds


def ratio_to(reference: Sequence[float], own: Sequence[float]) -> float:
    """Return how many times faster: the median over the repeats of reference ÷ own."""
    return statistics.median(theirs / max(mine, 1e-12) for theirs, mine in zip(reference, own, strict=True))


def bars(values: Mapping[str, float], unit: str) -> str:
    """Return a bar chart of text: the longest bar is the largest value."""
    largest, width = max(values.values(), default=0.0), max(map(len, values), default=0)
    lines = [
        f"{name:<{width}}  {'█' * max(1, round(_BAR * value / largest)) if largest else '':<{_BAR}} {value:.1f} {unit}"
        for name, value in values.items()
    ]
    return "```\n" + "\n".join(lines) + "\n```\n"
