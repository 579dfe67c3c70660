"""Annotated videos: one per camera, and a mosaic of all."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from tracker.video.drawing import Annotator
from tracker.video.frames import Frame
from tracker.video.mosaic import mosaic, mosaic_size
from tracker.video.writers import VideoWriter

__all__ = ["Renderer"]

_TRAIL_SECONDS = 3.0
#: who was away for longer begins a new trail, instead of a straight line across the picture
_TRAIL_GAP_SECONDS = 0.7
#: half of the time over which a trail is averaged: boxes tremble, people do not
_TRAIL_SMOOTHING_SECONDS = 0.25


class Renderer:
    """Draws frames as they come and writes them.

    Args:
        names: cameras in the order of the mosaic.
        rates: frames per second of each.
        video_paths: where each camera's video goes; empty: none are written.
        mosaic_path: where the mosaic goes, or ``None``.
        trails: draw where people came from.
        keep_mosaic: make the mosaic although it is not written, as ``picture``.
    """

    def __init__(
        self,
        names: Sequence[str],
        rates: Sequence[float | None],
        video_paths: Sequence[Path],
        mosaic_path: Path | None,
        *,
        trails: bool = False,
        keep_mosaic: bool = False,
    ) -> None:
        self.names = list(names)
        self.picture: NDArray[np.uint8] | None = None
        self._rates = dict(zip(names, rates))
        self._video_paths = dict(zip(names, video_paths)) if video_paths else {}
        self._mosaic_path = mosaic_path
        self._mosaic_size: tuple[int, int] | None = None
        self._keep_mosaic = keep_mosaic or mosaic_path is not None
        self._trails: dict[str, dict[int, deque[tuple[float, float, float]]]] | None = (
            {name: {} for name in names} if trails else None
        )
        self._annotator = Annotator()
        self._writers: dict[str, VideoWriter] = {}
        self._mosaic_writer: VideoWriter | None = None
        self._latest: dict[str, NDArray[np.uint8]] = {}
        self._ended: set[str] = set()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        writers = [*self._writers.values(), *([self._mosaic_writer] if self._mosaic_writer else [])]
        for writer in writers:
            if kind is None:
                writer.close()
            else:
                writer.abort()

    def camera_ended(self, name: str) -> None:
        """Show a camera as ended in the mosaic from now on."""
        self._ended.add(name)

    def draw(self, frame: Frame, boxes: NDArray[np.float32], identities: NDArray[np.int64]) -> None:
        """Draw one camera's frame; tracks without identity (0) get a box and no label."""
        if frame.image is None:
            return
        labels = [f"ID {identity}" if identity > 0 else "" for identity in identities.tolist()]
        image = self._annotator.draw(frame.image, boxes, identities, labels, self._trails_of(frame, boxes, identities))
        self._latest[frame.camera] = image
        path = self._video_paths.get(frame.camera)
        if path is not None:
            writer = self._writers.get(frame.camera)
            if writer is None:
                size = (image.shape[1], image.shape[0])
                writer = self._writers[frame.camera] = VideoWriter(path, size, self._rates[frame.camera])
            writer.write(image, frame.time)

    def finish_instant(self, time: float) -> None:
        """All cameras' frames of one instant have been drawn: write the mosaic."""
        if not self._keep_mosaic or not self._latest:
            return
        states = ["ended" if name in self._ended else None for name in self.names]
        images = [self._latest.get(name) for name in self.names]
        if self._mosaic_size is None:
            self._mosaic_size = mosaic_size(images)
        self.picture = mosaic(
            images,
            self.names,
            time=time,
            states=states,
            size=self._mosaic_size,
        )
        if self._mosaic_path is None:
            return
        if self._mosaic_writer is None:
            rate = max((rate for rate in self._rates.values() if rate), default=25.0)
            self._mosaic_writer = VideoWriter(self._mosaic_path, self._mosaic_size, rate)
        self._mosaic_writer.write(self.picture, time)

    def _trails_of(
        self, frame: Frame, boxes: NDArray[np.float32], identities: NDArray[np.int64]
    ) -> dict[int, NDArray[np.float64]] | None:
        if self._trails is None:
            return None
        trails = self._trails[frame.camera]
        for box, identity in zip(boxes.tolist(), identities.tolist()):
            if identity > 0:
                trail = trails.setdefault(identity, deque())
                if trail and frame.time - trail[-1][0] > _TRAIL_GAP_SECONDS:
                    trail.clear()
                trail.append((frame.time, (box[0] + box[2]) / 2, box[3]))
        for identity in list(trails):
            while trails[identity] and trails[identity][0][0] < frame.time - _TRAIL_SECONDS:
                trails[identity].popleft()
            if not trails[identity]:
                del trails[identity]
        return {identity: _smoothed(np.array(points)) for identity, points in trails.items()}


def _smoothed(trail: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (P, 2), the points of a trail (P, 3) of time, x, y averaged over the time around each but the ends."""
    times = trail[:, 0]
    reach = np.minimum(_TRAIL_SMOOTHING_SECONDS, np.minimum(times - times[0], times[-1] - times)) + 1e-6
    first = np.searchsorted(times, times - reach, side="left")
    last = np.searchsorted(times, times + reach, side="right")
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(trail[:, 1:], axis=0)])
    result: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)[:, None]
    return result
