"""Who is who after two people came close: both ways of going on, each with the boxes that suit it best.

While two people stand together their boxes are mixed up, and one wrong box is enough to turn their velocities towards
each other; what follows then looks like the right continuation. Here the time of an encounter is cut out and gone
through anew in both ways, from states that were sure before it to states that were sure after it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.floor.agreement import log_agreement
from tracker.floor.association import Expected, Together, associate, fit_together
from tracker.floor.chain_looks import ChainLooks
from tracker.floor.chains import Chain, Look
from tracker.floor.detector_model import DetectorModel
from tracker.floor.likelihood import Boxes, inverses
from tracker.floor.movement import movement, said_before
from tracker.floor.posture import POSTURE_SIZE, posture_later, usual_posture
from tracker.floor.settings import FloorSettings
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["Encounters"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
#: of a state before anything is known: information (5, 5), (5,)
Born = Callable[[Array], tuple[Array, Array]]

#: metres below which two people may be taken for each other, and seconds around it that are gone through anew
_NEAR, _AROUND = 0.7, 0.75
#: nats by which the other way must be better (boxes are not as independent as the sum takes them to be: detectors are
#: wrong for seconds), and by which it may be worse at a glance
_BETTER, _HOPELESS = 8.0, -10.0
#: metres from two of them at which others have their boxes looked at too, and how many at most
_BESIDE, _MOST_BESIDE = 1.0, 4
#: how much a miss says
_MISS = 0.4


@dataclass(slots=True, eq=False)
class _Known:
    """What is known of one trajectory at each of its instants, the first at ``start``.

    Args:
        start: number of an instant.
        matrix, vector: (L, 5, 5), (L, 5) information of the boxes up to and with each instant.
        posture: (L, P).
        later, later_vector: (L, 5, 5), (L, 5) of the boxes after it.
        places: (L, 2) where the person was, with what came before and after; metres.
    """

    start: int
    matrix: Array
    vector: Array
    posture: Array
    later: Array
    later_vector: Array
    places: Array


@dataclass(slots=True, eq=False)
class _Way:
    """One way of going on: how well it fits, and what each instant's boxes then are."""

    score: float
    rows: list[dict[str, Ints]]
    said: list[Together]


class Encounters:
    """Goes through the encounters of a run.

    Args:
        cameras: by name.
        looks: the run.
        settings, detectors: of the tracker.
        born: what is known of somebody new about a place.
        chain_looks: how they look; ``None``: by motion alone.
    """

    def __init__(
        self,
        cameras: Mapping[str, FloorCamera],
        looks: Sequence[Look],
        settings: FloorSettings,
        detectors: DetectorModel,
        born: Born,
        chain_looks: ChainLooks | None = None,
    ) -> None:
        self._cameras, self._looks = cameras, looks
        self._settings, self._detectors = settings, detectors
        self._born, self._chain_looks = born, chain_looks
        times = np.array([look.time for look in looks])
        self._times = times
        self._steps = np.diff(times, prepend=times[:1])

    def settle(self, chains: Sequence[Chain], advance: Callable[[], None] | None = None) -> int:
        """Let those change places for whom that fits better; return how often it did.

        Args:
            chains: the trajectories, changed in place.
            advance: called once for every instant of the run.
        """
        known = [self._known(chain) for chain in chains]
        whose = list(range(len(chains)))
        changes, past = 0, 0
        for _, number, one, other in self._nearest(chains, known):
            while advance is not None and past < number:
                past += 1
                advance()
            first, second = whose[one], whose[other]
            group, changed = self._change(chains, known, first, second, number)
            if changed:
                changes += 1
                whose[one], whose[other] = second, first
            for index in group:
                known[index] = self._known(chains[index])
        while advance is not None and past < len(self._looks):
            past += 1
            advance()
        return changes

    def places(self, chain: Chain) -> Array:
        """Return (L, 2) where a trajectory was at each of its instants, metres."""
        return self._known(chain).places

    def _nearest(self, chains: Sequence[Chain], known: Sequence[_Known]) -> list[tuple[float, int, int, int]]:
        """Return time, instant and pair of every encounter, in order: where two are nearer than before and after."""
        places = [one.places for one in known]
        found = []
        for one, other in itertools.combinations(range(len(chains)), 2):
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
                found.append((time, low + index, one, other))
        return sorted(found)

    def _change(
        self, chains: Sequence[Chain], known: Sequence[_Known], first: int, second: int, number: int
    ) -> tuple[tuple[int, ...], bool]:
        """Let two change places about an instant, if that fits better."""
        numbers = self._window(known, (first, second), number)
        if not numbers:
            return (), False
        alike = self._looks_say(chains, (first, second), numbers)
        if self._at_a_glance(known, (first, second), numbers) + alike < _HOPELESS:
            return (), False
        group = self._group(known, (first, second), numbers)
        if not group:
            return (), False
        as_it_was = self._way(chains, known, group, group, numbers, anew=False)
        changed = self._way(chains, known, group, (second, first, *group[2:]), numbers, anew=True)
        changed.score += alike
        # A state that numbers no longer hold fits nothing: then all stays as it was.
        if not changed.score - as_it_was.score > _BETTER:
            return (), False
        # Other boxes alone may be what makes it better.
        stayed = self._way(chains, known, group, group, numbers, anew=True)
        if not np.isfinite(stayed.score):
            return (), False
        change = changed.score - stayed.score > _BETTER
        self._go(chains, group, numbers, changed if change else stayed, change=change)
        return group, change

    def _window(self, known: Sequence[_Known], people: Sequence[int], number: int) -> list[int]:
        """Return the instants around one at which all of these people were there, and before and after it as well."""
        begin = max(known[index].start for index in people) + 1
        end = min(known[index].start + len(known[index].posture) for index in people) - 2
        window = np.flatnonzero(np.abs(self._times - self._times[number]) <= _AROUND)
        return window[(window >= begin) & (window <= end)].tolist()

    def _group(self, known: Sequence[_Known], pair: tuple[int, int], numbers: Sequence[int]) -> tuple[int, ...]:
        """Return a pair and those who are near it during ``numbers``: their boxes may have been mixed up as well.

        Nobody, where one of these begins or ends meanwhile: whose continuation that is would have to be settled first.
        """
        first, last = numbers[0], numbers[-1]
        own = [known[index].places[first - known[index].start : last + 1 - known[index].start] for index in pair]
        beside = []
        for index, one in enumerate(known):
            low, high = max(first, one.start), min(last, one.start + len(one.posture) - 1)
            if index in pair or high < low:
                continue
            places = one.places[low - one.start : high + 1 - one.start]
            gap = min(float(np.hypot(*(places - part[low - first : high + 1 - first]).T).min()) for part in own)
            if gap >= _BESIDE:
                continue
            if one.start >= first or one.start + len(one.posture) - 1 <= last:
                return ()
            beside.append((gap, index))
        return (*pair, *(index for _, index in sorted(beside)[:_MOST_BESIDE]))

    def _states(self, known: Sequence[_Known], heads: Sequence[int], number: int) -> tuple[Array, Array, Array]:
        """Return what is known of people at an instant by the boxes up to then: (N, 5, 5), (N, 5), (N, P)."""
        at = [(known[index], number - known[index].start) for index in heads]
        parts = ([getattr(one, name)[place] for one, place in at] for name in ("matrix", "vector", "posture"))
        matrix, vector, posture = (np.stack(part) for part in parts)
        return matrix, vector, posture

    def _messages(self, known: Sequence[_Known], tails: Sequence[int], number: int) -> tuple[Array, Array]:
        """Return what the boxes after an instant say of people at it: (N, 5, 5), (N, 5)."""
        at = [(known[index], number - known[index].start) for index in tails]
        return np.stack([one.later[place] for one, place in at]), np.stack(
            [one.later_vector[place] for one, place in at]
        )

    def _at_a_glance(self, known: Sequence[_Known], pair: tuple[int, int], numbers: Sequence[int]) -> float:
        """Return by how many nats two fit each other's future better than their own, without boxes between."""
        state = self._states(known, pair, numbers[0] - 1)
        for number in numbers:
            state = self._predicted(*state, number)
        own, others = (
            float(log_agreement(*state[:2], *self._messages(known, tails, numbers[-1])).sum())
            for tails in (pair, pair[::-1])
        )
        return others - own

    def _looks_say(self, chains: Sequence[Chain], pair: tuple[int, int], numbers: Sequence[int]) -> float:
        """Return by how many nats two look more like each other's future than like their own."""
        if self._chain_looks is None:
            return 0.0
        before = [self._chain_looks.before(chains[index], numbers[0]) for index in pair]
        after = [self._chain_looks.after(chains[index], numbers[-1]) for index in pair]
        said = [[float(self._chain_looks.agree(*one, *other)[0, 0]) for other in after] for one in before]
        return said[0][1] + said[1][0] - said[0][0] - said[1][1]

    def _way(
        self,
        chains: Sequence[Chain],
        known: Sequence[_Known],
        heads: Sequence[int],
        tails: Sequence[int],
        numbers: Sequence[int],
        *,
        anew: bool,
    ) -> _Way:
        """Return how people go from ``heads`` before ``numbers`` to ``tails`` after; ``anew``: with other boxes."""
        s, count = self._settings, len(heads)
        state = self._states(known, heads, numbers[0] - 1)
        messages = [self._messages(known, tails, numbers[-1])]
        for number in numbers[:0:-1]:
            messages.append(self._earlier(*messages[-1], number))
        way = _Way(0.0, [], [])
        weight, sure, senior = np.zeros(count), np.ones(count, bool), np.arange(count)
        for number, (later, later_vector) in zip(numbers, reversed(messages)):
            matrix, vector, posture = self._predicted(*state, number)
            boxes, rows_of, rows = self._boxes(chains, heads, number)
            if anew:
                people = Expected(matrix + later, vector + later_vector, posture, weight, sure, senior)
                alike = {name: np.zeros((count, len(found))) for name, found in boxes.items()}
                missed = {name: np.full(count, _MISS) for name in boxes}
                rows = associate(self._cameras, boxes, people, alike, missed, s, self._detectors).boxes
            # How well it fits is asked of what was known before, or the future would count twice.
            people = Expected(matrix, vector, posture, weight, sure, senior)
            said = fit_together(self._cameras, boxes, people, rows, s, self._detectors)
            way.score += float(said.score.sum())
            way.said.append(said)
            way.rows.append(
                {name: np.where(one >= 0, np.append(rows_of[name], -1)[one], -1) for name, one in rows.items()}
            )
            state = matrix + said.said, vector + said.said_vector, posture + said.posture_said
        way.score += float(log_agreement(*state[:2], *messages[0]).sum())
        return way

    def _boxes(
        self, chains: Sequence[Chain], group: Sequence[int], number: int
    ) -> tuple[dict[str, Boxes], dict[str, Ints], dict[str, Ints]]:
        """Return an instant's boxes that nobody outside a group has, their rows, and which of them each in it has."""
        look = self._looks[number]
        taken: dict[str, set[int]] = {name: set() for name in look.boxes}
        for index, chain in enumerate(chains):
            if index not in group:
                for name, row in chain.rows.get(number, {}).items():
                    taken[name].add(row)
        rows_of, rows = {}, {}
        for name, found in look.boxes.items():
            kept = [row for row in range(len(found)) if row not in taken[name]]
            place = {row: new for new, row in enumerate(kept)}
            rows_of[name] = np.array(kept, np.int64)
            held = [chains[index].rows.get(number, {}).get(name, -1) for index in group]
            rows[name] = np.array([place.get(row, -1) for row in held], np.int64)
        return {name: look.boxes[name][kept] for name, kept in rows_of.items()}, rows_of, rows

    @staticmethod
    def _go(chains: Sequence[Chain], group: Sequence[int], numbers: Sequence[int], way: _Way, *, change: bool) -> None:
        """Give a group the boxes of ``way`` during ``numbers``; ``change``: its first two change places after that."""
        first, second = (chains[index] for index in group[:2])
        last = numbers[-1]
        for chain in (chains[index] for index in group):
            for part in (chain.said, chain.vector, chain.rows, chain.posture_said):
                for number in numbers:
                    part.pop(number, None)
        for name in ("said", "vector", "rows", "posture_said") if change else ():
            one, other = getattr(first, name), getattr(second, name)
            one_later = {number: one.pop(number) for number in list(one) if number > last}
            other_later = {number: other.pop(number) for number in list(other) if number > last}
            one.update(other_later)
            other.update(one_later)
        if change:
            first.end, second.end = second.end, first.end
        for number, rows, said in zip(numbers, way.rows, way.said):
            for place, chain in enumerate([chains[index] for index in group]):
                own = {name: int(one[place]) for name, one in rows.items() if one[place] >= 0}
                if own:
                    chain.rows[number], chain.posture_said[number] = own, said.posture_said[place]
                    chain.said[number], chain.vector[number] = said.said[place], said.said_vector[place]

    def _known(self, chain: Chain) -> _Known:
        count = chain.end - chain.start + 1
        matrix, vector = self._born(chain.place)
        posture = usual_posture(self._settings)[None]
        filtered = np.zeros((count, 5, 5)), np.zeros((count, 5)), np.zeros((count, POSTURE_SIZE))
        for place, number in enumerate(range(chain.start, chain.end + 1)):
            if place:
                one = self._predicted(matrix[None], vector[None], posture, number)
                matrix, vector, posture = one[0][0], one[1][0], one[2]
            if number in chain.said:
                matrix, vector = matrix + chain.said[number], vector + chain.vector[number]
                posture = posture + chain.posture_said.get(number, 0.0)
            for part, value in zip(filtered, (matrix, vector, posture[0])):
                part[place] = value
        later, later_vector = np.zeros((count, 5, 5)), np.zeros((count, 5))
        for place in range(count - 1, 0, -1):
            number = chain.start + place
            matrix, vector = later[place], later_vector[place]
            if number in chain.said:
                matrix, vector = matrix + chain.said[number], vector + chain.vector[number]
            earlier = self._earlier(matrix[None], vector[None], number)
            later[place - 1], later_vector[place - 1] = earlier[0][0], earlier[1][0]
        joint = np.linalg.solve(filtered[0] + later, (filtered[1] + later_vector)[..., None])
        places = np.asarray(joint[:, :2, 0], np.float64)
        return _Known(chain.start, *filtered, later, later_vector, places)

    def _predicted(self, matrix: Array, vector: Array, posture: Array, number: int) -> tuple[Array, Array, Array]:
        """Return what is known at an instant of what was known at the one before: (N, 5, 5), (N, 5), (N, P)."""
        step = float(self._steps[number])
        if step <= 0:
            return matrix, vector, posture
        move, noise = movement(step, self._settings)
        cov = inverses(matrix)
        mean = np.einsum("nij,nj->ni", cov, vector) @ move.T
        later = inverses(move @ cov @ move.T + noise)
        return later, np.einsum("nij,nj->ni", later, mean), posture_later(posture, step, self._settings)

    def _earlier(self, matrix: Array, vector: Array, number: int) -> tuple[Array, Array]:
        """Return what information about an instant says of the one before."""
        return said_before(matrix, vector, float(self._steps[number]), self._settings)
