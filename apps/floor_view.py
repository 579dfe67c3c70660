"""The floor from above as a picture: metres to pixels, the grid, and the cameras."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.floor_area import FloorArea, viewing_direction
from tracker.geometry.floor_camera import FloorCamera
from tracker.video.drawing import font_height
from tracker.video.text import draw_text, text_width

__all__ = ["FloorView"]

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Color = tuple[int, int, int]

_BACKGROUND = np.array((22.0, 18.0, 16.0))
#: added where all cameras see the floor, in equal steps
_IN_VIEW = np.array((30.0, 25.0, 18.0))
_GRID: Color = (74, 66, 61)
_AXIS: Color = (116, 105, 98)
_LABEL: Color = (150, 141, 134)
_CAMERA: Color = (205, 200, 196)
_DARK: Color = (24, 20, 18)
#: metres between lines of the grid, and pixels of a picture 480 high that they are apart at least
_STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
_LEAST_SPACING = 22.0
#: pixels of a cell in which one look decides whether a camera sees the floor
_CELL = 2


class FloorView:
    """A map from the floor to the pixels of a picture, seen from above: x to the right, y up, unless mirrored.

    Args:
        area: of the floor, fitted into the picture.
        size: width and height of the picture, pixels.
        margins: what stays free on the left, above, on the right and below the area, as shares of the height.
    """

    def __init__(
        self, area: FloorArea, size: tuple[int, int], margins: tuple[float, float, float, float] = (0, 0, 0, 0)
    ) -> None:
        self.width, self.height = size
        self._area = area
        left, top, right, bottom = (share * self.height for share in margins)
        extent = area.high - area.low
        #: pixels of a metre
        self.scale = float(min((self.width - left - right) / extent[0], (self.height - top - bottom) / extent[1]))
        self._middle = (area.low + area.high) / 2
        self._centre = np.array([self.width + left - right, self.height + top - bottom]) / 2
        self._signs = np.array([1.0, 1.0 if area.mirrored else -1.0])

    def to_pixels(self, places: ArrayLike) -> Array:
        """Return pixels (N, 2) of places (N, 2) in metres; pixel (i, j) covers [i, i+1) × [j, j+1)."""
        metres = np.asarray(places, np.float64).reshape(-1, 2) - self._middle
        return np.asarray(self._centre + self.scale * self._signs * metres, np.float64)

    def to_floor(self, pixels: ArrayLike) -> Array:
        """Return places (N, 2) in metres of pixels (N, 2)."""
        moved = np.asarray(pixels, np.float64).reshape(-1, 2) - self._centre
        return np.asarray(self._middle + self._signs * moved / self.scale, np.float64)

    def fixed(self, places: ArrayLike) -> NDArray[np.int32]:
        """Return (N, 1, 2) pixels of places in 1/16, as OpenCV counts them: from the centre of the first."""
        return _fixed(self.to_pixels(places))

    def background(self, cameras: Collection[FloorCamera]) -> Image:
        """Return the empty floor (H, W, 3) uint8 BGR: its grid with a scale, the cameras, brighter what they see."""
        picture = self._coverage(cameras)
        step = self.grid_step
        low, high = np.sort(self.to_floor([(0, 0), (self.width, self.height)]), axis=0)
        for axis in (0, 1):
            for number in range(int(np.ceil(low[axis] / step)), int(np.floor(high[axis] / step)) + 1):
                ends = np.array([low, high])
                ends[:, axis] = number * step
                (x1, y1), (x2, y2) = np.floor(self.to_pixels(ends)).astype(int).tolist()
                cv2.line(picture, (x1, y1), (x2, y2), _GRID if number else _AXIS, 1)
        font = font_height(self.height)
        for camera in cameras:
            self._draw_camera(picture, camera, font)
        self._draw_scale(picture, font)
        return picture

    @property
    def grid_step(self) -> float:
        """Metres between lines of the grid."""
        least = _LEAST_SPACING * max(self.height / 480, 0.5) / self.scale
        return float(next((step for step in _STEPS[1:] if step >= least), _STEPS[-1]))

    def draw_coordinates(self, picture: Image) -> None:
        """Write x at the upper and y at the left end of the grid's lines, metres."""
        step, font = self.grid_step, max(round(0.75 * font_height(self.height)), 9)
        low, high = np.sort(self.to_floor([(0, 0), (self.width, self.height)]), axis=0)
        for axis in (0, 1):
            for number in range(int(np.ceil(low[axis] / step)), int(np.floor(high[axis] / step)) + 1):
                place = low.copy()
                place[axis] = number * step
                along = round(float(self.to_pixels(place)[0, axis]))
                text = f"{number * step:g}".replace("-", "−")
                text = f"{'xy'[axis]} {text}" if not number else text
                if not font < along < (self.width, self.height)[axis] - 3 * font:
                    continue
                left, middle = (along + font // 3, font) if axis == 0 else (font // 2, along - font // 2 - 2)
                draw_text(picture, text, left, middle, font, _LABEL)

    def _coverage(self, cameras: Collection[FloorCamera]) -> Image:
        columns, rows = -(-self.width // _CELL), -(-self.height // _CELL)
        x, y = np.meshgrid((np.arange(columns) + 0.5) * _CELL, (np.arange(rows) + 0.5) * _CELL)
        places = self.to_floor(np.column_stack([x.ravel(), y.ravel()]))
        points = np.column_stack([places, np.zeros(len(places))])
        share = np.zeros((rows, columns), np.float32)
        for camera in cameras:
            share += camera.visible(points).reshape(rows, columns).astype(np.float32) / len(cameras)
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), 0.8), np.float32)
        size = columns * _CELL, rows * _CELL
        smooth = np.asarray(cv2.resize(share, size, interpolation=cv2.INTER_LINEAR))[: self.height, : self.width]
        return np.ascontiguousarray(np.rint(_BACKGROUND + smooth[..., None] * _IN_VIEW).astype(np.uint8))

    def _draw_camera(self, picture: Image, camera: FloorCamera, font: int) -> None:
        """Draw a dot with the sector in which the camera looks, and its name on the other side."""
        radius = 0.35 * font
        # Who is far away is shown at the border.
        border = 2 * radius
        place = np.clip(self.to_pixels(camera.position[:2])[0], border, (self.width - border, self.height - border))
        found = [viewing_direction(camera, across) for across in np.linspace(0, 1, 9)]
        rays = [self._signs * ray for ray in found if ray is not None]
        if len(rays) == len(found):
            sector = _fixed(np.array([place, *(place + 2.2 * font * ray for ray in rays)]))
            layer = picture.copy()
            cv2.fillPoly(layer, [sector], _CAMERA, cv2.LINE_AA, 4)
            cv2.addWeighted(layer, 0.3, picture, 0.7, 0, dst=picture)
        x, y = _fixed(place).ravel().tolist()
        for size, color in ((radius + 1.5, _DARK), (radius, _CAMERA)):
            cv2.circle(picture, (x, y), round(16 * size), color, cv2.FILLED, cv2.LINE_AA, 4)
        half = np.array([text_width(camera.name, font) / 2, 0.6 * font])
        away = np.array([0.0, 1.0]) if found[4] is None else -self._signs * found[4]
        middle = place + away / np.abs(away).max() * (half + 1.3 * radius)
        middle = np.clip(middle, half + 2, np.array([self.width, self.height]) - half - 2)
        left, row = round(float(middle[0] - half[0])), round(float(middle[1]))
        draw_text(picture, camera.name, left, row, font, _CAMERA)

    def _draw_scale(self, picture: Image, font: int) -> None:
        """Draw how long a step of the grid is, in the lower left corner."""
        step = self.grid_step
        left, bottom, length = round(0.7 * font), self.height - round(0.8 * font), round(step * self.scale)
        corners = [
            (left, bottom - font // 3),
            (left, bottom),
            (left + length, bottom),
            (left + length, bottom - font // 3),
        ]
        line = np.array(corners, np.int32).reshape(-1, 1, 2)
        cv2.polylines(picture, [line], False, _CAMERA, max(round(self.height / 360), 1))
        draw_text(picture, f"{step:g} m", left + length + font // 2, bottom - font // 4, font, _CAMERA)


def _fixed(pixels: ArrayLike) -> NDArray[np.int32]:
    near = np.clip(np.asarray(pixels, np.float64).reshape(-1, 1, 2), -10_000, 30_000)
    return np.rint(16 * (near - 0.5)).astype(np.int32)
