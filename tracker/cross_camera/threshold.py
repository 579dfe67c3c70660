"""The distance below which two tracklets are taken for one person, learnt from the video without labels.

People visible at once in one camera are different people: the distances between them show what "different" looks
like with this embedder in this place. The threshold is the distance that different people undercut only with the
chosen false-match rate: a quantile of the predictive distribution of those distances. A normal distribution with
unknown mean and variance and independent priors from the embedder's recorded default makes it a Student-t quantile:
with little evidence it stays near the default and is cautious, with much it follows the video.
(Gelman et al., Bayesian Data Analysis, 3rd ed., sections 3.2 to 3.4.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["OpenSetThreshold", "ThresholdRecord"]

#: an embedder's default is recorded for single crops; means over many crops lie closer together by about this factor
MEANS_LIE_CLOSER = 0.6
#: while hardly any two people have been seen together, all that the video shows is how alike one person stays: the
#: threshold is then not above so many times that distance
SAME_FACTOR = 4.0


@dataclass(frozen=True, slots=True)
class ThresholdRecord:
    """Which threshold was used and how sure it is; goes into ``run.json``.

    ``interval`` is the central 90 % of the posterior of the threshold; ``false_rejection_rate`` the share of
    same-track distances above it (an optimistic estimate across cameras, since views differ more).
    """

    threshold: float
    false_match_rate: float
    default: float
    different_pairs: int
    same_pairs: int
    different_mean: float
    different_deviation: float
    same_mean: float | None
    false_rejection_rate: float | None
    interval: tuple[float, float]
    confidence: str


class OpenSetThreshold:
    """Learn the threshold from distances between people who are surely different.

    Args:
        default: the embedder's recorded threshold.
        false_match_rate: share of different people that may undercut the threshold.
        prior_place: how many observed pairs the default counts for, as to where distances lie,
        prior_spread: and as to how far they spread.
    """

    def __init__(
        self, default: float, *, false_match_rate: float = 0.01, prior_place: float = 2.0, prior_spread: float = 8.0
    ) -> None:
        if not 0 < false_match_rate < 0.5:
            raise ValueError(f"the false-match rate is {false_match_rate}; give a share between 0 and 0.5")
        self.default = float(default)
        self.false_match_rate = float(false_match_rate)
        self.prior_place = float(prior_place)
        self.prior_spread = float(prior_spread)
        self._different: NDArray[np.float64] = np.zeros(0)
        self._same: NDArray[np.float64] = np.zeros(0)
        self._posterior = self._fit(self._different)
        self._tolerable: float | None = None
        self._cut_distance = 0.8 * self.default

    def learn(self, different: NDArray[np.floating], same: NDArray[np.floating]) -> None:
        """Replace what is known by these distances.

        Args:
            different: (N,) distance of pairs of tracks visible at once in one camera, one value per pair of tracks.
            same: (M,) distance between the earlier and the later crops of single tracks.
        """
        self._different = np.sort(np.asarray(different, np.float64).ravel())
        self._same = np.sort(np.asarray(same, np.float64).ravel())
        self._posterior = self._fit(self._different)
        # Asked for with every frame of every camera.
        enough = len(self._same) >= 4
        self._tolerable = float(np.quantile(self._same, 0.9)) if enough else None
        self._cut_distance = 0.8 * self.default
        if len(self._different) >= self.prior_spread:
            usual = float(np.quantile(self._same, 0.97)) if enough else 0.0
            self._cut_distance = max(self.value + 0.2 * (self.different_mean - self.value), usual)

    @property
    def value(self) -> float:
        """The threshold: a cosine distance."""
        return self._posterior[0]

    @property
    def different_mean(self) -> float:
        """The distance usual between different people."""
        return self._posterior[1]

    @property
    def cut_distance(self) -> float:
        """The distance from which the latest crops of a track are taken for another person."""
        return self._cut_distance

    @property
    def deviation(self) -> float:
        """Standard deviation of the distance between different people."""
        return self._posterior[2]

    def score(self, distances: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return evidence (nats) that pairs at these distances are one person: 0 at the threshold, −8…4.

        Distances at which one person is still often found to be (nine tenths of the distances within tracks) say
        little against, even where the threshold lies below them because different people do not lie far above.
        """
        slope = 0.5 * self.deviation
        plausible = self.value if self._tolerable is None else self._tolerable
        tolerated = np.clip(distances - self.value, 0.0, max(plausible - self.value, 0.0))
        softened = np.minimum(tolerated / slope, tolerated / max(plausible - self.value, 1e-9))
        return np.clip((self.value - distances + tolerated) / slope - softened, -8.0, 4.0).astype(np.float32)

    def record(self) -> ThresholdRecord:
        """Return the threshold with what it rests on."""
        count, same = len(self._different), self._same
        low, high = self._interval()
        spread = (high - low) / max(self.value, 1e-6)
        confidence = "high" if count >= 30 and spread < 0.5 else "medium" if count >= 8 else "low: mostly the default"
        return ThresholdRecord(
            threshold=round(self.value, 4),
            false_match_rate=self.false_match_rate,
            default=self.default,
            different_pairs=count,
            same_pairs=len(same),
            different_mean=round(self.different_mean, 4),
            different_deviation=round(self.deviation, 4),
            same_mean=round(float(same.mean()), 4) if len(same) else None,
            false_rejection_rate=round(float((same > self.value).mean()), 4) if len(same) else None,
            interval=(round(low, 4), round(high, 4)),
            confidence=confidence,
        )

    def _fit(self, different: NDArray[np.float64]) -> tuple[float, float, float]:
        """Return threshold, mean and deviation of the posterior predictive distribution."""
        # The quantile of Student's t distribution; scipy.stats, which has it too, takes a second to import.
        from scipy.special import stdtrit

        # The prior puts the default at a rate of 1 % for the spread embedders usually show.
        expected = MEANS_LIE_CLOSER * self.default
        prior_deviation = 0.2 * self.default
        prior_mean = expected + 2.6 * prior_deviation
        count = len(different)
        mean = float(different.mean()) if count else prior_mean
        squares = float(((different - mean) ** 2).sum()) if count else 0.0
        # Where the distances lie differs much from place to place, how far they spread does not: the place is learnt
        # from few pairs, the spread from more.
        kappa = self.prior_place + count
        location = (self.prior_place * prior_mean + count * mean) / kappa
        freedom = self.prior_spread + count
        variance = (self.prior_spread * prior_deviation**2 + squares) / freedom
        scale = math.sqrt(variance * (kappa + 1) / kappa)
        threshold = location + scale * float(stdtrit(freedom, self.false_match_rate))
        if count < self.prior_spread and len(self._same) >= 3:
            threshold = min(threshold, SAME_FACTOR * float(self._same.mean()))
        # Distances are not negative; a threshold far above the default would rest on the tail of a rough fit.
        threshold = min(max(threshold, 0.25 * self.default), 1.6 * self.default)
        return threshold, location, scale

    def _interval(self) -> tuple[float, float]:
        """Return the central 90 % of bootstrap thresholds (fixed seed)."""
        count = len(self._different)
        if count < 2:
            return 0.25 * self.default, 1.6 * self.default
        generator = np.random.default_rng(0)
        draws = [self._fit(self._different[generator.integers(0, count, count)])[0] for _ in range(200)]
        return float(np.quantile(draws, 0.05)), float(np.quantile(draws, 0.95))
