"""Robust least squares of a camera, its clock and people's heights on boxes whose people are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from tracker.geometry.box_explanation import Explanation, explain, side_errors
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.people_tracks import BoxTracks, FloorPaths
from tracker.geometry.view_guesses import PERSON_HEIGHT, Lens

__all__ = ["AlignedView", "Deviations", "improved", "refine"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: logarithms: how people's heights differ, and how far a focal length is from one image width, before anything is seen
_HEIGHT_DEVIATION, _FOCAL_DEVIATION = 0.055, 0.7
#: deviations from which the loss (Cauchy's) turns
_TURN = 2.0
#: steps of derivatives: turns in radians, metres, logarithm of the focal length; seconds; logarithm of heights
_POSE_STEPS, _CLOCK_STEP, _HEIGHT_STEP = np.array([1e-5] * 3 + [1e-4] * 3 + [1e-5]), 0.02, 1e-4
_MOST_STEPS, _MOST_ROUNDS, _ENOUGH = 15, 8, 1e-5
#: pairs with which there is something to fit
_FEWEST = 8


@dataclass(frozen=True, eq=False)
class AlignedView:
    """A camera with its clock.

    Args:
        focal: length in pixels; 1 where the lens is given.
        rotation: (3, 3) world to camera.
        position: (3,) metres.
        offset: seconds to be added to the camera's times.
        heights: (J,) of the people, metres.
        known: a camera that stays as it is; only its clock is looked for, and the first three say nothing.
    """

    focal: float
    rotation: Array
    position: Array
    offset: float
    heights: Array
    known: FloorCamera | None = None

    def camera(self, lens: Lens) -> FloorCamera:
        """Return the camera with this lens."""
        return lens.camera("camera", self.focal, self.rotation, self.position) if self.known is None else self.known


@dataclass(frozen=True, eq=False)
class Deviations:
    """Standard deviations of a fit, as far as the boxes' scatter shows them.

    Args:
        position: (3,) metres; 0 where the camera was known.
        focal: as a share of the focal length; 0 where it was known.
        offset: seconds.
    """

    position: Array
    focal: float
    offset: float


def refine(
    view: AlignedView, lens: Lens, paths: FloorPaths, looks: BoxTracks, pairs: Explanation
) -> tuple[AlignedView, Deviations]:
    """Return the view that fits the pairs best, and how sure it is.

    Args:
        view: to start from.
        lens: of the camera; without a given one its focal length is found, too.
        paths: of the people.
        looks: of the camera.
        pairs: which looks are whose; at least one.
    """
    part, people = looks.subset(pairs.looks), pairs.people
    known, whose = np.unique(people, return_inverse=True)
    pose = 0 if view.known is not None else 6 if lens.given is not None else 7
    longest = float(max(lens.width, lens.height))

    def moved(step: Array) -> AlignedView:
        heights = view.heights.copy()
        heights[known] *= np.exp(np.clip(step[pose + 1 :], -0.5, 0.5))
        result = replace(view, offset=view.offset + float(step[pose]), heights=heights)
        if pose:
            rotation = Rotation.from_rotvec(step[:3]).as_matrix() @ view.rotation
            result = replace(result, rotation=rotation, position=view.position + step[3:6])
        if pose == 7:
            result = replace(result, focal=view.focal * float(np.exp(np.clip(step[6], -2, 2))))
        return result

    def errors(step: Array) -> Array:
        now = moved(step)
        x, y = paths.places_of(people, part.times + now.offset).T
        boxes = now.camera(lens).person_box(x, y, now.heights[people])
        return np.nan_to_num(side_errors(part, boxes), nan=100.0)

    def residuals(step: Array) -> Array:
        now = moved(step)
        beliefs = np.log(now.heights[known] / PERSON_HEIGHT) / _HEIGHT_DEVIATION
        focal = np.log(now.focal / longest) / _FOCAL_DEVIATION if pose == 7 else 0.0
        return np.concatenate([errors(step).ravel(), beliefs, [focal]])

    def jacobian(step: Array) -> Array:
        count = 3 * len(part)
        result = np.zeros((count + len(known) + 1, len(step)))
        here = errors(step)
        for column, length in enumerate(_POSE_STEPS[:pose]):
            change = np.zeros(len(step))
            change[column] = length
            result[:count, column] = (errors(step + change) - here).ravel() / length
        change = np.zeros(len(step))
        change[pose] = _CLOCK_STEP
        result[:count, pose] = (errors(step + change) - errors(step - change)).ravel() / (2 * _CLOCK_STEP)
        # Everybody's boxes depend on their own height only: one change shows all.
        change = np.zeros(len(step))
        change[pose + 1 :] = _HEIGHT_STEP
        by_height = (errors(step + change) - here) / _HEIGHT_STEP
        rows = np.arange(count).reshape(-1, 3)
        for side in range(3):
            result[rows[:, side], pose + 1 + whose] = by_height[:, side]
        result[count + np.arange(len(known)), pose + 1 + np.arange(len(known))] = 1 / _HEIGHT_DEVIATION
        if pose == 7:
            result[-1, 6] = 1 / _FOCAL_DEVIATION
        return result

    fit = least_squares(
        residuals, np.zeros(pose + 1 + len(known)), jacobian, method="trf", loss="cauchy", f_scale=_TURN,
        max_nfev=_MOST_STEPS, ftol=_ENOUGH, xtol=_ENOUGH,
    )  # fmt: skip
    spare = max(len(fit.fun) - len(fit.x), 1)
    variances = np.diag(np.linalg.pinv(fit.jac.T @ fit.jac)) * max(2 * float(fit.cost) / spare, 0.1)
    deviations = np.sqrt(np.maximum(variances, 0))
    position = deviations[3:6] if pose else np.zeros(3)
    return moved(fit.x), Deviations(position, float(deviations[6]) if pose == 7 else 0.0, float(deviations[pose]))


def improved(
    view: AlignedView,
    lens: Lens,
    paths: FloorPaths,
    looks: BoxTracks,
    *,
    tolerances: tuple[float, ...] = (1.0,) * _MOST_ROUNDS,
) -> tuple[AlignedView, Explanation, Deviations | None]:
    """Return a view after finding out who is who and fitting in turn, who is who then, and how sure the fit is.

    Args:
        tolerances: of each round; it ends sooner when those within tolerance stay the same.
        view, lens, paths, looks: as for ``refine``.
    """
    deviations: Deviations | None = None
    before: tuple[bytes, bytes, float] | None = None
    for tolerance in tolerances:
        pairs = explain(view.camera(lens), paths, looks, view.offset, view.heights, tolerance)
        now = (pairs.looks.tobytes(), pairs.people.tobytes(), tolerance)
        if len(pairs.looks) < _FEWEST or now == before:
            break
        view, deviations = refine(view, lens, paths, looks, pairs)
        before = now
    return view, explain(view.camera(lens), paths, looks, view.offset, view.heights), deviations
