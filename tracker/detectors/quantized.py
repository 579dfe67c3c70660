"""Detectors in 8-bit integers: fitted to pictures, compared with float32 on others, kept in the cache."""

from __future__ import annotations

import hashlib
import re
import statistics
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.runtimes import read_signature
from reid_models.runtimes.compiled_cache import file_digest
from reid_models.runtimes.export_cache import ExportRefused, cached_export, code_digest
from reid_models.runtimes.quantization import calibration_split, pictures_in, quantize_network
from tracker.association.costs import iou, matrix
from tracker.detections import Detections
from tracker.detectors.onnx import OnnxDetector
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = ["LEAST_SHARE", "quantize_detector", "quantized_file"]

#: of the boxes that float32 is sure of, so many must be found in 8 bits, and the other way round
LEAST_SHARE = 0.9
_SURE = 0.4
_LEAST_OVERLAP = 0.7
_REPEATS = 3


def quantized_file(path: Path, folder: Path, runtime: str) -> Path:
    """Return the file of an exported detector's 8-bit form, made the first time; warn where it is no faster here.

    Raises:
        InputError: no ONNX file, too few pictures, or boxes that are too far from those in float32.
    """
    if path.suffix.lower() != ".onnx":
        raise InputError(f"{path.name} cannot be quantised: give an ONNX file, or leave --precision int8 out")
    try:
        pictures = [picture for _, picture in pictures_in(folder, "what the cameras see")]
    except ValueError as error:  # the ReID half's InputError; each half has its own
        raise InputError(str(error)) from error
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(repr(picture.shape).encode() + picture.tobytes())
    key = {
        "int8 of": file_digest(path),
        "pictures": digest.hexdigest(),
        "runtime": runtime,
        "code": code_digest(Path(__file__)),
    }

    def make(target: Path) -> Mapping[str, Any]:
        return quantize_detector(path, target, pictures, runtime)

    export = cached_export(f"{path.stem.split('-')[0]}-int8", key, make)
    if export.path is None:
        raise InputError(
            f"{path.name} is not run in int8 ({export.facts['refused']}): leave --precision int8 out, or calibrate "
            "with more pictures like those that it will see"
        )
    ratio = float(export.facts["times_faster"])
    if ratio < 1.05:
        warnings.warn(
            f"int8 gains nothing on this processor ({ratio:.2f} times as fast as float32): --precision auto is better",
            RuntimeWarning,
            stacklevel=3,
        )
    return export.path


def quantize_detector(
    source: Path, target: Path, pictures: Sequence[NDArray[np.uint8]], runtime: str = "auto"
) -> dict[str, Any]:
    """Write an ONNX detector's 8-bit form; three quarters of the pictures fit it, every fourth checks it.

    The last layers, from which boxes are computed, stay float32: a step of 8 bits there is pixels.

    Returns:
        ``found`` (share of float32's boxes that 8 bits find, with an overlap of 0.7), ``right`` (the other way round),
        ``boxes`` of float32 that this is of, ``times_faster``, ``pictures``.

    Raises:
        ExportRefused: either share is below 0.9, or the pictures show nobody to check with.
    """
    full = OnnxDetector(source, confidence=_SURE, classes=None, runtime=runtime)
    learned, checked = calibration_split(len(pictures))
    inputs = [full.network_input(pictures[index]) for index in learned]
    quantize_network(source, target, inputs, left_out=_head(source))
    fast = OnnxDetector(target, confidence=_SURE, classes=None, runtime=runtime)
    frames = [Frame("calibration", index, 0.0, pictures[index]) for index in checked]
    # a box just below the limit on one side is no error of the other
    loose = [OnnxDetector(p, confidence=0.6 * _SURE, classes=None, runtime=runtime) for p in (source, target)]
    sure, ours = full.detect(frames), fast.detect(frames)
    boxes = sum(map(len, sure))
    if not boxes:
        raise ExportRefused("the pictures show nothing that the detector knows, so nothing can be compared")
    facts: dict[str, Any] = {
        "found": round(_share(sure, loose[1].detect(frames)), 4),
        "right": round(_share(ours, loose[0].detect(frames)), 4),
        "boxes": boxes,
        "times_faster": round(_times_faster(full, fast, frames[:4]), 3),
        "pictures": len(pictures),
    }
    if min(facts["found"], facts["right"]) < LEAST_SHARE:
        raise ExportRefused(
            f"8 bits find {100 * facts['found']:.1f} % of {boxes} boxes of float32, and {100 * facts['right']:.1f} % "
            f"of theirs are right; {100 * LEAST_SHARE:.0f} % are asked for"
        )
    return facts


def _share(wanted: Sequence[Detections], found: Sequence[Detections]) -> float:
    """Return the share of boxes that overlap one of the same class on the other side."""
    hits = total = 0
    for one, other in zip(wanted, found):
        total += len(one)
        if len(one) and len(other):
            overlaps = matrix(iou, one.boxes.T, other.boxes.T) * (one.classes[:, None] == other.classes[None])
            hits += int((overlaps.max(axis=1) >= _LEAST_OVERLAP).sum())
    return hits / total if total else 1.0


def _head(source: Path) -> list[str]:
    """Return the convolutions of an ultralytics export's last module; none for other networks."""
    import onnx

    if "names" not in read_signature(source).metadata:
        return []
    names = [node.name for node in onnx.load(source, load_external_data=False).graph.node if node.op_type == "Conv"]
    numbers = {name: int(found[1]) for name in names if (found := re.search(r"/model\.(\d+)/", name))}
    last = max(numbers.values(), default=-1)
    return [name for name, number in numbers.items() if number == last]


def _times_faster(full: OnnxDetector, fast: OnnxDetector, frames: Sequence[Frame]) -> float:
    ratios = []
    for repeat in range(_REPEATS + 1):
        seconds = []
        for detector in (full, fast):
            start = time.perf_counter()
            detector.detect(frames)
            seconds.append(time.perf_counter() - start)
        if repeat:
            ratios.append(seconds[0] / max(seconds[1], 1e-9))
    return statistics.median(ratios)
