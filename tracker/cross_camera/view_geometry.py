"""What two overlapping views can learn about each other from people seen in both, without calibration.

Heads of standing people lie near one plane, so a homography maps them from one view to the other (Hartley and
Zisserman, Multiple View Geometry, 2nd ed., chapters 4 and 13). It is fitted to the paths of pairs of tracklets that
look alike; wrong pairs do not agree with one homography and are outvoted. Its own uncertainty is carried along
(section 5.2 there), so that it says nothing about places where nobody has been seen. What it then says about another
pair of simultaneous paths is evidence for or against one person, however alike the two look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.tracklets import Tracklet

__all__ = ["CoVisible", "CoVisiblePairs", "ViewMapping", "co_visible", "fit_mapping"]

#: standard deviation of a mapped head, as a share of the box height in the view it is mapped to: boxes cut the hair
#: or include the arm, and people differ in height
HEAD_DEVIATION = 0.10
#: a box may be wrong altogether for a second (another person, half a body)
OUTLIER_SHARE = 0.08
#: two people may walk together: how often somebody else is beside a person, and how far away (share of the height)
COMPANION_SHARE = 0.15
COMPANION_DEVIATION = 0.4
#: evidence for a pair never exceeds what tells a person from a companion (nats)
MOST_EVIDENCE = float(np.log((1 + (COMPANION_DEVIATION / HEAD_DEVIATION) ** 2) / COMPANION_SHARE))
#: common instants at which agreement counts half of what it would with many: one glimpse proves little
FEW_INSTANTS = 3.0
#: instants farther apart than this are separate evidence against a pair
INDEPENDENT_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class CoVisible:
    """The instants at which two tracklets of two views were both seen with their heads in the picture.

    ``first`` and ``second`` are head positions (N, 2) in pixels, ``heights`` box heights (N, 2) in pixels, ``times``
    (N,) seconds, ascending; at most a few hundred, evenly thinned.
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    heights: NDArray[np.float64]
    times: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def distinct(self) -> NDArray[np.int64]:
        """Rows at which the person stands at a new place in one of the views: separate evidence for a pair."""
        scaled = np.concatenate([self.first / self.heights[:, :1], self.second / self.heights[:, 1:]], axis=1) / 0.25
        kept: list[int] = []
        known = np.zeros(len(self), bool)
        while len(kept) < 24 and not known.all():
            kept.append(int(known.argmin()))
            known |= np.abs(scaled - scaled[kept[-1]]).max(axis=1) <= 1.0
        return np.asarray(kept, np.int64)


class CoVisiblePairs:
    """P pairs of paths in the same two views, one after the other, so that a mapping judges them all at once.

    ``first``, ``second`` (T, 2) and ``heights`` (T, 2) are theirs, ``sizes`` (P,) how many rows each pair has.

    Args:
        pairs: P of at least one instant each.
    """

    def __init__(self, pairs: Sequence[CoVisible]) -> None:
        self.first = np.concatenate([pair.first for pair in pairs])
        self.second = np.concatenate([pair.second for pair in pairs])
        self.heights = np.concatenate([pair.heights for pair in pairs])
        self.sizes = np.array([len(pair) for pair in pairs])
        self._starts = np.cumsum(self.sizes) - self.sizes
        places = np.array([len(pair.distinct) for pair in pairs])
        self._places = np.concatenate([pair.distinct for pair in pairs]) + np.repeat(self._starts, places)
        self._place_starts = np.cumsum(places) - places
        times = np.concatenate([pair.times - pair.times[0] for pair in pairs])
        seconds = np.floor(times / INDEPENDENT_SECONDS)
        begins = np.ones(len(seconds), bool)
        begins[1:] = seconds[1:] != seconds[:-1]
        begins[self._starts] = True
        self._second_starts = np.flatnonzero(begins)
        self._second_sizes = np.diff(self._second_starts, append=len(seconds))
        self._first_seconds = np.searchsorted(self._second_starts, self._starts)

    def sums_over_places(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for values (T,) their sum (P,) over each pair's distinct places."""
        return np.asarray(np.add.reduceat(values[self._places], self._place_starts), np.float64)

    def sums_over_seconds(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for values (T,) the sum (P,) of those medians over each pair's seconds that are negative."""
        each = np.minimum(0.0, _medians(values, self._second_starts, self._second_sizes))
        return np.asarray(np.add.reduceat(each, self._first_seconds), np.float64)

    def means(self, values: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return for values (T,) the share (P,) of each pair's rows that are true."""
        return np.asarray(np.add.reduceat(values.astype(np.float64), self._starts) / self.sizes, np.float64)

    def medians(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for values (T,) the median (P,) over each pair's rows."""
        return _medians(values, self._starts, self.sizes)


def _medians(values: NDArray[np.float64], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median (G,) of each stretch of values (T,), of ``sizes`` (G,) rows from ``starts`` (G,) on."""
    steps = np.arange(sizes.max())
    rows = np.minimum(starts[:, None] + steps, len(values) - 1)
    padded = np.where(steps < sizes[:, None], values[rows], np.inf)
    padded.sort(axis=1)
    groups = np.arange(len(starts))
    return np.asarray((padded[groups, (sizes - 1) // 2] + padded[groups, sizes // 2]) / 2, np.float64)


def co_visible(first: Tracklet, second: Tracklet, *, limit: int = 200) -> CoVisible | None:
    """Return the common instants of two tracklets, or ``None`` when there are fewer than two."""
    _, rows, columns = np.intersect1d(first.slots, second.slots, assume_unique=True, return_indices=True)
    if len(rows) == 0:
        return None
    usable = np.asarray(first.usable)[rows] & np.asarray(second.usable)[columns]
    rows, columns = rows[usable], columns[usable]
    if len(rows) < 2:
        return None
    if len(rows) > limit:
        kept = np.linspace(0, len(rows) - 1, limit).astype(int)
        rows, columns = rows[kept], columns[kept]
    heights = np.stack([np.asarray(first.heights)[rows], np.asarray(second.heights)[columns]], axis=1)
    return CoVisible(
        np.asarray(first.heads, np.float64)[rows],
        np.asarray(second.heads, np.float64)[columns],
        np.maximum(heights, 1.0),
        np.asarray(first.slots, np.float64)[rows] * 0.2,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ViewMapping:
    """A homography between the heads of two views with its uncertainty.

    ``parameters`` (8,) and ``covariance`` (8, 8) in coordinates normalised by ``normalise_*`` (scale, x, y).
    """

    parameters: NDArray[np.float64]
    covariance: NDArray[np.float64]
    first_frame: tuple[float, float, float]
    second_frame: tuple[float, float, float]
    area: float

    def predict(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map head positions (N, 2) of the first view; return positions (N, 2) and variance (N,), both in pixels."""
        scale, x, y = self.first_frame
        normal = (points - (x, y)) / scale
        mapped, jacobian = _project(self.parameters, normal)
        spread = ((jacobian @ self.covariance) * jacobian).sum(axis=(1, 2)) / 2
        scale, x, y = self.second_frame
        return mapped * scale + (x, y), spread * scale**2

    def evidence(self, pairs: CoVisiblePairs) -> NDArray[np.float64]:
        """Return log P(paths | one person) − log P(paths | two people) of each pair (P,), in nats, −30…30.

        For: only places count that are new (somebody standing still proves little, however long), and never more than
        tells a person from a companion who walks beside. Against: every second counts, since two paths of one person
        cannot stay apart.
        """
        mapped, spread = self.predict(pairs.first)
        height = pairs.heights[:, 1]
        variance = (HEAD_DEVIATION * height) ** 2 + spread
        squared = ((pairs.second - mapped) ** 2).sum(axis=1)
        # Two different people: anywhere in the part of the view where people are.
        log_background = -np.log(self.area)
        log_inlier = -squared / (2 * variance) - np.log(2 * np.pi * variance)
        log_same = np.logaddexp(np.log(1 - OUTLIER_SHARE) + log_inlier, np.log(OUTLIER_SHARE) + log_background)
        ratio = np.where(np.isfinite(log_same), log_same - log_background, np.log(OUTLIER_SHARE))
        speaking_for = pairs.sums_over_places(np.clip(ratio, 0, None))
        against = pairs.sums_over_seconds(ratio)
        agreeing = pairs.means(ratio > 0)
        # A companion's offset stays the same from place to place: only its mean tells the two apart.
        offset = (pairs.second - mapped) / height[:, None]
        squared_offset = pairs.medians(offset[:, 0]) ** 2 + pairs.medians(offset[:, 1]) ** 2
        own = HEAD_DEVIATION**2 + pairs.medians(spread / height**2)
        beside = own + COMPANION_DEVIATION**2
        companion = np.log(beside / own / COMPANION_SHARE) - squared_offset * (0.5 / own - 0.5 / beside)
        enough = pairs.sizes / (pairs.sizes + FEW_INSTANTS)
        speaking_for = enough * np.minimum(speaking_for * agreeing**2, np.maximum(0.0, companion))
        return np.clip(speaking_for + against, -30.0, 30.0)


def fit_mapping(
    pairs: list[CoVisible], weights: list[float], area: float, *, iterations: int = 20
) -> ViewMapping | None:
    """Fit a homography to the heads of pairs that are thought to be one person each.

    Args:
        pairs: what two tracklets of the two views have in common.
        weights: how far each pair is trusted, 0…1.
        area: pixels² of the second view in which people are seen.
        iterations: of the robust least-squares fit at most.

    Returns:
        the mapping, or ``None`` when the places are too few to say anything.
    """
    rows = [pair.distinct for pair in pairs]
    if sum(len(row) for row in rows) < 4:
        return None
    first = np.concatenate([pair.first[row] for pair, row in zip(pairs, rows)])
    second = np.concatenate([pair.second[row] for pair, row in zip(pairs, rows)])
    heights = np.concatenate([pair.heights[row] for pair, row in zip(pairs, rows)])
    trust = np.concatenate([np.full(len(row), weight) for weight, row in zip(weights, rows)])
    frames = []
    for points in (first, second):
        centre = points.mean(axis=0)
        scale = max(float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean() / 2)), float(heights.mean()) * 0.25)
        frames.append((scale, float(centre[0]), float(centre[1])))
    (scale1, x1, y1), (scale2, x2, y2) = frames
    source = (first - (x1, y1)) / scale1
    target = (second - (x2, y2)) / scale2
    deviation = HEAD_DEVIATION * heights[:, 1] / scale2
    parameters = _affine_start(source, target, trust)
    # Weak prior: an affine map that keeps the scale; perspective terms of the order that rooms show.
    prior = np.diag(1.0 / np.array([2.0, 2.0, 1.0, 2.0, 2.0, 1.0, 0.3, 0.3]) ** 2)
    information = prior
    # Gauss-Newton with the weights of a Cauchy loss (iteratively re-weighted least squares), damped.
    for _ in range(iterations):
        mapped, jacobian = _project(parameters, source)
        error = target - mapped
        length = (error**2).sum(axis=1) / deviation**2
        weight = trust / deviation**2 / (1.0 + length / 4.0)
        flat = jacobian.reshape(-1, 8)
        weighted = (jacobian * weight[:, None, None]).reshape(-1, 8)
        information = weighted.T @ flat + prior
        gradient = weighted.T @ error.ravel() - prior @ parameters
        step = np.linalg.solve(information + 1e-3 * np.diag(np.diag(information)), gradient)
        largest = float(np.abs(step).max())
        parameters = parameters + step * min(1.0, 0.5 / max(largest, 1e-12))
        if largest < 1e-5:
            break
    covariance = np.asarray(np.linalg.inv(information), np.float64)
    return ViewMapping(parameters, covariance, frames[0], frames[1], area)


def _affine_start(
    source: NDArray[np.float64], target: NDArray[np.float64], trust: NDArray[np.float64]
) -> NDArray[np.float64]:
    design = np.concatenate([source, np.ones((len(source), 1))], axis=1) * np.sqrt(trust)[:, None]
    ridge = np.diag([0.05, 0.05, 1e-6])
    solution = np.linalg.solve(design.T @ design + ridge, design.T @ (target * np.sqrt(trust)[:, None]))
    return np.concatenate([solution[:, 0], solution[:, 1], [0.0, 0.0]])


def _project(
    parameters: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apply the homography to points (N, 2); return positions (N, 2) and derivative by the parameters (N, 2, 8)."""
    a, b, c, d, e, f, g, h = parameters
    x, y = points[:, 0], points[:, 1]
    depth = g * x + h * y + 1.0
    depth = np.where(np.abs(depth) < 0.05, 0.05 * np.where(depth < 0, -1.0, 1.0), depth)
    u, v = (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
    mapped = np.stack([u, v], axis=1)
    zero, one = np.zeros_like(x), np.ones_like(x)
    du = np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=1) / depth[:, None]
    dv = np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=1) / depth[:, None]
    return mapped, np.stack([du, dv], axis=1)
