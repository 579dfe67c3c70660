"""TorchScript networks, run by PyTorch on the processor: the only runtime that needs it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.runtimes.pixels import PixelInput
from reid_models.runtimes.signature import Signature

__all__ = ["TorchScriptBackend"]


class TorchScriptBackend:
    """PyTorch on the processor."""

    runtime = "torch"

    def __init__(
        self,
        path: Path,
        signature: Signature,
        threads: int | None,
        precision: str,
        pixels: PixelInput | None,
        keep_compiled: bool,
    ) -> None:
        if precision != "float32":
            raise InputError(f"{path.name} computes in the precision it was exported with; leave {precision} out")
        if threads is not None:
            torch.set_num_threads(threads)
        self.precision = "int8" if signature.quantized else precision
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch says that the format is old
            self._network = torch.jit.load(str(path), map_location="cpu").eval()
        self._pixels = None
        if pixels is not None:
            scale = 1 / np.asarray(pixels.std, np.float64)
            shift = -np.asarray(pixels.mean, np.float64) * scale
            self._pixels = tuple(torch.from_numpy(a.astype(np.float32)).view(1, 3, 1, 1) for a in (scale, shift))
            self._red_first = pixels.red_first

    @torch.inference_mode()
    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        tensors = [torch.from_numpy(array) for array in arrays]
        if self._pixels is not None:
            images = tensors[0].permute(0, 3, 1, 2)
            if self._red_first:
                images = images.flip(1)
            tensors[0] = torch.addcmul(self._pixels[1], images.float(), self._pixels[0]).contiguous()
        results = self._network(*tensors)
        kept = results if isinstance(results, (list, tuple)) else [results]
        return [result.numpy() for result in kept if isinstance(result, torch.Tensor)]
