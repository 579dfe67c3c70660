"""New people: boxes that nobody known explains, seen alike by as many cameras as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.floor.detector_model import DetectorModel
from tracker.floor.likelihood import HEAD_AND_FEET, NO_FEET, Boxes, inverses
from tracker.floor.posture import (
    FACING,
    SEATED_CASES,
    SEATED_SHARE,
    SEATED_SLACK,
    USUAL_SHAPES,
    PostureViews,
    posture_of_shape,
    sitting_chance,
    usual_odds,
)
from tracker.floor.settings import FloorSettings
from tracker.floor.view import UPRIGHT, WITH_KNEES, Bodies, predicted_boxes
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.person_shape import SEAT_BEHIND, SEATED

__all__ = ["Arrival", "arrivals"]

Array = NDArray[np.float64]

#: how much a miss says, and most that one box may say, nats
_MISS, _MOST_EVIDENCE = 0.5, 8.0
#: metres: arrivals of one instant that are nearer than this are decided one after the other
_APART = 1.0
#: nats below which one box alone begins no track
_LEAST = -4.0
#: nats below which a reading of a box is not considered
_UNLIKE = -8.0
#: metres from a camera beyond which a box begins no track
_FARTHEST = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A new track: state (5,), covariance (5, 5), log odds of being a person and of sitting, and boxes by camera."""

    mean: Array
    covariance: Array
    odds: float
    sitting: float
    boxes: dict[str, int]


def arrivals(
    cameras: Mapping[str, FloorCamera],
    boxes: Mapping[str, Boxes],
    left: Mapping[str, NDArray[np.intp]],
    explained: Mapping[str, Array],
    view_of: Callable[[str, Array, Array], PostureViews],
    settings: FloorSettings,
    detectors: DetectorModel,
    rate_of: Callable[[Array], Array],
) -> list[Arrival]:
    """Return new tracks from boxes that are ``left``, the best first, far enough apart not to disturb each other.

    ``rate_of`` tells how many new people an image would hold, were it everywhere as at places (N, 2); 0: nobody can be
    there. Each box begins a candidate where it puts a person on the floor, in every way that it can be read; every
    other camera adds the box that fits best.
    """
    names = [name for name in boxes if len(left[name])]
    everything = []
    for name in names:
        seeds = _seeds(cameras[name], boxes[name], left[name], settings, detectors.scale)
        with np.errstate(divide="ignore"):
            score = np.log(rate_of(seeds.places) / detectors.false_alarms) + seeds.fit
        score -= np.maximum(0.0, explained[name][seeds.rows])
        # Whoever comes to nothing with all that the other cameras may say is not looked into.
        promising = score + _MOST_EVIDENCE * (len(names) - 1) >= _LEAST
        everything.append((name, seeds[promising], score[promising]))
    count = sum(len(score) for _, _, score in everything)
    if not count:
        return []
    prior = np.diag([1e-4, 1e-4, settings.walking_speed**-2, settings.walking_speed**-2, settings.height_deviation**-2])
    origin = np.zeros((count, 5))
    origin[:, :2] = np.concatenate([seeds.places for _, seeds, _ in everything])
    origin[:, 4] = settings.person_height
    score = np.concatenate([score for _, _, score in everything])
    sitting = np.concatenate([posture_of_shape(seeds.sitting, seeds.shapes) for _, seeds, _ in everything])
    taken = {name: np.full(count, -1, np.int64) for name in boxes}
    case_of = {name: np.zeros(count, np.int64) for name in boxes}
    start = 0
    for name, seeds, _ in everything:
        mine = slice(start, start := start + len(seeds.places))
        taken[name][mine], case_of[name][mine] = seeds.rows, seeds.cases
    mean, cov = origin, np.broadcast_to(np.linalg.inv(prior), (count, 5, 5))
    for _ in range(2):
        mean, cov = _estimate(mean, sitting, origin, prior, boxes, taken, case_of, view_of, settings, detectors.scale)
    to_come = len(names)
    for name, found in boxes.items():
        # Whoever comes to nothing with all that the cameras to come may say is not looked into further.
        alive = score + _MOST_EVIDENCE * to_come >= _LEAST
        if not alive.any():
            return []
        if not alive.all():
            mean, cov, score, sitting, origin = (part[alive] for part in (mean, cov, score, sitting, origin))
            taken = {other: rows[alive] for other, rows in taken.items()}
            case_of = {other: cases[alive] for other, cases in case_of.items()}
        to_come -= len(left[name]) > 0
        others = np.flatnonzero(taken[name] < 0)
        view = view_of(name, mean[others], sitting[others])
        chance = view.chance(detectors.rate)
        rows = left[name]
        missed = np.log1p(-chance) * _MISS
        if len(rows):
            density, cases, _, sits = view.likelihood(cov[others], found[rows], settings, detectors.scale)
            fit = density - found.log_clutter + np.log(chance)[:, None] - np.maximum(0, explained[name][rows])
            best = fit.argmax(axis=1)
            value = fit[np.arange(len(others)), best]
            fine = value > missed
            good, chosen = others[fine], best[fine]
            taken[name][good] = rows[chosen]
            case_of[name][good] = cases[fine, chosen]
            sitting[good] += sits[fine, chosen]
            score[good] += np.minimum(value[fine], _MOST_EVIDENCE)
            score[others[~fine]] += missed[~fine]
            mean, cov = _estimate(
                mean, sitting, origin, prior, boxes, taken, case_of, view_of, settings, detectors.scale
            )
        else:
            score[others] += missed
    mean, cov = _estimate(mean, sitting, origin, prior, boxes, taken, case_of, view_of, settings, detectors.scale)
    possible: NDArray[np.bool_] = np.asarray(np.isfinite(mean).all(axis=1))
    possible[possible] = rate_of(mean[possible, :2]) > 0
    return _chosen(mean, cov, np.where(possible, score, -np.inf), sitting, taken)


def _chosen(
    mean: Array, cov: Array, score: Array, sitting: Array, taken: Mapping[str, NDArray[np.int64]]
) -> list[Arrival]:
    result: list[Arrival] = []
    used: set[tuple[str, int]] = set()
    for number in np.argsort(-score, kind="stable").tolist():
        if score[number] < _LEAST:
            continue
        mine = {name: int(rows[number]) for name, rows in taken.items() if rows[number] >= 0}
        near = any(np.hypot(*(mean[number, :2] - one.mean[:2])) < _APART for one in result)
        if near or any(item in used for item in mine.items()):
            continue
        used.update(mine.items())
        result.append(Arrival(mean[number], cov[number], float(score[number]), float(sitting[number, 0]), mine))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Seeds:
    """K ways to read boxes of one camera: places (K, 2), rows (K,) of the boxes, cases (K,) for ``PostureViews.say``,
    log odds of sitting (K,), shapes (K,) of who sits, and nats (K,) by which a person's height and habits speak for the
    reading.
    """

    places: Array
    rows: NDArray[np.int64]
    cases: NDArray[np.int64]
    sitting: Array
    shapes: NDArray[np.int64]
    fit: Array

    def __getitem__(self, rows: NDArray[np.bool_]) -> _Seeds:
        return _Seeds(
            self.places[rows], self.rows[rows], self.cases[rows], self.sitting[rows], self.shapes[rows], self.fit[rows]
        )  # fmt: skip


def _seeds(camera: FloorCamera, boxes: Boxes, rows: NDArray[np.intp], settings: FloorSettings, scale: float) -> _Seeds:
    """Read each of the boxes as somebody who stands, who sits, and of whom the feet are hidden."""
    sides, count = boxes.sides[rows], len(rows)
    middle = (sides[:, 0] + sides[:, 2]) / 2
    # Who stands, who sits with knees that are not seen, and with knees in each direction: each row is one of these.
    shapes = np.arange(-1, len(USUAL_SHAPES))[:, None]
    ways, low, knees = len(shapes), shapes >= 0, shapes > 0
    facing = FACING[np.maximum(shapes - 1, 0)]
    usual, tall_people = usual_odds(settings), settings.person_height
    habit = np.where(low, np.log(sitting_chance(np.array(usual))), np.log(sitting_chance(np.array(-usual))))
    habit = habit + np.where(low, USUAL_SHAPES[np.maximum(shapes, 0)], 0.0)
    feet = camera.to_floor(np.column_stack([middle, sides[:, 3]]), maximum_distance=_FARTHEST)
    feet = np.broadcast_to(feet, (ways, count, 2))
    each = np.broadcast_to(shapes, (ways, count)).ravel()
    bodies = Bodies(
        feet.reshape(-1, 2), np.full(len(each), tall_people), np.where(each == 0, SEATED_SHARE, 1.0),
        np.where(each >= 0, SEATED_SLACK, 0.0), np.where(each > 0, WITH_KNEES, UPRIGHT),
        np.broadcast_to(facing, (ways, count)).ravel(),
    )  # fmt: skip
    box, slope = predicted_boxes(camera, bodies)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_metre = slope[:, 1, 2]
        tall = box[:, 3] - box[:, 1]
        noise = (scale * np.hypot(settings.top_noise, settings.bottom_noise) * tall) ** 2 + 2 * settings.pixel_noise**2
        variance = settings.height_deviation**2 + bodies.slack**2 + noise / per_metre**2
        off = (np.tile(sides[:, 1], ways) - box[:, 1]) / per_metre
        fit = (-0.5 * off**2 / variance).reshape(ways, count) + np.where(low, 0.0, np.log1p(-settings.hidden_feet))
    fit_feet = np.where(boxes.bottom_cut[rows] | boxes.top_cut[rows], -np.inf, fit + habit)
    # Where the head is says where they are, if nobody sees their feet.
    shares = np.where(knees, SEATED[-1][0], np.where(low, SEATED_SHARE, 1.0))
    heads = camera.to_floor(
        np.tile(np.column_stack([middle, sides[:, 1]]), (ways, 1)), np.repeat(shares.ravel() * tall_people, count),
        maximum_distance=_FARTHEST,
    ).reshape(ways, count, 2)  # fmt: skip
    ahead = np.stack([np.cos(facing), np.sin(facing)], axis=-1)
    heads = heads + np.where(knees[..., None], SEAT_BEHIND * tall_people * ahead, 0.0)
    fit_heads = np.where(boxes.bottom_cut[rows], 0.0, np.log(settings.hidden_feet)) + habit
    fit_heads = np.where(boxes.top_cut[rows], -np.inf, fit_heads)
    cases = SEATED_CASES * (1 + shapes) + np.array([HEAD_AND_FEET, NO_FEET])
    everything = _Seeds(
        np.stack([feet, heads], axis=1).reshape(-1, 2),
        np.tile(np.asarray(rows, np.int64), 2 * ways),
        np.repeat(cases.ravel(), count),
        np.repeat(np.where(low, usual + 2.0, usual - 2.0).ravel(), 2 * count),
        np.repeat(np.maximum(shapes, 0).ravel(), 2 * count),
        np.stack([fit_feet, fit_heads], axis=1).ravel(),
    )
    fine = np.isfinite(everything.places).all(axis=1) & (everything.fit > _UNLIKE)
    return everything[fine]


def _estimate(
    mean: Array,
    sitting: Array,
    origin: Array,
    prior: Array,
    boxes: Mapping[str, Boxes],
    taken: Mapping[str, NDArray[np.int64]],
    case_of: Mapping[str, NDArray[np.int64]],
    view_of: Callable[[str, Array, Array], PostureViews],
    settings: FloorSettings,
    scale: float,
) -> tuple[Array, Array]:
    total = np.repeat(prior[None], len(mean), axis=0)
    vector = origin @ prior
    for name, rows in taken.items():
        mine = np.flatnonzero(rows >= 0)
        if not len(mine):
            continue
        view = view_of(name, mean[mine], sitting[mine])
        fine = np.flatnonzero(view.can_say(case_of[name][mine]))
        mine = mine[fine]
        matrix, add = view[fine].say(mean[mine], boxes[name][rows[mine]], case_of[name][mine], settings, scale)
        total[mine] += matrix
        vector[mine] += add
    cov = inverses(total)
    return np.einsum("nij,nj->ni", cov, vector), cov
