"""What a trained classifier says of images: for attributes and classes, whose figures are not made by ranking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reid_models.data.loading import ImageStore
from reid_models.errors import InputError
from reid_models.preprocessing import normalize
from reid_models.records import EmbeddingRecord

__all__ = ["predict_logits"]


@torch.inference_mode()
def predict_logits(
    model: nn.Module,
    images: Sequence[Path] | NDArray[np.uint8],
    record: EmbeddingRecord,
    *,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the first classifier's logits (N, C) float32 of N images, with batch norm in evaluation mode.

    Args:
        model: built with ``num_classes``.
        images: files, or (N, H, W, 3) BGR uint8.
        record: input size and normalisation.
        batch_size: images per call.
        progress: told (done, total).

    Raises:
        InputError: the network has no classifier, or an image cannot be decoded.
    """
    store = ImageStore(images, record.input_size, cache=False)
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    # The network itself returns what losses take; everything inside it stays in evaluation mode.
    model.training = True
    parts = []
    try:
        for start in range(0, len(store), batch_size):
            pixels = np.stack([store[row] for row in range(start, min(start + batch_size, len(store)))])
            values = normalize(pixels, record, np.empty((len(pixels), 3, *record.input_size), np.float32))
            output = model(torch.from_numpy(values).to(device))
            if not output.logits:
                raise InputError("the network has no classifier: its weights were written without one")
            parts.append(output.logits[0].float().cpu().numpy())
            if progress is not None:
                progress(start + len(pixels), len(store))
    finally:
        for module, mode in modes:
            module.training = mode
    return np.concatenate(parts)
