"""How a live camera is doing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["CameraState", "Phase", "RateMeter"]

Phase = Literal["starting", "running", "stalled", "reconnecting", "ended", "failed"]

_WINDOW_SECONDS = 5.0
_MOST_ARRIVALS = 512


@dataclass(frozen=True, slots=True)
class CameraState:
    """How a live camera is doing at one moment.

    Args:
        name: the camera's name.
        source: what it is, without user, password and query.
        phase: ``starting`` until the first picture, ``running``, ``stalled`` (connected, but no picture for a while),
            ``reconnecting``, ``ended`` (a recording is over), ``failed`` (given up).
        message: one line that says why, empty while all is well; never holds credentials.
        frame_rate: pictures per second that came in over the last 5 s.
        size: width and height of the newest picture in pixels, ``None`` before the first.
        frames: pictures that came in.
        dropped: of these, pictures that a newer one replaced before they were taken.
        reconnects: times the camera came back after it had been lost.
        age: seconds since the newest picture came in, ``None`` before the first.
    """

    name: str
    source: str
    phase: Phase
    message: str
    frame_rate: float
    size: tuple[int, int] | None
    frames: int
    dropped: int
    reconnects: int
    age: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class RateMeter:
    """Arrivals per second over the last five, in bounded memory."""

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque(maxlen=_MOST_ARRIVALS)

    def add(self, now: float) -> None:
        """Note an arrival at ``now`` seconds."""
        self._arrivals.append(now)

    def rate(self, now: float) -> float:
        """Return arrivals per second; 0 when there were none of late."""
        recent = [moment for moment in self._arrivals if moment > now - _WINDOW_SECONDS]
        # From the first arrival to now, so that the rate falls at once when nothing comes any more.
        return (len(recent) - 1) / max(now - recent[0], 1e-6) if len(recent) > 1 else 0.0
