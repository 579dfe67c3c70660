"""Models of ultralytics on the processor: exported once, compared with PyTorch, and run from the cache ever after."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_models.runtimes.compiled_cache import file_digest
from reid_models.runtimes.export_cache import CachedExport, cached_export, code_digest, note_in_export
from tracker.detections import Detections
from tracker.detectors.onnx import OnnxDetector
from tracker.errors import InputError
from tracker.protocols import Detector
from tracker.video.frames import Frame

__all__ = ["CheckedDetector", "cached_detector", "detections_differ"]

#: the input that exports are made for; others can be used, too
_EXPORTED_SIZE = 640
#: pictures of the video itself on which a new export is compared once more
_FRAMES_COMPARED = 4
_LARGEST_BOX_DIFFERENCE = 1.0
_LARGEST_SCORE_DIFFERENCE = 0.01


def cached_detector(
    weights: Path, options: Mapping[str, Any], original: Any, calibration_images: str | Path | None = None
) -> Detector | None:
    """Return a ``.pt`` detector's export out of the cache; ``None`` where it has none that may be used.

    Args:
        weights: the file.
        options: of :class:`tracker.detectors.onnx.OnnxDetector`.
        original: called without arguments, returns the same detector run by PyTorch.
        calibration_images: folder with pictures, for 8-bit integers.

    Raises:
        InputError: the file holds no detector, or an option cannot be used.
    """

    def make(path: Path) -> Mapping[str, Any]:
        from tracker.detectors.conversion import export_onnx

        return export_onnx(weights, path, _EXPORTED_SIZE)

    here = Path(__file__).parent
    key = {
        "detector": file_digest(weights),
        "ultralytics": _version_of_ultralytics(),
        "code": code_digest(here / "conversion.py", Path(__file__)),
    }
    export = cached_export(weights.stem, key, make)
    if export.path is None:
        _warn(weights.name, str(export.facts["refused"]))
        return None
    if calibration_images is not None:
        from tracker.detectors.quantized import quantized_file

        file = quantized_file(export.path, Path(calibration_images), str(options["runtime"]))
        return OnnxDetector(file, name=weights.name, **options)
    found = OnnxDetector(export.path, name=weights.name, **options)
    if not export.fresh or options["precision"] != "float32":
        return found
    return CheckedDetector(found, original(), export)


class CheckedDetector:
    """An export beside PyTorch, on the first pictures of a video; goes on alone if their boxes agree.

    If not, PyTorch goes on, and the export is not used again. Attributes are those of the export.
    """

    needs_images = True

    def __init__(self, export: OnnxDetector, original: Any, cached: CachedExport) -> None:
        self._used: Any = export
        self._original: Any = original
        self._cached = cached
        self._compared = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_used"], name)

    @property
    def description(self) -> str:
        """What runs."""
        return str(self._used.description)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, best first, boxes in that frame's pixels."""
        found: list[Detections] = self._used.detect(frames)
        if self._original is None:
            return found
        compared = min(len(frames), _FRAMES_COMPARED - self._compared)
        expected = self._original.detect(frames[:compared])
        confidence = float(self._used.confidence)
        reason = next((text for pair in zip(expected, found) if (text := detections_differ(*pair, confidence))), None)
        if reason is not None:
            note_in_export(self._cached, refused=reason)
            _warn(str(self._original.description), reason)
            self._used, self._original = self._original, None
            return expected + list(self._used.detect(frames[compared:]))
        self._compared += compared
        if self._compared >= _FRAMES_COMPARED:
            note_in_export(self._cached, frames_of_a_video=self._compared)
            self._original = None
        return found


def detections_differ(first: Detections, second: Detections, confidence: float) -> str | None:
    """Return how two detectors' boxes of one picture differ by more than 1 pixel or 0.01 of score; else ``None``.

    Boxes whose score is within 0.01 of ``confidence`` may be missing on one side.
    """
    for one, other in ((first, second), (second, first)):
        sure = one.scores >= confidence + _LARGEST_SCORE_DIFFERENCE
        for box, score, number in zip(one.boxes[sure], one.scores[sure], one.classes[sure]):
            same = other.classes == number
            if not same.any():
                return f"a box of score {score:.2f} is missing"
            apart = np.abs(other.boxes[same] - box).max(axis=1)
            nearest = int(apart.argmin())
            if apart[nearest] > _LARGEST_BOX_DIFFERENCE:
                return f"a box of score {score:.2f} is {apart[nearest]:.1f} pixels from the nearest of PyTorch's"
            if abs(other.scores[same][nearest] - score) > _LARGEST_SCORE_DIFFERENCE:
                return f"a box's score differs from PyTorch's by {abs(other.scores[same][nearest] - score):.3f}"
    return None


def _version_of_ultralytics() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ultralytics")
    except PackageNotFoundError:
        raise InputError("ultralytics is not installed: pip install ultralytics, or give an .onnx detector") from None


def _warn(name: str, reason: str) -> None:
    warnings.warn(
        f"the export of {name} is not used ({reason}): PyTorch runs the network, several times slower",
        RuntimeWarning,
        stacklevel=4,
    )
