"""Which box is whom, in all cameras at one instant: assign, estimate, and again with what the other cameras say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.floor.dealing import dealt
from tracker.floor.detector_model import DetectorModel
from tracker.floor.doubles import evidence_of_two
from tracker.floor.likelihood import Boxes, inverses
from tracker.floor.posture import PostureViews
from tracker.floor.settings import FloorSettings
from tracker.floor.view import FULLY_SEEN
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["Associated", "Expected", "associate", "clutter_density"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: most that one box may say for a person's being there, nats
_MOST_EVIDENCE = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """N people before an instant's boxes are looked at.

    Args:
        prior, vector: (N, 5, 5), (N, 5) information matrices and vectors of their states.
        sitting: (N,) log odds of sitting.
        weight: (N,) nats by which each may claim boxes, 0 for who is surely there.
        certain: (N,) who hides others, and may have been found twice.
        senior: (N,) rank, 0 for the best known.
    """

    prior: Array
    vector: Array
    sitting: Array
    weight: Array
    certain: NDArray[np.bool_]
    senior: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Associated:
    """What the boxes of an instant say of N people, in C cameras.

    Args:
        boxes: camera → (N,) row of its boxes that is each person; -1 none.
        said, said_vector: (N, 5, 5), (N, 5) information of their boxes.
        sits: (N,) nats that their boxes say for sitting.
        chances: camera → (N,) how likely each was to be found.
        evidence: (N,) nats that speak for each one's being there, and not being another that is better known.
        clear: camera → (N,) who is certain and wholly seen.
        off: camera → squared Mahalanobis distances of the assigned boxes, in the order of the people; NaN: not whole.
    """

    boxes: dict[str, Ints]
    said: Array
    said_vector: Array
    sits: Array
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
) -> Associated:
    """Assign the boxes of all cameras to people.

    A Hungarian problem for each camera, in rounds: in each the others' boxes have their say first, and between them
    the boxes of all cameras together are dealt anew (``dealt``).

    Args:
        cameras: by name.
        boxes: of the cameras that looked.
        people: who is expected.
        alike: camera → (N, M) nats by which looks speak for box M being person N.
        miss_weights: camera → (N,) how much a miss says.
        settings, detectors: of the tracker.
    """
    count = len(people.prior)
    assigned = {name: np.full(count, -1, np.int64) for name in boxes}
    matrices = {name: np.zeros((count, 5, 5)) for name in boxes}
    vectors = {name: np.zeros((count, 5)) for name in boxes}
    evidence = {name: np.zeros(count) for name in boxes}
    sits = {name: np.zeros(count) for name in boxes}
    chances = {name: np.zeros(count) for name in boxes}
    clear = {name: np.zeros(count, bool) for name in boxes}
    off = {name: np.zeros(0) for name in boxes}
    total, total_vector = people.prior.copy(), people.vector.copy()
    for round_ in range(settings.rounds if count else 0):
        for name, found in boxes.items():
            # What this camera itself said before is left out, or it would only confirm itself.
            others, others_vector = total - matrices[name], total_vector - vectors[name]
            cov = inverses(others)
            mean = np.einsum("nij,nj->ni", cov, others_vector)
            others_say = people.sitting + sum(sits.values()) - sits[name]
            view = PostureViews.of(cameras[name], mean, people.certain, others_say)
            chance = view.chance(detectors.rate)
            density, cases, distances, said = view.likelihood(cov, found, settings, detectors.scale)
            clutter = clutter_density(view, found, people.certain, settings)
            fit = density - clutter + np.log(chance)[:, None] + alike[name]
            rows, columns = assign(-(fit - np.log1p(-chance)[:, None] + people.weight[:, None]), 0.0)
            assigned[name] = np.full(count, -1, np.int64)
            assigned[name][rows] = columns
            off[name] = distances[rows, columns]
            clear[name] = people.certain & (view.visible >= FULLY_SEEN)
            chances[name] = chance
            evidence[name] = np.log1p(-chance) * miss_weights[name]
            value = fit[rows, columns] - _otherwise(fit, chance, rows, columns, people.senior, settings)
            evidence[name][rows] = np.minimum(value, _MOST_EVIDENCE)
            matrices[name], vectors[name] = np.zeros((count, 5, 5)), np.zeros((count, 5))
            matrices[name][rows], vectors[name][rows] = view[rows].say(
                mean[rows], found[columns], cases[rows, columns], settings, detectors.scale
            )
            sits[name] = np.zeros(count)
            sits[name][rows] = said[rows, columns]
            total, total_vector = others + matrices[name], others_vector + vectors[name]
        if round_ + 1 < settings.rounds:
            deal = dealt(
                people.prior, people.vector, total - people.prior, total_vector - people.vector, people.weight
            )
            for name in boxes:
                assigned[name], sits[name] = assigned[name][deal], sits[name][deal]
                matrices[name], vectors[name] = matrices[name][deal], vectors[name][deal]
            total = people.prior + sum(matrices.values())
            total_vector = people.vector + sum(vectors.values())
    said_all, vector_all = total - people.prior, total_vector - people.vector
    all_evidence = np.sum([*evidence.values(), np.zeros(count)], axis=0)
    if count and boxes:
        places = np.einsum("nij,nj->ni", inverses(total), total_vector)[:, :2]
        found_in = np.stack([assigned[name] >= 0 for name in boxes], axis=1)
        seen_at = np.stack([chances[name] for name in boxes], axis=1)
        as_two = evidence_of_two(
            people.prior, people.vector, said_all, vector_all, places, found_in, seen_at, people.senior,
            settings.duplicates,
        )  # fmt: skip
        all_evidence = np.minimum(all_evidence, as_two)
    sitting = np.sum([*sits.values(), np.zeros(count)], axis=0)
    return Associated(assigned, said_all, vector_all, sitting, chances, all_evidence, clear, off)


def clutter_density(
    view: PostureViews, found: Boxes, certain: NDArray[np.bool_], settings: FloorSettings
) -> Array:
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
