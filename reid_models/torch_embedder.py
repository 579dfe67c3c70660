"""Models of this library as embedders: by PyTorch on a GPU, exported to a faster runtime on the CPU."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reid_models.checkpoints import read_description
from reid_models.embedder import BatchEmbedder, Embedder, NetworkEmbedder
from reid_models.errors import InputError
from reid_models.preprocessing import channel_scale_and_shift
from reid_models.records import EmbeddingRecord, read_record
from reid_models.registry import create_model, model_spec
from reid_models.weights import WeightsRecord, find_weights_record

__all__ = ["TorchEmbedder", "create_model_embedder"]

_RUNTIMES = ("auto", "torch", "openvino", "onnxruntime")


class TorchEmbedder(BatchEmbedder):
    """A PyTorch network as an embedder; crops are normalised on its device.

    Args:
        model: images (B, 3, H, W) → vectors (B, D) in evaluation mode; moved to ``device``.
        record: how to feed it.
        name: model and weights, for messages and ``description``.
        device: where to compute.
        half: float16 on a GPU, bfloat16 on the CPU.
        batch_size: crops per call.
    """

    def __init__(
        self, model: nn.Module, record: EmbeddingRecord, name: str, device: torch.device, half: bool, batch_size: int
    ) -> None:
        super().__init__(name, record, batch_size)
        self._device = device
        self._type = (torch.float16 if device.type == "cuda" else torch.bfloat16) if half else torch.float32
        self._model = model.to(device, self._type).to(memory_format=torch.channels_last).eval()
        scale, shift = channel_scale_and_shift(record)
        self._scale = torch.from_numpy(scale).to(device).view(1, 3, 1, 1)
        self._shift = torch.from_numpy(shift).to(device).view(1, 3, 1, 1)
        self.dimension = self._measure_dimension()
        precision = str(self._type).removeprefix("torch.")
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


class _TemporaryNetworkEmbedder(NetworkEmbedder):
    """Keeps the folder of the exported graph, which the runtime reads again for each batch size, while it is used."""

    folder: tempfile.TemporaryDirectory[str]


def create_model_embedder(
    name: str,
    *,
    weights: Path | None,
    known: WeightsRecord | None = None,
    device: str = "auto",
    half: bool = False,
    runtime: str = "auto",
    batch_size: int = 32,
    input_size: tuple[int, int] | None = None,
    threads: int | None = None,
) -> Embedder:
    """Return the model called ``name`` as an embedder; see :func:`reid_models.embedder.create_embedder`.

    Args:
        weights: checkpoint file; ``None``: untrained.
        known: what is known of these weights, where they were given by name.

    Raises:
        InputError: as there.
    """
    if runtime not in _RUNTIMES:
        raise InputError(f"unknown runtime {runtime!r}: give one of {', '.join(_RUNTIMES)}")
    record = model_spec(name).record
    label = f"{name}, untrained"
    options: dict[str, Any] = {}
    if weights is not None:
        label = f"{name}, {weights.name}" if known is None else known.spec
        record, options = _record_and_options(name, weights, known)
    if input_size is not None:
        record = record.updated({"input_size": input_size}, "--embedder-input-size")
    place = _device(device)
    if place.type == "cuda" and runtime not in ("auto", "torch"):
        raise InputError(f"the runtime {runtime} computes on the CPU: use --device cpu, or runtime torch for a GPU")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model(name, weights=weights, **options).eval()
    if place.type == "cuda" or runtime == "torch":
        if threads is not None:
            torch.set_num_threads(threads)
        return TorchEmbedder(model, record, label, place, half, batch_size)
    return _exported(model, record, label, half, runtime, batch_size, threads)


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


def _exported(
    model: nn.Module,
    record: EmbeddingRecord,
    label: str,
    half: bool,
    runtime: str,
    batch_size: int,
    threads: int | None,
) -> NetworkEmbedder:
    from reid_models.export import export_onnx
    from reid_models.runtimes import load_network

    folder = tempfile.TemporaryDirectory(prefix="multicam-embedder-")
    path = Path(folder.name) / "model.onnx"
    export_onnx(model, path, record)
    network = load_network(path, runtime=runtime, threads=threads, precision="bfloat16" if half else "float32")
    embedder = _TemporaryNetworkEmbedder(network, record, batch_size, label)
    embedder.folder = folder
    return embedder


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
