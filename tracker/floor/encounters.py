"""Who is who after two people came close: both ways of going on, each with the boxes that suit it best.

While two people stand together their boxes are mixed up, and one wrong box is enough to turn their velocities towards
each other; what follows then looks like the right continuation. Here the time of an encounter is cut out and gone
through anew in both ways, from states that were sure before it to states that were sure after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.floor.agreement import log_agreement
from tracker.floor.association import Expected, Together, associate, fit_together
from tracker.floor.chains import Chain, Look
from tracker.floor.detector_model import DetectorModel
from tracker.floor.likelihood import inverses
from tracker.floor.movement import movement
from tracker.floor.posture import sitting_later, usual_odds
from tracker.floor.settings import FloorSettings
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["Encounters"]

Array = NDArray[np.float64]
#: of a state before anything is known: information (5, 5), (5,)
Born = Callable[[Array], tuple[Array, Array]]

#: metres below which two people may be taken for each other, and seconds around it that are gone through anew
_NEAR, _AROUND = 0.7, 0.75
#: nats by which the other way must be better
_BETTER = 0.5
#: how much a miss says
_MISS = 0.4


@dataclass(slots=True, eq=False)
class _Known:
    """What is known of one trajectory at each of its instants, the first at ``start``.

    Args:
        start: number of an instant.
        matrix, vector: (L, 5, 5), (L, 5) information of the boxes up to and with each instant.
        odds: (L,) log odds of sitting.
        later, later_vector: (L, 5, 5), (L, 5) of the boxes after it.
    """

    start: int
    matrix: Array
    vector: Array
    odds: Array
    later: Array
    later_vector: Array

    def places(self) -> Array:
        """Return (L, 2) where the person was, with what came before and after; metres."""
        return np.asarray(
            np.linalg.solve(self.matrix + self.later, (self.vector + self.later_vector)[..., None])[:, :2, 0], np.float64
        )


@dataclass(slots=True, eq=False)
class _Way:
    """One way of going on: how well it fits, and what each instant's boxes then are."""

    score: float
    rows: list[dict[str, NDArray[np.int64]]]
    said: list[Together]


class Encounters:
    """Goes through the encounters of a run.

    Args:
        cameras: by name.
        looks: the run.
        settings, detectors: of the tracker.
        born: what is known of somebody new about a place.
    """

    def __init__(
        self,
        cameras: Mapping[str, FloorCamera],
        looks: Sequence[Look],
        settings: FloorSettings,
        detectors: DetectorModel,
        born: Born,
    ) -> None:
        self._cameras, self._looks = cameras, looks
        self._settings, self._detectors = settings, detectors
        self._born = born
        times = np.array([look.time for look in looks])
        self._times = times
        self._steps = np.diff(times, prepend=times[:1])

    def settle(self, chains: Sequence[Chain]) -> int:
        """Let those change places for whom that fits better; return how often it did.

        Args:
            chains: the trajectories, changed in place.
        """
        known = [self._known(chain) for chain in chains]
        whose = list(range(len(chains)))
        changes = 0
        for _, number, one, other in self._nearest(chains, known):
            first, second = whose[one], whose[other]
            if not self._change(chains, known, first, second, number):
                continue
            changes += 1
            whose[one], whose[other] = second, first
            for index in (first, second):
                known[index] = self._known(chains[index])
        return changes

    def _nearest(self, chains: Sequence[Chain], known: Sequence[_Known]) -> list[tuple[float, int, int, int]]:
        """Return time, instant and pair of every encounter, in order: where two are nearer than before and after."""
        places = [one.places() for one in known]
        found = []
        for one, other in zip(*np.triu_indices(len(chains), 1)):
            low = max(chains[one].start, chains[other].start)
            high = min(chains[one].end, chains[other].end)
            if high - low < 2:
                continue
            first = places[one][low - chains[one].start : high + 1 - chains[one].start]
            second = places[other][low - chains[other].start : high + 1 - chains[other].start]
            gap = np.hypot(*(first - second).T)
            free = gap < _NEAR
            while free.any():
                index = int(np.where(free, gap, np.inf).argmin())
                time = float(self._times[low + index])
                free &= np.abs(self._times[low : high + 1] - time) > _AROUND
                found.append((time, low + index, int(one), int(other)))
        return sorted(found)

    def _change(
        self, chains: Sequence[Chain], known: Sequence[_Known], first: int, second: int, number: int
    ) -> bool:
        """Let two change places about an instant, if that fits better."""
        pair = (first, second)
        begin = max(chains[index].start for index in pair) + 1
        end = min(chains[index].end for index in pair) - 1
        window = np.flatnonzero(np.abs(self._times - self._times[number]) <= _AROUND)
        window = window[(window >= begin) & (window <= end)]
        if not len(window):
            return False
        numbers = window.tolist()
        as_it_was, changed = (self._way(chains, known, pair, tails, numbers) for tails in (pair, pair[::-1]))
        if changed.score - as_it_was.score <= _BETTER:
            return False
        self._go(chains, pair, numbers, changed)
        return True

    def _way(
        self,
        chains: Sequence[Chain],
        known: Sequence[_Known],
        heads: tuple[int, int],
        tails: tuple[int, int],
        numbers: Sequence[int],
    ) -> _Way:
        """Return how two go from before ``numbers`` as ``heads`` to after it as ``tails``."""
        s, last = self._settings, numbers[-1]
        before = [numbers[0] - 1 - known[index].start for index in heads]
        matrix = np.stack([known[index].matrix[place] for index, place in zip(heads, before)])
        vector = np.stack([known[index].vector[place] for index, place in zip(heads, before)])
        odds = np.array([known[index].odds[place] for index, place in zip(heads, before)])
        after = [last - known[index].start for index in tails]
        later = np.stack([known[index].later[place] for index, place in zip(tails, after)])
        later_vector = np.stack([known[index].later_vector[place] for index, place in zip(tails, after)])
        messages = [(later, later_vector)]
        for number in numbers[:0:-1]:
            later, later_vector = self._earlier(later, later_vector, number)
            messages.append((later, later_vector))
        way = _Way(0.0, [], [])
        for number, (later, later_vector) in zip(numbers, reversed(messages)):
            matrix, vector, odds = self._predicted(matrix, vector, odds, number)
            boxes, rows_of = self._free_boxes(chains, heads, number)
            weight, sure, senior = np.zeros(2), np.ones(2, bool), np.arange(2)
            people = Expected(matrix + later, vector + later_vector, odds, weight, sure, senior)
            alike = {name: np.zeros((2, len(found))) for name, found in boxes.items()}
            missed = {name: np.full(2, _MISS) for name in boxes}
            found = associate(self._cameras, boxes, people, alike, missed, s, self._detectors)
            # How well it fits is asked of what was known before, or the future would count twice.
            people = Expected(matrix, vector, odds, weight, sure, senior)
            said = fit_together(self._cameras, boxes, people, found.boxes, s, self._detectors)
            way.score += float(said.score.sum())
            way.said.append(said)
            way.rows.append(
                {name: np.where(rows >= 0, np.append(rows_of[name], -1)[rows], -1) for name, rows in found.boxes.items()}
            )
            matrix, vector, odds = matrix + said.said, vector + said.said_vector, odds + said.sits
        way.score += float(log_agreement(matrix, vector, *messages[0]).sum())
        return way

    def _free_boxes(
        self, chains: Sequence[Chain], pair: tuple[int, int], number: int
    ) -> tuple[dict[str, object], dict[str, NDArray[np.int64]]]:
        """Return the boxes of an instant that nobody but a pair has, and their rows."""
        look = self._looks[number]
        taken: dict[str, set[int]] = {name: set() for name in look.boxes}
        for index, chain in enumerate(chains):
            if index not in pair:
                for name, row in chain.rows.get(number, {}).items():
                    taken[name].add(row)
        rows = {
            name: np.array([row for row in range(len(found)) if row not in taken[name]], np.int64)
            for name, found in look.boxes.items()
        }
        return {name: look.boxes[name][kept] for name, kept in rows.items()}, rows

    @staticmethod
    def _go(chains: Sequence[Chain], pair: tuple[int, int], numbers: Sequence[int], way: _Way) -> None:
        """Let two chains change places after ``numbers``, with the boxes of ``way`` during it."""
        first, second = (chains[index] for index in pair)
        last = numbers[-1]
        for name in ("said", "vector", "rows", "sits"):
            one, other = getattr(first, name), getattr(second, name)
            one_later = {number: one.pop(number) for number in list(one) if number >= numbers[0]}
            other_later = {number: other.pop(number) for number in list(other) if number >= numbers[0]}
            one.update({number: value for number, value in other_later.items() if number > last})
            other.update({number: value for number, value in one_later.items() if number > last})
        first.end, second.end = second.end, first.end
        for number, rows, said in zip(numbers, way.rows, way.said):
            for place, chain in enumerate((first, second)):
                own = {name: int(one[place]) for name, one in rows.items() if one[place] >= 0}
                if own:
                    chain.rows[number], chain.sits[number] = own, float(said.sits[place])
                    chain.said[number], chain.vector[number] = said.said[place], said.said_vector[place]

    def _known(self, chain: Chain) -> _Known:
        count = chain.end - chain.start + 1
        matrix, vector = self._born(chain.place)
        odds = np.array([usual_odds(self._settings)])
        filtered = np.zeros((count, 5, 5)), np.zeros((count, 5)), np.zeros(count)
        for place, number in enumerate(range(chain.start, chain.end + 1)):
            if place:
                one = self._predicted(matrix[None], vector[None], odds, number)
                matrix, vector, odds = one[0][0], one[1][0], one[2]
            if number in chain.said:
                matrix, vector = matrix + chain.said[number], vector + chain.vector[number]
                odds = odds + chain.sits.get(number, 0.0)
            for part, value in zip(filtered, (matrix, vector, odds[0])):
                part[place] = value
        later, later_vector = np.zeros((count, 5, 5)), np.zeros((count, 5))
        for place in range(count - 1, 0, -1):
            number = chain.start + place
            matrix, vector = later[place], later_vector[place]
            if number in chain.said:
                matrix, vector = matrix + chain.said[number], vector + chain.vector[number]
            earlier = self._earlier(matrix[None], vector[None], number)
            later[place - 1], later_vector[place - 1] = earlier[0][0], earlier[1][0]
        return _Known(chain.start, *filtered, later, later_vector)

    def _predicted(self, matrix: Array, vector: Array, odds: Array, number: int) -> tuple[Array, Array, Array]:
        """Return what is known at an instant of what was known at the one before: (N, 5, 5), (N, 5), (N,)."""
        step = float(self._steps[number])
        if step <= 0:
            return matrix, vector, odds
        move, noise = movement(step, self._settings)
        cov = inverses(matrix)
        mean = np.einsum("nij,nj->ni", cov, vector) @ move.T
        later = inverses(move @ cov @ move.T + noise)
        return later, np.einsum("nij,nj->ni", later, mean), sitting_later(odds, step, self._settings)

    def _earlier(self, matrix: Array, vector: Array, number: int) -> tuple[Array, Array]:
        """Return what information about an instant says of the one before."""
        step = float(self._steps[number])
        if step <= 0:
            return matrix, vector
        move, noise = movement(step, self._settings)
        gain = matrix @ np.linalg.inv(matrix + np.linalg.inv(noise + 1e-12 * np.eye(5)))
        rest = np.eye(5) - gain
        vector = np.einsum("ij,nj->ni", move.T, np.einsum("nij,nj->ni", rest, vector))
        matrix = move.T @ (rest @ matrix) @ move
        return (matrix + np.swapaxes(matrix, 1, 2)) / 2, vector
