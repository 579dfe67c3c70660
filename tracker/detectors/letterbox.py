"""Fits images into a network's input and maps boxes back."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Letterbox", "fit_centred", "fit_top_left"]

#: the grey both YOLOX and ultralytics fill the free part of the input with
_FILL = 114


class Letterbox(NamedTuple):
    """An image scaled into a network's input.

    Attributes:
        canvas: (H, W, 3) uint8, in the image's channel order.
        scales: network pixels per image pixel, horizontally and vertically: not quite equal, as sides are whole.
        left, top: network pixels before the image.
        width, height: size of the original image.
    """

    canvas: NDArray[np.uint8]
    scales: tuple[float, float]
    left: int
    top: int
    width: int
    height: int

    @staticmethod
    def of_image(width: int, height: int) -> Letterbox:
        """Return the letterbox of boxes that are in pixels of the image already, without a canvas."""
        return Letterbox(np.zeros((0, 0, 3), np.uint8), (1.0, 1.0), 0, 0, width, height)

    def boxes_in_image(self, boxes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return (N, 4) float32 boxes x1, y1, x2, y2 of the network's input as pixels of the image, clipped to it."""
        offset = np.array([self.left, self.top, self.left, self.top], np.float64)
        mapped = (boxes.astype(np.float64) - offset) / np.array(self.scales * 2)
        limits = np.array([self.width, self.height, self.width, self.height], np.float64)
        return np.clip(mapped, 0, limits).astype(np.float32)


def fit_top_left(image: NDArray[np.uint8], height: int, width: int) -> Letterbox:
    """Scale ``image`` (H, W, 3) into ``height`` × ``width`` from the top left corner, the way YOLOX is trained."""
    scale = min(height / image.shape[0], width / image.shape[1])
    size = max(int(image.shape[1] * scale), 1), max(int(image.shape[0] * scale), 1)
    return _placed(image, height, width, size, left=0, top=0)


def fit_centred(image: NDArray[np.uint8], height: int, width: int, stride: int | None = None) -> Letterbox:
    """Scale ``image`` (H, W, 3) into the middle of ``height`` × ``width``, the way ultralytics models are trained.

    With ``stride`` the canvas shrinks to the smallest one around the image whose sides are multiples of it.
    """
    scale = min(height / image.shape[0], width / image.shape[1])
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    if stride is not None:
        width -= (width - size[0]) // stride * stride
        height -= (height - size[1]) // stride * stride
    # half a pixel of free space goes after the image
    left = round((width - size[0]) / 2 - 0.1)
    top = round((height - size[1]) / 2 - 0.1)
    return _placed(image, height, width, size, left=left, top=top)


def _placed(image: NDArray[np.uint8], height: int, width: int, size: tuple[int, int], left: int, top: int) -> Letterbox:
    canvas = np.full((height, width, 3), _FILL, np.uint8)
    place = canvas[top : top + size[1], left : left + size[0]]
    if (image.shape[1], image.shape[0]) == size:
        place[:] = image
    else:
        cv2.resize(image, size, dst=place, interpolation=cv2.INTER_LINEAR)
    scales = (size[0] / image.shape[1], size[1] / image.shape[0])
    return Letterbox(canvas, scales, left, top, image.shape[1], image.shape[0])
