"""What most point pairs agree on: random sample consensus, then least squares on those that agree.

RANSAC (Fischler and Bolles, Communications of the ACM 24(6), 1981) with the cost of MSAC (Torr and Zisserman, Computer
Vision and Image Understanding 78(1), 2000): a pair costs its squared error, and at most the squared threshold. Samples
that cost least are improved by least squares within a threshold that narrows, as in LO-RANSAC (Chum, Matas and Kittler,
DAGM 2003), since what three or four noisy points say is far off at the others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Consensus", "PairModel", "find_consensus", "point_subsets"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Candidate = TypeVar("Candidate")

#: multiples of the threshold within which a sample is judged and then improved
_NARROWING = (4.0, 2.0, 1.0)
#: how many samples are improved, the cheapest first
_MOST_IMPROVED = 8
#: how often the best fit must be found again before no other is looked for
_ENOUGH_ALIKE = 3
_MOST_ROUNDS = 10


class PairModel(Protocol[Candidate]):
    """What is fitted to N point pairs."""

    def errors(self, candidate: Candidate) -> Array:
        """Return (N,) distances in pixels between where a candidate sees the places and their pixels.

        Infinite for a place that is behind the candidate's camera.
        """
        ...

    def refined(self, candidate: Candidate, used: Mask) -> Candidate | None:
        """Return the least-squares fit to the pairs ``used`` (N,) near ``candidate``; ``None``: they leave it open."""
        ...


@dataclass(frozen=True, eq=False)
class Consensus(Generic[Candidate]):
    """A fit and the pairs (N,) that agree with it."""

    candidate: Candidate
    inliers: Mask
    #: mean over all pairs of the squared error, at most the squared threshold
    cost: float


def point_subsets(count: int, size: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return subsets (S, ``size``) of ``count`` points: all of them, or ``most`` random ones where there are more."""
    if math.comb(count, size) <= most:
        return np.array(list(itertools.combinations(range(count), size)), np.int64).reshape(-1, size)
    return np.argsort(np.random.default_rng(seed).random((most, count)), axis=1)[:, :size]


def find_consensus(
    model: PairModel[Candidate], candidates: Sequence[Candidate], threshold: float
) -> Consensus[Candidate] | None:
    """Return the fit that costs least of those that the cheapest candidates lead to; ``None`` when none leads to one.

    Args:
        model: of the pairs.
        candidates: rough ones, of samples.
        threshold: pixels within which a pair agrees.
    """
    costs = [_cost(model.errors(candidate), _NARROWING[0] * threshold) for candidate in candidates]
    best: Consensus[Candidate] | None = None
    reached = 0
    for index in np.argsort(costs, kind="stable")[:_MOST_IMPROVED]:
        found = _improved(model, candidates[index], threshold)
        if found is None:
            continue
        # Samples of good pairs all lead to the same fit; that it is found again says that it is the best.
        same = best is not None and (found.inliers == best.inliers).all()
        reached = reached + 1 if same else 1 if best is None or found.cost < best.cost else reached
        if best is None or found.cost < best.cost:
            best = found
        if best.inliers.all() or reached == _ENOUGH_ALIKE:
            break
    return best


def _improved(model: PairModel[Candidate], candidate: Candidate, threshold: float) -> Consensus[Candidate] | None:
    used: Mask | None = None
    for factor in _NARROWING + (1.0,) * _MOST_ROUNDS:
        inliers = model.errors(candidate) <= factor * threshold
        if used is not None and factor == 1.0 and (inliers == used).all():
            break
        refined = model.refined(candidate, inliers)
        if refined is None:
            return None
        candidate, used = refined, inliers
    errors = model.errors(candidate)
    return Consensus(candidate, errors <= threshold, _cost(errors, threshold))


def _cost(errors: Array, threshold: float) -> float:
    return float((np.minimum(errors, threshold) ** 2).mean())
