"""How long to wait before a lost camera is asked again: growing pauses, short again after a stable while."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tracker.errors import InputError

__all__ = ["Backoff", "ReconnectionSettings"]


@dataclass(frozen=True, slots=True)
class ReconnectionSettings:
    """Pauses between two attempts to reach a camera.

    Args:
        first_pause: seconds before the first attempt; each further pause is twice as long.
        longest_pause: seconds that no pause exceeds.
        stable_seconds: a camera that has run for so long begins with the first pause again.

    Raises:
        InputError: a value that is not a positive number of seconds, or a first pause beyond the longest.
    """

    first_pause: float = 1.0
    longest_pause: float = 30.0
    stable_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("first_pause", "longest_pause", "stable_seconds"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds > 0):
                raise InputError(f"{name} is {seconds:g}; give seconds above 0")
        if self.first_pause > self.longest_pause:
            raise InputError(
                f"first_pause is {self.first_pause:g} s, more than longest_pause ({self.longest_pause:g} s): "
                "give a smaller one"
            )


class Backoff:
    """The pauses of one camera.

    Args:
        settings: how they grow.
        clock: seconds from a steady clock.
    """

    def __init__(self, settings: ReconnectionSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._failures = 0
        self._running_since: float | None = None

    @property
    def failures(self) -> int:
        """Attempts and connections lost since it last ran for a stable while."""
        return self._failures

    def running(self) -> None:
        """The camera gave a picture."""
        if self._running_since is None:
            self._running_since = self._clock()

    def next_pause(self) -> float:
        """Return the seconds to wait now that the camera was lost, or not reached."""
        began, self._running_since = self._running_since, None
        if began is not None and self._clock() - began >= self._settings.stable_seconds:
            self._failures = 0
        # Beyond this the pause is the longest anyway, and the power would overflow.
        doublings = min(self._failures, 60)
        self._failures += 1
        return min(self._settings.first_pause * 2.0**doublings, self._settings.longest_pause)
