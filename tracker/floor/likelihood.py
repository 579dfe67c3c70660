"""How well a box fits a person on the floor: the likelihood of its sides, feet hidden or head lowered included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.floor.settings import FloorSettings
from tracker.floor.view import View

__all__ = [
    "CASES",
    "HEAD_AND_FEET",
    "NO_FEET",
    "NO_HEAD",
    "ROUGHLY",
    "Boxes",
    "box_log_likelihood",
    "information",
    "inverses",
    "measured_boxes",
    "secondary_log_density",
]

Array = NDArray[np.float64]

#: what of a box is believed
HEAD_AND_FEET, NO_FEET, NO_HEAD, ROUGHLY = 0, 1, 2, 3
CASES = (HEAD_AND_FEET, NO_FEET, NO_HEAD, ROUGHLY)
#: the sides that each case believes: across, top, bottom
_BELIEVED = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 1, 1]], bool)
#: deviations of the sides of a box of a part of somebody, or of two together, as shares of the predicted height
_ROUGH = np.array([0.15, 0.2, 0.25])
#: rows of (middle, left, right) across, as weights of x1 and x2
_ACROSS = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
#: a side this near to the image's border ends there because the image does, pixels
_BORDER = 2.5
_LOG_2PI = float(np.log(2 * np.pi))
#: deviation of a side that says nothing, as a share of the predicted height
_NOTHING = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """M boxes of one camera.

    Args:
        values: (M, 3) position across, top, bottom, pixels.
        across: (M,) what the first is: 0 the middle, 1 the left, 2 the right side; -1 nothing, both are cut off.
        top_cut, bottom_cut: (M,) the image ends there.
        log_clutter: logarithm of the density of false alarms, per cubic pixel.
        sides: (M, 4) the boxes.
    """

    values: Array
    across: NDArray[np.int64]
    top_cut: NDArray[np.bool_]
    bottom_cut: NDArray[np.bool_]
    log_clutter: float
    sides: Array

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: NDArray[np.intp]) -> Boxes:
        return Boxes(
            self.values[rows],
            self.across[rows],
            self.top_cut[rows],
            self.bottom_cut[rows],
            self.log_clutter,
            self.sides[rows],
        )


def measured_boxes(sides: Array, width: int, height: int, false_alarms: float) -> Boxes:
    """Return what boxes (M, 4) of an image say; sides at its border are cut off, sides well beyond are not."""
    sides = np.asarray(sides, np.float64).reshape(-1, 4)
    left, right = np.abs(sides[:, 0]) <= _BORDER, np.abs(sides[:, 2] - width) <= _BORDER
    across = np.where(left & right, -1, np.where(left, 2, np.where(right, 1, 0)))
    position = (sides[:, [0, 2]] * _ACROSS[np.maximum(across, 0)]).sum(axis=1)
    return Boxes(
        np.column_stack([position, sides[:, 1], sides[:, 3]]),
        across,
        np.abs(sides[:, 1]) <= _BORDER,
        np.abs(sides[:, 3] - height) <= _BORDER,
        float(np.log(false_alarms / (width * height * height))),
        sides,
    )


def _noise(view: View, settings: FloorSettings, scale: float) -> Array:
    """Return variances (N, 3) of a box's sides (middle, top, bottom) about the person's, square pixels."""
    tall = (view.boxes[:, 3] - view.boxes[:, 1])[:, None]
    shares = scale * np.array([settings.center_noise, settings.top_noise, settings.bottom_noise])
    return np.asarray((shares * tall) ** 2 + settings.pixel_noise**2, np.float64)


def _uncertain(view: View, settings: FloorSettings) -> Array:
    """Return (N, 3) the variances of x, y and height that stand for calibration and posture, square metres."""
    result = np.full((len(view.slack), 3), settings.floor_noise**2)
    result[:, 2] = view.slack**2
    return result


def box_log_likelihood(
    view: View, covariance: Array, boxes: Boxes, settings: FloorSettings, scale: float
) -> tuple[Array, NDArray[np.int64], Array]:
    """Return log densities (N, M) of boxes given people, per cubic pixel, and the likeliest case of each,
    and squared Mahalanobis distances (N, M) of whole boxes, NaN for others.

    Args:
        view: how the people look where they are expected.
        covariance: (N, 5, 5) of their states.
        boxes: what was found.
        settings: of the tracker.
        scale: by which deviations of sides are multiplied.

    A side that is not believed may be anywhere along the predicted height; ``-inf`` where nothing can be said.
    """
    count, found = len(view.boxes), len(boxes)
    if not count or not found:
        nothing = np.zeros((count, found))
        return nothing, nothing.astype(np.int64), nothing
    predicted = view.boxes
    tall = predicted[:, 3] - predicted[:, 1]
    state = covariance[:, [[0], [1], [4]], [0, 1, 4]]
    state[:, range(3), range(3)] += _uncertain(view, settings)
    # The covariance of all four sides of each box; what is across mixes two of them.
    spread = view.jacobian @ state @ np.swapaxes(view.jacobian, 1, 2)
    noise = _noise(view, settings, scale)
    kinds = np.maximum(boxes.across, 0)
    left, right = _ACROSS[kinds].T
    across = boxes.across >= 0
    off_across = np.where(across, boxes.values[:, 0] - (predicted[:, [0, 2]] @ _ACROSS[kinds].T), 0.0)
    off_top = boxes.values[:, 1] - predicted[:, 1, None]
    off_bottom = boxes.values[:, 2] - predicted[:, 3, None]
    s = spread[..., None]
    # Arms and legs: one side moves more than the middle.
    a = s[:, 0, 0] * left**2 + 2 * s[:, 0, 2] * (left * right) + s[:, 2, 2] * right**2
    a = a + noise[:, :1] * np.where(kinds > 0, 4.0, 1.0)
    b = np.where(across, s[:, 0, 1] * left + s[:, 1, 2] * right, 0.0)
    c = np.where(across, s[:, 0, 3] * left + s[:, 2, 3] * right, 0.0)
    d, e, f = s[:, 1, 1] + noise[:, 1:2], s[:, 1, 3], s[:, 3, 3] + noise[:, 2:]
    rough = ((_ROUGH * tall[:, None]) ** 2)[:, :, None]
    distance, log_determinant = np.empty((2, len(CASES), count, found))
    with np.errstate(invalid="ignore", divide="ignore"):
        offs = (off_across, off_top, off_bottom)
        for case, more in ((HEAD_AND_FEET, (0.0, 0.0, 0.0)), (ROUGHLY, (rough[:, 0], rough[:, 1], rough[:, 2]))):
            first = np.where(across, a + more[0], 1.0)
            distance[case], log_determinant[case] = _fit_three(*offs, first, b, c, d + more[1], e, f + more[2])
        a = np.where(across, a, 1.0)
        distance[NO_FEET], log_determinant[NO_FEET] = _fit_two(off_across, off_top, a, b, d)
        distance[NO_HEAD], log_determinant[NO_HEAD] = _fit_two(off_across, off_bottom, a, c, f)
        sides = (np.array([3, 2, 2, 3])[:, None] - ~across)[:, None]
        log_tall = np.log(np.where(np.isfinite(tall), tall, 1.0))[:, None]
        density = -0.5 * (distance + log_determinant + sides * _LOG_2PI) - (3 - sides) * log_tall
        density += _log_chances(view, boxes, off_top, off_bottom, d, f, settings)
    density = np.where(np.isfinite(density), density, -np.inf)
    case_of = density.argmax(axis=0)
    whole = (case_of == HEAD_AND_FEET) & across
    return density.max(axis=0), case_of, np.where(whole, distance[HEAD_AND_FEET], np.nan)


def _log_chances(
    view: View, boxes: Boxes, off_top: Array, off_bottom: Array, top: Array, bottom: Array, settings: FloorSettings
) -> Array:
    """Return (C, N, M) the logarithms of how often each case is so; ``-inf`` where a box cannot be that case.

    Args:
        view: of N people.
        boxes: M of them.
        off_top, off_bottom: (N, M) how far sides are off, pixels.
        top, bottom: (N, 1) their variances, square pixels.
        settings: of the tracker.
    """
    hidden = np.clip(1 - view.feet_visible, settings.hidden_feet, 0.7)
    whole = np.maximum(1 - hidden - settings.lowered_head - settings.rough_boxes, 0.05)
    top_cut, bottom_cut = boxes.top_cut, boxes.bottom_cut
    cut = np.where(top_cut | bottom_cut, -np.inf, 0.0)
    # What hides feet makes a box end higher.
    no_feet = (off_bottom < 2 * np.sqrt(np.maximum(bottom, 1e-9))) & ~top_cut
    no_head = (off_top > -2 * np.sqrt(np.maximum(top, 1e-9))) & ~bottom_cut
    chances = np.empty((len(CASES), *off_top.shape))
    chances[HEAD_AND_FEET] = np.log(whole)[:, None] + cut
    chances[NO_FEET] = np.where(no_feet, np.where(bottom_cut, 0.0, np.log(hidden)[:, None]), -np.inf)
    chances[NO_HEAD] = np.where(no_head, np.where(top_cut, 0.0, np.log(settings.lowered_head)), -np.inf)
    chances[ROUGHLY] = np.log(settings.rough_boxes) + cut
    return chances


def _fit_three(
    first: Array, second: Array, third: Array, a: Array, b: Array, c: Array, d: Array, e: Array, f: Array
) -> tuple[Array, Array]:
    """Return squared Mahalanobis distances (N, M) and log determinants of three sides.

    Args:
        first, second, third: (N, M) how far sides are off, pixels.
        a, b, c, d, e, f: the upper triangle of their covariance, row by row, square pixels.
    """
    # The inverse of a symmetric 3×3 matrix by its cofactors.
    aa, dd, ff = d * f - e * e, a * f - c * c, a * d - b * b
    ab, ac, de = c * e - b * f, b * e - c * d, b * c - a * e
    determinant = a * aa + b * ab + c * ac
    squares = aa * first * first + dd * second * second + ff * third * third
    squares += 2 * (ab * first * second + ac * first * third + de * second * third)
    return squares / determinant, np.log(determinant)


def _fit_two(first: Array, second: Array, a: Array, b: Array, d: Array) -> tuple[Array, Array]:
    """Return the same as ``_fit_three`` of two sides, whose covariance is [[a, b], [b, d]]."""
    determinant = a * d - b * b
    squares = d * first * first + a * second * second - 2 * b * first * second
    return squares / determinant, np.log(determinant)


def secondary_log_density(predicted: Array, boxes: Boxes) -> Array:
    """Return log densities (N, M), per cubic pixel, of boxes that hold a part of somebody, or two people together.

    Args:
        predicted: (N, 4) how the people look; NaN for who is not in front.
        boxes: what was found.
    """
    tall = (predicted[:, 3] - predicted[:, 1])[:, None]
    across = predicted[:, [0, 2]] @ _ACROSS.T
    off = np.stack(
        [
            boxes.values[None, :, 0] - across[:, np.maximum(boxes.across, 0)],
            boxes.values[None, :, 1] - predicted[:, 1, None],
            boxes.values[None, :, 2] - predicted[:, 3, None],
        ],
        axis=-1,
    )
    deviation = _ROUGH * tall[..., None]
    density = -0.5 * (off / deviation) ** 2 - np.log(deviation) - 0.5 * _LOG_2PI
    believed = np.stack([boxes.across >= 0, ~boxes.top_cut, ~boxes.bottom_cut], axis=-1)
    total = np.where(believed, density, -np.log(tall)[..., None]).sum(axis=-1)
    return np.where(np.isfinite(total), total, -np.inf)


def information(
    view: View, states: Array, boxes: Boxes, cases: NDArray[np.int64], settings: FloorSettings, scale: float
) -> tuple[Array, Array]:
    """Return what K boxes say of K people: information matrices (K, 5, 5) and vectors (K, 5).

    Args:
        view: of the K people at ``states`` (K, 5).
        boxes: one for each.
        cases: (K,) what of each box is believed.
        settings: of the tracker.
        scale: by which deviations of sides are multiplied.
    """
    count = len(states)
    matrix, vector = np.zeros((count, 5, 5)), np.zeros((count, 5))
    if not count:
        return matrix, vector
    kinds = np.maximum(boxes.across, 0)
    weights, predicted, jacobian = _ACROSS[kinds], view.boxes, view.jacobian
    off = boxes.values - np.column_stack([(predicted[:, [0, 2]] * weights).sum(axis=1), predicted[:, [1, 3]]])
    slope = jacobian[:, [0, 1, 3]]
    slope[:, 0] = jacobian[:, 0] * weights[:, :1] + jacobian[:, 2] * weights[:, 1:]
    spread = (slope * _uncertain(view, settings)[:, None]) @ np.swapaxes(slope, 1, 2)
    variances = _noise(view, settings, scale)
    variances[:, 0] *= np.where(kinds > 0, 4.0, 1.0)
    spread[:, range(3), range(3)] += variances
    believed = _BELIEVED[cases].copy()
    believed[:, 0] &= boxes.across >= 0
    tall = (view.boxes[:, 3] - view.boxes[:, 1])[:, None]
    spread[:, range(3), range(3)] += np.where(believed, 0.0, (_NOTHING * tall) ** 2)
    spread[:, range(3), range(3)] += np.where(cases[:, None] == ROUGHLY, (_ROUGH * tall) ** 2, 0.0)
    weight = np.linalg.inv(spread)
    small = np.swapaxes(slope, 1, 2) @ weight
    at = [0, 1, 4]
    block = small @ slope
    matrix[:, [[0], [1], [4]], at] = block
    vector[:, at] = np.einsum("nsk,nk->ns", small, off) + np.einsum("nij,nj->ni", block, states[:, at])
    return matrix, vector


def inverses(matrices: Array) -> Array:
    """Return the inverses (N, K, K) of symmetric positive matrices (N, K, K), symmetric again."""
    inverse = np.linalg.inv(matrices)
    return np.asarray((inverse + np.swapaxes(inverse, -1, -2)) / 2, np.float64)
