"""What is learnt of the detectors while they are used: how exact boxes are, how many people they miss or invent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.floor.settings import FloorSettings

__all__ = ["DetectorModel"]

#: observations that the settings are worth before anything is seen, and most that are remembered
_BEFORE, _MOST = 100.0, 3000.0
#: chi-square with three degrees of freedom, cut off here so that a box of somebody else does not count, has this mean
_CUT, _MEAN = 16.0, 2.97
#: most and least that the sides' deviations are multiplied by
_SCALES = (0.75, 2.5)
_RATES = (0.5, 0.98)
_ALARMS = (0.05, 10.0)


class _Average:
    """A mean that begins at a guess worth ``_BEFORE`` observations and forgets the oldest beyond ``_MOST``."""

    def __init__(self, guess: float) -> None:
        self.value, self._count = guess, _BEFORE

    def add(self, mean: float, count: float) -> None:
        if count > 0:
            self._count = min(self._count + count, _MOST)
            self.value += (mean - self.value) * min(count / self._count, 1.0)


class DetectorModel:
    """Begins with the settings and follows what is seen, all cameras together.

    ``scale`` multiplies the deviations of boxes' sides; ``rate`` is the share of visible people that are detected;
    ``false_alarms`` are those of an image.
    """

    def __init__(self, settings: FloorSettings) -> None:
        self._learns = settings.learn_detectors
        self._variance = _Average(1.0)
        self._rate = _Average(settings.detection_rate)
        self._alarms = _Average(settings.false_alarms)

    @property
    def scale(self) -> float:
        return float(np.clip(np.sqrt(self._variance.value), *_SCALES))

    @property
    def rate(self) -> float:
        return float(np.clip(self._rate.value, *_RATES))

    @property
    def false_alarms(self) -> float:
        return float(np.clip(self._alarms.value, *_ALARMS))

    def boxes_were_off(self, distances: NDArray[np.float64]) -> None:
        """Take squared Mahalanobis distances (K,) of whole boxes from where people were expected, three sides each."""
        if self._learns and len(distances):
            ratio = float(np.minimum(distances, _CUT).mean()) / _MEAN
            # The expectation was made with the scale as it is.
            self._variance.add(self.scale**2 * ratio, len(distances))

    def people_were_found(self, found: int, expected: int) -> None:
        """Take how many of the people who could well be seen were detected."""
        if self._learns and expected:
            self._rate.add(found / expected, expected)

    def boxes_were_nobody(self, strays: int, images: int) -> None:
        """Take how many boxes belonged to nobody."""
        if self._learns and images:
            self._alarms.add(strays / images, images)
