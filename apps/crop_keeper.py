"""Pictures of the people themselves: the best crops of every track, kept on disk until identities are final."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.storage.atomic import atomic_path, output_error
from tracker.storage.results import IdentityOf
from tracker.video.drawing import identity_color
from tracker.video.text import draw_text, shortened

__all__ = ["CropKeeper", "KeptCrop"]

#: of a track's second so far: which second, quality, frame, time, picture and row of the box
_Best = tuple[int, float, int, float, NDArray[np.uint8], int]

_SHEET_CELL = (64, 128)
_SHEET_COLUMNS = 18
_SHEET_MARGIN = 84


@dataclass(frozen=True, slots=True)
class KeptCrop:
    """Where a crop lies in the temporary file."""

    camera: int
    track: int
    frame: int
    time: float
    quality: float
    offset: int
    length: int
    #: of its box among the detections of the frame; -1: unknown
    row: int = -1


class CropKeeper:
    """Keeps the best crop of every track in every second.

    Args:
        folder: where the temporary file is made.
        interval: seconds for which one crop is kept.
    """

    def __init__(self, folder: Path, *, interval: float = 1.0) -> None:
        self.interval = interval
        self._kept: list[KeptCrop] = []
        self._best: dict[tuple[int, int], _Best] = {}
        try:
            descriptor, name = tempfile.mkstemp(prefix=".crops-", suffix=".partial", dir=folder)
        except OSError as error:
            raise output_error(folder, error) from error
        self._path = Path(name)
        # Unbuffered, so that a full disk shows where a crop is written and not when the file is closed.
        self._file = os.fdopen(descriptor, "w+b", buffering=0)
        self._size = 0

    def offer(
        self, camera: int, track: int, frame: int, time: float, quality: float, crop: NDArray[np.uint8], row: int = -1
    ) -> None:
        """Consider a crop (H, W, 3) of a track at ``time`` seconds; ``row`` of the frame's detections is its box."""
        bucket = int(time // self.interval)
        key = (camera, track)
        best = self._best.get(key)
        if best is not None and best[0] != bucket:
            self._store(key, best)
            best = None
        if best is None or quality > best[1]:
            self._best[key] = (bucket, quality, frame, time, crop.copy(), row)

    def boxes(self) -> set[tuple[int, int, int]]:
        """Return camera, frame and row of the box of every crop that is kept."""
        self._store_all()
        return {(kept.camera, kept.frame, kept.row) for kept in self._kept}

    def give_to(self, tracks: Mapping[tuple[int, int, int], int]) -> None:
        """Let crops be of other tracks; of each of these the best of every second stays.

        Args:
            tracks: camera, frame and row of a box → whose it is; crops of others are not kept.
        """
        best: dict[tuple[int, int, int], KeptCrop] = {}
        for kept in self._kept:
            track = tracks.get((kept.camera, kept.frame, kept.row))
            if track is None:
                continue
            key = (kept.camera, track, int(kept.time // self.interval))
            if key not in best or kept.quality > best[key].quality:
                best[key] = dataclasses.replace(kept, track=track)
        self._kept = sorted(best.values(), key=lambda kept: (kept.time, kept.camera, kept.track))

    def _store(self, key: tuple[int, int], best: _Best) -> None:
        _, quality, frame, time, crop, row = best
        done, content = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 92])
        if not done:
            return
        try:
            self._file.seek(self._size)
            rest = memoryview(content.tobytes())
            while len(rest):
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise output_error(self._path, error) from error
        self._kept.append(KeptCrop(key[0], key[1], frame, time, quality, self._size, len(content), row))
        self._size += len(content)

    def _store_all(self) -> None:
        for key, best in sorted(self._best.items()):
            self._store(key, best)
        self._best = {}

    def write(self, folder: Path, cameras: Sequence[str], identity_of: IdentityOf) -> tuple[dict[int, str], list[str]]:
        """Write all kept crops of identified people below ``folder/crops`` and a contact sheet.

        Returns:
            identity → path of its best crop, and all written paths, relative to ``folder``.
        """
        self._store_all()
        by_identity: dict[int, list[KeptCrop]] = defaultdict(list)
        for kept in self._kept:
            identity = int(identity_of(kept.camera, np.array([kept.track]), np.array([kept.time]))[0])
            if identity > 0:
                by_identity[identity].append(kept)
        best_paths: dict[int, str] = {}
        written: list[str] = []
        for identity in sorted(by_identity):
            best_kept = max(by_identity[identity], key=lambda kept: (kept.quality, -kept.time))
            for kept in by_identity[identity]:
                name = f"crops/{identity:04d}/{cameras[kept.camera]}_{kept.frame + 1:06d}_{kept.track}.jpg"
                with atomic_path(folder / name) as temporary:
                    temporary.write_bytes(self._content(kept))
                written.append(name)
                if kept is best_kept:
                    best_paths[identity] = name
        if by_identity:
            name = "contact_sheet.jpg"
            sheet = self._sheet(by_identity, cameras)
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
            written.append(name)
        return best_paths, written

    def kept(self) -> Iterator[tuple[KeptCrop, bytes]]:
        """Yield all kept crops with their JPEG bytes, of each track in ascending order of time."""
        self._store_all()
        for kept in self._kept:
            yield kept, self._content(kept)

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _content(self, kept: KeptCrop) -> bytes:
        self._file.seek(kept.offset)
        return self._file.read(kept.length)

    def _sheet(self, by_identity: dict[int, list[KeptCrop]], cameras: Sequence[str]) -> NDArray[np.uint8]:
        """Return a picture with one row per identity, most crops first: crops spread over its cameras and time."""
        width, height = _SHEET_CELL
        order = sorted(by_identity, key=lambda identity: (-len(by_identity[identity]), identity))[:100]
        sheet = np.full((len(order) * height, _SHEET_MARGIN + _SHEET_COLUMNS * width, 3), 24, np.uint8)
        for row, identity in enumerate(order):
            top = row * height
            kept = sorted(by_identity[identity], key=lambda crop: (crop.camera, crop.time))
            sheet[top : top + height, :6] = identity_color(identity)
            draw_text(sheet, f"ID {identity}", 12, top + 40, 18, (245, 245, 245))
            draw_text(sheet, "1 crop" if len(kept) == 1 else f"{len(kept)} crops", 12, top + 66, 12, (190, 190, 190))
            chosen = [kept[i] for i in np.unique(np.linspace(0, len(kept) - 1, _SHEET_COLUMNS).round().astype(int))]
            for column, crop in enumerate(chosen):
                image = cv2.imdecode(np.frombuffer(self._content(crop), np.uint8), cv2.IMREAD_COLOR)
                if image is None:
                    continue
                scale = min((width - 2) / image.shape[1], (height - 20) / image.shape[0])
                size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
                cell = _SHEET_MARGIN + column * width
                left, crop_top = cell + (width - size[0]) // 2, top + height - 4 - size[1]
                sheet[crop_top : crop_top + size[1], left : left + size[0]] = cv2.resize(
                    image, size, interpolation=cv2.INTER_AREA
                )
                if column == 0 or crop.camera != chosen[column - 1].camera:
                    # The crops up to the next name are of this camera.
                    group = sum(other.camera == crop.camera for other in chosen)
                    sheet[top + 4 : top + height - 2, cell : cell + 1] = 90
                    label = shortened(cameras[crop.camera], 10, group * width - 6)
                    draw_text(sheet, label, cell + 4, top + 8, 10, (190, 190, 190))
        return sheet
