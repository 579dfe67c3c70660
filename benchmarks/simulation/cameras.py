"""Pinhole cameras of the simulated room: projection, rays and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError

__all__ = ["Camera", "corner_cameras"]

MAXIMUM_CORNER_CAMERAS = 4


@dataclass(frozen=True)
class Camera:
    """One ideal pinhole camera with square pixels; pixel ``(i, j)`` spans ``[i, i+1) × [j, j+1)``.

    Args:
        name: unique name, also of its files.
        position: metres, world axes (x, y on the floor, z up).
        look_at: a world point on the optical axis, metres.
        field_of_view: horizontal, degrees, between 20 and 120.
        width, height: pixels, each at least 32.
        gain: (blue, green, red) exposure and white balance of the sensor.
        noise: standard deviation of the sensor's noise, grey levels.

    Raises:
        InputError: a value lies outside its range, or the camera looks straight up or down.
    """

    name: str
    position: tuple[float, float, float]
    look_at: tuple[float, float, float]
    field_of_view: float = 78.0
    width: int = 640
    height: int = 480
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    noise: float = 2.0

    def __post_init__(self) -> None:
        if not 20.0 <= self.field_of_view <= 120.0:
            raise InputError(
                f"camera {self.name}: field of view {self.field_of_view:g} degrees; give one between 20 and 120"
            )
        if (
            min(self.width, self.height) < 32
            or max(self.width, self.height) > 4096
            or self.width % 2
            or self.height % 2
        ):
            raise InputError(
                f"camera {self.name}: image of {self.width}×{self.height}; give even sizes between 32 and 4096 pixels"
            )
        axis = np.subtract(self.look_at, self.position)
        if not np.isfinite(axis).all() or np.hypot(axis[0], axis[1]) < 1e-3:
            raise InputError(
                f"camera {self.name} at {self.position} cannot look at {self.look_at}: "
                "the direction must be finite and not vertical"
            )

    @cached_property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3) world to camera axes: right, down, forward."""
        forward = np.subtract(self.look_at, self.position).astype(np.float64)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])

    @cached_property
    def translation(self) -> NDArray[np.float64]:
        """(3,) ``t`` of ``x_camera = R · x_world + t``, metres."""
        return -self.rotation @ np.asarray(self.position, np.float64)

    @cached_property
    def intrinsics(self) -> NDArray[np.float64]:
        """(3, 3) matrix K, pixels."""
        focal = self.width / 2 / np.tan(np.radians(self.field_of_view / 2))
        return np.array([[focal, 0, self.width / 2], [0, focal, self.height / 2], [0, 0, 1]])

    def project(self, points: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return pixels (N, 2) and depths (N,) in metres of world ``points`` (N, 3); points behind have depth ≤ 0."""
        world = np.asarray(points, np.float32).reshape(-1, 3)
        seen = world @ self.rotation.T.astype(np.float32) + self.translation.astype(np.float32)
        depth = seen[:, 2]
        divisor = np.where(np.abs(depth) < 1e-6, np.float32(1e-6), depth)
        focal = np.float32(self.intrinsics[0, 0])
        centre = np.array([self.width / 2, self.height / 2], np.float32)
        pixels = seen[:, :2] * (focal / divisor)[:, None] + centre
        return pixels.astype(np.float32, copy=False), depth

    def rays(self, samples: int = 1) -> NDArray[np.float32]:
        """Return world directions (H·samples, W·samples, 3) through (sub)pixel centres, of unit depth."""
        columns = (np.arange(self.width * samples, dtype=np.float32) + 0.5) / samples
        rows = (np.arange(self.height * samples, dtype=np.float32) + 0.5) / samples
        focal = np.float32(self.intrinsics[0, 0])
        in_camera = np.empty((len(rows), len(columns), 3), np.float32)
        in_camera[..., 0] = (columns - self.width / 2) / focal
        in_camera[..., 1] = ((rows - self.height / 2) / focal)[:, None]
        in_camera[..., 2] = 1.0
        return in_camera @ self.rotation.astype(np.float32)

    def calibration(self) -> dict[str, Any]:
        """Return plain numbers for a calibration file: size, K, R, t, no distortion."""
        return {
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "K": self.intrinsics.tolist(),
            "R": self.rotation.tolist(),
            "t": self.translation.tolist(),
            "distortion": [0.0, 0.0, 0.0, 0.0, 0.0],
        }


# Exposure and white balance differ as they do between cheap cameras of one installation.
_GAINS = ((1.0, 1.0, 1.0), (1.08, 1.0, 0.92), (0.84, 0.95, 1.04), (0.90, 0.86, 0.86))


def corner_cameras(width: float, depth: float, count: int = 4, *, size: tuple[int, int] = (640, 480)) -> list[Camera]:
    """Return ``count`` cameras under the ceiling in the corners of a ``width × depth`` metre room.

    Raises:
        InputError: ``count`` is not between 1 and 4.
    """
    if not 1 <= count <= MAXIMUM_CORNER_CAMERAS:
        raise InputError(f"{count} cameras; the room has four corners: give 1 to 4")
    inset = 0.12
    corners = (
        (inset, inset),
        (width - inset, depth - inset),
        (width - inset, inset),
        (inset, depth - inset),
    )
    heights = (2.42, 2.46, 2.38, 2.44)
    return [
        Camera(
            f"cam{number + 1}",
            (x, y, heights[number]),
            (width / 2 + 0.10 * (width / 2 - x), depth / 2 + 0.10 * (depth / 2 - y), 0.80),
            width=size[0],
            height=size[1],
            gain=_GAINS[number],
        )
        for number, (x, y) in enumerate(corners[:count])
    ]
