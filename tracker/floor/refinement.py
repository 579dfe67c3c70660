"""A finished run looked at again: every instant with what came before and after, and trajectories relinked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.floor.agreement import log_agreement
from tracker.floor.association import Expected, associate
from tracker.floor.chains import Chain, Look
from tracker.floor.detector_model import DetectorModel
from tracker.floor.encounters import Encounters
from tracker.floor.likelihood import inverses
from tracker.floor.movement import movement, said_before
from tracker.floor.people import FloorPeople
from tracker.floor.posture import POSTURE_SIZE, PostureViews, body_places, posture_later, usual_posture, walking_says
from tracker.floor.settings import FloorSettings
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["Look", "refined"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: seconds for which somebody lost may be found again, and metres beyond which two ends are not one person's
_LOST_SECONDS, _REACH = 3.0, 3.0
#: nats that a birth among people costs, that an end costs, and by which a link as it was is preferred
_BIRTH, _END, _AS_IT_WAS = -9.0, -4.0, 2.0
#: metres of deviation of a place of which nothing is known
_ANYWHERE = 3.0
#: nats that speak for a person over their whole life, least
_LEAST_EVIDENCE = 5.0
#: how much a miss says
_MISS = 0.4


def refined(
    cameras: Mapping[str, FloorCamera],
    looks: Sequence[Look],
    confirmed: set[int],
    settings: FloorSettings,
    detectors: DetectorModel,
    advance: Callable[[], None] | None = None,
) -> list[FloorPeople]:
    """Return a run's people, looked at again.

    A smoother: messages from the future are passed back over the trajectories as they are; then, instant by instant,
    ends of the past are linked with beginnings of the future (a Hungarian problem over how well their states agree,
    with births and ends), and boxes are assigned anew to what both sides expect. Those who came close may then change
    places (``encounters.py``), and all of it is done once more.

    Args:
        cameras: by name.
        looks: the run, in order.
        confirmed: ids of those who are people.
        settings, detectors: of the tracker that made the run, as they are at its end.
        advance: called after every instant looked at, three times for each.
    """
    if not looks:
        return []
    chains = _as_followed(cameras, looks, confirmed, settings, detectors)
    run = _Run(cameras, looks, settings, detectors, advance)
    chains = run.swept(chains)
    run.settle(chains)
    chains = run.swept(chains)
    chains = [chain for chain in chains if chain.evidence + _BIRTH >= _LEAST_EVIDENCE and chain.rows]
    return run.smoothed(chains)


def _as_followed(
    cameras: Mapping[str, FloorCamera],
    looks: Sequence[Look],
    confirmed: set[int],
    settings: FloorSettings,
    detectors: DetectorModel,
) -> list[Chain]:
    """Return the trajectories as the tracker made them, with what their boxes say."""
    chains: dict[int, Chain] = {}
    people = np.array(sorted(confirmed), np.int64)
    for number, look in enumerate(looks):
        known = np.isin(look.ids, people)
        for name, rows in look.rows.items():
            mine = np.flatnonzero((rows >= 0) & known)
            if not len(mine):
                continue
            postures = np.tile(usual_posture(settings), (len(mine), 1))
            view = PostureViews.of(cameras[name], look.means[mine], np.ones(len(mine), bool), postures)
            found = look.boxes[name][rows[mine]]
            _, cases, _, _ = view.likelihood(look.covariances[mine], found, settings, detectors.scale)
            said, vector = view.say(look.means[mine], found, np.diag(cases), settings, detectors.scale)
            for place, index in enumerate(mine.tolist()):
                track = int(look.ids[index])
                chain = chains.setdefault(track, Chain(number, number, look.means[index, :2]))
                chain.end = number
                chain.said[number] = chain.said.get(number, 0) + said[place]
                chain.vector[number] = chain.vector.get(number, 0) + vector[place]
    return list(chains.values())


class _Run:
    def __init__(
        self,
        cameras: Mapping[str, FloorCamera],
        looks: Sequence[Look],
        settings: FloorSettings,
        detectors: DetectorModel,
        advance: Callable[[], None] | None,
    ) -> None:
        self._cameras, self._looks = cameras, looks
        self._settings, self._detectors = settings, detectors
        self._advance = advance
        times = np.array([look.time for look in looks])
        self._steps = np.diff(times, prepend=times[0])
        self._encounters = Encounters(cameras, looks, settings, detectors, self._born)
        self._memory = [int(np.searchsorted(times, time - _LOST_SECONDS)) for time in times]

    def _born(self, place: Array) -> tuple[Array, Array]:
        """Return what is known of somebody new about ``place``: information (5, 5), (5,)."""
        s = self._settings
        matrix = np.diag([_ANYWHERE**-2, _ANYWHERE**-2, s.walking_speed**-2, s.walking_speed**-2,
                          s.height_deviation**-2])  # fmt: skip
        return matrix, matrix @ np.array([*place, 0, 0, s.person_height])

    def settle(self, chains: Sequence[Chain]) -> None:
        """Let people who came close change places, where that fits better; see ``encounters.py``."""
        self._encounters.settle(chains, self._advance)

    def _from_the_future(self, chains: Sequence[Chain]) -> list[tuple[Array, Array]]:
        """Return for each instant what later boxes say of all chains' states then: (N, 5, 5), (N, 5)."""
        count = len(chains)
        matrix, vector = np.zeros((count, 5, 5)), np.zeros((count, 5))
        messages = [(matrix, vector)]
        for number in range(len(self._looks) - 1, 0, -1):
            matrix, vector = matrix.copy(), vector.copy()
            for index, chain in enumerate(chains):
                if number in chain.said:
                    matrix[index] += chain.said[number]
                    vector[index] += chain.vector[number]
                if number <= chain.start:
                    matrix[index], vector[index] = 0, 0
            matrix, vector = said_before(matrix, vector, float(self._steps[number]), self._settings)
            messages.append((matrix, vector))
        return messages[::-1]

    def swept(self, tails: list[Chain]) -> list[Chain]:
        """Return the trajectories relinked, with boxes assigned anew."""
        s = self._settings
        future = self._from_the_future(tails)
        heads: list[Chain] = []
        mean, cov = np.zeros((0, 5)), np.zeros((0, 5, 5))
        posture = np.zeros((0, POSTURE_SIZE))
        head_of = np.full(len(tails), -1)
        for number, look in enumerate(self._looks):
            step = float(self._steps[number])
            if step > 0 and len(heads):
                move, noise = movement(step, s)
                mean, cov = mean @ move.T, move @ cov @ move.T + noise
                posture = posture_later(posture, step, s)
            here = np.array([k for k, tail in enumerate(tails) if tail.start <= number <= tail.end], np.int64)
            linked = self._linked(number, here, tails, future[number], heads, mean, cov, head_of)
            new = here[linked < 0]
            for tail in new.tolist():
                heads.append(Chain(number, number, tails[tail].place))
                posture = np.concatenate([posture, usual_posture(s)[None]])
            if len(new):
                born = [self._born(tails[tail].place) for tail in new.tolist()]
                covs = inverses(np.stack([matrix for matrix, _ in born]))
                cov = np.concatenate([cov, covs])
                mean = np.concatenate([mean, np.einsum("nij,nj->ni", covs, np.stack([v for _, v in born]))])
                linked[linked < 0] = np.arange(len(heads) - len(new), len(heads))
            head_of[here] = linked
            if len(here):
                prior = inverses(cov[linked])
                vector = np.einsum("nij,nj->ni", prior, mean[linked])
                later, later_vector = (part[here] for part in future[number])
                people = Expected(
                    prior + later,
                    vector + later_vector,
                    posture[linked],
                    np.zeros(len(here)),
                    np.ones(len(here), bool),
                    linked,
                )
                alike = {name: np.zeros((len(here), len(found))) for name, found in look.boxes.items()}
                missed = {name: np.full(len(here), _MISS) for name in look.boxes}
                said = associate(self._cameras, look.boxes, people, alike, missed, s, self._detectors)
                cov[linked] = inverses(prior + said.said)
                mean[linked] = np.einsum("nij,nj->ni", cov[linked], vector + said.said_vector)
                posture[linked] += said.posture_said + walking_says(mean[linked], cov[linked])
                for place, index in enumerate(linked.tolist()):
                    rows = {name: int(one[place]) for name, one in said.boxes.items() if one[place] >= 0}
                    head = heads[index]
                    head.evidence += float(said.evidence[place])
                    if rows:
                        head.end = number
                        head.rows[number] = rows
                        head.said[number], head.vector[number] = said.said[place], said.said_vector[place]
                        head.posture_said[number] = said.posture_said[place]
            if self._advance is not None:
                self._advance()
        return [head for head in heads if head.rows]

    def _linked(
        self,
        number: int,
        here: Ints,
        tails: Sequence[Chain],
        future: tuple[Array, Array],
        heads: Sequence[Chain],
        mean: Array,
        cov: Array,
        head_of: Ints,
    ) -> Ints:
        """Return (K,) which head each tail ``here`` (K,) continues; -1: it begins."""
        as_it_was = np.where(np.array([tails[k].start < number for k in here.tolist()], bool), head_of[here], -1)
        alive = np.zeros(len(heads), bool)
        alive[as_it_was[as_it_was >= 0]] = True
        recent = np.array([h for h, head in enumerate(heads) if alive[h] or head.end >= self._memory[number]], np.int64)
        if not len(recent) or not len(here):
            return as_it_was
        matrix, vector = (part[here].copy() for part in future)
        for place, tail in enumerate(here.tolist()):
            if number in tails[tail].said:
                matrix[place] += tails[tail].said[number]
                vector[place] += tails[tail].vector[number]
        prior = inverses(cov[recent])
        gap = np.hypot(*(mean[recent][:, None, :2] - self._places(matrix, vector)[None]).transpose(2, 0, 1))
        rows, columns = np.nonzero((gap < _REACH) | (as_it_was[None] == recent[:, None]))
        value = np.full((len(recent), len(here)), -np.inf)
        value[rows, columns] = log_agreement(
            prior[rows], np.einsum("nij,nj->ni", prior, mean[recent])[rows], matrix[columns], vector[columns]
        )
        born = [self._born(tails[k].place) for k in here.tolist()]
        unknown, unknown_vector = (np.stack(part) for part in zip(*born))
        birth = _BIRTH + log_agreement(unknown, unknown_vector, matrix, vector)
        value += _AS_IT_WAS * (as_it_was[None] == recent[:, None])
        value -= np.where(alive[recent], _END, 0.0)[:, None]
        taken, given = assign(-(value - birth[None]), 0.0)
        linked = np.full(len(here), -1, np.int64)
        linked[given] = recent[taken]
        return linked

    def _places(self, matrix: Array, vector: Array) -> Array:
        """Return the places (K, 2) that messages are about; heights are near what is usual, velocities left out."""
        flat = matrix[:, :2, :2] + 1e-6 * np.eye(2)
        aimed = vector[:, :2] - self._settings.person_height * matrix[:, :2, 4]
        return np.asarray(np.linalg.solve(flat, aimed[..., None])[..., 0], np.float64)

    def smoothed(self, chains: Sequence[Chain]) -> list[FloorPeople]:
        """Return where the people were, with what came before and after."""
        s = self._settings
        future = self._from_the_future(chains)
        mean, cov = np.zeros((len(chains), 5)), np.zeros((len(chains), 5, 5))
        posture = np.tile(usual_posture(s), (len(chains), 1))
        result = []
        for number, look in enumerate(self._looks):
            step = float(self._steps[number])
            if step > 0:
                move, noise = movement(step, s)
                mean, cov = mean @ move.T, move @ cov @ move.T + noise
                posture = posture_later(posture, step, s)
            for index, chain in enumerate(chains):
                if chain.start == number:
                    matrix, vector = self._born(chain.place)
                    cov[index] = np.linalg.inv(matrix)
                    mean[index] = cov[index] @ vector
                    posture[index] = usual_posture(s)
            here = np.array([k for k, one in enumerate(chains) if one.start <= number <= one.end], np.int64)
            means, covs = np.zeros((0, 5)), np.zeros((0, 5, 5))
            if len(here):
                prior = inverses(cov[here])
                vector = np.einsum("nij,nj->ni", prior, mean[here])
                for place, index in enumerate(here.tolist()):
                    if number in chains[index].said:
                        prior[place] += chains[index].said[number]
                        vector[place] += chains[index].vector[number]
                        posture[index] += chains[index].posture_said.get(number, 0.0)
                cov[here] = inverses(prior)
                mean[here] = np.einsum("nij,nj->ni", cov[here], vector)
                covs = inverses(prior + future[number][0][here])
                means = np.einsum("nij,nj->ni", covs, vector + future[number][1][here])
            rows = {
                name: np.array([chains[k].rows.get(number, {}).get(name, -1) for k in here.tolist()], np.int64)
                for name in look.boxes
            }
            places, sure = body_places(means, posture[here]), np.ones(len(here), bool)
            result.append(FloorPeople(here + 1, places, means[:, 2:4], means[:, 4], covs[:, :2, :2], rows, sure))
        return result
