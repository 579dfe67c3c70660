"""Pictures that go out of the live server, and photos that come in from anybody.

What comes in is looked at before it is decoded: a small file can say that it is a picture of gigabytes.
"""

from __future__ import annotations

import io
import struct
import warnings

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tracker.errors import InputError

__all__ = ["PhotoError", "decode_photo", "encode_jpeg", "photo_kind", "photo_size"]

_MOST_PIXELS = 40_000_000
_LONGEST_SIDE = 30_000
#: A progressive JPEG is decoded once for each of its scans; cameras and editors write about ten.
_MOST_SCANS = 32
_QUALITY = 80
#: frame headers of JPEG: all SOF but those that mean something else (DHT, JPG, DAC)
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})

# What Pillow finds odd in somebody's photo is nothing for the server's log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class PhotoError(InputError):
    """A photo cannot be taken; ``kind_unknown``: it is none of the kinds that can be."""

    def __init__(self, message: str, *, kind_unknown: bool = False) -> None:
        super().__init__(message)
        self.kind_unknown = kind_unknown


def encode_jpeg(image: NDArray[np.uint8], width: int | None = None) -> bytes:
    """Return a picture (H, W, 3) BGR as JPEG, made smaller to so many pixels of width if it is wider."""
    height, full = image.shape[:2]
    if width is not None and width < full:
        size = (width, max(round(height * width / full), 1))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def photo_kind(content: bytes) -> str | None:
    """Return ``"JPEG"``, ``"PNG"`` or ``"WEBP"`` by the first bytes of a file; ``None``: it is none of these."""
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return None


def photo_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height as the file's header says, without decoding; ``None``: it does not say."""
    try:
        match photo_kind(content):
            case "JPEG":
                return _jpeg_size(content)
            case "PNG":
                width, height = struct.unpack_from(">II", content, 16)
                return (width, height) if content[12:16] == b"IHDR" else None
            case "WEBP":
                return _webp_size(content)
    except (struct.error, IndexError):
        pass
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in _NO_LENGTH:
            place += 2
        elif marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        elif marker in (0xD9, 0xDA):
            return None
        else:
            place += 2 + int(struct.unpack_from(">H", content, place + 2)[0])
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    match content[12:16]:
        case b"VP8 ":
            if content[23:26] != b"\x9d\x01\x2a":
                return None
            width, height = struct.unpack_from("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", content, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return (
                1 + int.from_bytes(content[24:27], "little"),
                1 + int.from_bytes(content[27:30], "little"),
            )
    return None


def decode_photo(content: bytes) -> NDArray[np.uint8]:
    """Return a photo (H, W, 3) BGR, turned as its Exif says; of moving pictures the first.

    Raises:
        PhotoError: it is no JPEG, PNG or WebP, is broken, or too large.
    """
    if not content:
        raise PhotoError("no picture was sent: send a JPEG, PNG or WebP file")
    kind = photo_kind(content)
    if kind is None:
        raise PhotoError("what was sent is no JPEG, PNG or WebP picture: send one of these", kind_unknown=True)
    size = photo_size(content)
    if size is None:
        raise PhotoError(f"the {kind} picture is broken, its header says no size: send another")
    _check_size(*size)
    if kind == "JPEG" and content.count(b"\xff\xda") > _MOST_SCANS:
        raise PhotoError(f"the JPEG picture has more than {_MOST_SCANS} scans: save it anew, and send that")
    try:
        return _decoded(content, kind)
    except PhotoError:
        raise
    except MemoryError:
        raise PhotoError("there is no memory left for a picture of this size: send a smaller one") from None
    except Exception:
        # Pillow says in a dozen ways that a file is broken, and some come from beneath it (zlib, struct, Exif).
        raise PhotoError(f"the {kind} picture is broken or cut off: send another") from None


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise PhotoError(f"the picture is {width} × {height} pixels: send one that shows something")
    if width * height > _MOST_PIXELS or max(width, height) > _LONGEST_SIDE:
        limit = f"{_MOST_PIXELS // 1_000_000} megapixels and {_LONGEST_SIDE} pixels a side"
        raise PhotoError(f"the picture is {width} × {height} pixels, more than {limit}: send a smaller one")


def _decoded(content: bytes, kind: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content), formats=[kind]) as image:
        _check_size(*image.size)
        image.load()
        turned = ImageOps.exif_transpose(image)
        if turned.mode.startswith("I"):
            # 16 bits a pixel: the upper ones are those of an ordinary picture.
            grey = np.clip(np.asarray(turned, np.int64) >> 8, 0, 255).astype(np.uint8)
            return np.asarray(np.repeat(grey[..., None], 3, axis=2))
        pixels = np.asarray(turned.convert("RGB"), np.uint8)
    return np.ascontiguousarray(pixels[..., ::-1])
