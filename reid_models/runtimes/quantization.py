"""Networks in 8-bit integers: ranges learned from pictures, then checked on others."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError

__all__ = ["MAXIMUM_PICTURES", "calibration_split", "pictures_in", "quantize_network"]

#: of a folder at most so many are used, evenly spread over its names
MAXIMUM_PICTURES = 128
#: fewer say nothing about ranges, and leave none to check with
_LEAST_PICTURES = 8
#: the first in which scales of single channels may be stored
_OPSET = 13
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def pictures_in(folder: Path, what: str) -> list[tuple[Path, NDArray[np.uint8]]]:
    """Return pictures (H, W, 3) BGR uint8 of a folder and those in it, at most 128, with their files.

    Args:
        what: what they should show, for messages.

    Raises:
        InputError: no such folder, or fewer than eight pictures that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"--calibration-images {folder} is no folder: give one with at least 8 pictures of {what}")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if len(files) > MAXIMUM_PICTURES:
        files = [files[index] for index in np.linspace(0, len(files) - 1, MAXIMUM_PICTURES).astype(int)]
    found = [(path, np.asarray(image, np.uint8)) for path in files if (image := cv2.imread(str(path))) is not None]
    if len(found) < _LEAST_PICTURES:
        raise InputError(
            f"--calibration-images {folder} holds {len(found)} pictures that can be read: give at least 8 of {what}"
        )
    return found


def calibration_split(count: int) -> tuple[list[int], list[int]]:
    """Return which of ``count`` pictures the ranges are learned from, and which the result is checked on: every 4th."""
    checked = list(range(3, count, 4))
    return [index for index in range(count) if index not in checked], checked


def quantize_network(
    source: Path, target: Path, inputs: Sequence[NDArray[Any]], *, left_out: Sequence[str] = ()
) -> None:
    """Write an ONNX network with convolutions in 8-bit integers.

    Weights are quantised channel by channel to 7 of the 8 bits, as processors without 8-bit dot products sum in 16;
    activations to 8 bits between the lowest and highest values that ``inputs`` give (QuantizeLinear, DequantizeLinear).

    Args:
        source: the network in float32.
        target: file to write.
        inputs: batches of its one input.
        left_out: names of convolutions that stay float32.
    """
    import onnx
    import onnx.version_converter
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = onnx.load(source)
    if any(opset.domain in ("", "ai.onnx") and opset.version < _OPSET for opset in model.opset_import):
        model = onnx.version_converter.convert_version(model, _OPSET)
    with _silent():
        quantize_static(
            model,
            str(target),
            _Batches(model.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=list(left_out),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    written = onnx.load(target)
    onnx.helper.set_model_props(written, {entry.key: entry.value for entry in model.metadata_props})
    onnx.save(written, target)


class _Batches:
    """The inputs, one after the other, as ONNX Runtime asks for them."""

    def __init__(self, name: str, inputs: Sequence[NDArray[Any]]) -> None:
        self._rest: Iterator[dict[str, NDArray[Any]]] = iter({name: batch} for batch in inputs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._rest, None)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what ONNX Runtime's tools recommend off the console."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
