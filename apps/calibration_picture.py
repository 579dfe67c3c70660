"""The view of a calibrated camera with the floor's grid drawn over it: whether a calibration is right, at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.floor_grid import GridPart, around_points, grid_nodes, grid_parts, in_reach, seen_floor
from tracker.geometry.estimate import Estimate
from tracker.geometry.floor_camera import FloorCamera
from tracker.video.text import draw_text, text_width

__all__ = ["draw_calibration"]

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Color = tuple[int, int, int]
Box = tuple[float, float, float, float]

_GRID: Color = (235, 215, 60)
_AXES: dict[str, Color] = {"x": (60, 70, 240), "y": (80, 210, 70)}
_INLIER: Color = (110, 255, 110)
_OUTLIER: Color = (40, 90, 255)
_POLE: Color = (255, 255, 255)
_DARK: Color = (24, 20, 18)

#: pictures are enlarged by a whole number until they are about this high, so that small ones can be read
_READABLE_HEIGHT = 900
#: metres: of people, whom the poles stand for
_POLE_HEIGHT = 1.7
_MOST_POLES = 6
#: pixels of a picture 720 high below which lines are not told apart
_LEAST_SPACING = 5.0


def draw_calibration(image: Image | None, estimate: Estimate, grid: float = 1.0) -> Image:
    """Return a picture of the floor's grid, the points and poles as high as people, over a view.

    Rings are the points' pixels, outliers' are squares; crosses are where the camera sees their places; numbers count
    the points from 1. The grid is faint away from the points, where it is an extrapolation. Lines behind the camera,
    beyond the horizon, or too dense to be told apart are left out.

    Args:
        image: (H, W, 3) uint8 BGR of the camera's size; ``None``: a dark background.
        estimate: the camera and its points.
        grid: metres between lines.

    Returns:
        (H', W', 3) uint8 BGR: the view, enlarged by a whole number where it is small, with a legend below.

    Raises:
        InputError: so fine a grid that more than 150 lines of a direction are in view.
    """
    scale = max(round(_READABLE_HEIGHT / estimate.camera.height), 1)
    camera = estimate.camera.resized(scale * estimate.camera.width, scale * estimate.camera.height)
    if image is None:
        canvas = np.full((camera.height, camera.width, 3), 56, np.uint8)
    else:
        size = camera.width, camera.height
        canvas = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    unit = max(camera.height / 720, 0.5)
    near = around_points(estimate, grid)
    parts = list(grid_parts(camera, seen_floor(camera, estimate, grid), near, grid, _LEAST_SPACING * unit))
    _draw_grid(canvas, [part for part in parts if not part.near], unit, 0.45)
    _draw_grid(canvas, [part for part in parts if part.near], unit, 0.9)
    nodes = grid_nodes(near, grid)
    nodes = nodes[camera.visible(nodes)]
    _draw_poles(canvas, camera, nodes, unit)
    taken = _draw_points(canvas, camera, estimate, scale, unit)
    _label_nodes(canvas, camera, nodes, taken, unit)
    return np.concatenate([canvas, _legend(estimate, grid, camera.width, unit)])


def _fixed(pixels: ArrayLike) -> NDArray[np.int32]:
    """Return pixels in 1/16, as OpenCV counts them: from the centre of the first."""
    return np.rint(16 * (np.asarray(pixels, np.float64) - 0.5)).astype(np.int32).reshape(-1, 1, 2)


def _draw_grid(canvas: Image, parts: Sequence[GridPart], unit: float, opacity: float) -> None:
    """Draw stretches of lines with a dark border, translucent, so that what is below can be seen."""
    width = max(round(1.4 * unit), 1)
    for dark, share in ((True, 0.5 * opacity), (False, opacity)):
        layer = canvas.copy()
        for part in parts:
            color, thickness = (_DARK, width + 2) if dark else (_AXES.get(part.axis, _GRID), width)
            cv2.polylines(layer, [_fixed(part.line)], False, color, thickness, cv2.LINE_AA, 4)
        cv2.addWeighted(layer, share, canvas, 1 - share, 0, dst=canvas)


def _draw_lines(canvas: Image, lines: Sequence[ArrayLike], color: Color, thickness: float) -> None:
    points, width = [_fixed(line) for line in lines], max(round(thickness), 1)
    cv2.polylines(canvas, points, False, _DARK, width + 2, cv2.LINE_AA, 4)
    cv2.polylines(canvas, points, False, color, width, cv2.LINE_AA, 4)


def _draw_poles(canvas: Image, camera: FloorCamera, nodes: Array, unit: float) -> None:
    """Draw upright poles as high as people at some nodes well apart whose tops are in view."""
    tops = nodes + np.array([0, 0, _POLE_HEIGHT])
    whole = camera.visible(tops)
    nodes, tops = nodes[whole], tops[whole]
    feet, depth = camera.project(nodes)
    chosen: list[int] = []
    for index in np.argsort(depth, kind="stable"):
        apart = np.hypot(*(feet[chosen] - feet[index]).T)
        if len(chosen) < _MOST_POLES and (apart > 0.17 * camera.width).all():
            chosen.append(int(index))
    for index in chosen:
        pole = nodes[index] + np.linspace(0, 1, 20)[:, None] * (tops[index] - nodes[index])
        line = camera.project(pole)[0]
        half = np.array([5 * unit, 0])
        ends = [[end - half, end + half] for end in (line[0], line[-1])]
        _draw_lines(canvas, [line, *ends], _POLE, 2 * unit)


def _draw_points(canvas: Image, camera: FloorCamera, estimate: Estimate, scale: int, unit: float) -> list[Box]:
    """Draw the points with their numbers; return the rectangles ``x1, y1, x2, y2`` that they cover."""
    seen, clicked = camera.project(estimate.pairs.world)[0], scale * estimate.pairs.pixels
    height, radius = round(15 * unit), 7 * unit
    colors = [_INLIER if inlier else _OUTLIER for inlier in estimate.inliers]
    taken = []
    for number, (pixel, color) in enumerate(zip(clicked, colors), start=1):
        left, middle = pixel[0] + 1.4 * radius, pixel[1] - 1.2 * radius
        _tag(canvas, str(number), left, middle, height, color)
        right = left + text_width(str(number), height) + 4
        taken.append((pixel[0] - radius, middle - height, right, pixel[1] + radius))
    for pixel, place, inlier, color in zip(clicked, seen, estimate.inliers, colors):
        if in_reach(place, camera):
            reach = (0.5 if inlier else 0.8) * radius
            arms = [[place - reach * np.array(arm), place + reach * np.array(arm)] for arm in ((1, 1), (1, -1))]
            _draw_lines(canvas, [*arms, [pixel, place]], color, unit)
        corners = 41 if inlier else 5
        angles = np.linspace(0, 2 * np.pi, corners) + np.pi / 4
        ring = pixel + (1.0 if inlier else 1.3) * radius * np.column_stack([np.cos(angles), np.sin(angles)])
        _draw_lines(canvas, [ring], color, 1.6 * unit)
    return taken


def _tag(canvas: Image, text: str, left: float, middle: float, height: int, color: Color) -> None:
    """Write text on a dark ground, moved into the image where it would leave it."""
    width = text_width(text, height)
    x = round(float(np.clip(left, 2, max(canvas.shape[1] - width - 4, 2))))
    y = round(float(np.clip(middle, 0.7 * height, canvas.shape[0] - 0.7 * height)))
    cv2.rectangle(canvas, (x - 2, y - round(0.6 * height)), (x + width + 2, y + round(0.6 * height)), _DARK, -1)
    draw_text(canvas, text, x, y, height, color)


def _label_nodes(canvas: Image, camera: FloorCamera, nodes: Array, taken: list[Box], unit: float) -> None:
    """Write the coordinates of nodes, the nearest first, where there is room."""
    pixels, depth = camera.project(nodes)
    height = round(13 * unit)
    for index in np.argsort(depth, kind="stable"):
        text = f"{nodes[index, 0]:.4g}, {nodes[index, 1]:.4g}".replace("-", "−")
        x, y = pixels[index]
        room = (x - 4, y, x + text_width(text, height) + 12, y + 2.2 * height)
        if room[2] > canvas.shape[1] or room[3] > canvas.shape[0] or any(_overlap(room, other) for other in taken):
            continue
        taken.append((room[0] - 2.5 * height, room[1] - height, room[2] + 2.5 * height, room[3] + height))
        _tag(canvas, text, x + 5, y + 1.2 * height, height, _GRID)


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _legend(estimate: Estimate, grid: float, width: int, unit: float) -> Image:
    """Return a strip as wide as the picture that says what is drawn."""
    guess = " (a guess)" if estimate.model == "homography" else ""
    parts = [
        (f"{estimate.camera.name}: {estimate.model}, RMS {estimate.rms:.1f} px", _POLE),
        (f"grid {grid:g} m", _GRID),
        ("x axis", _AXES["x"]),
        ("y axis", _AXES["y"]),
        (f"poles {_POLE_HEIGHT:g} m{guess}", _POLE),
        ("o point  x seen by the camera", _INLIER),
        ("outlier", _OUTLIER),
    ]
    strip = np.full((round(32 * unit), width, 3), _DARK, np.uint8)
    height = round(16 * unit)
    while height > 8 and sum(text_width(text, height) + height for text, _ in parts) > width:
        height -= 1
    left = height // 2
    for text, color in parts:
        draw_text(strip, text, left, round(16 * unit), height, color)
        left += text_width(text, height) + height
    return strip
