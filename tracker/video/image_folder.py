"""Folders of images, and MOTChallenge sequences (``seqinfo.ini`` with ``img1``)."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.video.cameras import CameraSettings
from tracker.video.source_base import BaseSource, Picture, quiet_opencv

__all__ = ["IMAGE_SUFFIXES", "ImageFolder", "SequenceInfo", "natural_order", "read_sequence_info"]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_ASSUMED_FRAME_RATE = 25.0


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """What a ``seqinfo.ini`` says; fields it does not have are ``None``."""

    path: Path
    image_folder: Path
    frame_rate: float | None
    frame_count: int | None
    size: tuple[int, int] | None


class ImageFolder(BaseSource):
    """The images of a folder in natural order (``2.png`` before ``10.png``), at a constant frame rate.

    In a MOTChallenge sequence an image's name is its 1-based frame number, so indices and times are right also where
    images are missing or the sequence was cut. Without ``read_images`` a sequence needs no images at all.

    Args:
        settings: the camera; its source is a folder, a sequence folder, its ``img1``, or a ``seqinfo.ini``.
        stride, max_frames, read_images: see ``BaseSource``.

    Raises:
        InputError: nothing there, no images, not one that can be decoded, or a ``seqinfo.ini`` that cannot be used.
    """

    def __init__(
        self, settings: CameraSettings, *, stride: int = 1, max_frames: int | None = None, read_images: bool = True
    ) -> None:
        super().__init__(settings, stride=stride, max_frames=max_frames, read_images=read_images)
        quiet_opencv()
        folder, info = _locate(Path(settings.source))
        self._label = f"image folder {folder}"
        self._paths = _list_images(folder)
        self._first: tuple[Path, NDArray[np.uint8]] | None = None
        self._broken: list[str] = []
        rate = settings.frame_rate or (info.frame_rate if info else None)
        if rate is None:
            rate = _ASSUMED_FRAME_RATE
            self.warnings.append(
                f"{self._label} does not say its frame rate: {rate:g} frames per second assumed; "
                "give frame_rate: in cameras.yaml or a seqinfo.ini"
            )
        self._rate = rate
        size = info.size if info else None
        promised = info.frame_count if info else None
        self._indices: Sequence[int] = _frame_indices(self._paths, numbered=info is not None)
        if read_images:
            size = self._check_images(info)
            if promised is not None and promised > len(self._paths):
                self.warnings.append(
                    f"{self._label} has {len(self._paths)} images of the {promised} frames its seqinfo.ini promises"
                )
        elif promised is not None:
            self._indices = range(promised)
        elif not self._paths:
            raise InputError(f"{self._label} has no images and no seqinfo.ini with seqLength: check the path")
        self._describe(rate, len(self._indices), size)

    def _check_images(self, info: SequenceInfo | None) -> tuple[int, int]:
        if not self._paths:
            hint = "precomputed detections (--detector mot:PATH) need none" if info else "check the path"
            raise InputError(f"{self._label} has no images ({', '.join(IMAGE_SUFFIXES)}): {hint}")
        for path in self._paths:
            image = _read_image(path)
            if image is not None:
                self._first = (path, image)
                return image.shape[1], image.shape[0]
        raise InputError(f"{self._label} has no image that can be decoded ({len(self._paths)} tried): copy it again")

    def _pictures(self) -> Iterator[Picture]:
        if not self._read_images:
            for index in self._indices:
                yield index, index / self._rate, None
            return
        try:
            for index, path in zip(self._indices, self._paths, strict=True):
                yield index, index / self._rate, partial(self._image, path)
        finally:
            if self._broken:
                self.warnings.append(
                    f"{self._label}: {len(self._broken)} of {len(self._paths)} images could not be decoded and are "
                    f"left out (the first is {self._broken[0]})"
                )

    def _image(self, path: Path) -> NDArray[np.uint8] | None:
        if self._first is not None and self._first[0] == path:
            first, self._first = self._first[1], None
            return first
        image = _read_image(path)
        if image is None:
            self._broken.append(path.name)
        return image

    def _release(self) -> None:
        self._first = None


def natural_order(path: Path) -> tuple[object, ...]:
    """Return the key that sorts file names as people count: ``2.png`` before ``10.png``."""
    parts = re.split(r"(\d+)", path.name.casefold())
    # Text and numbers alternate, so like is always compared with like; the name itself breaks ties.
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), path.name


def read_sequence_info(path: Path) -> SequenceInfo:
    """Return what a MOTChallenge ``seqinfo.ini`` says.

    Raises:
        InputError: it cannot be read, has no section ``[Sequence]``, or a field of it is not a positive number.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (configparser.Error, UnicodeDecodeError) as error:
        line = f" line {error.lineno}" if isinstance(error, configparser.MissingSectionHeaderError) else ""
        raise InputError(
            f"{path}{line}: not a seqinfo.ini; it begins with [Sequence] and has lines field=value"
        ) from None
    if not parser.has_section("Sequence"):
        raise InputError(f"{path}: no section [Sequence]; a seqinfo.ini begins with it")
    section = parser["Sequence"]

    def number(field: str) -> float | None:
        text = section.get(field)
        if text is None or not text.strip():
            return None
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < 1e9:
            raise InputError(f"{path}: {field}={text} is not a positive number; correct it")
        return value

    width, height, count = number("imWidth"), number("imHeight"), number("seqLength")
    return SequenceInfo(
        path=path,
        image_folder=path.parent / (section.get("imDir", "").strip() or "img1"),
        frame_rate=number("frameRate"),
        frame_count=None if count is None else int(count),
        size=None if width is None or height is None else (int(width), int(height)),
    )


def _locate(source: Path) -> tuple[Path, SequenceInfo | None]:
    """Return the folder of the images of a source, and the ``seqinfo.ini`` that describes it."""
    source = source.expanduser()
    if not source.is_dir():
        info = read_sequence_info(source)
        return info.image_folder, info
    if (source / "seqinfo.ini").is_file():
        info = read_sequence_info(source / "seqinfo.ini")
        # Some sequences are handed on with their images beside the seqinfo.ini.
        inside = info.image_folder.is_dir() or not _list_images(source)
        return info.image_folder if inside else source, info
    beside = source.absolute().parent / "seqinfo.ini"
    if beside.is_file():
        info = read_sequence_info(beside)
        if info.image_folder.name == source.absolute().name:
            return source, info
    inner = source / "img1"
    return (inner, None) if inner.is_dir() and not _list_images(source) else (source, None)


def _list_images(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"image folder {folder} cannot be read: {(error.strerror or str(error)).lower()}") from None
    return sorted(found, key=natural_order)


def _frame_indices(paths: list[Path], *, numbered: bool) -> Sequence[int]:
    """0-based frame numbers of the images: from their names in a MOTChallenge sequence, else by position."""
    if numbered and all(path.stem.isdecimal() for path in paths):
        indices = [int(path.stem) - 1 for path in paths]
        if all(later > earlier for earlier, later in zip([-1, *indices], indices)):
            return indices
    return range(len(paths))


def _read_image(path: Path) -> NDArray[np.uint8] | None:
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.ascontiguousarray(image, dtype=np.uint8)
