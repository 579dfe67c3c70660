"""A bounded summary of how one person looked over a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["AppearanceSummary", "cosine_distances", "normalised"]


def normalised(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return vectors (…, D) scaled to length 1 along the last axis; float32. A zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)


def cosine_distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 − cosine (N, M) of L2-normalised vectors (N, D) and (M, D)."""
    return (1.0 - first @ second.T).astype(np.float32)


class AppearanceSummary:
    """The weighted mean of all good crops, and up to ``capacity`` of them spread evenly over time.

    Memory does not grow: when the prototypes are full, every second one is dropped and from then on only every
    second, fourth, … crop is kept. The same crops in the same order give the same summary.

    Args:
        capacity: number of prototypes kept (even).
    """

    __slots__ = (
        "_halves", "_mean", "_mean_sum", "_prototypes", "_stride", "_times", "_until_next", "capacity", "count",
        "weight",
    )  # fmt: skip

    def __init__(self, capacity: int = 12) -> None:
        if capacity < 2 or capacity % 2:
            raise ValueError(f"capacity is {capacity}; give an even number from 2")
        self.capacity = capacity
        self.count = 0
        self.weight = 0.0
        self._mean_sum: NDArray[np.float64] | None = None
        self._prototypes: list[NDArray[np.float32]] = []
        self._times: list[float] = []
        self._stride = 1
        self._until_next = 0
        # Asked for at every settlement, and of most tracklets nothing changes in between.
        self._mean: NDArray[np.float32] | None = None
        self._halves: tuple[float | None] | None = None

    def add(self, feature: NDArray[np.float32], time: float, weight: float = 1.0) -> None:
        """Add the L2-normalised vector (D,) of one crop seen at ``time`` seconds, trusted by ``weight`` > 0."""
        self._mean = self._halves = None
        contribution = feature.astype(np.float64) * weight
        self._mean_sum = contribution if self._mean_sum is None else self._mean_sum + contribution
        self.weight += weight
        self.count += 1
        if self._until_next == 0:
            if len(self._prototypes) == self.capacity:
                self._prototypes = self._prototypes[::2]
                self._times = self._times[::2]
                self._stride *= 2
            self._prototypes.append(feature.astype(np.float32))
            self._times.append(time)
            self._until_next = self._stride
        self._until_next -= 1

    def absorb(self, other: AppearanceSummary) -> None:
        """Add all that ``other`` knows; its prototypes count as crops of this summary."""
        if other._mean_sum is None:
            return
        self._mean = self._halves = None
        self._mean_sum = other._mean_sum.copy() if self._mean_sum is None else self._mean_sum + other._mean_sum
        self.weight += other.weight
        self.count += other.count
        merged = sorted(zip(self._times + other._times, self._prototypes + other._prototypes), key=lambda pair: pair[0])
        while len(merged) > self.capacity:
            merged = merged[::2]
        self._times = [time for time, _ in merged]
        self._prototypes = [prototype for _, prototype in merged]

    def copy(self) -> AppearanceSummary:
        """Return a summary that knows the same, and to which crops can be added without changing this one."""
        both = AppearanceSummary(self.capacity)
        both.absorb(self)
        return both

    @classmethod
    def restored(
        cls,
        total: NDArray[np.floating],
        weight: float,
        count: int,
        prototypes: NDArray[np.floating],
        time: float | Sequence[float],
        capacity: int = 12,
    ) -> AppearanceSummary:
        """Return the summary that had these parts.

        Args:
            total: (D,) as ``total`` gave it.
            weight: sum of the crops' weights.
            count: crops.
            prototypes: (K, D) L2-normalised, oldest first, K at most the capacity.
            time: seconds, one for all prototypes or one each, ascending.
            capacity: number of prototypes kept.
        """
        summary = cls(capacity)
        summary._mean_sum = np.asarray(total, np.float64)
        summary.weight, summary.count = weight, count
        summary._prototypes = list(normalised(np.asarray(prototypes, np.float32)))[:capacity]
        kept = len(summary._prototypes)
        summary._times = [float(time)] * kept if isinstance(time, (int, float)) else [float(one) for one in time][:kept]
        return summary

    @classmethod
    def pooled(cls, parts: Sequence[AppearanceSummary]) -> AppearanceSummary:
        """Return what several summaries know together, less their prototypes: mean, weight and number of crops."""
        summary = cls()
        for part in parts:
            if part._mean_sum is not None:
                summary._mean_sum = part._mean_sum if summary._mean_sum is None else summary._mean_sum + part._mean_sum
                summary.weight += part.weight
                summary.count += part.count
        return summary

    def parted(self, start: float, end: float) -> tuple[AppearanceSummary, AppearanceSummary]:
        """Return what was seen in start ≤ time ≤ end (seconds), and the rest, as far as the prototypes tell them apart.

        The weight is shared out by the number of prototypes, and each part rests on its own.
        """
        parts = (AppearanceSummary(self.capacity), AppearanceSummary(self.capacity))
        inside = (self.times >= start) & (self.times <= end)
        if self._mean_sum is None or not inside.any():
            parts[1].absorb(self)
        elif inside.all():
            parts[0].absorb(self)
        else:
            for part, chosen in zip(parts, (inside, ~inside)):
                kept, share = self.prototypes[chosen], float(chosen.mean())
                part._mean_sum = kept.astype(np.float64).mean(axis=0) * (self.weight * share)
                part.weight, part.count = self.weight * share, max(1, round(self.count * share))
                part._prototypes, part._times = list(kept), self.times[chosen].tolist()
        return parts

    @property
    def total(self) -> NDArray[np.float64] | None:
        """The weighted sum (D,) of all crops; ``None`` before the first."""
        return None if self._mean_sum is None else self._mean_sum.copy()

    @property
    def mean(self) -> NDArray[np.float32] | None:
        """The L2-normalised weighted mean (D,) of all crops, not to be written to; ``None`` before the first."""
        if self._mean is None and self._mean_sum is not None:
            self._mean = normalised(self._mean_sum)
        return self._mean

    @property
    def prototypes(self) -> NDArray[np.float32]:
        """The kept crops' vectors (K, D), oldest first; (0, 0) before the first."""
        return np.stack(self._prototypes) if self._prototypes else np.zeros((0, 0), np.float32)

    @property
    def times(self) -> NDArray[np.float64]:
        """When the kept crops were seen (K,), seconds, ascending."""
        return np.array(self._times, np.float64)

    def halves_distance(self, bias: NDArray[np.float32] | None = None) -> float | None:
        """Return the cosine distance between the mean of the earlier and of the later prototypes.

        Both halves show the same person, so this is what "the same" looks like on this video. ``None`` with fewer
        than four prototypes.

        Args:
            bias: (D,) taken off both means first.
        """
        if bias is None:
            if self._halves is None:
                self._halves = (self._halves_apart(None),)
            return self._halves[0]
        return self._halves_apart(bias)

    def _halves_apart(self, bias: NDArray[np.float32] | None) -> float | None:
        if len(self._prototypes) < 4:
            return None
        half = len(self._prototypes) // 2
        none = np.float32(0.0) if bias is None else bias
        early = normalised(normalised(np.mean(self._prototypes[:half], axis=0)) - none)
        late = normalised(normalised(np.mean(self._prototypes[half:], axis=0)) - none)
        return float(1.0 - early @ late)
