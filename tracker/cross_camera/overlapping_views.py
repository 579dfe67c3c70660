"""Learn the mappings between all pairs of views, and what they say about pairs of tracklets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.tracklets import Tracklet
from tracker.cross_camera.view_geometry import (
    HEAD_DEVIATION,
    MOST_EVIDENCE,
    CoVisible,
    CoVisiblePairs,
    ViewMapping,
    co_visible,
    fit_mapping,
)

__all__ = ["PATIENCE", "OverlappingViews"]

#: evidence (nats) that stands for "not embedded" while a mapping is sought: such pairs do not start the search
UNKNOWN = -3.0
#: candidate pairs that start the search for a mapping, the most alike first
MAXIMUM_SEEDS = 24
#: new places a mapping must rest on before it is believed
MINIMUM_PLACES = 8
#: evidence (nats), looks included, from which a pair agrees with a mapping
MINIMUM_AGREEMENT = 2.0
#: evidence (nats) of all its pairs together that a mapping needs
MINIMUM_SUPPORT = 4.0
#: where no mapping was found one is sought again with so many times the pairs, or after so many settlements
MORE_PAIRS, PATIENCE = 1.25, 6


class OverlappingViews:
    """Geometry between views, learnt from tracklets that look alike.

    Args:
        certain: appearance evidence (nats) from which a pair may start the search, if neither tracklet is more like
            anybody else at that time.
        patience: settlements after which a mapping is sought again where none was found.
    """

    def __init__(self, *, certain: float = -2.5, patience: int = PATIENCE) -> None:
        self.certain = certain
        self.patience = patience
        #: (camera, camera) → the mapping that all pairs together support
        self.mappings: dict[tuple[int, int], ViewMapping] = {}
        # What tracklets that are over have in common does not change any more: by their keys, of those remembered.
        self._closed_pairs: dict[tuple[int, int], CoVisible | None] = {}
        # (camera, camera) → how many pairs there were when a search found nothing, and settlements since then
        self._in_vain: dict[tuple[int, int], tuple[int, int]] = {}

    def evidence(
        self, tracklets: Sequence[Tracklet], appearance: NDArray[np.float32], *, thorough: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return evidence (N, N) in nats from geometry, and where there is any (N, N).

        Args:
            tracklets: N tracklets of any cameras.
            appearance: (N, N) evidence from appearance, in nats; NaN where unknown.
            thorough: search anew for a mapping also where the one known from before still holds.
        """
        count = len(tracklets)
        total = np.zeros((count, count), np.float32)
        known = np.zeros((count, count), bool)
        by_camera: dict[int, list[int]] = {}
        for row, tracklet in enumerate(tracklets):
            by_camera.setdefault(tracklet.camera, []).append(row)
        before, self.mappings = self.mappings, {}
        closed_pairs, self._closed_pairs = self._closed_pairs, {}
        starts, ends = np.array([one.start for one in tracklets]), np.array([one.end for one in tracklets])
        for first_camera, second_camera in combinations(sorted(by_camera), 2):
            seen: dict[tuple[int, int], CoVisible] = {}
            rows, columns = np.array(by_camera[first_camera]), np.array(by_camera[second_camera])
            together = (starts[rows, None] <= ends[columns]) & (starts[columns] <= ends[rows, None])
            for row, column in zip(*(part.tolist() for part in np.nonzero(together))):
                first, second = int(rows[row]), int(columns[column])
                pair = self._in_common(tracklets[first], tracklets[second], closed_pairs)
                if pair is not None:
                    seen[first, second] = pair
            if not seen:
                continue
            cameras = (first_camera, second_camera)
            known_before = None if thorough else before.get(cameras)
            if not thorough and known_before is None and self._hopeless(cameras, len(seen)):
                continue
            for (first, second), value in self._between(seen, appearance, cameras, known_before).items():
                total[first, second] = total[second, first] = value
                known[first, second] = known[second, first] = True
        return total, known

    def _hopeless(self, cameras: tuple[int, int], pairs: int) -> bool:
        """Whether a search among so many pairs would only repeat one that has found nothing.

        Most views do not overlap, and to find that out anew at every settlement would take more time than all else.
        """
        if cameras not in self._in_vain:
            return False
        then, settlements = self._in_vain[cameras]
        self._in_vain[cameras] = (then, settlements + 1)
        return pairs < MORE_PAIRS * then and settlements + 1 < self.patience

    def _in_common(
        self, first: Tracklet, second: Tracklet, known: dict[tuple[int, int], CoVisible | None]
    ) -> CoVisible | None:
        """Return ``co_visible`` of two tracklets; of two that are over from the settlement before, if it is known."""
        if not (first.closed and second.closed):
            return co_visible(first, second)
        key = (first.key, second.key)
        pair = known[key] if key in known else co_visible(first, second)
        self._closed_pairs[key] = pair
        return pair

    def _between(
        self,
        seen: dict[tuple[int, int], CoVisible],
        appearance: NDArray[np.float32],
        cameras: tuple[int, int],
        before: ViewMapping | None,
    ) -> dict[tuple[int, int], float]:
        alike = {key: float(np.nan_to_num(appearance[key], nan=UNKNOWN)) for key in seen}
        sharing: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for key in seen:
            for place in (0, 1):
                sharing.setdefault((place, key[place]), []).append(key)
        seeds = [key for key in seen if alike[key] >= self.certain and _best_of_its_time(key, seen, alike, sharing)]
        seeds = sorted(seeds, key=lambda key: (-alike[key], key))[:MAXIMUM_SEEDS]
        if not seeds:
            return {}
        area = _area(seen)
        candidates = _Candidates(seen, alike, seeds)
        best = None
        if before is not None:
            best = self._consensus(candidates, area, [candidates.agreeing(before)])
        if best is None:
            pairs = [list(both) for both in combinations(seeds[:6], 2)]
            best = self._consensus(candidates, area, [[seed] for seed in seeds] + pairs + [seeds])
        if best is None:
            self._in_vain[cameras] = (len(seen), 0)
            return {}
        self._in_vain.pop(cameras, None)
        used, mapping = best
        self.mappings[cameras] = mapping
        values: dict[tuple[int, int], float] = {}
        judged_apart = set(used)
        for key in used:
            # A pair must not vouch for itself: judged by what the others say.
            others = [other for other in used if other != key]
            judge = _fit(seen, others, alike, area) if _places(seen, others) >= MINIMUM_PLACES else None
            if judge is not None:
                values[key] = float(judge.evidence(CoVisiblePairs([seen[key]]))[0])
        return values | _judged(mapping, seen, [key for key in seen if key not in judged_apart])

    def _consensus(
        self, candidates: _Candidates, area: float, trials: list[list[tuple[int, int]]]
    ) -> tuple[list[tuple[int, int]], ViewMapping] | None:
        """Return the largest set of pairs that agree with one mapping, and the mapping."""
        seen, alike = candidates.seen, candidates.alike
        best: tuple[float, list[tuple[int, int]], ViewMapping] | None = None
        reached: set[tuple[tuple[int, int], ...]] = set()
        for trial in trials:
            members = trial
            mapping = _fit(seen, members, alike, area)
            for _ in range(6):
                if mapping is None:
                    break
                agreeing = candidates.agreeing(mapping)
                if agreeing == members:
                    break
                members = agreeing
                if tuple(members) in reached:
                    # An earlier trial came by here, and has gone where this one would go.
                    mapping = None
                    break
                reached.add(tuple(members))
                mapping = _fit(seen, members, alike, area)
            if mapping is None or not members:
                continue
            places = _places(seen, members)
            tracks = min(len({first for first, _ in members}), len({second for _, second in members}))
            if places < MINIMUM_PLACES or (tracks < 2 and places < 2 * MINIMUM_PLACES):
                continue
            said = candidates.evidence(mapping)
            support = sum(said[key] + alike[key] for key in members)
            # Pairs that look alike but disagree speak against the mapping.
            convincing = [key for key in candidates.seeds if alike[key] > 0 and key not in members]
            support += sum(min(0.0, said[key]) for key in convincing) / 2
            if best is None or support > best[0]:
                best = (support, members, mapping)
        if best is None or best[0] < MINIMUM_SUPPORT:
            return None
        return best[1], best[2]


class _Candidates:
    """The pairs of two views that geometry and appearance together might call one person, judged all at once.

    Args:
        seen: all pairs.
        alike: their evidence from appearance, in nats.
        seeds: those that start the search.
    """

    def __init__(
        self,
        seen: dict[tuple[int, int], CoVisible],
        alike: dict[tuple[int, int], float],
        seeds: list[tuple[int, int]],
    ) -> None:
        self.seen, self.alike, self.seeds = seen, alike, seeds
        started = set(seeds)
        self._keys = [key for key in seen if alike[key] + MOST_EVIDENCE >= MINIMUM_AGREEMENT or key in started]
        self._pairs = CoVisiblePairs([seen[key] for key in self._keys])
        self._last: tuple[ViewMapping, dict[tuple[int, int], float]] | None = None

    def evidence(self, mapping: ViewMapping) -> dict[tuple[int, int], float]:
        """Return what a mapping says of each of them, in nats."""
        if self._last is None or self._last[0] is not mapping:
            self._last = mapping, dict(zip(self._keys, mapping.evidence(self._pairs).tolist()))
        return self._last[1]

    def agreeing(self, mapping: ViewMapping) -> list[tuple[int, int]]:
        """Return pairs that geometry and appearance together call one person, at most one at a time for a tracklet."""
        scored = [(value + self.alike[key], key) for key, value in self.evidence(mapping).items()]
        members: list[tuple[int, int]] = []
        for score, key in sorted(scored, key=lambda item: (-item[0], item[1])):
            if score < MINIMUM_AGREEMENT:
                break
            clash = any(
                (key[0] == other[0] or key[1] == other[1]) and _simultaneous(self.seen[key], self.seen[other])
                for other in members
            )
            if not clash:
                members.append(key)
        return sorted(members)


def _judged(
    mapping: ViewMapping, seen: dict[tuple[int, int], CoVisible], keys: list[tuple[int, int]]
) -> dict[tuple[int, int], float]:
    """Return what a mapping says of the pairs ``keys``, in nats."""
    if not keys:
        return {}
    return dict(zip(keys, mapping.evidence(CoVisiblePairs([seen[key] for key in keys])).tolist()))


def _best_of_its_time(
    key: tuple[int, int],
    seen: dict[tuple[int, int], CoVisible],
    alike: dict[tuple[int, int], float],
    sharing: dict[tuple[int, int], list[tuple[int, int]]],
) -> bool:
    """Whether neither tracklet of the pair is more like anybody else in the other view at the same time.

    ``sharing`` has the pairs by one of their tracklets: 0 or 1 for the first or the second, and its row.
    """
    return not any(
        other != key and alike[other] > alike[key] and _simultaneous(seen[key], seen[other])
        for place in (0, 1)
        for other in sharing[place, key[place]]
    )


def _simultaneous(first: CoVisible, second: CoVisible) -> bool:
    return first.times[0] <= second.times[-1] and second.times[0] <= first.times[-1]


def _places(seen: dict[tuple[int, int], CoVisible], members: list[tuple[int, int]]) -> int:
    return sum(len(seen[key].distinct) for key in members)


def _fit(
    seen: dict[tuple[int, int], CoVisible],
    members: list[tuple[int, int]],
    alike: dict[tuple[int, int], float],
    area: float,
) -> ViewMapping | None:
    if not members:
        return None
    weights = [float(np.clip(0.5 + alike[key] / 8, 0.25, 1.0)) for key in members]
    return fit_mapping([seen[key] for key in members], weights, area)


def _area(seen: dict[tuple[int, int], CoVisible]) -> float:
    """Return the pixels² of the second view in which heads are seen, at least a few boxes' worth."""
    points = np.concatenate([pair.second for pair in seen.values()])
    heights = [pair.heights[:, 1] for pair in seen.values()]
    size = points.max(axis=0) - points.min(axis=0)
    height = float(np.median(np.concatenate(heights)))
    return float(np.prod(np.maximum(size, height))) + (10 * HEAD_DEVIATION * height) ** 2
