"""All cameras in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.video.text import draw_text, shortened, text_width

__all__ = ["format_time", "mosaic", "mosaic_size", "tile_size"]

_BACKGROUND = (22, 18, 16)
_EMPTY_TILE = (38, 32, 29)
_TEXT = (245, 245, 245)
_DIMMED = 0.35
_NO_SIGNAL = "no signal"


def mosaic(
    images: Sequence[NDArray[np.uint8] | None],
    names: Sequence[str],
    *,
    time: float | None = None,
    states: Sequence[str | None] | None = None,
    size: tuple[int, int] = (1280, 720),
) -> NDArray[np.uint8]:
    """Return one picture of all cameras: a grid of tiles with name and time, on a dark background.

    Args:
        images: one (H, W, 3) uint8 BGR per camera, of any sizes, fitted into its tile; ``None``: there is none.
        names: of the cameras.
        time: seconds of this instant, shown in every tile that has a current picture; ``None``: not shown.
        states: per camera ``None`` for a current picture, else what to say instead, such as ``"ended"``: the image (the
            last one there was) is then greyed out. A camera with neither image nor state has "no signal".
        size: width and height of the picture in pixels.
    """
    width, height = size
    picture = np.full((height, width, 3), _BACKGROUND, np.uint8)
    if not images:
        return picture
    gap, columns, (tile_width, tile_height) = _layout(images, size)
    rows = math.ceil(len(images) / columns)
    if tile_width < 8 or tile_height < 8:
        return picture
    for place, (image, name) in enumerate(zip(images, names, strict=True)):
        row, column = divmod(place, columns)
        in_row = min(columns, len(images) - row * columns)
        left = (width - in_row * tile_width - gap * (in_row - 1)) // 2 + column * (tile_width + gap)
        top = (height - rows * tile_height - gap * (rows - 1)) // 2 + row * (tile_height + gap)
        state = states[place] if states is not None else None
        state = state or (_NO_SIGNAL if image is None else None)
        tile = np.ascontiguousarray(picture[top : top + tile_height, left : left + tile_width])
        _fill_tile(tile, image, name, time if state is None else None, state)
        picture[top : top + tile_height, left : left + tile_width] = tile
    return picture


def tile_size(images: Sequence[NDArray[np.uint8] | None], size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height in pixels of a tile of a mosaic; a picture of this size is shown as it is.

    Args:
        images: as for :func:`mosaic`, at least one.
        size: of the mosaic.
    """
    return _layout(images, size)[2]


def mosaic_size(images: Sequence[NDArray[np.uint8] | None], largest: tuple[int, int] = (1280, 960)) -> tuple[int, int]:
    """Return width and height, both even, of a mosaic that its tiles fill, as large as ``largest`` allows.

    Args:
        images: as for :func:`mosaic`.
        largest: width and height in pixels; the tiles are arranged for a screen of 16:9 whatever it is.
    """
    aspect = _usual_aspect(images)
    width, height = largest
    columns = _choose_columns(max(len(images), 1), aspect, 16 * height, 9 * height)
    rows = math.ceil(max(len(images), 1) / columns)
    for _ in range(3):
        # The gaps follow the height, which follows from the gaps.
        gap = max(round(height / 180), 2)
        tile_width = min((largest[0] - gap * (columns + 1)) / columns, (largest[1] - gap * (rows + 1)) / rows * aspect)
        width = round(columns * tile_width + gap * (columns + 1))
        height = round(rows * tile_width / aspect + gap * (rows + 1))
    return min(width + width % 2, largest[0]), min(height + height % 2, largest[1])


def _layout(images: Sequence[NDArray[np.uint8] | None], size: tuple[int, int]) -> tuple[int, int, tuple[int, int]]:
    """Return the gap between tiles in pixels, the number of columns, and width and height of a tile."""
    width, height = size
    gap = max(round(height / 180), 2)
    aspect = _usual_aspect(images)
    columns = _choose_columns(len(images), aspect, width, height)
    rows = math.ceil(len(images) / columns)
    cell_width = (width - gap * (columns + 1)) // columns
    cell_height = (height - gap * (rows + 1)) // rows
    # Tiles take the shape of the pictures, so that captions lie on them and not beside.
    return gap, columns, (min(cell_width, round(cell_height * aspect)), min(cell_height, round(cell_width / aspect)))


def format_time(seconds: float) -> str:
    """Return ``m:ss.t`` or ``h:mm:ss.t``, and for wall-clock times the local time of day."""
    if seconds > 1e8:
        from datetime import datetime

        return datetime.fromtimestamp(seconds).strftime("%H:%M:%S")
    sign, tenths = ("-" if seconds < 0 else ""), round(abs(seconds) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{sign}{clock}:{tenths // 10:02d}.{tenths % 10}"


def _usual_aspect(images: Sequence[NDArray[np.uint8] | None]) -> float:
    shapes = [image.shape for image in images if image is not None]
    return float(np.median([shape[1] / shape[0] for shape in shapes])) if shapes else 16 / 9


def _choose_columns(count: int, aspect: float, width: int, height: int) -> int:
    """Return the number of columns with which the pictures become largest; among equals the fuller grid."""

    def shown_width(columns: int) -> int:
        return round(min(width / columns, height / math.ceil(count / columns) * aspect))

    return max(range(1, count + 1), key=lambda columns: (shown_width(columns), -(-count % columns), columns))


def _fill_tile(
    tile: NDArray[np.uint8], image: NDArray[np.uint8] | None, name: str, time: float | None, state: str | None
) -> None:
    height, width = tile.shape[:2]
    if image is None:
        tile[:] = _EMPTY_TILE
    else:
        _letterbox(tile, image, dimmed=state is not None)
    font = max(min(round(7 + height / 40), 22), 9)
    margin = round(0.4 * font)
    _caption(tile, name, margin, margin, font, width - 2 * margin)
    if time is not None:
        text = format_time(time)
        left = width - margin - _caption_width(text, font)
        if left > 2 * margin + _caption_width(name, font):
            _caption(tile, text, left, margin, font, width)
    if state is not None:
        large = round(1.6 * font)
        left = max((width - text_width(state, large)) // 2, 0)
        draw_text(tile, state, left, height // 2, large, _TEXT)


def _letterbox(tile: NDArray[np.uint8], image: NDArray[np.uint8], *, dimmed: bool) -> None:
    height, width = tile.shape[:2]
    scale = min(width / image.shape[1], height / image.shape[0])
    fitted = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    resized = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if dimmed:
        grey = cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY)
        resized = cv2.cvtColor(cv2.convertScaleAbs(grey, alpha=_DIMMED), cv2.COLOR_GRAY2BGR)
    left, top = (width - fitted[0]) // 2, (height - fitted[1]) // 2
    tile[top : top + fitted[1], left : left + fitted[0]] = resized


def _caption_width(text: str, font: int) -> int:
    return text_width(text, font) + font


def _caption(tile: NDArray[np.uint8], text: str, left: int, top: int, font: int, longest: int) -> None:
    """Write on a darkened stripe, so that the text reads on any picture."""
    text = shortened(text, font, longest - font)
    bottom, right = top + round(1.6 * font), left + _caption_width(text, font)
    stripe = tile[top:bottom, left:right]
    stripe[:] = cv2.convertScaleAbs(stripe, alpha=0.35)
    draw_text(tile, text, left + font // 2, (top + bottom) // 2, font, _TEXT)
