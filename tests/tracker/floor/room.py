"""A room of 6 × 5 metres with four cameras in its corners, and the boxes of people in it, for the tests here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from tests.tracker.geometry.worlds import look_at
from tracker.detections import Detections
from tracker.geometry.camera import Camera

SIZE = (640, 480)
CORNERS = {"southwest": (0.0, 0.0), "southeast": (6.0, 0.0), "northeast": (6.0, 5.0), "northwest": (0.0, 5.0)}


def corner_cameras() -> dict[str, Camera]:
    """Return the four cameras, 2.6 m above the floor, which look at the middle of the room; the same ones each time."""
    return dict(_corner_cameras())


@cache
def _corner_cameras() -> dict[str, Camera]:
    """Make the cameras once: they keep what they have computed of themselves."""
    intrinsics = np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]])
    cameras = {}
    for name, (x, y) in CORNERS.items():
        rotation, translation = look_at((x, y, 2.6), (3.0, 2.5, 0.8))
        cameras[name] = Camera(name, *SIZE, intrinsics, np.zeros(5), rotation, translation)
    return cameras


def boxes_of(
    cameras: Mapping[str, Camera],
    people: Sequence[tuple[float, float]],
    generator: np.random.Generator | None = None,
    *,
    missed: float = 0.0,
    noise: float = 0.02,
    height: float = 1.75,
) -> dict[str, Detections]:
    """Return what a detector finds: people inside the image, their sides off by ``noise`` of the height.

    Of two in one place it finds both; who is ``missed`` is drawn for every camera anew. Boxes end at the border.
    """
    found = {}
    for name, camera in cameras.items():
        boxes = []
        for x, y in people:
            box = camera.person_box(x, y, height)[0]
            if not np.isfinite(box).all() or camera.visible_share(box)[0] < 0.4:
                continue
            if generator is not None:
                if generator.random() < missed:
                    continue
                box = box + generator.normal(0, noise * (box[3] - box[1]), 4)
            box = np.clip(box, 0, [SIZE[0], SIZE[1], SIZE[0], SIZE[1]])
            if (box[2:] - box[:2] > 4).all():
                boxes.append(box)
        found[name] = Detections(np.array(boxes).reshape(-1, 4))
    return found
