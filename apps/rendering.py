"""Annotated videos: one per camera, and a mosaic of all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from apps.floor_plan import NOBODY, FloorPlan, PeopleOnFloor
from apps.trails import Trails
from tracker.video.drawing import Annotator
from tracker.video.frames import Frame
from tracker.video.mosaic import mosaic, mosaic_size, tile_size
from tracker.video.privacy import Blurring, PrivacyFilter
from tracker.video.writers import VideoWriter

__all__ = ["Renderer"]

#: the mosaic's width and height in pixels, at most, with a floor plan: its other tiles stay about as large as without
_LARGEST_WITH_PLAN = (1920, 1080)


class Renderer:
    """Draws frames as they come and writes them, those of different cameras at the same time.

    A camera's frame is drawn and encoded in a thread while the caller goes on; there is never more than one of each
    camera under way, so that nothing queues up. What goes wrong with one is raised by the next call.

    Args:
        names: cameras in the order of the mosaic.
        rates: frames per second of each.
        video_paths: where each camera's video goes; empty: none are written.
        mosaic_path: where the mosaic goes, or ``None``.
        trails: draw where people came from.
        keep_mosaic: make the mosaic although it is not written, as ``picture``.
        floor_plan: the last tile of the mosaic, or ``None``.
        blurring: what of people is hidden, or ``None``.
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
        floor_plan: FloorPlan | None = None,
        blurring: Blurring | None = None,
    ) -> None:
        self.names = list(names)
        self.picture: NDArray[np.uint8] | None = None
        self._rates = dict(zip(names, rates))
        self._video_paths = dict(zip(names, video_paths)) if video_paths else {}
        self._mosaic_path = mosaic_path
        self._mosaic_size: tuple[int, int] | None = None
        self._keep_mosaic = keep_mosaic or mosaic_path is not None
        self._trails = {name: Trails() for name in names} if trails else None
        self._plan = floor_plan
        self._people: PeopleOnFloor | None = None
        self._annotator = Annotator()
        self._privacy = None if blurring is None else PrivacyFilter(blurring)
        self._writers: dict[str, VideoWriter] = {}
        self._mosaic_writer: VideoWriter | None = None
        # What a thread has drawn is looked at by others only once it is done.
        self._latest: dict[str, NDArray[np.uint8]] = {}
        self._threads = ThreadPoolExecutor(max(min(len(self.names), os.cpu_count() or 1), 1), "draw")
        self._under_way: dict[str, Future[None]] = {}
        # Encoders that run beside each other need no threads of their own.
        self._encoder_threads = 1 if len(self._video_paths) > 1 else 0
        self._ended: set[str] = set()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._wait_for_all()
        except BaseException:
            self._finish(whole=False)
            raise
        self._finish(whole=kind is None)

    def _finish(self, *, whole: bool) -> None:
        """Close all videos, or give them up."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        writers = [*self._writers.values(), *([self._mosaic_writer] if self._mosaic_writer else [])]
        for writer in writers:
            if whole:
                writer.close()
            else:
                writer.abort()

    def _wait_for_all(self) -> None:
        """Wait until all frames are drawn; raise what went wrong with one."""
        while self._under_way:
            _, drawing = self._under_way.popitem()
            drawing.result()

    def camera_ended(self, name: str) -> None:
        """Show a camera as ended in the mosaic from now on."""
        self._ended.add(name)

    def draw(
        self,
        frame: Frame,
        boxes: NDArray[np.float32],
        identities: NDArray[np.int64],
        detected: NDArray[np.float32] | None = None,
    ) -> None:
        """Have one camera's frame drawn; tracks without identity (0) get a box and no label.

        Args:
            frame: the frame; without image nothing is drawn.
            boxes: (N, 4) of tracks, pixels.
            identities: (N,) of the same.
            detected: (M, 4) boxes that hold people too, who are hidden if anybody is.
        """
        if frame.image is None:
            return
        before = self._under_way.pop(frame.camera, None)
        if before is not None:
            before.result()
        self._under_way[frame.camera] = self._threads.submit(
            self._draw, frame, frame.image, boxes, identities, detected
        )

    def _draw(
        self,
        frame: Frame,
        picture: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        identities: NDArray[np.int64],
        detected: NDArray[np.float32] | None,
    ) -> None:
        if self._privacy is not None:
            everybody = boxes if detected is None else np.concatenate([boxes, detected])
            picture = self._privacy.apply(frame.camera, frame.time, picture, everybody)
        labels = [f"ID {identity}" if identity > 0 else "" for identity in identities.tolist()]
        trails = None
        if self._trails is not None:
            feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
            trails = self._trails[frame.camera].update(frame.time, feet, identities)
        image = self._annotator.draw(picture, boxes, identities, labels, trails)
        self._latest[frame.camera] = image
        path = self._video_paths.get(frame.camera)
        if path is not None:
            writer = self._writers.get(frame.camera)
            if writer is None:
                size = (image.shape[1], image.shape[0])
                writer = self._writers[frame.camera] = VideoWriter(
                    path, size, self._rates[frame.camera], threads=self._encoder_threads
                )
            writer.write(image, frame.time)

    def draw_floor(self, people: PeopleOnFloor) -> None:
        """Show in the plan, if there is one, where people are; nobody is there where this was not called."""
        self._people = people

    def finish_instant(self, time: float) -> None:
        """All cameras' frames of one instant have been drawn: write the mosaic."""
        if not self._keep_mosaic:
            return
        self._wait_for_all()
        if not self._latest:
            return
        names, images = list(self.names), [self._latest.get(name) for name in self.names]
        states = ["ended" if name in self._ended else None for name in self.names]
        if self._plan is not None:
            names, images, states = [*names, "floor"], [*images, None], [*states, None]
        if self._mosaic_size is None:
            self._mosaic_size = mosaic_size(images) if self._plan is None else mosaic_size(images, _LARGEST_WITH_PLAN)
        if self._plan is not None:
            images[-1] = self._plan.draw(tile_size(images, self._mosaic_size), time, self._people or NOBODY)
            self._people = None
        self.picture = mosaic(images, names, time=time, states=states, size=self._mosaic_size)
        if self._mosaic_path is None:
            return
        if self._mosaic_writer is None:
            rate = max((rate for rate in self._rates.values() if rate), default=25.0)
            self._mosaic_writer = VideoWriter(self._mosaic_path, self._mosaic_size, rate)
        self._mosaic_writer.write(self.picture, time)
