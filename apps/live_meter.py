"""How well a live run keeps up: steps and time of the last seconds, and what went wrong."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tracker.video.live_state import CameraState

__all__ = ["ProcessingMeter", "memory_bytes"]

_WINDOW_SECONDS = 5.0
#: share of the time at work, and of the pictures that should be processed, from which on the machine is too slow
_BUSY, _FELL_BEHIND = 0.9, 0.8
#: what went wrong is told for so long
_TOLD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Step:
    at: float
    busy: float
    frames: int
    latency: float


class ProcessingMeter:
    """Takes in every step, and says how it goes; any thread may ask.

    Args:
        max_rate: steps a second that are wanted at most; 0: no limit.
    """

    def __init__(self, max_rate: float) -> None:
        self._max_rate = max_rate
        self._steps: deque[_Step] = deque(maxlen=4096)
        self._lock = threading.Lock()
        self._problem: tuple[float, str] | None = None
        self.processed = 0
        self.errors = 0

    def step(self, at: float, busy: float, frames: int, latency: float) -> None:
        """Note a step that ended ``at`` seconds of a steady clock.

        Args:
            at: when.
            busy: seconds it took.
            frames: pictures that went through.
            latency: seconds from when the oldest of them was taken until now.
        """
        with self._lock:
            self._steps.append(_Step(at, busy, frames, latency))
            while self._steps and self._steps[0].at < at - _WINDOW_SECONDS:
                self._steps.popleft()
            self.processed += frames

    def problem(self, at: float, text: str) -> None:
        """Note what went wrong ``at`` seconds of the steady clock, in one line."""
        with self._lock:
            self._problem = (at, " ".join(text.split()))

    def figures(self, now: float, states: Sequence[CameraState]) -> dict[str, object]:
        """Return how it goes at ``now`` seconds of the steady clock, ready for JSON; ``states`` are the cameras'."""
        with self._lock:
            steps = [step for step in self._steps if step.at > now - _WINDOW_SECONDS]
            problem = self._problem
        # A run that has just begun is measured over what there is of it.
        span = min(_WINDOW_SECONDS, max(now - steps[0].at + steps[0].busy, 1e-3)) if steps else _WINDOW_SECONDS
        load = min(sum(step.busy for step in steps) / span, 1.0)
        frames = sum(step.frames for step in steps) / span
        latency = sum(step.latency for step in steps) / len(steps) if steps else 0.0
        given = [state.frame_rate for state in states if state.phase == "running"]
        wanted = sum(min(rate, self._max_rate) if self._max_rate else rate for rate in given)
        slow = bool(steps) and span > 1.0 and load >= _BUSY and frames < _FELL_BEHIND * wanted
        message = ""
        if slow:
            share = round(100 * frames / wanted)
            message = (
                f"this machine is too slow: {share} % of the pictures are looked at, of all cameras alike; fewer "
                "cameras, a smaller --image-size or a lower --max-rate help"
            )
        if problem is not None and now - problem[0] < _TOLD_SECONDS:
            message = f"{message}; {problem[1]}" if message else problem[1]
        return {
            "frames_per_second": round(frames, 2),
            "latency_seconds": round(max(latency, 0.0), 3),
            "load": round(load, 3),
            "too_slow": slow,
            "message": message,
            "processed": self.processed,
            "errors": self.errors,
        }


def memory_bytes() -> int:
    """Return the memory that this process holds now, or at its most where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        try:
            import resource
        except ImportError:
            return 0
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
