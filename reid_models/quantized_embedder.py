"""Embedders in 8-bit integers: fitted to pictures of people, compared with float32 on others, kept in the cache."""

from __future__ import annotations

import hashlib
import statistics
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.embedders import EmbedderOptions
from reid_models.errors import InputError
from reid_models.preprocessing import normalize, resize_crop
from reid_models.records import EmbeddingRecord
from reid_models.runtimes import Network, PixelInput, load_network
from reid_models.runtimes.compiled_cache import file_digest
from reid_models.runtimes.export_cache import CachedExport, ExportRefused, cached_export, code_digest
from reid_models.runtimes.quantization import calibration_split, pictures_in, quantize_network

__all__ = ["LEAST_LOWEST_COSINE", "LEAST_MEDIAN_COSINE", "quantize_embedder", "quantized_file"]

#: between a picture's vectors in 8 bits and in float32: what must be reached by half of the pictures, and by all
LEAST_MEDIAN_COSINE = 0.98
LEAST_LOWEST_COSINE = 0.9
_BATCH = 8
_REPEATS = 3


def quantized_file(path: Path, record: EmbeddingRecord, options: EmbedderOptions) -> Path:
    """Return the file of an exported network's 8-bit form, made the first time; warn where it is no faster here.

    Args:
        path: ONNX file.
        record: how it is fed.
        options: with ``calibration_images``.

    Raises:
        InputError: another kind of file, too few pictures, or vectors that are too far from those in float32.
    """
    if path.suffix.lower() != ".onnx":
        raise InputError(
            f"{path.name} cannot be quantised: give an ONNX file or a model, or leave --precision int8 out"
        )
    assert options.calibration_images is not None
    export = _kept(path, record, options)
    if export.path is None:
        raise InputError(
            f"{path.name} is not run in int8 ({export.facts['refused']}): leave --precision int8 out, or calibrate "
            "with more pictures like those that it will see"
        )
    ratio = float(export.facts["times_faster"])
    if ratio < 1.05:
        warnings.warn(
            f"int8 gains nothing on this processor ({ratio:.2f} times as fast as float32), and costs exactness (median "
            f"cosine {export.facts['median_cosine']:.4f}): --precision auto is better here",
            RuntimeWarning,
            stacklevel=3,
        )
    return export.path


def quantize_embedder(
    source: Path, target: Path, record: EmbeddingRecord, pictures: Sequence[NDArray[np.uint8]], runtime: str = "auto"
) -> dict[str, Any]:
    """Write an ONNX embedder's 8-bit form; three quarters of the pictures fit it, every fourth checks it.

    Returns:
        ``median_cosine`` and ``lowest_cosine`` with float32 on the pictures it was not fitted to, ``times_faster``,
        ``runtime``, ``pictures``.

    Raises:
        ExportRefused: the vectors are too far from those in float32.
    """
    batch = np.empty((len(pictures), *record.input_size, 3), np.uint8)
    for picture, place in zip(pictures, batch):
        resize_crop(picture, place)
    learned, checked = calibration_split(len(pictures))
    parts = [batch[learned[start : start + _BATCH]] for start in range(0, len(learned), _BATCH)]
    inputs = [normalize(part, record, np.empty((len(part), 3, *record.input_size), np.float32)) for part in parts]
    quantize_network(source, target, inputs)
    pixels = PixelInput.of_shares(record.mean, record.std, red_first=record.color_order == "RGB")
    full, fast = (load_network(path, runtime=runtime, pixels=pixels) for path in (source, target))
    first, second = (np.asarray(network(batch[checked])[0], np.float64) for network in (full, fast))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = np.nan_to_num((first * second).sum(1) / np.maximum(lengths, 1e-12), nan=-1.0)
    facts: dict[str, Any] = {
        "median_cosine": round(float(np.median(cosines)), 5),
        "lowest_cosine": round(float(cosines.min()), 5),
        "times_faster": round(_times_faster(full, fast, batch[: 2 * _BATCH]), 3),
        "runtime": fast.runtime,
        "pictures": len(pictures),
    }
    if facts["median_cosine"] < LEAST_MEDIAN_COSINE or facts["lowest_cosine"] < LEAST_LOWEST_COSINE:
        raise ExportRefused(
            f"cosine with float32: median {facts['median_cosine']}, lowest {facts['lowest_cosine']}; "
            f"{LEAST_MEDIAN_COSINE} and {LEAST_LOWEST_COSINE} are asked for"
        )
    return facts


def _kept(path: Path, record: EmbeddingRecord, options: EmbedderOptions) -> CachedExport:
    assert options.calibration_images is not None
    pictures = pictures_in(options.calibration_images, "people")
    digest = hashlib.sha256()
    for _, picture in pictures:
        digest.update(repr(picture.shape).encode() + picture.tobytes())
    key = {
        "int8 of": file_digest(path),
        "pictures": digest.hexdigest(),
        "record": repr(record),
        "runtime": options.runtime,
        "code": code_digest(Path(__file__), Path(__file__).parent / "runtimes" / "quantization.py"),
    }

    def make(target: Path) -> Mapping[str, Any]:
        return quantize_embedder(path, target, record, [picture for _, picture in pictures], options.runtime)

    return cached_export(f"{path.stem.split('-')[0]}-int8", key, make)


def _times_faster(full: Network, fast: Network, batch: NDArray[np.uint8]) -> float:
    """Return how many times faster the second is, as the median over repeats in turn."""
    ratios = []
    for repeat in range(_REPEATS + 1):
        seconds = []
        for network in (full, fast):
            start = time.perf_counter()
            network(batch)
            seconds.append(time.perf_counter() - start)
        if repeat:
            ratios.append(seconds[0] / max(seconds[1], 1e-9))
    return statistics.median(ratios)
