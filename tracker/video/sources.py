"""Open the source of a camera, whatever it is."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracker.errors import InputError
from tracker.video.addresses import is_url, is_webcam
from tracker.video.cameras import CameraSettings
from tracker.video.image_folder import ImageFolder
from tracker.video.source_base import Source

__all__ = ["Source", "open_source"]


def open_source(
    settings: CameraSettings,
    *,
    stride: int = 1,
    max_frames: int | None = None,
    read_images: bool = True,
    timeout: float = 10.0,
    live: bool = False,
) -> Source:
    """Return the opened source of a camera; its first frame is already decoded, so what is no video shows here.

    Args:
        settings: the camera.
        stride: yield every ``stride``-th frame; indices count all frames.
        max_frames: yield at most so many frames.
        read_images: False when only indices and times are needed (precomputed detections): frames have no image, and a
            MOTChallenge sequence needs no images.
        timeout: seconds an address may take to answer, when opened and for each read.
        live: decode an address without the delay of frame threads.

    Raises:
        InputError: the source cannot be used; the message is one line that names it, without credentials, and a remedy.
    """
    source = settings.source
    if is_webcam(source):
        _refuse_frame_rate(settings)
        from tracker.video.streams import Webcam

        return Webcam(settings, stride=stride, max_frames=max_frames, read_images=read_images)
    if source.lower().startswith("file://"):
        settings = settings.model_copy(update={"source": unquote(urlsplit(source).path)})
    elif is_url(source):
        _refuse_frame_rate(settings)
        from tracker.video.ffmpeg import Decoder
        from tracker.video.streams import LiveStream
        from tracker.video.video_file import VideoFile

        decoder = Decoder(source, f"address {settings.display}", timeout=timeout, live=live)
        kind = LiveStream if decoder.duration is None else VideoFile
        return kind(settings, decoder, stride=stride, max_frames=max_frames, read_images=read_images)
    path = Path(settings.source).expanduser()
    _check_path(path)
    if path.is_dir() or path.suffix.lower() == ".ini":
        settings = settings.model_copy(update={"source": str(path)})
        return ImageFolder(settings, stride=stride, max_frames=max_frames, read_images=read_images)
    _refuse_frame_rate(settings)
    from tracker.video.ffmpeg import Decoder
    from tracker.video.video_file import VideoFile

    # A path with a colon in its first part would be taken for an address.
    decoder = Decoder(str(path.absolute()), f"video {path}")
    return VideoFile(settings, decoder, stride=stride, max_frames=max_frames, read_images=read_images)


def _check_path(path: Path) -> None:
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"source {path} does not exist: check the path") from None
    except OSError as error:
        raise InputError(f"source {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        raise InputError(f"source {str(path)!r} is not a valid path: check it") from None
    if not os.access(path, os.R_OK):
        raise InputError(f"source {path} cannot be read: permission denied; check its permissions")
    if not path.is_dir() and path.is_file() and size == 0:
        raise InputError(f"source {path} is empty (0 bytes): copy it again")


def _refuse_frame_rate(settings: CameraSettings) -> None:
    if settings.frame_rate is not None:
        raise InputError(
            f"camera {settings.name!r}: frame_rate is for folders of images; "
            f"{settings.display} carries its own times, so leave it out"
        )
