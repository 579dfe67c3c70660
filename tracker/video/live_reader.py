"""The thread of one live camera: keeps its newest frame, and comes back when the camera is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from tracker.errors import InputError
from tracker.video.addresses import is_url, is_webcam, without_credentials
from tracker.video.cameras import CameraSettings
from tracker.video.frames import Frame
from tracker.video.live_state import CameraState, Phase, RateMeter
from tracker.video.playback import Playback
from tracker.video.reconnection import Backoff, ReconnectionSettings
from tracker.video.source_base import Source
from tracker.video.sources import open_source
from tracker.video.streams import wall_clock

__all__ = ["LiveReader", "is_recording"]

_SMALLEST_STEP = 1e-3


def is_recording(settings: CameraSettings) -> bool:
    """Return whether a camera's source is a file or folder: nothing to reconnect to."""
    source = settings.source
    return not is_webcam(source) and (not is_url(source) or source.lower().startswith("file://"))


class LiveReader(threading.Thread):
    """Reads one camera for as long as it is wanted; its fields are guarded by the condition all readers share.

    Args:
        settings: the camera.
        changed: notified when there is something new.
        opened: the source, if it is open already.
        playback: when the pictures of a recording are due.
        realtime: play recordings at their own speed; otherwise the next picture is read when the last was taken.
        loop: begin recordings again.
        reconnection: pauses between attempts.
        timeout: seconds an address may take to answer, when opened and for each read.
        stalled_seconds: without a picture for so long a camera counts as stalled.
        clock: seconds from a steady clock, for ages and pauses.
    """

    def __init__(
        self,
        settings: CameraSettings,
        changed: threading.Condition,
        *,
        opened: Source | None,
        playback: Playback,
        realtime: bool,
        loop: bool,
        reconnection: ReconnectionSettings,
        timeout: float,
        stalled_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(name=f"capture {settings.name}", daemon=True)
        self.settings = settings
        #: the newest frame, until it is taken
        self.pending: Frame | None = None
        #: ended or failed: no frame will come after ``pending``
        self.over = False
        #: reads as fast as its frames are taken, and drops none
        self.unpaced = False
        self._changed = changed
        self._source = opened
        self._playback = playback
        self._realtime = realtime
        self._loop = loop
        self._timeout = timeout
        self._stalled_seconds = stalled_seconds
        self._clock = clock
        self._backoff = Backoff(reconnection, clock)
        self._stopping = threading.Event()
        self._phase: Phase = "starting"
        self._message = ""
        self._rate = RateMeter()
        self._size: tuple[int, int] | None = None
        self._frames = self._dropped = self._reconnects = 0
        self._newest_at: float | None = None
        self._last_time = float("-inf")
        self._lost = False
        self._remark = ""
        self._resting = False

    def take(self) -> Frame:
        """Return the newest frame, which was not taken yet; call with the condition held."""
        frame, self.pending = self.pending, None
        assert frame is not None
        self._changed.notify_all()
        return frame

    def state(self) -> CameraState:
        """Return how the camera is doing; call with the condition held."""
        now = self._clock()
        age = None if self._newest_at is None else max(now - self._newest_at, 0.0)
        phase, message = self._phase, self._message
        # A picture that waits to be due, or to be taken, is no fault of the camera.
        waits = self._resting or (self.unpaced and self.pending is not None)
        if phase == "running" and age is not None and age >= self._stalled_seconds and not waits:
            phase, message = "stalled", f"no picture for {age:.0f} s"
        rate = self._rate.rate(now)
        return CameraState(self.settings.name, self.settings.display, phase, message, rate, self._size,
                           self._frames, self._dropped, self._reconnects, age)  # fmt: skip

    def request_stop(self) -> None:
        """Ask the thread to end; call with the condition held."""
        self._stopping.set()
        self._changed.notify_all()

    def run(self) -> None:
        phase: Phase = "ended"
        message = ""
        try:
            while not self._stopping.is_set():
                lost = self._read_once()
                if lost is None or self._stopping.wait(self._lose(lost)):
                    break
            message = self._remark
        except InputError as error:
            phase, message = "failed", str(error)
        except Exception as error:
            phase, message = "failed", f"reading broke off ({_words(error)}); start it again"
        if self._source is not None:
            self._source.close()
        with self._changed:
            self.over = True
            self._phase, self._message = phase, without_credentials(message, self.settings.source)
            self._changed.notify_all()

    def _read_once(self) -> str | None:
        """Read until the camera is lost, and return why; ``None`` when a recording is over or a stop is asked for."""
        try:
            source = self._source or self._open()
        except InputError as error:
            if is_recording(self.settings):
                raise
            return str(error)
        self._source = None
        with source:
            if not source.is_live:
                return self._play(source)
            problem = self._watch(source)
        # The source says why it ended in its last warning.
        return problem or next(reversed(source.warnings), "it gives no more pictures")

    def _open(self) -> Source:
        return open_source(self.settings, timeout=self._timeout, live=True)

    def _watch(self, source: Source) -> str | None:
        """Hand on what a live camera shows; return why it was lost, ``None`` when its source knows."""
        size: tuple[int, int] | None = None
        try:
            for frame in source:
                if self._stopping.is_set():
                    return None
                shape = _size(frame)
                if size is not None and shape != size:
                    return f"pictures changed from {size[0]}×{size[1]} to {shape[0]}×{shape[1]}"
                size = shape
                self._put(frame, frame.time)
        except InputError as error:
            return str(error)
        except Exception as error:
            # What a camera sends may break a decoder in ways of its own; the others go on, and it is asked again.
            return _words(error)
        return None

    def _play(self, source: Source) -> str | None:
        """Play a recording, once or again and again; return why it cannot be reached again, ``None`` at its end."""
        with self._changed:
            self.unpaced = not self._realtime
        while True:
            with source:
                shown = self._play_lap(source)
            # A recording that is damaged says so when it is over.
            self._remark = next(reversed(source.warnings), "")
            if not (shown and self._loop):
                return None
            self._playback.next_lap()
            try:
                source = self._open()
            except InputError as error:
                if is_recording(self.settings):
                    raise
                return str(error)

    def _play_lap(self, source: Source) -> bool:
        """Play a recording once; False when it showed nothing, or a stop is asked for."""
        shown = False
        for frame in source:
            now = wall_clock()
            due = self._playback.due(frame.time, now if self._realtime else None)
            if self._realtime and self._rest(due - now):
                return False
            if not self._put(frame, due):
                return False
            shown = True
        return shown

    def _rest(self, seconds: float) -> bool:
        """Wait until the next picture of a recording is due; return whether a stop is asked for."""
        with self._changed:
            self._resting = True
        return self._stopping.wait(max(seconds, 0.0))

    def _put(self, frame: Frame, time: float) -> bool:
        """Keep a frame as the newest, its time later than that of the one before; False when a stop is asked for."""
        with self._changed:
            while self.unpaced and self.pending is not None and not self._stopping.is_set():
                self._changed.wait()
            if self._stopping.is_set():
                return False
            self._dropped += self.pending is not None
            if time <= self._last_time:
                time = self._last_time + _SMALLEST_STEP
            self.pending = replace(frame, index=self._frames, time=time)
            now = self._clock()
            self._last_time, self._newest_at, self._size = time, now, _size(frame)
            self._frames += 1
            self._rate.add(now)
            self._backoff.running()
            self._reconnects += self._lost
            self._lost = self._resting = False
            self._phase, self._message = "running", ""
            self._changed.notify_all()
            return True

    def _lose(self, reason: str) -> float:
        """Note that the camera was lost, or not reached; return the seconds to wait."""
        reason = without_credentials(reason, self.settings.source)
        with self._changed:
            pause = self._backoff.next_pause()
            attempts = self._backoff.failures
            self._lost = self._frames > 0
            self._phase = "reconnecting"
            self._message = f"{reason}; next attempt ({attempts}) in {pause:g} s"
            self._changed.notify_all()
        return pause


def _size(frame: Frame) -> tuple[int, int]:
    assert frame.image is not None
    return frame.image.shape[1], frame.image.shape[0]


def _words(error: BaseException) -> str:
    # The text of an error of FFmpeg ends with the address, which may hold a password.
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
