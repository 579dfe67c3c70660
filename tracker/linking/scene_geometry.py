"""How tall people are at each place of a picture, learnt from the boxes themselves, and what that says of each box.

People stand on a floor. In the picture of one camera their height is then nearly a linear function of where their feet
are, ``height = offset(time) + by_row · bottom + by_column · centre``; the offset follows a camera that nods. A detector
that mistakes half a body, two people or a lamp for a person seldom hits the right size. So the deviation from the
expected height separates true boxes from false ones where the detector's own score cannot.

Nobody says which boxes are true. They are found by expectation maximisation (Dempster et al., 1977): the share of each
box that is true, given the scene, and the scene, given these shares, in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SceneGeometry", "are_margins", "learn_scene", "score_log_odds"]

Array = NDArray[np.float64]

_ROUNDS = 12
#: relative deviations of true boxes: people and boxes differ at least and at most by that much
_LEAST_SPREAD, _LARGEST_SPREAD = 0.06, 0.30
#: relative deviation of false boxes, before anything is known
_FALSE_SPREAD = 0.6
#: share of true boxes that do not obey (children, who sits, who is partly hidden)
_OUTLIERS = 0.05
#: expected heights are not let below that share of the median height
_LEAST_HEIGHT = 0.1
#: boxes' worth of trust in the offset of the whole sequence against that of the moment
_STEADINESS = 10.0
#: fewer boxes teach nothing
_FEWEST_BOXES = 50
#: log odds are kept within
_LARGEST_LOG_ODDS = 7.0
#: of raw margins: log odds per unit
_MARGIN_SLOPE = 2.8
#: nats that a height may say for a person: false boxes repeat true ones, so the right size proves little
_MOST_FOR = 1.0
#: nats by which probabilities of detectors are too high where they are not near 1
_OVERRATED = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class SceneGeometry:
    """What the boxes of one sequence say of its scene.

    Args:
        expected_heights: (N,) pixels, of a person at each box's place and time.
        deviations: (N,) log(height / expected height).
        evidence: (N,) nats by which the height speaks for a true box.
        probabilities: (N,) that each box is a person, by score and height.
        spread: standard deviation of the deviations of true boxes.
    """

    expected_heights: Array
    deviations: Array
    evidence: Array
    probabilities: Array
    spread: float


def are_margins(scores: NDArray[np.floating]) -> bool:
    """Return whether scores (N,) are raw margins: any lies outside of 0 to 1."""
    return bool(len(scores) and (np.min(scores) < 0 or np.max(scores) > 1))


def score_log_odds(scores: NDArray[np.floating]) -> Array:
    """Return (N,) log odds of a person from a detector's scores (N,).

    Scores between 0 and 1 are taken as probabilities that are a little too high, as those of detectors are; where any
    lies outside, all are margins of a support vector machine whose zero is undecided.
    """
    scores = np.asarray(scores, np.float64)
    if are_margins(scores):
        odds = _MARGIN_SLOPE * scores
    else:
        inside = np.clip(scores, 1e-6, 1 - 1e-6)
        odds = np.log(inside) - np.log1p(-inside) - _OVERRATED
    return np.clip(odds, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)


def learn_scene(
    times: Array, boxes: NDArray[np.floating], log_odds: Array, *, window_seconds: float = 1.0
) -> SceneGeometry:
    """Learn the heights of people and judge every box by them.

    Args:
        times: (N,) seconds, ascending.
        boxes: (N, 4) ``x1, y1, x2, y2``, pixels.
        log_odds: (N,) of each box being a person, by what the detector says.
        window_seconds: the offset is one for the moments within this time before and after.

    Returns:
        The scene. Where boxes are too few, or heights do not depend on places, the evidence is 0 or nearly so.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
    if len(boxes) < _FEWEST_BOXES:
        nothing = np.zeros(len(boxes))
        return SceneGeometry(heights, nothing, nothing, 1 / (1 + np.exp(-log_odds)), _LARGEST_SPREAD)
    usual = float(np.median(heights))
    columns = np.stack([np.ones(len(boxes)), boxes[:, 3], (boxes[:, 0] + boxes[:, 2]) / 2], axis=1)
    center = columns.mean(axis=0) * (0, 1, 1)
    columns = columns - center
    window = _Window(times, window_seconds)
    trust = 1 / (1 + np.exp(-log_odds))
    spread, false_mean, false_spread = _LARGEST_SPREAD, 0.0, _FALSE_SPREAD
    expected = heights
    deviations = evidence = np.zeros(len(boxes))
    for number in range(_ROUNDS):
        # equal relative errors: a box twice as tall may be twice as far off
        weights = trust / np.square(heights)
        if number:
            # who does not obey does not teach
            weights = trust * np.exp(-0.5 * (deviations / (2 * spread)) ** 2) / np.square(expected)
        solved = np.linalg.lstsq(columns * np.sqrt(weights)[:, None], heights * np.sqrt(weights), rcond=None)[0]
        rest = heights - columns @ solved
        expected = columns @ solved + window.mean(rest, weights, _STEADINESS * float(np.median(weights)))
        expected = np.maximum(expected, _LEAST_HEIGHT * usual)
        deviations = np.log(heights / expected)
        right, wrong = trust, 1 - trust
        near = np.abs(deviations) < 3 * spread
        if (right * near).sum() > 1:
            spread = float(np.sqrt((right * near * deviations**2).sum() / (right * near).sum()))
            spread = float(np.clip(spread, _LEAST_SPREAD, _LARGEST_SPREAD))
        # a few made-up boxes keep the spread of false ones sensible where there are hardly any
        false_mean = float((wrong * deviations).sum() / (wrong.sum() + 20))
        false_spread = float(
            np.sqrt(((wrong * (deviations - false_mean) ** 2).sum() + 20 * _FALSE_SPREAD**2) / (wrong.sum() + 20))
        )
        false_spread = max(false_spread, 1.5 * spread)
        background = _normal(deviations, false_mean, false_spread)
        evidence = np.log((1 - _OUTLIERS) * _normal(deviations, 0.0, spread) / background + _OUTLIERS)
        evidence = np.minimum(evidence, _MOST_FOR)
        trust = 1 / (1 + np.exp(-(log_odds + evidence)))
    return SceneGeometry(expected, deviations, evidence, trust, spread)


def _normal(values: Array, mean: float, spread: float) -> Array:
    return np.asarray(np.exp(-0.5 * ((values - mean) / spread) ** 2) / spread)


class _Window:
    """Weighted means over the moments around each row."""

    def __init__(self, times: Array, seconds: float) -> None:
        self._first = np.searchsorted(times, times - seconds, side="left")
        self._last = np.searchsorted(times, times + seconds, side="right")

    def mean(self, values: Array, weights: Array, prior: float) -> Array:
        """Return (N,) means, drawn to 0 as by ``prior`` more weight there."""
        sums = np.concatenate([[0.0], np.cumsum(values * weights)])
        totals = np.concatenate([[0.0], np.cumsum(weights)])
        difference = sums[self._last] - sums[self._first]
        return np.asarray(difference / (totals[self._last] - totals[self._first] + prior))
