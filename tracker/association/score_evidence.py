"""What a detector's score says: the logarithm of the odds that the box holds a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ScoreEvidence"]

#: probabilities are kept this far from 0 and 1
_SMALLEST = 1e-4


class ScoreEvidence:
    """Evidence from probabilities and from raw margins, told apart by their values.

    Scores below 0 or above 1 are margins (a support vector machine's distance from its boundary); from the first such
    score on, all scores of the stream are taken for margins.

    Args:
        margin_slope: evidence per unit of a margin.
        margin_zero: margin at which a box is as likely a person as not.
        probability_slope: evidence per unit of the log odds of a probability; below 1, since detectors are surer of
            themselves than they should be.
        probability_offset: evidence of a probability of one half.
    """

    def __init__(
        self,
        margin_slope: float = 3.5,
        margin_zero: float = -0.1,
        probability_slope: float = 0.6,
        probability_offset: float = 0.4,
    ) -> None:
        self.margin_slope = margin_slope
        self.margin_zero = margin_zero
        self.probability_slope = probability_slope
        self.probability_offset = probability_offset
        self.margins = False

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the (M,) evidence of one frame's scores (M,), nats."""
        values = scores.astype(np.float64)
        if not self.margins and len(values):
            self.margins = bool(values.min() < 0.0 or values.max() > 1.0)
        if self.margins:
            return self.margin_slope * (values - self.margin_zero)
        values = np.clip(values, _SMALLEST, 1.0 - _SMALLEST)
        return self.probability_slope * np.log(values / (1.0 - values)) + self.probability_offset
