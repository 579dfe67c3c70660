"""People stand or sit: how they look either way, and what boxes say of which it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.floor.likelihood import CASES, Boxes, box_log_likelihood, information, secondary_log_density
from tracker.floor.settings import FloorSettings
from tracker.floor.view import View, detection_chance, look
from tracker.geometry.floor_camera import FloorCamera

__all__ = [
    "SEATED_CASES",
    "SEATED_SHARE",
    "SEATED_SLACK",
    "PostureViews",
    "sitting_chance",
    "sitting_later",
    "usual_odds",
]

Array = NDArray[np.float64]

#: of the height of people who stand, where the heads of those who sit on chairs are, and how far heads are off
SEATED_SHARE, SEATED_SLACK = 0.74, 0.07
#: cases of ``box_log_likelihood`` that are of who sits are counted on from here
SEATED_CASES = len(CASES)
#: most that one box says of the posture, nats
_MOST = 2.0
#: log odds of sitting never leave the first, and beyond the second the other posture is not considered
_CERTAIN, _BEYOND_DOUBT = 6.0, 4.5


def sitting_chance(odds: Array) -> Array:
    """Return the chances (N,) of log odds (N,)."""
    return 1 / (1 + np.exp(-odds))


def usual_odds(settings: FloorSettings) -> float:
    """Return the log odds that somebody of whom nothing is known sits."""
    return float(np.log(settings.sitting_down / settings.rising))


def sitting_later(odds: Array, seconds: float, settings: FloorSettings) -> Array:
    """Return log odds (N,) of sitting after so many seconds in which some sat down and some rose."""
    down, up = settings.sitting_down, settings.rising
    settled = down / (down + up)
    chance = settled + (sitting_chance(odds) - settled) * np.exp(-(down + up) * seconds)
    return np.clip(np.log(chance / (1 - chance)), -_CERTAIN, _CERTAIN)


@dataclass(frozen=True, slots=True, eq=False)
class PostureViews:
    """N people in one camera: as they would look if they stood, and if they sat.

    Args:
        standing, seated: the views.
        odds: (N,) log odds of sitting.
    """

    standing: View
    seated: View
    odds: Array

    @classmethod
    def of(cls, camera: FloorCamera, states: Array, certain: NDArray[np.bool_], odds: Array) -> PostureViews:
        """Look at people of ``states`` (N, 5) who sit at log ``odds`` (N,); who is ``certain`` hides others."""
        hiding = np.where(odds > 0, SEATED_SHARE, 1.0)
        return cls(
            look(camera, states, certain, hiding=hiding, asked=odds < _BEYOND_DOUBT),
            look(
                camera, states, certain, share=SEATED_SHARE, slack=SEATED_SLACK, hiding=hiding,
                asked=odds > -_BEYOND_DOUBT,
            ),
            odds,
        )  # fmt: skip

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> PostureViews:
        return PostureViews(self.standing[rows], self.seated[rows], self.odds[rows])

    @property
    def visible(self) -> Array:
        """(N,) share of them that can be seen, in the likelier posture."""
        return np.where(self.odds > 0, self.seated.visible, self.standing.visible)

    def can_say(self, cases: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (N,) who is in front of the camera, looked at in the posture of their cases (N,)."""
        sides = np.where((cases >= SEATED_CASES)[:, None], self.seated.boxes, self.standing.boxes)
        return np.asarray(np.isfinite(sides).all(axis=1), bool)

    def chance(self, rate: float) -> Array:
        """Return (N,) how likely each is detected, where those wholly seen are at ``rate``."""
        sits = sitting_chance(self.odds)
        sits = np.where(np.abs(self.odds) < _BEYOND_DOUBT, sits, self.odds > 0)
        return detection_chance(self.standing, rate) * (1 - sits) + detection_chance(self.seated, rate) * sits

    def likelihood(
        self, covariance: Array, boxes: Boxes, settings: FloorSettings, scale: float
    ) -> tuple[Array, NDArray[np.int64], Array, Array]:
        """Return what ``box_log_likelihood`` does, either posture considered, and what boxes say for sitting.

        Returns: log densities (N, M); cases (N, M) for ``say``; squared distances (N, M), NaN but for whole boxes of
        who stands; nats (N, M) by which each box speaks for sitting.
        """
        upright, case, distance = self._part(self.standing, covariance, boxes, settings, scale)
        low, low_case, _ = self._part(self.seated, covariance, boxes, settings, scale)
        sits = sitting_chance(self.odds)[:, None]
        with np.errstate(invalid="ignore"):
            said = np.nan_to_num(np.clip(low - upright, -_MOST, _MOST))
            said[np.abs(self.odds) >= _BEYOND_DOUBT] = 0
            stands_at, sits_at = upright + np.log(1 - sits), low + np.log(sits)
        lower = sits_at > stands_at
        return (
            np.logaddexp(stands_at, sits_at),
            np.where(lower, low_case + SEATED_CASES, case),
            np.where(lower, np.nan, distance),
            said,
        )

    @staticmethod
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

    def secondary(self, boxes: Boxes) -> Array:
        """Return ``secondary_log_density`` (N, M) of boxes, in the likelier posture."""
        sides = np.where((self.odds > 0)[:, None], self.seated.boxes, self.standing.boxes)
        return secondary_log_density(sides, boxes)

    def say(
        self, states: Array, boxes: Boxes, cases: NDArray[np.int64], settings: FloorSettings, scale: float
    ) -> tuple[Array, Array]:
        """Return what K boxes say of these K people at ``states``: ``information`` in the posture of each case."""
        matrix, vector = np.zeros((len(states), 5, 5)), np.zeros((len(states), 5))
        for low, view in enumerate((self.standing, self.seated)):
            rows = np.flatnonzero((cases >= SEATED_CASES) == bool(low))
            matrix[rows], vector[rows] = information(
                view[rows], states[rows], boxes[rows], cases[rows] % SEATED_CASES, settings, scale
            )
        return matrix, vector
