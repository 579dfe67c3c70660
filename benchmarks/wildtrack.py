"""WILDTRACK: seven calibrated cameras over a square (Chavdarova et al., CVPR 2018), with simulated detections.

The folder::

    cameras.json                      image_size, fps, area_m, cameras: a list of index, name, K, R, t (metres)
    positions.csv.gz                  frame, id, x_m, y_m: the truth
    boxes.csv.gz                      frame, cam, id, x1, y1, x2, y2: the truth in the pictures
    simulated-LEVEL.csv.gz            frame, cam, x, y, w, h, score, true_id: detections; left, top, width and height

Frames and pixels are counted from 0. Who truly is in a simulated box is never among the detections; for a tracker with
perfect identities there is :func:`wildtrack_oracle_identities`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cmc import (
    CameraDetections,
    floor_area,
    numbers,
    positive,
    read_description,
    read_numbers,
    rows_by_frame,
)
from benchmarks.world_metrics import FloorArea, FloorTracks
from tracker.detections import Detections
from tracker.errors import InputError, nearest_name_hint
from tracker.storage.mot_files import MotTracks

__all__ = [
    "Wildtrack",
    "WildtrackCamera",
    "parse_frame_range",
    "wildtrack",
    "wildtrack_boxes",
    "wildtrack_detections",
    "wildtrack_frame_range",
    "wildtrack_oracle_identities",
    "wildtrack_positions",
]


@dataclass(frozen=True, slots=True, eq=False)
class WildtrackCamera:
    """One camera; a point of the world is at ``u ~ K (R x + t)``, without distortion.

    Args:
        name: ``CVLab1``, …
        index: what the other files call it.
        intrinsics: (3, 3) float64 K, pixels.
        rotation: (3, 3) float64 R, world to camera.
        translation: (3,) float64 t, metres.
        image_size: width and height, pixels.
    """

    name: str
    index: int
    intrinsics: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    image_size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Wildtrack:
    """What ``cameras.json`` says.

    Args:
        folder: where the files are.
        cameras: in the order of the file.
        frame_rate: frames per second.
        area: where people are annotated, metres.
    """

    folder: Path
    cameras: tuple[WildtrackCamera, ...]
    frame_rate: float
    area: FloorArea


def parse_frame_range(text: str) -> tuple[int, int]:
    """Return the first and the last frame that ``"A-B"`` names, both included.

    Raises:
        InputError: another form, or B is below A.
    """
    match = re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", text)
    if match is None:
        raise InputError(f"frames {text!r} are no range; give the first and the last, for example 0-239")
    first, last = int(match[1]), int(match[2])
    if last < first:
        raise InputError(f"frames {text!r} end before they begin; give {last}-{first}")
    return first, last


def wildtrack(folder: str | Path) -> Wildtrack:
    """Read the description of the data set.

    Raises:
        InputError: no such folder, no ``cameras.json`` in it, or a field that is missing or wrong.
    """
    folder = Path(folder)
    path = folder / "cameras.json"
    if not folder.is_dir():
        raise InputError(f"no folder {folder}; give the one that holds WILDTRACK's cameras.json and positions.csv.gz")
    content = read_description(path)
    size = numbers(content, "image_size", (2,), path)
    described = content.get("cameras")
    if not isinstance(described, list) or not described:
        raise InputError(f"{path}: cameras is missing or no list; give index, name, K, R and t of each camera")
    cameras = []
    for place, camera in enumerate(described):
        name = str(camera.get("name", place)) if isinstance(camera, dict) else str(place)
        owner = f"camera {name}: "
        intrinsics, rotation = (numbers(camera, field, (3, 3), path, owner) for field in ("K", "R"))
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
            raise InputError(f"{path}: {owner}R is no rotation (its rows are not at right angles or not of length 1)")
        index = int(numbers(camera, "index", (), path, owner))
        translation = numbers(camera, "t", (3,), path, owner)
        cameras.append(WildtrackCamera(name, index, intrinsics, rotation, translation, (int(size[0]), int(size[1]))))
    if any(len({getattr(camera, field) for camera in cameras}) < len(cameras) for field in ("index", "name")):
        raise InputError(f"{path}: two cameras have the same index or name; give each its own")
    return Wildtrack(folder, tuple(cameras), positive(content, "fps", path), floor_area(content, "area_m", path))


def wildtrack_positions(data: Wildtrack, frame_range: tuple[int, int] | None = None) -> FloorTracks:
    """Read where people were, in the frames asked for or in all.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    path = _existing(data.folder / "positions.csv.gz")
    table = read_numbers(path, ("frame", "id", "x_m", "y_m"), header=True)
    try:
        truth = FloorTracks(table[:, 0], table[:, 1], table[:, 2:])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return truth if frame_range is None else truth.between(*frame_range)


def wildtrack_boxes(data: Wildtrack, frame_range: tuple[int, int] | None = None) -> dict[str, MotTracks]:
    """Read where people were in the pictures, for metrics of boxes; hidden people have boxes too.

    Returns:
        Camera → boxes, their frames counted from 0, in pixels; they may leave the image.

    Raises:
        InputError: the file is missing or cannot be read, or names an unknown camera.
    """
    path = _existing(data.folder / "boxes.csv.gz")
    table = _table(data, path, ("frame", "cam", "id", "x1", "y1", "x2", "y2"))
    if frame_range is not None:
        table = table[(table[:, 0] >= frame_range[0]) & (table[:, 0] <= frame_range[1])]
    parts = {camera.name: table[table[:, 1] == camera.index] for camera in data.cameras}
    return {name: MotTracks.from_arrays(part[:, 0], part[:, 2], part[:, 3:]) for name, part in parts.items()}


def wildtrack_frame_range(
    data: Wildtrack, detections: str | Path, frame_range: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Return the first and the last frame to evaluate: those asked for, or all that truth and detections both have.

    Raises:
        InputError: truth or detections do not cover what is asked for, or have no frame in common.
    """
    path = detections_file(data, detections)
    spans = {}
    for name, frames in (
        ("positions.csv.gz", wildtrack_positions(data).frames),
        (path.name, read_numbers(path, ("frame",), header=True)[:, 0]),
    ):
        if not len(frames):
            raise InputError(f"{name} is empty: it has nobody in any frame; copy it again")
        spans[name] = int(frames.min()), int(frames.max())
    first, last = max(low for low, _ in spans.values()), min(high for _, high in spans.values())
    if last < first:
        described = " and ".join(f"{name} has frames {low} to {high}" for name, (low, high) in spans.items())
        raise InputError(f"{described}: none in common; give detections of the same frames")
    if frame_range is None:
        return first, last
    for name, (low, high) in spans.items():
        if frame_range[0] < low or frame_range[1] > high:
            raise InputError(
                f"frames {frame_range[0]}-{frame_range[1]} are asked for, but {name} has {low} to {high}; "
                f"give frames within {first}-{last}"
            )
    return frame_range


def wildtrack_detections(data: Wildtrack, detections: str | Path, frame_range: tuple[int, int]) -> CameraDetections:
    """Read simulated detections, for every camera and every frame of the range; they do not tell who is who.

    Args:
        data: of :func:`wildtrack`.
        detections: a file, or the name of one in the data's folder: ``simulated-easy.csv.gz`` or just ``easy``.
        frame_range: first and last frame, of :func:`wildtrack_frame_range`.

    Raises:
        InputError: the file is missing or cannot be read, or names an unknown camera.
    """
    path = detections_file(data, detections)
    table = _table(data, path, ("frame", "cam", "x", "y", "w", "h", "score"))
    found: CameraDetections = {}
    for camera in data.cameras:
        rows = table[table[:, 1] == camera.index]
        try:
            boxes = Detections(np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]]), rows[:, 6])
        except InputError as error:
            raise InputError(f"{path}, camera {camera.index}: {error}") from None
        by_frame = rows_by_frame(rows[:, 0].astype(np.int64), *frame_range)
        found[camera.name] = {frame: boxes[selected] for frame, selected in by_frame.items()}
    return found


def wildtrack_oracle_identities(
    data: Wildtrack, detections: str | Path, frame_range: tuple[int, int]
) -> dict[str, dict[int, NDArray[np.int64]]]:
    """Return who truly is in each simulated box, for the upper bound that perfect identities give; not for a tracker.

    Returns:
        Camera → frame → (N,) int64, in the order of :func:`wildtrack_detections`; -1 where nobody is.

    Raises:
        InputError: as there, or the file does not say.
    """
    path = detections_file(data, detections)
    table = _table(data, path, ("frame", "cam", "true_id")).astype(np.int64)
    identities = {}
    for camera in data.cameras:
        rows = table[table[:, 1] == camera.index]
        by_frame = rows_by_frame(rows[:, 0], *frame_range)
        identities[camera.name] = {frame: rows[selected, 2] for frame, selected in by_frame.items()}
    return identities


def detections_file(data: Wildtrack, detections: str | Path) -> Path:
    """Return the file of detections that a path, a file's name or a level (``easy``) means.

    Raises:
        InputError: there is none.
    """
    given = Path(detections).expanduser()
    tried = [given, data.folder / given, data.folder / f"simulated-{detections}.csv.gz"]
    for path in tried:
        if path.is_file():
            return path
    known = [path.name for path in sorted(data.folder.glob("simulated-*.csv*"))]
    hint = nearest_name_hint(given.name, known) if known else f"{data.folder} has no simulated-*.csv.gz."
    raise InputError(f"no detections {detections}: give a file, or a name of one in {data.folder}; {hint}")


def _existing(path: Path) -> Path:
    """Return the file, or the same not compressed."""
    plain = path.with_suffix("")
    return plain if not path.exists() and plain.exists() else path


def _table(data: Wildtrack, path: Path, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return the columns asked for, the first two of which are the frame and the camera's index."""
    table = read_numbers(path, columns, header=True)
    for name, values in zip(columns[:2], table.T):
        whole = values == np.floor(values)
        if not whole.all():
            raise InputError(
                f"{path}: {name} {values[int(np.argmin(whole))]:g} is not a whole number; correct the line"
            )
    known = [camera.index for camera in data.cameras]
    unknown = ~np.isin(table[:, 1], known)
    if unknown.any():
        raise InputError(
            f"{path}: cam {table[int(np.argmax(unknown)), 1]:g} is not in cameras.json, which has "
            f"{', '.join(map(str, known))}; remove its lines or describe it"
        )
    return table
