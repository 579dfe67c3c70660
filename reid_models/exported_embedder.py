"""Exported networks as embedders: files of ONNX, OpenVINO and TorchScript, fed as their record says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_models.check_images import check_images, least_cosine
from reid_models.embedders import BatchEmbedder, EmbedderOptions
from reid_models.errors import InputError
from reid_models.records import EmbeddingRecord, read_record
from reid_models.runtimes import Network, PixelInput, load_network
from reid_models.runtimes.signature import Signature, read_signature
from reid_models.weights import find_weights_record

__all__ = [
    "RECORD_KEY",
    "NetworkEmbedder",
    "file_embedder",
    "keeps_vectors",
    "open_for_crops",
    "pixel_input",
    "stored_record",
]

#: a network of bytes
Vectors = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

#: metadata entry of an exported file that holds the embedding record as JSON
RECORD_KEY = "reid_models.record"
#: lowest cosine with float32 at which bfloat16 is chosen without being asked for
_LEAST_COSINE_OF_BFLOAT16 = 0.999


class NetworkEmbedder(BatchEmbedder):
    """An exported network that takes bytes and normalises them itself.

    Args:
        network: one input (batch, H, W, 3) of BGR bytes, one output (batch, D).
        record: how it is fed.
        batch_size: crops per call.
        name: for messages and, with the runtime, for ``description``; ``None``: the network's own.
    """

    def __init__(self, network: Network, record: EmbeddingRecord, batch_size: int, name: str | None = None) -> None:
        super().__init__(name or network.path.name, record, batch_size)
        self._network = network
        self.dimension = self._measure_dimension()
        self.description = f"{self.name} ({network.runtime} {network.precision})" if name else network.description

    def _vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._network(batch)[0], np.float32)


def pixel_input(record: EmbeddingRecord) -> PixelInput:
    """Return how a record's network is fed with bytes."""
    return PixelInput.of_shares(record.mean, record.std, red_first=record.color_order == "RGB")


def open_for_crops(path: Path, record: EmbeddingRecord, options: EmbedderOptions) -> Network:
    """Return an exported file as a network of bytes, in the precision that was asked for.

    ``"auto"`` is bfloat16 where OpenVINO runs on a processor that has it and test images get the same vectors.
    """
    from reid_models.runtimes.openvino_backend import processor_has_bfloat16

    pixels = pixel_input(record)

    def opened(precision: str) -> Network:
        return load_network(
            path,
            runtime=options.runtime,
            threads=options.threads,
            precision=precision,
            pixels=pixels,
            keep_compiled=True,
        )

    if options.precision == "float16":
        raise InputError("float16 is for GPUs: on the processor give --precision bfloat16")
    if options.half or options.precision == "bfloat16":
        return opened("bfloat16")
    full = opened("float32")
    if options.precision != "auto" or full.runtime != "openvino" or full.precision != "float32":
        return full
    if not processor_has_bfloat16():
        return full
    fast = opened("bfloat16")
    close = keeps_vectors(lambda images: full(images)[0], lambda images: fast(images)[0], record)
    return fast if close else full


def keeps_vectors(full: Vectors, fast: Vectors, record: EmbeddingRecord) -> bool:
    """Return whether a network in bfloat16 gives test images the vectors that it gives them in float32.

    Args:
        full: (n, H, W, 3) BGR uint8 → (n, D) in float32.
        fast: the same in bfloat16.
        record: how both are fed.
    """
    images = check_images(record.input_size)
    return least_cosine(full(images), fast(images)) >= _LEAST_COSINE_OF_BFLOAT16


def file_embedder(path: Path, options: EmbedderOptions) -> NetworkEmbedder:
    """Return an exported file as an embedder.

    Raises:
        InputError: it cannot be read or is of another task, or its record cannot be used.
    """
    if options.device not in ("auto", "cpu"):
        kind = "ONNX" if path.suffix.lower() == ".onnx" else "exported"
        raise InputError(
            f"{kind} embedders such as {path.name} run on the CPU, not on {options.device!r}: leave --device out"
        )
    declared = read_signature(path)
    record = stored_record(path, declared)
    height, width = _image_axes(path, declared)
    if options.input_size is not None:
        record = record.updated({"input_size": options.input_size}, "--embedder-input-size")
    fits = all(wanted in (None, given) for wanted, given in zip((height, width), record.input_size, strict=True))
    if not fits:
        raise InputError(
            f"{path.name} takes images of {height}×{width} only, not {record.input_size[0]}×{record.input_size[1]}"
        )
    if options.calibration_images is not None:
        from reid_models.quantized_embedder import quantized_file

        path = quantized_file(path, record, options)
    return NetworkEmbedder(open_for_crops(path, record, options), record, options.batch_size)


def stored_record(path: Path, declared: Signature) -> EmbeddingRecord:
    """Return how a file's network is fed: as its name tells, what it holds, and a JSON file beside it."""
    height, width = _image_axes(path, declared)
    record = EmbeddingRecord()
    known = find_weights_record(path)
    if known is not None and known.default_threshold is not None:
        record = record.updated({"default_threshold": known.default_threshold}, path.name)
    size = (height or record.input_size[0], width or record.input_size[1])
    record = record.updated({"input_size": size}, path.name)
    stored = declared.metadata.get(RECORD_KEY)
    if stored is not None:
        record = record.updated(_parsed_metadata(stored, path), f"the metadata of {path.name}")
    sidecar = path.with_suffix(".json")
    return read_record(sidecar, record) if sidecar.is_file() else record


def _parsed_metadata(stored: str, path: Path) -> dict[str, object]:
    try:
        changes = json.loads(stored)
    except json.JSONDecodeError:
        changes = None
    if not isinstance(changes, dict):
        raise InputError(f"the metadata {RECORD_KEY} of {path.name} is no JSON object: export the network again")
    return changes


def _image_axes(path: Path, declared: Signature) -> tuple[int | None, int | None]:
    """Return the (height, width) the graph fixes, after checking that it can be an embedder."""
    name = path.name
    another_task = f"{name} was made for another task"
    advice = "give a person re-identification network: one image input (batch, 3, height, width), one vector per image"
    task = declared.metadata.get("task")
    if task in ("detect", "segment", "pose", "classify", "obb"):
        raise InputError(f"{another_task} ({task}); {advice}")
    if len(declared.inputs) != 1:
        raise InputError(f"{another_task}: it has {len(declared.inputs)} inputs; {advice}")
    port = declared.inputs[0]
    if len(port.shape) != 4 or port.shape[1] not in (3, None) or port.dtype.kind != "f":
        raise InputError(f"{another_task}: its input is {port.dtype} {_shape(port.shape)}; {advice}")
    if len(declared.outputs) != 1 or len(declared.outputs[0].shape) != 2:
        shapes = ", ".join(_shape(output.shape) for output in declared.outputs)
        raise InputError(f"{another_task}: it returns {shapes}; {advice}")
    return port.shape[2], port.shape[3]


def _shape(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
