"""What ``multicam align`` reads: tracks of cameras, their frame rates and sizes, and paths on the floor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.output_folder import RUN_RECORD
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.geometry.documents import read_text
from tracker.geometry.people_tracks import BoxTracks, FloorPaths
from tracker.single_camera.recorded import followed_boxes
from tracker.storage.mot_files import MotTracks, read_tracks

__all__ = ["CameraTracks", "read_camera_tracks", "read_floor"]


@dataclass(frozen=True, eq=False)
class CameraTracks:
    """The tracks of one camera.

    Args:
        path: of the file.
        tracks: in it.
        frame_rate: frames a second of the source.
        stride: of the run: every how manyth frame was looked at.
        size: width and height of the images, pixels, where known.
        start_offset: seconds that the run added to the camera's times.
    """

    path: Path
    tracks: MotTracks
    frame_rate: float
    stride: int
    size: tuple[int, int] | None
    start_offset: float

    def boxes(self, size: tuple[int, int]) -> BoxTracks:
        """Return the tracks for images of ``size``; boxes without tracks (id −1) are followed by ByteTrack first."""
        if not len(self.tracks) or (self.tracks.ids >= 0).any():
            return BoxTracks(self._times(self.tracks.frames), self.tracks.ids, self.tracks.boxes, *size)
        return followed_boxes(self.frames(), self.frame_rate / self.stride, *size)

    def frames(self) -> dict[float, Detections]:
        """Return the boxes of every frame from the first to the last, by its time; none in some."""
        frames, boxes = self.tracks.frames, self.tracks.boxes
        # Truth marks what does not count by 0; what is written of tracks may have no score at all.
        scores = np.where(self.tracks.scores == -1, 1.0, self.tracks.scores)
        numbers = np.arange(1, self.tracks.last_frame + 1, self.stride)
        edges = np.searchsorted(frames, [numbers, numbers + 1])
        return {
            float(time): Detections(boxes[first:last], scores[first:last])
            for time, first, last in zip(self._times(numbers), *edges)
        }

    def _times(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((frames - 1) / self.frame_rate + self.start_offset)


def read_camera_tracks(
    sources: Sequence[Path], wanted: Sequence[str] | None, rate: float | None, offsets: Mapping[str, float]
) -> dict[str, CameraTracks]:
    """Return the tracks of cameras by name: that of their file without its ending.

    Args:
        sources: MOTChallenge files ``NAME.txt``, and folders of such; the ``run.json`` of a folder says frame rates,
            image sizes and start offsets.
        wanted: names of the cameras to read; others are passed over. ``None``: all.
        rate: frames a second, where ``run.json`` does not say.
        offsets: name → seconds to be added to what ``run.json`` says.

    Raises:
        InputError: a file cannot be read, a camera is there twice, or its frame rate is nowhere.
    """
    found: dict[str, CameraTracks] = {}
    for source in sources:
        path = source.expanduser()
        folder = path if path.is_dir() else path.parent
        # What --save-detections leaves is one folder below the run's record.
        noted = folder.parent if folder.name == "detections" and not (folder / RUN_RECORD).exists() else folder
        record, stride = _run_record(noted)
        files = [path] if not path.is_dir() else sorted(path.glob("*.txt"))
        if path.is_dir() and record:
            files = [file for file in files if file.stem in record]
        if not files:
            raise InputError(f"--tracks {source}: no tracks in it; give the folder of a run, or files NAME.txt")
        for file in files:
            name = file.name.removesuffix(".gz").removesuffix(".txt")
            if wanted is not None and name not in wanted:
                continue
            if name in found:
                raise InputError(f"--tracks: {found[name].path} and {file} are both of camera {name!r}; give one")
            said = record.get(name, {})
            # Frames keep their numbers when only some are looked at; the rate that a run notes is that of those.
            frame_rate = rate if said.get("frame_rate") is None else float(said["frame_rate"]) * stride
            if not frame_rate:
                raise InputError(f"{file}: nothing says its frame rate; give --rate, frames a second")
            size = said.get("size")
            found[name] = CameraTracks(
                file, read_tracks(file), frame_rate, stride if name in record else 1,
                (int(size[0]), int(size[1])) if size else None,
                float(said.get("start_offset") or 0.0) + offsets.get(name, 0.0),
            )  # fmt: skip
    return found


def _run_record(folder: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Return what a run noted of its cameras, by name, and its stride; nothing where there was none."""
    try:
        record = json.loads((folder / RUN_RECORD).read_text(encoding="utf-8"))
        cameras = {str(camera["name"]): dict(camera) for camera in record["cameras"]}
        return cameras, int(record.get("settings", {}).get("stride") or 1)
    except FileNotFoundError:
        return {}, 1
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder / RUN_RECORD} is no record of a run: copy the run again, or take its text files out of the folder"
        ) from None


def read_floor(path: Path, rate: float | None, start_offset: float = 0.0) -> FloorPaths:
    """Return the paths of a file with lines ``frame,id,x,y`` (frames from 1, metres); more columns are passed over.

    Raises:
        InputError: the file cannot be read, a line is malformed, or ``rate``, frames a second, is not given.
    """
    if rate is None:
        raise InputError(f"--floor {path}: nothing says its frame rate; give --floor-rate, frames a second")
    rows: list[list[float]] = []
    for number, line in enumerate(read_text(path, "floor file").splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        words = re.split(r"\s*[,;]\s*|\s+", content)
        try:
            values = [float(word) for word in words[:4]]
        except ValueError:
            if not rows and number == 1:
                continue
            values = []
        if len(values) != 4 or not np.isfinite(values).all() or values[1] != int(values[1]):
            raise InputError(f"{path} line {number}: {content[:40]!r}; write frame,id,x,y (whole numbers, then metres)")
        rows.append(values)
    if not rows:
        raise InputError(f"{path}: nobody in it; write a line frame,id,x,y for everybody in every frame")
    table = np.array(rows)
    return FloorPaths((table[:, 0] - 1) / rate + start_offset, table[:, 1].astype(np.int64), table[:, 2:])
