"""New people: boxes that nobody known explains, seen alike by as many cameras as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.floor.detector_model import DetectorModel
from tracker.floor.likelihood import HEAD_AND_FEET, NO_FEET, Boxes, box_log_likelihood, information, inverses
from tracker.floor.settings import FloorSettings
from tracker.floor.view import View, detection_chance
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["Arrival", "arrivals"]

Array = NDArray[np.float64]

#: how much a miss says, and most that one box may say, nats
_MISS, _MOST_EVIDENCE = 0.5, 8.0
#: metres: arrivals of one instant that are nearer than this are decided one after the other
_APART = 1.0
#: nats below which one box alone begins no track
_LEAST = -4.0
#: metres from a camera beyond which a box begins no track
_FARTHEST = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A new track: its state (5,), covariance (5, 5), log odds of being a person, and its boxes by camera."""

    mean: Array
    covariance: Array
    odds: float
    boxes: dict[str, int]


def arrivals(
    cameras: Mapping[str, FloorCamera],
    boxes: Mapping[str, Boxes],
    left: Mapping[str, NDArray[np.intp]],
    explained: Mapping[str, Array],
    view_of: Callable[[str, Array], View],
    settings: FloorSettings,
    detectors: DetectorModel,
    rate: float,
) -> list[Arrival]:
    """Return new tracks from boxes that are ``left``, the best first, far enough apart not to disturb each other.

    ``rate`` is how many new people an image holds. Each box begins a candidate where it puts a person on the floor;
    every other camera adds the box that fits best.
    """
    names = [name for name in boxes if len(left[name])]
    starts, seeds = [], []
    for name in names:
        for row in left[name]:
            place = _start(cameras[name], boxes[name], int(row), settings)
            if place is not None:
                starts.append(place)
                seeds.append((name, int(row)))
    if not starts:
        return []
    count = len(starts)
    prior = np.diag([1e-4, 1e-4, settings.walking_speed**-2, settings.walking_speed**-2, settings.height_deviation**-2])
    origin = np.zeros((count, 5))
    origin[:, :2] = starts
    origin[:, 4] = settings.person_height
    taken = {name: np.full(count, -1, np.int64) for name in boxes}
    for number, (name, row) in enumerate(seeds):
        taken[name][number] = row
    case_of = {name: np.zeros(count, np.int64) for name in boxes}
    first = np.log(rate / detectors.false_alarms)
    score = np.array([first - max(0.0, explained[name][row]) for name, row in seeds])
    for name in names:
        mine = taken[name] >= 0
        cut = boxes[name].bottom_cut[taken[name][mine]]
        case_of[name][mine] = np.where(cut, NO_FEET, HEAD_AND_FEET)
    mean, cov = origin, np.broadcast_to(np.linalg.inv(prior), (count, 5, 5))
    for _ in range(2):
        mean, cov = _estimate(mean, origin, prior, boxes, taken, case_of, view_of, settings, detectors.scale)
    for name, found in boxes.items():
        view = view_of(name, mean)
        chance = detection_chance(view, detectors.rate)
        others = np.flatnonzero(taken[name] < 0)
        rows = left[name]
        missed = np.log1p(-chance) * _MISS
        if len(rows):
            density, cases, _ = box_log_likelihood(view, cov, found[rows], settings, detectors.scale)
            fit = density - found.log_clutter + np.log(chance)[:, None] - np.maximum(0, explained[name][rows])
            best = fit.argmax(axis=1)
            value = fit[np.arange(count), best]
            good = others[value[others] > missed[others]]
            taken[name][good] = rows[best[good]]
            case_of[name][good] = cases[good, best[good]]
            score[good] += np.minimum(value[good], _MOST_EVIDENCE)
            rest = others[value[others] <= missed[others]]
            score[rest] += missed[rest]
            mean, cov = _estimate(mean, origin, prior, boxes, taken, case_of, view_of, settings, detectors.scale)
        else:
            score[others] += missed[others]
    mean, cov = _estimate(mean, origin, prior, boxes, taken, case_of, view_of, settings, detectors.scale)
    return _chosen(mean, cov, score, taken)


def _chosen(mean: Array, cov: Array, score: Array, taken: Mapping[str, NDArray[np.int64]]) -> list[Arrival]:
    result: list[Arrival] = []
    used: set[tuple[str, int]] = set()
    for number in np.argsort(-score, kind="stable").tolist():
        if score[number] < _LEAST or not np.isfinite(mean[number]).all():
            continue
        mine = {name: int(rows[number]) for name, rows in taken.items() if rows[number] >= 0}
        near = any(np.hypot(*(mean[number, :2] - one.mean[:2])) < _APART for one in result)
        if near or any(item in used for item in mine.items()):
            continue
        used.update(mine.items())
        result.append(Arrival(mean[number], cov[number], float(score[number]), mine))
    return result


def _start(camera: FloorCamera, boxes: Boxes, row: int, settings: FloorSettings) -> Array | None:
    x1, y1, x2, y2 = boxes.sides[row]
    middle = (x1 + x2) / 2
    if boxes.bottom_cut[row]:
        place = camera.to_floor([(middle, y1)], settings.person_height, maximum_distance=_FARTHEST)[0]
    else:
        place = camera.to_floor([(middle, y2)], maximum_distance=_FARTHEST)[0]
    return place if np.isfinite(place).all() else None


def _estimate(
    mean: Array,
    origin: Array,
    prior: Array,
    boxes: Mapping[str, Boxes],
    taken: Mapping[str, NDArray[np.int64]],
    case_of: Mapping[str, NDArray[np.int64]],
    view_of: Callable[[str, Array], View],
    settings: FloorSettings,
    scale: float,
) -> tuple[Array, Array]:
    total = np.repeat(prior[None], len(mean), axis=0)
    vector = origin @ prior
    for name, rows in taken.items():
        mine = np.flatnonzero(rows >= 0)
        if not len(mine):
            continue
        view = view_of(name, mean[mine])
        fine = np.flatnonzero(np.isfinite(view.boxes).all(axis=1))
        mine = mine[fine]
        matrix, add = information(view[fine], mean[mine], boxes[name][rows[mine]], case_of[name][mine], settings, scale)
        total[mine] += matrix
        vector[mine] += add
    cov = inverses(total)
    return np.einsum("nij,nj->ni", cov, vector), cov
