"""The floor plan beside the views: who is where at one instant, and where they came from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.floor_area import FloorArea
from apps.floor_view import FloorView
from apps.trails import Trails
from tracker.geometry.floor_camera import FloorCamera
from tracker.video.drawing import draw_tags, draw_trails, font_height, identity_color

__all__ = ["NOBODY", "FloorPlan", "PeopleOnFloor"]

Image = NDArray[np.uint8]

_DARK = (24, 20, 18)
#: share of the height that the captions of a tile and the scale take, above and below
_MARGINS = (0.0, 0.1, 0.0, 0.09)


@dataclass(frozen=True, slots=True, eq=False)
class PeopleOnFloor:
    """Who is where at one instant.

    Args:
        places: (N, 2) metres.
        identities: (N,); below 1: not yet identified.
        seen: (N,) in a camera; the others are only expected where they are.
    """

    places: NDArray[np.float64]
    identities: NDArray[np.int64]
    seen: NDArray[np.bool_]


NOBODY = PeopleOnFloor(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0, bool))


class FloorPlan:
    """Draws the floor from above, instant after instant.

    Args:
        cameras: shown on it.
        area: of the floor that is shown.
    """

    def __init__(self, cameras: Collection[FloorCamera], area: FloorArea) -> None:
        self._cameras = list(cameras)
        self._area = area
        self._trails = Trails()
        self._view: FloorView | None = None
        self._empty: Image | None = None

    def view(self, size: tuple[int, int]) -> FloorView:
        """Return where what is in a plan of so many pixels (width, height)."""
        return FloorView(self._area, size, _MARGINS)

    def draw(self, size: tuple[int, int], time: float, people: PeopleOnFloor) -> Image:
        """Return the plan (H, W, 3) uint8 BGR: dots in the colours of the identities, rings where nobody is seen.

        Args:
            size: width and height, pixels.
            time: seconds, not before that of the last call.
            people: of this instant.
        """
        width, height = size
        if self._view is None or self._empty is None or self._empty.shape[:2] != (height, width):
            self._view = self.view(size)
            self._empty = self._view.background(self._cameras)
        view, picture = self._view, self._empty.copy()
        trails = self._trails.update(time, people.places, people.identities)
        thickness = max(round(height / 200), 1)
        # Trails count from the pixel's centre, as OpenCV does.
        draw_trails(picture, {who: view.to_pixels(way) - 0.5 for who, way in trails.items()}, thickness)
        font = font_height(height)
        radius = max(0.4 * font, 3.0)
        pixels = view.to_pixels(people.places)
        boxes = np.column_stack([pixels - radius, pixels + radius])
        tags = []
        # Who has a number is drawn over those without.
        for row in np.argsort(people.identities > 0, kind="stable").tolist():
            identity = int(people.identities[row])
            self._draw_person(picture, view.fixed(people.places[row]), radius, identity, bool(people.seen[row]))
            if identity > 0 and (pixels[row] >= 0).all() and (pixels[row] < size).all():
                tags.append((np.rint(boxes[row]).astype(int), f"ID {identity}", identity_color(identity)))
        # A tag that touches a dot is well placed.
        draw_tags(picture, tags, font, 1, np.column_stack([pixels - radius + 1, pixels + radius - 1]))
        return picture

    def _draw_person(self, picture: Image, middle: NDArray[np.int32], radius: float, identity: int, seen: bool) -> None:
        centre, color = tuple(middle.ravel().tolist()), identity_color(identity)
        cv2.circle(picture, centre, round(16 * (radius + 1.5)), _DARK, cv2.FILLED, cv2.LINE_AA, 4)
        if seen:
            cv2.circle(picture, centre, round(16 * radius), color, cv2.FILLED, cv2.LINE_AA, 4)
        else:
            cv2.circle(picture, centre, round(16 * (radius - 1)), color, 2, cv2.LINE_AA, 4)
