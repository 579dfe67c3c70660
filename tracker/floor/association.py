"""Which box is whom, in all cameras at one instant: assign, estimate, and again with what the other cameras say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.floor.dealing import dealt
from tracker.floor.detector_model import DetectorModel
from tracker.floor.doubles import evidence_of_two
from tracker.floor.likelihood import Boxes, inverses
from tracker.floor.packing import packed
from tracker.floor.posture import POSTURE_SIZE, PostureViews
from tracker.floor.settings import FloorSettings
from tracker.floor.view import FULLY_SEEN
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["Associated", "Expected", "Together", "associate", "fit_together"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: most that one box may say for a person's being there, nats
_MOST_EVIDENCE = 6.0
#: nats by which a box that is left may be too bad for somebody, and yet gives reason to look again
_DOUBT = 3.0
#: chance of being found, and weight of a miss, from which to be missed gives reason to look again
_LIKELY, _NEWS = 0.5, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """N people before an instant's boxes are looked at.

    Args:
        prior, vector: (N, 5, 5), (N, 5) information matrices and vectors of their states.
        posture: (N, P) of each (``posture.py``).
        weight: (N,) nats by which each may claim boxes, 0 for who is surely there.
        certain: (N,) who hides others, and may have been found twice.
        senior: (N,) rank, 0 for the best known.
    """

    prior: Array
    vector: Array
    posture: Array
    weight: Array
    certain: NDArray[np.bool_]
    senior: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Associated:
    """What the boxes of an instant say of N people, in C cameras.

    Args:
        boxes: camera → (N,) row of its boxes that is each person; -1 none.
        said, said_vector: (N, 5, 5), (N, 5) information of their boxes.
        posture_said: (N, P) nats that their boxes say of their postures.
        chances: camera → (N,) how likely each was to be found.
        evidence: (N,) nats that speak for each one's being there, and not being another that is better known.
        clear: camera → (N,) who is certain and wholly seen.
        off: camera → (N,) squared Mahalanobis distances of their boxes; NaN: none, or not whole.
    """

    boxes: dict[str, Ints]
    said: Array
    said_vector: Array
    posture_said: Array
    chances: dict[str, Array]
    evidence: Array
    clear: dict[str, NDArray[np.bool_]]
    off: dict[str, Array]


def associate(
    cameras: Mapping[str, FloorCamera],
    boxes: Mapping[str, Boxes],
    people: Expected,
    alike: Mapping[str, Array],
    miss_weights: Mapping[str, Array],
    settings: FloorSettings,
    detectors: DetectorModel,
    hit_weights: Mapping[str, Array] | None = None,
) -> Associated:
    """Assign the boxes of all cameras to people.

    A Hungarian problem for each camera, in rounds: in each the others' boxes have their say first, and between them
    the boxes of all cameras together are dealt anew (``dealt``). Where there is doubt, cameras in turn have the first
    say (``FloorSettings.starts`` of them), and the answers are put together by set packing (``packed``).

    Args:
        cameras: by name.
        boxes: of the cameras that looked.
        people: who is expected.
        alike: camera → (N, M) nats by which looks speak for box M being person N.
        miss_weights: camera → (N,) how much a miss says.
        settings, detectors: of the tracker.
        hit_weights: camera → (N,) how much a box says; ``None``: all it can.
    """
    names = list(boxes)
    count = len(people.prior)
    if not count or not names:
        nothing = {name: np.zeros(count) for name in names}
        return Associated(
            {name: np.full(count, -1, np.int64) for name in names}, np.zeros((count, 5, 5)), np.zeros((count, 5)),
            np.zeros((count, POSTURE_SIZE)), nothing, np.zeros(count), {name: np.zeros(count, bool) for name in names},
            {name: np.full(count, np.nan) for name in names},
        )  # fmt: skip
    solver = _Solver(cameras, boxes, people, alike, miss_weights, settings, detectors)
    best = solver.solved(names)
    if len(names) > 1 and solver.doubtful(best):
        turns = np.linspace(0, len(names), min(len(names), settings.starts), endpoint=False).astype(int)[1:].tolist()
        others = [solver.solved(names[turn:] + names[:turn], unless=best) for turn in turns]
        different = [one for one in others if one is not best]
        if different:
            best = _best_of(solver, [best, *different], count)
    if hit_weights is not None:
        for name, rows in best.boxes.items():
            best.evidence[name] = best.evidence[name] * np.where(rows >= 0, hit_weights[name], 1.0)
    said = np.sum(list(best.matrices.values()), axis=0)
    vector = np.sum(list(best.vectors.values()), axis=0)
    places = np.einsum("nij,nj->ni", inverses(people.prior + said), people.vector + vector)[:, :2]
    as_two = evidence_of_two(
        people.prior, people.vector, said, vector, places,
        np.stack([best.boxes[name] >= 0 for name in names], axis=1),
        np.stack([best.chances[name] for name in names], axis=1),
        people.senior, settings.duplicates,
    )  # fmt: skip
    return Associated(
        best.boxes, said, vector, np.sum(list(best.posture_said.values()), axis=0), best.chances,
        np.minimum(np.sum(list(best.evidence.values()), axis=0), as_two), best.clear, best.off,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """How well boxes that are given fit N people.

    Args:
        score: (N,) nats, relative to the boxes being nobody's; misses count.
        said, said_vector: (N, 5, 5), (N, 5) information of the boxes.
        posture_said: (N, P) nats that they say of postures.
    """

    score: Array
    said: Array
    said_vector: Array
    posture_said: Array


def fit_together(
    cameras: Mapping[str, FloorCamera],
    boxes: Mapping[str, Boxes],
    people: Expected,
    rows: Mapping[str, Ints],
    settings: FloorSettings,
    detectors: DetectorModel,
) -> Together:
    """Return how well the boxes of all cameras fit each person together: by the chain rule, camera by camera.

    Args:
        cameras: by name.
        boxes: of the cameras that looked.
        people: who is expected, before these boxes.
        rows: camera → (N,) row of its boxes that is each person; -1 none.
        settings, detectors: of the tracker.
    """
    count = len(people.prior)
    alike = {name: np.zeros((count, len(found))) for name, found in boxes.items()}
    solver = _Solver(cameras, boxes, people, alike, {}, settings, detectors)
    return solver.together(rows)


@dataclass(slots=True, eq=False)
class _Solution:
    """One way to assign all boxes, camera by camera: arrays (N, …) for N people."""

    boxes: dict[str, Ints] = field(default_factory=dict)
    matrices: dict[str, Array] = field(default_factory=dict)
    vectors: dict[str, Array] = field(default_factory=dict)
    posture_said: dict[str, Array] = field(default_factory=dict)
    chances: dict[str, Array] = field(default_factory=dict)
    evidence: dict[str, Array] = field(default_factory=dict)
    clear: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    off: dict[str, Array] = field(default_factory=dict)
    wanted: dict[str, bool] = field(default_factory=dict)

    def holds(self, boxes: Mapping[str, Ints]) -> bool:
        """Return whether everybody has these boxes."""
        return all(np.array_equal(rows, boxes[name]) for name, rows in self.boxes.items())

    def parts(self) -> list[dict[str, Any]]:
        """Return the fields that have an array for each camera."""
        return [
            self.boxes, self.matrices, self.vectors, self.posture_said,
            self.chances, self.evidence, self.clear, self.off,
        ]  # fmt: skip


class _Solver:
    def __init__(
        self,
        cameras: Mapping[str, FloorCamera],
        boxes: Mapping[str, Boxes],
        people: Expected,
        alike: Mapping[str, Array],
        miss_weights: Mapping[str, Array],
        settings: FloorSettings,
        detectors: DetectorModel,
    ) -> None:
        self._cameras, self._boxes, self._people, self._alike = cameras, boxes, people, alike
        self._miss_weights, self._settings, self._detectors = miss_weights, settings, detectors
        self._count = len(people.prior)

    def solved(self, names: Sequence[str], unless: _Solution | None = None) -> _Solution:
        """Return the assignment reached by taking the cameras in this order; ``unless``, once it is the same."""
        count, people = self._count, self._people
        one = _Solution()
        for name in self._boxes:
            one.boxes[name] = np.full(count, -1, np.int64)
            one.matrices[name], one.vectors[name] = np.zeros((count, 5, 5)), np.zeros((count, 5))
            one.posture_said[name] = np.zeros((count, POSTURE_SIZE))
        total, total_vector = people.prior.copy(), people.vector.copy()
        for round_ in range(self._settings.rounds):
            before = dict(one.boxes)
            for name in names:
                # What this camera itself said before is left out, or it would only confirm itself.
                others, others_vector = total - one.matrices[name], total_vector - one.vectors[name]
                posture = people.posture + sum(one.posture_said.values()) - one.posture_said[name]
                self._assign(one, name, others, others_vector, posture)
                total, total_vector = others + one.matrices[name], others_vector + one.vectors[name]
            if round_ and one.holds(before):
                break
            if unless is not None and one.holds(unless.boxes):
                return unless
            if round_ + 1 < self._settings.rounds:
                deal = dealt(
                    people.prior, people.vector, total - people.prior, total_vector - people.vector, people.weight
                )
                for name in names:
                    one.boxes[name], one.posture_said[name] = one.boxes[name][deal], one.posture_said[name][deal]
                    one.matrices[name], one.vectors[name] = one.matrices[name][deal], one.vectors[name][deal]
                total = people.prior + sum(one.matrices.values())
                total_vector = people.vector + sum(one.vectors.values())
        return one

    def _assign(self, one: _Solution, name: str, information: Array, vector: Array, posture: Array) -> None:
        """Assign the boxes of one camera to who is expected with this information."""
        count, people, found = self._count, self._people, self._boxes[name]
        fit, chance, view, mean, cases, distances, said = self._fit(name, information, vector, posture)
        worth = fit - np.log1p(-chance)[:, None] + people.weight[:, None]
        rows, columns = assign(-worth, 0.0)
        left = np.ones(len(found), bool)
        left[columns] = False
        free = np.ones(count, bool)
        free[rows] = False
        one.wanted[name] = bool((worth[np.ix_(free, left)] > -_DOUBT).any())
        one.boxes[name] = np.full(count, -1, np.int64)
        one.boxes[name][rows] = columns
        one.off[name] = np.full(count, np.nan)
        one.off[name][rows] = distances[rows, columns]
        one.clear[name] = people.certain & (view.visible >= FULLY_SEEN)
        one.chances[name] = chance
        one.evidence[name] = np.log1p(-chance) * self._miss_weights[name]
        value = fit[rows, columns] - _otherwise(fit, chance, rows, columns, people.senior, self._settings)
        one.evidence[name][rows] = np.minimum(value, _MOST_EVIDENCE)
        one.matrices[name], one.vectors[name] = np.zeros((count, 5, 5)), np.zeros((count, 5))
        one.matrices[name][rows], one.vectors[name][rows] = view[rows].say(
            mean[rows], found[columns], cases[rows, columns], self._settings, self._detectors.scale
        )
        one.posture_said[name] = np.zeros((count, POSTURE_SIZE))
        one.posture_said[name][rows] = said[rows, columns]

    def _fit(self, name: str, information: Array, vector: Array, posture: Array) -> tuple[Any, ...]:
        s, found, certain = self._settings, self._boxes[name], self._people.certain
        cov = inverses(information)
        mean = np.einsum("nij,nj->ni", cov, vector)
        view = PostureViews.of(self._cameras[name], mean, certain, posture)
        chance = view.chance(self._detectors.rate)
        density, cases, distances, said = view.likelihood(cov, found, s, self._detectors.scale)
        fit = density - _clutter_density(view, found, certain, s) + np.log(chance)[:, None] + self._alike[name]
        return fit, chance, view, mean, cases, distances, said

    def doubtful(self, one: _Solution) -> bool:
        """Return whether somebody was missed who should have been found, or might have a box that is left."""
        certain = self._people.certain
        return any(
            one.wanted[name]
            or (
                (one.boxes[name] < 0) & (one.chances[name] >= _LIKELY) & (self._miss_weights[name] >= _NEWS) & certain
            ).any()
            for name in self._boxes
        )

    def together(self, rows: Mapping[str, Ints]) -> Together:
        """Return how well these boxes of all cameras fit each person together; see ``fit_together``."""
        people = self._people
        total, total_vector, posture = people.prior.copy(), people.vector.copy(), people.posture.copy()
        score = np.zeros(self._count)
        for name, columns in rows.items():
            fit, chance, view, mean, cases, _, said = self._fit(name, total, total_vector, posture)
            gain = np.log1p(-chance)
            has = np.flatnonzero(columns >= 0)
            taken = columns[has]
            gain[has] = fit[has, taken] + people.weight[has]
            score += np.maximum(gain, -1e3)
            matrix, vector = view[has].say(
                mean[has], self._boxes[name][taken], cases[has, taken], self._settings, self._detectors.scale
            )
            total[has] += matrix
            total_vector[has] += vector
            posture[has] += said[has, taken]
        return Together(score, total - people.prior, total_vector - people.vector, posture - people.posture)


def _best_of(solver: _Solver, solutions: Sequence[_Solution], count: int) -> _Solution:
    """Return the best that can be put together of several solutions: one's way for each person, no box twice."""
    names = list(solutions[0].boxes)
    rows = np.stack([np.stack([one.boxes[name] for name in names], axis=1) for one in solutions])
    scores = np.stack([solver.together(one.boxes).score for one in solutions])
    chosen = packed(rows, scores)
    result = solutions[0]
    people = np.arange(count)
    # All of them were read above; the first is put together anew in place.
    for place, part in enumerate(result.parts()):
        for name in names:
            part[name] = np.stack([one.parts()[place][name] for one in solutions])[chosen, people]
    return result


def _clutter_density(view: PostureViews, found: Boxes, certain: NDArray[np.bool_], settings: FloorSettings) -> Array:
    """Return the log density (N, M) of boxes that are not of each person: of nobody, or second ones of others."""
    second = np.log(settings.duplicates) + view.secondary(found)
    second[~certain] = -np.inf
    others = np.full(second.shape, -np.inf)
    if len(second) > 1:
        place = second.argmax(axis=0)
        others[:] = second.max(axis=0)
        others[place, np.arange(len(found))] = np.partition(second, -2, axis=0)[-2]
    return np.asarray(np.logaddexp(found.log_clutter, others), np.float64)


def _otherwise(
    fit: Array,
    chance: Array,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    senior: Ints,
    settings: FloorSettings,
) -> Array:
    """Return how well each assigned box (K,) would be explained by somebody better known than its track, in nats.

    Who has no box in this camera could take it; who has one may have been found twice.
    """
    free = np.ones(len(fit), bool)
    free[rows] = False
    other = fit + np.where(free, -np.log1p(-chance), np.log(settings.duplicates))[:, None]
    better = senior[:, None] < senior[rows]
    return np.maximum(0.0, np.where(better, other[:, columns], -np.inf).max(axis=0, initial=-np.inf))
