"""The homography of the floor from point pairs (Hartley and Zisserman, Multiple View Geometry, 2nd ed., chapter 4).

Four points in general position determine it: with the first three as a basis, the fourth gives the scales. Which side
of the camera they are on is checked there: all must be in front. More points are fitted by least squares of the
distance in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from tracker.geometry.consensus import point_subsets
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.point_pairs import PointPairs

__all__ = ["FloorHomography", "determined"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MOST_SAMPLES = 500
#: least area of the triangles among four points, as a share of the squared extent of all: below, three are on a line
_SMALLEST_TRIANGLE = 1e-3
#: least singular value of a Jacobian whose columns have length one, below which points leave a parameter open
_LEAST_SINGULAR_VALUE = 1e-5
#: what stands for the pixel of a place behind the camera while a fit is improved
_FAR = 1e5
_NEAREST = 1e-9
_MOST_STEPS = 50


def determined(jacobian: Array) -> bool:
    """Return whether a Jacobian (M, P) of residuals leaves no direction of its P parameters open."""
    lengths = np.linalg.norm(jacobian, axis=0)
    if len(jacobian) < jacobian.shape[1] or not (lengths > 0).all() or not np.isfinite(jacobian).all():
        return False
    return bool(np.linalg.svd(jacobian / lengths, compute_uv=False)[-1] > _LEAST_SINGULAR_VALUE)


class FloorHomography:
    """The ``PairModel`` of homographies (3, 3) that map floor places to pixels, positive in front of the camera.

    Args:
        pairs: on the floor; what z they have is not looked at.
        width, height: of the image, pixels.
    """

    #: pairs that determine one
    minimum = 4

    def __init__(self, pairs: PointPairs, width: int, height: int) -> None:
        self._size = width, height
        self._pixels = pairs.pixels
        self._places = np.column_stack([pairs.world[:, :2], np.ones(len(pairs))])

    def candidates(self, seed: int) -> list[Array]:
        """Return the homographies of samples of four pairs of which no three are on one line."""
        subsets = point_subsets(len(self._pixels), 4, _MOST_SAMPLES, seed)
        pixels = np.concatenate([self._pixels, np.ones((len(self._pixels), 1))], axis=1)
        from_places, places_usable = _bases(self._places, subsets)
        from_pixels, pixels_usable = _bases(pixels, subsets)
        usable = places_usable & pixels_usable
        # The columns of both are the same three points; their scales' ratios are the depths, all of one sign in front.
        same_side = ((from_places[1] * from_pixels[1]) > 0).all(axis=1)
        chosen = usable & same_side
        scaled_places = from_places[0][chosen] * from_places[1][chosen, None, :]
        scaled_pixels = from_pixels[0][chosen] * from_pixels[1][chosen, None, :]
        return list(scaled_pixels @ np.linalg.inv(scaled_places))

    def errors(self, candidate: Array) -> Array:
        """Return (N,) distances in pixels, infinite for places behind the camera."""
        seen = self._places @ candidate.T
        with np.errstate(divide="ignore", invalid="ignore"):
            distances = np.hypot(*(seen[:, :2] / seen[:, 2:] - self._pixels).T)
        return np.where(seen[:, 2] > 0, distances, np.inf)

    def refined(self, candidate: Array, used: Mask) -> Array | None:
        """Return the least-squares fit to the pairs ``used`` (N,), ``None`` when they do not determine one."""
        if used.sum() < self.minimum:
            return None
        places, pixels = self._places[used], self._pixels[used]
        place_scaling, pixel_scaling = _normalising(places[:, :2]), _normalising(pixels)
        normal_places = places @ place_scaling.T
        normal_pixels = pixels * pixel_scaling[0, 0] + pixel_scaling[:2, 2]
        start = pixel_scaling @ candidate @ np.linalg.inv(place_scaling)
        if not start[2, 2] > 0:
            return None

        def seen_by(parameters: Array) -> tuple[Array, Array]:
            seen = normal_places @ np.append(parameters, 1.0).reshape(3, 3).T
            return seen[:, :2] / np.where(seen[:, 2] > _NEAREST, seen[:, 2], 1.0)[:, None], seen[:, 2]

        def residuals(parameters: Array) -> Array:
            found, depth = seen_by(parameters)
            centred = (found - normal_pixels) / pixel_scaling[0, 0]
            return np.asarray(np.where(depth[:, None] > _NEAREST, centred, _FAR)).ravel()

        def jacobian(parameters: Array) -> Array:
            found, depth = seen_by(parameters)
            change = np.zeros((len(found), 2, 9))
            change[:, 0, :3] = change[:, 1, 3:6] = normal_places
            change[:, :, 6:] = -found[:, :, None] * normal_places[:, None, :]
            front = depth > _NEAREST
            scale = np.where(front, pixel_scaling[0, 0] * np.where(front, depth, 1.0), np.inf)
            return np.asarray(change[:, :, :8] / scale[:, None, None]).reshape(-1, 8)

        start = (start / start[2, 2]).ravel()[:8]
        fit = least_squares(residuals, start, jacobian, method="lm", max_nfev=_MOST_STEPS)
        if not determined(fit.jac):
            return None
        matrix = np.linalg.inv(pixel_scaling) @ np.append(fit.x, 1.0).reshape(3, 3) @ place_scaling
        return np.asarray(matrix, np.float64)

    def camera(self, candidate: Array, name: str) -> HomographyCamera:
        """Return the camera that a candidate describes.

        Raises:
            InputError: it is none.
        """
        return HomographyCamera(name, *self._size, candidate)


def _bases(points: Array, subsets: NDArray[np.int64]) -> tuple[tuple[Array, Array], Mask]:
    """Return three points as columns (S, 3, 3) with the scales (S, 3) that sum to the fourth, and which are usable."""
    chosen = points[subsets]
    columns = np.swapaxes(chosen[:, :3], 1, 2)
    # Twice the areas of the four triangles: determinants with one point left out.
    areas = np.abs(np.stack([np.linalg.det(np.delete(chosen, corner, axis=1)) for corner in range(4)], axis=1))
    extent = float(np.ptp(points[:, :2], axis=0).max())
    usable = (areas > 2 * _SMALLEST_TRIANGLE * extent**2).all(axis=1) & (extent > 0)
    safe = np.where(usable[:, None, None], columns, np.eye(3))
    scales = np.asarray(np.linalg.solve(safe, chosen[:, 3, :, None])[:, :, 0], np.float64)
    return (np.asarray(safe, np.float64), scales), np.asarray(usable)


def _normalising(points: Array) -> Array:
    """Return (3, 3) that moves points (N, 2) to the origin and to a mean distance of √2 (ibid., section 4.4.4)."""
    centre = points.mean(axis=0)
    scale = np.sqrt(2) / max(float(np.hypot(*(points - centre).T).mean()), 1e-12)
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
