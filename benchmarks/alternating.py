"""Times of several ways to do one thing: in one run, turn by turn, as medians with their spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["LEAST_REPEATS", "Times", "bars", "measure_in_turn", "ratio_to", "time_figures"]

#: a median of fewer says nothing of its spread
LEAST_REPEATS = 3

_BAR = 30


class Times(NamedTuple):
    """Seconds of each repeat: by the clock, and of processor time of all threads, which other work delays less."""

    wall: list[float]
    processor: list[float]


def measure_in_turn(
    sides: Mapping[str, Callable[[], Any]],
    repeats: int,
    *,
    seconds: float | None = None,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, Times]:
    """Return the times of each side for each repeat.

    Each side is called once before the clock starts. Every second repeat goes through the sides backwards, so that
    what comes before a side, or a machine that slows down, is shared evenly.

    Args:
        sides: name → what is measured.
        repeats: how often, at most.
        seconds: after so many no further repeat is begun, once there are :data:`LEAST_REPEATS`; ``None``: no limit.
        advance: called with the side's name before each of its repeats.
    """
    for call in sides.values():
        call()
    times = {name: Times([], []) for name in sides}
    begun = time.perf_counter()
    for repeat in range(repeats):
        if seconds is not None and repeat >= LEAST_REPEATS and time.perf_counter() - begun >= seconds:
            break
        for name in list(sides)[:: 1 if repeat % 2 == 0 else -1]:
            advance(name)
            start, processor = time.perf_counter(), time.process_time()
            sides[name]()
            times[name].wall.append(time.perf_counter() - start)
            times[name].processor.append(time.process_time() - processor)
    return times


def time_figures(times: Mapping[str, Times], side: str, reference: str, per: int = 1) -> dict[str, float]:
    """Return a row's figures: seconds (median, lowest, highest), of the processor too, and ratios to a reference.

    Args:
        per: how many things one repeat did; seconds are for one of them.
    """
    wall, processor = times[side]
    figures = {
        "seconds": statistics.median(wall) / per,
        "seconds_lowest": min(wall) / per,
        "seconds_highest": max(wall) / per,
        "processor_seconds": statistics.median(processor) / per,
    }
    if reference in times and side != reference:
        figures["speed_ratio"] = ratio_to(times[reference].wall, wall)
        figures["processor_ratio"] = ratio_to(times[reference].processor, processor)
    return figures


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
