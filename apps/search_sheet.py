"""The contact sheet of a search: each query beside the best crops of those who look like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.video.drawing import identity_color
from tracker.video.text import draw_text, shortened

__all__ = ["SheetCell", "SheetRow", "contact_sheet"]

_CELL = (96, 192)
_CAPTION = 40
_GAP = 6
#: what a sheet shows at most, so that it can be looked at
_COLUMNS, _ROWS = 12, 50
_BACK, _BRIGHT, _DIM = 24, (245, 245, 245), (190, 190, 190)


@dataclass(frozen=True, slots=True, eq=False)
class SheetCell:
    """An answer: its picture (H, W, 3) BGR uint8, if there is one, two lines below it, and whose it is."""

    image: NDArray[np.uint8] | None
    title: str
    caption: str
    identity: int


@dataclass(frozen=True, slots=True, eq=False)
class SheetRow:
    """A query (H, W, 3) BGR uint8, what it is called, and the answers, the best first."""

    image: NDArray[np.uint8]
    title: str
    cells: Sequence[SheetCell]


def contact_sheet(rows: Sequence[SheetRow]) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) BGR uint8 of at least one row: query on the left, then the answers."""
    shown = rows[:_ROWS]
    columns = min(_COLUMNS, max([len(row.cells) for row in shown], default=0))
    width, height = _CELL[0] + _GAP, _CELL[1] + _CAPTION + _GAP
    sheet = np.full((_GAP + len(shown) * height, _GAP * 3 + (columns + 1) * width, 3), _BACK, np.uint8)
    for place, row in enumerate(shown):
        top = _GAP + place * height
        _draw(sheet, row.image, _GAP, top, row.title, "query", _BRIGHT)
        for column, cell in enumerate(row.cells[:columns]):
            left = _GAP * 3 + (column + 1) * width
            _draw(sheet, cell.image, left, top, cell.title, cell.caption, identity_color(cell.identity))
    return sheet


def _draw(
    sheet: NDArray[np.uint8],
    image: NDArray[np.uint8] | None,
    left: int,
    top: int,
    title: str,
    caption: str,
    color: tuple[int, int, int],
) -> None:
    width, height = _CELL
    sheet[top : top + height, left : left + width] = 40
    if image is not None:
        scale = min(width / image.shape[1], height / image.shape[0])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        x, y = left + (width - size[0]) // 2, top + (height - size[1]) // 2
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        sheet[y : y + size[1], x : x + size[0]] = cv2.resize(image, size, interpolation=method)
    else:
        draw_text(sheet, "no crop", left + 12, top + height // 2, 12, _DIM)
    sheet[top + height : top + height + 3, left : left + width] = color
    draw_text(sheet, shortened(title, 13, width), left, top + height + 13, 13, _BRIGHT)
    draw_text(sheet, shortened(caption, 11, width), left, top + height + 30, 11, _DIM)
