"""A detector that one camera's pictures cannot break for all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracker.detections import Detections
from tracker.protocols import Detector
from tracker.video.frames import Frame

__all__ = ["PatientDetector"]


class PatientDetector:
    """Looks at the pictures of all cameras together, and alone at those of cameras that made it fail before.

    Args:
        detector: does it.
        failed: told which camera's picture could not be looked at, and why; nobody is found in that picture.
    """

    def __init__(self, detector: Detector, failed: Callable[[str, Exception], None]) -> None:
        self._detector = detector
        self._failed = failed
        self._suspects: set[str] = set()
        self.needs_images = detector.needs_images
        #: what ran
        self.description = detector.description

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, none for those that cannot be looked at.

        Raises:
            Exception: what the detector raises, if it fails for all of them.
        """
        sound = [frame for frame in frames if frame.camera not in self._suspects]
        found: dict[str, Detections] = {}
        alone = [frame for frame in frames if frame.camera in self._suspects]
        if sound:
            try:
                found = dict(zip((frame.camera for frame in sound), self._detector.detect(sound), strict=True))
            except Exception:
                if len(frames) == 1:
                    raise
                alone = list(frames)
        errors: dict[str, Exception] = {}
        for frame in alone:
            try:
                (found[frame.camera],) = self._detector.detect([frame])
                self._suspects.discard(frame.camera)
            except Exception as error:
                errors[frame.camera] = error
                self._suspects.add(frame.camera)
        if errors and not found:
            # It is not the pictures.
            self._suspects.clear()
            raise next(iter(errors.values()))
        for camera, reason in errors.items():
            self._failed(camera, reason)
        return [found.get(frame.camera, Detections.empty()) for frame in frames]
