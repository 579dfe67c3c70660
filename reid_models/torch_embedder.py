"""Models of this library as embedders run by PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reid_models.checkpoints import read_description
from reid_models.embedders import BatchEmbedder, EmbedderOptions
from reid_models.errors import InputError
from reid_models.preprocessing import channel_scale_and_shift
from reid_models.records import EmbeddingRecord, read_record
from reid_models.registry import create_model, model_spec
from reid_models.weights import WeightsRecord, find_weights_record

__all__ = ["TorchEmbedder", "build_network", "create_torch_embedder", "torch_processor"]


class TorchEmbedder(BatchEmbedder):
    """A PyTorch network as an embedder; crops are normalised on its device.

    Args:
        model: images (B, 3, H, W) → vectors (B, D) in evaluation mode; moved to ``device``.
        record: how to feed it.
        name: model and weights, for messages and ``description``.
        device: where to compute.
        precision: ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        batch_size: crops per call.
    """

    def __init__(
        self,
        model: nn.Module,
        record: EmbeddingRecord,
        name: str,
        device: torch.device,
        precision: str,
        batch_size: int,
    ) -> None:
        super().__init__(name, record, batch_size)
        self._device = device
        self._type: torch.dtype = getattr(torch, precision)
        self._model = model.to(device, self._type).to(memory_format=torch.channels_last).eval()
        scale, shift = channel_scale_and_shift(record)
        self._scale = torch.from_numpy(scale).to(device).view(1, 3, 1, 1)
        self._shift = torch.from_numpy(shift).to(device).view(1, 3, 1, 1)
        self.dimension = self._measure_dimension()
        self.description = f"{name} (torch {device} {precision})"

    @torch.inference_mode()
    def _vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Copied to the device as bytes, a quarter of the floats they become.
        pixels = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2)
        if self.record.color_order == "RGB":
            pixels = pixels.flip(1)
        images = torch.addcmul(self._shift, pixels.float(), self._scale).to(self._type)
        vectors: NDArray[np.float32] = self._model(images).float().cpu().numpy()
        return vectors


def create_torch_embedder(
    name: str, weights: Path | None, known: WeightsRecord | None, options: EmbedderOptions
) -> TorchEmbedder:
    """Return the model called ``name`` run by PyTorch.

    Args:
        weights: checkpoint file; ``None``: untrained.
        known: what is known of these weights, where they were given by name.

    Raises:
        InputError: as :func:`reid_models.embedder.create_embedder`.
    """
    device = _device(options.device)
    if device.type == "cuda" and options.runtime not in ("auto", "torch"):
        raise InputError(
            f"the runtime {options.runtime} computes on the CPU: use --device cpu, or runtime torch for a GPU"
        )
    precision = _precision(options, device)
    model, record, label = build_network(name, weights, known, options.input_size)
    if options.threads is not None and device.type == "cpu":
        torch.set_num_threads(options.threads)
    return TorchEmbedder(model, record, label, device, precision, options.batch_size)


def build_network(
    name: str, weights: Path | None, known: WeightsRecord | None, input_size: tuple[int, int] | None
) -> tuple[nn.Module, EmbeddingRecord, str]:
    """Return a model in evaluation mode, how it is fed, and what it is called; random weights are always the same."""
    record = model_spec(name).record
    label = f"{name}, untrained"
    options: dict[str, Any] = {}
    if weights is not None:
        label = f"{name}, {weights.name}" if known is None else known.spec
        record, options = _record_and_options(name, weights, known)
    if input_size is not None:
        record = record.updated({"input_size": input_size}, "--embedder-input-size")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model(name, weights=weights, **options).eval()
    return model, record, label


def torch_processor() -> torch.device:
    """Return the processor as PyTorch's device."""
    return torch.device("cpu")


def _precision(options: EmbedderOptions, device: torch.device) -> str:
    if options.precision == "int8":
        raise InputError("int8 runs on the processor by OpenVINO or ONNX Runtime: use --device cpu, and not torch")
    if options.precision == "float16" and device.type != "cuda":
        raise InputError("float16 is for GPUs: on the processor give --precision bfloat16")
    if options.precision != "auto":
        return options.precision
    if not options.half:
        return "float32"
    return "float16" if device.type == "cuda" else "bfloat16"


def _record_and_options(
    name: str, weights: Path, known: WeightsRecord | None
) -> tuple[EmbeddingRecord, dict[str, Any]]:
    """Return how images go into a checkpoint's network, and the options it is built with."""
    record = model_spec(name).record
    described = read_description(weights)
    ours = described.get("architecture") == name
    if ours and isinstance(described.get("record"), dict):
        record = record.updated(described["record"], weights.name)
    if known is not None:
        record = known.embedding_record(record)
    elif not ours:
        told = find_weights_record(weights, name)
        if told is not None and told.default_threshold is not None:
            record = record.updated({"default_threshold": told.default_threshold}, weights.name)
    if weights.with_suffix(".json").is_file():
        record = read_record(weights.with_suffix(".json"), record)
    return record, described.get("options", {}) if ours else {}


def _device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(f"cuda:{device}" if device.isdigit() else device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise InputError(f"unknown device {device!r}: give auto, cpu, cuda or cuda:0")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"the device {device!r} is not there: {torch.cuda.device_count()} GPUs found; use --device cpu"
        )
    return chosen
