"""ReID networks with random weights as functions of bytes, one for each way to run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.check_images import check_images
from reid_models.preprocessing import normalize
from reid_models.records import EmbeddingRecord

__all__ = [
    "NetworkSide",
    "exported_network",
    "multiply_adds_per_second",
    "network_of_bytes",
    "quantized_network",
    "run_torch",
    "set_threads",
    "torch_side",
    "unit_rows",
]

_CALIBRATION_BATCH = 8


@dataclass(frozen=True, slots=True)
class NetworkSide:
    """A network (n, H, W, 3) of BGR bytes → (n, D), and what it computes in."""

    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    precision: str = "float32"


def exported_network(name: str, record: EmbeddingRecord, path: Path) -> Any:
    """Write the model called ``name`` as ONNX, and return it as PyTorch's."""
    from reid_models.export import export_onnx

    model = _network(name)
    export_onnx(model, path, record)
    return model


def network_of_bytes(
    path: Path, record: EmbeddingRecord, engine: str, precision: str, threads: int | None
) -> NetworkSide:
    """Return an exported network that normalises bytes itself."""
    from reid_models.exported_embedder import pixel_input
    from reid_models.runtimes import load_network

    network = load_network(path, runtime=engine, precision=precision, threads=threads, pixels=pixel_input(record))
    return NetworkSide(lambda batch: np.asarray(network(batch)[0]), network.precision)


def quantized_network(path: Path, record: EmbeddingRecord, target: Path) -> Path:
    """Write the 8-bit form of an exported network, fitted to the pictures that every network is checked on."""
    from reid_models.runtimes.quantization import quantize_network

    images = check_images(record.input_size)
    shape = (_CALIBRATION_BATCH, 3, *record.input_size)
    parts = [images[start : start + _CALIBRATION_BATCH] for start in range(0, len(images), _CALIBRATION_BATCH)]
    quantize_network(path, target, [normalize(part, record, np.empty(shape, np.float32)) for part in parts])
    return target


def torch_side(name: str, record: EmbeddingRecord, layout: Any) -> NetworkSide:
    """Return the model called ``name`` run by PyTorch eagerly, normalised before it by NumPy."""
    model = _network(name).to(memory_format=layout)

    def run(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        images = torch.from_numpy(normalize(batch, record, np.empty((len(batch), 3, *record.input_size), np.float32)))
        return run_torch(model, images.contiguous(memory_format=layout))

    return NetworkSide(run)


def run_torch(model: Any, images: Any) -> NDArray[np.float32]:
    """Return the vectors (n, D) of a PyTorch model."""
    import torch

    with torch.inference_mode():
        vectors: NDArray[np.float32] = model(images).numpy()
    return vectors


def multiply_adds_per_second(threads: int | None = None) -> float:
    """Return how many multiply-adds in float32 this machine does in a second, by a matrix product of 1024."""
    import torch

    from benchmarks.alternating import measure_in_turn

    set_threads(threads)
    first, second = torch.rand(1024, 1024), torch.rand(1024, 1024)
    seconds = measure_in_turn({"product": lambda: torch.mm(first, second)}, 15)["product"].wall
    return float(1024**3 / min(seconds))


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (n, D) scaled to length 1."""
    result: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


def set_threads(threads: int | None) -> None:
    """Let PyTorch use so many threads; ``None``: its own choice."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _network(name: str) -> Any:
    import torch

    from reid_models.registry import create_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return create_model(name).eval()
