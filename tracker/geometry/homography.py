"""A camera known only by the homography of its floor, and perhaps of a plane of heads (the EPFL data sets).

Every plane parallel to the floor has its homography, and they change linearly with height: a projection matrix
P = [p1 p2 p3 p4] maps the plane z by [p1 p2 p4 + z·p3] (Hartley and Zisserman, Multiple View Geometry, 2nd ed.,
section 8.1). The floor's gives p1, p2 and p4. p3, the image of "up", comes from the plane of heads; without one from
the assumption that pixels are square and the principal point is the image's centre, which leaves the focal length to
be found from the floor's two axes being orthogonal and equally long (section 8.6 there). That is an estimate: feet are
then as exact as the homography, heads are not.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError
from tracker.geometry.floor_camera import MAXIMUM_DISTANCE, same_shape_factors
from tracker.geometry.person_shape import boxes_around, person_points, share_inside

__all__ = ["HomographyCamera"]

Array = NDArray[np.float64]

#: focal lengths that the estimate is held to, as multiples of the longer side of the image
_FOCAL_RANGE = (0.3, 10.0)
#: by how much the head plane's axes may differ from the floor's, as a share
_MOST_DISAGREEMENT = 0.5


@dataclass(frozen=True, eq=False)
class HomographyCamera:
    """A view of the floor through homographies, without lens distortion.

    World axes: x and y on the floor in metres, z up. Their handedness may be mirrored, as in top views whose y runs
    down; only the floor's own distances matter here.

    Args:
        name: what it is called in a run.
        width, height: of its image, pixels.
        ground: (3, 3) floor (x, y, 1) to pixels, pixel (i, j) covering [i, i+1) × [j, j+1).
        head: (3, 3) the same of the plane at ``head_height``, or ``None``.
        head_height: metres above the floor.

    Raises:
        InputError: a matrix is not finite or not 3×3, the floor's is singular, its horizon crosses the lower border of
            the image where the floor must be, or the two matrices are not of one camera.
    """

    name: str
    width: int
    height: int
    ground: Array
    head: Array | None = None
    head_height: float = 1.75

    def __post_init__(self) -> None:
        if not (int(self.width) == self.width >= 1 and int(self.height) == self.height >= 1):
            raise InputError(
                f"camera {self.name}: image of {self.width}×{self.height} pixels; give its width and height"
            )
        if not 0.2 <= self.head_height <= 10:
            raise InputError(f"camera {self.name}: heads at {self.head_height:g} m; give the height in metres")
        ground = self._matrix("ground homography", self.ground)
        inverse = _inverse(ground[None])[0]
        if not np.isfinite(inverse).all():
            raise InputError(
                f"camera {self.name}: its ground homography is singular; give at least four floor points of which no "
                "three are on one line"
            )
        below = inverse[2] @ (self.width / 2, self.height, 1.0)
        if abs(below) < 1e-9 * np.abs(inverse[2]).max():
            raise InputError(
                f"camera {self.name}: its ground homography has the horizon at the image's lower border; check which "
                "way it maps (floor to pixels)"
            )
        # The floor at the image's lower border is in front of the camera: that decides the sign.
        object.__setattr__(self, "ground", ground * np.sign(below))
        if self.head is not None:
            object.__setattr__(self, "head", self._matrix("head homography", self.head))
        if not np.isfinite(self.position).all():
            raise self._no_camera()

    def _no_camera(self) -> InputError:
        return InputError(
            f"camera {self.name}: its homographies are those of no camera; give the ground's only, of at least four "
            "floor points well apart"
        )

    def _matrix(self, field: str, value: ArrayLike) -> Array:
        array = np.array(value, np.float64)
        if array.shape != (3, 3) or not np.isfinite(array).all():
            raise InputError(f"camera {self.name}: its {field} must be 3×3 finite numbers")
        return array / np.abs(array).max()

    @cached_property
    def _change(self) -> Array:
        """(3, 3) by which a plane's homography changes a metre of height."""
        if self.head is None:
            change = np.zeros((3, 3))
            change[:, 2] = estimated_up(self.ground, self.width, self.height)
            return change
        # Columns x and y are p1 and p2 in both, up to scale. Only their rows for image x and depth are compared: heads
        # at the camera's own height are a line in the image, and their homography has no other row of its own.
        weights = np.array([[1 / self.width], [1.0]])
        floor, heads = self.ground[[0, 2], :2] * weights, self.head[[0, 2], :2] * weights
        scale = float((floor * heads).sum()) / max(float((heads * heads).sum()), 1e-300)
        if np.linalg.norm(scale * heads - floor) > _MOST_DISAGREEMENT * np.linalg.norm(floor):
            raise InputError(
                f"camera {self.name}: its head and ground homographies are not of one camera; check that both map the "
                "same top view, in the same direction"
            )
        return (scale * self.head - self.ground) / self.head_height

    @cached_property
    def _matrix_3x4(self) -> Array:
        """(3, 4) projection matrix whose homogeneous coordinate is the depth in metres."""
        matrix = np.column_stack([self.ground[:, :2], self._change[:, 2], self.ground[:, 2]])
        return matrix / np.linalg.norm(matrix[2, :3])

    @cached_property
    def _depth_scale(self) -> float:
        return float(np.linalg.norm([*self.ground[2, :2], self._change[2, 2]]))

    @cached_property
    def position(self) -> Array:
        """(3,) where the camera is, metres: as good as what is known of heights."""
        matrix = self._matrix_3x4
        try:
            return np.asarray(np.linalg.solve(matrix[:, :3], -matrix[:, 3]), np.float64)
        except np.linalg.LinAlgError:
            raise self._no_camera() from None

    def _plane(self, height: ArrayLike) -> Array:
        """Return the homographies (N, 3, 3) of planes at heights (N,)."""
        levels = np.atleast_1d(np.asarray(height, np.float64)).reshape(-1, 1, 1)
        return self.ground + levels * self._change

    def project(self, points: ArrayLike) -> tuple[Array, Array]:
        """Return pixels (N, 2), NaN behind the camera, and depths (N,) in metres of world points (N, 3)."""
        world = np.asarray(points, np.float64).reshape(-1, 3)
        floor = np.column_stack([world[:, :2], np.ones(len(world))])
        seen = floor @ self.ground.T + world[:, 2:] * (floor @ self._change.T)
        depth = seen[:, 2] / self._depth_scale
        with np.errstate(invalid="ignore"):
            return seen[:, :2] / np.where(depth > 1e-6, seen[:, 2], np.nan)[:, None], depth

    def visible(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Return (N,) which world points (N, 3) are in front of the camera and inside its image."""
        x, y = self.project(points)[0].T
        with np.errstate(invalid="ignore"):
            return (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)

    def to_floor(
        self, pixels: ArrayLike, height: ArrayLike = 0.0, *, maximum_distance: float = MAXIMUM_DISTANCE
    ) -> Array:
        """Return (N, 2) x and y, metres, of the places at ``height`` (one or (N,)) that are seen at ``pixels`` (N, 2).

        NaN for pixels above the horizon or farther away than ``maximum_distance``.
        """
        return self._meet(pixels, height, maximum_distance)[0]

    def to_floor_with_covariance(
        self,
        pixels: ArrayLike,
        pixel_covariance: ArrayLike,
        height: ArrayLike = 0.0,
        *,
        maximum_distance: float = MAXIMUM_DISTANCE,
    ) -> tuple[Array, Array]:
        """Return ``to_floor`` and its covariance (N, 2, 2), square metres, from (2, 2) or (N, 2, 2) square pixels.

        The homographies count as exact; what their own points were measured with is not known here.
        """
        points, inverse, scale = self._meet(pixels, height, maximum_distance)
        with np.errstate(divide="ignore", invalid="ignore"):
            by_pixel = (inverse[:, :2, :2] - points[:, :, None] * inverse[:, 2:, :2]) / scale[:, None, None]
        covariance = by_pixel @ np.asarray(pixel_covariance, np.float64) @ np.swapaxes(by_pixel, 1, 2)
        return points, np.where(np.isnan(points[:, :1, None]), np.nan, covariance)

    def _meet(self, pixels: ArrayLike, height: ArrayLike, maximum_distance: float) -> tuple[Array, Array, Array]:
        """Return floor points (N, 2), the planes' inverse homographies, and the homogeneous scales (N,)."""
        pixel = np.asarray(pixels, np.float64).reshape(-1, 2)
        inverse = np.broadcast_to(_inverse(self._plane(height)), (len(pixel), 3, 3))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (inverse @ np.column_stack([pixel, np.ones(len(pixel))])[:, :, None])[:, :, 0]
            points = found[:, :2] / found[:, 2:]
            near = np.hypot(*(points - self.position[:2]).T) <= maximum_distance
            met = (found[:, 2] > 0) & near
        return np.where(met[:, None], points, np.nan), inverse, found[:, 2]

    def person_box(self, x: ArrayLike, y: ArrayLike, height: ArrayLike = 1.75, width: ArrayLike = 0.5) -> Array:
        """Return boxes (N, 4) ``x1, y1, x2, y2`` in pixels of people who stand at the floor places (x, y).

        As ``Camera.person_box``; the top is as good as what is known of heights.
        """
        points = person_points(x, y, height, width, self.position)
        pixels, depth = self.project(points)
        return boxes_around(pixels.reshape(*points.shape[:2], 2), depth.reshape(points.shape[:2]))

    def visible_share(self, boxes: ArrayLike) -> Array:
        """Return (N,) the share of each box (N, 4) that is inside the image, 0 to 1; 0 for boxes of NaN."""
        return share_inside(boxes, self.width, self.height)

    def resized(self, width: int, height: int) -> HomographyCamera:
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
        scaling = np.diag([*factors, 1.0])
        head = None if self.head is None else scaling @ self.head
        return dataclasses.replace(self, width=width, height=height, ground=scaling @ self.ground, head=head)

    def calibration(self) -> dict[str, Any]:
        """Return plain numbers for a ``calibration.json``, which ``read_calibration`` reads again."""
        entry = {
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "homography": self.ground.tolist(),
            "maps": "floor to image",
        }
        if self.head is not None:
            entry |= {"head_homography": self.head.tolist(), "head_height": self.head_height}
        return entry


def estimated_up(ground: Array, width: int, height: int) -> Array:
    """Return (3,) by how much the pixel of a floor point changes a metre upwards, in homogeneous coordinates.

    The column p3 of the projection matrix whose others are those of ``ground`` (3, 3), for square pixels and the
    principal point at the image's centre. The focal length f is the one with which the floor's two axes come out
    orthogonal and equally long, in the least-squares sense.
    """
    centre = np.array([[1.0, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    first, second = (np.linalg.inv(centre) @ ground)[:, :2].T
    by_focal = np.array([first[:2] @ second[:2], first[:2] @ first[:2] - second[:2] @ second[:2]])
    constant = np.array([first[2] * second[2], first[2] ** 2 - second[2] ** 2])
    longest, squares = float(max(width, height)), float(by_focal @ by_focal)
    shortest, furthest = (factor * longest for factor in _FOCAL_RANGE)
    inverse_square = -float(by_focal @ constant) / squares if squares > 0 else 1 / longest**2
    focal = float(np.clip(inverse_square, furthest**-2, shortest**-2)) ** -0.5
    scaling = np.array([focal, focal, 1.0])
    axes = first / scaling, second / scaling
    length = float(np.linalg.norm(axes[0]) + np.linalg.norm(axes[1])) / 2
    up = centre @ (scaling * np.cross(*axes) / length)
    # In a mirrored top view the cross product points down: the camera is above the floor.
    matrix = np.column_stack([ground[:, :2], up])
    below = np.linalg.det(matrix) != 0 and np.linalg.solve(matrix, -ground[:, 2])[2] < 0
    return -up if below else up


def _inverse(matrices: Array) -> Array:
    """Return the inverses (N, 3, 3) of (N, 3, 3), with NaN where a matrix is singular."""
    first, second, third = (matrices[:, :, column] for column in range(3))
    rows = np.stack([np.cross(second, third), np.cross(third, first), np.cross(first, second)], axis=1)
    determinant = (first * rows[:, 0]).sum(axis=1)
    size = np.prod([np.linalg.norm(column, axis=1) for column in (first, second, third)], axis=0)
    usable = np.abs(determinant) > 1e-13 * size
    return rows / np.where(usable, determinant, np.nan)[:, None, None]
