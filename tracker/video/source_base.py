"""What every source has in common: the protocol, strides and limits, times that increase, closing from any thread."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.video.cameras import CameraSettings
from tracker.video.frames import Frame

__all__ = ["BaseSource", "IncreasingTimes", "Picture", "Source", "quiet_opencv"]

#: index in the source, seconds before the start offset, and what makes the image (``None``: it cannot be decoded)
Picture = tuple[int, float, Callable[[], NDArray[np.uint8] | None] | None]
_FALLBACK_INTERVAL = 1 / 25
_JUMP_SECONDS = 1.0


@runtime_checkable
class Source(Protocol):
    """The frames of one camera, once through, in order of time."""

    #: the camera's name
    name: str
    #: frames per second of what it yields (after the stride); ``None`` when unknown
    frame_rate: float | None
    #: width and height in pixels, ``None`` when unknown
    size: tuple[int, int] | None
    #: frames it will yield (after stride and limit); for videos an estimate from the header; ``None`` when unknown
    frame_count: int | None
    #: True when frames come as they happen: nobody may wait for them for long
    is_live: bool
    #: one line for each thing that was not as it should be; complete once the source has ended
    warnings: list[str]

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Let go of files, devices and connections; the source then ends. May be called from any thread, and again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class BaseSource(ABC):
    """A source that makes its pictures one by one in ``_pictures``.

    Args:
        settings: the camera.
        stride: yield every ``stride``-th frame; indices and times stay those of the source.
        max_frames: yield at most so many frames.
        read_images: False when only indices and times are needed: frames then have no image.

    Raises:
        InputError: ``stride`` or ``max_frames`` below 1.
    """

    def __init__(
        self,
        settings: CameraSettings,
        *,
        stride: int = 1,
        max_frames: int | None = None,
        read_images: bool = True,
        is_live: bool = False,
    ) -> None:
        if stride < 1:
            raise InputError(f"frame stride is {stride}; give 1 for every frame, 2 for every second one, …")
        if max_frames is not None and max_frames < 1:
            raise InputError(f"the limit of frames is {max_frames}; give at least 1, or none for all")
        self.name = settings.name
        self.display = settings.display
        self.frame_rate: float | None = None
        self.size: tuple[int, int] | None = None
        self.frame_count: int | None = None
        self.is_live = is_live
        self.warnings: list[str] = []
        self._offset = settings.start_offset
        self._stride = stride
        self._max_frames = max_frames
        self._read_images = read_images
        self._frames: Iterator[Frame] | None = None
        # One thread reads while another may close: nothing may be released under a running read.
        self._reading = threading.Lock()
        self._closing = threading.Event()

    @abstractmethod
    def _pictures(self) -> Iterator[Picture]:
        """Yield all pictures of the source, without stride, limit and offset."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what is held; called once, never while ``_pictures`` runs."""

    def _describe(self, frame_rate: float | None, frame_count: int | None, size: tuple[int, int] | None) -> None:
        """Set what is known of the whole source: rate and count before the stride."""
        self.size = size
        self.frame_rate = None if frame_rate is None else frame_rate / self._stride
        if frame_count is not None:
            frame_count = -(-frame_count // self._stride)
            self.frame_count = frame_count if self._max_frames is None else min(frame_count, self._max_frames)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        with self._reading:
            if self._closing.is_set():
                self._release_once()
                raise StopIteration
            if self._frames is None:
                self._frames = self._select()
            try:
                return next(self._frames)
            except BaseException:
                self._closing.set()
                self._release_once()
                raise

    def _select(self) -> Iterator[Frame]:
        remaining = self._max_frames
        for position, (index, time, make_image) in enumerate(self._pictures()):
            if position % self._stride:
                continue
            image = None
            if self._read_images and make_image is not None:
                image = make_image()
                if image is None:
                    continue
            yield Frame(self.name, index, time + self._offset, image)
            if remaining is not None:
                remaining -= 1
                if remaining == 0:
                    return

    def close(self) -> None:
        """Let go of files, devices and connections; a read that hangs in another thread does so when it returns."""
        self._closing.set()
        if self._reading.acquire(timeout=1.0):
            try:
                self._release_once()
            finally:
                self._reading.release()

    def _release_once(self) -> None:
        frames, self._frames = self._frames, iter(())
        close = getattr(frames, "close", None)
        if close is not None:
            close()
        release, self._release = self._release, lambda: None  # type: ignore[method-assign]
        release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def quiet_opencv() -> None:
    """Keep OpenCV from writing to the standard error of the process; what matters is raised or returned."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class IncreasingTimes:
    """Times of one stream made strictly increasing, however damaged its timestamps are.

    A time that is missing or a little too early is put a part of a frame after the one before; a jump back of a second
    or more is taken for a clock that was set anew, and all that follows is moved behind what came before.

    Args:
        frame_rate: frames per second, for the frames whose own time cannot be used.
    """

    def __init__(self, frame_rate: float | None) -> None:
        self._interval = 1 / frame_rate if frame_rate else _FALLBACK_INTERVAL
        self._previous: float | None = None
        self._shift = 0.0
        self.repaired = 0

    def next(self, time: float | None) -> float:
        """Return the time of the next frame in seconds, later than every one before."""
        previous = self._previous
        if previous is None:
            result = 0.0 if time is None else time
        elif time is None:
            result = previous + self._interval
        else:
            result = time + self._shift
            if result <= previous - _JUMP_SECONDS:
                self.repaired += 1
                self._shift = previous + self._interval - time
                result = previous + self._interval
            elif result <= previous:
                self.repaired += 1
                result = previous + self._interval / 4
        self._previous = result
        return result
