"""How the people of trajectories look, when a run is looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.floor.chains import Chain
from tracker.floor.crop_vectors import CropVectors
from tracker.floor.settings import FloorSettings

__all__ = ["ChainLooks", "LooksOfSweep"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: crops at which an average says half of what it would with many
_HALF_TRUST = 3.0
#: averages lie nearer than crops, and clothes do not change within seconds: share of the distance at which a crop is
#: undecided from which on averages speak against one person
_AVERAGES = 0.5
#: nats that two averages may say for one person, and against
_MOST_FOR, _MOST_AGAINST = 4.0, 8.0
#: instants before and after an encounter whose crops are compared
_AROUND = 40
#: instants before and after any moment of a trajectory that are, and nats against one person from which on it is two
_WINDOW, _CHANGED = 100, -6.0


class ChainLooks:
    """Sums of vectors, and what they say. A crop that was not embedded says nothing.

    Args:
        vectors: of the run.
        settings: of the tracker.
    """

    def __init__(self, vectors: CropVectors, settings: FloorSettings) -> None:
        self._vectors, self._settings = vectors, settings
        self._at: tuple[int, dict[str, NDArray[np.float32] | None]] = (-1, {})

    def at(self, number: int, rows_of: Sequence[Mapping[str, int]]) -> tuple[Array, Array]:
        """Return the sums (K, D) of the vectors that K people have at an instant, and of how many crops, (K,).

        Args:
            number: of the instant.
            rows_of: of each of them, camera → row of its boxes.
        """
        sums: list[Array | float] = [0.0] * len(rows_of)
        counts, width = np.zeros(len(rows_of)), 0
        for index, rows in enumerate(rows_of):
            for name, row in rows.items():
                vectors = self._of_camera(number, name)
                if vectors is not None and np.isfinite(vectors[row, :1]).all():
                    sums[index] = sums[index] + vectors[row].astype(np.float64)
                    counts[index] += 1
                    width = vectors.shape[1]
        result = np.zeros((len(rows_of), width))
        for index in np.flatnonzero(counts).tolist():
            result[index] = sums[index]
        return result, counts

    def of(self, chains: Sequence[Chain]) -> tuple[Array, Array]:
        """Return the sums (T, D) of all vectors of trajectories, and of how many crops, (T,)."""
        by_instant: dict[int, list[int]] = {}
        for index, chain in enumerate(chains):
            for number in chain.rows:
                by_instant.setdefault(number, []).append(index)
        sums, counts = np.zeros((len(chains), 0)), np.zeros(len(chains))
        for number in sorted(by_instant):
            here = np.array(by_instant[number])
            added, more = self.at(number, [chains[index].rows[number] for index in here.tolist()])
            sums = widened(sums, added.shape[1])
            sums[here, : added.shape[1]] += added
            counts[here] += more
        return sums, counts

    def before(self, chain: Chain, number: int) -> tuple[Array, Array]:
        """Return sum (1, D) and number (1,) of a trajectory's last crops before an instant."""
        return self._over(chain, sorted(one for one in chain.rows if one < number)[-_AROUND:])

    def after(self, chain: Chain, number: int) -> tuple[Array, Array]:
        """Return sum (1, D) and number (1,) of a trajectory's first crops after an instant."""
        return self._over(chain, sorted(one for one in chain.rows if one > number)[:_AROUND])

    def changes(self, chain: Chain) -> list[int]:
        """Return the instants, in order, from which on a trajectory looks like somebody else."""
        numbers = sorted(chain.rows)
        parts = [self.at(number, [chain.rows[number]]) for number in numbers]
        width = max((sums.shape[1] for sums, _ in parts), default=0)
        sums, counts = np.zeros((len(parts) + 1, width)), np.zeros(len(parts) + 1)
        for place, (part, count) in enumerate(parts):
            sums[place + 1, : part.shape[1]], counts[place + 1] = part[0], count[0]
        sums, counts = sums.cumsum(axis=0), counts.cumsum()

        def within(first: int, last: int) -> list[int]:
            best, cut = _CHANGED, -1
            for place in range(first + 1, last):
                low, high = max(first, place - _WINDOW), min(last, place + _WINDOW)
                past, future = slice(place, place + 1), slice(high, high + 1)
                # Without a limit: it is the moment that counts, not how sure it is that there is one.
                said = self.agree(
                    sums[past] - sums[low], counts[past] - counts[low], sums[future] - sums[place],
                    counts[future] - counts[place], np.inf,
                )[0, 0]  # fmt: skip
                if said < best:
                    best, cut = float(said), place
            return [] if cut < 0 else [*within(first, cut), cut, *within(cut, last)]

        return [numbers[place] for place in within(0, len(numbers))]

    def agree(
        self, sums: Array, counts: Array, others: Array, other_counts: Array, most_against: float = _MOST_AGAINST
    ) -> Array:
        """Return (N, K) nats by which the averages of N sums (N, D) and K others (K, D) speak for one person."""
        trust = np.outer(*(one / (one + _HALF_TRUST) for one in (counts, other_counts)))
        said = np.clip(self._likeness(sums, others, _AVERAGES), -most_against, _MOST_FOR)
        return np.asarray(np.sqrt(trust) * said, np.float64)

    def of_boxes(self, sums: Array, number: int, camera: str, count: int) -> Array:
        """Return (N, M) nats by which each crop of a camera's ``count`` boxes speaks for each of N people."""
        vectors = self._of_camera(number, camera)
        if vectors is None or not vectors.size:
            return np.zeros((len(sums), count))
        most = self._settings.most_appearance
        return np.clip(self._likeness(sums, vectors.astype(np.float64)), -most, most)

    def _likeness(self, sums: Array, others: Array, share: float = 1.0) -> Array:
        """Return (N, K) nats: 0 at ``share`` of the distance at which a crop says nothing, or where none is known."""
        if not sums.shape[1] or not others.shape[1]:
            return np.zeros((len(sums), len(others)))
        s = self._settings
        with np.errstate(invalid="ignore", divide="ignore"):
            one, other = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (sums, others))
        return np.nan_to_num(s.likeness * (1 - (1 - one @ other.T) / (share * s.alike)))

    def _over(self, chain: Chain, numbers: Iterable[int]) -> tuple[Array, Array]:
        parts = [self.at(number, [chain.rows[number]]) for number in numbers]
        width = max((sums.shape[1] for sums, _ in parts), default=0)
        total, count = np.zeros((1, width)), np.zeros(1)
        for sums, counts in parts:
            total[:, : sums.shape[1]] += sums
            count += counts
        return total, count

    def _of_camera(self, number: int, name: str) -> NDArray[np.float32] | None:
        if self._at[0] != number:
            self._at = (number, {})
        if name not in self._at[1]:
            self._at[1][name] = self._vectors.at(number, name)
        return self._at[1][name]


class LooksOfSweep:
    """What the past of people and the future of trajectories look like, while a run is swept from its beginning.

    Args:
        looks: of the run.
        tails: the trajectories as they were before.
    """

    def __init__(self, looks: ChainLooks, tails: Sequence[Chain]) -> None:
        self._looks, self._tails = looks, tails
        self._left, self._left_counts = looks.of(tails)
        self._seen, self._seen_counts = np.zeros((0, self._left.shape[1])), np.zeros(0)

    def agree(self, heads: Ints, tails: Ints) -> Array:
        """Return (N, K) nats by which the past of N people and the rest of K trajectories look like one person."""
        seen, left = (self._seen[heads], self._seen_counts[heads]), (self._left[tails], self._left_counts[tails])
        return self._looks.agree(*seen, *left)

    def of_boxes(self, number: int, tails: Ints, heads: Ints, boxes: Mapping[str, int]) -> dict[str, Array]:
        """Return camera → (K, M) nats by which crops of an instant speak for people; instants come in order.

        Args:
            number: of the instant.
            tails, heads: (K,) the trajectory of each person, and what they are so far.
            boxes: camera → M.
        """
        self._grow(heads)
        gone, counts = self._looks.at(number, [self._tails[tail].rows.get(number, {}) for tail in tails.tolist()])
        self._left[tails, : gone.shape[1]] -= gone
        self._left_counts[tails] -= counts
        # What is left by rounding looks like nobody.
        self._left[tails[self._left_counts[tails] <= 0]] = 0.0
        sums = self._seen[heads] + self._left[tails]
        return {name: self._looks.of_boxes(sums, number, name, count) for name, count in boxes.items()}

    def take(self, number: int, heads: Ints, rows_of: Sequence[Mapping[str, int]]) -> None:
        """Take the boxes that people have at an instant: camera → row."""
        self._grow(heads)
        sums, counts = self._looks.at(number, rows_of)
        width = min(sums.shape[1], self._seen.shape[1])
        self._seen[heads, :width] += sums[:, :width]
        self._seen_counts[heads] += counts * bool(width)

    def _grow(self, heads: Ints) -> None:
        new = int(heads.max(initial=-1)) + 1 - len(self._seen)
        if new > 0:
            self._seen = np.concatenate([self._seen, np.zeros((new, self._seen.shape[1]))])
            self._seen_counts = np.concatenate([self._seen_counts, np.zeros(new)])


def widened(sums: Array, width: int) -> Array:
    """Return sums (N, D) of nothing yet, D = 0, as (N, width)."""
    return sums if sums.shape[1] >= width else np.zeros((len(sums), width))
