"""``multicam reid export``: a network for other runtimes, or its weights in half the size, checked against PyTorch."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.export_files import check_export_target, write_sidecar
from apps.reid_model import load_named_model, parsed_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from apps.reid_model import NamedModel

__all__ = ["ReidExportRequest", "run_export"]

#: cosine between the exported network's embedding and PyTorch's, at least
_LEAST_COSINE = 0.9999
_SUFFIXES = (".onnx", ".xml", ".torchscript", ".pt")


@dataclass(frozen=True, slots=True)
class ReidExportRequest:
    """What ``multicam reid export`` is asked for."""

    model: str
    weights: str | None
    options: Sequence[str]
    record: Sequence[str]
    output: Path
    untrained: bool = False
    overwrite: bool = False
    offline: bool = False
    precision: str = "float32"
    calibration_images: Path | None = None


def run_export(request: ReidExportRequest) -> None:
    """Write the network, beside it how it is fed, and say how near its embeddings are to PyTorch's.

    Raises:
        InputError: the network or the file cannot be used, or the export does not compute the same.
    """
    from reid_models.errors import InputError
    from reid_models.runtimes.formats import move_network

    output, suffix = request.output, request.output.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(
            f"--output {output} must end in .onnx, .xml (OpenVINO), .torchscript, or in .pt for weights of 16 bits"
        )
    if request.precision not in ("float32", "int8"):
        raise InputError(f"--precision {request.precision}: give float32 or int8; 16 bits are chosen when it is run")
    if (request.precision == "int8") != (request.calibration_images is not None):
        raise InputError("--precision int8 and --calibration-images DIR (crops of people) go together")
    if request.precision == "int8" and suffix != ".onnx":
        raise InputError(f"--precision int8 is written as ONNX: end --output {output} in .onnx")
    check_export_target(output, overwrite=request.overwrite, sidecar=suffix != ".pt")
    named = load_named_model(
        request.model, request.weights, request.options, untrained=request.untrained, offline=request.offline
    )
    if request.record:
        changed = named.record.updated(parsed_options(request.record, "--record"), "--record")
        named = dataclasses.replace(named, record=changed)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        partial = Path(folder) / f"{output.stem}{suffix}"
        images = _images(named)
        ours = _by_pytorch(named, images)
        _write(named, partial)
        theirs = _by_export(partial, images)
        products = (ours * theirs).sum(1) / (np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1))
        if not products.min() >= _LEAST_COSINE:
            raise InputError(
                f"the export of {named.label} computes something else (cosine {products.min():.6f}): not written"
            )
        said = f"cosine with PyTorch at least {products.min():.6f}"
        if request.calibration_images is not None:
            said = _quantized(partial, named, request.calibration_images)
        move_network(partial, output)
    if suffix != ".pt":
        write_sidecar(output, dataclasses.asdict(named.record))
    height, width = named.record.input_size
    megabytes = sum(path.stat().st_size for path in _parts(output)) / 1e6
    print(f"{output}: {named.label}, {height}×{width}, {ours.shape[1]} values, {megabytes:.1f} MB; {said}")


def _images(named: NamedModel) -> NDArray[np.float32]:
    """Return noise, coarse noise and people (35, 3, H, W), as the network gets them."""
    from reid_models.check_images import check_images
    from reid_models.preprocessing import normalize

    height, width = named.record.input_size
    noise = np.random.default_rng(0).standard_normal((3, 3, height, width)).astype(np.float32)
    people = check_images(named.record.input_size)
    images = normalize(people, named.record, np.empty((len(people), 3, height, width), np.float32))
    return np.concatenate([noise, images])


def _write(named: NamedModel, path: Path) -> None:
    from reid_models.export import export_onnx, export_torchscript
    from reid_models.exported_embedder import RECORD_KEY
    from reid_models.runtimes.formats import write_openvino
    from reid_models.training.run_files import save_weights

    suffix = path.suffix
    if suffix == ".pt":
        save_weights(path, named.network, named.name, named.options, named.record, half=True)
    elif suffix == ".torchscript":
        export_torchscript(named.network, path, named.record)
    else:
        graph = path.with_suffix(".onnx")
        export_onnx(named.network, graph, named.record)
        if suffix == ".xml":
            record: dict[str, Any] = dataclasses.asdict(named.record)
            write_openvino(graph, path, {RECORD_KEY: json.dumps(record)})
            graph.unlink()


def _by_pytorch(named: NamedModel, images: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        vectors: NDArray[np.float32] = named.network(torch.from_numpy(images)).numpy()
    return vectors


def _by_export(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    from reid_models.runtimes import load_network

    if path.suffix == ".pt":
        return _by_pytorch(load_named_model(str(path), None), images)
    runtime = "onnxruntime" if path.suffix == ".onnx" else "auto"
    return np.asarray(load_network(path, runtime=runtime)(images)[0])


def _quantized(path: Path, named: NamedModel, folder: Path) -> str:
    """Put a network's 8-bit form in its place; return what it loses and gains."""
    from reid_models.errors import InputError
    from reid_models.quantized_embedder import quantize_embedder
    from reid_models.runtimes.export_cache import ExportRefused
    from reid_models.runtimes.quantization import pictures_in

    pictures = [picture for _, picture in pictures_in(folder, "people")]
    target = path.with_name("int8.onnx")
    try:
        facts = quantize_embedder(path, target, named.record, pictures)
    except ExportRefused as refused:
        raise InputError(f"{named.label} in int8: {refused}; not written") from None
    target.replace(path)
    return (
        f"int8, cosine with float32 median {facts['median_cosine']:.4f}, lowest {facts['lowest_cosine']:.4f}, "
        f"{facts['times_faster']:.2f} times as fast here"
    )


def _parts(output: Path) -> Sequence[Path]:
    from reid_models.runtimes.formats import files_of

    return files_of(output)
