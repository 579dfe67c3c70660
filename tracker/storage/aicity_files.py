"""The text of the AI City Challenge's multi-camera track (2023, 2024): boxes of many cameras, places on the floor.

A line is ``camera id frame left top width height x y``, separated by blanks: numbers of camera and person, the frame
counted from 0, the box in pixels counted from 0, and where the person stands, in metres.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.storage.atomic import atomic_path
from tracker.storage.floor_results import FLOOR_OBSERVATION, FloorIdentityOf, FloorSpool
from tracker.storage.results import UNIDENTIFIED_OFFSET, ObservationSpool

__all__ = ["AiCityRows", "camera_numbers", "read_aicity", "write_aicity"]

_COLUMNS = ("camera", "id", "frame", "left", "top", "width", "height", "x", "y")
_WHOLE = ("camera", "id", "frame")
_LAYOUT = "lines are camera id frame left top width height x y, separated by blanks"


@dataclass(frozen=True, slots=True, eq=False)
class AiCityRows:
    """The lines of a file, in its order.

    Args:
        cameras: (N,) int64 numbers of the cameras.
        ids: (N,) int64 numbers of the people.
        frames: (N,) int64, counted from 0.
        boxes: (N, 4) float64 ``x1, y1, x2, y2``, pixels counted from 0.
        positions: (N, 2) float64 metres.
    """

    cameras: NDArray[np.int64]
    ids: NDArray[np.int64]
    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]
    positions: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, selection: Any) -> AiCityRows:
        """Return the rows that a mask, a slice or an array of indices selects."""
        parts = (self.cameras, self.ids, self.frames, self.boxes, self.positions)
        return AiCityRows(*(part[selection] for part in parts))


def read_aicity(path: str | Path) -> AiCityRows:
    """Read a file of the challenge; further columns are an error, since they would be of another year's track.

    Args:
        path: a text file, or the same compressed with gzip.

    Raises:
        InputError: no such file, nine columns are not there, a number cannot be read, is not finite or not whole where
            it must be, or a frame is below 0. The message names file and line.
    """
    path = Path(path)
    lines = _lines(path)
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    if not filled:
        table = np.zeros((0, len(_COLUMNS)))
    else:
        try:
            table = np.loadtxt(lines, dtype=np.float64, ndmin=2, comments=None)
        except ValueError:
            table = np.zeros((0, 0))
        if table.shape[1] != len(_COLUMNS):
            raise InputError(_explained(path, lines))
    _check(path, table, filled)
    whole = table[:, :3].astype(np.int64)
    corners = np.concatenate([table[:, 3:5], table[:, 3:5] + table[:, 5:7]], axis=1)
    return AiCityRows(whole[:, 0], whole[:, 1], whole[:, 2], corners, table[:, 7:9].copy())


def camera_numbers(names: Sequence[str]) -> dict[str, int]:
    """Return the number that each camera has in the text: the one its name ends with (``c042``: 42).

    Where a name has none, or two have the same, cameras are counted from 1 in their order.
    """
    found = [re.search(r"(\d{1,9})$", name) for name in names]
    numbers = [int(match[1]) for match in found if match is not None]
    if len(set(numbers)) < len(names):
        numbers = list(range(1, len(names) + 1))
    return dict(zip(names, numbers))


def write_aicity(
    path: str | Path,
    spool: ObservationSpool,
    floor: FloorSpool,
    numbers: Sequence[int],
    identity_of: FloorIdentityOf,
) -> None:
    """Write every box of a person whose place on the floor is known. The file appears complete or not at all.

    A person without identity is written as ``UNIDENTIFIED_OFFSET`` plus the track's number. Boxes are whole pixels, as
    the challenge asks, places have four decimals.

    Args:
        path: the file to write.
        spool: boxes, instant after instant.
        floor: where people were at these instants.
        numbers: of the cameras, by camera index.
        identity_of: the final identity of each track on the floor at each time.

    Raises:
        InputError: the file cannot be written.
    """
    table = np.array(numbers, np.int64)
    places = _PlacesInTime(floor.records(8192))
    pattern = "%d %d %d %d %d %d %d %.4f %.4f\n"
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        for records in spool.chunks(size=8192):
            rows, where, times = places.of(records)
            records = records[rows]
            tracks = np.ascontiguousarray(records["track"])
            identities = identity_of(tracks, times)
            ids = np.where(identities > 0, identities, UNIDENTIFIED_OFFSET + tracks)
            # Corners are rounded, not sizes: what touches in the picture touches in the file.
            corners = np.round(records["box"].astype(np.float64)).astype(np.int64)
            sizes = np.maximum(corners[:, 2:] - corners[:, :2], 1)
            # Adding nothing makes 0 of −0.
            x, y = np.round(where, 4).T + 0.0
            columns = (table[records["camera"]], ids, records["frame"], *corners[:, :2].T, *sizes.T, x, y)
            file.write("".join([pattern % row for row in zip(*(column.tolist() for column in columns), strict=True)]))


class _PlacesInTime:
    """Where a track was at the instant that a box belongs to: the latest one not after the box's time."""

    def __init__(self, chunks: Iterator[NDArray[np.void]]) -> None:
        self._chunks = chunks
        self._known = np.zeros(0, FLOOR_OBSERVATION)
        self._ended = False

    def of(self, records: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return which boxes have a place (M,), the places (M, 2) and the times of their instants (M,)."""
        times = np.ascontiguousarray(records["time"])
        first, last = float(times.min()), float(times.max())
        while not self._ended and not (len(self._known) and self._known["time"][-1] > last):
            more = next(self._chunks, None)
            self._ended = more is None
            if more is not None:
                self._known = np.concatenate([self._known, more])
        instants, start = np.unique(self._known["time"], return_index=True)
        if not len(instants):
            return np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0)
        # What is before the instant of the first box is needed no more.
        oldest = max(int(np.searchsorted(instants, first, side="right")) - 1, 0)
        self._known, instants = self._known[start[oldest] :], instants[oldest:]
        instant = np.searchsorted(instants, self._known["time"])
        keys = _keys(instant, self._known["track"])
        order = np.argsort(keys)
        wanted = _keys(np.searchsorted(instants, times, side="right") - 1, records["track"])
        at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
        rows = np.flatnonzero(keys[order[at]] == wanted)
        found = self._known[order[at[rows]]]
        return rows, found["place"].copy(), np.ascontiguousarray(found["time"])


def _keys(instants: NDArray[np.integer[Any]], tracks: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    return (instants.astype(np.int64) << 40) + tracks.astype(np.int64)


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; give a text file of the AI City Challenge") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; give a file of the AI City Challenge (.txt or .txt.gz)") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} cannot be decompressed ({error}); copy it again") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _explained(path: Path, lines: Sequence[str]) -> str:
    """Return what is wrong with the first line that cannot be used."""
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if fields and len(fields) != len(_COLUMNS):
            hint = " (this one has commas)" if "," in line else ""
            return f"{path}, line {number}: {len(fields)} columns{hint}; {_LAYOUT}"
        for field in fields:
            try:
                float(field)
            except ValueError:
                return f"{path}, line {number}: {field[:40]!r} is not a number; {_LAYOUT}"
    return f"{path} cannot be read; {_LAYOUT}"


def _check(path: Path, table: NDArray[np.float64], filled: Sequence[int]) -> None:
    finite = np.isfinite(table)
    if not finite.all():
        row, column = (int(index) for index in np.argwhere(~finite)[0])
        raise InputError(
            f"{path}, line {filled[row]}: {_COLUMNS[column]} is {table[row, column]:g}; remove the line, or give "
            "places on the floor in metres"
        )
    for column, name in enumerate(_WHOLE):
        wrong = (table[:, column] != np.floor(table[:, column])) | (table[:, column] < 0)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{path}, line {filled[row]}: {name} {table[row, column]:g} is no whole number from 0; {_LAYOUT}"
            )
