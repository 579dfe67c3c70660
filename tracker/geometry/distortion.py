"""OpenCV's lens distortion, made safe outside the image.

The model is a polynomial (or a quotient of two) fitted inside the image. Outside it may turn back, and a point far to
the side would land in the picture. Here it is used up to a *trusted radius* only: where it still rises, and not
farther than a quarter beyond the image's farthest corner. Further out it goes on along straight lines with the slope
it has there, so that no two directions ever share a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["COEFFICIENT_COUNTS", "Distortion", "inverse_2x2"]

Array = NDArray[np.float64]

#: lengths of a list of coefficients that OpenCV knows and that are understood here
COEFFICIENT_COUNTS = (4, 5, 8)

#: radial slope below which the model is no longer believed to rise
_SMALLEST_SLOPE = 0.1
#: trusted radius, as a multiple of the radius of the image's farthest corner
_BEYOND_CORNER = 1.25
_ITERATIONS = 12


@dataclass(frozen=True, eq=False)
class Distortion:
    """Distortion of normalised image coordinates (x / z, y / z), as OpenCV defines it.

    Args:
        coefficients: (8,) float64 k1, k2, p1, p2, k3, k4, k5, k6.
        reach: distorted radius of the image's farthest corner from the principal point, normalised coordinates.
    """

    coefficients: Array
    reach: float

    @property
    def none(self) -> bool:
        """Whether there is no distortion at all."""
        return not self.coefficients.any()

    @cached_property
    def _table(self) -> tuple[Array, Array, bool]:
        """Radii up to the trusted one, their distorted radii, and whether the model turns back soon after."""
        radii = np.tan(np.radians(np.linspace(0.0, 89.0, 4000)))
        with np.errstate(all="ignore"):
            value, slope, denominator = self._radial(radii)
        rising = (slope >= _SMALLEST_SLOPE) & (denominator > 1e-6) & np.isfinite(value)
        end = len(radii) if rising.all() else max(int(np.argmin(rising)), 2)
        corner = float(np.interp(self.reach, value[:end], radii[:end]))
        wanted = _BEYOND_CORNER * max(corner, 1e-3)
        turns = bool(wanted >= radii[end - 1]) and end < len(radii)
        trusted = min(wanted, float(radii[end - 1]))
        inside = np.append(radii[radii < trusted], trusted)
        return inside, self._radial(inside)[0], turns

    @cached_property
    def trusted_radius(self) -> float:
        """Undistorted radius up to which the model itself is used, normalised coordinates."""
        return np.inf if self.none else float(self._table[0][-1])

    @cached_property
    def _outer_slope(self) -> float:
        return max(float(self._radial(np.array([self.trusted_radius]))[1][0]), _SMALLEST_SLOPE)

    def _radial(self, radii: Array) -> tuple[Array, Array, Array]:
        """Return the distorted radii, their derivative, and the model's denominator, without the tangential terms."""
        squared = radii**2
        factor, change, denominator = self._factor(squared)
        return radii * factor, factor + 2 * squared * change, denominator

    def _factor(self, squared: Array) -> tuple[Array, Array, Array]:
        """Return the radial factor, its derivative by the squared radius, and its denominator."""
        k1, k2, _, _, k3, k4, k5, k6 = self.coefficients
        numerator = 1 + squared * (k1 + squared * (k2 + squared * k3))
        denominator = 1 + squared * (k4 + squared * (k5 + squared * k6))
        numerator_change = k1 + squared * (2 * k2 + squared * 3 * k3)
        denominator_change = k4 + squared * (2 * k5 + squared * 3 * k6)
        factor = numerator / denominator
        return factor, (numerator_change - factor * denominator_change) / denominator, denominator

    def trusts(self, points: Array) -> NDArray[np.bool_]:
        """Return (N,) whether undistorted points (N, 2) lie where the model itself is used."""
        return np.hypot(points[:, 0], points[:, 1]) <= self.trusted_radius * (1 + 1e-9)

    def apply(self, points: Array) -> Array:
        """Return distorted points (N, 2) of undistorted ones (N, 2), normalised coordinates."""
        return points if self.none else self._apply(points)[0]

    def apply_with_jacobian(self, points: Array) -> tuple[Array, Array]:
        """Return distorted points (N, 2) and their derivatives (N, 2, 2) by the undistorted ones."""
        if self.none:
            return points, np.broadcast_to(np.eye(2), (len(points), 2, 2))
        return self._apply(points)

    def _apply(self, points: Array) -> tuple[Array, Array]:
        radius = np.hypot(points[:, 0], points[:, 1])
        shrink = np.where(radius > self.trusted_radius, self.trusted_radius / np.maximum(radius, 1e-12), 1.0)
        value, jacobian = self._model(points * shrink[:, None])
        outside = shrink < 1
        if outside.any():
            direction = points[outside] / radius[outside, None]
            along = direction[:, :, None] * direction[:, None, :]
            across = np.eye(2) - along
            excess = radius[outside] - self.trusted_radius
            value[outside] += self._outer_slope * excess[:, None] * direction
            share = (excess / radius[outside])[:, None, None]
            jacobian[outside] = jacobian[outside] @ across * shrink[outside, None, None] + self._outer_slope * (
                along + share * across
            )
        return value, jacobian

    def _model(self, points: Array) -> tuple[Array, Array]:
        _, _, p1, p2 = self.coefficients[:4]
        x, y = points.T
        squared = x * x + y * y
        factor, change, _ = self._factor(squared)
        value = np.stack(
            [
                x * factor + 2 * p1 * x * y + p2 * (squared + 2 * x * x),
                y * factor + p1 * (squared + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=1,
        )
        jacobian = np.empty((len(points), 2, 2))
        jacobian[:, 0, 0] = factor + 2 * x * x * change + 2 * p1 * y + 6 * p2 * x
        jacobian[:, 1, 1] = factor + 2 * y * y * change + 6 * p1 * y + 2 * p2 * x
        jacobian[:, 0, 1] = jacobian[:, 1, 0] = 2 * x * y * change + 2 * p1 * x + 2 * p2 * y
        return value, jacobian

    def undo(self, points: Array) -> Array:
        """Return undistorted points (N, 2) of distorted ones (N, 2).

        NaN where the model turns back before it reaches a point: such a pixel has no ray.
        """
        if self.none:
            return points
        radii, distorted, turns = self._table
        radius = np.hypot(points[:, 0], points[:, 1])
        start = np.interp(radius, distorted, radii) + np.maximum(radius - distorted[-1], 0) / self._outer_slope
        result = points * (start / np.maximum(radius, 1e-12))[:, None]
        for _ in range(_ITERATIONS):
            value, jacobian = self._apply(result)
            error = value - points
            if not np.nanmax(np.abs(error), initial=0.0) > 1e-13:
                break
            result = result - (inverse_2x2(jacobian) @ error[..., None])[..., 0]
        failed = ~(np.abs(self._apply(result)[0] - points).max(axis=1, initial=0.0) < 1e-7)
        if turns:
            failed |= ~self.trusts(result)
        return np.where(failed[:, None], np.nan, result)


def inverse_2x2(matrices: Array) -> Array:
    """Return the inverses of ``matrices`` (N, 2, 2); not finite where one is singular."""
    a, b, c, d = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0], matrices[:, 1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([d, -b, -c, a], axis=1).reshape(-1, 2, 2) / (a * d - b * c)[:, None, None]
