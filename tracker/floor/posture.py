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
from tracker.floor.view import View, detection_chance, look
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
        standing: the view of all of them.
        seated: (R) views of those who may sit, in each shape that they may have.
        row: (N, S) the row of ``seated`` that has a person in a shape; -1: not looked at.
        posture: (N, P) of the people.
    """

    standing: View
    seated: View
    row: NDArray[np.int64]
    posture: Array

    @classmethod
    def of(cls, camera: FloorCamera, states: Array, certain: NDArray[np.bool_], posture: Array) -> PostureViews:
        """Look at people of ``states`` (N, 5) with ``posture`` (N, P); who is ``certain`` hides others."""
        odds, shapes = posture[:, 0], posture[:, 1:]
        hiding = np.where(odds > 0, SEATED_SHARE, 1.0)
        standing = look(camera, states, certain, hiding=hiding, asked=odds < _BEYOND_DOUBT)
        likely = shapes >= shapes.max(axis=1, initial=-np.inf, keepdims=True) - _UNLIKELY_SHAPE
        person, shape = np.nonzero(likely & (odds > -_BEYOND_DOUBT)[:, None])
        row = np.full(shapes.shape, -1, np.int64)
        row[person, shape] = np.arange(len(person))
        knees = shape > 0
        count, people = len(states), states[person]
        # Those who hide others come first, and are not asked for.
        everybody = np.concatenate([states, people])
        hides = np.concatenate([certain, np.zeros(len(people), bool)])
        hiding = np.concatenate([hiding, np.ones(len(people))])
        asked = np.arange(len(everybody)) >= count
        low, wide = asked.copy(), asked.copy()
        low[count:], wide[count:] = ~knees, knees
        facing = np.zeros(len(everybody))
        facing[count:] = np.append(0.0, FACING)[shape]
        compact = look(
            camera, everybody, hides, share=SEATED_SHARE, slack=SEATED_SLACK, hiding=hiding, asked=low
        )[count:]  # fmt: skip
        if not knees.any():
            return cls(standing, compact, row, posture)
        ahead = look(camera, everybody, hides, slack=SEATED_SLACK, hiding=hiding, asked=wide, facing=facing)[count:]
        return cls(standing, _either(knees, ahead, compact), row, posture)

    @property
    def odds(self) -> Array:
        """(N,) log odds of sitting."""
        return self.posture[:, 0]

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> PostureViews:
        return PostureViews(self.standing[rows], self.seated, self.row[rows], self.posture[rows])

    @property
    def _likeliest(self) -> View:
        """(N,) how they look who sit, in the likeliest shape; NaN for who stands for sure."""
        return self._seated_as(self.posture[:, 1:].argmax(axis=1))

    def _seated_as(self, shape: NDArray[np.int64]) -> View:
        """Return how the people would look who sit in shapes (N,)."""
        rows = self.row[np.arange(len(self.row)), shape]
        nobody = View(
            np.full((1, 4), np.nan), np.full((1, 4, 3), np.nan), np.zeros(1), np.zeros(1), np.full(1, SEATED_SLACK)
        )
        return _joined(self.seated, nobody)[rows]

    @property
    def visible(self) -> Array:
        """(N,) share of them that can be seen, in the likelier posture."""
        return np.where(self.odds > 0, self._likeliest.visible, self.standing.visible)

    def can_say(self, cases: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (N,) who is in front of the camera, looked at in the posture of their cases (N,)."""
        low = cases >= SEATED_CASES
        seated = self._seated_as(np.where(low, cases // SEATED_CASES - 1, 0))
        sides = np.where(low[:, None], seated.boxes, self.standing.boxes)
        return np.asarray(np.isfinite(sides).all(axis=1), bool)

    def chance(self, rate: float) -> Array:
        """Return (N,) how likely each is detected, where those wholly seen are at ``rate``."""
        sits = sitting_chance(self.odds)
        sits = np.where(np.abs(self.odds) < _BEYOND_DOUBT, sits, self.odds > 0)
        return detection_chance(self.standing, rate) * (1 - sits) + detection_chance(self._likeliest, rate) * sits

    def likelihood(
        self, covariance: Array, boxes: Boxes, settings: FloorSettings, scale: float
    ) -> tuple[Array, NDArray[np.int64], Array, Array]:
        """Return what ``box_log_likelihood`` does, all postures considered, and what boxes say of the posture.

        Returns: log densities (N, M); cases (N, M) for ``say``; squared distances (N, M), NaN but for whole boxes of
        who stands; nats (N, M, P) by which each box speaks for sitting and, if so, for each shape.
        """
        count, found = len(self.row), len(boxes)
        upright, case, distance = _part(self.standing, covariance, boxes, settings, scale)
        person, shape = np.nonzero(self.row >= 0)
        rows = self.row[person, shape]
        alone, alone_case, _ = _part(self.seated[rows], covariance[person], boxes, settings, scale)
        by_shape = np.full((count, _SHAPES, found), -np.inf)
        by_shape[person, shape] = alone
        case_by_shape = np.zeros((count, _SHAPES, found), np.int64)
        case_by_shape[person, shape] = alone_case + SEATED_CASES * (1 + shape)[:, None]
        shapes = self.posture[:, 1:] - np.logaddexp.reduce(self.posture[:, 1:], axis=1)[:, None]
        weighed = by_shape + shapes[..., None]
        low = np.logaddexp.reduce(weighed, axis=1)
        best = weighed.argmax(axis=1)[:, None]
        low_case = np.take_along_axis(case_by_shape, best, axis=1)[:, 0]
        sits = sitting_chance(self.odds)[:, None]
        said = np.zeros((count, found, POSTURE_SIZE))
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

    def secondary(self, boxes: Boxes) -> Array:
        """Return ``secondary_log_density`` (N, M) of boxes, in the likelier posture."""
        sides = np.where((self.odds > 0)[:, None], self._likeliest.boxes, self.standing.boxes)
        return secondary_log_density(sides, boxes)

    def say(
        self, states: Array, boxes: Boxes, cases: NDArray[np.int64], settings: FloorSettings, scale: float
    ) -> tuple[Array, Array]:
        """Return what K boxes say of these K people at ``states``: ``information`` in the posture of each case."""
        matrix, vector = np.zeros((len(states), 5, 5)), np.zeros((len(states), 5))
        low = cases >= SEATED_CASES
        for rows in (np.flatnonzero(~low), np.flatnonzero(low)):
            if not len(rows):
                continue
            if low[rows[0]]:
                view = self[rows]._seated_as(cases[rows] // SEATED_CASES - 1)
            else:
                view = self.standing[rows]
            matrix[rows], vector[rows] = information(
                view, states[rows], boxes[rows], cases[rows] % SEATED_CASES, settings, scale
            )
        return matrix, vector


def _part(
    view: View, covariance: Array, boxes: Boxes, settings: FloorSettings, scale: float
) -> tuple[Array, NDArray[np.int64], Array]:
    """Return ``box_log_likelihood`` of those who are in this view."""
    rows = np.flatnonzero(np.isfinite(view.boxes).all(axis=1))
    shape = (len(view.boxes), len(boxes))
    density, case, distance = np.full(shape, -np.inf), np.zeros(shape, np.int64), np.full(shape, np.nan)
    if len(rows) and len(boxes):
        density[rows], case[rows], distance[rows] = box_log_likelihood(
            view[rows], covariance[rows], boxes, settings, scale
        )
    return density, case, distance


def _joined(first: View, second: View) -> View:
    """Return the people of two views as one."""
    return View(
        np.concatenate([first.boxes, second.boxes]),
        np.concatenate([first.jacobian, second.jacobian]),
        np.concatenate([first.visible, second.visible]),
        np.concatenate([first.feet_visible, second.feet_visible]),
        np.concatenate([first.slack, second.slack]),
    )


def _either(which: NDArray[np.bool_], one: View, other: View) -> View:
    """Return, person by person, one view or the other."""
    return View(
        np.where(which[:, None], one.boxes, other.boxes),
        np.where(which[:, None, None], one.jacobian, other.jacobian),
        np.where(which, one.visible, other.visible),
        np.where(which, one.feet_visible, other.feet_visible),
        np.where(which, one.slack, other.slack),
    )
