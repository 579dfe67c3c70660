"""Calibrate a camera from point pairs: as a homography of the floor, or with focal length, place and direction.

``auto`` takes the pose where the pairs determine it, since it knows heights too, and otherwise the homography, which is
right on the floor whatever the lens' principal point and the shape of its pixels are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError, nearest_name_hint
from tracker.geometry.camera import Camera
from tracker.geometry.consensus import Consensus, find_consensus
from tracker.geometry.estimate import Estimate, floor_errors, leave_one_out
from tracker.geometry.floor_homography import FloorHomography
from tracker.geometry.point_pairs import PointPairs
from tracker.geometry.pose_estimation import CameraPose, Pose
from tracker.geometry.room_checks import check_room_camera

__all__ = ["MODELS", "Estimate", "default_threshold", "estimate_camera"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MODELS = ("auto", "homography", "pose")

#: shares of the focal length and of the camera's height up to which they count as determined
_WELL_DETERMINED = 0.1
#: pairs from which a distortion may be estimated
_FEWEST_FOR_DISTORTION = 8
#: by which share, and by how many pixels, the leave-one-out error must fall for a distortion to be believed; and the
#: same for a homography to be preferred to a pose
_DISTORTION_GAIN = (0.15, 0.05)
_HOMOGRAPHY_GAIN = (0.5, 1.0)
#: what is known of clicked pixels before any residual: their noise in pixels, and how many coordinates that is worth
_USUAL_NOISE, _USUAL_WEIGHT = 1.0, 4
#: extent across over extent along, below which points are on one line
_LINE = 0.01
#: share of the pairs that must agree
_LEAST_SHARE = 0.5


def default_threshold(width: int, height: int) -> float:
    """Return the pixels within which a pair agrees, when nobody says: 0.5 % of the longer side, 5 at least."""
    return max(5.0, 0.005 * max(width, height))


def estimate_camera(
    pairs: PointPairs,
    width: int,
    height: int,
    *,
    name: str = "camera",
    model: str = "auto",
    intrinsics: Camera | None = None,
    threshold: float | None = None,
    seed: int = 0,
) -> Estimate:
    """Return the camera on which most pairs agree, fitted to those by least squares.

    Args:
        pairs: N, some of which may be wrong.
        width, height: of the image, pixels.
        name: of the camera.
        model: ``"homography"`` (at least 4 pairs, on the floor), ``"pose"`` (at least 4) or ``"auto"``.
        intrinsics: a camera whose K and distortion hold for images of this size; its pose is not looked at.
        threshold: pixels within which a pair agrees; ``None``: ``default_threshold``.
        seed: of the samples.

    Raises:
        InputError: too few pairs, on one line, outside the image, above the horizon, too few that agree, or a camera
            that is under the floor or looks away from it; the message says what to do.
    """
    if model not in MODELS:
        raise InputError(f"unknown model {model!r}: {nearest_name_hint(model, MODELS)}")
    limit = default_threshold(width, height) if threshold is None else threshold
    if not (np.isfinite(limit) and limit > 0):
        raise InputError(f"a threshold of {limit:g} pixels; it must be positive")
    if model == "homography" and intrinsics is not None:
        raise InputError("a homography uses no intrinsics: leave them out, or choose the model pose")
    _check_inside(pairs, width, height)
    if model == "homography":
        estimate = _estimate_homography(pairs, width, height, name, limit, seed)
    elif model == "pose" or intrinsics is not None:
        estimate = _estimate_pose(pairs, width, height, name, intrinsics, limit, seed)
    else:
        estimate = _chosen(pairs, width, height, name, limit, seed)
    _check_horizon(estimate)
    _check_room(estimate)
    return estimate


def _chosen(pairs: PointPairs, width: int, height: int, name: str, threshold: float, seed: int) -> Estimate:
    """Return the pose where the pairs determine it well, else the homography."""
    pose, refusal = None, None
    try:
        pose = _estimate_pose(pairs, width, height, name, None, threshold, seed)
    except InputError as error:
        refusal = error
    on_floor = pairs.subset(pairs.on_floor)
    try:
        homography = _estimate_homography(on_floor, width, height, name, threshold, seed)
    except InputError:
        if pose is None:
            assert refusal is not None
            raise refusal from None
        return replace(pose, reason="the floor points determine no homography")
    if pose is None:
        reason = f"for a pose, {refusal}"
    else:
        open_share = _open_share(pose)
        if pose.camera.position[2] < 0:
            return pose
        if open_share > _WELL_DETERMINED:
            reason = f"the points leave focal length and camera height open to {100 * open_share:.0f} %"
        elif len(on_floor) == len(pairs) and _clearly_better(homography, pose, *_HOMOGRAPHY_GAIN):
            reason = (
                "square pixels and a principal point in the image's centre do not fit the points (leave-one-out "
                f"{pose.left_out_cost:.1f} pixels instead of {homography.left_out_cost:.1f})"
            )
        else:
            known = max(100 * open_share, 0.1)
            return replace(pose, reason=f"the points determine focal length and camera height to {known:.1f} %")
    if len(on_floor) < len(pairs):
        reason += f"; points that are not on the floor are not used ({len(pairs) - len(on_floor)})"
    return replace(homography, reason=reason)


def _estimate_homography(
    pairs: PointPairs, width: int, height: int, name: str, threshold: float, seed: int
) -> Estimate:
    above = next((label for label, floor in zip(pairs.labels, pairs.on_floor) if not floor), None)
    if above is not None:
        raise InputError(f"{above} is not on the floor (z is not 0); leave it out, or choose the model pose")
    _check_spread(pairs, FloorHomography.minimum, "a homography")
    model = FloorHomography(pairs, width, height)
    candidates = model.candidates(seed)
    if not candidates:
        raise InputError(
            "no four of the points are in front of a camera with no three of them on one line; add points to the side "
            "of the others, and check that u is the column and v the row"
        )
    consensus = find_consensus(model, candidates, threshold)
    agreeing = _enough(consensus, pairs, threshold)
    left_out = leave_one_out(model, agreeing, pairs)
    camera = model.camera(agreeing.candidate, name)
    errors, metres = model.errors(agreeing.candidate), floor_errors(camera, pairs)
    return Estimate(camera, "homography", "", pairs, threshold, agreeing.inliers, errors, metres, *left_out)


def _estimate_pose(
    pairs: PointPairs, width: int, height: int, name: str, intrinsics: Camera | None, threshold: float, seed: int
) -> Estimate:
    _check_spread(pairs, CameraPose.minimum, "a pose")
    plain = CameraPose(pairs, width, height, intrinsics)
    candidates = plain.candidates(seed)
    best, refusal = None, None
    try:
        found = find_consensus(plain, candidates, threshold)
        if found is None and intrinsics is None:
            raise InputError(
                "the points leave the focal length open; add points near and far, or above the floor, or give "
                "--intrinsics"
            )
        best = _posed(plain, _enough(found, pairs, threshold), pairs, name, threshold, intrinsics is not None)
    except InputError as error:
        refusal = error
    if intrinsics is None and len(pairs) >= _FEWEST_FOR_DISTORTION:
        distorted = plain.with_distortion()
        found = find_consensus(distorted, candidates, threshold)
        fewest = max(_FEWEST_FOR_DISTORTION, _needed(len(pairs)))
        if (
            found is not None
            and found.inliers.sum() >= fewest
            and distorted.has_rays(found.candidate, pairs.pixels[found.inliers]).all()
        ):
            bent = _posed(distorted, found, pairs, name, threshold, False)
            if best is None or _clearly_better(bent, best, *_DISTORTION_GAIN):
                best = bent
    if best is None:
        assert refusal is not None
        raise refusal
    return best


def _posed(
    model: CameraPose, consensus: Consensus[Pose], pairs: PointPairs, name: str, threshold: float, known: bool
) -> Estimate:
    camera = model.camera(consensus.candidate, name)
    errors = model.errors(consensus.candidate)
    inliers = consensus.inliers
    unit = model.covariance(consensus.candidate, inliers, 1.0)
    squares = float((errors[inliers] ** 2).sum()) + _USUAL_WEIGHT * _USUAL_NOISE**2
    spare = max(2 * int(inliers.sum()) - len(unit), 0) + _USUAL_WEIGHT
    deviations = np.sqrt(np.diag(unit) * squares / spare)
    estimate = Estimate(
        camera, "pose", "", pairs, threshold, inliers, errors, floor_errors(camera, pairs),
        *leave_one_out(model, consensus, pairs),
        focal_deviation=None if known else float(deviations[6]), position_deviation=deviations[3:6],
    )  # fmt: skip
    warnings = []
    if _open_share(estimate) > _WELL_DETERMINED:
        warnings.append(
            f"the points leave focal length and camera height open to {100 * _open_share(estimate):.0f} %: add points "
            "near and far, or above the floor, or give --intrinsics"
        )
    corners = np.array([(0, 0), (camera.width, 0), (0, camera.height), (camera.width, camera.height)], np.float64)
    if not known and not model.has_rays(consensus.candidate, corners).all():
        warnings.append(
            "k1 alone does not describe the lens in the image's corners, where nothing will be placed on the floor: "
            "calibrate the lens and give --intrinsics"
        )
    return replace(estimate, warnings=tuple(warnings))


def _open_share(pose: Estimate) -> float:
    """Return the larger of the standard deviations of focal length and camera height, as shares of them."""
    assert pose.position_deviation is not None
    return max(pose.focal_deviation or 0.0, float(pose.position_deviation[2] / abs(pose.camera.position[2])))


def _clearly_better(estimate: Estimate, other: Estimate, share: float, pixels: float) -> bool:
    gain = other.left_out_cost - estimate.left_out_cost
    return gain > pixels and gain > share * other.left_out_cost


def _needed(count: int) -> int:
    """Return how many of ``count`` pairs must agree: half of them, and one more than any camera can be fitted to."""
    return max(min(count, FloorHomography.minimum + 1), int(np.ceil(_LEAST_SHARE * count)))


def _enough(consensus: Consensus | None, pairs: PointPairs, threshold: float) -> Consensus:
    if consensus is None:
        raise InputError(
            "the points do not determine a camera; spread them over the image, near and far, and not along one line"
        )
    agree, needed = int(consensus.inliers.sum()), _needed(len(pairs))
    if agree < needed:
        labels = [label for label, inlier in zip(pairs.labels, consensus.inliers) if inlier]
        who = f" ({', '.join(labels[:8])}{', …' if len(labels) > 8 else ''})" if labels else ""
        raise InputError(
            f"only {agree} of {len(pairs)} points agree within {threshold:g} pixels{who}, and {needed} must; check "
            "that u is the column and v the row, that x, y and z are metres of one plan, and the points that are not "
            "named, or raise --threshold"
        )
    return consensus


def _check_inside(pairs: PointPairs, width: int, height: int) -> None:
    inside = ((pairs.pixels >= 0) & (pairs.pixels <= (width, height))).all(axis=1)
    if not inside.all():
        index = int(np.argmin(inside))
        u, v = pairs.pixels[index]
        raise InputError(
            f"{pairs.labels[index]}: pixel ({u:g}, {v:g}) is outside the image of {width}×{height}; check the image's "
            "size, and that u is the column and v the row"
        )


def _check_spread(pairs: PointPairs, minimum: int, what: str) -> None:
    if len(pairs) < minimum:
        count = {0: "no point", 1: "1 point"}.get(len(pairs), f"{len(pairs)} points")
        raise InputError(f"{count} for {what}, which needs at least {minimum}; add more, spread over the image")
    for values, where in ((pairs.world, "in the room"), (pairs.pixels, "in the image")):
        extents = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
        if not extents[1] > _LINE * extents[0]:
            raise InputError(f"all points are on one line {where}; add points to the side of it")


def _check_horizon(estimate: Estimate) -> None:
    nowhere = estimate.pairs.on_floor & np.isnan(estimate.floor_errors)
    if nowhere.any() and estimate.camera.position[2] > 0:
        index = int(np.argmax(nowhere))
        u, v = estimate.pairs.pixels[index]
        raise InputError(
            f"{estimate.pairs.labels[index]}: pixel ({u:g}, {v:g}) is above the horizon of the fitted camera, where no "
            "floor is; check the point, or give its z"
        )


def _check_room(estimate: Estimate) -> None:
    try:
        check_room_camera(estimate.camera)
    except InputError as error:
        if estimate.camera.position[2] <= 0:
            remedy = (
                "seen from above, y must point to the left of x: exchange x and y or turn one of them round, or choose "
                "the model homography, which takes a mirrored plan too"
            )
        elif estimate.model == "homography":
            remedy = "a homography only guesses heights: add points above the floor, or give --intrinsics"
        else:
            remedy = "check that x, y and z are metres, and the points that are marked out"
        raise InputError(f"{error}; {remedy}") from None
