"""Live cameras: the newest frame of each, whatever happens to the others."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from tracker.errors import InputError
from tracker.video.cameras import CameraSettings
from tracker.video.frames import Frame
from tracker.video.live_reader import LiveReader, is_recording
from tracker.video.live_state import CameraState
from tracker.video.playback import Playback, lap_seconds
from tracker.video.reconnection import ReconnectionSettings
from tracker.video.source_base import Source
from tracker.video.sources import open_source
from tracker.video.streams import wall_clock

__all__ = ["LiveCapture"]

_FALLBACK_INTERVAL = 1 / 25
# A waiting main thread looks up so often, in case an interrupt came in between.
_LOOK_UP_SECONDS = 0.5
_JOIN_SECONDS = 0.9


class LiveCapture:
    """The newest frames of many cameras, each read in a thread of its own.

    A frame that is not taken before the next one comes is dropped and counted, so that nothing queues up and at most
    two frames per camera are held. Times are those of the wall clock, and the steps between them those of the stream's
    own timestamps; indices count the camera's frames, dropped ones too, over all its connections.

    An address or webcam that stalls, ends, refuses or changes the size of its pictures is asked again after growing
    pauses, for as long as the capture runs; no other camera notices. A recording ends, or begins again with ``loop``.
    With ``realtime`` recordings are played at their own speed from a common beginning. Without it they go as fast as
    their frames are taken: none is dropped, and they keep in step by their times.

    Args:
        sources: the cameras; names must differ.
        realtime: play recordings at their own speed.
        loop: begin recordings again when they are over, all together where their lengths are known.
        reconnection: pauses between attempts.
        timeout: seconds an address may take to answer, when opened and for each read.
        stalled_seconds: a connected camera without a picture for so long is shown as stalled.
        clock: seconds from a steady clock, for ages and for how long a camera has been stable.

    Raises:
        InputError: no camera, two of one name, times that are not positive, or a recording that cannot be opened.
            Addresses and webcams that cannot be opened are no error: their state says so, and they are asked again.
    """

    def __init__(
        self,
        sources: Sequence[CameraSettings],
        *,
        realtime: bool = True,
        loop: bool = False,
        reconnection: ReconnectionSettings | None = None,
        timeout: float = 5.0,
        stalled_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(sources, timeout, stalled_seconds)
        self._changed = threading.Condition()
        self._opened: list[Source] = []
        self._closed = False
        opened: dict[str, Source] = {}
        try:
            for camera in sources:
                if is_recording(camera):
                    opened[camera.name] = open_source(camera)
                    self._opened.append(opened[camera.name])
        except BaseException:
            self._close_sources()
            raise
        lap = lap_seconds(self._opened) if loop else None
        start = wall_clock()
        self._intervals = {name: _interval(source) for name, source in opened.items()}
        self._readers = [
            LiveReader(
                camera,
                self._changed,
                opened=opened.get(camera.name),
                playback=Playback(start, lap, self._intervals.get(camera.name, _FALLBACK_INTERVAL)),
                realtime=realtime,
                loop=loop,
                reconnection=reconnection or ReconnectionSettings(),
                timeout=timeout,
                stalled_seconds=stalled_seconds,
                clock=clock,
            )
            for camera in sources
        ]
        for reader in self._readers:
            # Known before its thread runs, so that no other recording gets ahead of one that has not begun.
            reader.unpaced = not realtime and is_recording(reader.settings)
            reader.start()

    @property
    def names(self) -> list[str]:
        """The cameras, in the order given."""
        return [reader.settings.name for reader in self._readers]

    @property
    def over(self) -> bool:
        """Whether no frame will ever come: all cameras have ended or failed, and what they gave was taken."""
        with self._changed:
            return self._is_over()

    def newest(self) -> list[Frame]:
        """Return the newest frame of each camera, only those not handed out before, in the order of the cameras."""
        with self._changed:
            return [reader.take() for reader in self._due()]

    def states(self) -> list[CameraState]:
        """Return how each camera is doing, in the order of the cameras."""
        with self._changed:
            return [reader.state() for reader in self._readers]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until ``newest`` has something to give.

        Args:
            timeout: seconds to wait at most; ``None``: until then, or until no camera will ever give a frame again.

        Returns:
            Whether it has.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._due():
                left = deadline - time.monotonic()
                if left <= 0 or self._closed or self._is_over():
                    return False
                self._changed.wait(min(left, _LOOK_UP_SECONDS))
            return True

    def close(self) -> None:
        """End all threads; returns within a second. May be called again.

        A thread that waits for a silent camera just then gives nothing any more, and ends when its read times out.
        """
        with self._changed:
            self._closed = True
            for reader in self._readers:
                reader.request_stop()
        deadline = time.monotonic() + _JOIN_SECONDS
        for reader in self._readers:
            reader.join(max(deadline - time.monotonic(), 0.0))
        with self._changed:
            for reader in self._readers:
                reader.pending = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_over(self) -> bool:
        return all(reader.over and reader.pending is None for reader in self._readers)

    def _due(self) -> list[LiveReader]:
        """Return the readers whose frame may be taken; of recordings that go as fast as they can the earliest only."""
        waiting = [reader for reader in self._readers if reader.pending is not None]
        unpaced = [reader for reader in self._readers if reader.unpaced and (reader.pending or not reader.over)]
        if not unpaced:
            return waiting
        if any(reader.pending is None for reader in unpaced):
            return [reader for reader in waiting if not reader.unpaced]
        tolerance = min(self._intervals.get(reader.settings.name, _FALLBACK_INTERVAL) for reader in unpaced) / 2
        latest = min(reader.pending.time for reader in unpaced if reader.pending is not None) + tolerance
        return [
            reader
            for reader in waiting
            if not reader.unpaced or (reader.pending is not None and reader.pending.time <= latest)
        ]

    def _close_sources(self) -> None:
        for source in self._opened:
            with contextlib.suppress(Exception):
                source.close()


def _check(sources: Sequence[CameraSettings], timeout: float, stalled_seconds: float) -> None:
    if not sources:
        raise InputError("no camera given: name a video, a webcam index, an address or cameras.yaml")
    names = [camera.name for camera in sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two cameras are called {name!r}: give each its own name")
    for label, seconds in (("timeout", timeout), ("stalled_seconds", stalled_seconds)):
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError(f"{label} is {seconds:g}; give seconds above 0")


def _interval(source: Source) -> float:
    return 1 / source.frame_rate if source.frame_rate else _FALLBACK_INTERVAL
