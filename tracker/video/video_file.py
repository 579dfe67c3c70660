"""A recorded video: a file, or an address whose video has an end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tracker.video.cameras import CameraSettings
from tracker.video.ffmpeg import Decoder, image_of
from tracker.video.source_base import BaseSource, IncreasingTimes, Picture

__all__ = ["VideoFile"]


class VideoFile(BaseSource):
    """The frames of a recorded video with their true timestamps; the first frame is at ``start_offset``.

    Args:
        settings: the camera.
        decoder: the opened video.
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
        super().__init__(settings, stride=stride, max_frames=max_frames, read_images=read_images)
        self._decoder = decoder
        self._describe(decoder.frame_rate, decoder.frame_count, decoder.size)

    def _pictures(self) -> Iterator[Picture]:
        decoder = self._decoder
        times = IncreasingTimes(decoder.frame_rate)
        origin: float | None = None
        time = 0.0
        for index, frame in enumerate(decoder.frames()):
            own = decoder.time_of(frame)
            if origin is None and own is not None:
                origin = own if not decoder.errors else min(own, decoder.start_time)
            time = times.next(None if own is None or origin is None else own - origin)
            yield index, time, partial(image_of, frame)
        self._report(time, times.repaired)

    def _report(self, last_time: float, repaired: int) -> None:
        decoder = self._decoder
        problems = []
        if decoder.errors or decoder.failure or decoder.promised_more(last_time):
            promised = decoder.promised
            of = f" of {promised}" if promised is not None and promised > decoder.decoded else ""
            problems.append(f"{decoder.decoded}{of} frames could be decoded, the others are left out")
        if repaired:
            problems.append(f"{repaired} timestamps were not increasing and have been repaired")
        if problems:
            self.warnings.append(f"{decoder.label} is damaged or its header is wrong: {'; '.join(problems)}")

    def _release(self) -> None:
        self._decoder.close()
