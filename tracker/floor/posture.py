"""People stand or sit: how they look either way, and what boxes say of which it is.

A posture is a row of numbers: the log odds of sitting, and the logarithm of the chance of each shape that who sits may
have: knees hidden or drawn in (as a person who stands, only lower), or knees ahead, in one of eight directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.floor.likelihood import CASES, Boxes, box_log_likelihood, information, secondary_log_density
from tracker.floor.settings import FloorSettings
from tracker.floor.view import (
    UPRIGHT,
    WITH_KNEES,
    Bodies,
    View,
    detection_chance,
    distances_from,
    look_at,
)
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.person_shape import SEAT_BEHIND

__all__ = [
    "FACING",
    "POSTURE_SIZE",
    "SEATED_CASES",
    "SEATED_SHARE",
    "SEATED_SLACK",
    "USUAL_SHAPES",
    "PostureViews",
    "body_places",
    "posture_later",
    "posture_of_shape",
    "sitting_chance",
    "usual_odds",
    "usual_posture",
    "walking_says",
]

Array = NDArray[np.float64]

#: of the height of people who stand, where the heads of those are who sit without knees to be seen, and how far heads
#: of all who sit are off
SEATED_SHARE, SEATED_SLACK = 0.74, 0.07
#: directions of knees, radians
FACING = np.arange(8) * np.pi / 4
#: chance of each shape of somebody of whom nothing is known
USUAL_SHAPES = np.log(np.array([0.3, *np.full(len(FACING), 0.7 / len(FACING))]))
_SHAPES = len(USUAL_SHAPES)
#: numbers of a posture
POSTURE_SIZE = 1 + _SHAPES
#: cases of ``box_log_likelihood`` that are of who sits are counted on from here, those of each shape after another
SEATED_CASES = len(CASES)
#: most that one box says of the posture, nats
_MOST = 2.0
#: log odds of sitting never leave the first, and beyond the second the other posture is not considered
_CERTAIN, _BEYOND_DOUBT = 6.0, 4.5
#: a shape that is less likely than the likeliest by this is not looked at, nats
_UNLIKELY_SHAPE = 4.0
#: deviation of each velocity of who sits, m/s
_STILL = 0.15
#: how often who sits turns, and who stands may sit down another way, per second
_TURNING, _ANOTHER_WAY = 0.05, 1.0


def sitting_chance(odds: Array) -> Array:
    """Return the chances (N,) of log odds (N,)."""
    return 1 / (1 + np.exp(-odds))


def usual_odds(settings: FloorSettings) -> float:
    """Return the log odds that somebody of whom nothing is known sits."""
    return float(np.log(settings.sitting_down / settings.rising))


def usual_posture(settings: FloorSettings, odds: float | None = None) -> Array:
    """Return the posture (P,) of somebody of whom nothing is known, or only the log odds of sitting."""
    return np.concatenate([[usual_odds(settings) if odds is None else odds], USUAL_SHAPES])


def posture_of_shape(odds: Array, shape: NDArray[np.int64]) -> Array:
    """Return postures (N, P) of people who sit at log odds (N,), and then in these shapes (N,) for sure."""
    shapes = np.full((len(odds), _SHAPES), -2 * _UNLIKELY_SHAPE)
    shapes[np.arange(len(odds)), shape] = 0
    return np.column_stack([odds, shapes])


def posture_later(posture: Array, seconds: float, settings: FloorSettings) -> Array:
    """Return postures (N, P) after so many seconds in which some sat down, some rose and some turned."""
    down, up = settings.sitting_down, settings.rising
    settled = down / (down + up)
    now = sitting_chance(posture[:, 0])
    chance = settled + (now - settled) * np.exp(-(down + up) * seconds)
    odds = np.clip(np.log(chance / (1 - chance)), -_CERTAIN, _CERTAIN)
    shapes = posture[:, 1:] - np.logaddexp.reduce(posture[:, 1:], axis=1)[:, None]
    kept = np.exp(-(_TURNING + _ANOTHER_WAY * (1 - now)) * seconds)[:, None]
    shapes = np.log(np.exp(shapes) * kept + np.exp(USUAL_SHAPES) * (1 - kept))
    return np.column_stack([odds, shapes])


def body_places(states: Array, posture: Array) -> Array:
    """Return where the bodies are (N, 2), in metres, of people of ``states`` (N, 5) in ``posture`` (N, P).

    States are where feet are; the body of who sits is behind them.
    """
    shapes = np.exp(posture[:, 1:] - np.logaddexp.reduce(posture[:, 1:], axis=1)[:, None])
    ahead = shapes[:, 1:] @ np.column_stack([np.cos(FACING), np.sin(FACING)])
    return states[:, :2] - (SEAT_BEHIND * states[:, 4] * sitting_chance(posture[:, 0]))[:, None] * ahead


def walking_says(states: Array, covariance: Array) -> Array:
    """Return nats (N, P) by which their speeds speak against sitting: who walks does not sit.

    Args:
        states: (N, 5) of people.
        covariance: (N, 5, 5) of the states.
    """
    said = np.zeros((len(states), POSTURE_SIZE))
    variance = _STILL**2 + (covariance[:, 2, 2] + covariance[:, 3, 3]) / 2
    off = (states[:, 2:4] ** 2).sum(axis=1) / variance
    # Two velocities are off by two squared deviations on average.
    said[:, 0] = -np.minimum(np.maximum(off - 2, 0.0) / 2, _MOST)
    return said


@dataclass(frozen=True, slots=True, eq=False)
class PostureViews:
    """N people in one camera: as they would look if they stood, and if they sat.

    Args:
        looks: the views of everybody in every posture that is open, and of nobody in the last row.
        upright: (N,) the row of each person who stands.
        row: (N, S) the row of each person in each shape; -1, which is nobody: not looked at.
        posture: (N, P) of the people.
    """

    looks: View
    upright: NDArray[np.int64]
    row: NDArray[np.int64]
    posture: Array

    @classmethod
    def of(cls, camera: FloorCamera, states: Array, certain: NDArray[np.bool_], posture: Array) -> PostureViews:
        """Look at people of ``states`` (N, 5) with ``posture`` (N, P); who is ``certain`` hides others."""
        count, odds, shapes = len(states), posture[:, 0], posture[:, 1:]
        likely = shapes >= shapes.max(axis=1, initial=-np.inf, keepdims=True) - _UNLIKELY_SHAPE
        person, shape = np.nonzero(likely & (odds > -_BEYOND_DOUBT)[:, None])
        hiding = np.flatnonzero(certain)
        # Whoever hides others does so in the likelier posture: as they stand, or lower, which nobody else asked for.
        low = odds[hiding] > 0
        sitting = hiding[low]
        who = np.concatenate([np.arange(count), person, sitting])
        asked = count + len(person)
        shares, slack = np.ones(len(who)), np.zeros(len(who))
        shares[count:], slack[count:] = SEATED_SHARE, SEATED_SLACK
        kinds, facing = np.full(len(who), UPRIGHT), np.zeros(len(who))
        knees = count + np.flatnonzero(shape > 0)
        shares[knees], kinds[knees], facing[knees] = 1.0, WITH_KNEES, FACING[shape[shape > 0] - 1]
        screens = hiding.copy()
        screens[low] = asked + np.arange(len(sitting))
        distances = distances_from(camera, states[:, :2])
        bodies = Bodies(states[who, :2], states[who, 4], shares, slack, kinds, facing)
        seen, _ = look_at(camera, bodies, distances[who], lambda boxes: (boxes[screens], distances[hiding]))
        unseen = np.zeros(len(who), bool)
        unseen[:count] = odds >= _BEYOND_DOUBT
        row = np.full(shapes.shape, -1, np.int64)
        row[person, shape] = np.arange(count, asked)
        return cls(_with_nobody(seen, unseen, asked), np.arange(count), row, posture)

    @property
    def odds(self) -> Array:
        """(N,) log odds of sitting."""
        return self.posture[:, 0]

    @property
    def standing(self) -> View:
        """(N,) how they look if they stand; NaN for who surely sits."""
        return self.looks[self.upright]

    @property
    def seated(self) -> View:
        """How they look who may sit, in each shape that they may have."""
        return self.looks[self.row[self.row >= 0]]

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> PostureViews:
        return PostureViews(self.looks, self.upright[rows], self.row[rows], self.posture[rows])

    @property
    def _likeliest(self) -> NDArray[np.int64]:
        """(N,) rows of those who sit, in the likeliest shape; nobody's for who stands for sure."""
        return self._seated_as(self.posture[:, 1:].argmax(axis=1))

    @property
    def _likelier(self) -> NDArray[np.int64]:
        """(N,) rows of them in the likelier posture."""
        return np.where(self.odds > 0, self._likeliest, self.upright)

    def _seated_as(self, shape: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of the people who sit in shapes (N,)."""
        return np.asarray(self.row[np.arange(len(self.row)), shape], np.int64)

    def _in_cases(self, cases: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of the people in the postures of their cases (N,)."""
        low = cases >= SEATED_CASES
        if not low.any():
            return self.upright
        return np.where(low, self._seated_as(np.where(low, cases // SEATED_CASES - 1, 0)), self.upright)

    @property
    def visible(self) -> Array:
        """(N,) share of them that can be seen, in the likelier posture."""
        return self.looks.visible[self._likelier]

    def can_say(self, cases: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (N,) who is in front of the camera, looked at in the posture of their cases (N,)."""
        return np.asarray(np.isfinite(self.looks.boxes[self._in_cases(cases)]).all(axis=1), bool)

    def chance(self, rate: float) -> Array:
        """Return (N,) how likely each is detected, where those wholly seen are at ``rate``."""
        odds = self.odds
        sits = np.where(np.abs(odds) < _BEYOND_DOUBT, sitting_chance(odds), odds > 0)
        visible = self.looks.visible
        standing = detection_chance(visible[self.upright], rate)
        return standing * (1 - sits) + detection_chance(visible[self._likeliest], rate) * sits

    def likelihood(
        self, covariance: Array, boxes: Boxes, settings: FloorSettings, scale: float
    ) -> tuple[Array, NDArray[np.int64], Array, Array]:
        """Return what ``box_log_likelihood`` does, all postures considered, and what boxes say of the posture.

        Returns: log densities (N, M); cases (N, M) for ``say``; squared distances (N, M), NaN but for whole boxes of
        who stands; nats (N, M, P) by which each box speaks for sitting and, if so, for each shape.
        """
        count, found = len(self.row), len(boxes)
        person, shape = np.nonzero(self.row >= 0)
        everybody = np.concatenate([self.upright, self.row[person, shape]])
        owner = np.concatenate([np.arange(count), person])
        density, every_case, every_distance = self._fit(everybody, covariance[owner], boxes, settings, scale)
        upright, case, distance = density[:count], every_case[:count], every_distance[:count]
        sits = sitting_chance(self.odds)[:, None]
        said = np.zeros((count, found, POSTURE_SIZE))
        if not len(person):
            with np.errstate(invalid="ignore"):
                return upright + np.log(1 - sits), case, distance, said
        by_shape = np.full((count, _SHAPES, found), -np.inf)
        by_shape[person, shape] = density[count:]
        case_by_shape = np.zeros((count, _SHAPES, found), np.int64)
        case_by_shape[person, shape] = every_case[count:] + SEATED_CASES * (1 + shape)[:, None]
        shapes = self.posture[:, 1:] - np.logaddexp.reduce(self.posture[:, 1:], axis=1)[:, None]
        weighed = by_shape + shapes[..., None]
        low = np.logaddexp.reduce(weighed, axis=1)
        best = weighed.argmax(axis=1)[:, None]
        low_case = np.take_along_axis(case_by_shape, best, axis=1)[:, 0]
        with np.errstate(invalid="ignore"):
            said[..., 0] = np.nan_to_num(np.clip(low - upright, -_MOST, _MOST))
            said[np.abs(self.odds) >= _BEYOND_DOUBT, :, 0] = 0
            more = np.nan_to_num(np.clip(by_shape - low[:, None], -_MOST, _MOST))
            said[..., 1:] = np.where(self.row[..., None] >= 0, more, 0.0).swapaxes(1, 2)
            stands_at, sits_at = upright + np.log(1 - sits), low + np.log(sits)
        lower = sits_at > stands_at
        return (
            np.logaddexp(stands_at, sits_at),
            np.where(lower, low_case, case),
            np.where(lower, np.nan, distance),
            said,
        )

    def _fit(
        self, rows: NDArray[np.int64], covariance: Array, boxes: Boxes, settings: FloorSettings, scale: float
    ) -> tuple[Array, NDArray[np.int64], Array]:
        """Return ``box_log_likelihood`` of rows (R,) of ``looks``; of those who are not in front, that of nothing."""
        there = np.flatnonzero(np.isfinite(self.looks.boxes[rows]).all(axis=1))
        if len(there) == len(rows):
            return box_log_likelihood(self.looks[rows], covariance, boxes, settings, scale)
        size = (len(rows), len(boxes))
        density, case, distance = np.full(size, -np.inf), np.zeros(size, np.int64), np.full(size, np.nan)
        if len(there) and len(boxes):
            density[there], case[there], distance[there] = box_log_likelihood(
                self.looks[rows[there]], covariance[there], boxes, settings, scale
            )
        return density, case, distance

    def secondary(self, boxes: Boxes) -> Array:
        """Return ``secondary_log_density`` (N, M) of boxes, in the likelier posture."""
        return secondary_log_density(self.looks.boxes[self._likelier], boxes)

    def say(
        self, states: Array, boxes: Boxes, cases: NDArray[np.int64], settings: FloorSettings, scale: float
    ) -> tuple[Array, Array]:
        """Return what K boxes say of these K people at ``states``: ``information`` in the posture of each case."""
        return information(
            self.looks[self._in_cases(cases)], states, boxes, cases % SEATED_CASES, settings, scale
        )  # fmt: skip


def _with_nobody(seen: View, unseen: NDArray[np.bool_], count: int) -> View:
    """Return the first ``count`` rows of a view, but for those that are not asked for, and a row of nobody."""
    hidden = unseen[:count]
    return View(
        np.concatenate([np.where(hidden[:, None], np.nan, seen.boxes[:count]), np.full((1, 4), np.nan)]),
        np.concatenate([np.where(hidden[:, None, None], np.nan, seen.jacobian[:count]), np.full((1, 4, 3), np.nan)]),
        np.append(np.where(hidden, 0.0, seen.visible[:count]), 0.0),
        np.append(np.where(hidden, 0.0, seen.feet_visible[:count]), 0.0),
        np.append(seen.slack[:count], SEATED_SLACK),
    )
