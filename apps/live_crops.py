"""Which crops of a live run go into the store: of each track the best in every few seconds, and the first good one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CropChooser"]

#: pixels that a crop must have at least, across and down
_LEAST_SIZE = (4, 8)
_JPEG_QUALITY = 90
#: a track that was not seen for so long has ended, whether anybody says so or not, seconds
_SILENT_SECONDS = 30.0

#: ``put(camera, track, time, quality, jpeg)``
Put = Callable[[str, int, float, float, bytes], None]


@dataclass(slots=True)
class _Candidate:
    """Of a track: until when crops are compared, and the best of them so far."""

    until: float
    seen: float
    time: float = 0.0
    quality: float = 0.0
    crop: NDArray[np.uint8] | None = None


class CropChooser:
    """Hands over crops as JPEG; holds at most one for each track in view.

    Args:
        put: takes them, each after the track was observed at its time.
        seconds: for which one crop of a track is chosen.
    """

    def __init__(self, put: Put, seconds: float) -> None:
        self._put = put
        self._seconds = seconds
        self._candidates: dict[tuple[str, int], _Candidate] = {}

    def offer(self, camera: str, track: int, time: float, quality: float, box: NDArray[np.float32],
              image: NDArray[np.uint8]) -> None:  # fmt: skip
        """Consider a track's part of an image (H, W, 3) at ``time`` seconds; ``quality`` 0: not fit to be shown."""
        key = (camera, track)
        candidate = self._candidates.get(key)
        if candidate is not None:
            candidate.seen = time
            if time >= candidate.until:
                self._hand_over(key, candidate)
                candidate.until, candidate.quality, candidate.crop = time + self._seconds, 0.0, None
        if quality <= 0 or (candidate is not None and quality <= candidate.quality):
            return
        height, width = image.shape[:2]
        left, top = max(0, round(float(box[0]))), max(0, round(float(box[1])))
        right, bottom = min(width, round(float(box[2]))), min(height, round(float(box[3])))
        if right - left < _LEAST_SIZE[0] or bottom - top < _LEAST_SIZE[1]:
            return
        crop = image[top:bottom, left:right].copy()
        if candidate is None:
            # Whoever looks at somebody who has just come in wants to see a picture now.
            candidate = self._candidates[key] = _Candidate(time + self._seconds, time)
            candidate.time, candidate.quality, candidate.crop = time, quality, crop
            self._hand_over(key, candidate)
            candidate.quality, candidate.crop = 0.0, None
        else:
            candidate.time, candidate.quality, candidate.crop = time, quality, crop

    def ended(self, tracks: Iterable[tuple[str, int]]) -> None:
        """Hand over the last crops of (camera, track) that are no more."""
        for key in tracks:
            candidate = self._candidates.pop(key, None)
            if candidate is not None:
                self._hand_over(key, candidate)

    def forget(self, tracks: Iterable[tuple[str, int]]) -> None:
        """Drop what is held of (camera, track): somebody was erased."""
        for key in tracks:
            candidate = self._candidates.get(key)
            if candidate is not None:
                candidate.quality, candidate.crop = 0.0, None

    def end_silent(self, time: float) -> None:
        """Let go of tracks that nobody has reported for long before ``time`` seconds."""
        self.ended([key for key, one in self._candidates.items() if time - one.seen > _SILENT_SECONDS])

    def finish(self) -> None:
        """Hand over all that is held."""
        self.ended(list(self._candidates))

    def _hand_over(self, key: tuple[str, int], candidate: _Candidate) -> None:
        if candidate.crop is None:
            return
        done, content = cv2.imencode(".jpg", candidate.crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if done:
            self._put(*key, candidate.time, candidate.quality, content.tobytes())
