"""What the web server of ``multicam live`` needs of the run behind it, and nothing more.

Times are seconds since 1970; boxes are ``x1, y1, x2, y2`` in pixels of a camera's whole picture. All methods may be
called from any thread. Requests that cannot be are ``InputError`` with one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tracker.zones.definitions import ZoneDefinitions
from tracker.zones.ledger import Visit
from tracker.zones.reports import IntervalCount

__all__ = ["Engine", "View"]


class View(Protocol):
    """The newest processed picture of a camera, with the boxes that belong to exactly it."""

    @property
    def camera(self) -> str:
        """The camera's name."""

    @property
    def sequence(self) -> int:
        """Grows with each picture of the camera."""

    @property
    def time(self) -> float:
        """When it was taken."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) BGR, with what privacy asks to hide hidden; never changed after."""

    @property
    def boxes(self) -> Sequence[Sequence[Any]]:
        """``[x1, y1, x2, y2, track, identity, name]`` of everybody in it; identity 0: not known yet."""


class Engine(Protocol):
    """A run that goes on: cameras, people, zones, and the store they are kept in."""

    @property
    def camera_names(self) -> Sequence[str]:
        """The cameras in their order."""

    @property
    def store_path(self) -> Path:
        """The store, which may be read while the run writes it."""

    @property
    def failure(self) -> str | None:
        """Why the run ended by itself; ``None`` while it goes on."""

    def status(self) -> dict[str, Any]:
        """Return what ``GET /api/status`` answers."""

    def present(self) -> dict[str, Any]:
        """Return what ``GET /api/present`` answers."""

    def floor(self) -> dict[str, Any] | None:
        """Return ``time`` and ``people`` ``[track, identity, x, y]`` on the floor; ``None`` without calibration."""

    def view(self, camera: str) -> View | None:
        """Return a camera's newest processed picture; ``None`` before the first."""

    def wait_view(self, camera: str, after: int, timeout: float) -> View | None:
        """Return the newest picture once its number is above ``after``; ``None`` after ``timeout`` seconds."""

    def events(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return the newest ``limit`` of the events after number ``after``, newest last, and the newest number."""

    def wait_events(self, after: int, timeout: float) -> object:
        """Return as soon as there are events after number ``after``, or after ``timeout`` seconds."""

    def rename(self, identity: int, name: str | None) -> None:
        """Give an identity a name, or take it away."""

    def merge(self, identity: int, into: int) -> None:
        """Make one identity the same person as another, whose number stays."""

    def split(self, identity: int, camera: str, start: float, end: float) -> int:
        """Make what was seen of an identity in a camera then somebody new; return the new number."""

    def erase(self, identity: int) -> None:
        """Erase an identity wholly."""

    def search(self, image: NDArray[np.uint8], detect: bool, top: int) -> list[dict[str, Any]]:
        """Return ``persons`` of ``POST /api/search`` for a picture (H, W, 3) BGR."""

    def zones(self) -> ZoneDefinitions:
        """Return the zones and lines that are counted."""

    def set_zones(self, definitions: ZoneDefinitions) -> None:
        """Count others from now on, and keep them for the next start."""

    def counts(self) -> dict[str, Any]:
        """Return what ``GET /api/zones/counts`` answers."""

    def visits(self) -> list[Visit]:
        """Return the remembered visits."""

    def count_table(self, interval: float) -> Sequence[IntervalCount]:
        """Return counts by intervals of so many seconds."""

    def floor_path(self, identity: int, since: float) -> Sequence[Sequence[float]]:
        """Return where an identity was on the floor from ``since`` on: ``[time, x, y]`` in ascending order of time."""
