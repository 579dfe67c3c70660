"""Crops of any size to one batch of network input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.records import EmbeddingRecord

__all__ = ["CropBatches", "channel_scale_and_shift", "check_crops", "normalize", "resize_crop"]


def check_crops(crops: Sequence[NDArray[np.uint8]]) -> None:
    """Check that every crop is a (H, W, 3) uint8 image with at least one pixel.

    Raises:
        InputError: the first that is not is named by its index, shape and type.
    """
    for index, crop in enumerate(crops):
        if not isinstance(crop, np.ndarray) or crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3:
            found = f"{crop.dtype} of shape {crop.shape}" if isinstance(crop, np.ndarray) else type(crop).__name__
            raise InputError(f"crop {index} is {found}; give BGR images (height, width, 3) of uint8")
        if not crop.size:
            raise InputError(f"crop {index} has shape {crop.shape}: no pixels; leave boxes outside the image out")


def resize_crop(crop: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    """Resize ``crop`` (h, w, 3) into ``target`` (H, W, 3) bilinearly, averaging over what shrinks.

    Published ReID networks were trained on Pillow's bilinear filter, which widens with the reduction; OpenCV's does not
    and aliases. An axis that shrinks is therefore reduced by area, one that grows interpolated bilinearly.
    """
    height, width = target.shape[:2]
    rows, columns = crop.shape[:2]
    if rows > height or columns > width:
        shrunk = cv2.resize(crop, (min(columns, width), min(rows, height)), interpolation=cv2.INTER_AREA)
        cv2.resize(shrunk, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    else:
        cv2.resize(crop, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)


class CropBatches:
    """Resizes crops into one uint8 batch that is allocated once and reused.

    Args:
        input_size: (height, width) of the network.
        batch_size: crops per batch.
    """

    def __init__(self, input_size: tuple[int, int], batch_size: int) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size {batch_size} must be at least 1")
        self._batch = np.empty((batch_size, *input_size, 3), np.uint8)

    def __call__(self, crops: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """Yield (n, H, W, 3) BGR uint8 batches in order; each is overwritten by the next."""
        size = len(self._batch)
        for start in range(0, len(crops), size):
            chunk = crops[start : start + size]
            for crop, target in zip(chunk, self._batch):
                resize_crop(crop, target)
            yield self._batch[: len(chunk)]


def channel_scale_and_shift(record: EmbeddingRecord) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return scale and shift (3,) so that value · scale + shift normalises 0..255, in the network's channel order."""
    mean, std = np.asarray(record.mean, np.float64), np.asarray(record.std, np.float64)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def normalize(batch: NDArray[np.uint8], record: EmbeddingRecord, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write a BGR batch (n, H, W, 3) as normalised network input (n, 3, H, W) to the first rows of ``out``."""
    images = out[: len(batch)]
    scale, shift = channel_scale_and_shift(record)
    for channel in range(3):
        source = 2 - channel if record.color_order == "RGB" else channel
        np.multiply(batch[..., source], scale[channel], out=images[:, channel])
        images[:, channel] += shift[channel]
    return images
