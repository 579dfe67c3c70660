"""Detections made beforehand, from files in MOTChallenge format."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from tracker.detections import Detections
from tracker.detectors.nms import suppress_duplicates
from tracker.errors import InputError, nearest_name_hint
from tracker.storage.mot_files import MotDetections, read_detections
from tracker.video.frames import Frame

__all__ = ["PrecomputedDetector"]

#: where a camera's file may lie in a folder; ``det/det.txt`` is MOTChallenge's own layout
_LAYOUTS = ("{camera}.txt", "{camera}.txt.gz", "{camera}/det/det.txt", "{camera}/det/det.txt.gz")


class PrecomputedDetector:
    """Detections from MOTChallenge files (``frame, id, left, top, width, height, score``), one file per camera.

    The files count frames from 1, so ``Frame.index`` 0 is their frame 1. A file is read when its camera is first seen.
    These files tell no class: all detections are persons (class 0).

    Args:
        path: a file (``.txt``, ``.txt.gz``) for the run's only camera; a folder with ``NAME.txt`` or
            ``NAME/det/det.txt`` per camera name; or a path with ``{camera}`` in it.
        confidence: a box needs a higher score, in the units of the file (DPM's are margins, not probabilities);
            ``None``: all are used.
        iou: boxes that overlap by more than this are duplicates of the best; ``None``: nothing is suppressed.
        camera_files: camera name → file, for cameras that need one of their own; the rest follows ``path``.

    Raises:
        InputError: the path does not exist.
    """

    needs_images = False

    def __init__(
        self,
        path: str | Path,
        *,
        confidence: float | None = None,
        iou: float | None = None,
        camera_files: Mapping[str, str | Path] | None = None,
    ) -> None:
        self.confidence = confidence
        self.iou = iou
        self.class_names = {0: "person"}
        self._given = str(path)
        self._path = Path(path).expanduser()
        self._camera_files = {camera: Path(file).expanduser() for camera, file in (camera_files or {}).items()}
        if "{camera}" not in self._given and not self._path.exists():
            raise InputError(
                f"detections {self._given} do not exist: give a det.txt, a folder with one file per camera, "
                "or a path with {camera} in it"
            )
        self._files: dict[str, MotDetections] = {}
        details = [f"score > {confidence:g}"] if confidence is not None else []
        details += [f"NMS at IoU {iou:g}"] if iou is not None else []
        self.description = f"mot:{self._given}" + (f" ({', '.join(details)})" if details else "")

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame as the file has them, boxes in pixels; images are not looked at.

        Raises:
            InputError: a camera without a file, a file that cannot be read, or a second camera for a single file.
        """
        return [self._for_frame(frame) for frame in frames]

    def _for_frame(self, frame: Frame) -> Detections:
        detections = self._of_camera(frame.camera).for_frame(frame.index + 1)
        if self.confidence is not None:
            detections = detections[detections.scores > self.confidence]
        if self.iou is not None:
            kept = suppress_duplicates(detections.boxes, detections.scores, detections.classes, self.iou)
            detections = detections[kept]
        return detections

    def _of_camera(self, camera: str) -> MotDetections:
        if camera not in self._files:
            path = self._file_of(camera)
            self._files[camera] = read_detections(path)
            for message in self._files[camera].warnings:
                warnings.warn(message, RuntimeWarning, stacklevel=5)
        return self._files[camera]

    def _file_of(self, camera: str) -> Path:
        if camera in self._camera_files:
            return self._camera_files[camera]
        if "{camera}" in self._given:
            tried = [Path(str(self._path).replace("{camera}", camera))]
        elif self._path.is_dir():
            tried = [self._path / layout.replace("{camera}", camera) for layout in _LAYOUTS]
            # the folder of one MOTChallenge sequence serves a run with one camera, whatever that is called
            if not self._files:
                tried += [self._path / "det" / "det.txt", self._path / "det" / "det.txt.gz"]
        elif self._files.keys() - self._camera_files.keys():
            raise InputError(
                f"{self._given} is one file of detections, but there is a second camera {camera!r}: "
                "give a folder with one file per camera, or a path with {camera} in it"
            )
        else:
            tried = [self._path]
        for path in tried:
            if path.is_file():
                return path
        names = ", ".join(str(path) for path in tried)
        raise InputError(f"no detections for camera {camera!r}: looked for {names}{self._hint(camera)}")

    def _hint(self, camera: str) -> str:
        if not self._path.is_dir():
            return ""
        known = {entry.name.removesuffix(".gz").removesuffix(".txt") for entry in self._path.iterdir()}
        return f"; {nearest_name_hint(camera, known)}" if 0 < len(known) <= 20 else ""
