"""Boxes, labels and trails in the colour of each identity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.video.mosaic import mosaic
from tracker.video.text import draw_text, text_width

__all__ = ["Annotator", "draw_tags", "draw_trails", "font_height", "identity_color", "mosaic"]

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
# Neighbouring identities differ in lightness too, for those who do not see all hues.
_LIGHTNESS_AND_CHROMA = ((0.74, 0.17), (0.62, 0.22), (0.84, 0.16))
_NOBODY = (170, 170, 170)
_DARK = (24, 20, 18)
_LIGHT = (255, 255, 255)


@lru_cache(maxsize=4096)
def identity_color(identity: int) -> tuple[int, int, int]:
    """Return the colour of an identity: blue, green, red, 0 to 255; grey for numbers below 1 (not yet identified).

    Always the same for one number. Hues go round by the golden angle in the OKLCH space (Ottosson 2020), where equal
    steps look equal, so that numbers near each other never look alike; all colours are bright enough for video.
    """
    if identity < 1:
        return _NOBODY
    lightness, chroma = _LIGHTNESS_AND_CHROMA[identity % len(_LIGHTNESS_AND_CHROMA)]
    hue = 0.5 + identity * _GOLDEN_ANGLE
    while True:
        color = _linear_rgb(lightness, chroma * math.cos(hue), chroma * math.sin(hue))
        if chroma <= 0 or (color.min() >= 0 and color.max() <= 1):
            break
        chroma -= 0.005
    encoded = np.where(color <= 0.0031308, 12.92 * color, 1.055 * np.clip(color, 1e-9, 1) ** (1 / 2.4) - 0.055)
    red, green, blue = (round(255 * value) for value in np.clip(encoded, 0, 1).tolist())
    return blue, green, red


def _linear_rgb(lightness: float, a: float, b: float) -> NDArray[np.float64]:
    cone = np.array(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    matrix = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return matrix @ cone**3


class Annotator:
    """Draws what is known of a frame.

    Lines and letters scale with the height of the image, so that 360 lines and 2160 lines read alike.

    Args:
        scale: factor on thickness and letters.
    """

    def __init__(self, *, scale: float = 1.0) -> None:
        self.scale = scale

    def draw(
        self,
        image: NDArray[np.uint8],
        boxes: ArrayLike,
        identities: Sequence[int] | NDArray[np.int64],
        labels: Sequence[str],
        trails: Mapping[int, ArrayLike] | None = None,
    ) -> NDArray[np.uint8]:
        """Return a copy of the image with boxes, labels and trails; the image itself stays as it is.

        Args:
            image: (H, W, 3) uint8 BGR.
            boxes: (N, 4) ``x1, y1, x2, y2`` in pixels; they may reach out of the image.
            identities: N numbers that give the colours; below 1: not yet identified.
            labels: N texts; an empty one has no tag.
            trails: identity → (P, 2) foot points in pixels, the oldest first; the oldest fade.
        """
        result = np.ascontiguousarray(image).copy()
        height, width = result.shape[:2]
        thickness = max(round(self.scale * height / 360), 1 if height < 240 else 2)
        if trails:
            draw_trails(result, trails, thickness)
        corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        # Beyond this OpenCV's coordinates overflow.
        corners = np.rint(np.clip(np.nan_to_num(corners), -10_000, 30_000)).astype(int)
        # Who stands lower in the image is nearer and is drawn over those behind.
        order = np.argsort(corners[:, 3], kind="stable")
        colors = [identity_color(int(identity)) for identity in identities]
        for row in order:
            x1, y1, x2, y2 = corners[row].tolist()
            cv2.rectangle(result, (x1, y1), (x2, y2), _DARK, thickness + 2, cv2.LINE_AA)
            cv2.rectangle(result, (x1, y1), (x2, y2), colors[row], thickness, cv2.LINE_AA)
        tags = [
            (corners[row], labels[row], colors[row])
            for row in order[::-1]
            if labels[row] and _visible(corners[row], width, height)
        ]
        draw_tags(result, tags, font_height(height, self.scale), thickness)
        return result


def font_height(height: int, scale: float = 1.0) -> int:
    """Return the height in pixels of the letters of tags in an image ``height`` pixels high."""
    return max(round(scale * (7 + height / 72)), 9)


def draw_tags(
    image: NDArray[np.uint8],
    tags: Sequence[tuple[NDArray[np.int_], str, tuple[int, int, int]]],
    font: int,
    thickness: int,
    keep_free: ArrayLike = (),
) -> None:
    """Write tags in place beside boxes, where they hide no other tag as far as there is room.

    Args:
        image: (H, W, 3) uint8 BGR, contiguous.
        tags: box (4,) ``x1, y1, x2, y2`` in whole pixels, text and colour of each; the first choose their places
            first, and are on top.
        font: height of the letters, pixels.
        thickness: of the lines of the boxes, pixels.
        keep_free: (N, 4) rectangles that tags should not hide either.
    """
    placer = _TagPlacer(image.shape[1], image.shape[0], keep_free)
    placed = []
    for box, text, color in tags:
        size = text_width(text, font) + font, round(1.5 * font)
        placed.append((text, *placer.place(box, *size, thickness), *size, font, color))
    for tag in reversed(placed):
        _draw_tag(image, *tag)


def _visible(box: NDArray[np.int_], width: int, height: int) -> bool:
    return bool(box[2] > 0 and box[3] > 0 and box[0] < width and box[1] < height)


class _TagPlacer:
    """Finds places for tags inside the image that do not hide each other, as far as there are any."""

    def __init__(self, width: int, height: int, keep_free: ArrayLike) -> None:
        self._width, self._height = width, height
        self._placed = np.asarray(keep_free, np.float64).reshape(-1, 4)

    def place(self, box: NDArray[np.int_], width: int, height: int, thickness: int) -> tuple[int, int]:
        """Return left and top of a tag for a box: above it, inside at its top, below it, then further."""
        x1, y1, x2, y2 = (int(value) for value in box)
        edge = thickness // 2
        left, right = x1 - edge, x2 + edge + 1 - width
        above, below = y1 - height + edge, y2 - edge
        inside = y1 + thickness
        places = [(left, above), (right, above), (left, inside), (right, inside), (left, below), (right, below)]
        places += [(left, above - step * height) for step in (1, 2, 3)]
        places += [(left, inside + step * height) for step in (1, 2, 3)]
        fitted = np.array([self._fit(x, y, width, height) for x, y in places])
        # A tag that had to be pushed into the image is worse than one that fits as it is.
        moved = np.abs(fitted - np.array(places)).sum(axis=1)
        cost = self._overlap(fitted, width, height) * 1000 + moved + np.arange(len(places))
        x, y = fitted[int(np.argmin(cost))].tolist()
        self._placed = np.vstack([self._placed, [x, y, x + width, y + height]])
        return x, y

    def _fit(self, x: int, y: int, width: int, height: int) -> tuple[int, int]:
        return max(min(x, self._width - width), 0), max(min(y, self._height - height), 0)

    def _overlap(self, places: NDArray[np.int_], width: int, height: int) -> NDArray[np.float64]:
        """Share of the tag that placed ones would cover, for each of the places."""
        x, y = places[:, :1], places[:, 1:]
        placed = self._placed
        wide = np.minimum(x + width, placed[:, 2]) - np.maximum(x, placed[:, 0])
        high = np.minimum(y + height, placed[:, 3]) - np.maximum(y, placed[:, 1])
        return (np.clip(wide, 0, None) * np.clip(high, 0, None)).sum(axis=1) / (width * height)


def _draw_tag(
    image: NDArray[np.uint8],
    text: str,
    left: int,
    top: int,
    width: int,
    height: int,
    font: int,
    color: tuple[int, int, int],
) -> None:
    blue, green, red = color
    cv2.rectangle(image, (left, top), (left + width - 1, top + height - 1), color, cv2.FILLED)
    bright = 0.114 * blue + 0.587 * green + 0.299 * red > 140
    draw_text(image, text, left + font // 2, top + height // 2, font, _DARK if bright else _LIGHT)


def draw_trails(image: NDArray[np.uint8], trails: Mapping[int, ArrayLike], thickness: int) -> None:
    """Blend fading lines into the image in place: one layer of colours and one of opacities for all trails together.

    Args:
        image: (H, W, 3) uint8 BGR.
        trails: identity → (P, 2) pixels, the oldest first.
        thickness: pixels.
    """
    height, width = image.shape[:2]
    colors = np.zeros_like(image)
    opacity = np.zeros((height, width), np.uint8)
    for identity in sorted(trails):
        points = np.asarray(trails[identity], dtype=np.float64).reshape(-1, 2)
        # In 1/16 of a pixel, so that the slow ones do not go in steps.
        points = np.rint(16 * np.clip(points[np.isfinite(points).all(axis=1)], -10_000, 30_000)).astype(int)
        color = identity_color(identity)
        for place in range(1, len(points)):
            start, end = points[place - 1].tolist(), points[place].tolist()
            age = place / (len(points) - 1)
            # The colours lie a little wider, so that the soft edge of the opacity finds them everywhere.
            cv2.line(colors, start, end, color, thickness + 3, cv2.LINE_8, 4)
            cv2.line(opacity, start, end, (30 + 190 * age,), thickness, cv2.LINE_AA, 4)
    rows, columns = np.nonzero(opacity)
    share = opacity[rows, columns, None].astype(np.float32) / 255
    blended = share * colors[rows, columns] + (1 - share) * image[rows, columns]
    image[rows, columns] = np.rint(blended).astype(np.uint8)
