"""Text on images: the font of OpenCV 5 where it is, the strokes of older versions otherwise."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_text", "shortened", "text_width"]

_WEIGHT = 600
_STROKES = cv2.FONT_HERSHEY_SIMPLEX
# Height of a capital letter over the height of the font, and of FONT_HERSHEY_SIMPLEX at scale 1 in pixels.
_CAPITAL = 0.7
_STROKE_CAPITAL = 21
# A font holds a cache of its letters, so no two threads may share one.
_fonts = threading.local()


def text_width(text: str, height: int) -> int:
    """Return the width in pixels of one line of text whose font is ``height`` pixels high."""
    font = _font()
    if font is not None:
        return int(cv2.getTextSize((0, 0), text, (0, 0), font, height, _WEIGHT)[2]) + 1
    scale = _CAPITAL * height / _STROKE_CAPITAL
    return int(cv2.getTextSize(_plain(text), _STROKES, scale, 1)[0][0])


def shortened(text: str, height: int, longest: int) -> str:
    """Return the text, cut with an ellipsis where it would be wider than ``longest`` pixels; at least one letter."""
    while len(text) > 1 and text_width(text, height) > longest:
        text = text[:-2] + "…"
    return text


def draw_text(image: NDArray[np.uint8], text: str, left: int, middle: int, height: int, color: Any) -> None:
    """Write one line of text on ``image`` in place, its capitals centred on the row ``middle``.

    Args:
        image: (H, W, 3) uint8 BGR, contiguous.
        text: letters the font lacks become question marks.
        left, middle: pixels.
        height: of the font in pixels.
        color: blue, green, red.
    """
    baseline = middle + round(_CAPITAL * height / 2)
    font = _font()
    if font is not None:
        cv2.putText(image, text, (left, baseline), color, font, height, _WEIGHT)
        return
    scale = _CAPITAL * height / _STROKE_CAPITAL
    thickness = max(round(height / 14), 1)
    cv2.putText(image, _plain(text), (left, baseline), _STROKES, scale, color, thickness, cv2.LINE_AA)


def _font() -> Any:
    if not hasattr(_fonts, "face"):
        _fonts.face = cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None
    return _fonts.face


def _plain(text: str) -> str:
    return text.replace("·", "-").encode("ascii", errors="replace").decode()
