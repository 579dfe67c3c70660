"""Which ways between cameras are possible at all, and in which time: what a person who knows the place says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tracker.cross_camera.tracklets import Tracklet
from tracker.cross_camera.visits import Visits
from tracker.errors import InputError, nearest_name_hint

__all__ = ["PossibleTransitions", "TransitionRule", "TransitionRules"]


class TransitionRule(BaseModel):
    """Whoever leaves one camera and is next seen in the other is seen there after so many seconds.

    ``seconds`` are the least and the most. Nobody gets there faster, whichever way they go; a negative least number
    says that the two views overlap. The most counts only where nobody alike was seen in between.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_camera: str = Field(alias="from")
    to_camera: str = Field(alias="to")
    seconds: tuple[float, float] = (0.0, math.inf)

    @field_validator("seconds", mode="before")
    @classmethod
    def _check_shape(cls, seconds: Any) -> Any:
        numbers = isinstance(seconds, (list, tuple)) and all(
            isinstance(value, (int, float)) and not isinstance(value, bool) for value in seconds
        )
        if not numbers or len(seconds) != 2:
            raise ValueError("give the least and the most seconds, for example [5, 60]")
        return seconds

    @field_validator("seconds")
    @classmethod
    def _check_range(cls, seconds: tuple[float, float]) -> tuple[float, float]:
        least, most = seconds
        if math.isnan(least) or math.isnan(most) or not math.isfinite(least) or least > most or most < 0:
            raise ValueError(
                f"the least ({least:g}) must be a finite number not above the most ({most:g}), and the most not below 0"
            )
        return seconds

    @model_validator(mode="after")
    def _check_cameras(self) -> TransitionRule:
        if self.from_camera == self.to_camera:
            raise ValueError(
                f"from and to are both {self.to_camera!r}; a camera and itself need no rule: coming back is always "
                "possible, leave the entry out"
            )
        return self


class TransitionRules(BaseModel):
    """All that is said about the ways between cameras."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listed: tuple[TransitionRule, ...] = ()
    only_listed: bool = Field(default=False, description="nobody goes from camera to camera in a way not listed")


class PossibleTransitions:
    """The rules for the cameras of a run, as limits for any two visits.

    Args:
        rules: what is said.
        cameras: names by number.

    Raises:
        InputError: a rule names a camera that is not there.
    """

    def __init__(self, rules: TransitionRules, cameras: Sequence[str]) -> None:
        self.any = bool(rules.listed) or rules.only_listed
        count = len(cameras)
        number = {name: position for position, name in enumerate(cameras)}
        least = np.full((count, count), np.inf if rules.only_listed else -np.inf)
        most = np.full((count, count), np.inf)
        overlap = np.full((count, count), not rules.only_listed)
        for rule in rules.listed:
            for name in (rule.from_camera, rule.to_camera):
                if name not in number:
                    raise InputError(f"transitions: no camera is called {name!r}: {nearest_name_hint(name, number)}")
            first, second = number[rule.from_camera], number[rule.to_camera]
            least[first, second], most[first, second] = rule.seconds
            overlap[first, second] = overlap[second, first] = False
        for rule in rules.listed:
            if rule.seconds[0] < 0:
                first, second = number[rule.from_camera], number[rule.to_camera]
                overlap[first, second] = overlap[second, first] = True
        if rules.only_listed:
            # Through other cameras nobody is faster than the quickest way through them.
            quickest = np.maximum(least, 0.0)
            np.fill_diagonal(quickest, 0.0)
            for middle in range(count):
                quickest = np.minimum(quickest, quickest[:, middle, None] + quickest[middle])
            least = np.minimum(least, quickest)
        np.fill_diagonal(least, -np.inf)
        np.fill_diagonal(overlap, True)
        self._least, self._most, self._overlap = least, most, overlap

    def excludes(self, first: Tracklet, second: Tracklet) -> bool:
        """Whether the two cannot be one person, because nobody gets from the one to the other so fast."""
        if not self.any:
            return False
        earlier, later = (first, second) if first.start <= second.start else (second, first)
        gap = later.start - earlier.end
        if gap < 0:
            return not self._overlap[earlier.camera, later.camera]
        return bool(gap < self._least[earlier.camera, later.camera])

    def too_fast(self, visits: Visits) -> NDArray[np.bool_]:
        """Return the pairs of visits (V, V), symmetric, between which nobody gets in so short a time, or at all.

        Args:
            visits: V visits of which none has slipped from one person to another.
        """
        cameras, gaps = np.ix_(visits.cameras, visits.cameras), visits.gaps
        barred = visits.in_order & np.where(gaps < 0, ~self._overlap[cameras], gaps < self._least[cameras])
        return np.asarray(barred | barred.T, np.bool_)

    def too_slow(self, visits: Visits, alike: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return the pairs of visits (V, V), symmetric, between which nobody takes so long.

        Args:
            visits: V visits.
            alike: (V, V) evidence of their looks alone, in nats; who is alike (above 0) may have been elsewhere in
                between, which explains a long gap.
        """
        in_order = visits.in_order
        steps = (in_order & (np.nan_to_num(alike, nan=-1.0) > 0)).astype(np.float64)
        barred = in_order & (visits.gaps > self._most[np.ix_(visits.cameras, visits.cameras)]) & (steps @ steps == 0)
        return np.asarray(barred | barred.T, np.bool_)
