"""Places in a room and the pixels where a camera sees them: what a calibration is estimated from.

Two kinds of file are read. Text has one pair a line, ``u, v, x, y`` or ``u, v, x, y, z``: the pixel's column and row,
then metres; z is 0, the floor, when it is left out. Numbers are separated by commas, semicolons or blanks; ``#`` begins
a comment; a first line of words names the columns, in any order, and a column ``name`` names the points. YAML and JSON
hold a list ``points``, each with ``pixel: [u, v]``, ``world: [x, y]`` or ``[x, y, z]``, and perhaps a ``name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.geometry.documents import parsed_document, read_text

__all__ = ["PointPairs", "parse_point_pairs", "read_point_pairs"]

Array = NDArray[np.float64]

_COLUMNS = ("u", "v", "x", "y", "z")
#: metres above or below the floor from which a point is not on it
_ON_FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class PointPairs:
    """N places and their pixels.

    Args:
        pixels: (N, 2) float64 column and row; the image's corner is (0, 0), the centre of its first pixel (0.5, 0.5).
        world: (N, 3) float64 x and y on the floor and z above it, metres.
        labels: N texts: how a person knows each pair, ``"line 7"`` or its name.
    """

    pixels: Array
    world: Array
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def on_floor(self) -> NDArray[np.bool_]:
        """(N,) which places are on the floor, z = 0."""
        return np.abs(self.world[:, 2]) <= _ON_FLOOR

    def subset(self, chosen: NDArray[np.bool_]) -> PointPairs:
        """Return the pairs that ``chosen`` (N,) bool marks."""
        labels = tuple(label for label, wanted in zip(self.labels, chosen) if wanted)
        return PointPairs(self.pixels[chosen], self.world[chosen], labels)


def read_point_pairs(path: str | Path, *, first_pixel_centre: float = 0.5) -> PointPairs:
    """Return the pairs of a file, in its order and in this project's pixels.

    Args:
        path: of text, or of YAML or JSON by its suffix.
        first_pixel_centre: the coordinate that the file gives to the centre of its first pixel: 0.5 when it counts from
            the image's corner, 0 when it counts centres as OpenCV does.

    Raises:
        InputError: the file cannot be read, a line or point is malformed, it has no pairs, or a place or pixel twice.
    """
    return parse_point_pairs(read_text(path, "points file"), path, first_pixel_centre=first_pixel_centre)


def parse_point_pairs(text: str, path: str | Path, *, first_pixel_centre: float = 0.5) -> PointPairs:
    """Return the pairs of a file's text, as ``read_point_pairs`` does.

    Raises:
        InputError: as there.
    """
    suffix = Path(path).suffix.lower()
    if suffix in (".yaml", ".yml", ".json"):
        rows = list(_document_rows(parsed_document(text, path), path))
    else:
        rows = list(_text_rows(text, path))
    if not rows:
        raise InputError(f"{path}: no points in it; write one a line: u,v,x,y (pixels, then metres)")
    labels = tuple(label for label, _ in rows)
    numbers = np.array([values for _, values in rows], np.float64)
    _check_repeated(numbers, labels, path)
    return PointPairs(numbers[:, :2] + (0.5 - first_pixel_centre), numbers[:, 2:], labels)


def _text_rows(text: str, path: str | Path) -> Iterator[tuple[str, list[float]]]:
    columns: Sequence[str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip().rstrip(",;")
        if not content:
            continue
        label = f"{path} line {number}"
        words = _words(content, columns)
        if columns is None:
            columns = _COLUMNS
            if all(_number(word) is None for word in words):
                columns = _checked_columns([word.lower() for word in words], label)
                continue
        allowed = (len(columns) - 1, len(columns)) if columns[-1] == "z" else (len(columns),)
        if len(words) not in allowed:
            wanted = " or ".join(",".join(columns[:length]) for length in allowed)
            raise InputError(f"{label}: {len(words)} values; give {wanted} (u,v in pixels, x,y,z in metres)")
        fields = dict(zip(columns, words))
        values = [_finite(fields.get(column, "0"), column, label) for column in _COLUMNS]
        yield fields.get("name") or f"line {number}", values


def _words(content: str, columns: Sequence[str] | None) -> list[str]:
    """Split at commas, semicolons and blanks; where points have names, blanks may be part of one."""
    named = columns is not None and "name" in columns and re.search("[,;]", content) is not None
    words = re.split(r"\s*[,;]\s*" if named else r"\s*[,;]\s*|\s+", content)
    return [word.strip("\"'") for word in words]


def _checked_columns(names: Sequence[str], label: str) -> Sequence[str]:
    known = (*_COLUMNS, "name")
    unknown = next((name for name in names if name not in known), None)
    missing = [column for column in _COLUMNS[:4] if column not in names]
    if unknown is not None or missing or len(set(names)) < len(names):
        raise InputError(
            f"{label}: columns {','.join(names)!r}; name them u,v,x,y, and perhaps z and name (pixel column and row, "
            "metres), or leave the header out"
        )
    return names


def _document_rows(document: Any, path: str | Path) -> Iterator[tuple[str, list[float]]]:
    points = document.get("points") if isinstance(document, Mapping) else document
    if not isinstance(points, list):
        raise InputError(f"{path}: no list of points in it; write points: [{{pixel: [u, v], world: [x, y, z]}}, …]")
    for number, point in enumerate(points, start=1):
        label = f"{path} point {number}"
        if not isinstance(point, Mapping):
            raise InputError(f"{label}: not a mapping; write {{pixel: [u, v], world: [x, y, z]}}")
        pixel, world = point.get("pixel"), point.get("world")
        for field, values, lengths in (("pixel", pixel, (2,)), ("world", world, (2, 3))):
            if not isinstance(values, list) or len(values) not in lengths:
                wanted = "pixel: [u, v] in pixels" if field == "pixel" else "world: [x, y, z] in metres"
                raise InputError(f"{label}: its {field} is {values!r}; write {wanted}")
        assert isinstance(pixel, list) and isinstance(world, list)
        values = [*pixel, *world, 0.0][:5]
        name = str(point.get("name") or f"point {number}")
        yield name, [_finite(value, column, label) for value, column in zip(values, _COLUMNS)]


def _number(word: Any) -> float | None:
    try:
        return None if isinstance(word, bool) else float(word)
    except (TypeError, ValueError):
        return None


def _finite(word: Any, column: str, label: str) -> float:
    value = _number(word)
    if value is None or not np.isfinite(value):
        raise InputError(f"{label}: {column} is {word!r}; give a finite number (u,v in pixels, x,y,z in metres)")
    return value


def _check_repeated(numbers: Array, labels: Sequence[str], path: str | Path) -> None:
    """Raise when a place is given twice, or a pixel for two places of one height."""
    for chosen, what in (([2, 3, 4], "place"), ([0, 1, 4], "pixel")):
        seen: dict[tuple[float, ...], str] = {}
        for values, label in zip(numbers[:, chosen].tolist(), labels):
            if tuple(values) in seen:
                raise InputError(f"{path}: {seen[tuple(values)]} and {label} give the same {what}; keep one of them")
            seen[tuple(values)] = label
