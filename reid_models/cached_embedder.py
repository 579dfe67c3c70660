"""Models of this library on the processor: exported once, compared with PyTorch, and run from the cache ever after."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.check_images import check_images, least_cosine
from reid_models.embedders import BatchEmbedder, EmbedderOptions
from reid_models.errors import InputError
from reid_models.exported_embedder import NetworkEmbedder, open_for_crops, pixel_input, stored_record
from reid_models.records import EmbeddingRecord
from reid_models.runtimes import Network, load_network
from reid_models.runtimes.compiled_cache import file_digest
from reid_models.runtimes.export_cache import (
    CachedExport,
    ExportRefused,
    cached_export,
    code_digest,
    installed,
    note_in_export,
)
from reid_models.runtimes.signature import read_signature
from reid_models.weights import WeightsRecord

__all__ = ["LEAST_COSINE", "CachedEmbedder", "cached_model_embedder"]

#: lowest cosine between an export's embeddings and PyTorch's
LEAST_COSINE = 0.9999
#: people of the video itself on whom a new export is compared once more
_CROPS_COMPARED = 16


class CachedEmbedder(NetworkEmbedder):
    """A model's export out of the cache.

    In the run that made the export PyTorch's network is there too: until it has seen 16 crops of the video, both
    embed, and the export goes on alone if their vectors agree; if not, PyTorch does, and the export is not used again.
    Either way a crop's vector is the same in this run and in later ones.
    """

    def __init__(
        self,
        network: Network,
        record: EmbeddingRecord,
        batch_size: int,
        name: str,
        export: CachedExport,
        original: BatchEmbedder | None,
    ) -> None:
        # not before the first crop of the video: what is measured while this is built is a grey picture
        self._original: BatchEmbedder | None = None
        self._refused = False
        self._compared = 0
        super().__init__(network, record, batch_size, name)
        self._export = export
        self._original = original

    def _vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._refused and self._original is not None:
            return self._original.vectors_of_batch(batch)
        vectors = super()._vectors(batch)
        if self._original is None or not len(batch):
            return vectors
        expected = self._original.vectors_of_batch(batch)
        cosine = least_cosine(vectors, expected)
        if cosine < LEAST_COSINE:
            reason = f"cosine with PyTorch {cosine:.6f} on crops of a video"
            note_in_export(self._export, refused=reason)
            _warn(self.name, reason)
            self._refused, self.description = True, self._original.description
            return expected
        self._compared += len(batch)
        if self._compared >= _CROPS_COMPARED:
            note_in_export(self._export, crops_of_a_video=self._compared)
            self._original = None
        return vectors


def cached_model_embedder(
    name: str, weights: Path | None, known: WeightsRecord | None, options: EmbedderOptions
) -> BatchEmbedder:
    """Return the model called ``name`` as an embedder on the processor.

    Args:
        weights: checkpoint file; ``None``: untrained.
        known: what is known of these weights, where they were given by name.

    Raises:
        InputError: as :func:`reid_models.embedder.create_embedder`.
    """
    if weights is not None and not weights.is_file():
        raise InputError(f"the checkpoint {weights} {'is a folder' if weights.is_dir() else 'does not exist'}")
    built: dict[str, Any] = {}

    def make(path: Path) -> Mapping[str, Any]:
        from reid_models.export import export_onnx
        from reid_models.torch_embedder import TorchEmbedder, build_network, torch_processor

        model, record, label = build_network(name, weights, known, options.input_size)
        export_onnx(model, path, record)
        original = TorchEmbedder(model, record, label, torch_processor(), "float32", options.batch_size)
        built["original"] = original
        return {"label": label, "cosine": _compared(path, record, original)}

    export = cached_export(name, _key(name, weights, known, options), make)
    original: BatchEmbedder | None = built.get("original")
    if export.path is None:
        from reid_models.torch_embedder import create_torch_embedder

        _warn(name, export.facts["refused"])
        precision = "auto" if options.precision == "int8" else options.precision
        plain = replace(options, device="cpu", runtime="torch", precision=precision, calibration_images=None)
        return create_torch_embedder(name, weights, known, plain)
    record, path = stored_record(export.path, read_signature(export.path)), export.path
    if options.calibration_images is not None:
        from reid_models.quantized_embedder import quantized_file

        path, original = quantized_file(path, record, options), None
    network = open_for_crops(path, record, options)
    if network.precision != "float32":
        original = None
    return CachedEmbedder(network, record, options.batch_size, str(export.facts["label"]), export, original)


def _compared(path: Path, record: EmbeddingRecord, original: BatchEmbedder) -> dict[str, float]:
    """Return the lowest cosine with PyTorch of every installed runtime, on pictures of people and noise.

    Raises:
        ExportRefused: one is too low.
    """
    images = check_images(record.input_size)
    expected = original.vectors_of_batch(images)
    cosines = {}
    for runtime in installed():
        found = load_network(path, runtime=runtime, pixels=pixel_input(record))(images)[0]
        cosines[runtime] = round(least_cosine(found, expected), 8)
        if cosines[runtime] < LEAST_COSINE:
            raise ExportRefused(f"cosine with PyTorch {cosines[runtime]:.6f} in {runtime}, on test pictures")
    return cosines


def _key(name: str, weights: Path | None, known: WeightsRecord | None, options: EmbedderOptions) -> dict[str, Any]:
    """Return all that decides what an export of these weights is: their content, how they are fed, and our code."""
    here = Path(__file__).parent
    sidecar = None
    if weights is not None and weights.with_suffix(".json").is_file():
        sidecar = weights.with_suffix(".json").read_text(encoding="utf-8", errors="replace")
    return {
        "architecture": name,
        "weights": None if weights is None else file_digest(weights),
        "label": None if weights is None else weights.name if known is None else known.spec,
        "input_size": options.input_size,
        "record": sidecar,
        "code": code_digest(
            here / "architectures", here / "export.py", here / "registry.py", here / "records.py",
            here / "torch_embedder.py", here / "weights_records.py", Path(__file__),
        ),
    }  # fmt: skip


def _warn(name: str, reason: str) -> None:
    warnings.warn(
        f"the export of {name} is not used ({reason}): PyTorch runs the network, several times slower",
        RuntimeWarning,
        stacklevel=4,
    )
