"""The newest processed picture of each live camera, with the boxes that belong to it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LiveView", "ViewBoard"]


@dataclass(frozen=True, slots=True, eq=False)
class LiveView:
    """A processed picture of a camera.

    Args:
        camera: its name.
        sequence: grows by one with each processed picture of the camera, from 1 on.
        time: when it was taken, seconds since 1970.
        size: width and height in pixels.
        image: (H, W, 3) uint8 BGR, with what is to be hidden hidden; not to be changed.
        boxes: of each person ``[x1, y1, x2, y2, track, identity, name]`` in pixels; identity 0: nobody known (yet),
            name ``None``: has none.
    """

    camera: str
    sequence: int
    time: float
    size: tuple[int, int]
    image: NDArray[np.uint8]
    boxes: list[list[Any]]


class ViewBoard:
    """Keeps one view of each camera, and lets any thread wait for the next."""

    def __init__(self) -> None:
        self._views: dict[str, LiveView] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, camera: str, time: float, image: NDArray[np.uint8], boxes: list[list[Any]]) -> None:
        """Show a new picture (H, W, 3) of a camera."""
        with self._changed:
            before = self._views.get(camera)
            sequence = 1 if before is None else before.sequence + 1
            size = (image.shape[1], image.shape[0])
            self._views[camera] = LiveView(camera, sequence, time, size, image, boxes)
            self._changed.notify_all()

    def newest(self, camera: str) -> LiveView | None:
        """Return what a camera shows, ``None`` before its first picture."""
        with self._changed:
            return self._views.get(camera)

    def wait(self, camera: str, after: int, timeout: float) -> LiveView | None:
        """Return the camera's newest view once its number is above ``after``; ``None`` after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._later(camera, after) is not None, timeout)
            return self._later(camera, after)

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _later(self, camera: str, after: int) -> LiveView | None:
        view = self._views.get(camera)
        return view if view is not None and view.sequence > after else None
