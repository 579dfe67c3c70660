"""Crops in, L2-normalised vectors out: every way of embedding behind one call, :func:`create_embedder`.

What is returned has the attributes of the tracker's ``Embedder`` protocol. Importing this module imports no PyTorch.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.names import nearest_name_hint
from reid_models.preprocessing import CropBatches, check_crops, normalize
from reid_models.records import EmbeddingRecord, read_record
from reid_models.registry import list_models
from reid_models.weights import find_weights_record, list_weights, resolve_weights, shipped_weights

if TYPE_CHECKING:
    from reid_models.runtimes import Network

__all__ = ["Embedder", "NetworkEmbedder", "create_embedder", "normalized_rows"]

_CHECKPOINT_SUFFIXES = (".pt", ".pth", ".pth.tar", ".tar")
#: metadata entry that :mod:`reid_models.export` writes
_RECORD_KEY = "reid_models.record"


class Embedder(ABC):
    """Crops in, L2-normalised vectors out.

    Attributes:
        description: what runs, for a run's record: model, weights, runtime and precision.
        dimension: length D of a vector.
        default_threshold: cosine distance below which two crops are taken for one person until the video itself has
            shown a better value.
    """

    description: str
    dimension: int
    default_threshold: float

    @abstractmethod
    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N, D) float32 L2-normalised vectors of N crops (H, W, 3) BGR uint8 of any sizes; N may be 0.

        Raises:
            InputError: a crop is no such image, or the network returns vectors of another length or not finite.
        """


class BatchEmbedder(Embedder):
    """An embedder that computes on batches of resized crops."""

    def __init__(self, name: str, record: EmbeddingRecord, batch_size: int) -> None:
        self.name = name
        self.record = record
        self.default_threshold = record.default_threshold
        self._batches = CropBatches(record.input_size, batch_size)

    @abstractmethod
    def _vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vectors (n, D) of a BGR batch (n, H, W, 3), not normalised."""

    def _measure_dimension(self) -> int:
        """Return D, found by embedding one grey crop."""
        vectors = self._vectors(np.full((1, *self.record.input_size, 3), 127, np.uint8))
        if vectors.ndim != 2 or len(vectors) != 1:
            raise InputError(
                f"{self.name} returns {vectors.shape} for one crop, not one vector: it was made for another task; give "
                "a person re-identification network"
            )
        return vectors.shape[1]

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        check_crops(crops)
        vectors = np.empty((len(crops), self.dimension), np.float32)
        done = 0
        for batch in self._batches(crops):
            result = self._vectors(batch)
            if result.shape != (len(batch), self.dimension):
                raise InputError(
                    f"the embedder {self.name} returned {result.shape} for {len(batch)} crops, after vectors of "
                    f"{self.dimension}: their length must not change; export the network again"
                )
            vectors[done : done + len(batch)] = result
            done += len(batch)
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            raise InputError(
                f"the embedder {self.name} returned values that are not finite for {len(broken)} of {len(crops)} crops,"
                " so it cannot compare people: use other weights, or full precision"
            )
        return normalized_rows(vectors)


class NetworkEmbedder(BatchEmbedder):
    """An exported network run by OpenVINO or ONNX Runtime.

    Args:
        network: one image input, one output (batch, D).
        record: how to feed it.
        batch_size: crops per call.
        name: for messages and, with the runtime, for ``description``; ``None``: the network's own.
    """

    def __init__(self, network: Network, record: EmbeddingRecord, batch_size: int, name: str | None = None) -> None:
        super().__init__(name or network.path.name, record, batch_size)
        self._network = network
        self._input = np.empty((batch_size, 3, *record.input_size), np.float32)
        self.dimension = self._measure_dimension()
        self.description = f"{self.name} ({network.runtime} {network.precision})" if name else network.description

    def _vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._network(normalize(batch, self.record, self._input))[0], np.float32)


def create_embedder(
    spec: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    half: bool = False,
    runtime: str = "auto",
    batch_size: int = 32,
    input_size: tuple[int, int] | None = None,
    threads: int | None = None,
    untrained: bool = False,
    offline: bool | None = None,
) -> Embedder:
    """Return what turns crops of people into vectors.

    Args:
        spec: name of a model (with ``weights``, unless some come with this package), ``"MODEL:WEIGHTS"``, an ONNX file,
            a checkpoint file of a known architecture, or ``"color_histogram"``, which needs no network.
        weights: for a model name: checkpoint, or the name of weights (:func:`reid_models.weights.list_weights`),
            fetched the first time.
        device: ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``. ONNX files run on the CPU.
        half: 16-bit precision where the device is faster with it.
        runtime: ``"auto"``, ``"torch"``, ``"openvino"`` or ``"onnxruntime"``. On the CPU ``"auto"`` exports a model in
            memory and runs it by OpenVINO, which gives the same vectors several times faster.
        batch_size: crops per call of the network.
        input_size: (height, width) instead of the recorded one.
        threads: processor threads; ``None``: the runtime's own choice.
        untrained: take a model name without weights, whose vectors mean nothing: for tests of speed and plumbing.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.

    Raises:
        InputError: an unknown name (the nearest is suggested), a model without weights, weights that cannot be
            fetched, a file that is no embedder, or an option that the runtime does not have.
    """
    path = Path(spec)
    if spec == "color_histogram":
        from reid_models.color_histogram import ColorHistogram

        return ColorHistogram()
    if path.suffix.lower() == ".onnx" and spec.partition(":")[0] not in list_models():
        if weights is not None:
            raise InputError(f"{spec} holds its own weights: leave --embedder-weights {weights} out")
        return _onnx_embedder(path, device, half, runtime, batch_size, input_size, threads)
    spec, weights = _model_and_weights(spec, weights)
    if weights is None and not untrained:
        shipped = shipped_weights(spec)
        if shipped is None:
            raise InputError(
                f"the embedder {spec} was given no weights, and an untrained network cannot tell people apart: add "
                f"--embedder-weights FILE with a published checkpoint{_named_weights_hint(spec)}, or use --embedder "
                "color_histogram, which needs none"
            )
        weights = shipped.name
    if weights is not None and Path(weights).suffix.lower() == ".onnx":
        raise InputError(f"{weights} is an exported network: give it alone, --embedder {weights}, without a model name")
    file, known = (None, None) if weights is None else resolve_weights(spec, weights, offline=offline)
    from reid_models.torch_embedder import create_model_embedder

    return create_model_embedder(
        spec,
        weights=file,
        known=known,
        device=device,
        half=half,
        runtime=runtime,
        batch_size=batch_size,
        input_size=input_size,
        threads=threads,
    )


def _model_and_weights(spec: str, weights: str | os.PathLike[str] | None) -> tuple[str, str | os.PathLike[str] | None]:
    """Return the model's name, and what was given as its weights."""
    models = list_models()
    name, colon, given = spec.partition(":")
    if colon and name in models:
        if weights is not None or not given:
            problem = "names its weights itself" if given else "ends where the weights' name or file should follow"
            raise InputError(f"{spec} {problem}: give --embedder {name}:{given or 'NAME'} and no --embedder-weights")
        return name, given
    if spec in models:
        return spec, weights
    if not spec.lower().endswith(_CHECKPOINT_SUFFIXES):
        known = [*models, "color_histogram"]
        raise InputError(f"unknown embedder {spec!r}: {nearest_name_hint(name, known)} Or give an ONNX file.")
    from reid_models.checkpoints import read_description, read_state_dict, recognize_architecture

    state = read_state_dict(spec)
    found = read_description(Path(spec)).get("architecture") or recognize_architecture(state)
    if found is None:
        raise InputError(f"{spec} is a checkpoint of no architecture known here: {', '.join(models)}")
    return found, Path(spec)


def _named_weights_hint(model: str) -> str:
    names = [record.spec for record in list_weights(model) if not record.trunk_only and record.name != "imagenet"]
    return f", or --embedder {names[0]}, which fetches it" if names else ""


def _onnx_embedder(
    path: Path,
    device: str,
    half: bool,
    runtime: str,
    batch_size: int,
    input_size: tuple[int, int] | None,
    threads: int | None,
) -> NetworkEmbedder:
    from reid_models.runtimes import load_network

    if device not in ("auto", "cpu"):
        raise InputError(f"ONNX embedders such as {path.name} run on the CPU, not on {device!r}: leave --device out")
    network = load_network(path, runtime=runtime, threads=threads, precision="bfloat16" if half else "float32")
    height, width = _image_axes(network)
    record = EmbeddingRecord()
    known = find_weights_record(path)
    if known is not None and known.default_threshold is not None:
        record = record.updated({"default_threshold": known.default_threshold}, path.name)
    size = (height or record.input_size[0], width or record.input_size[1])
    record = record.updated({"input_size": size}, path.name)
    stored = network.metadata.get(_RECORD_KEY)
    if stored is not None:
        record = record.updated(_parsed_metadata(stored, path), f"the metadata of {path.name}")
    sidecar = path.with_suffix(".json")
    if sidecar.is_file():
        record = read_record(sidecar, record)
    if input_size is not None:
        record = record.updated({"input_size": input_size}, "--embedder-input-size")
    fits = all(wanted in (None, given) for wanted, given in zip((height, width), record.input_size, strict=True))
    if not fits:
        raise InputError(
            f"{path.name} takes images of {height}×{width} only, not {record.input_size[0]}×{record.input_size[1]}"
        )
    return NetworkEmbedder(network, record, batch_size)


def _parsed_metadata(stored: str, path: Path) -> dict[str, object]:
    try:
        changes = json.loads(stored)
    except json.JSONDecodeError:
        changes = None
    if not isinstance(changes, dict):
        raise InputError(f"the metadata {_RECORD_KEY} of {path.name} is no JSON object: export the network again")
    return changes


def _image_axes(network: Network) -> tuple[int | None, int | None]:
    """Return the (height, width) the graph fixes, after checking that it can be an embedder."""
    name = network.path.name
    another_task = f"{name} was made for another task"
    advice = "give a person re-identification network: one image input (batch, 3, height, width), one vector per image"
    task = network.metadata.get("task")
    if task in ("detect", "segment", "pose", "classify", "obb"):
        raise InputError(f"{another_task} ({task}); {advice}")
    if len(network.inputs) != 1:
        raise InputError(f"{another_task}: it has {len(network.inputs)} inputs; {advice}")
    port = network.inputs[0]
    if len(port.shape) != 4 or port.shape[1] not in (3, None) or port.dtype.kind != "f":
        raise InputError(f"{another_task}: its input is {port.dtype} {_shape(port.shape)}; {advice}")
    if len(network.outputs) != 1 or len(network.outputs[0].shape) != 2:
        shapes = ", ".join(_shape(output.shape) for output in network.outputs)
        raise InputError(f"{another_task}: it returns {shapes}; {advice}")
    return port.shape[2], port.shape[3]


def _shape(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


def normalized_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (N, D) scaled to length 1; a vector of zeros stays, at distance 1 from all."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: NDArray[np.float32] = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
    return result
