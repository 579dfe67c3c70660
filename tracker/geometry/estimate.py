"""A camera with how well the point pairs it was estimated from fit it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.geometry.camera import Camera
from tracker.geometry.consensus import Consensus, PairModel
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.point_pairs import PointPairs

__all__ = ["CameraModel", "Estimate", "floor_errors", "leave_one_out", "root_mean_square"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Candidate = TypeVar("Candidate")


class CameraModel(PairModel[Candidate], Protocol[Candidate]):
    """A model of pairs whose candidates are cameras."""

    def camera(self, candidate: Candidate, name: str) -> Camera | HomographyCamera:
        """Return the camera that a candidate describes."""
        ...


@dataclass(frozen=True, eq=False)
class Estimate:
    """What N point pairs say of a camera.

    Args:
        camera: as it fits the inliers.
        model: ``"pose"`` or ``"homography"``.
        reason: why this model, where it was chosen; else empty.
        pairs: those that were looked at.
        threshold: pixels within which a pair agrees.
        inliers: (N,) which do.
        errors: (N,) pixels between a pair's pixel and where the camera sees its place; infinite behind the camera.
        floor_errors: (N,) metres between a pair's place and where the camera puts its pixel, at the place's height; NaN
            where that is nowhere.
        left_out_errors, left_out_floor_errors: (N,) the same when the camera is estimated without the pair; NaN where
            the others do not determine one.
        focal_deviation: standard deviation of the focal length as a share of it; ``None`` when it was not estimated.
        position_deviation: (3,) standard deviations of the camera's position, metres; ``None`` for a homography.
        warnings: a line for each thing that should be better.
    """

    camera: Camera | HomographyCamera
    model: str
    reason: str
    pairs: PointPairs
    threshold: float
    inliers: Mask
    errors: Array
    floor_errors: Array
    left_out_errors: Array
    left_out_floor_errors: Array
    focal_deviation: float | None = None
    position_deviation: Array | None = None
    warnings: tuple[str, ...] = ()

    @property
    def rms(self) -> float:
        """Root mean square of the inliers' errors, pixels."""
        return float(np.sqrt((self.errors[self.inliers] ** 2).mean()))

    @property
    def floor_rms(self) -> float | None:
        """The same on the floor, metres; ``None`` without inliers on the floor."""
        return root_mean_square(self.floor_errors[self.inliers & self.pairs.on_floor])

    @property
    def leave_one_out_rms(self) -> float | None:
        """What to expect at other points, pixels; ``None`` where leaving one out leaves the camera undetermined."""
        return root_mean_square(self.left_out_errors[self.inliers])

    @property
    def leave_one_out_floor_rms(self) -> float | None:
        """The same on the floor, metres."""
        return root_mean_square(self.left_out_floor_errors[self.inliers & self.pairs.on_floor])

    @property
    def left_out_cost(self) -> float:
        """Root mean square over all pairs of the error without the pair, which counts as the threshold at most."""
        errors = np.nan_to_num(self.left_out_errors, nan=self.threshold)
        return float(np.sqrt((np.minimum(errors, self.threshold) ** 2).mean()))

    def record(self) -> dict[str, Any]:
        """Return plain numbers that say how good the calibration is, to be kept beside it."""
        return {
            "model": self.model,
            "points": len(self.pairs),
            "inliers": int(self.inliers.sum()),
            "threshold_pixels": self.threshold,
            "rms_pixels": self.rms,
            "rms_floor_metres": self.floor_rms,
            "leave_one_out_pixels": self.leave_one_out_rms,
            "leave_one_out_floor_metres": self.leave_one_out_floor_rms,
        }


def root_mean_square(errors: Array) -> float | None:
    """Return the root mean square, ``None`` when there are no errors or one of them is not finite."""
    return float(np.sqrt((errors**2).mean())) if len(errors) and np.isfinite(errors).all() else None


def floor_errors(camera: Camera | HomographyCamera, pairs: PointPairs) -> Array:
    """Return (N,) metres between places and where the camera puts their pixels at their height; NaN for nowhere."""
    places = camera.to_floor(pairs.pixels, pairs.world[:, 2], maximum_distance=np.inf)
    return np.asarray(np.hypot(*(places - pairs.world[:, :2]).T), np.float64)


def leave_one_out(
    model: CameraModel[Candidate], consensus: Consensus[Candidate], pairs: PointPairs
) -> tuple[Array, Array]:
    """Return (N,) pixels and (N,) metres by which a camera estimated from the other inliers errs at each pair.

    NaN where the others do not determine a camera. Outliers are left out of the estimate as it is.
    """
    pixels, metres = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    for index in range(len(pairs)):
        others = consensus.inliers.copy()
        others[index] = False
        candidate: Candidate | None = consensus.candidate
        if consensus.inliers[index]:
            candidate = model.refined(consensus.candidate, others)
        if candidate is None:
            continue
        chosen = np.arange(len(pairs)) == index
        pixels[index] = model.errors(candidate)[index]
        try:
            metres[index] = floor_errors(model.camera(candidate, "left out"), pairs.subset(chosen))[0]
        except InputError:
            continue
    return pixels, metres
