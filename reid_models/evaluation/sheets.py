"""Pages of captioned, framed pictures in rows: what every picture of an evaluation is drawn with."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError

__all__ = ["Cell", "Color", "SheetRow", "draw_pages", "read_picture", "write_pages"]

Color = tuple[int, int, int]
Image = NDArray[np.uint8]

_PAGE: Color = (255, 255, 255)
_INK: Color = (34, 34, 34)
_BEHIND_PICTURE: Color = (232, 232, 232)
_TEXT_HEIGHT, _LINE, _HEADING_HEIGHT, _HEADING_LINE = 13, 17, 15, 26
_FRAME, _GAP, _MARGIN, _ROW_GAP = 4, 10, 18, 16
# Height of a capital letter over the height of the font, and of FONT_HERSHEY_SIMPLEX at scale 1 in pixels.
_CAPITAL, _STROKE_CAPITAL = 0.7, 21
_SUFFIXES = (".jpg", ".jpeg", ".png")
# A font holds a cache of its letters, so no two threads may share one.
_fonts = threading.local()


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One picture of a row.

    Args:
        image: (H, W, 3) uint8 BGR, of any size; it is fitted into the cell without distortion.
        frame: blue, green, red of its frame; ``None``: no frame.
        lines: short lines of text below it.
        gap_before: empty space to its left beyond the usual, in pixels.
    """

    image: Image
    frame: Color | None = None
    lines: Sequence[str] = ()
    gap_before: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SheetRow:
    """A row of pictures under one heading."""

    heading: str
    cells: Sequence[Cell]


def draw_pages(
    rows: Sequence[SheetRow], *, cell_size: tuple[int, int] = (144, 72), rows_per_page: int = 6, title: str = ""
) -> Iterator[Image]:
    """Yield pages (H, W, 3) uint8 BGR with at most ``rows_per_page`` rows each, all of one width.

    Args:
        rows: in order; a row without cells shows its heading alone.
        cell_size: (height, width) of every picture in pixels, its frame not counted.
        rows_per_page: at least 1.
        title: over every page.

    Raises:
        InputError: a size that nothing can be drawn in.
    """
    if rows_per_page < 1 or min(cell_size) < 16:
        raise InputError(
            f"cell_size {tuple(cell_size)} and rows_per_page {rows_per_page}: give at least 16 × 16 pixels and 1 row"
        )
    frame = _FRAME if any(cell.frame is not None for row in rows for cell in row.cells) else 0
    width = 2 * _MARGIN + max((_row_width(row, cell_size[1] + 2 * frame) for row in rows), default=0)
    for start in range(0, len(rows), rows_per_page):
        yield _page(rows[start : start + rows_per_page], cell_size, frame, width, title)


def _page(rows: Sequence[SheetRow], cell_size: tuple[int, int], frame: int, width: int, title: str) -> Image:
    # Rows of one page are equally high, so that what belongs together is seen at a glance.
    lines = max((len(cell.lines) for row in rows for cell in row.cells), default=0)
    heading = _HEADING_LINE if any(row.heading for row in rows) else 0
    height = heading + cell_size[0] + 2 * frame + lines * _LINE
    top = _MARGIN + (_HEADING_LINE + _ROW_GAP // 2 if title else 0)
    page = np.full((top + len(rows) * (height + _ROW_GAP) - _ROW_GAP + _MARGIN, width, 3), _PAGE, np.uint8)
    if title:
        _write(page, title, _MARGIN, _MARGIN + _HEADING_LINE // 2, _HEADING_HEIGHT + 2, width - 2 * _MARGIN)
    for place, row in enumerate(rows):
        _draw_row(page, row, top + place * (height + _ROW_GAP), heading, cell_size, frame)
    return page


def _row_width(row: SheetRow, cell_width: int) -> int:
    gaps = _GAP * (len(row.cells) - 1) + sum(cell.gap_before for cell in row.cells)
    return len(row.cells) * cell_width + max(gaps, 0)


def _draw_row(page: Image, row: SheetRow, top: int, heading: int, cell_size: tuple[int, int], frame: int) -> None:
    if row.heading:
        _write(page, row.heading, _MARGIN, top + heading // 2 - 2, _HEADING_HEIGHT, page.shape[1] - 2 * _MARGIN)
    left = _MARGIN
    for cell in row.cells:
        left += cell.gap_before
        _draw_cell(page, cell, left, top + heading, cell_size, frame)
        left += cell_size[1] + 2 * frame + _GAP


def _draw_cell(page: Image, cell: Cell, left: int, top: int, cell_size: tuple[int, int], frame: int) -> None:
    height, width = cell_size
    outer_width = width + 2 * frame
    if cell.frame is not None:
        page[top : top + height + 2 * frame, left : left + outer_width] = cell.frame
    inside = page[top + frame : top + frame + height, left + frame : left + frame + width]
    inside[:] = _BEHIND_PICTURE
    fitted = _fitted(cell.image, cell_size)
    above, beside = (height - fitted.shape[0]) // 2, (width - fitted.shape[1]) // 2
    inside[above : above + fitted.shape[0], beside : beside + fitted.shape[1]] = fitted
    for number, line in enumerate(cell.lines):
        middle = top + height + 2 * frame + 2 + number * _LINE + _LINE // 2
        # A caption may use half of the gap on either side of its picture.
        longest = outer_width + _GAP - 2
        text = _shortened(line, _TEXT_HEIGHT, longest)
        _write(page, text, left + (outer_width - _text_width(text, _TEXT_HEIGHT)) // 2, middle, _TEXT_HEIGHT, longest)


def _fitted(image: Image, cell_size: tuple[int, int]) -> Image:
    from reid_models.preprocessing import resize_crop

    scale = min(cell_size[0] / image.shape[0], cell_size[1] / image.shape[1])
    height = min(max(round(image.shape[0] * scale), 1), cell_size[0])
    width = min(max(round(image.shape[1] * scale), 1), cell_size[1])
    fitted = np.empty((height, width, 3), np.uint8)
    resize_crop(image, fitted)
    return fitted


def read_picture(path: str | os.PathLike[str]) -> Image:
    """Return an image (H, W, 3) uint8 BGR.

    Raises:
        InputError: the file is missing, no image, or cut short; OpenCV would show the lost part grey.
    """
    from reid_models.data.broken_images import image_fault
    from reid_models.data.loading import read_image

    fault = image_fault(path)
    if fault is not None:
        raise InputError(f"the image {os.fspath(path)} {fault}: mend or remove it, or use --skip-broken")
    return read_image(Path(path))


def write_pages(pages: Iterator[Image] | Sequence[Image], folder: Path, name: str, suffix: str = ".jpg") -> list[Path]:
    """Write pages as ``name_01.jpg``, ``name_02.jpg``, … into ``folder``, which is made; return the files.

    Args:
        pages: (H, W, 3) uint8 BGR; drawn one at a time when an iterator is given.
        folder: where to.
        name: their first part.
        suffix: ``".jpg"`` or ``".png"``.

    Raises:
        InputError: another suffix, or the folder cannot be written to.
    """
    import cv2

    if suffix not in _SUFFIXES:
        raise InputError(f"pages cannot be written as {suffix!r}: give one of {', '.join(_SUFFIXES)}")
    # Without colour subsampling: it would blur small coloured text and thin frames.
    full_color = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    files = []
    for number, page in enumerate(pages, 1):
        path = folder / f"{name}_{number:02d}{suffix}"
        data = cv2.imencode(suffix, page, [] if suffix == ".png" else full_color)[1]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.tobytes())
        except OSError as error:
            raise InputError(f"the picture {path} cannot be written: {error.strerror or error}") from None
        files.append(path)
    return files


def _write(page: Image, text: str, left: int, middle: int, height: int, longest: int) -> None:
    """Write one line on ``page`` in place, its capitals centred on the row ``middle``, cut at ``longest`` pixels."""
    import cv2

    text = _shortened(text, height, longest)
    baseline = middle + round(_CAPITAL * height / 2)
    font = _font()
    if font is not None:
        cv2.putText(page, text, (left, baseline), _INK, font, height, 400)
        return
    scale = _CAPITAL * height / _STROKE_CAPITAL
    cv2.putText(page, _plain(text), (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)


def _text_width(text: str, height: int) -> int:
    import cv2

    font = _font()
    if font is not None:
        return int(cv2.getTextSize((0, 0), text, (0, 0), font, height, 400)[2]) + 1
    scale = _CAPITAL * height / _STROKE_CAPITAL
    return int(cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0])


def _shortened(text: str, height: int, longest: int) -> str:
    while len(text) > 1 and _text_width(text, height) > longest:
        text = text[:-2] + "…"
    return text


def _font() -> Any:
    """Return the font that OpenCV 5 has, ``None`` with older versions, which have strokes only."""
    import cv2

    if not hasattr(_fonts, "face"):
        _fonts.face = cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None
    return _fonts.face


def _plain(text: str) -> str:
    return text.replace("·", "-").replace("…", ".").encode("ascii", errors="replace").decode()
