"""What the floor tracker needs of a camera, however it was calibrated."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAXIMUM_DISTANCE", "FloorCamera", "same_shape_factors"]

Array = NDArray[np.float64]

#: metres beyond which a pixel is not sent to the floor: near the horizon one pixel is hundreds of metres
MAXIMUM_DISTANCE = 200.0


@runtime_checkable
class FloorCamera(Protocol):
    """A view of the floor: ``Camera`` and ``HomographyCamera`` are such.

    World axes: x and y on the floor, z up, metres; the floor is z = 0. Pixel (i, j) covers [i, i+1) × [j, j+1), as
    boxes do everywhere here: the image's corner is (0, 0), the centre of its first pixel (0.5, 0.5).
    """

    @property
    def name(self) -> str:
        """What the camera is called in a run."""
        ...

    @property
    def width(self) -> int:
        """Pixels."""
        ...

    @property
    def height(self) -> int:
        """Pixels."""
        ...

    @property
    def position(self) -> Array:
        """(3,) where the camera is, metres."""
        ...

    def project(self, points: ArrayLike) -> tuple[Array, Array]:
        """Return pixels (N, 2) and depths (N,) in metres of world points (N, 3)."""
        ...

    def visible(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Return (N,) which world points (N, 3) are in front of the camera and inside its image."""
        ...

    def to_floor(
        self, pixels: ArrayLike, height: ArrayLike = 0.0, *, maximum_distance: float = MAXIMUM_DISTANCE
    ) -> Array:
        """Return (N, 2) x, y of the places at ``height`` (one or (N,)) seen at ``pixels`` (N, 2)."""
        ...

    def to_floor_with_covariance(
        self,
        pixels: ArrayLike,
        pixel_covariance: ArrayLike,
        height: ArrayLike = 0.0,
        *,
        maximum_distance: float = MAXIMUM_DISTANCE,
    ) -> tuple[Array, Array]:
        """Return ``to_floor`` and its covariance (N, 2, 2) in square metres from (2, 2) or (N, 2, 2) square pixels."""
        ...

    def person_box(self, x: ArrayLike, y: ArrayLike, height: ArrayLike = 1.75, width: ArrayLike = 0.5) -> Array:
        """Return boxes (N, 4) of people who stand at floor places."""
        ...

    def visible_share(self, boxes: ArrayLike) -> Array:
        """Return (N,) the share of each box (N, 4) that is inside the image."""
        ...

    def resized(self, width: int, height: int) -> FloorCamera:
        """Return the same camera for its images scaled to another size."""
        ...

    def calibration(self) -> dict[str, Any]:
        """Return plain numbers for a ``calibration.json``."""
        ...


def same_shape_factors(camera: FloorCamera, width: int, height: int) -> tuple[float, float] | None:
    """Return by how much columns and rows scale, or ``None`` when the images differ in shape by more than 2 %."""
    if min(width, height) < 1:
        return None
    across, down = width / camera.width, height / camera.height
    return (across, down) if abs(across / down - 1) <= 0.02 else None
