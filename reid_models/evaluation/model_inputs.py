"""Image files as batches for a PyTorch network, beside the pixels they were made from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_models.errors import InputError
from reid_models.evaluation.sheets import read_picture
from reid_models.preprocessing import normalize, resize_crop
from reid_models.records import EmbeddingRecord

__all__ = ["evaluating", "image_batches"]


def image_batches(
    paths: Sequence[str | os.PathLike[str]], record: EmbeddingRecord, *, batch_size: int = 32
) -> Iterator[tuple[NDArray[np.uint8], Tensor]]:
    """Yield the images resized, (n, H, W, 3) uint8 BGR, and as network input, (n, 3, H, W) float32 on the CPU.

    Args:
        paths: N files.
        record: size and normalisation.
        batch_size: n, less at the end.

    Raises:
        InputError: a file that cannot be read as an image, named.
    """
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size} must be at least 1")
    for start in range(0, len(paths), batch_size):
        files = paths[start : start + batch_size]
        pixels = np.empty((len(files), *record.input_size, 3), np.uint8)
        for file, target in zip(files, pixels):
            resize_crop(read_picture(file), target)
        yield (
            pixels,
            torch.from_numpy(normalize(pixels, record, np.empty((len(files), 3, *record.input_size), np.float32))),
        )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Put ``model`` into evaluation mode without gradients while the block runs; yields its device."""
    was_training = model.training
    first = next(model.parameters(), None)
    model.eval()
    try:
        with torch.inference_mode():
            yield torch.device("cpu") if first is None else first.device
    finally:
        model.train(was_training)
