"""Models of ultralytics as exported networks: made once, compared with PyTorch on the same pictures."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_models.runtimes import Network, PixelInput, load_network
from reid_models.runtimes.export_cache import ExportRefused, installed
from tracker.detectors.letterbox import fit_centred
from tracker.detectors.raw_outputs import Raw, difference_in_words, raw_differences
from tracker.detectors.yolo import first_line, import_ultralytics, load_model, quiet

__all__ = ["compare_files", "export_onnx", "export_torchscript", "pytorch_output"]

_OPSET = 17
_STRIDE = 32
_EXPORTED_SIDE = 640
#: RGB, 0 … 1
_PIXELS = PixelInput(std=(255.0, 255.0, 255.0))


def export_onnx(weights: Path, target: Path, image_size: int) -> dict[str, Any]:
    """Write a detector of ultralytics as ONNX with free image axes, and compare it with PyTorch.

    Args:
        weights: ``.pt`` file.
        target: file to write.
        image_size: side of the input that the file names as its own; others can be used, too.

    Returns:
        For each installed runtime the largest difference of ``box`` (pixels) and ``score``.

    Raises:
        ExportRefused: it cannot be exported, or does not compute the same.
        InputError: the file holds no detector.
    """
    model = _detector(weights)
    _export(
        weights, target, {"format": "onnx", "imgsz": image_size, "opset": _OPSET, "simplify": False, "dynamic": True}
    )
    reference = _pytorch(model)
    differences = {}
    for runtime in installed():
        network = load_network(target, runtime=runtime, pixels=_PIXELS)
        differences[runtime] = _checked(runtime, reference, _first_output(network), _pictures(image_size))
    return {"differences": differences}


def export_torchscript(weights: Path, target: Path, image_size: int) -> dict[str, dict[str, float]]:
    """Write a detector of ultralytics as TorchScript with a fixed input, and compare it with PyTorch.

    Args, Raises: as :func:`export_onnx`.

    Returns:
        The largest difference of ``box`` (pixels) and ``score``, under ``"torch"``.
    """
    side = -(-image_size // _STRIDE) * _STRIDE
    model = _detector(weights)
    _export(weights, target, {"format": "torchscript", "imgsz": side})
    network = load_network(target, pixels=_PIXELS)
    pictures = [fit_centred(picture, side, side).canvas for picture in _pictures(side)]
    return {"torch": _checked("torch", _pytorch(model), _first_output(network), pictures)}


def compare_files(first: Path, second: Path) -> str:
    """Return in words how far two files of one detector differ on noise and photographs.

    Raises:
        ExportRefused: by too much.
    """
    networks = [load_network(path, pixels=_PIXELS) for path in (first, second)]
    height, width = (side or _EXPORTED_SIDE for side in networks[0].inputs[0].shape[1:3])
    pictures = [fit_centred(picture, height, width).canvas for picture in _pictures(max(height, width))]
    found = _checked(second.suffix, _first_output(networks[0]), _first_output(networks[1]), pictures)
    return f"boxes within {found['box']:.4f} pixels of {first.name}'s, scores within {found['score']:.5f}"


def _detector(weights: Path) -> Any:
    import_ultralytics()
    model = load_model(weights)
    if model.task != "detect":
        raise ExportRefused(f"models for the task {model.task!r} are run by PyTorch alone")
    return model


def _export(weights: Path, target: Path, options: dict[str, Any]) -> None:
    """Have ultralytics export a copy: its exporter writes beside the weights, and changes the model it is given."""
    with tempfile.TemporaryDirectory(prefix="multicam-export-") as folder:
        copy = Path(folder) / weights.name
        shutil.copyfile(weights, copy)
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = load_model(copy).export(device="cpu", **options)
            shutil.copyfile(made, target)
        except Exception as error:  # any type: from PyTorch's exporter, which knows not every layer
            raise ExportRefused(f"it cannot be exported: {first_line(error)}") from error


def _checked(runtime: str, first: Raw, second: Raw, pictures: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
    found = raw_differences(first, second, pictures)
    reason = difference_in_words(found)
    if reason is not None:
        raise ExportRefused(f"in {runtime} {reason}")
    return found


def _first_output(network: Network) -> Raw:
    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(network(images)[0], np.float32)

    return run


def pytorch_output(weights: Path) -> Raw:
    """Return the raw output of a ``.pt`` detector's network in PyTorch, on the processor in float32."""
    return _pytorch(_detector(weights))


def _pytorch(model: Any) -> Raw:
    """Return the raw output of ultralytics' network in PyTorch, on the processor in float32."""
    torch = import_ultralytics().utils.torch_utils.torch
    network = model.model.float().eval()

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            planes = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2), np.float32) / 255
            output = network(torch.from_numpy(planes))
        result: NDArray[np.float32] = (output[0] if isinstance(output, (list, tuple)) else output).numpy()
        return result

    return run


def _pictures(image_size: int) -> list[NDArray[np.uint8]]:
    """Return noise, coarse noise, and the photographs that come with ultralytics, fitted into the network's input."""
    random = np.random.default_rng(0)
    side = -(-image_size // 32) * 32
    coarse = cv2.resize(random.integers(0, 256, (12, 16, 3), np.uint8), (side, -(-side * 3 // 128) * 32))
    pictures = [random.integers(0, 256, (side, side, 3), np.uint8), np.asarray(coarse, np.uint8)]
    for path in _photographs():
        photograph = cv2.imread(str(path))
        if photograph is not None:
            pictures.append(fit_centred(np.asarray(photograph, np.uint8), side, side, 32).canvas)
    return pictures


def _photographs() -> list[Path]:
    return sorted(Path(import_ultralytics().utils.ASSETS).glob("*.jpg"))
