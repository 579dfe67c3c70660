"""The CMC sequences: four calibrated cameras, one room, several people (Ong et al., TPAMI 44(5), 2022).

A sequence is a folder::

    cameras.json               image_size, fps, frames, first_frame, tracked_area_m, room_m, cameras: name → P (3 x 4)
    det/NAME.txt               Faster R-CNN: frame, -1, left, top, width, height, score (pixels counted from 0)
    det-fairmot/NAME.txt       FairMOT, likewise
    det-cstrack/NAME.txt       CSTrack, likewise, with NAME.features_int8.npy, one row for each line
    gt_world.txt               frame, id, x, y, … in metres
    published_estimates.txt    likewise, what others reached

The truth may end before the detections do; what comes after its last frame is not evaluated. People outside the
tracked area are seen but not in the truth: results there do not count (:meth:`FloorTracks.inside`).
"""

from __future__ import annotations

import gzip
import json
import math
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.world_metrics import FloorArea, FloorTracks
from tracker.detections import Detections
from tracker.errors import InputError, nearest_name_hint
from tracker.storage.mot_files import read_detections

__all__ = [
    "DETECTORS",
    "CameraDetections",
    "CmcCamera",
    "CmcSequence",
    "cmc_detections",
    "cmc_published_estimates",
    "cmc_sequence",
    "cmc_truth",
    "evaluated_frames",
    "jittered",
]

#: what ``--detections`` calls a detector → its folder
DETECTORS = {"frcnn": "det", "fairmot": "det-fairmot", "cstrack": "det-cstrack"}

#: camera → frame → what was found; every frame of the sequence is there, if only with nothing
CameraDetections = dict[str, dict[int, Detections]]


@dataclass(frozen=True, slots=True, eq=False)
class CmcCamera:
    """One camera.

    Args:
        name: ``cam1``, …
        projection: (3, 4) float64, ``u ~ P [x y z 1]``: metres, z up and 0 on the floor, to pixels.
        image_size: width and height, pixels.
    """

    name: str
    projection: NDArray[np.float64]
    image_size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class CmcSequence:
    """What ``cameras.json`` says of a sequence.

    Args:
        name: of the folder.
        folder: where the files are.
        cameras: in the order of the file.
        frame_rate: frames per second.
        first_frame: its number, and
        last_frame: that of the last, included.
        area: where people are tracked, metres.
        room: length, width and height in metres, where given.
    """

    name: str
    folder: Path
    cameras: tuple[CmcCamera, ...]
    frame_rate: float
    first_frame: int
    last_frame: int
    area: FloorArea
    room: tuple[float, float, float] | None


def cmc_sequence(folder: str | Path) -> CmcSequence:
    """Read the description of a sequence.

    Raises:
        InputError: no such folder, no ``cameras.json`` in it, or a field that is missing or wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        beside = [path.parent.name for path in sorted(folder.parent.glob("*/cameras.json"))]
        hint = f"; {nearest_name_hint(folder.name, beside)}" if beside else "; give the folder that holds cameras.json"
        raise InputError(f"no CMC sequence {folder}{hint}")
    path = folder / "cameras.json"
    content = read_description(path)
    size = numbers(content, "image_size", (2,), path)
    described = content.get("cameras")
    if not isinstance(described, dict) or not described:
        raise InputError(f"{path}: cameras is missing or no mapping; give name: {{P: 3 x 4 matrix}} of each camera")
    cameras = tuple(
        CmcCamera(str(name), numbers(camera, "P", (3, 4), path, f"camera {name}: "), (int(size[0]), int(size[1])))
        for name, camera in described.items()
    )
    first = int(numbers(content, "first_frame", (), path)) if "first_frame" in content else 1
    return CmcSequence(
        name=folder.absolute().name,
        folder=folder,
        cameras=cameras,
        frame_rate=positive(content, "fps", path),
        first_frame=first,
        last_frame=first + int(positive(content, "frames", path)) - 1,
        area=floor_area(content, "tracked_area_m", path),
        room=tuple(numbers(content, "room_m", (3,), path).tolist()) if "room_m" in content else None,
    )


def cmc_detections(sequence: CmcSequence, detector: str) -> CameraDetections:
    """Read what a detector found, for every frame of the sequence.

    Args:
        sequence: of :func:`cmc_sequence`.
        detector: ``frcnn``, ``fairmot`` or ``cstrack``; the last comes with L2-normalised features. A camera without a
            file of CSTrack is left out (of CMC2 two were published).

    Raises:
        InputError: another detector, a file that is missing or cannot be read, or features that do not belong to it.
    """
    if detector not in DETECTORS:
        raise InputError(f"no CMC detections {detector!r}: {nearest_name_hint(detector, DETECTORS)}")
    folder = sequence.folder / DETECTORS[detector]
    if not folder.is_dir():
        there = [name for name, place in DETECTORS.items() if (sequence.folder / place).is_dir()]
        raise InputError(
            f"{sequence.name} has no {detector} detections: no folder {folder}; there are: {', '.join(there) or 'none'}"
        )
    cameras = [camera.name for camera in sequence.cameras]
    if detector == "cstrack":
        cameras = [name for name in cameras if (folder / f"{name}.txt").exists()]
        if not cameras:
            raise InputError(f"{folder} has no file of any camera; expected {sequence.cameras[0].name}.txt and others")
    return {name: _of_camera(sequence, folder / f"{name}.txt", detector == "cstrack") for name in cameras}


def cmc_truth(sequence: CmcSequence) -> FloorTracks:
    """Read where people were: the centres of their bodies, put on the floor.

    Raises:
        InputError: the sequence has no truth (CMC4 and CMC5 have none), or the file cannot be read.
    """
    path = sequence.folder / "gt_world.txt"
    if not path.exists():
        raise InputError(f"{sequence.name} has no ground truth: no file {path}; evaluate a sequence that has one")
    return _floor_tracks(path)


def cmc_published_estimates(sequence: CmcSequence) -> FloorTracks:
    """Read what the data set's authors published as their tracker's result.

    Raises:
        InputError: there is none, or the file cannot be read.
    """
    path = sequence.folder / "published_estimates.txt"
    if not path.exists():
        raise InputError(f"{sequence.name} has no published estimates: no file {path}")
    return _floor_tracks(path)


def evaluated_frames(sequence: CmcSequence, truth: FloorTracks) -> tuple[int, int]:
    """Return the first and the last frame that count: up to the last that the truth has.

    Raises:
        InputError: the truth has nobody in any frame of the sequence.
    """
    inside = truth.between(sequence.first_frame, sequence.last_frame)
    if not len(inside):
        raise InputError(
            f"the ground truth of {sequence.name} has nobody in frames {sequence.first_frame} to "
            f"{sequence.last_frame}; check the frames in gt_world.txt and cameras.json"
        )
    return sequence.first_frame, int(inside.frames.max())


def jittered(
    detections: Mapping[str, Mapping[int, Detections]], seed: int, sigma_pixels: float = 0.1
) -> CameraDetections:
    """Return the detections with Gaussian noise on all four edges of every box, to see how much a figure hangs by it.

    Args:
        detections: camera → frame → detections.
        seed: the same seed gives the same noise, whatever the order of cameras and frames.
        sigma_pixels: standard deviation.

    Raises:
        InputError: a standard deviation below 0.
    """
    if not (math.isfinite(sigma_pixels) and sigma_pixels >= 0):
        raise InputError(f"the jitter's standard deviation is {sigma_pixels} pixels; give 0 or more")
    generator = np.random.default_rng(seed)
    moved: CameraDetections = {camera: {} for camera in detections}
    for camera in sorted(detections):
        for frame in sorted(detections[camera]):
            found = detections[camera][frame]
            boxes = found.boxes + generator.normal(0.0, sigma_pixels, found.boxes.shape)
            sized = (boxes[:, 2:] > boxes[:, :2]).all(axis=1, keepdims=True)
            boxes = np.where(sized, boxes, found.boxes)
            moved[camera][frame] = Detections(boxes, found.scores, found.classes, found.features)
    return {camera: {frame: moved[camera][frame] for frame in detections[camera]} for camera in detections}


def read_description(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        InputError: no such file, no JSON, or no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; it describes the cameras of the sequence") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}); copy it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object; copy it again")
    return content


def numbers(content: Any, field: str, shape: tuple[int, ...], path: Path, owner: str = "") -> NDArray[np.float64]:
    """Return a field of a description as a float64 array of that shape.

    Raises:
        InputError: the field is missing, has another shape, or holds what is no finite number.
    """
    wanted = f"{' x '.join(map(str, shape))} numbers" if shape else "a number"
    if not isinstance(content, dict) or field not in content:
        raise InputError(f"{path}: {owner}{field} is missing; give {wanted}")
    try:
        array = np.array(content[field], np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{path}: {owner}{field} is not numeric; give {wanted}") from None
    if array.shape != shape:
        raise InputError(f"{path}: {owner}{field} has shape {array.shape}; give {wanted}")
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {owner}{field} is not finite; give {wanted}")
    return array


def positive(content: Any, field: str, path: Path) -> float:
    """Return a field of a description that is a number above 0; raises as :func:`numbers` does."""
    value = float(numbers(content, field, (), path))
    if value <= 0:
        raise InputError(f"{path}: {field} is {value:g}; give a number above 0")
    return value


def floor_area(content: Any, field: str, path: Path) -> FloorArea:
    """Return a field of a description that is an area, ``{"x": [from, to], "y": [from, to]}``; raises likewise."""
    area = content.get(field) if isinstance(content, dict) else None
    sides = [numbers(area, axis, (2,), path, f"{field}: ").tolist() for axis in ("x", "y")]
    try:
        return FloorArea((sides[0][0], sides[0][1]), (sides[1][0], sides[1][1]))
    except InputError as error:
        raise InputError(f"{path}: {field}: {error}") from None


def rows_by_frame(frames: NDArray[np.integer[Any]], first: int, last: int) -> dict[int, NDArray[np.int64]]:
    """Return frame → rows of ``frames`` (N,) that have it, ascending, for each from ``first`` to ``last``."""
    order = np.argsort(frames, kind="stable")
    bounds = np.searchsorted(frames[order], np.arange(first, last + 2)).tolist()
    return {frame: order[low:high] for frame, (low, high) in enumerate(pairwise(bounds), start=first)}


def _of_camera(sequence: CmcSequence, path: Path, with_features: bool) -> dict[int, Detections]:
    if not path.exists():
        raise InputError(f"no such file: {path}; cameras.json names {path.stem}, so its detections must be there")
    table = read_detections(path, first_pixel=0.0)
    features = _features(path.with_suffix(".features_int8.npy"), path)[table.source_rows] if with_features else None
    beyond = (table.frames < sequence.first_frame) | (table.frames > sequence.last_frame)
    messages = list(table.warnings)
    if beyond.any():
        messages.append(
            f"{path}: {int(beyond.sum())} detections outside of frames {sequence.first_frame} to "
            f"{sequence.last_frame}, which cameras.json names, were left out"
        )
    for message in messages:
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    detections = Detections(table.boxes, table.scores, features=features)
    rows = rows_by_frame(table.frames, sequence.first_frame, sequence.last_frame)
    return {frame: detections[selected] for frame, selected in rows.items()}


def _features(path: Path, detections: Path) -> NDArray[np.float32]:
    """Return (lines, D) L2-normalised features; a row of nothing but 0 becomes NaN, "not embedded"."""
    try:
        stored = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; {detections.name} comes with its features, copy them too") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is no NumPy array ({error}); copy it again") from None
    lines = sum(bool(line.strip()) for line in detections.read_text(encoding="utf-8").splitlines())
    if stored.ndim != 2 or len(stored) != lines or stored.dtype.kind not in "if":
        raise InputError(
            f"{path} has shape {stored.shape} of {stored.dtype}, but {detections.name} has {lines} lines; "
            "give one row of numbers per line"
        )
    features = stored.astype(np.float32)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.divide(features, lengths, out=np.full_like(features, np.nan), where=lengths > 0)


def _floor_tracks(path: Path) -> FloorTracks:
    table = read_numbers(path, ("frame", "id", "x", "y"))
    try:
        return FloorTracks(table[:, 0], table[:, 1], table[:, 2:])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_numbers(path: Path, columns: Sequence[str], *, header: bool = False) -> NDArray[np.float64]:
    """Return the (N, C) float64 numbers of C columns of a text file, which may be compressed with gzip (``.gz``).

    Args:
        path: lines of numbers separated by commas.
        columns: names of the columns; without a header those of the first ones.
        header: the first line names the columns; others than those asked for are not looked at.

    Raises:
        InputError: no such file, a column that is missing, or a line with what is no finite number or not as many of
            them as the first has.
    """
    lines = [(number, line) for number, line in enumerate(_lines(path), start=1) if line.strip()]
    places = list(range(len(columns)))
    if header:
        names = [name.strip() for name in lines[0][1].split(",")] if lines else []
        missing = [name for name in columns if name not in names]
        if missing:
            raise InputError(f"{path}: no column {missing[0]}; the first line must name {', '.join(columns)}")
        places, lines = [names.index(name) for name in columns], lines[1:]
    count = len(names) if header else len(lines[0][1].split(",")) if lines else 0
    rows: list[list[float]] = []
    for number, line in lines:
        fields = line.split(",")
        if len(fields) != count or count < len(columns):
            raise InputError(
                f"{path}, line {number}: {len(fields)} columns; expected {', '.join(columns)} on every line"
            )
        try:
            row = [float(fields[place]) for place in places]
        except ValueError:
            row = [math.nan]
        if not all(map(math.isfinite, row)):
            raise InputError(f"{path}, line {number}: not finite numbers separated by commas: {line[:60]!r}")
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, len(columns))


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; copy it again") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} cannot be decompressed ({error}); copy it again") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
