"""A calibrated camera: world points to pixels, pixels to the floor, people to boxes.

Two conventions for pixels meet here. OpenCV counts pixel *centres*: the first pixel's centre is (0, 0). Boxes here
count *borders*: the image's corner is (0, 0), so that the first pixel covers [0, 1) and its centre is (0.5, 0.5).
``Camera.intrinsics`` are in the second convention, whatever file they come from; the readers of OpenCV's files add 0.5
to the principal point, and nothing else differs between the two.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError
from tracker.geometry.distortion import COEFFICIENT_COUNTS, Distortion, inverse_2x2
from tracker.geometry.floor_camera import MAXIMUM_DISTANCE, FloorCamera, same_shape_factors
from tracker.geometry.person_shape import boxes_around, person_points, share_inside

__all__ = ["MAXIMUM_DISTANCE", "Camera", "FloorCamera"]

Array = NDArray[np.float64]

#: how far a rotation may be from orthonormal, since files round it; it is then replaced by the nearest rotation
_ROTATION_TOLERANCE = 1e-2
#: metres in front of the camera from which a point counts as in front
_NEAREST = 1e-6


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera with OpenCV's lens distortion: ``x_camera = R · x_world + t``.

    World axes: x and y on the floor, z up, metres; the floor is z = 0. Camera axes: right, down, forward.

    Args:
        name: what it is called in a run.
        width, height: of its image, pixels.
        intrinsics: (3, 3) K, pixels; pixel (i, j) covers [i, i+1) × [j, j+1), so the principal point is 0.5 more than
            OpenCV's. Skew is allowed.
        distortion: (4,), (5,) or (8,) OpenCV's k1, k2, p1, p2[, k3[, k4, k5, k6]]; trailing zeros may be more.
        rotation: (3, 3) R, world to camera.
        translation: (3,) t, metres.

    Raises:
        InputError: a value is not finite, has the wrong shape, or cannot be of a camera.
    """

    name: str
    width: int
    height: int
    intrinsics: Array
    distortion: Array
    rotation: Array
    translation: Array

    def __post_init__(self) -> None:
        if not (int(self.width) == self.width >= 1 and int(self.height) == self.height >= 1):
            raise InputError(
                f"camera {self.name}: image of {self.width}×{self.height} pixels; give its width and height"
            )
        intrinsics = self._numbers("intrinsics", self.intrinsics, (3, 3))
        rotation = self._numbers("rotation", self.rotation, (3, 3))
        translation = self._numbers("translation", self.translation, (3,))
        self._check_intrinsics(intrinsics)
        values = {
            "width": int(self.width),
            "height": int(self.height),
            "intrinsics": intrinsics / intrinsics[2, 2],
            "distortion": self._check_distortion(),
            "rotation": self._check_rotation(rotation),
            "translation": translation,
        }
        for field, value in values.items():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, field, value)

    def _numbers(self, field: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
        try:
            array = np.array(value, np.float64)
        except (TypeError, ValueError):
            raise InputError(f"camera {self.name}: its {field} holds something that is no number") from None
        if array.size != np.prod(shape):
            raise InputError(f"camera {self.name}: its {field} has shape {array.shape}; give {shape}")
        if not np.isfinite(array).all():
            raise InputError(f"camera {self.name}: its {field} is not finite; calibrate it again")
        return array.reshape(shape)

    def _check_intrinsics(self, matrix: Array) -> None:
        lower = max(abs(matrix[1, 0]), abs(matrix[2, 0]), abs(matrix[2, 1]))
        if not matrix[2, 2] or lower > 1e-6 * np.abs(matrix).max():
            raise InputError(
                f"camera {self.name}: its intrinsics are not [[fx, s, cx], [0, fy, cy], [0, 0, 1]]; check their order"
            )
        focal = np.diag(matrix)[:2] / matrix[2, 2]
        if not (focal > 0).all():
            raise InputError(
                f"camera {self.name}: focal lengths {focal[0]:g} and {focal[1]:g} pixels; both must be positive"
            )

    def _check_distortion(self) -> Array:
        given = np.atleast_1d(np.asarray(self.distortion, np.float64)).reshape(-1)
        if not np.isfinite(given).all():
            raise InputError(f"camera {self.name}: its distortion is not finite; calibrate it again")
        if len(given) > 8 and not given[8:].any():
            given = given[:8]
        if len(given) not in (0, *COEFFICIENT_COUNTS):
            raise InputError(
                f"camera {self.name}: {len(given)} distortion coefficients; give k1, k2, p1, p2, k3 as OpenCV orders "
                "them (thin prisms, tilted sensors and fisheye lenses are not supported: undistort the video first)"
            )
        return np.concatenate([given, np.zeros(8 - len(given))])

    def _check_rotation(self, matrix: Array) -> Array:
        left, scales, right = np.linalg.svd(matrix)
        if np.abs(scales - 1).max() > _ROTATION_TOLERANCE:
            raise InputError(
                f"camera {self.name}: its rotation is not orthonormal (singular values "
                f"{', '.join(f'{scale:.3g}' for scale in scales)}); give the 3×3 rotation from world to camera"
            )
        if np.linalg.det(matrix) < 0:
            raise InputError(f"camera {self.name}: its rotation is a mirror image; check the world's axes (z up)")
        return np.asarray(left @ right, np.float64)

    @cached_property
    def position(self) -> Array:
        """(3,) where the camera is, metres: −Rᵀ t."""
        return np.asarray(-self.rotation.T @ self.translation, np.float64)

    @cached_property
    def _pixels_per_unit(self) -> Array:
        return self.intrinsics[:2, :2]

    @cached_property
    def _units_per_pixel(self) -> Array:
        return np.asarray(np.linalg.inv(self.intrinsics[:2, :2]), np.float64)

    @cached_property
    def _lens(self) -> Distortion:
        corners = np.array([(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)], np.float64)
        normal = (corners - self.intrinsics[:2, 2]) @ self._units_per_pixel.T
        return Distortion(self.distortion, float(np.hypot(*normal.T).max()))

    def _normalised(self, points: ArrayLike) -> tuple[Array, Array]:
        """Return undistorted image coordinates (N, 2), NaN behind the camera, and depths (N,) of world points."""
        seen = np.asarray(points, np.float64).reshape(-1, 3) @ self.rotation.T + self.translation
        depth = seen[:, 2]
        with np.errstate(invalid="ignore"):
            front = depth > _NEAREST
        return seen[:, :2] / np.where(front, depth, np.nan)[:, None], depth

    def _to_pixels(self, normal: Array) -> Array:
        return self._lens.apply(normal) @ self._pixels_per_unit.T + self.intrinsics[:2, 2]

    def project(self, points: ArrayLike) -> tuple[Array, Array]:
        """Return pixels (N, 2) and depths (N,) in metres of world points (N, 3).

        Pixels may lie outside the image; they are NaN for points that are not in front of the camera. Far outside the
        field of view, where a distortion model turns back, it is continued straight on (``distortion.py``): what is
        outside never lands inside.
        """
        normal, depth = self._normalised(points)
        return self._to_pixels(normal), depth

    def visible(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Return (N,) which world points (N, 3) are in front of the camera and inside its image; walls are unknown."""
        normal, _ = self._normalised(points)
        x, y = self._to_pixels(normal).T
        with np.errstate(invalid="ignore"):
            inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
            return inside & self._lens.trusts(normal)

    def to_floor(
        self, pixels: ArrayLike, height: ArrayLike = 0.0, *, maximum_distance: float = MAXIMUM_DISTANCE
    ) -> Array:
        """Return (N, 2) x and y, metres, of the places at ``height`` that are seen at ``pixels`` (N, 2).

        Args:
            pixels: (N, 2); they may lie outside the image.
            height: metres above the floor, one for all or (N,).
            maximum_distance: metres on the floor from the camera.

        NaN for pixels above the horizon, farther away than ``maximum_distance``, or without a ray.
        """
        rays = self._rays(self._undistorted(pixels))
        return self._meet(rays, np.asarray(height, np.float64), maximum_distance)[0]

    def to_floor_with_covariance(
        self,
        pixels: ArrayLike,
        pixel_covariance: ArrayLike,
        height: ArrayLike = 0.0,
        *,
        maximum_distance: float = MAXIMUM_DISTANCE,
    ) -> tuple[Array, Array]:
        """Return ``to_floor`` and the covariance (N, 2, 2) of its points, square metres.

        The covariance of the pixels, (2, 2) or (N, 2, 2) square pixels, goes through the derivative of ``to_floor``:
        true while the noise is small beside the distance to the horizon.
        """
        normal = self._undistorted(pixels)
        rays = self._rays(normal)
        points, depth = self._meet(rays, np.asarray(height, np.float64), maximum_distance)
        # A point is C + s·d with d = Rᵀ (x, y, 1); it stays on its plane while x and y move.
        falling = (rays[:, :2] / rays[:, 2:])[:, :, None] * self.rotation[:2, 2]
        by_normal = depth[:, None, None] * (self.rotation[:2, :2].T - falling)
        _, distorting = self._lens.apply_with_jacobian(np.nan_to_num(normal))
        by_pixel = by_normal @ inverse_2x2(distorting) @ self._units_per_pixel
        covariance = by_pixel @ np.asarray(pixel_covariance, np.float64) @ np.swapaxes(by_pixel, 1, 2)
        return points, np.where(np.isnan(points[:, :1, None]), np.nan, covariance)

    def _undistorted(self, pixels: ArrayLike) -> Array:
        centred = np.asarray(pixels, np.float64).reshape(-1, 2) - self.intrinsics[:2, 2]
        return self._lens.undo(centred @ self._units_per_pixel.T)

    def _rays(self, normal: Array) -> Array:
        """Return world directions (N, 3) of unit depth."""
        return normal @ self.rotation[:2] + self.rotation[2]

    def _meet(self, rays: Array, height: Array, maximum_distance: float) -> tuple[Array, Array]:
        """Return where rays meet the plane (N, 2), NaN where they do not, and the depths (N,) at which they do."""
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (height - self.position[2]) / rays[:, 2]
            moved = rays[:, :2] * depth[:, None]
            met = (depth > _NEAREST) & (np.hypot(*moved.T) <= maximum_distance)
        return np.where(met[:, None], self.position[:2] + moved, np.nan), depth

    def person_box(self, x: ArrayLike, y: ArrayLike, height: ArrayLike = 1.75, width: ArrayLike = 0.5) -> Array:
        """Return boxes (N, 4) ``x1, y1, x2, y2`` in pixels of people who stand at the floor places (x, y).

        A person is three circles: soles, shoulders and crown (``person_shape.py``). Boxes are not clipped to the
        image; they are NaN when the person is not wholly in front of the camera.

        Args:
            x, y: metres, numbers or (N,).
            height: of the people, metres, one or (N,).
            width: of the people, metres, one or (N,).
        """
        points = person_points(x, y, height, width, self.position)
        pixels, depth = self.project(points)
        return boxes_around(pixels.reshape(*points.shape[:2], 2), depth.reshape(points.shape[:2]))

    def visible_share(self, boxes: ArrayLike) -> Array:
        """Return (N,) the share of each box (N, 4) that is inside the image, 0 to 1; 0 for boxes of NaN."""
        return share_inside(boxes, self.width, self.height)

    def resized(self, width: int, height: int) -> Camera:
        """Return this camera for its images scaled to ``width × height`` pixels.

        Raises:
            InputError: that size has another shape.
        """
        factors = same_shape_factors(self, width, height)
        if factors is None:
            raise InputError(
                f"camera {self.name}: calibrated for images of {self.width}×{self.height}, which do not scale to "
                f"{width}×{height}; calibrate it for the video's own size"
            )
        intrinsics = np.diag([*factors, 1.0]) @ self.intrinsics
        return dataclasses.replace(self, width=width, height=height, intrinsics=intrinsics)

    def calibration(self) -> dict[str, Any]:
        """Return plain numbers for a ``calibration.json``, which ``read_calibration`` reads again."""
        return {
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "K": self.intrinsics.tolist(),
            "R": self.rotation.tolist(),
            "t": self.translation.tolist(),
            "distortion": self.distortion.tolist(),
        }
