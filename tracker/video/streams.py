"""Cameras that are watched as it happens: addresses without an end, and webcams."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.video.cameras import CameraSettings
from tracker.video.ffmpeg import Decoder, image_of
from tracker.video.source_base import BaseSource, IncreasingTimes, Picture, quiet_opencv

__all__ = ["LiveStream", "Webcam", "wall_clock"]

# Formats whose timestamps are made up from an assumed frame rate.
_WITHOUT_TIMESTAMPS = frozenset({"mpjpeg", "mjpeg", "h264", "hevc", "image2pipe"})
_LARGEST_DRIFT = 2.0
_CLOCK_ORIGIN = time.time() - time.monotonic()


def wall_clock() -> float:
    """Return seconds since 1970, the same for all cameras of the process and steady when the system clock is set."""
    return _CLOCK_ORIGIN + time.monotonic()


class LiveStream(BaseSource):
    """The frames of an address as they come in.

    Times are those of the wall clock: the moment the first frame came plus what the stream's own timestamps say since,
    and the moment of arrival where those are missing, made up, or more than two seconds off.

    Args:
        settings: the camera.
        decoder: the opened stream.
        stride, max_frames, read_images: see ``BaseSource``.
    """

    def __init__(
        self,
        settings: CameraSettings,
        decoder: Decoder,
        *,
        stride: int = 1,
        max_frames: int | None = None,
        read_images: bool = True,
    ) -> None:
        super().__init__(settings, stride=stride, max_frames=max_frames, read_images=read_images, is_live=True)
        self._decoder = decoder
        self._describe(decoder.frame_rate, None, decoder.size)

    def _pictures(self) -> Iterator[Picture]:
        decoder = self._decoder
        times = IncreasingTimes(decoder.frame_rate)
        timed = decoder.container.format.name.split(",")[0] not in _WITHOUT_TIMESTAMPS
        origin: float | None = None
        count = 0
        for index, frame in enumerate(decoder.frames()):
            arrival = wall_clock()
            own = decoder.time_of(frame) if timed else None
            if own is not None:
                if origin is None or abs(origin + own - arrival) > _LARGEST_DRIFT:
                    origin = arrival - own
                arrival = origin + own
            count = index + 1
            yield index, times.next(arrival), partial(image_of, frame)
        reason = decoder.failure or "the other side closed it"
        self.warnings.append(f"{decoder.label} ended after {count} frames ({reason})")

    def _release(self) -> None:
        self._decoder.close()


class Webcam(BaseSource):
    """The frames of a webcam of this machine, at the wall-clock times they are read.

    Args:
        settings: the camera; its source is the index of the webcam.
        stride, max_frames, read_images: see ``BaseSource``.

    Raises:
        InputError: the webcam cannot be opened or gives no picture.
    """

    def __init__(
        self, settings: CameraSettings, *, stride: int = 1, max_frames: int | None = None, read_images: bool = True
    ) -> None:
        import cv2

        super().__init__(settings, stride=stride, max_frames=max_frames, read_images=read_images, is_live=True)
        quiet_opencv()
        self._capture: Any = cv2.VideoCapture(int(settings.source))
        if not self._capture.isOpened():
            self._capture.release()
            raise InputError(
                f"{self.display} cannot be opened: check that it is connected, not used by another program, "
                "and that you may use it (group 'video' on Linux)"
            )
        first = self._read()
        if first is None:
            self._capture.release()
            raise InputError(f"{self.display} opens but gives no picture: check that no other program uses it")
        self._first: tuple[float, NDArray[np.uint8]] | None = first
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self._describe(rate if 0 < rate <= 1000 else None, None, (first[1].shape[1], first[1].shape[0]))

    def _read(self) -> tuple[float, NDArray[np.uint8]] | None:
        arrived, image = self._capture.read()
        return (wall_clock(), image) if arrived and image is not None else None

    def _pictures(self) -> Iterator[Picture]:
        times = IncreasingTimes(self.frame_rate)
        index = 0
        current, self._first = self._first, None
        while current is not None:
            moment, image = current
            yield index, times.next(moment), partial(_same, image)
            index += 1
            current = self._read()
        self.warnings.append(f"{self.display} ended after {index} frames (it gives no more pictures)")

    def _release(self) -> None:
        self._capture.release()


def _same(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image
