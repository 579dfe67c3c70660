"""Detectors: frames in, boxes of people out. Each is imported only when it is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_models.runtimes import EXPORT_SUFFIXES, RUNTIMES
from tracker.detectors.shipped import shipped_detector
from tracker.errors import InputError
from tracker.protocols import Detector

__all__ = ["DETECTOR_PRECISIONS", "create_detector"]

DETECTOR_PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")

_PRECOMPUTED = "mot:"
#: the coarsest grid of all these networks has cells of 32 pixels
_SMALLEST_IMAGE_SIZE = 32


def create_detector(
    spec: str,
    *,
    confidence: float | None = None,
    iou: float | None = None,
    image_size: int | None = None,
    classes: Sequence[int] | None = (0,),
    device: str = "auto",
    half: bool = False,
    runtime: str = "auto",
    precision: str = "auto",
    calibration_images: str | Path | None = None,
    camera_detections: Mapping[str, str | Path] | None = None,
    offline: bool | None = None,
) -> Detector:
    """Return the detector that ``spec`` names.

    Every detector has ``class_names`` besides what the protocol asks for: class number → name, empty when unknown.

    Args:
        spec: a detector that comes with this package (``shipped.SHIPPED_DETECTORS``); a file ending in ``.onnx``,
            ``.xml`` (OpenVINO) or ``.torchscript`` (YOLOX or an ultralytics export); ``"mot:PATH"`` for detections in
            MOTChallenge files; anything else is a model of the ultralytics package, by name or file. Its ``.pt`` files
            are exported once on the processor, compared with PyTorch, and run from the cache ever after.
        confidence: a box needs a higher score. ``None``: 0.1 for networks, so that trackers with a second stage get
            the unsure boxes; everything for files.
        iou: boxes of one class that overlap by more are duplicates. ``None``: 0.7 for networks, no suppression for
            files.
        image_size: side of the network's input in pixels. ``None``: what it was exported for, else 640.
        classes: wanted class numbers; ``None``: all. Files tell no classes, so it is not used for them.
        device: ``"auto"``, ``"cpu"``, ``"cuda:0"``, …; exported networks run on the processor.
        half: compute in half precision where the device can.
        runtime: ``"auto"`` (PyTorch on a GPU, else OpenVINO where it is installed, else ONNX Runtime),
            ``"openvino"``, ``"onnxruntime"`` or ``"torch"``.
        precision: ``"auto"`` and ``"float32"``: float32 (float16 on a GPU with ``half``); ``"bfloat16"``; ``"float16"``
            (GPUs); ``"int8"`` (the processor; needs ``calibration_images``).
        calibration_images: folder with pictures like those of the video, for ``"int8"``.
        camera_detections: camera name → detection file, for ``"mot:PATH"``.
        offline: never download a model that is given by name; ``None``: as ``MULTICAM_OFFLINE`` says.

    Raises:
        InputError: something given cannot be used; the message says what and why.
    """
    if not spec.strip():
        raise InputError("the detector's name is empty: give a model, an .onnx file or mot:PATH")
    if confidence is not None and not spec.startswith(_PRECOMPUTED) and not 0 <= confidence <= 1:
        raise InputError(f"confidence is {confidence:g}: give a number from 0 to 1")
    if iou is not None and not 0 <= iou <= 1:
        raise InputError(f"iou is {iou:g}: give a number from 0 to 1")
    if image_size is not None and image_size < _SMALLEST_IMAGE_SIZE:
        raise InputError(f"image size {image_size} is too small: give {_SMALLEST_IMAGE_SIZE} or more")
    if spec.startswith(_PRECOMPUTED):
        from tracker.detectors.precomputed import PrecomputedDetector

        path = spec[len(_PRECOMPUTED) :].strip()
        if not path:
            raise InputError("mot: names no file: give mot:PATH, a det.txt or a folder with one file per camera")
        return PrecomputedDetector(path, confidence=confidence, iou=iou, camera_files=camera_detections)
    half, precision = _checked_precision(half, precision, calibration_images, runtime)
    spec = str(shipped_detector(spec) or spec)
    shared: dict[str, Any] = {"confidence": confidence, "iou": iou, "image_size": image_size, "classes": classes}
    exported = {**shared, "runtime": runtime, "precision": precision}
    if spec.lower().endswith(EXPORT_SUFFIXES):
        from tracker.detectors.onnx import OnnxDetector

        if device not in ("auto", "cpu"):
            warnings.warn(
                f"{Path(spec).name} runs on the processor: ONNX detectors do not use device {device!r}",
                RuntimeWarning,
                stacklevel=2,
            )
        if calibration_images is not None:
            from tracker.detectors.quantized import quantized_file

            spec = str(quantized_file(Path(spec), Path(calibration_images), runtime))
        return OnnxDetector(spec, **exported)

    def original() -> Detector:
        from tracker.detectors.yolo import YoloDetector

        return YoloDetector(spec, **shared, device=device, half=half, offline=offline)

    weights = None if runtime == "torch" else _file_to_export(spec, device, offline)
    if weights is None:
        if precision == "int8":
            raise InputError(f"int8 runs on the processor, by OpenVINO or ONNX Runtime: {spec} is run by PyTorch here")
        return original()
    from tracker.detectors.cached import cached_detector

    return cached_detector(weights, exported, original, calibration_images) or original()


def _checked_precision(
    half: bool, precision: str, calibration_images: str | Path | None, runtime: str
) -> tuple[bool, str]:
    """Return whether PyTorch computes in half precision, and what exported networks compute in."""
    if runtime not in RUNTIMES:
        raise InputError(f"unknown runtime {runtime!r}: give one of {', '.join(RUNTIMES)}")
    if precision not in DETECTOR_PRECISIONS:
        raise InputError(f"unknown precision {precision!r}: give one of {', '.join(DETECTOR_PRECISIONS)}")
    if half and precision not in ("auto", "bfloat16", "float16"):
        raise InputError(f"--half and --precision {precision} cannot both be: leave one out")
    if (precision == "int8") != (calibration_images is not None):
        raise InputError(
            "--precision int8 and --calibration-images DIR go together: 8 bits are fitted to what such pictures give"
        )
    if half or precision in ("bfloat16", "float16"):
        return True, "bfloat16"
    return False, "float32" if precision == "auto" else precision


def _file_to_export(spec: str, device: str, offline: bool | None) -> Path | None:
    """Return the ``.pt`` file that ``spec`` means if it is to be run from an export; fetched if need be."""
    from reid_models.runtimes import accelerator_wanted
    from tracker.detectors.yolo import (
        import_ultralytics,
        known_model_file,
        offline_wanted,
        resolve_model,
    )

    if accelerator_wanted(device):
        return None
    found = known_model_file(spec)
    if found is None:
        import_ultralytics()
        found = resolve_model(spec, offline_wanted() if offline is None else offline)
    return found if found.suffix == ".pt" and found.is_file() and found.stat().st_size else None
