"""``world.txt``: where people were on the floor; and how other files of positions become one.

A line of ``world.txt`` is ``frame,id,x,y``, frames counted from 1 and metres; what follows (the heading, where
``multicam simulate`` wrote it) is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cmc import read_numbers
from benchmarks.world_metrics import FloorTracks
from tracker.errors import InputError
from tracker.geometry.documents import read_text
from tracker.storage.atomic import atomic_path

__all__ = ["DELIMITERS", "TruthFormat", "convert_truth", "read_world", "write_world"]

#: what ``--delimiter`` calls them → what separates two numbers; ``None``: any spaces
DELIMITERS: dict[str, str | None] = {"comma": ",", "semicolon": ";", "tab": "\t", "space": None}
_NEEDED = ("frame", "id", "x", "y")
#: a column that is not looked at
_SKIPPED = "_"


@dataclass(frozen=True, slots=True)
class TruthFormat:
    """How a file says where people were: one line for each person and frame.

    Args:
        columns: what stands in each, in order: ``frame``, ``id``, ``x``, ``y``, and ``_`` for what is not looked at;
            ``-x`` or ``-y``: that axis points the other way. Columns beyond the last named are not looked at.
        delimiter: a name of :data:`DELIMITERS`, or one character.
        scale: metres of one unit of the file.
        origin: x and y, in the units and axes of the file, of what becomes (0, 0).
        frame_step: frames of the video from one number to the next, for positions noted at a lower rate.
        frame_offset: added to the file's frame numbers, times the step; the video's first frame must become 1.
        skip_lines: lines before the first position.

    Raises:
        InputError: a column that is missing, unknown or named twice, or a number that cannot be.
    """

    columns: tuple[str, ...] = _NEEDED
    delimiter: str = "comma"
    scale: float = 1.0
    origin: tuple[float, float] = (0.0, 0.0)
    frame_step: int = 1
    frame_offset: int = 0
    skip_lines: int = 0

    def __post_init__(self) -> None:
        bare = [name.removeprefix("-") if name in ("-x", "-y") else name for name in self.columns]
        unknown = [name for name in bare if name not in (*_NEEDED, _SKIPPED)]
        if unknown:
            raise InputError(
                f"column {unknown[0]!r} is unknown; name frame, id, x, y, -x, -y, or _ for one to leave out"
            )
        for name in _NEEDED:
            if bare.count(name) != 1:
                count = "missing" if name not in bare else "named twice"
                raise InputError(f"column {name} is {count} in {','.join(self.columns)}; name frame, id, x and y once")
        if self.delimiter not in DELIMITERS and len(self.delimiter) != 1:
            raise InputError(f"delimiter {self.delimiter!r}; give one character, or {', '.join(DELIMITERS)}")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"the scale is {self.scale:g}; give metres of one unit of the file, for example 0.01")
        if not all(map(math.isfinite, self.origin)):
            raise InputError(f"the origin is {self.origin}; give two numbers in the file's units")
        if self.frame_step < 1 or self.skip_lines < 0:
            raise InputError(
                f"a frame step of {self.frame_step} and {self.skip_lines} lines to skip; give 1 or more, and 0 or more"
            )


def read_world(path: str | Path) -> FloorTracks:
    """Read where people were, metres.

    Raises:
        InputError: no such file, nobody in it, a line that is no ``frame,id,x,y``, a frame below 1, or somebody twice
            in a frame.
    """
    path = Path(path)
    table = read_numbers(path, _NEEDED)
    return _tracks(path, table, f"{path}: frame {{frame:g}}; frames count from 1: see python -m benchmarks.lab convert")


def write_world(path: str | Path, tracks: FloorTracks) -> None:
    """Write ``frame,id,x,y`` by frame and id, complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    order = np.lexsort((tracks.ids, tracks.frames))
    rows = zip(tracks.frames[order].tolist(), tracks.ids[order].tolist(), tracks.positions[order].tolist())
    text = "".join(f"{frame},{identity},{x:.4f},{y:.4f}\n" for frame, identity, (x, y) in rows)
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text, encoding="ascii")


def convert_truth(path: str | Path, described: TruthFormat) -> FloorTracks:
    """Read positions of any units, axes and frame numbers; return them in metres, frames from 1.

    Empty lines and those that begin with ``#`` are left out.

    Raises:
        InputError: no such file, nobody in it, a line that does not have the columns, a frame below 1, or somebody
            twice in a frame.
    """
    path = Path(path)
    wanted = len(described.columns)
    delimiter = DELIMITERS.get(described.delimiter, described.delimiter)
    rows: list[list[float]] = []
    for number, line in enumerate(read_text(path, "positions file").splitlines(), start=1):
        if number <= described.skip_lines or not line.strip() or line.lstrip().startswith("#"):
            continue
        fields = line.split(delimiter)
        if len(fields) < wanted:
            raise InputError(
                f"{path}, line {number}: {len(fields)} columns where {','.join(described.columns)} are {wanted}; "
                "check --columns and --delimiter"
            )
        rows.append(_numbers(path, number, fields, described.columns))
    found = np.array(rows, np.float64).reshape(-1, len(_NEEDED))
    signs = [-1.0 if f"-{axis}" in described.columns else 1.0 for axis in ("x", "y")]
    table = found.copy()
    table[:, 0] = found[:, 0] * described.frame_step + described.frame_offset
    table[:, 2:] = (found[:, 2:] - described.origin) * described.scale * signs
    return _tracks(path, table, f"{path}: frame {{frame:g}} after the offset; the first is 1: check --frame-offset")


def _numbers(path: Path, line: int, fields: Sequence[str], columns: Sequence[str]) -> list[float]:
    """Return frame, id, x and y of one line."""
    found: dict[str, float] = {}
    for name, field in zip(columns, fields):
        if name == _SKIPPED:
            continue
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(
                f"{path}, line {line}: {field.strip()[:40]!r} in column {name} is no finite number; check --columns "
                "and --delimiter, and leave out a heading with --skip-lines"
            )
        found[name.removeprefix("-")] = value
    return [found[name] for name in _NEEDED]


def _tracks(path: Path, table: NDArray[np.float64], too_early: str) -> FloorTracks:
    """Return the tracks of a table (N, 4) of frame, id, x, y."""
    if not len(table):
        raise InputError(f"{path} has nobody in it; give lines of {','.join(_NEEDED)}")
    first = float(table[:, 0].min())
    if first < 1:
        raise InputError(too_early.format(frame=first))
    try:
        return FloorTracks(table[:, 0], table[:, 1], table[:, 2:])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
