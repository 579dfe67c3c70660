"""Detectors of the ultralytics package: its named models, trained ``.pt`` files and the exports that it can run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tracker.detections import Detections
from tracker.detectors.candidates import Candidates, checked_image, finished_detections, wanted_classes
from tracker.detectors.letterbox import Letterbox
from tracker.detectors.ultralytics_models import (
    cache_folder,
    first_line,
    import_ultralytics,
    load_model,
    offline_wanted,
    quiet,
    resolve_model,
)
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = ["YoloDetector", "cache_folder", "import_ultralytics"]

_DEFAULT_CONFIDENCE = 0.1
_DEFAULT_IOU = 0.7
_DEFAULT_IMAGE_SIZE = 640
_MAXIMUM_DETECTIONS = 1000
#: images per call on an accelerator; on processors one, where more gains nothing and a frame's boxes could then depend
#: on which other frames it was run with
_ACCELERATOR_BATCH = 16


class YoloDetector:
    """A detector run by the ultralytics package (PyTorch, or what an exported file needs).

    ``.pt`` files are pickles. They are loaded so that only classes of PyTorch and ultralytics are built where the
    installed ultralytics can do that; all the same, load files of people you trust.

    Args:
        model: a file (``.pt``, ``.yaml`` for an untrained network, or any export that ultralytics runs), or the name
            of a model of ultralytics (``yolo26n.pt``), which is downloaded once into :func:`cache_folder`.
        confidence: a box needs a higher score; ``None``: 0.1.
        iou: boxes of a class that overlap by more are duplicates; ``None``: 0.7. Not used where a
            model has no suppression.
        image_size: longer side of the network's input in pixels; ``None``: what an export was made for, else 640.
        classes: wanted class numbers; ``None``: all.
        device: ``"auto"`` (the first CUDA device, else the processor), ``"cpu"``, ``"cuda:0"``, ``"mps"``, …
        half: compute in float16; ultralytics does so on accelerators only.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.

    Attributes:
        class_names: class number → name.
        dropped: boxes dropped so far because the network gave not-a-number or infinity.

    Raises:
        InputError: no such file or name, a download that fails, a file that holds no detector of ultralytics, a
            device that is not there, or a class the model does not have.
    """

    needs_images = True

    def __init__(
        self,
        model: str | Path,
        *,
        confidence: float | None = None,
        iou: float | None = None,
        image_size: int | None = None,
        classes: Sequence[int] | None = (0,),
        device: str = "auto",
        half: bool = False,
        offline: bool | None = None,
    ) -> None:
        ultralytics = import_ultralytics()
        self.confidence = _DEFAULT_CONFIDENCE if confidence is None else confidence
        self.iou = _DEFAULT_IOU if iou is None else iou
        self.dropped = 0
        self._path = resolve_model(str(model), offline_wanted() if offline is None else offline)
        self._name = self._path.name
        self._model = load_model(self._path)
        self._settings: dict[str, Any] = {
            "conf": self.confidence,
            "iou": self.iou,
            "max_det": _MAXIMUM_DETECTIONS,
            "device": None if device == "auto" else device,
            "verbose": False,
            "save": False,
        }
        if image_size is not None or self._path.suffix in (".pt", ".yaml", ".yml"):
            self._settings["imgsz"] = image_size or _DEFAULT_IMAGE_SIZE
        if half:
            # newer versions renamed the setting, and say so at every call that uses the old name
            renamed = "quantize" in ultralytics.cfg.DEFAULT_CFG_DICT
            self._settings["quantize" if renamed else "half"] = 16 if renamed else True
        self._warm_up(device)
        backend = self._model.predictor.model
        self.class_names: Mapping[int, str] = {int(number): str(name) for number, name in backend.names.items()}
        self._settings["classes"] = wanted_classes(classes, len(self.class_names), self._name)
        kind = str(backend.device)
        precision = "float16" if getattr(backend, "fp16", False) else "float32"
        if half and precision == "float32":
            warnings.warn(
                f"ultralytics runs {self._name} in float32 on {kind}: half precision needs an accelerator, "
                "or an ONNX export of the model",
                RuntimeWarning,
                stacklevel=2,
            )
        self._batch = 1 if kind == "cpu" else _ACCELERATOR_BATCH
        size = max(np.atleast_1d(self._model.predictor.imgsz))
        self.description = f"{self._name} (ultralytics {ultralytics.__version__}, size {size}, {kind} {precision})"

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, best first, boxes in that frame's pixels.

        Raises:
            InputError: a frame without an image, or one that is not (H, W, 3) uint8.
        """
        images = [checked_image(frame, self.description) for frame in frames]
        # images of one shape go together: among others ultralytics would fill each up to a square, at other boxes
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(index)
        found: dict[int, Detections] = {}
        for indices in by_shape.values():
            for start in range(0, len(indices), self._batch):
                chosen = indices[start : start + self._batch]
                results = self._model.predict([images[index] for index in chosen], **self._settings)
                for index, result in zip(chosen, results):
                    found[index] = self._detections(result)
        return [found[index] for index in range(len(frames))]

    def _detections(self, result: Any) -> Detections:
        rows = result.boxes.data.cpu().numpy()
        height, width = result.orig_shape
        candidates = Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
        # the boxes are in the image already: what is left is to clip them and to drop what is broken
        detections, dropped = finished_detections(candidates, Letterbox.of_image(width, height), None)
        if dropped and not self.dropped:
            warnings.warn(
                f"{self._name} gave {dropped} boxes that are not finite; such boxes are dropped and counted",
                RuntimeWarning,
                stacklevel=4,
            )
        self.dropped += dropped
        return detections

    def _warm_up(self, device: str) -> None:
        """Run the model once, so that what cannot work is known before the video is opened."""
        from ultralytics.utils import torch_utils

        # ultralytics keeps one core for itself and changes the whole process's number of threads
        threads = torch_utils.torch.get_num_threads()
        try:
            with quiet():
                self._model.predict(np.full((64, 64, 3), 114, np.uint8), **self._settings)
        except Exception as error:  # any type: from PyTorch, CUDA or an export's runtime
            if device != "auto" and "device" in str(error).lower():
                raise InputError(
                    f"device {device!r} cannot be used here; leave it out, or give cpu or cuda:0"
                ) from error
            if "not a supported model format" in str(error):
                raise InputError(f"{self._path} is no detector: give a .pt or .onnx file, or mot:PATH") from error
            raise InputError(f"{self._path} cannot be run by ultralytics: {first_line(error)}") from error
        finally:
            torch_utils.torch.set_num_threads(threads)
