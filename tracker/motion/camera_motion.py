"""Camera motion: how the picture as a whole moved since the frame before.

A moving camera shifts every box at once, which a filter of each person's own motion cannot know. BoT-SORT (Aharon et
al., 2022, section 3.2) estimates the shift from the background and moves the predicted boxes by it.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError, nearest_name_hint

__all__ = ["METHODS", "CameraMotionEstimator"]

METHODS = ("sparse_optical_flow", "orb", "ecc", "none")

_CORNERS = 500
_WINDOW = (21, 21)
_PYRAMID_LEVELS = 3
#: a corner followed forward and back again may end this many (reduced) pixels from where it began
_ROUND_TRIP_TOLERANCE = 0.5
_RANSAC_TOLERANCE = 1.0
_ORB_FEATURES = 1500
#: Lowe's ratio between the nearest and the second nearest descriptor
_ORB_RATIO = 0.8
_ORB_RANSAC_TOLERANCE = 2.0
_SMALLEST_PICTURE = 32
_FEWEST_POINTS = 12
_LEAST_INLIER_SHARE = 0.3
_LARGEST_SCALE_CHANGE = 1.25
_LARGEST_ROTATION = math.radians(20)
#: of the picture's diagonal
_LARGEST_SHIFT = 0.25
_LEAST_CORRELATION = 0.5


class CameraMotionEstimator:
    """Estimates the motion of the camera between consecutive frames, away from the people in them.

    Args:
        method: ``"sparse_optical_flow"`` (corners followed by pyramidal Lucas-Kanade), ``"orb"`` (matched ORB features,
            for large jumps), ``"ecc"`` (enhanced correlation coefficient, slow and exact, for small motions),
            ``"none"`` (always the identity).
        downscale: the picture is reduced by this factor first.

    Raises:
        InputError: unknown method, or a factor below 1.
    """

    def __init__(
        self, method: Literal["sparse_optical_flow", "orb", "ecc", "none"] = "sparse_optical_flow", downscale: int = 2
    ) -> None:
        if method not in METHODS:
            raise InputError(f"unknown camera motion method {method!r}: {nearest_name_hint(str(method), METHODS)}")
        if downscale < 1:
            raise InputError(f"camera motion downscale is {downscale}; give 1 or more")
        self.method = method
        self.downscale = int(downscale)
        self._picture: NDArray[np.uint8] | None = None
        self._points: NDArray[np.float32] | None = None
        self._descriptors: NDArray[Any] | None = None
        self._mask: NDArray[np.uint8] | None = None

    def reset(self) -> None:
        """Forget the frame before: the next estimate is the identity."""
        self._picture = self._points = self._descriptors = self._mask = None

    def estimate(self, image: NDArray[np.uint8], boxes: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the motion since the last call.

        Args:
            image: (H, W, 3) uint8 BGR, or (H, W) grey.
            boxes: (N, 4) ``x1, y1, x2, y2`` of what moves by itself in this image: not looked at.

        Returns:
            (2, 3) float64 affine matrix: ``A @ (x, y, 1)`` is where a background point of the previous frame, in its
            pixels, is in this one. The identity on the first frame, after a change of size, when too little background
            can be followed, or when the motion found is larger than a video camera's.
        """
        if self.method == "none":
            return np.eye(2, 3)
        picture = self._reduce(image)
        background = self._background(picture.shape, boxes)
        known = self._picture is not None and self._picture.shape == picture.shape
        if min(picture.shape) < _SMALLEST_PICTURE:
            self.reset()
            return np.eye(2, 3)
        if self.method == "sparse_optical_flow":
            reduced = self._follow_corners(picture) if known else None
            self._points = _corners(picture, background)
        elif self.method == "orb":
            reduced = self._match_features(picture, background, known=known)
        else:
            reduced = self._maximise_correlation(picture, background, known=known)
        self._picture = picture
        if reduced is None or not _is_plausible(reduced, picture.shape):
            return np.eye(2, 3)
        return self._enlarge(reduced)

    def _reduce(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if self.downscale == 1:
            return np.ascontiguousarray(grey)
        height, width = (size // self.downscale for size in grey.shape)
        if not height or not width:
            return np.zeros((1, 1), np.uint8)
        # Whole blocks only, so that the factor is exact in both directions.
        whole = grey[: height * self.downscale, : width * self.downscale]
        return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def _enlarge(self, reduced: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the motion in full-size pixels; pixel centres obey ``reduced = (full + 0.5) / factor - 0.5``."""
        offset = 0.5 / self.downscale - 0.5
        full = reduced.copy()
        full[:, 2] = self.downscale * (reduced[:, :2] @ (offset, offset) + reduced[:, 2] - offset)
        return full

    def _background(self, shape: tuple[int, ...], boxes: ArrayLike | None) -> NDArray[np.uint8]:
        mask = np.full(shape, 255, np.uint8)
        if boxes is None:
            return mask
        height, width = shape
        array = np.asarray(boxes, np.float64).reshape(-1, 4) / self.downscale
        array = np.nan_to_num(array, nan=0.0, posinf=1e6, neginf=-1e6)
        low = np.clip(np.floor(array[:, :2]), 0, (width, height)).astype(int)
        high = np.clip(np.ceil(array[:, 2:]), 0, (width, height)).astype(int)
        for (left, top), (right, bottom) in zip(low.tolist(), high.tolist(), strict=True):
            mask[top:bottom, left:right] = 0
        return mask

    def _follow_corners(self, picture: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Lucas-Kanade forward and back; corners that do not return to where they began are dropped."""
        before = self._points
        if self._picture is None or before is None or len(before) < _FEWEST_POINTS:
            return None
        after, found, _ = cv2.calcOpticalFlowPyrLK(
            self._picture, picture, before, np.empty_like(before), winSize=_WINDOW, maxLevel=_PYRAMID_LEVELS
        )
        back, returned, _ = cv2.calcOpticalFlowPyrLK(
            picture, self._picture, after, np.empty_like(before), winSize=_WINDOW, maxLevel=_PYRAMID_LEVELS
        )
        distance = np.abs(back - before).reshape(-1, 2).max(axis=1)
        kept = found.ravel().astype(bool) & returned.ravel().astype(bool) & (distance < _ROUND_TRIP_TOLERANCE)
        return _fit(before[kept], after[kept], _RANSAC_TOLERANCE)

    def _match_features(
        self, picture: NDArray[np.uint8], background: NDArray[np.uint8], *, known: bool
    ) -> NDArray[np.float64] | None:
        keypoints, descriptors = cv2.ORB.create(nfeatures=_ORB_FEATURES).detectAndCompute(picture, background)
        points = np.array([keypoint.pt for keypoint in keypoints], np.float32).reshape(-1, 1, 2)
        before, before_descriptors, before_picture = self._points, self._descriptors, self._picture
        self._points, self._descriptors = points, descriptors
        if not known or before_picture is None or before is None or before_descriptors is None:
            return None
        if descriptors is None or len(points) < 2:
            return None
        pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(before_descriptors, descriptors, k=2)
        good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < _ORB_RATIO * pair[1].distance]
        before = before[[match.queryIdx for match in good]]
        coarse = _fit(before, points[[match.trainIdx for match in good]], _ORB_RANSAC_TOLERANCE)
        if coarse is None or not _is_plausible(coarse, picture.shape):
            return None
        # Features lie on whole pixels of their octave; following them from where they must be gives the fractions.
        expected = cv2.transform(before, coarse).astype(np.float32)
        after, found, _ = cv2.calcOpticalFlowPyrLK(
            before_picture,
            picture,
            before,
            expected.copy(),
            winSize=_WINDOW,
            maxLevel=0,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        kept = found.ravel().astype(bool)
        kept &= np.abs(after - expected).reshape(-1, 2).max(axis=1) < 2 * _ORB_RANSAC_TOLERANCE
        fine = _fit(before[kept], after[kept], _RANSAC_TOLERANCE)
        return coarse if fine is None else fine

    def _maximise_correlation(
        self, picture: NDArray[np.uint8], background: NDArray[np.uint8], *, known: bool
    ) -> NDArray[np.float64] | None:
        before, self._mask = self._mask, background
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-5)
        start = np.eye(2, 3, dtype=np.float32)
        if not known or self._picture is None or before is None:
            return None
        try:
            if hasattr(cv2, "findTransformECCWithMask"):
                correlation, motion = cv2.findTransformECCWithMask(
                    self._picture, picture, before, background, start, cv2.MOTION_AFFINE, criteria, 5
                )
            else:
                # OpenCV before 4.13 masks the current picture only.
                correlation, motion = cv2.findTransformECC(
                    self._picture, picture, start, cv2.MOTION_AFFINE, criteria, background, 5
                )
        except cv2.error:
            # Raised when the iterations do not converge, as on a picture without texture.
            return None
        return np.asarray(motion, np.float64) if correlation >= _LEAST_CORRELATION else None


def _corners(picture: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    corners = cv2.goodFeaturesToTrack(
        picture, maxCorners=_CORNERS, qualityLevel=0.01, minDistance=8, mask=background, blockSize=3
    )
    return None if corners is None else np.asarray(corners, np.float32)


def _fit(before: NDArray[np.float32], after: NDArray[np.float32], tolerance: float) -> NDArray[np.float64] | None:
    """Return the similarity (rotation, zoom, shift) that most points agree on, or ``None`` when too few do."""
    if len(before) < _FEWEST_POINTS:
        return None
    # OpenCV's RANSAC starts from a fixed seed of its own at every call, so the result is a function of the points.
    motion, inliers = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=tolerance, maxIters=500, confidence=0.995
    )
    if motion is None or int(inliers.sum()) < max(_FEWEST_POINTS, _LEAST_INLIER_SHARE * len(before)):
        return None
    return np.asarray(motion, np.float64)


def _is_plausible(motion: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    if not np.isfinite(motion).all():
        return False
    determinant = float(np.linalg.det(motion[:, :2]))
    if determinant <= 0:
        return False
    scale = math.sqrt(determinant)
    rotation = math.atan2(motion[1, 0] - motion[0, 1], motion[0, 0] + motion[1, 1])
    centre = np.array([shape[1] / 2, shape[0] / 2])
    shift = float(np.linalg.norm(motion[:, :2] @ centre + motion[:, 2] - centre))
    return (
        1 / _LARGEST_SCALE_CHANGE <= scale <= _LARGEST_SCALE_CHANGE
        and abs(rotation) <= _LARGEST_ROTATION
        and shift <= _LARGEST_SHIFT * math.hypot(*shape)
    )
