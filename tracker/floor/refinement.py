"""A finished run looked at again: every instant with what came before and after, and trajectories relinked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.floor.agreement import log_agreement
from tracker.floor.association import Expected, associate
from tracker.floor.chain_looks import ChainLooks, LooksOfSweep
from tracker.floor.chains import Chain, Look
from tracker.floor.crop_vectors import CropVectors
from tracker.floor.detector_model import DetectorModel
from tracker.floor.encounters import Encounters
from tracker.floor.entrances import Entrances
from tracker.floor.entries import Entries
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
#: nats that a birth where people come in costs
_COMES_IN = -1.0
#: seconds unseen after which looks decide anew whether a trajectory goes on
_UNSEEN_SECONDS = 0.6
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
    *,
    vectors: CropVectors | None = None,
    entries: Entries | None = None,
) -> list[FloorPeople]:
    """Return a run's people, looked at again.

    A smoother: messages from the future are passed back over the trajectories as they are; then, instant by instant,
    ends of the past are linked with beginnings of the future (a Hungarian problem over how well their states agree,
    with births and ends), and boxes are assigned anew to what both sides expect. Those who came close may then change
    places (``encounters.py``), and all of it is done once more.

    With ``vectors`` the looks of what came before and after count in all of that, and people come and go where
    trajectories begin and end (``entrances.py``): not everybody who begins near an end goes on from there.

    Args:
        cameras: by name.
        looks: the run, in order.
        confirmed: ids of those who are people.
        settings, detectors: of the tracker that made the run, as they are at its end.
        advance: called after every instant looked at, three times for each.
        vectors: of the boxes' crops, as many instants as ``looks``; ``None``: by motion alone.
        entries: where people come in and go out; without any it is learnt.
    """
    if not looks:
        return []
    longest_gap = np.inf if vectors is None else _UNSEEN_SECONDS
    chains, ends = _as_followed(cameras, looks, confirmed, settings, detectors, longest_gap)
    chain_looks, entrances = None, None
    if vectors is not None:
        chain_looks = ChainLooks(vectors, settings)
        entrances = Entrances(entries or Entries(), chains, ends, np.array([look.time for look in looks]))
    run = _Run(cameras, looks, settings, detectors, advance, chain_looks, entrances)
    chains = run.swept(chains)
    run.settle(chains)
    chains = run.swept(chains)
    chains = [chain for chain in chains if chain.evidence + _BIRTH >= _LEAST_EVIDENCE and chain.rows]
    return run.smoothed(run.parted(chains))


def _as_followed(
    cameras: Mapping[str, FloorCamera],
    looks: Sequence[Look],
    confirmed: set[int],
    settings: FloorSettings,
    detectors: DetectorModel,
    longest_gap: float = np.inf,
) -> tuple[list[Chain], Array]:
    """Return the C trajectories as the tracker made them, with what their boxes say, and where they end, (C, 2).

    Whoever was unseen for more than ``longest_gap`` seconds begins anew: it may be somebody else.
    """
    chains: list[Chain] = []
    ends: list[Array] = []
    place_of: dict[int, int] = {}
    people = np.array(sorted(confirmed), np.int64)
    for number, look in enumerate(looks):
        sure = np.isin(look.ids, people)
        for name, rows in look.rows.items():
            mine = np.flatnonzero((rows >= 0) & sure)
            if not len(mine):
                continue
            postures = np.tile(usual_posture(settings), (len(mine), 1))
            view = PostureViews.of(cameras[name], look.means[mine], np.ones(len(mine), bool), postures)
            found = look.boxes[name][rows[mine]]
            _, cases, _, _ = view.likelihood(look.covariances[mine], found, settings, detectors.scale)
            said, vector = view.say(look.means[mine], found, np.diag(cases), settings, detectors.scale)
            for place, index in enumerate(mine.tolist()):
                track = int(look.ids[index])
                known = place_of.get(track)
                if known is None or look.time - looks[chains[known].end].time > longest_gap:
                    known = place_of[track] = len(chains)
                    chains.append(Chain(number, number, look.means[index, :2]))
                    ends.append(look.means[index, :2])
                chain = chains[known]
                chain.end, ends[known] = number, look.means[index, :2]
                chain.rows.setdefault(number, {})[name] = int(rows[index])
                chain.said[number] = chain.said.get(number, 0) + said[place]
                chain.vector[number] = chain.vector.get(number, 0) + vector[place]
    return chains, np.array(ends).reshape(-1, 2)


@dataclass(slots=True, eq=False)
class _Heads:
    """What is known of H people by the past, while a run is swept.

    Args:
        chains: what they are so far.
        mean, cov: (H, 5), (H, 5, 5) of their states.
        posture: (H, P).
        last: (2,) of each, where they were when somebody saw them.
    """

    chains: list[Chain] = field(default_factory=list)
    mean: Array = field(default_factory=lambda: np.zeros((0, 5)))
    cov: Array = field(default_factory=lambda: np.zeros((0, 5, 5)))
    posture: Array = field(default_factory=lambda: np.zeros((0, POSTURE_SIZE)))
    last: list[Array] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.chains)


class _Run:
    def __init__(
        self,
        cameras: Mapping[str, FloorCamera],
        looks: Sequence[Look],
        settings: FloorSettings,
        detectors: DetectorModel,
        advance: Callable[[], None] | None,
        chain_looks: ChainLooks | None = None,
        entrances: Entrances | None = None,
    ) -> None:
        self._cameras, self._looks = cameras, looks
        self._chain_looks, self._entrances = chain_looks, entrances
        self._settings, self._detectors = settings, detectors
        self._advance = advance
        times = np.array([look.time for look in looks])
        self._times, self._steps = times, np.diff(times, prepend=times[0])
        self._encounters = Encounters(cameras, looks, settings, detectors, self._born, chain_looks)
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

    def parted(self, chains: Sequence[Chain]) -> list[Chain]:
        """Return trajectories cut where they begin to look like somebody else: who they are is decided by looks."""
        if self._chain_looks is None:
            return list(chains)
        result = []
        for chain in chains:
            rest = chain
            for number in self._chain_looks.changes(chain):
                place = self._encounters.places(chain)[number - chain.start]
                before, rest = rest.parted(number, place)
                result.append(before)
            result.append(rest)
        return result

    def _present(self, chains: Sequence[Chain]) -> list[Ints]:
        """Return for each instant the chains (K,) that are there, in order."""
        present: list[list[int]] = [[] for _ in self._looks]
        for index, chain in enumerate(chains):
            for number in range(chain.start, chain.end + 1):
                present[number].append(index)
        return [np.array(here, np.int64) for here in present]

    def _from_the_future(self, chains: Sequence[Chain], present: Sequence[Ints]) -> list[tuple[Array, Array]]:
        """Return for each instant what later boxes say of the states of those who are there: (K, 5, 5), (K, 5)."""
        matrices, vectors = np.zeros((len(chains), 5, 5)), np.zeros((len(chains), 5))
        messages = []
        for number in range(len(self._looks) - 1, -1, -1):
            here = present[number]
            matrix, vector = matrices[here], vectors[here]
            messages.append((matrix.copy(), vector.copy()))
            for place, index in enumerate(here.tolist()):
                chain = chains[index]
                if number in chain.said:
                    matrix[place] += chain.said[number]
                    vector[place] += chain.vector[number]
                if number <= chain.start:
                    matrix[place], vector[place] = 0, 0
            matrices[here], vectors[here] = said_before(matrix, vector, float(self._steps[number]), self._settings)
        return messages[::-1]

    def swept(self, tails: list[Chain]) -> list[Chain]:
        """Return the trajectories relinked, with boxes assigned anew."""
        s = self._settings
        present = self._present(tails)
        future = self._from_the_future(tails, present)
        looks = None if self._chain_looks is None else LooksOfSweep(self._chain_looks, tails)
        heads = _Heads()
        head_of = np.full(len(tails), -1)
        for number, look in enumerate(self._looks):
            step = float(self._steps[number])
            if step > 0 and len(heads):
                move, noise = movement(step, s)
                heads.mean, heads.cov = heads.mean @ move.T, move @ heads.cov @ move.T + noise
                heads.posture = posture_later(heads.posture, step, s)
            here = present[number]
            linked = self._linked(number, here, tails, future[number], heads, head_of, looks)
            linked[linked < 0] = self._begun(heads, number, [tails[tail].place for tail in here[linked < 0].tolist()])
            head_of[here] = linked
            if len(here):
                prior = inverses(heads.cov[linked])
                vector = np.einsum("nij,nj->ni", prior, heads.mean[linked])
                later, later_vector = future[number]
                people = Expected(
                    prior + later,
                    vector + later_vector,
                    heads.posture[linked],
                    np.zeros(len(here)),
                    np.ones(len(here), bool),
                    linked,
                )
                alike = {name: np.zeros((len(here), len(found))) for name, found in look.boxes.items()}
                if looks is not None:
                    alike = looks.of_boxes(number, here, linked, {name: one.shape[1] for name, one in alike.items()})
                missed = {name: np.full(len(here), _MISS) for name in look.boxes}
                said = associate(self._cameras, look.boxes, people, alike, missed, s, self._detectors)
                heads.cov[linked] = inverses(prior + said.said)
                heads.mean[linked] = np.einsum("nij,nj->ni", heads.cov[linked], vector + said.said_vector)
                heads.posture[linked] += said.posture_said + walking_says(heads.mean[linked], heads.cov[linked])
                for place, index in enumerate(linked.tolist()):
                    rows = {name: int(one[place]) for name, one in said.boxes.items() if one[place] >= 0}
                    head = heads.chains[index]
                    head.evidence += float(said.evidence[place])
                    if rows:
                        head.end, heads.last[index] = number, heads.mean[index, :2].copy()
                        head.rows[number] = rows
                        head.said[number], head.vector[number] = said.said[place], said.said_vector[place]
                        head.posture_said[number] = said.posture_said[place]
                if looks is not None:
                    looks.take(number, linked, [heads.chains[index].rows.get(number, {}) for index in linked.tolist()])
            if self._advance is not None:
                self._advance()
        return [head for head in heads.chains if head.rows]

    def _begun(self, heads: _Heads, number: int, places: Sequence[Array]) -> Ints:
        """Let somebody begin at each of the places (2,); return (K,) their numbers among the heads."""
        known = len(heads)
        if places:
            born = [self._born(place) for place in places]
            covs = inverses(np.stack([matrix for matrix, _ in born]))
            heads.cov = np.concatenate([heads.cov, covs])
            means = np.einsum("nij,nj->ni", covs, np.stack([vector for _, vector in born]))
            heads.mean = np.concatenate([heads.mean, means])
            usual = [usual_posture(self._settings)] * len(places)
            heads.posture = np.concatenate([heads.posture, usual])
            heads.chains += [Chain(number, number, place) for place in places]
            heads.last += list(places)
        return np.arange(known, len(heads))

    def _linked(
        self,
        number: int,
        here: Ints,
        tails: Sequence[Chain],
        future: tuple[Array, Array],
        heads: _Heads,
        head_of: Ints,
        looks: LooksOfSweep | None,
    ) -> Ints:
        """Return (K,) which head each tail ``here`` (K,) continues; -1: it begins."""
        as_it_was = np.where(np.array([tails[k].start < number for k in here.tolist()], bool), head_of[here], -1)
        alive = np.zeros(len(heads), bool)
        alive[as_it_was[as_it_was >= 0]] = True
        memory = self._memory[number]
        recent = np.array([h for h, head in enumerate(heads.chains) if alive[h] or head.end >= memory], np.int64)
        if not len(recent) or not len(here):
            return as_it_was
        matrix, vector = (part.copy() for part in future)
        for place, tail in enumerate(here.tolist()):
            if number in tails[tail].said:
                matrix[place] += tails[tail].said[number]
                vector[place] += tails[tail].vector[number]
        prior = inverses(heads.cov[recent])
        expected = heads.mean[recent]
        gap = np.hypot(*(expected[:, None, :2] - self._places(matrix, vector)[None]).transpose(2, 0, 1))
        rows, columns = np.nonzero((gap < _REACH) | (as_it_was[None] == recent[:, None]))
        value = np.full((len(recent), len(here)), -np.inf)
        value[rows, columns] = log_agreement(
            prior[rows], np.einsum("nij,nj->ni", prior, expected)[rows], matrix[columns], vector[columns]
        )
        born = [self._born(tails[k].place) for k in here.tolist()]
        unknown, unknown_vector = (np.stack(part) for part in zip(*born))
        birth = _BIRTH + log_agreement(unknown, unknown_vector, matrix, vector)
        value += _AS_IT_WAS * (as_it_was[None] == recent[:, None])
        value -= np.where(alive[recent], _END, 0.0)[:, None]
        if looks is not None:
            value += looks.agree(recent, here)
        if self._entrances is not None:
            begins = np.array([tails[k].start == number for k in here.tolist()], bool)
            comes = self._entrances.nearness(np.stack([tails[k].place for k in here.tolist()]))
            birth += (_COMES_IN - _BIRTH) * np.where(begins, comes, 0.0)
            unseen = self._times[number] - self._times[[heads.chains[h].end for h in recent.tolist()]]
            goes = self._entrances.nearness(np.stack([heads.last[h] for h in recent.tolist()]))
            value -= (self._settings.leaving * np.where(alive[recent], 0.0, goes * unseen))[:, None]
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
        present = self._present(chains)
        future = self._from_the_future(chains, present)
        mean, cov = np.zeros((len(chains), 5)), np.zeros((len(chains), 5, 5))
        posture = np.tile(usual_posture(s), (len(chains), 1))
        result = []
        for number, look in enumerate(self._looks):
            step = float(self._steps[number])
            if step > 0:
                move, noise = movement(step, s)
                mean, cov = mean @ move.T, move @ cov @ move.T + noise
                posture = posture_later(posture, step, s)
            for index in present[number].tolist():
                if chains[index].start == number:
                    matrix, vector = self._born(chains[index].place)
                    cov[index] = np.linalg.inv(matrix)
                    mean[index] = cov[index] @ vector
                    posture[index] = usual_posture(s)
            here = present[number]
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
                covs = inverses(prior + future[number][0])
                means = np.einsum("nij,nj->ni", covs, vector + future[number][1])
            rows = {
                name: np.array([chains[k].rows.get(number, {}).get(name, -1) for k in here.tolist()], np.int64)
                for name in look.boxes
            }
            places, sure = body_places(means, posture[here]), np.ones(len(here), bool)
            result.append(FloorPeople(here + 1, places, means[:, 2:4], means[:, 4], covs[:, :2, :2], rows, sure))
        return result
