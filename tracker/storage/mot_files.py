"""MOTChallenge text files: detections, ground truth and results.

One line is one box: ``frame, id, left, top, width, height, confidence, …`` with frames counted from 1. MOTChallenge
also counts *pixels* from 1: its image's corner is (1, 1), ours is (0, 0). Every reader here subtracts that 1 from left
and top, and the writer adds it again, so a file read and written keeps its numbers. Files whose pixels start at 0
(several data sets only borrow the format) are read and written with ``first_pixel=0``.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.detections import Detections
from tracker.errors import InputError
from tracker.storage.atomic import atomic_path

__all__ = ["MotDetections", "MotTracks", "read_detections", "read_tracks", "write_tracks"]

_SMALLEST_WRITTEN_SIZE = 0.01
_GROUND_TRUTH_COLUMNS = 9


@dataclass(frozen=True, slots=True, eq=False)
class MotDetections:
    """The detections of one camera, read from a file and sorted by frame.

    Args:
        frames: (N,) int64, 1-based, ascending.
        boxes: (N, 4) float32 ``x1, y1, x2, y2``, pixels counted from 0.
        scores: (N,) float32, as in the file: not every detector writes probabilities.
        source_rows: (N,) int64, 0-based row of the file each detection was on, to line up arrays kept beside it.
        warnings: what was odd in the file but could be used, one sentence each.
    """

    frames: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    source_rows: NDArray[np.int64]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def last_frame(self) -> int:
        """The highest frame number, 0 when there are no detections."""
        return int(self.frames[-1]) if len(self.frames) else 0

    def for_frame(self, frame: int) -> Detections:
        """Return the detections of one 1-based frame; none is not an error."""
        first, last = np.searchsorted(self.frames, (frame, frame + 1))
        return Detections(self.boxes[first:last], self.scores[first:last])


@dataclass(frozen=True, slots=True, eq=False)
class MotTracks:
    """Boxes with identities over the frames of one camera, sorted by frame: results or ground truth.

    Args:
        frames: (N,) int64, 1-based, ascending.
        ids: (N,) int64.
        boxes: (N, 4) float64 ``x1, y1, x2, y2``, pixels counted from 0.
        scores: (N,) float64: confidence of a result; in ground truth the mark, 0 for boxes that do not count.
        classes: (N,) int64 class of ground truth in its nine-column form (1 pedestrian), otherwise -1.
        visibility: (N,) float64 visible share of ground truth in its nine-column form, otherwise NaN.
        warnings: what was odd in the file but could be used, one sentence each.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]
    visibility: NDArray[np.float64]
    warnings: tuple[str, ...] = ()

    @staticmethod
    def from_arrays(frames: ArrayLike, ids: ArrayLike, boxes: ArrayLike, scores: ArrayLike | None = None) -> MotTracks:
        """Return tracks without classes from arrays in any order: (N,) frames, (N,) ids, (N, 4) boxes, (N,) scores."""
        frame_array = np.asarray(frames, np.int64).reshape(-1)
        order = np.argsort(frame_array, kind="stable")
        count = len(frame_array)
        return MotTracks(
            frame_array[order],
            np.asarray(ids, np.int64).reshape(-1)[order],
            np.asarray(boxes, np.float64).reshape(count, 4)[order],
            np.ones(count) if scores is None else np.asarray(scores, np.float64).reshape(-1)[order],
            np.full(count, -1, np.int64),
            np.full(count, np.nan),
        )

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, selection: Any) -> MotTracks:
        """Return the rows a mask, a slice or an ascending index array selects."""
        return MotTracks(
            self.frames[selection],
            self.ids[selection],
            self.boxes[selection],
            self.scores[selection],
            self.classes[selection],
            self.visibility[selection],
            self.warnings,
        )

    @property
    def last_frame(self) -> int:
        """The highest frame number, 0 when there are no boxes."""
        return int(self.frames[-1]) if len(self.frames) else 0


def read_detections(path: str | Path, *, first_pixel: float = 1.0, shifts_frame_zero: bool = False) -> MotDetections:
    """Read detections: ``frame, id, left, top, width, height, score``, further columns are not looked at.

    Boxes without width or height are left out, with a warning; so is the order of an unsorted file put right.

    Args:
        path: a text file, or the same compressed with gzip (``.gz``).
        first_pixel: the number that the file gives to the first column and row of pixels.
        shifts_frame_zero: take a file that has a frame 0 for one that counts frames from 0, and add 1, with a warning;
            otherwise it is refused.

    Raises:
        InputError: no such file, fewer than seven columns, columns that change, text that is no number, a frame below
            1, or a value that is not finite. The message names the file and the line.
    """
    table, path = _read_table(path, minimum_columns=7)
    messages = _check_rows(table, path, checked_columns=7, shifts_frame_zero=shifts_frame_zero)
    sized = (table[:, 4] > 0) & (table[:, 5] > 0)
    rows = np.arange(len(table))
    if not sized.all():
        first = int(np.argmin(sized))
        messages.append(
            f"{path}: {int((~sized).sum())} boxes without width or height were left out, "
            f"the first on line {_line_number(path, first)}"
        )
        table, rows = table[sized], rows[sized]
    order = _frame_order(table, path, messages)
    table, rows = table[order], rows[order]
    boxes = _corners(table, first_pixel)
    return MotDetections(
        table[:, 0].astype(np.int64),
        boxes.astype(np.float32),
        table[:, 6].astype(np.float32),
        rows,
        tuple(messages),
    )


def read_tracks(path: str | Path, *, first_pixel: float = 1.0, shifts_frame_zero: bool = False) -> MotTracks:
    """Read results or ground truth: ``frame, id, left, top, width, height`` and, where given, the columns after.

    Nine columns are the ground truth of MOT16 and later (mark, class, visibility). Boxes without width or height stay,
    with a warning: an evaluation has to count them although they can match nothing.

    Args:
        path: a text file, or the same compressed with gzip (``.gz``).
        first_pixel: the number that the file gives to the first column and row of pixels.
        shifts_frame_zero: take a file that has a frame 0 for one that counts frames from 0, and add 1, with a warning;
            otherwise it is refused.

    Raises:
        InputError: no such file, fewer than six columns, columns that change, text that is no number, a frame below 1,
            an id that is not whole, or a value that is not finite. The message names the file and the line.
    """
    table, path = _read_table(path, minimum_columns=6)
    messages = _check_rows(table, path, checked_columns=min(7, table.shape[1]), shifts_frame_zero=shifts_frame_zero)
    _check_whole(table[:, 1], path, "id")
    sized = (table[:, 4] > 0) & (table[:, 5] > 0)
    if not sized.all():
        first = int(np.argmin(sized))
        messages.append(
            f"{path}: {int((~sized).sum())} boxes have no width or height and can match nothing, "
            f"the first on line {_line_number(path, first)}"
        )
    count, columns = table.shape
    if columns == _GROUND_TRUTH_COLUMNS:
        _check_whole(table[:, 7], path, "class")
    table = table[_frame_order(table, path, messages)]
    if columns == _GROUND_TRUTH_COLUMNS:
        classes, visibility = table[:, 7].astype(np.int64), table[:, 8].copy()
    else:
        classes, visibility = np.full(count, -1, np.int64), np.full(count, np.nan)
    return MotTracks(
        table[:, 0].astype(np.int64),
        table[:, 1].astype(np.int64),
        _corners(table, first_pixel),
        table[:, 6].copy() if columns > 6 else np.ones(count),
        classes,
        visibility,
        tuple(messages),
    )


def write_tracks(
    path: str | Path,
    frames: ArrayLike,
    ids: ArrayLike,
    boxes: ArrayLike,
    scores: ArrayLike | None = None,
    *,
    first_pixel: float = 1.0,
) -> None:
    """Write results in the official form, ``frame,id,left,top,width,height,confidence,-1,-1,-1``, sorted by frame.

    The file appears complete or not at all.

    Args:
        path: the file to write.
        frames: (N,) 1-based frame numbers, in any order.
        ids: (N,) track or identity numbers.
        boxes: (N, 4) ``x1, y1, x2, y2``, pixels counted from 0.
        scores: (N,) confidence; left out: all 1.
        first_pixel: the number that the file gives to the first column and row of pixels.

    Raises:
        InputError: the file cannot be written, or a frame is below 1.
    """
    frame_array = np.asarray(frames, np.int64).reshape(-1)
    id_array = np.asarray(ids, np.int64).reshape(-1)
    box_array = np.asarray(boxes, np.float64).reshape(len(frame_array), 4)
    score_array = np.ones(len(frame_array)) if scores is None else np.asarray(scores, np.float64).reshape(-1)
    if len(frame_array) and frame_array.min() < 1:
        raise InputError(f"cannot write frame {frame_array.min()} to {path}: MOTChallenge counts frames from 1")
    order = np.lexsort((id_array, frame_array))
    lines = format_lines(
        frame_array[order], id_array[order], box_array[order], score_array[order], first_pixel=first_pixel
    )
    with atomic_path(Path(path)) as temporary:
        temporary.write_text("".join(lines), encoding="ascii")


def format_lines(
    frames: NDArray[np.integer[Any]],
    ids: NDArray[np.integer[Any]],
    boxes: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]],
    *,
    first_pixel: float = 1.0,
) -> Sequence[str]:
    """Return the lines of :func:`write_tracks`, in the order given; arguments as there, as arrays."""
    # Corners, not sizes, are rounded to hundredths first: so boxes that share an edge still share it in the file.
    corners = np.round(np.asarray(boxes, np.float64), 2)
    left_top = corners[:, :2] + first_pixel
    size = np.maximum(corners[:, 2:] - corners[:, :2], _SMALLEST_WRITTEN_SIZE)
    columns = (frames, ids, left_top[:, 0], left_top[:, 1], size[:, 0], size[:, 1], np.asarray(scores, np.float64))
    pattern = "%d,%d,%.2f,%.2f,%.2f,%.2f,%.6g,-1,-1,-1\n"
    return [pattern % row for row in zip(*(column.tolist() for column in columns), strict=True)]


def _read_table(path: str | Path, *, minimum_columns: int) -> tuple[NDArray[np.float64], Path]:
    path = Path(path)
    lines = _read_lines(path)
    if not any(line.strip() for line in lines):
        return np.zeros((0, minimum_columns)), path
    try:
        table = np.loadtxt(lines, dtype=np.float64, delimiter=",", ndmin=2, comments=None)
    except ValueError:
        _explain_bad_line(lines, path)
    if table.shape[1] < minimum_columns:
        raise InputError(
            f"{path}, line {_line_number(path, 0)}: {table.shape[1]} columns; MOTChallenge lines have at least "
            f"{minimum_columns}, separated by commas: frame,id,left,top,width,height,score"
        )
    return table, path


def _read_lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz" or content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content) if content else b""
        return content.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; give a MOTChallenge text file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; give a MOTChallenge file (.txt or .txt.gz)") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} cannot be decompressed ({error}); copy it again") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _explain_bad_line(lines: Sequence[str], path: Path) -> NoReturn:
    """Raise the error that names the first line that is not like the first one."""
    columns = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.split(",")
        for field in fields:
            try:
                float(field)
            except ValueError:
                raise InputError(
                    f"{path}, line {number}: {field.strip()[:40]!r} is not a number; "
                    "MOTChallenge lines are numbers separated by commas"
                ) from None
        columns = columns or len(fields)
        if len(fields) != columns:
            raise InputError(f"{path}, line {number}: {len(fields)} columns where the lines before have {columns}")
    raise InputError(f"{path} cannot be read as numbers separated by commas")


def _check_rows(table: NDArray[np.float64], path: Path, *, checked_columns: int, shifts_frame_zero: bool) -> list[str]:
    """Return warnings about the whole file; raise for a row that cannot be used. Frames that begin at 0 may move."""
    if not len(table):
        return [f"{path} is empty: no boxes in any frame"]
    finite = np.isfinite(table[:, :checked_columns]).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        column = int(np.argmin(np.isfinite(table[row, :checked_columns])))
        name = ("frame", "id", "left", "top", "width", "height", "score")[column]
        raise InputError(f"{path}, line {_line_number(path, row)}: {name} is {table[row, column]}; remove the line")
    _check_whole(table[:, 0], path, "frame")
    if shifts_frame_zero and table[:, 0].min() == 0:
        table[:, 0] += 1
        return [f"{path} counts frames from 0; 1 was added to all of them"]
    if table[:, 0].min() < 1:
        row = int(np.argmax(table[:, 0] < 1))
        raise InputError(
            f"{path}, line {_line_number(path, row)}: frame {int(table[row, 0])}; MOTChallenge counts frames from 1"
        )
    return []


def _check_whole(values: NDArray[np.float64], path: Path, name: str) -> None:
    whole = values == np.floor(values)
    if not whole.all():
        row = int(np.argmin(whole))
        raise InputError(f"{path}, line {_line_number(path, row)}: {name} {values[row]:g} is not a whole number")


def _frame_order(table: NDArray[np.float64], path: Path, messages: list[str]) -> NDArray[np.int64]:
    frames = table[:, 0]
    if (np.diff(frames) >= 0).all():
        return np.arange(len(table))
    messages.append(f"{path} is not sorted by frame; it was sorted, lines of one frame keeping their order")
    return np.argsort(frames, kind="stable")


def _corners(table: NDArray[np.float64], first_pixel: float) -> NDArray[np.float64]:
    if not math.isfinite(first_pixel):
        raise InputError(f"first_pixel is {first_pixel}; give 1 (MOTChallenge) or 0")
    left_top = table[:, 2:4] - first_pixel
    return np.concatenate([left_top, left_top + table[:, 4:6]], axis=1)


def _line_number(path: Path, row: int) -> int:
    """Return the 1-based line of the file that holds table row ``row`` (blank lines make no row)."""
    filled = [number for number, line in enumerate(_read_lines(path), start=1) if line.strip()]
    return filled[row]
