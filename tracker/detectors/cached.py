"""Models of ultralytics on the processor: exported once, compared with PyTorch, and run from the cache ever after."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_models.runtimes.compiled_cache import file_digest
from reid_models.runtimes.export_cache import CachedExport, cached_export, code_digest, note_in_export
from tracker.detections import Detections
from tracker.detectors.onnx import OnnxDetector
from tracker.detectors.raw_outputs import Raw, difference_in_words, raw_differences
from tracker.errors import InputError
from tracker.protocols import Detector
from tracker.video.frames import Frame

__all__ = ["CheckedDetector", "cached_detector"]

#: the input that exports are made for; others can be used, too
_EXPORTED_SIZE = 640
#: pictures of the video itself on which a new export is compared once more
_FRAMES_COMPARED = 4

Original = Callable[[], Detector]


def cached_detector(
    weights: Path, options: Mapping[str, Any], original: Original, calibration_images: str | Path | None = None
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
    from tracker.detectors.conversion import pytorch_output

    return CheckedDetector(found, pytorch_output(weights), original, export)


class CheckedDetector:
    """An export beside PyTorch, on the first pictures of a video; goes on alone if their raw outputs agree.

    If not, PyTorch goes on, and the export is not used again. What suppression leaves is not compared: of two boxes of
    nearly one score it may leave either.

    Args:
        export: what is checked.
        reference: raw output of PyTorch's network for (1, H, W, 3) BGR uint8.
        original: called without arguments, returns the same detector run by PyTorch.
        cached: the export's place in the cache.

    Attributes:
        class_names, confidence, …: those of the detector that runs.
    """

    needs_images = True

    def __init__(self, export: OnnxDetector, reference: Raw, original: Original, cached: CachedExport) -> None:
        self._used: Any = export
        self._reference: Raw | None = reference
        self._original = original
        self._cached = cached
        self._compared = 0
        self.description = export.description

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_used"], name)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, best first, boxes in that frame's pixels."""
        if self._reference is not None:
            self._compare(frames[: _FRAMES_COMPARED - self._compared], self._reference)
        found: list[Detections] = self._used.detect(frames)
        return found

    def _compare(self, frames: Sequence[Frame], reference: Raw) -> None:
        canvases = [self._used.canvas_of(frame) for frame in frames]
        reason = difference_in_words(raw_differences(reference, self._used.raw_output, canvases))
        if reason is not None:
            note_in_export(self._cached, refused=f"{reason}, on pictures of a video")
            _warn(str(self._used.description), reason)
            self._used, self._reference = self._original(), None
            self.description = self._used.description
            return
        self._compared += len(frames)
        if self._compared >= _FRAMES_COMPARED:
            note_in_export(self._cached, frames_of_a_video=self._compared)
            self._reference = None


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
