"""When the pictures of a recording are due that is played as if it happened now."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.video.source_base import Source

__all__ = ["Playback", "lap_seconds"]

_LARGEST_DELAY = 2.0


class Playback:
    """Wall-clock times of a recording's pictures, lap after lap.

    Recordings that are played together begin together, so that what happened at one instant is shown at one instant;
    laps of one common length keep them together.

    Args:
        start: wall-clock seconds at which time 0 of the recordings is due.
        lap: seconds from one beginning to the next; ``None``: the next lap follows at once.
        interval: seconds between two pictures.
    """

    def __init__(self, start: float, lap: float | None, interval: float) -> None:
        self._origin = start
        self._lap = lap
        self._interval = interval
        self._first: float | None = None
        self._last: float | None = None

    def due(self, time: float, now: float | None = None) -> float:
        """Return the wall-clock time of the picture at ``time`` seconds of the recording.

        Args:
            time: as the recording says.
            now: wall-clock seconds, where it is played at its own speed: a player more than two seconds late goes on
                from ``now`` instead of staying behind for good.
        """
        due = self._origin + time
        if now is not None and now - due > _LARGEST_DELAY:
            self._origin += now - due
            due = now
        if self._first is None:
            self._first = time
        self._last = due
        return due

    def next_lap(self) -> None:
        """The recording is over and begins again."""
        if self._last is None:
            return
        following = self._last + self._interval - (self._first or 0.0)
        self._origin = following if self._lap is None else max(self._origin + self._lap, following)


def lap_seconds(sources: Iterable[Source]) -> float | None:
    """Return the length in seconds of the longest of some recordings; ``None`` when one does not say its length."""
    lengths = []
    for source in sources:
        if source.is_live or not source.frame_count or not source.frame_rate:
            return None
        lengths.append(source.frame_count / source.frame_rate)
    return max(lengths, default=None)
