"""Exported detectors (ONNX, OpenVINO, TorchScript): YOLOX and the ultralytics family, recognised from the graph."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.runtimes import Network, Signature, load_network, read_signature
from tracker.detections import Detections
from tracker.detectors import yolo_export, yolox
from tracker.detectors.candidates import Candidates, checked_image, finished_detections, wanted_classes
from tracker.detectors.detector_record import DetectorRecord, read_detector_record
from tracker.detectors.export_layout import EXPECTED, Layout, recognise, stored_image_size
from tracker.detectors.letterbox import Letterbox, fit_centred, fit_top_left
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = ["DEFAULT_CONFIDENCE", "OnnxDetector"]

#: Low, because trackers with a second association stage (ByteTrack, Sec. 3) want the unsure boxes too; what is sure
#: enough to start a track, the tracker decides.
DEFAULT_CONFIDENCE = 0.1
#: what ByteTrack sets for YOLOX and ultralytics for its own: people who overlap each other must both stay
_DEFAULT_IOU = 0.7
_DEFAULT_IMAGE_SIZE = (640, 640)
_LARGEST_STRIDE = 32


class OnnxDetector:
    """A detector in an exported file: YOLOX, or an ultralytics export with or without its own suppression.

    YOLOX gets BGR 0 … 255 fitted into the top left corner, ultralytics exports RGB 0 … 1 fitted into the middle, both
    with grey around, as they are trained; a JSON file beside the network may say otherwise. Pictures go in as bytes,
    and the network normalises them itself.

    Args:
        path: the file: ``.onnx``, OpenVINO's ``.xml``, ``.torchscript``.
        confidence: a box needs a higher score (YOLOX: objectness × class probability); ``None``: 0.1.
        iou: boxes of a class that overlap by more are duplicates; ``None``: 0.7. End-to-end exports
            suppress duplicates themselves, so it is not used there.
        image_size: side of the square input in pixels, for exports with free image axes; ``None``: what the
            exporter wrote into the file, else 640.
        classes: wanted class numbers; ``None``: all.
        runtime: as for :func:`reid_models.runtimes.load_network`.
        precision: ``"auto"`` and ``"float32"``: float32, as boxes in bfloat16 would be whole pixels off (8 bits of
            1,280 pixels); ``"bfloat16"`` where the runtime and processor can.
        threads: processor threads per frame; ``None``: the runtime's own choice.
        name: what it is called in messages and ``description``; ``None``: its file.

    Attributes:
        class_names: class number → name; empty when the file does not tell.
        dropped: boxes dropped so far because the network gave not-a-number or infinity.

    Raises:
        InputError: no such file, no ONNX file, a network of another task, an image size or class it does not have.
    """

    needs_images = True

    def __init__(
        self,
        path: str | Path,
        *,
        confidence: float | None = None,
        iou: float | None = None,
        image_size: int | None = None,
        classes: Sequence[int] | None = (0,),
        runtime: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        name: str | None = None,
    ) -> None:
        self._path = Path(path)
        self._load: dict[str, Any] = {
            "runtime": runtime,
            "threads": threads,
            "precision": "bfloat16" if precision == "bfloat16" else "float32",
        }
        self._name = self._path.name if name is None else name
        try:
            declared = read_signature(self._path)
        except ValueError as error:  # the ReID half's InputError; each half has its own
            raise InputError(str(error)) from error
        self._batch = self._check_input(declared)
        # ultralytics' exporter writes these; opened again should the output say otherwise
        guess = "yolo" if {"task", "names"} & declared.metadata.keys() else "yolox"
        record = read_detector_record(self._path, guess)
        self._network: Network = self._opened(record)
        self._height, self._width = self._image_size(image_size)
        probe = self._run([np.full((self._height, self._width, 3), 114, np.uint8)])
        shapes = [output.shape for output in probe]
        self.layout: Layout = recognise(self._name, (self._height, self._width), shapes, self._network.metadata)
        fitting = read_detector_record(self._path, self.layout.kind)
        if fitting.pixels != record.pixels:
            self._network = self._opened(fitting)
        self.class_names = dict(fitting.names) or self.layout.class_names
        self.confidence = DEFAULT_CONFIDENCE if confidence is None else confidence
        self.iou = _DEFAULT_IOU if iou is None else iou
        self._classes = wanted_classes(classes, self.layout.class_count, self._name)
        self._cells: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._decoded = False
        if self.layout.kind == "yolox":
            self._decoded = yolox.is_decoded(probe[0][0], self._cells_of(self._height, self._width))
        self.dropped = 0
        size = f"{self._width}x{self._height}" + (" at most" if self._shrinks else "")
        self.description = (
            f"{self._name} ({self.layout.kind} {size}, {self._network.runtime} {self._network.precision})"
        )

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, best first, boxes in that frame's pixels.

        Raises:
            InputError: a frame without an image, or one that is not (H, W, 3) uint8.
        """
        # together only what the export's fixed batch asks for: on processors more at once gains nothing
        found: list[Detections] = []
        for start in range(0, len(frames), self._batch):
            fitted = [self._fitted(frame) for frame in frames[start : start + self._batch]]
            found += self._detect_together(fitted)
        return found

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the network's input in pixels; at most, where the graph leaves it free."""
        return self._height, self._width

    def canvas_of(self, frame: Frame) -> NDArray[np.uint8]:
        """Return a frame's picture fitted into the network's input (H', W', 3) BGR uint8."""
        return self._fitted(frame).canvas

    def raw_output(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's first output for fitted pictures (N, H', W', 3) BGR uint8."""
        return np.asarray(self._run(list(images))[0], np.float32)

    def network_input(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the network itself gets of a picture (H, W, 3), normalised: (1, 3, H', W')."""
        canvas = self._fitted(Frame("picture", 0, 0.0, image)).canvas
        pixels = read_detector_record(self._path, self.layout.kind).pixels
        planes = (canvas[..., ::-1] if pixels.red_first else canvas).astype(np.float32)
        mean, std = np.array(pixels.mean, np.float32), np.array(pixels.std, np.float32)
        normalised = ((planes - mean) / std).astype(np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])

    def _detect_together(self, fitted: list[Letterbox]) -> list[Detections]:
        outputs = self._run([letterbox.canvas for letterbox in fitted])
        found = []
        for image_output, letterbox in zip(outputs[0], fitted):
            candidates = self._candidates(image_output.astype(np.float32, copy=False), letterbox)
            iou = None if self.layout.kind == "end-to-end" else self.iou
            detections, dropped = finished_detections(candidates, letterbox, iou)
            if dropped and not self.dropped:
                warnings.warn(
                    f"{self._name} gave {dropped} boxes that are not finite; such boxes are dropped and counted",
                    RuntimeWarning,
                    stacklevel=3,
                )
            self.dropped += dropped
            found.append(detections)
        return found

    def _candidates(self, output: NDArray[np.float32], letterbox: Letterbox) -> Candidates:
        if self.layout.kind == "yolox":
            cells = self._cells_of(*letterbox.canvas.shape[:2])
            return yolox.candidates_of(output, cells, self._decoded, self.confidence, self._classes)
        if self.layout.kind == "yolo":
            return yolo_export.candidates_of(output, self.confidence, self._classes)
        return yolo_export.candidates_end_to_end(output, self.confidence, self._classes)

    def _fitted(self, frame: Frame) -> Letterbox:
        image = checked_image(frame, self.description)
        if self.layout.kind == "yolox":
            return fit_top_left(image, self._height, self._width)
        return fit_centred(image, self._height, self._width, _LARGEST_STRIDE if self._shrinks else None)

    def _run(self, canvases: list[NDArray[np.uint8]]) -> list[NDArray[Any]]:
        """Return the network's outputs for BGR pictures."""
        try:
            return self._network(canvases[0][None] if len(canvases) == 1 else np.stack(canvases))
        except ValueError as error:
            raise InputError(str(error)) from error

    def _opened(self, record: DetectorRecord) -> Network:
        try:
            return load_network(self._path, pixels=record.pixels, keep_compiled=True, **self._load)
        except ValueError as error:  # the ReID half's InputError; each half has its own
            raise InputError(str(error)) from error

    def _cells_of(self, height: int, width: int) -> NDArray[np.float32]:
        if (height, width) not in self._cells:
            self._cells[height, width] = yolox.cell_corners(height, width, self.layout.strides)
        return self._cells[height, width]

    def _check_input(self, declared: Signature) -> int:
        """Return the number of images per call after checking that the network takes one batch of colour images."""
        inputs = declared.inputs
        shape = inputs[0].shape
        listed = "; ".join(
            f"{port.name} ({', '.join('any' if size is None else str(size) for size in port.shape)})" for port in inputs
        )
        if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, None) or inputs[0].dtype.kind != "f":
            raise InputError(
                f"{self._name} takes {listed} of {inputs[0].dtype}: a detector takes one batch of colour images "
                f"(batch, 3, height, width) of floats; {EXPECTED}"
            )
        return shape[0] or 1

    def _image_size(self, wanted: int | None) -> tuple[int, int]:
        height, width = self._network.inputs[0].shape[1:3]
        #: the whole canvas is always run where the graph's image axes are fixed; free ones follow the picture's shape
        self._shrinks = height is None and width is None
        stored = stored_image_size(self._network.metadata) or _DEFAULT_IMAGE_SIZE
        free = stored if wanted is None else (wanted, wanted)
        rounded = [-(-side // _LARGEST_STRIDE) * _LARGEST_STRIDE for side in free]
        size = (height or rounded[0], width or rounded[1])
        if wanted is not None and not self._shrinks and size != (wanted, wanted):
            raise InputError(
                f"{self._name} was exported for {size[1]}×{size[0]} images, not {wanted}: "
                "leave the image size out, or export it again for that size"
            )
        return size
