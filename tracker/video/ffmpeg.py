"""The first video stream of a file or address, decoded by FFmpeg (PyAV) whatever happens in the middle of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["Decoder", "image_of", "quiet_ffmpeg"]

# FFmpeg opens any text file called .txt as a film of its letters.
_NOT_VIDEO = frozenset({"tty", "ass", "srt", "webvtt", "subviewer", "data", "ffmetadata"})
_MOST_READ_ERRORS = 32
_REMEDY = "play it to check, copy it again or convert it to MP4"


def quiet_ffmpeg() -> None:
    """Keep FFmpeg from writing to the standard error of the process; what matters is raised or returned."""
    import av.logging

    av.logging.set_level(None)
    av.logging.set_libav_level(av.logging.PANIC)


class Decoder:
    """An opened stream with its first frame already decoded.

    Args:
        address: path or address for FFmpeg.
        label: what it is called in messages; never holds credentials.
        timeout: seconds to wait for opening and for each read; ``None`` for files.
        live: decode without the delay of frame threads.

    Raises:
        InputError: not a video, no video stream, not one frame that can be decoded, or not opened in time.
    """

    def __init__(self, address: str, label: str, *, timeout: float | None = None, live: bool = False) -> None:
        import av

        quiet_ffmpeg()
        options = {"rtsp_transport": "tcp"} if address.lower().startswith("rtsp") else {}
        if live and options:
            # While sound comes in, reads do not time out, however long there is no picture.
            options["allowed_media_types"] = "video"
        self.label = label
        #: parts of the stream that could not be decoded
        self.errors = 0
        #: why reading ended before the end of the stream, ``None`` when it did not
        self.failure: str | None = None
        self.decoded = 0
        self._discarded = 0
        try:
            self.container: InputContainer = av.open(
                address,
                options=options,
                timeout=None if timeout is None else (timeout, timeout),
                metadata_errors="replace",
            )
        except av.FFmpegError as error:
            raise InputError(_opening_problem(label, error, timeout)) from None
        except ValueError:
            raise InputError(f"{label} cannot be opened: its name or address is not valid; check it") from None
        try:
            self.stream: VideoStream = self._choose_stream()
            with contextlib.suppress(ValueError, RuntimeError):
                self.stream.thread_type = "SLICE" if live else "AUTO"
            self._frames = self._decode_all()
            first = next(self._frames, None)
            if first is None:
                reason = f" ({self.failure})" if self.failure else ""
                raise InputError(f"{label} has no frame that can be decoded{reason}: play it to check, or convert it")
            self._first: VideoFrame | None = first
            self.size = _upright_size(first)
        except BaseException:
            self.close()
            raise

    def _choose_stream(self) -> VideoStream:
        from av.stream import Disposition

        if self.container.format.name in _NOT_VIDEO:
            raise InputError(f"{self.label} is text, not a video: give a video, a folder of images or cameras.yaml")
        for stream in self.container.streams.video:
            # The cover picture of a piece of music is a video stream of one frame.
            if not stream.disposition & Disposition.attached_pic:
                return stream
        kinds = sorted({stream.type for stream in self.container.streams})
        if not kinds:
            raise InputError(f"{self.label} is not a video or is damaged (it holds no streams): {_REMEDY}")
        raise InputError(f"{self.label} has no video stream (only {' and '.join(kinds)}): give a file with pictures")

    @property
    def _is_avi(self) -> bool:
        return "avi" in self.container.format.name.split(",")

    @property
    def frame_rate(self) -> float | None:
        """Frames per second as the container tells, ``None`` when it tells nothing sensible."""
        # In an AVI the average is that of the header, which may count fields or empty frames.
        rates = (self.stream.average_rate, self.stream.guessed_rate)
        for rate in reversed(rates) if self._is_avi else rates:
            if rate and 0 < rate <= 1000:
                return float(rate)
        return None

    @property
    def duration(self) -> float | None:
        """Seconds the video lasts as its header tells; ``None`` for a live stream."""
        if self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        if self.container.duration is not None and self.container.duration > 0:
            return self.container.duration / 1e6
        return None

    @property
    def start_time(self) -> float:
        """Timestamp in seconds at which the stream begins as its header tells."""
        base = self.stream.time_base
        return float((self.stream.start_time or 0) * base) if base else 0.0

    @property
    def frame_count(self) -> int | None:
        """An estimate of the number of frames, from the header's count or its duration; ``None`` without either."""
        rate, duration = self.frame_rate, self.duration
        by_duration = max(round(duration * rate), 1) if rate and duration else None
        if self.stream.frames <= 0:
            return by_duration
        # The header of an AVI may count empty frames, but its duration is right.
        return min(self.stream.frames, by_duration) if self._is_avi and by_duration else self.stream.frames

    @property
    def promised(self) -> int | None:
        """The number of frames that the header gives, else the estimate; ``None`` without either."""
        return self.stream.frames if self.stream.frames > 0 else self.frame_count

    def frames(self) -> Iterator[VideoFrame]:
        """Yield all frames, also the first; what cannot be decoded is skipped and counted in ``errors``."""
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._frames

    def time_of(self, frame: VideoFrame) -> float | None:
        """Return the frame's own timestamp in seconds; ``None`` when it has none."""
        # An AVI holds no presentation times: what stands for them is wrong as soon as frames are reordered.
        ticks = frame.dts if self._is_avi or frame.pts is None else frame.pts
        base = frame.time_base or self.stream.time_base
        return None if ticks is None or base is None else float(ticks * base)

    def promised_more(self, last_time: float) -> bool:
        """Return whether the header promises clearly more than was decoded up to ``last_time`` (seconds from start)."""
        promised, rate, duration = self.stream.frames, self.frame_rate, self.duration
        if promised and self.decoded + self._discarded >= promised:
            return False
        if promised and "mp4" not in self.container.format.name:
            return True
        # An edit list of an MP4 hides frames that its header counts, so there only missing time is a sign of damage;
        # and the duration of several streams may be that of another one.
        if duration is None or rate is None or (not promised and len(self.container.streams) > 1):
            return False
        return last_time + 2 / rate < 0.98 * duration

    def _decode_all(self) -> Iterator[VideoFrame]:
        import av

        read_errors = 0
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                read_errors += 1
                damaged = isinstance(error, av.error.InvalidDataError)
                if damaged and read_errors <= _MOST_READ_ERRORS:
                    self.errors += 1
                    packets = self.container.demux(self.stream)
                    continue
                self.failure = (error.strerror or type(error).__name__).lower()
                yield from self._flush()
                return
            if packet is None:
                return
            read_errors = 0
            self._discarded += bool(packet.is_discard)
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                return
            except av.FFmpegError:
                self.errors += 1
                continue
            for frame in decoded:
                self.decoded += 1
                yield frame

    def _flush(self) -> Iterator[VideoFrame]:
        import av

        with contextlib.suppress(av.FFmpegError):
            for frame in self.stream.codec_context.decode(None):
                self.decoded += 1
                yield frame

    def close(self) -> None:
        """Close the file or connection."""
        self.container.close()


def image_of(frame: VideoFrame) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) uint8 BGR, upright: turned as the container's rotation asks."""
    image = np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
    quarters = _quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _quarter_turns(frame: VideoFrame) -> int:
    """Counterclockwise quarter turns that put the frame upright (0 to 3)."""
    return round(frame.rotation / 90) % 4


def _upright_size(frame: VideoFrame) -> tuple[int, int]:
    return (frame.height, frame.width) if _quarter_turns(frame) % 2 else (frame.width, frame.height)


def _opening_problem(label: str, error: Exception, timeout: float | None) -> str:
    import av

    if isinstance(error, (av.error.TimeoutError, av.error.ExitError)):
        return f"{label} did not answer within {timeout:g} s: check the address, the network and that the camera is on"
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return f"{label} cannot be opened: wrong user or password; give them as scheme://user:password@host"
    if isinstance(error, PermissionError):
        return f"{label} cannot be read: permission denied; check its permissions"
    reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
    if timeout is not None:
        return f"{label} cannot be opened: {reason}; check the address, the network and that the camera is on"
    return f"{label} is not a video or is damaged ({reason}): {_REMEDY}"
