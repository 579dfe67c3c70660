"""How long detection takes for each runtime, beside ultralytics' own way of running the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alternating import measure_in_turn, time_figures
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = ["DETECTOR_RUNTIMES", "compare_detectors"]

#: name → runtime of :func:`tracker.detectors.create_detector`; "torch" is ultralytics itself
DETECTOR_RUNTIMES = {"ultralytics, PyTorch": "torch", "openvino": "openvino", "onnxruntime": "onnxruntime"}
_REFERENCE = "ultralytics, PyTorch"


def compare_detectors(
    detector: str = "yolo11n.yaml",
    sizes: Sequence[tuple[int, int]] = ((640, 480), (1920, 1080)),
    *,
    frames: int = 4,
    repeats: int = 7,
    image_size: int = 640,
    seed: int = 0,
    offline: bool | None = None,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Measure one detector in every runtime on the same pictures.

    Args:
        detector: what ``create_detector`` takes; a ``.yaml`` is a network with random weights, which takes as long.
        sizes: (width, height) of the pictures.
        frames: pictures of each repeat, given one by one as cameras give them.
        repeats: how often each runtime is measured, in turn.
        image_size: of the network's input.
        seed: of the pictures.

    Returns:
        ``settings`` and ``rows``: seconds per frame (median, lowest, highest) and ``speed_ratio`` to ultralytics.

    Raises:
        InputError: the detector cannot be used, or a number is too small.
    """
    if frames < 1 or repeats < 1:
        raise InputError(f"frames {frames} and repeats {repeats} must be at least 1")
    from tracker.detectors import create_detector

    rows: list[dict[str, Any]] = []
    called = Path(detector).name
    with TemporaryDirectory(prefix="multicam-speed-") as folder:
        spec = _with_random_weights(detector, Path(folder)) if detector.endswith((".yaml", ".yml")) else detector
        exported = not spec.endswith(".pt") and Path(spec).suffix in (".onnx", ".xml", ".torchscript", "")
        runtimes = {
            name: runtime for name, runtime in DETECTOR_RUNTIMES.items() if not (exported and runtime == "torch")
        }
        opened = {
            name: create_detector(spec, image_size=image_size, device="cpu", runtime=runtime, offline=offline)
            for name, runtime in runtimes.items()
        }
        for width, height in sizes:
            pictures = [Frame("camera", n, 0.0, _picture(width, height, seed + n)) for n in range(frames)]
            sides = {name: _one_by_one(found.detect, pictures) for name, found in opened.items()}
            times = measure_in_turn(sides, repeats, advance=advance)
            for name in opened:
                row: dict[str, Any] = {
                    "name": called,
                    "sequence": f"{width}×{height}",
                    "implementation": name,
                    "description": opened[name].description.replace(Path(spec).name, called),
                }
                row |= time_figures(times, name, _REFERENCE, per=frames)
                rows.append(row)
    settings = {"detector": called, "frames": frames, "repeats": repeats, "image_size": image_size, "seed": seed}
    return {"settings": settings, "rows": rows}


def _one_by_one(detect: Callable[[Sequence[Frame]], Any], pictures: Sequence[Frame]) -> Callable[[], None]:
    def run() -> None:
        for picture in pictures:
            detect([picture])

    return run


def _with_random_weights(network: str, folder: Path) -> str:
    from tracker.detectors.yolo import import_ultralytics, load_model

    import_ultralytics()
    path = folder / f"{Path(network).stem}.pt"
    load_model(Path(network)).save(str(path))
    return str(path)


def _picture(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """Return a picture of soft blobs, which decodes and resizes like any other."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
