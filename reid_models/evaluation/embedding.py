"""Image files to test embeddings, as the published figures are made; optionally with their mirror images."""

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

__all__ = ["embed_images"]


@torch.inference_mode()
def embed_images(
    model: nn.Module,
    images: Sequence[Path] | NDArray[np.uint8],
    record: EmbeddingRecord,
    *,
    flip: bool = False,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the test embeddings (N, D) float32 of N images, in order.

    Args:
        model: in evaluation mode for the duration of the call; it stays on its device.
        images: files, or (N, H, W, 3) BGR uint8.
        record: input size and normalisation.
        flip: add the embedding of the mirrored image and normalise the sum to length 1 (MGN, Sec. 4.2).
        batch_size: images per call.
        progress: told (done, total).

    Raises:
        InputError: an image cannot be decoded, or an embedding is not finite; the image is named.
    """
    store = ImageStore(images, record.input_size, cache=False)
    device = next(model.parameters()).device
    height, width = record.input_size
    pixels = np.empty((batch_size, height, width, 3), np.uint8)
    values = np.empty((batch_size, 3, height, width), np.float32)
    parts: list[NDArray[np.float32]] = []
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(store), batch_size):
            count = min(batch_size, len(store) - start)
            for place in range(count):
                pixels[place] = store[start + place]
            batch = torch.from_numpy(normalize(pixels[:count], record, values)).to(device)
            batch = batch.contiguous(memory_format=torch.channels_last)
            vectors = model(batch)
            if flip:
                vectors = nn.functional.normalize(vectors + model(batch.flip(3)))
            part = vectors.float().cpu().numpy()
            broken = np.flatnonzero(~np.isfinite(part).all(axis=1))
            if len(broken):
                raise InputError(
                    f"the network gives values that are not finite for {store.name(start + int(broken[0]))}: its "
                    "weights are broken; use a checkpoint of a training that did not fail"
                )
            parts.append(part.copy())
            if progress is not None:
                progress(start + count, len(store))
    finally:
        model.train(was_training)
    if not parts:
        raise InputError("there are no images to embed")
    return np.concatenate(parts)
