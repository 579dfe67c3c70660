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

_WINDOW_SECONDS = 4.0
#: share of the time at work, and of the pictures that should be processed, from which on the machine is too slow
_BUSY, _FELL_BEHIND = 0.9, 0.8
#: and from which on it is not any more, so that what lies between does not flicker
_IDLE, _CAUGHT_UP = 0.8, 0.9
#: a machine that is too slow reads fewer pictures, too: what a camera gave before counts, half as much after so long
_HALF_LIFE_SECONDS = 60.0
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
        self._begun: float | None = None
        self._slow = False
        # camera → when it was asked last, and the pictures a second that it can give
        self._given: dict[str, tuple[float, float]] = {}
        self.processed = 0
        self.errors = 0

    def begin(self, at: float) -> None:
        """Note that a step begins, ``at`` seconds of a steady clock; it counts from then on, however long it takes."""
        with self._lock:
            self._begun = at

    def failed(self) -> None:
        """Note that the step that has begun came to nothing."""
        with self._lock:
            self._begun = None
            self.errors += 1

    def step(self, at: float, busy: float, frames: int, latency: float) -> None:
        """Note a step that ended ``at`` seconds of a steady clock.

        Args:
            at: when.
            busy: seconds it took.
            frames: pictures that went through.
            latency: seconds from when the oldest of them was taken until now.
        """
        with self._lock:
            self._begun = None
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
            problem, begun = self._problem, self._begun
            wanted = sum(self._wanted(now, state) for state in states)
        at_work = 0.0 if begun is None else max(now - begun, 0.0)
        # A run that has just begun is measured over what there is of it.
        first = min([step.at - step.busy for step in steps] + ([] if begun is None else [begun]), default=now)
        span = min(_WINDOW_SECONDS, max(now - first, 1e-3)) if steps or begun is not None else _WINDOW_SECONDS
        # Of a long step only what lies in the window.
        worked = sum(min(step.busy, max(step.at - now + span, 0.0)) for step in steps)
        load = min((worked + at_work) / span, 1.0)
        frames = sum(step.frames for step in steps) / span
        latency = sum(step.latency for step in steps) / len(steps) if steps else 0.0
        busy, behind = (_IDLE, _CAUGHT_UP) if self._slow else (_BUSY, _FELL_BEHIND)
        slow = self._slow = span > 1.0 and load >= busy and frames < behind * wanted
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

    def _wanted(self, now: float, state: CameraState) -> float:
        """Return the pictures a second of a camera that should be looked at."""
        if state.phase not in ("running", "stalled"):
            self._given.pop(state.name, None)
            return 0.0
        asked, before = self._given.get(state.name, (now, 0.0))
        rate = max(state.frame_rate, before * 0.5 ** (max(now - asked, 0.0) / _HALF_LIFE_SECONDS))
        if state.phase == "stalled":
            # Whether the camera or this machine is slow nobody knows.
            rate = state.frame_rate
        self._given[state.name] = (now, rate)
        return min(rate, self._max_rate) if self._max_rate else rate


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
