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
from tracker.video.mosaic import mosaic
from tracker.video.writers import VideoWriter

__all__ = ["MosaicSettings", "Renderer"]

MosaicSettings = tuple[int, int]
_TRAIL_SECONDS = 3.0


class Renderer:
    """Draws frames as they come and writes them.

    Args:
        names: cameras in the order of the mosaic.
        rates: frames per second of each.
        video_paths: where each camera's video goes; empty: none are written.
        mosaic_path: where the mosaic goes, or ``None``.
        trails: draw where people came from.
        mosaic_size: (width, height) in pixels.
    """

    def __init__(
        self,
        names: Sequence[str],
        rates: Sequence[float | None],
        video_paths: Sequence[Path],
        mosaic_path: Path | None,
        *,
        trails: bool = False,
        mosaic_size: MosaicSettings = (1280, 720),
        keep_mosaic: bool = False,
    ) -> None:
        self.names = list(names)
        self.picture: NDArray[np.uint8] | None = None
        self._rates = dict(zip(names, rates))
        self._video_paths = dict(zip(names, video_paths)) if video_paths else {}
        self._mosaic_path = mosaic_path
        self._mosaic_size = mosaic_size
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
        self.picture = mosaic(
            [self._latest.get(name) for name in self.names],
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
                trails.setdefault(identity, deque()).append((frame.time, (box[0] + box[2]) / 2, box[3]))
        for identity in list(trails):
            while trails[identity] and trails[identity][0][0] < frame.time - _TRAIL_SECONDS:
                trails[identity].popleft()
            if not trails[identity]:
                del trails[identity]
        return {identity: np.array([point[1:] for point in points]) for identity, points in trails.items()}
