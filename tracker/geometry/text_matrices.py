"""Matrices in plain text: 3×4 projection matrices, 3×3 homographies, and EPFL's ground and head homographies.

Numbers are separated by blanks, commas or semicolons, with or without brackets; three rows are a matrix. Lines that are
no numbers are headings: ``Camera 0`` begins a camera, and within one EPFL's ``Ground plane homography``, ``Head plane
homography`` and ``Head plane height in camera view`` say what follows. The last is the image's row in which the heads
of all people are, for a camera that hangs as high as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from tracker.errors import InputError
from tracker.geometry.camera import Camera
from tracker.geometry.entries import camera_from_homographies, camera_from_parts
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.projection_matrix import decompose_projection
from tracker.geometry.units import ReadingOptions

__all__ = ["read_text_matrices"]

_CAMERA_HEADING = re.compile(r"\b(?:camera|cam|view)[\s_:#-]*(\w+)", re.IGNORECASE)


@dataclass
class _Section:
    """The numbers under one camera's headings: what they are → rows, each with its line."""

    name: str
    rows: dict[str, list[list[float]]] = field(default_factory=dict)
    line: int = 1


def read_text_matrices(
    text: str, stem: str, path: str, options: ReadingOptions
) -> dict[str, Camera | HomographyCamera]:
    """Return the cameras of a text, by the name in their heading: ``Camera 0`` is ``camera0``.

    Without headings the first camera is called ``stem``, the next ``stem-2``, …

    Raises:
        InputError: rows of another length than 3, 4, 9 or 12, a matrix without three rows, or no matrix at all.
    """
    cameras: dict[str, Camera | HomographyCamera] = {}
    for section in _sections(text, stem, path):
        label = f"{path}: camera {section.name!r}"
        for name, camera in _cameras_of(section, label, path, options).items():
            if name in cameras:
                raise InputError(f"{path} line {section.line}: a second camera {name!r}; give each its own heading")
            cameras[name] = camera
    if not cameras:
        raise InputError(f"{path}: no matrix in it; write three rows of four numbers (or of three: a homography)")
    return cameras


def _sections(text: str, stem: str, path: str) -> list[_Section]:
    sections = [_Section(stem)]
    kind = "matrix"
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = re.sub(r"[\[\](){},;]", " ", line).strip()
        if not stripped.strip("#%/*=- \t"):
            continue
        values = _numbers(stripped)
        if values is not None:
            if not np.isfinite(values).all():
                raise InputError(f"{path} line {number}: a number that is not finite; calibrate the camera again")
            sections[-1].rows.setdefault(kind, []).append(values)
            continue
        heading = stripped.strip("#%/*=:- \t").lower()
        camera = _CAMERA_HEADING.match(heading)
        if camera is not None and "plane" not in heading:
            sections.append(_Section(f"camera{camera.group(1)}", line=number))
            kind = "matrix"
        elif "head" in heading and "height" in heading:
            kind = "head_row"
        elif "head" in heading and "homography" in heading:
            kind = "head"
        elif "ground" in heading and "homography" in heading:
            kind = "ground"
        elif not stripped.startswith(("#", "%", "//")):
            raise InputError(f"{path} line {number}: {stripped[:40]!r} is neither numbers nor a known heading")
    return [section for section in sections if section.rows]


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return None


def _cameras_of(
    section: _Section, label: str, path: str, options: ReadingOptions
) -> dict[str, Camera | HomographyCamera]:
    rows = section.rows
    if "ground" in rows or "head" in rows:
        if "ground" not in rows:
            raise InputError(f"{label}: a head plane without a ground plane homography; give both")
        ground = _matrices(rows["ground"], label, "its ground plane homography", 3)
        head = _matrices(rows["head"], label, "its head plane homography", 3)[0] if "head" in rows else None
        head_row = float(rows["head_row"][0][0]) if "head_row" in rows and head is None else None
        return {section.name: camera_from_homographies(section.name, label, ground[0], head, head_row, options)}
    matrices = _matrices(rows.get("matrix", []), label, "a matrix", None)
    cameras: dict[str, Camera | HomographyCamera] = {}
    for number, matrix in enumerate(matrices, start=1):
        name = section.name if number == 1 else f"{section.name}-{number}"
        if matrix.shape[1] == 3:
            cameras[name] = camera_from_homographies(name, label, matrix, None, None, options)
        else:
            parts = decompose_projection(matrix, label)
            cameras[name] = camera_from_parts(name, label, parts[0], np.zeros(0), parts[1], parts[2], options)
    return cameras


def _matrices(rows: list[list[float]], label: str, what: str, columns: int | None) -> list[np.ndarray]:
    lengths = {len(row) for row in rows}
    if len(lengths) == 1 and lengths <= {9, 12}:
        rows = [list(part) for row in rows for part in np.reshape(row, (3, -1))]
        lengths = {len(rows[0])}
    if not lengths <= {3, 4} or len(lengths) > 1 or (columns is not None and lengths != {columns}):
        found = " and ".join(str(length) for length in sorted(lengths)) or "no"
        raise InputError(f"{label}: {what} has rows of {found} numbers; give three rows of {columns or '4 (or 3)'}")
    if len(rows) % 3 or not rows:
        raise InputError(f"{label}: {what} has {len(rows)} rows; give three")
    return [np.array(rows[first : first + 3]) for first in range(0, len(rows), 3)]
