"""Photos that are broken in every way that is easy to think of, for the search of ``multicam live``."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["Photo", "broken_photos", "good_photos", "png_that_claims"]


@dataclass(frozen=True, slots=True)
class Photo:
    """What is sent: how it came about, as what it is sent, and its bytes."""

    way: str
    kind: str
    content: bytes


def good_photos(seed: int = 0) -> list[Photo]:
    """Return pictures that are as they should be, of all kinds and of odd ones: one of each."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (48, 32, 3), np.uint8)
    picture = Image.fromarray(pixels)
    moving = [Image.fromarray(np.roll(pixels, shift, axis=0)) for shift in (8, 16)]
    turned = Image.Exif()
    turned[0x0112] = 6
    made: list[tuple[str, Image.Image, str, dict[str, object]]] = [
        ("jpeg", picture, "JPEG", {}),
        ("jpeg, progressive", picture, "JPEG", {"progressive": True}),
        ("jpeg, grey", picture.convert("L"), "JPEG", {}),
        ("jpeg, cmyk", picture.convert("CMYK"), "JPEG", {}),
        ("jpeg, turned", picture, "JPEG", {"exif": turned}),
        ("png", picture, "PNG", {}),
        ("png, see-through", picture.convert("RGBA"), "PNG", {}),
        ("png, palette", picture.convert("P"), "PNG", {"transparency": 0}),
        ("png, black and white", picture.convert("1"), "PNG", {}),
        ("png, 16 bits", Image.fromarray(generator.integers(0, 65536, (48, 32), np.uint16)), "PNG", {}),
        ("png, moving", picture, "PNG", {"save_all": True, "append_images": moving}),
        ("webp", picture, "WEBP", {}),
        ("webp, lossless", picture, "WEBP", {"lossless": True}),
        ("webp, see-through", picture.convert("RGBA"), "WEBP", {}),
        ("webp, moving", picture, "WEBP", {"save_all": True, "append_images": moving}),
    ]
    photos = []
    for way, image, kind, options in made:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        photos.append(Photo(way, f"image/{kind.lower()}", stream.getvalue()))
    return photos


def png_that_claims(width: int, height: int, rows: int = 16) -> bytes:
    """Return a small PNG whose header says that it is of this size; it holds so many rows of zeros."""
    header = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes((3 * min(width, 100_000) + 1) * rows), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def broken_photos(count: int, seed: int = 0) -> Iterator[Photo]:
    """Yield so many broken pictures; which way one is broken changes from each to the next."""
    generator = np.random.default_rng(seed)
    good = good_photos(seed)
    ways = list(_WAYS.items())
    for number in range(count):
        way, breaking = ways[number % len(ways)]
        photo = good[int(generator.integers(len(good)))]
        yield Photo(way, photo.kind, breaking(photo.content, generator))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _cut(content: bytes, generator: np.random.Generator) -> bytes:
    return content[: int(generator.integers(len(content)))]


def _flipped(content: bytes, generator: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for place in generator.integers(len(changed), size=int(generator.integers(1, 20))):
        changed[place] ^= 1 << int(generator.integers(8))
    return bytes(changed)


def _header_flipped(content: bytes, generator: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for place in generator.integers(min(64, len(changed)), size=int(generator.integers(1, 6))):
        changed[place] = int(generator.integers(256))
    return bytes(changed)


def _overwritten(content: bytes, generator: np.random.Generator) -> bytes:
    start, length = int(generator.integers(len(content))), int(generator.integers(1, 200))
    return content[:start] + generator.bytes(length) + content[start + length :]


def _repeated(content: bytes, generator: np.random.Generator) -> bytes:
    start, end = sorted(generator.integers(len(content), size=2).tolist())
    return content[:end] + content[start:end] * int(generator.integers(1, 30)) + content[end:]


def _left_out(content: bytes, generator: np.random.Generator) -> bytes:
    start, end = sorted(generator.integers(len(content), size=2).tolist())
    return content[:start] + content[end:]


def _noise(content: bytes, generator: np.random.Generator) -> bytes:
    return generator.bytes(int(generator.integers(0, 5000)))


def _noise_after_magic(content: bytes, generator: np.random.Generator) -> bytes:
    return content[: int(generator.integers(3, 33))] + generator.bytes(int(generator.integers(0, 5000)))


def _filled_up(content: bytes, generator: np.random.Generator) -> bytes:
    value = generator.integers(256)
    return content[: int(generator.integers(len(content)))] + bytes([int(value)]) * int(generator.integers(1, 100_000))


def _huge_png(content: bytes, generator: np.random.Generator) -> bytes:
    width, height = (int(2 ** generator.uniform(0, 32)) for _ in range(2))
    return png_that_claims(width, height, rows=int(generator.integers(1, 64)))


def _huge_jpeg(content: bytes, generator: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG", progressive=bool(generator.integers(2)))
    changed = bytearray(stream.getvalue())
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        place = changed.find(marker)
        if place >= 0:
            changed[place + 5 : place + 9] = generator.bytes(4)
    return bytes(changed)


def _huge_webp(content: bytes, generator: np.random.Generator) -> bytes:
    canvas = generator.bytes(6)
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([int(generator.integers(256)), 0, 0, 0]) + canvas
    body = b"WEBP" + extended + generator.bytes(int(generator.integers(0, 300)))
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _many_scans(content: bytes, generator: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 10, 10)).save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    begin = whole.rfind(b"\xff\xda")
    end = whole.rfind(b"\xff\xd9")
    return whole[:begin] + whole[begin:end] * int(generator.integers(2, 3000)) + whole[end:]


def _odd_chunk(content: bytes, generator: np.random.Generator) -> bytes:
    whole = png_that_claims(8, 8, rows=8)
    name = [b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"PLTE"]
    chosen = name[int(generator.integers(len(name)))]
    inside = generator.bytes(int(generator.integers(0, 64)))
    if generator.integers(2):
        # Text and profiles are packed, so they too can be bombs.
        inside = b"a\0\0" + zlib.compress(bytes(int(generator.integers(1, 20_000_000))), 9)
    return whole[:33] + _chunk(chosen, inside) + whole[33:]


def _odd_exif(content: bytes, generator: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG")
    inside = b"Exif\0\0" + (b"MM\0*" if generator.integers(2) else b"II*\0") + generator.bytes(80)
    segment = b"\xff\xe1" + struct.pack(">H", len(inside) + 2) + inside
    return stream.getvalue()[:2] + segment + stream.getvalue()[2:]


def _of_other_kinds(content: bytes, generator: np.random.Generator) -> bytes:
    kinds = ["GIF", "BMP", "TIFF", "PPM", "ICO", "TGA"]
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, kinds[int(generator.integers(len(kinds)))])
    texts = [b"<svg/>", b"%PDF-1.7", b"#!/bin/sh\n", b"", b"{}", b"%!PS-Adobe-3.0 EPSF-3.0\n", stream.getvalue()]
    return texts[int(generator.integers(len(texts)))]


_WAYS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "cut off": _cut,
    "bits flipped": _flipped,
    "header overwritten": _header_flipped,
    "a part overwritten": _overwritten,
    "a part repeated": _repeated,
    "a part left out": _left_out,
    "noise": _noise,
    "noise after the first bytes": _noise_after_magic,
    "filled up": _filled_up,
    "PNG of claimed size": _huge_png,
    "JPEG of claimed size": _huge_jpeg,
    "WebP of claimed size": _huge_webp,
    "JPEG of many scans": _many_scans,
    "PNG with odd chunks": _odd_chunk,
    "JPEG with odd Exif": _odd_exif,
    "of another kind": _of_other_kinds,
}
