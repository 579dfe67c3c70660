"""A 3×4 projection matrix taken apart into K, R and t (Hartley and Zisserman, 2nd ed., section 6.2.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import rq

from tracker.errors import InputError

__all__ = ["decompose_projection"]

Array = NDArray[np.float64]


def decompose_projection(matrix: ArrayLike, label: str = "projection matrix") -> tuple[Array, Array, Array]:
    """Return intrinsics (3, 3), rotation (3, 3) and translation (3,) of P = K [R | t], any scale and sign of P.

    K has a positive diagonal and ends in 1, R is a rotation; so depths are positive in front of the camera as long as
    the world's axes are right-handed.

    Args:
        matrix: (3, 4).
        label: what to call it in an error.

    Raises:
        InputError: the matrix has another shape, is not finite, or its left 3×3 is singular (a camera at infinity).
    """
    projection = np.asarray(matrix, np.float64)
    if projection.shape != (3, 4) or not np.isfinite(projection).all():
        raise InputError(f"{label}: a projection matrix has 3 rows of 4 finite numbers")
    left = projection[:, :3]
    determinant = np.linalg.det(left)
    if abs(determinant) <= 1e-12 * np.prod(np.linalg.norm(left, axis=1)):
        raise InputError(f"{label}: its left 3×3 is singular, so it is no camera at a finite place; check the file")
    projection = projection * np.sign(determinant)
    intrinsics, rotation = rq(projection[:, :3])
    signs = np.sign(np.diag(intrinsics))
    intrinsics, rotation = intrinsics * signs, signs[:, None] * rotation
    translation = np.linalg.solve(intrinsics, projection[:, 3])
    return intrinsics / intrinsics[2, 2], rotation, translation
