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


def _sides(view: View) -> tuple[Array, Array]:
    """Return predicted (N, 3, 3) (what is across: middle, left, right) and derivatives (N, 3, 3, 3)."""
    across = view.boxes[:, [0, 2]] @ _ACROSS.T
    values = np.stack([across, *(np.repeat(view.boxes[:, [side]], 3, axis=1) for side in (1, 3))], axis=-1)
    by_state = np.einsum("ka,nas->nks", _ACROSS, view.jacobian[:, [0, 2]])
    others = [np.repeat(view.jacobian[:, None, side], 3, axis=1) for side in (1, 3)]
    return values, np.stack([by_state, *others], axis=2)


def _noise(view: View, derivatives: Array, settings: FloorSettings, scale: float) -> Array:
    """Return the covariance (N, 3, 3, 3) of a box's sides about the person's, square pixels."""
    tall = (view.boxes[:, 3] - view.boxes[:, 1])[:, None]
    shares = scale * np.array([settings.center_noise, settings.top_noise, settings.bottom_noise])
    variances = (shares * tall) ** 2 + settings.pixel_noise**2
    kinds = np.repeat(variances[:, None], 3, axis=1)
    kinds[:, 1:, 0] *= 4  # arms and legs: one side moves more than the middle
    noise = np.zeros((*kinds.shape, 3))
    noise[..., range(3), range(3)] = kinds
    on_floor, upright = derivatives[..., :2], derivatives[..., 2:] * view.slack[:, None, None, None]
    return (
        noise
        + settings.floor_noise**2 * on_floor @ np.swapaxes(on_floor, -1, -2)
        + upright @ np.swapaxes(upright, -1, -2)
    )


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
    values, derivatives = _sides(view)
    state = covariance[:, [[0], [1], [4]], [0, 1, 4]]
    spread = derivatives @ state[:, None] @ np.swapaxes(derivatives, -1, -2) + _noise(
        view, derivatives, settings, scale
    )
    tall = view.boxes[:, 3] - view.boxes[:, 1]
    count, found = len(values), len(boxes)
    if not count or not found:
        nothing = np.zeros((count, found))
        return nothing, nothing.astype(np.int64), nothing
    log_tall = np.log(np.where(np.isfinite(tall), tall, 1.0))
    deviations = np.sqrt(np.maximum(spread[:, 0, range(3), range(3)], 1e-9))
    rows = np.maximum(boxes.across, 0)
    off = boxes.values - values[:, rows]
    believed = np.repeat(_BELIEVED[:, None], found, axis=1)
    believed[..., 0] &= boxes.across >= 0
    roughness = np.zeros((len(CASES), count, 1, 3))
    roughness[ROUGHLY] = ((_ROUGH * tall[:, None]) ** 2)[:, None]
    distance, log_determinant = _fit(off, spread[:, rows], roughness, believed[:, None])
    sides = believed.sum(axis=-1)[:, None]
    density = -0.5 * (distance + log_determinant + sides * _LOG_2PI) - (3 - sides) * log_tall[:, None]
    density += _log_chances(view, boxes, off, deviations, settings)
    density = np.where(np.isfinite(density), density, -np.inf)
    case_of = density.argmax(axis=0)
    whole = (case_of == HEAD_AND_FEET) & believed[HEAD_AND_FEET].all(axis=-1)
    return density.max(axis=0), case_of, np.where(whole, distance[HEAD_AND_FEET], np.nan)


def _log_chances(view: View, boxes: Boxes, off: Array, deviations: Array, settings: FloorSettings) -> Array:
    """Return (C, N, M) the logarithms of how often each case is so; ``-inf`` where a box cannot be that case."""
    hidden = np.clip(1 - view.feet_visible, settings.hidden_feet, 0.7)
    lowered = np.full(len(hidden), settings.lowered_head)
    rough = np.full(len(hidden), settings.rough_boxes)
    whole = np.maximum(1 - hidden - lowered - rough, 0.05)
    chances = np.repeat(np.log(np.stack([whole, hidden, lowered, rough]))[..., None], len(boxes), axis=2)
    top_cut, bottom_cut = boxes.top_cut, boxes.bottom_cut
    with np.errstate(invalid="ignore"):
        # What hides feet makes a box end higher.
        no_feet = (off[..., 2] < 2 * deviations[:, None, 2]) & ~top_cut
        no_head = (off[..., 1] > -2 * deviations[:, None, 1]) & ~bottom_cut
    for case in (HEAD_AND_FEET, ROUGHLY):
        chances[case, :, top_cut | bottom_cut] = -np.inf
    chances[NO_FEET, :, bottom_cut] = 0.0
    chances[NO_HEAD, :, top_cut] = 0.0
    chances[NO_FEET] = np.where(no_feet, chances[NO_FEET], -np.inf)
    chances[NO_HEAD] = np.where(no_head, chances[NO_HEAD], -np.inf)
    return chances


def _fit(off: Array, spread: Array, more: Array, believed: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return squared Mahalanobis distances (C, N, M) and log determinants of what is believed of three sides.

    Args:
        off: (N, M, 3) how far sides are off, pixels.
        spread: (N, M, 3, 3) their covariance, square pixels.
        more: (C, N, 1, 3) variance that each case adds.
        believed: (C, 1, M, 3) the sides that count; the others neither add to a distance nor to a determinant.
    """
    first, second, third = (np.where(believed[..., side], off[..., side], 0.0) for side in range(3))
    a, d, f = (
        np.where(believed[..., side], spread[..., side, side] + more[..., side], 1.0) for side in range(3)
    )  # fmt: skip
    b, c, e = (
        np.where(believed[..., one] & believed[..., other], spread[..., one, other], 0.0)
        for one, other in ((0, 1), (0, 2), (1, 2))
    )
    # The inverse of a symmetric 3×3 matrix by its cofactors.
    aa, dd, ff = d * f - e * e, a * f - c * c, a * d - b * b
    ab, ac, de = c * e - b * f, b * e - c * d, b * c - a * e
    determinant = a * aa + b * ab + c * ac
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = aa * first * first + dd * second * second + ff * third * third
        squares += 2 * (ab * first * second + ac * first * third + de * second * third)
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
    values, derivatives = _sides(view)
    noise = _noise(view, derivatives, settings, scale)
    rows, kinds = np.arange(count), np.maximum(boxes.across, 0)
    off = boxes.values - values[rows, kinds]
    slope, spread = derivatives[rows, kinds], noise[rows, kinds]
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
