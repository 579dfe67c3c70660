"""``multicam detector export``: a detector for other runtimes, checked against PyTorch on the same pictures."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.export_files import check_export_target, write_sidecar
from tracker.errors import InputError

__all__ = ["DetectorExportRequest", "run_export"]

_SUFFIXES = (".onnx", ".xml", ".torchscript")


@dataclass(frozen=True, slots=True)
class DetectorExportRequest:
    """What ``multicam detector export`` is asked for."""

    detector: str
    output: Path
    image_size: int = 640
    precision: str = "float32"
    calibration_images: Path | None = None
    overwrite: bool = False
    offline: bool = False


def run_export(request: DetectorExportRequest) -> None:
    """Write the detector, beside it how it is fed, and say how near its boxes are to PyTorch's.

    Raises:
        InputError: the detector or the file cannot be used, or the export does not compute the same.
    """
    from reid_models.runtimes.export_cache import ExportRefused
    from reid_models.runtimes.formats import files_of, move_network

    output = request.output
    _check(request)
    check_export_target(output, overwrite=request.overwrite, sidecar=True)
    source = _file(request)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        partial = Path(folder) / f"{output.stem}{output.suffix.lower()}"
        try:
            said = _write(source, partial, request)
        except ExportRefused as refused:
            raise InputError(f"{request.detector}: {refused}; not written") from None
        record, layout = _record(partial)
        move_network(partial, output)
    write_sidecar(output, record)
    megabytes = sum(path.stat().st_size for path in files_of(output)) / 1e6
    print(f"{output}: {source.name} ({layout}), {megabytes:.1f} MB; {said}")


def _check(request: DetectorExportRequest) -> None:
    suffix = request.output.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(f"--output {request.output} must end in .onnx, .xml (OpenVINO) or .torchscript")
    if request.image_size < 32:
        raise InputError(f"--image-size {request.image_size} is too small: give 32 or more")
    if request.precision not in ("float32", "int8"):
        raise InputError(f"--precision {request.precision}: give float32 or int8; 16 bits are chosen when it is run")
    if (request.precision == "int8") != (request.calibration_images is not None):
        raise InputError("--precision int8 and --calibration-images DIR (pictures of the cameras) go together")
    if request.precision == "int8" and suffix != ".onnx":
        raise InputError(f"--precision int8 is written as ONNX: end --output {request.output} in .onnx")


def _file(request: DetectorExportRequest) -> Path:
    """Return the file that is exported, fetched if it is a name.

    Raises:
        InputError: there is none, or it is of a kind that cannot be exported.
    """
    from tracker.detectors.shipped import shipped_detector
    from tracker.detectors.yolo import import_ultralytics, known_model_file, resolve_model

    found = shipped_detector(request.detector) or known_model_file(request.detector)
    if found is None and request.detector.lower().endswith(".onnx"):
        raise InputError(f"detector file {request.detector} does not exist")
    if found is None:
        import_ultralytics()
        found = resolve_model(request.detector, request.offline)
    suffix = found.suffix.lower()
    if suffix not in (".pt", ".onnx"):
        raise InputError(f"{found} cannot be exported: give a .pt model of ultralytics or an .onnx file")
    if suffix == ".onnx" and request.output.suffix.lower() == ".torchscript":
        raise InputError(f"{found.name} is no PyTorch model: TorchScript is made from .pt files, give .onnx or .xml")
    return found


def _write(source: Path, target: Path, request: DetectorExportRequest) -> str:
    """Write the network; return how it compares."""
    from reid_models.runtimes.formats import write_openvino
    from reid_models.runtimes.signature import read_signature
    from tracker.detectors.conversion import compare_files, export_onnx, export_torchscript

    if target.suffix == ".torchscript":
        return _differences(export_torchscript(source, target, request.image_size))
    graph, said = source, "copied as it is"
    if source.suffix.lower() == ".pt":
        graph = target.with_name("float32.onnx")
        said = _differences(export_onnx(source, graph, request.image_size)["differences"])
    if target.suffix == ".xml":
        try:
            metadata = read_signature(graph).metadata
        except ValueError as error:
            raise InputError(str(error)) from error
        write_openvino(graph, target, metadata)
        return said if source.suffix.lower() == ".pt" else compare_files(graph, target)
    if request.calibration_images is not None:
        return _quantized(graph, target, request.calibration_images)
    target.write_bytes(graph.read_bytes())
    return said


def _differences(found: dict[str, Any]) -> str:
    box = max(float(pair["box"]) for pair in found.values())
    score = max(float(pair["score"]) for pair in found.values())
    return f"boxes within {box:.4f} pixels of PyTorch's, scores within {score:.5f}"


def _quantized(source: Path, target: Path, folder: Path) -> str:
    from reid_models.runtimes.quantization import pictures_in
    from tracker.detectors.quantized import quantize_detector

    try:
        pictures = [picture for _, picture in pictures_in(folder, "what the cameras see")]
    except ValueError as error:
        raise InputError(str(error)) from error
    facts = quantize_detector(source, target, pictures)
    return (
        f"int8, finds {100 * facts['found']:.1f} % of {facts['boxes']} boxes of float32, "
        f"{100 * facts['right']:.1f} % of its own are right, {facts['times_faster']:.2f} times as fast here"
    )


def _record(path: Path) -> tuple[dict[str, Any], str]:
    """Return what is written beside the network, and its kind; opening it shows that it can be used."""
    from tracker.detectors.detector_record import DetectorRecord
    from tracker.detectors.onnx import OnnxDetector

    found = OnnxDetector(path, classes=None)
    names = tuple(sorted((int(number), str(name)) for number, name in found.class_names.items()))
    kind = found.layout.kind
    record = dataclasses.replace(DetectorRecord.of_kind(kind), input_size=found.input_size, names=names)
    return record.as_json(kind), kind
