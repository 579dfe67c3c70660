"""Many sources, one stream of instants: frames merged by time while every source is decoded ahead in its own thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tracker.errors import InputError
from tracker.video.frames import Frame
from tracker.video.source_base import Source

__all__ = ["synchronize"]

_FALLBACK_INTERVAL = 1 / 25
# A waiting main thread looks up so often, in case an interrupt came in between.
_LOOK_UP_SECONDS = 0.5
_JOIN_SECONDS = 3.0
_SMALLEST_STEP = 1e-3


def synchronize(sources: Sequence[Source], *, prefetch: int = 2, stall_timeout: float = 0.1) -> Iterator[list[Frame]]:
    """Merge sources by time into instants.

    An instant is a list with at most one frame per camera, in the order of ``sources``; its frames lie within half of
    the shortest frame interval of the sources that are still running. Every frame of a recorded source comes exactly
    once and in order, and the time of an instant (that of its earliest frame) never decreases. Which frames make an
    instant depends on their times only, not on the order of the sources nor on the speed of their decoding.

    Live sources are not waited for: one that owes a frame holds the others up for at most ``stall_timeout``, once,
    until it delivers again. Of a live source that is faster than its consumer the oldest waiting frames are dropped
    (``warnings`` says how many); a frame that comes too late for its instant gets the time of the last one.

    A source that fails after its first frame ends with a line in its ``warnings``, and the others go on; one that fails
    before, and anything that is no ordinary exception, is raised here. Closing the generator, an exception or an
    interrupt ends all threads; the sources themselves are the caller's to close.

    Args:
        sources: opened sources with different names.
        prefetch: frames that each source may be decoded ahead, at least 1.
        stall_timeout: seconds.

    Raises:
        InputError: two sources of one name, or ``prefetch`` below 1.
    """
    if prefetch < 1:
        raise InputError(f"prefetch is {prefetch}; give at least 1 frame")
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two cameras are called {name!r}: give each its own name")
    return _run(list(sources), prefetch, stall_timeout)


def _run(sources: list[Source], prefetch: int, stall_timeout: float) -> Iterator[list[Frame]]:
    condition = threading.Condition()
    readers = [_Reader(source, condition, prefetch) for source in sources]
    try:
        for reader in readers:
            reader.start()
        last = float("-inf")
        while True:
            with condition:
                _wait(readers, condition, stall_timeout)
                waiting = [reader for reader in readers if reader.frames]
                if not waiting:
                    return
                for reader in waiting:
                    reader.correct_late(last)
                tolerance = _tolerance(readers)
                instant = min(reader.frames[0].time for reader in waiting)
                group = [reader.take() for reader in waiting if reader.frames[0].time - instant <= tolerance]
                last = instant
                condition.notify_all()
            yield group
    finally:
        with condition:
            for reader in readers:
                reader.stopped = True
            condition.notify_all()
        # A read that hangs is left to its time-out: the thread is a daemon and ends with it.
        deadline = time.monotonic() + _JOIN_SECONDS
        for reader in readers:
            if reader.ident is not None:
                reader.join(max(deadline - time.monotonic(), 0.0))
            reader.report_dropped()


def _wait(readers: list[_Reader], condition: threading.Condition, stall_timeout: float) -> None:
    """Wait (holding ``condition``) until the next instant is certain, or as certain as live sources allow."""
    deadline: float | None = None
    while True:
        for reader in readers:
            reader.raise_error()
        owing = [reader for reader in readers if not reader.frames and not reader.ended]
        recorded = [reader for reader in owing if not reader.source.is_live]
        heads = [reader.frames[0].time for reader in readers if reader.frames]
        if not owing:
            return
        timeout = _LOOK_UP_SECONDS
        if heads and not recorded:
            instant = min(heads) + _tolerance(readers)
            awaited = [reader for reader in owing if not reader.stalled and reader.expected <= instant]
            if not awaited:
                return
            now = time.monotonic()
            deadline = now + stall_timeout if deadline is None else deadline
            if now >= deadline:
                for reader in awaited:
                    reader.stalled = True
                return
            timeout = deadline - now
        condition.wait(timeout)


def _tolerance(readers: list[_Reader]) -> float:
    """Half of the shortest frame interval of the sources that still have frames to give, in seconds."""
    intervals = [reader.interval for reader in readers if reader.frames or not reader.ended]
    return min(intervals, default=_FALLBACK_INTERVAL) / 2


class _Reader(threading.Thread):
    """Reads one source ahead; its fields are guarded by the condition all readers share."""

    def __init__(self, source: Source, condition: threading.Condition, prefetch: int) -> None:
        super().__init__(name=f"read {source.name}", daemon=True)
        self.source = source
        self.frames: deque[Frame] = deque()
        self.ended = False
        self.stopped = False
        self.stalled = False
        self.interval = 1 / source.frame_rate if source.frame_rate else _FALLBACK_INTERVAL
        self._condition = condition
        self._prefetch = prefetch
        self._error: BaseException | None = None
        self._dropped = 0
        self._last_taken = float("-inf")

    @property
    def expected(self) -> float:
        """Earliest time its next frame is expected, in seconds."""
        return self._last_taken + 0.75 * self.interval

    def run(self) -> None:
        count = 0
        error: BaseException | None = None
        try:
            for frame in self.source:
                count += 1
                if not self._put(frame):
                    break
        except BaseException as caught:
            error = caught
        with self._condition:
            if error is not None and not self.stopped:
                if count == 0 or not isinstance(error, Exception) or isinstance(error, MemoryError):
                    self._error = error
                else:
                    self.source.warnings.append(
                        f"camera {self.source.name} stopped after {count} frames: {_words(error)}"
                    )
            self.ended = True
            self._condition.notify_all()

    def _put(self, frame: Frame) -> bool:
        """Hand a frame over; returns False when no more are wanted."""
        with self._condition:
            if self.source.is_live:
                while len(self.frames) >= self._prefetch:
                    self.frames.popleft()
                    self._dropped += 1
            while len(self.frames) >= self._prefetch and not self.stopped:
                self._condition.wait()
            if self.stopped:
                return False
            self.frames.append(frame)
            self.stalled = False
            self._condition.notify_all()
            return True

    def take(self) -> Frame:
        frame = self.frames.popleft()
        self._last_taken = frame.time
        return frame

    def correct_late(self, last_instant: float) -> None:
        """Move the first frame of a live source to the last instant when it comes too late for its own."""
        if self.source.is_live and self.frames[0].time < last_instant:
            self.frames[0] = replace(self.frames[0], time=max(last_instant, self._last_taken + _SMALLEST_STEP))

    def raise_error(self) -> None:
        """Raise what ended the source, once the frames before it have been taken."""
        if self._error is not None and not self.frames:
            error, self._error = self._error, None
            raise error

    def report_dropped(self) -> None:
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self.source.warnings.append(
                f"camera {self.source.name}: {count} frames of the live stream were left out, because they came faster "
                "than they could be processed"
            )


def _words(error: BaseException) -> str:
    # The text of an error of FFmpeg ends with the address, which may hold a password.
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
