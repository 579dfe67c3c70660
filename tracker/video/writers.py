"""Videos that browsers play, with true times, that appear complete or not at all."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError, nearest_name_hint
from tracker.storage.atomic import AtomicFile, output_error
from tracker.video.ffmpeg import quiet_ffmpeg

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

__all__ = ["VideoWriter"]

_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_CLOCK = 90_000
_SMPTE_170M = 6
_LIMITED_RANGE = 1
_KEY_FRAME_SECONDS = 2.0


class VideoWriter:
    """Write H.264 (yuv420p, index in front) frame by frame at the frames' own times.

    The video begins with the first frame written. A size that is odd is padded by one pixel, because H.264 in this form
    has none; a frame of another size is resized. The file appears under its name on ``close``, and only when a frame
    was written; ``abort``, or an exception in the ``with`` block, leaves nothing behind. To finish properly what was
    written before an interrupt, catch the interrupt inside the block.

    Args:
        path: ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``; its folder is made when missing.
        size: width and height in pixels.
        frame_rate: frames per second, for key frames, rate control and how long the last frame stays; not for times.
        preset: of libx264. ``ultrafast`` needs a third of the time of ``veryfast``, for about twice the size at the
            same quality.
        quality: constant rate factor of libx264, 0 (lossless) to 51; lower is better and larger.
        threads: of the encoder; 0 lets it choose.

    Raises:
        InputError: the file cannot be written, its suffix is not one of the above, or a setting is out of range.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        frame_rate: float | None,
        *,
        preset: str = "ultrafast",
        quality: float = 25.0,
        threads: int = 0,
    ) -> None:
        self.path = Path(path)
        width, height = (int(side) for side in size)
        if self.path.suffix.lower() not in _SUFFIXES:
            raise InputError(f"cannot write video {self.path}: its name must end in {', '.join(_SUFFIXES)}")
        if width < 1 or height < 1:
            raise InputError(f"cannot write video {self.path}: its size is {width}×{height}; both must be positive")
        if preset not in _PRESETS:
            raise InputError(f"unknown preset {preset!r}: {nearest_name_hint(preset, _PRESETS)}")
        if not 0 <= quality <= 51:
            raise InputError(f"video quality is {quality:g}; give 0 (lossless, large) to 51 (poor, small)")
        if frame_rate is None or not math.isfinite(frame_rate) or frame_rate <= 0:
            frame_rate = 25.0
        self.size = (width + width % 2, height + height % 2)
        self.frame_count = 0
        self._content_size = (width, height)
        self._duration = max(round(_CLOCK / frame_rate), 1)
        self._first_time = 0.0
        self._last_tick = -1
        self._file = AtomicFile(self.path)
        self._container: OutputContainer | None = None
        try:
            self._container, self._stream = self._open(frame_rate, preset, quality, threads)
        except BaseException:
            self._file.discard()
            raise

    def _open(
        self, frame_rate: float, preset: str, quality: float, threads: int
    ) -> tuple[OutputContainer, VideoStream]:
        import av

        quiet_ffmpeg()
        container: OutputContainer | None = None
        try:
            container = av.open(str(self._file.temporary.absolute()), "w", options={"movflags": "faststart"})
            options = {"preset": preset, "crf": f"{quality:g}"}
            stream = container.add_stream("libx264", Fraction(frame_rate).limit_denominator(10_000), options)
            context = stream.codec_context
            stream.width, stream.height = self.size
            stream.pix_fmt = "yuv420p"
            stream.time_base = context.time_base = Fraction(1, _CLOCK)
            context.gop_size = max(round(_KEY_FRAME_SECONDS * frame_rate), 1)
            context.thread_count = threads
            # The matrix that cv2.cvtColor uses; players assume another for high definition unless told.
            context.colorspace = context.color_primaries = context.color_trc = _SMPTE_170M
            context.color_range = _LIMITED_RANGE
            context.open()
        except BaseException as error:
            if container is not None:
                with contextlib.suppress(Exception):
                    container.close()
            if isinstance(error, OSError):
                raise output_error(self.path, error) from None
            if isinstance(error, (av.FFmpegError, ValueError)):
                reason = (getattr(error, "strerror", None) or str(error)).lower()
                size = f"{self.size[0]}×{self.size[1]}"
                raise InputError(
                    f"cannot write video {self.path}: the H.264 encoder refuses {size} ({reason}); use another size, "
                    "and a PyAV that has libx264"
                ) from None
            raise
        return container, stream

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Add a frame.

        Args:
            image: (H, W, 3) uint8 BGR; resized when it is not of the video's size.
            time: seconds; a frame that is not later than the one before is put right after it.

        Raises:
            InputError: the file cannot be written; nothing of it is left then.
            ValueError: the image has another shape or type, or the writer is closed.
        """
        if self._container is None:
            raise ValueError(f"{self.path} is closed")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image is {image.shape} {image.dtype}, not (H, W, 3) uint8")
        import av

        if self.frame_count == 0:
            self._first_time = time
        self._last_tick = max(round((time - self._first_time) * _CLOCK), self._last_tick + 1)
        planes = np.asarray(cv2.cvtColor(self._fit(image), cv2.COLOR_BGR2YUV_I420), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self._last_tick
        frame.time_base = Fraction(1, _CLOCK)
        frame.duration = self._duration
        self.frame_count += 1
        self._encode(frame)

    def _fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        width, height = self._content_size
        if image.shape[:2] != (height, width):
            shrinks = width < image.shape[1]
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[assignment]
        if self._content_size != self.size:
            right, bottom = self.size[0] - width, self.size[1] - height
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        return image

    def _encode(self, frame: object) -> None:
        import av

        assert self._container is not None
        try:
            for packet in self._stream.encode(frame):  # type: ignore[arg-type]
                self._container.mux(packet)
        except (OSError, av.FFmpegError) as error:
            self.abort()
            raise self._error(error) from None

    def close(self) -> None:
        """Finish the video and put it in its place; without a single frame there is no file. May be called again.

        Raises:
            InputError: the file cannot be written; nothing of it is left then.
        """
        if self._container is None:
            return
        if self.frame_count == 0:
            self.abort()
            return
        import av

        try:
            self._encode(None)
            self._container.close()
        except (OSError, av.FFmpegError) as error:
            self.abort()
            raise self._error(error) from None
        except BaseException:
            self.abort()
            raise
        self._container = None
        self._file.commit()

    def abort(self) -> None:
        """Give the video up and remove what was written of it. May be called again."""
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(Exception):
                container.close()
        self._file.discard()

    def _error(self, error: Exception) -> InputError:
        if isinstance(error, OSError):
            return output_error(self.path, error)
        return InputError(f"cannot write video {self.path}: {getattr(error, 'strerror', None) or error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
