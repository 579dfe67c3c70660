"""People made unrecognisable in pictures that are shown and kept."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.association.costs import iou, matrix

__all__ = ["Blurring", "PrivacyFilter", "head_boxes", "obscured"]

Blurring = Literal["faces", "people"]
Array = NDArray[np.float64]

#: of a box: the share of its height that holds the head, or the share of its width where the box shows little of a
#: body; and how far the hidden part reaches beyond the box, as a share of its height
_HEAD_OF_HEIGHT, _HEAD_OF_WIDTH, _BEYOND = 0.22, 0.6, 0.04
#: mosaic tiles along the shorter side of what is hidden, and of their sides in pixels the least
_TILES, _LEAST_TILE = 4, 6
_HOLD_SECONDS = 1.0
#: intersection over union from which a part that was hidden before is the same as one that is hidden now
_SAME = 0.5
_MOST_HELD = 256


def head_boxes(boxes: ArrayLike) -> Array:
    """Return where the heads of people are, (N, 4) ``x1, y1, x2, y2`` pixels, from their boxes (N, 4).

    It is the upper part of the box over its whole width, with a margin, since nothing says where in it the head is: of
    somebody of whom only head and shoulders are seen the larger part of the box.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    wide, high = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    head = np.minimum(np.maximum(_HEAD_OF_HEIGHT * high, _HEAD_OF_WIDTH * wide), high)
    beyond = _BEYOND * high
    return np.column_stack([corners[:, 0], corners[:, 1] - beyond, corners[:, 2], corners[:, 1] + head + beyond])


def obscured(image: NDArray[np.uint8], boxes: ArrayLike) -> NDArray[np.uint8]:
    """Return a copy of an image in which the inside of boxes cannot be recognised; the image itself stays as it is.

    Each box keeps the mean colours of a few large tiles, four along its shorter side, and they are blurred into each
    other. What was finer than a tile is not in the result in any form, so that it cannot be brought back either.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4) ``x1, y1, x2, y2`` pixels; they may reach out of the image.
    """
    result = np.ascontiguousarray(image).copy()
    height, width = result.shape[:2]
    corners = np.nan_to_num(np.asarray(boxes, np.float64).reshape(-1, 4), posinf=1e9, neginf=-1e9)
    low = np.floor(np.clip(corners[:, :2], 0, [width, height])).astype(int)
    high = np.ceil(np.clip(corners[:, 2:], 0, [width, height])).astype(int)
    # All tiles are made of the image as it was, so that it does not matter in which order boxes that overlap are done.
    for (left, top), (right, bottom) in zip(low.tolist(), high.tolist(), strict=True):
        if right <= left or bottom <= top:
            continue
        wide, tall = right - left, bottom - top
        tile = max(min(wide, tall) / _TILES, _LEAST_TILE)
        tiles = max(round(wide / tile), 1), max(round(tall / tile), 1)
        small = cv2.resize(image[top:bottom, left:right], tiles, interpolation=cv2.INTER_AREA)
        result[top:bottom, left:right] = cv2.resize(small, (wide, tall), interpolation=cv2.INTER_LINEAR)
    return result


class PrivacyFilter:
    """Hides people in the frames of cameras, for a while also where they were last seen.

    A detector overlooks people now and then, mostly for a few frames: where somebody was found, the picture therefore
    stays hidden for ``hold_seconds``. Nobody is hidden whom no detector finds.

    Args:
        blurring: ``faces``: heads; ``people``: whole figures.
        hold_seconds: seconds.
    """

    def __init__(self, blurring: Blurring, *, hold_seconds: float = _HOLD_SECONDS) -> None:
        self.blurring = blurring
        self._hold = hold_seconds
        #: camera → when each part was hidden because somebody was there (M,), and the parts (M, 4)
        self._held: dict[str, tuple[Array, Array]] = {}

    def apply(self, camera: str, time: float, image: NDArray[np.uint8], boxes: ArrayLike) -> NDArray[np.uint8]:
        """Return a frame without what is to be hidden; the image itself stays as it is.

        Args:
            camera: its name.
            time: seconds, not before the camera's frame before.
            image: (H, W, 3) uint8 BGR.
            boxes: (N, 4) of everybody in it, ``x1, y1, x2, y2`` pixels: tracks, and detections too where there are any.
        """
        corners = np.asarray(boxes, np.float64).reshape(-1, 4)
        parts = head_boxes(corners) if self.blurring == "faces" else corners
        times = np.full(len(parts), time)
        if camera in self._held:
            earlier, held = self._held[camera]
            # Who is still found is hidden where they are now, and no more where they were.
            kept = (time - earlier <= self._hold) & (matrix(iou, held.T, parts.T).max(axis=1, initial=0.0) < _SAME)
            times, parts = np.concatenate([times, earlier[kept]]), np.concatenate([parts, held[kept]])
        self._held[camera] = times[:_MOST_HELD], parts[:_MOST_HELD]
        return obscured(image, parts)
