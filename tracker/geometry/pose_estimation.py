"""Where a camera is and how it looks, from point pairs on the floor and above it.

Samples are three pairs and a focal length out of a row of them: each has up to four poses (P3P; recent versions of
OpenCV follow Ding et al., Revisiting the P3P Problem, CVPR 2023). Least squares of the distance in pixels then finds
rotation, position, focal length and, where wanted, one coefficient of radial distortion. Pixels are taken as square and
the principal point as the image's centre, unless the intrinsics are given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from tracker.geometry.camera import Camera
from tracker.geometry.consensus import point_subsets
from tracker.geometry.distortion import Distortion
from tracker.geometry.floor_homography import determined
from tracker.geometry.point_pairs import PointPairs

__all__ = ["CameraPose", "Pose"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: focal lengths that are looked for, as multiples of the longer side of the image
_FOCAL_RANGE = (0.3, 10.0)
_FOCAL_LENGTHS = 16
_MOST_SAMPLES = 80
_SMALLEST_TRIANGLE = 1e-3
_NEAREST = 1e-6
#: what stands for the pixel of a place behind the camera while a fit is improved
_FAR = 1e5
_MOST_STEPS = 30


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera that is being estimated.

    Args:
        focal: length in pixels.
        k1: OpenCV's first coefficient of radial distortion.
        rotation: (3, 3) world to camera.
        position: (3,) metres.
    """

    focal: float
    k1: float
    rotation: Array
    position: Array


class CameraPose:
    """The ``PairModel`` of cameras.

    Args:
        pairs: places and pixels.
        width, height: of the image, pixels.
        intrinsics: a camera whose K and distortion hold; not its pose. ``None``: the focal length is found.
        distorted: find k1 too.
    """

    #: pairs that determine one
    minimum = 4

    def __init__(
        self, pairs: PointPairs, width: int, height: int, intrinsics: Camera | None = None, *, distorted: bool = False
    ) -> None:
        self._pairs = pairs
        self._size = width, height
        self._given = intrinsics
        self._distorted = distorted
        self._lens: Distortion | None = None
        if intrinsics is None:
            self._matrix, self._centre = np.eye(2), np.array([width, height]) / 2
        else:
            self._matrix, self._centre = intrinsics.intrinsics[:2, :2], intrinsics.intrinsics[:2, 2]
            self._lens = Distortion(intrinsics.distortion, self._reach(1.0))

    def with_distortion(self) -> CameraPose:
        """Return this model with k1 to be found."""
        return CameraPose(self._pairs, *self._size, self._given, distorted=True)

    @property
    def focal_range(self) -> tuple[float, float]:
        """Focal lengths in pixels beyond which none is believed."""
        longest = float(max(self._size))
        return _FOCAL_RANGE[0] * longest, _FOCAL_RANGE[1] * longest

    def _reach(self, focal: float) -> float:
        width, height = self._size
        corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float64) - self._centre
        return float(np.hypot(*np.linalg.solve(self._matrix, corners.T)).max()) / focal

    def candidates(self, seed: int) -> list[Pose]:
        """Return the poses of samples of three pairs that are not on one line, for every focal length in turn."""
        import cv2

        world = self._pairs.world
        normal = (self._pairs.pixels - self._centre) @ np.linalg.inv(self._matrix).T
        if self._lens is not None:
            normal = self._lens.undo(normal)
        focals = [1.0] if self._given is not None else np.geomspace(*self.focal_range, _FOCAL_LENGTHS).tolist()
        extent = float(np.ptp(world, axis=0).max())
        poses: list[tuple[float, Array, Array]] = []
        for subset in point_subsets(len(world), 3, _MOST_SAMPLES, seed):
            corners, rays = world[subset], normal[subset]
            area = float(np.linalg.norm(np.cross(corners[1] - corners[0], corners[2] - corners[0])))
            if not (area > 2 * _SMALLEST_TRIANGLE * extent**2 and np.isfinite(rays).all()):
                continue
            for focal in focals:
                _, turns, shifts = cv2.solveP3P(corners, rays / focal, np.eye(3), None, flags=cv2.SOLVEPNP_P3P)
                poses += [
                    (focal, *np.array([turn, shift], np.float64).reshape(2, 3)) for turn, shift in zip(turns, shifts)
                ]
        poses = [pose for pose in poses if np.isfinite(pose[1]).all() and np.isfinite(pose[2]).all()]
        if not poses:
            return []
        rotations = np.asarray(Rotation.from_rotvec(np.array([turn for _, turn, _ in poses])).as_matrix())
        return [
            Pose(focal, 0.0, rotation, -rotation.T @ shift)
            for (focal, _, shift), rotation in zip(poses, rotations, strict=True)
        ]

    def errors(self, candidate: Pose) -> Array:
        """Return (N,) distances in pixels, infinite for places behind the camera."""
        pixels, depth = self._project(candidate, self._pairs.world)
        return np.where(depth > _NEAREST, np.hypot(*(pixels - self._pairs.pixels).T), np.inf)

    def refined(self, candidate: Pose, used: Mask) -> Pose | None:
        """Return the least-squares fit to the pairs ``used`` (N,), ``None`` when they do not determine one."""
        fit = self._fit(candidate, used)
        if fit is None or not determined(fit[1]):
            return None
        low, high = self.focal_range
        if self._given is None and not low <= fit[0].focal <= high:
            return None
        return fit[0]

    def covariance(self, candidate: Pose, used: Mask, noise: float) -> Array:
        """Return the covariance (P, P) of a fit's parameters when each pixel coordinate errs by ``noise`` pixels.

        The parameters are three turns in radians, the position in metres and, where they were found, the logarithm of
        the focal length and k1.
        """
        fit = self._fit(candidate, used)
        assert fit is not None
        return np.asarray(noise**2 * np.linalg.pinv(fit[1].T @ fit[1]))

    def camera(self, candidate: Pose, name: str) -> Camera:
        """Return the camera that a candidate describes."""
        width, height = self._size
        translation = -candidate.rotation @ candidate.position
        if self._given is not None:
            given = self._given
            return Camera(name, width, height, given.intrinsics, given.distortion, candidate.rotation, translation)
        intrinsics = np.diag([candidate.focal, candidate.focal, 1.0])
        intrinsics[:2, 2] = self._centre
        distortion = np.array([candidate.k1, 0, 0, 0, 0])
        return Camera(name, width, height, intrinsics, distortion, candidate.rotation, translation)

    def has_rays(self, candidate: Pose, pixels: Array) -> Mask:
        """Return (N,) at which pixels (N, 2) something can be seen; not where the distortion turns back before."""
        lens = Distortion(np.array([candidate.k1, 0, 0, 0, 0, 0, 0, 0]), self._reach(candidate.focal))
        return np.asarray(np.isfinite(lens.undo((pixels - self._centre) / candidate.focal)).all(axis=1))

    def _project(self, pose: Pose, points: Array) -> tuple[Array, Array]:
        seen = (points - pose.position) @ pose.rotation.T
        depth = seen[:, 2]
        normal = seen[:, :2] / np.where(depth > _NEAREST, depth, 1.0)[:, None]
        if self._lens is not None:
            normal = self._lens.apply(normal)
        elif pose.k1:
            normal = normal * (1 + pose.k1 * (normal**2).sum(axis=1, keepdims=True))
        return pose.focal * (normal @ self._matrix.T) + self._centre, depth

    def _fit(self, start: Pose, used: Mask) -> tuple[Pose, Array] | None:
        """Return the least-squares fit and its Jacobian (2·M, P); parameters as in ``covariance``."""
        count = 6 + (self._given is None) + self._distorted
        if used.sum() < self.minimum or 2 * used.sum() < count:
            return None
        world, pixels = self._pairs.world[used], self._pairs.pixels[used]

        def moved(step: Array) -> Pose:
            turned = _rotation(step[:3])[0] @ start.rotation
            pose = replace(start, rotation=turned, position=start.position + step[3:6])
            if self._given is None:
                pose = replace(pose, focal=start.focal * float(np.exp(np.clip(step[6], -5, 5))))
            return replace(pose, k1=start.k1 + float(step[-1])) if self._distorted else pose

        def residuals(step: Array) -> Array:
            found, depth = self._project(moved(step), world)
            return np.asarray(np.where(depth[:, None] > _NEAREST, found - pixels, _FAR)).ravel()

        def jacobian(step: Array) -> Array:
            return self._jacobian(moved(step), step[:3], world)

        fit = least_squares(residuals, np.zeros(count), jacobian, method="lm", max_nfev=_MOST_STEPS)
        return moved(fit.x), np.asarray(fit.jac)

    def _jacobian(self, pose: Pose, turn: Array, points: Array) -> Array:
        """Return the derivative (2·N, P) of the pixels of points (N, 3) at a pose that was turned by ``turn`` (3,)."""
        seen = (points - pose.position) @ pose.rotation.T
        depth = np.maximum(seen[:, 2], _NEAREST)
        normal = seen[:, :2] / depth[:, None]
        squared = (normal**2).sum(axis=1)
        if self._lens is not None:
            bent, bending = self._lens.apply_with_jacobian(normal)
        else:
            factor = 1 + pose.k1 * squared
            bent = normal * factor[:, None]
            bending = factor[:, None, None] * np.eye(2) + 2 * pose.k1 * normal[:, :, None] * normal[:, None, :]
        by_normal = pose.focal * self._matrix @ bending
        by_seen = by_normal @ np.concatenate(
            [np.broadcast_to(np.eye(2), (len(points), 2, 2)), -normal[:, :, None]], axis=2
        ) / depth[:, None, None]  # fmt: skip
        columns = [-by_seen @ _cross(seen) @ _rotation(turn)[1], -by_seen @ pose.rotation]
        if self._given is None:
            columns.append((pose.focal * bent @ self._matrix.T)[:, :, None])
        if self._distorted:
            columns.append((pose.focal * (normal * squared[:, None]) @ self._matrix.T)[:, :, None])
        result = np.concatenate(columns, axis=2)
        result[seen[:, 2] <= _NEAREST] = 0
        return result.reshape(2 * len(points), -1)


def _cross(vectors: Array) -> Array:
    """Return the matrices (…, 3, 3) of the cross products with vectors (…, 3)."""
    result = np.zeros((*vectors.shape, 3))
    for row, column, axis, sign in ((0, 1, 2, -1), (0, 2, 1, 1), (1, 2, 0, -1)):
        result[..., row, column] = sign * vectors[..., axis]
        result[..., column, row] = -sign * vectors[..., axis]
    return result


def _rotation(turn: Array) -> tuple[Array, Array]:
    """Return the rotation (3, 3) by ``turn`` (3,), and how it changes with ``turn`` (left Jacobian)."""
    angle, cross = max(float(np.linalg.norm(turn)), 1e-6), _cross(turn)
    square = cross @ cross
    first, second = np.sin(angle) / angle, (1 - np.cos(angle)) / angle**2
    third = (angle - np.sin(angle)) / angle**3
    return np.eye(3) + first * cross + second * square, np.eye(3) + second * cross + third * square
