"""Detectors: frames in, boxes of people out. Each is imported only when it is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from tracker.detectors.shipped import shipped_detector
from tracker.errors import InputError
from tracker.protocols import Detector

__all__ = ["create_detector"]

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
    camera_detections: Mapping[str, str | Path] | None = None,
    offline: bool | None = None,
) -> Detector:
    """Return the detector that ``spec`` names.

    Every detector has ``class_names`` besides what the protocol asks for: class number → name, empty when unknown.

    Args:
        spec: a detector that comes with this package (``shipped.SHIPPED_DETECTORS``); a file ending in ``.onnx``
            (YOLOX or an ultralytics export); ``"mot:PATH"`` for detections in MOTChallenge files; anything else is a
            model of the ultralytics package, by name or file.
        confidence: a box needs a higher score. ``None``: 0.1 for networks, so that trackers with a second stage get
            the unsure boxes; everything for files.
        iou: boxes of one class that overlap by more are duplicates. ``None``: 0.7 for networks, no suppression for
            files.
        image_size: side of the network's input in pixels. ``None``: what it was exported for, else 640.
        classes: wanted class numbers; ``None``: all. Files tell no classes, so it is not used for them.
        device: ``"auto"``, ``"cpu"``, ``"cuda:0"``, …; ONNX networks run on the processor.
        half: compute in half precision where the device can.
        runtime: what runs an ONNX network: ``"auto"``, ``"openvino"`` or ``"onnxruntime"``.
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
    spec = str(shipped_detector(spec) or spec)
    if spec.lower().endswith(".onnx"):
        from tracker.detectors.onnx import OnnxDetector

        if device not in ("auto", "cpu"):
            warnings.warn(
                f"{Path(spec).name} runs on the processor: ONNX detectors do not use device {device!r}",
                RuntimeWarning,
                stacklevel=2,
            )
        return OnnxDetector(
            spec,
            confidence=confidence,
            iou=iou,
            image_size=image_size,
            classes=classes,
            runtime=runtime,
            half=half,
        )
    from tracker.detectors.yolo import YoloDetector

    return YoloDetector(
        spec,
        confidence=confidence,
        iou=iou,
        image_size=image_size,
        classes=classes,
        device=device,
        half=half,
        offline=offline,
    )
