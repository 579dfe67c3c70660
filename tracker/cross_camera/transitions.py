"""How long people take from one camera to another, learnt from clear matches, as evidence about others.

For each ordered pair of cameras (or a camera and itself: leaving and coming back) the seconds between two sightings of
one person that follow each other are collected from matches which their looks alone make clear. A gap between two
other visits is then compared under two hypotheses: one person (a kernel density of the learnt gaps over log(1 + gap),
mixed with a broad prior) and somebody else (the same density of gaps between people who look clearly different, mixed
with arrivals at any time). The broad prior is that second density: what has been learnt from n gaps weighs
n / (n + 20), and below five nothing is said. Transit times between cameras as a cue: Makris, Ellis and Black, CVPR
2004; Javed et al., CVIU 2008.

It cannot do much harm, by construction:

- *For* one person it never says more than 2 nats: as much as one standard deviation of the distance between strangers.
  Looks that differ clearly are not outvoted.
- *Against* it speaks only where a gap is less than half of the shortest known, or the two were in both views at once
  where nobody ever was. After n gaps that were all longer the chance of that is at most 1 / (n + 1), so it says
  −log(n + 1), at most 6 nats: more than the 4 that looks say for a pair at most, less than a veto. A long gap is never
  evidence against: people stop, and they are seen elsewhere in between.
- It learns from looks alone, never from what it said itself, and not from those who look like two different people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.visits import Visits

__all__ = ["MOST_AGAINST", "MOST_FOR", "TransitionRecord", "TransitionTimes"]

#: nats of looks (at most 4) from which a match teaches, and, negative, from which two are surely different
CLEAR = 2.0
#: nats that a gap says for one person at most: one standard deviation of the distance between strangers
MOST_FOR = 2.0
#: nats that a gap says against at most: looks that could not be more alike (4) are outvoted, a veto it is not
MOST_AGAINST = 6.0
#: gaps between two cameras before anything is said of others
LEAST_GAPS = 5
#: gaps that weigh as much as the broad prior
PRIOR_GAPS = 20.0
#: gaps of strangers that weigh as much as arrivals at any time
PRIOR_STRANGERS = 20.0
#: a person is not twice as quick as the quickest; views may lose somebody so many seconds early or find them late
QUICKEST, LATENCY_SECONDS = 0.5, 1.0
#: of so many gaps one may be a mistake when the shortest is asked for
ONE_MISTAKE_IN = 50
#: gaps remembered for each ordered pair of cameras
REMEMBERED = 500
#: no narrower kernel than this, in log(1 + seconds): people walk at their own pace
LEAST_BANDWIDTH = 0.08
#: cells of the grid on which densities are kept, over log(1 + seconds)
CELLS = 256


@dataclass(frozen=True, slots=True)
class TransitionRecord:
    """What was learnt of the way from one camera to another; goes into ``run.json``.

    ``seconds_5_95`` are the 5 % and 95 % quantiles of the gaps; ``at_once`` counts matches seen in both views at the
    same time, whose gap is negative; ``excluded_below_seconds`` is the gap below which one person is nearly excluded.
    """

    from_camera: str
    to_camera: str
    count: int
    median_seconds: float
    seconds_5_95: tuple[float, float]
    at_once: int
    excluded_below_seconds: float | None


class TransitionTimes:
    """The times between cameras that clear matches have shown; bounded memory."""

    def __init__(self) -> None:
        # (camera, camera) → (key of the first visit, of the second) → seconds
        self._gaps: dict[tuple[int, int], dict[tuple[int, int], float]] = {}

    def learn(self, visits: Visits, alike: NDArray[np.float64]) -> None:
        """Replace what these visits have taught by what they teach now; what others taught is kept.

        Args:
            visits: V visits.
            alike: (V, V) evidence of their looks alone, in nats; NaN where unknown.
        """
        present = set(visits.keys.tolist())
        for gaps in self._gaps.values():
            for pair in [pair for pair in gaps if pair[0] in present and pair[1] in present]:
                del gaps[pair]
        for first, second in _successive(visits, alike):
            cameras = int(visits.cameras[first]), int(visits.cameras[second])
            gaps = self._gaps.setdefault(cameras, {})
            gaps[int(visits.keys[first]), int(visits.keys[second])] = float(visits.starts[second] - visits.ends[first])
        for gaps in self._gaps.values():
            for pair in list(gaps)[: max(0, len(gaps) - REMEMBERED)]:
                del gaps[pair]

    def evidence_for(self, visits: Visits, alike: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the gaps between visits say for one person; (V, V) nats, 0…2, symmetric.

        Args:
            visits: V visits.
            alike: (V, V) evidence of their looks alone, in nats: it says which pairs are strangers.
        """
        result = np.zeros((len(visits), len(visits)))
        in_order, gaps = visits.in_order, visits.gaps
        whole = visits.left[:, None] & visits.appeared
        strangers = in_order & whole & (gaps >= 0) & (alike <= -CLEAR)
        for block, seconds, _ in self._blocks(visits):
            said = np.zeros(gaps[block].shape)
            fits = (in_order & whole)[block] & (gaps[block] >= 0)
            said[fits] = _evidence_for(gaps[block][fits], seconds[seconds >= 0], gaps[block][strangers[block]])
            result[block] += said
        return result + result.T

    def evidence_against(self, visits: Visits) -> NDArray[np.float64]:
        """Return what gaps too short for anybody say; (V, V) nats, −6…0, symmetric.

        Args:
            visits: V visits of which none has slipped from one person to another.
        """
        result = np.zeros((len(visits), len(visits)))
        in_order, gaps = visits.in_order, visits.gaps
        for block, seconds, one_camera in self._blocks(visits):
            # Within a camera a track may break off and begin anew at once.
            limit = None if one_camera else _excluded_below(seconds)
            if limit is not None:
                result[block] -= np.where(in_order[block] & (gaps[block] < limit), _evidence_against(len(seconds)), 0.0)
        return result + result.T

    def _blocks(self, visits: Visits) -> Iterator[tuple[tuple[NDArray[np.int64], ...], NDArray[np.float64], bool]]:
        """Yield for each pair of cameras its block of the matrix of visits, its sorted gaps, and whether it is one."""
        by_camera = {camera: np.flatnonzero(visits.cameras == camera) for camera in np.unique(visits.cameras).tolist()}
        for (first, second), learnt in sorted(self._gaps.items()):
            if len(learnt) >= LEAST_GAPS and first in by_camera and second in by_camera:
                seconds = np.sort(np.array(list(learnt.values())))
                yield np.ix_(by_camera[first], by_camera[second]), seconds, first == second

    def records(self, names: Sequence[str]) -> list[TransitionRecord]:
        """Return what was learnt, by camera; ``names`` are the cameras' names by number."""
        found = []
        for (first, second), gaps in sorted(self._gaps.items()):
            if not gaps:
                continue
            seconds = np.sort(np.array(list(gaps.values())))
            low, middle, high = (round(float(value), 2) for value in np.quantile(seconds, (0.05, 0.5, 0.95)))
            enough = first != second and len(seconds) >= LEAST_GAPS
            limit = _excluded_below(seconds) if enough else None
            found.append(
                TransitionRecord(
                    names[first], names[second], len(seconds), middle, (low, high), int((seconds < 0).sum()),
                    None if limit is None else round(limit, 2),
                )
            )  # fmt: skip
        return found


def _successive(visits: Visits, alike: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the pairs of visits that are clearly one person, who was clearly nowhere else in between."""
    in_order, gaps = visits.in_order, visits.gaps
    cameras = visits.cameras
    clear = np.nan_to_num(alike, nan=0.0) >= CLEAR
    np.fill_diagonal(clear, True)
    # Who looks like two people that were in one view together is not clear at all.
    together = (gaps < 0) & (gaps.T < 0) & (cameras[:, None] == cameras)
    np.fill_diagonal(together, False)
    either = clear.astype(np.float64)
    clear[((either @ together.astype(np.float64)) * either).sum(axis=1) > 0] = False
    clear &= clear.T & in_order
    nearest_after = np.where(clear, visits.starts, np.inf)
    nearest_before = np.where(clear, visits.ends[:, None], -np.inf)
    pairs = []
    for first in np.flatnonzero(clear.any(axis=1)).tolist():
        second = int(nearest_after[first].argmin())
        at_once = gaps[first, second] < 0
        whole = visits.left[first] and visits.appeared[second]
        if int(nearest_before[:, second].argmax()) == first and (at_once or whole):
            pairs.append((first, second))
    return pairs


def _evidence_for(
    gaps: NDArray[np.float64], learnt: NDArray[np.float64], strangers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return 0…2 nats (N,) for gaps (N,) ≥ 0, from learnt gaps (M,) ≥ 0 and those of strangers (K,) ≥ 0."""
    count = len(learnt)
    if count < LEAST_GAPS or not len(gaps):
        return np.zeros(len(gaps))
    longest = max(float(gaps.max()), float(learnt.max()), float(strangers.max(initial=0.0)), 60.0)
    edges = np.linspace(0.0, np.log1p(longest) + 1e-9, CELLS + 1)
    places = np.log1p(learnt)
    quartiles = np.quantile(places, (0.25, 0.75))
    spread = min(float(places.std()), float(quartiles[1] - quartiles[0]) / 1.34)
    # Silverman's rule of thumb (Density Estimation, 1986, equation 3.31).
    bandwidth = max(LEAST_BANDWIDTH, 0.9 * spread * count**-0.2) / (edges[1] - edges[0])
    same = _density(places, edges, bandwidth)
    anytime = np.diff(np.expm1(edges)) / longest
    weight = len(strangers) / (len(strangers) + PRIOR_STRANGERS)
    other = weight * _density(np.log1p(strangers), edges, bandwidth) + (1 - weight) * anytime
    trust = count / (count + PRIOR_GAPS)
    ratio = np.log(trust * same / np.maximum(other, 1e-9) + 1 - trust)
    said = np.interp(np.log1p(gaps), (edges[:-1] + edges[1:]) / 2, ratio)
    return np.clip(said, 0.0, MOST_FOR * trust)


def _density(places: NDArray[np.float64], edges: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Return the share (cells,) of a Gaussian kernel density in each cell; ``bandwidth`` in cells."""
    from scipy.ndimage import gaussian_filter1d

    shares = np.histogram(places, edges)[0] / max(len(places), 1)
    return np.asarray(gaussian_filter1d(shares, bandwidth, mode="reflect"), np.float64)


def _excluded_below(seconds: NDArray[np.float64]) -> float | None:
    """Return the gap that is too short for one person, given sorted gaps; ``None`` where views overlap."""
    shortest = float(seconds[len(seconds) // ONE_MISTAKE_IN])
    return QUICKEST * shortest - LATENCY_SECONDS if shortest >= 0 else None


def _evidence_against(count: int) -> float:
    trust = count / (count + PRIOR_GAPS)
    return float(min(MOST_AGAINST, np.log(count + 1.0)) * trust)
