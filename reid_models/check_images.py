"""Crops that a network is tried on before it is used in another form: people, and noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.preprocessing import resize_crop

__all__ = ["check_crops_of_people", "check_images", "least_cosine"]

#: rendered people of the simulated room, in a grid; see ``pretrained/README.md``
_SHEET = Path(__file__).parent / "pretrained" / "people.jpg"
_TILE = (100, 44)
_RANDOM = 4


def check_crops_of_people() -> list[NDArray[np.uint8]]:
    """Return 24 crops (100, 44, 3) BGR uint8 of rendered people, which come with the package.

    Raises:
        InputError: the picture is missing.
    """
    sheet = cv2.imread(str(_SHEET))
    if sheet is None:
        raise InputError(f"{_SHEET} should come with this package, but is missing: install multicam again")
    height, width = _TILE
    rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
    return [
        np.asarray(sheet[row * height : (row + 1) * height, column * width : (column + 1) * width], np.uint8)
        for row in range(rows)
        for column in range(columns)
    ]


def check_images(input_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (32, H, W, 3) BGR uint8: the people resized to ``input_size``, four of noise and four of coarse noise."""
    height, width = input_size
    crops = check_crops_of_people()
    random = np.random.default_rng(0)
    batch = np.empty((len(crops) + 2 * _RANDOM, height, width, 3), np.uint8)
    for crop, target in zip(crops, batch):
        resize_crop(crop, target)
    batch[len(crops) : len(crops) + _RANDOM] = random.integers(0, 256, (_RANDOM, height, width, 3), np.uint8)
    for target in batch[len(crops) + _RANDOM :]:
        resize_crop(random.integers(0, 256, (16, 8, 3), np.uint8), target)
    return batch


def least_cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the lowest cosine between rows (N, D) that belong together; not-a-number counts as -1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        products = (first * second).sum(1) / (np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))
    return float(np.nan_to_num(products, nan=-1.0).min(initial=1.0))
