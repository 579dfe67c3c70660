"""Learning rate over time: warm-up, steps, cosine, and the decaying cosine cycles of SWAG."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CycleSettings", "ScheduleSettings", "WarmUp", "learning_rate_factor"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WarmUp(_Settings):
    """Linear from ``start_factor`` of the learning rate to all of it, over ``epochs``."""

    epochs: float = Field(default=10, gt=0)
    start_factor: float = Field(default=0.01, ge=0, le=1)


class CycleSettings(_Settings):
    """Cosine cycles after ``start``: cycle n (from 1) falls from decay^n of the learning rate to 0 (Robust-ReID 3.5).

    Args:
        start: epoch at which the first cycle begins.
        length: epochs of a cycle.
        decay: of the peak, from cycle to cycle.
    """

    start: float = Field(ge=0)
    length: float = Field(gt=0)
    decay: float = Field(default=0.7, gt=0, le=1)


class ScheduleSettings(_Settings):
    """How the learning rate changes.

    Args:
        kind: ``"steps"``, ``"cosine"`` (half a period over all epochs, to 0) or ``"constant"``.
        milestones: epochs at which it is multiplied by ``gamma``.
        gamma: see ``milestones``.
        warm_up: ``None``: none.
        first_epoch: number of the first epoch: 1 where the published code steps its schedule before an epoch (strong
            baseline, MGN), 0 where it does so afterwards.
        per_iteration: change it within epochs too.
        cycles: cosine cycles after the schedule.
    """

    kind: Literal["steps", "cosine", "constant"] = "steps"
    milestones: tuple[float, ...] = ()
    gamma: float = Field(default=0.1, gt=0)
    warm_up: WarmUp | None = None
    first_epoch: int = Field(default=0, ge=0, le=1)
    per_iteration: bool = False
    cycles: CycleSettings | None = None

    def scaled(self, factor: float) -> ScheduleSettings:
        """Return the schedule with every time multiplied by ``factor``."""
        warm_up = self.warm_up and WarmUp(epochs=self.warm_up.epochs * factor, start_factor=self.warm_up.start_factor)
        cycles = self.cycles and CycleSettings(
            start=self.cycles.start * factor, length=self.cycles.length * factor, decay=self.cycles.decay
        )
        milestones = tuple(milestone * factor for milestone in self.milestones)
        return self.model_copy(update={"milestones": milestones, "warm_up": warm_up, "cycles": cycles})


def learning_rate_factor(settings: ScheduleSettings, time: float, epochs: float) -> float:
    """Return what the base learning rate is multiplied by.

    Args:
        settings: the schedule.
        time: epochs since training began; a whole number at the start of each epoch.
        epochs: of the whole training, cycles left out.
    """
    moment = time + settings.first_epoch
    cycles = settings.cycles
    if cycles is not None and time >= cycles.start:
        number, within = divmod(time - cycles.start, cycles.length)
        return cycles.decay ** (number + 1) * 0.5 * (1 + math.cos(math.pi * within / cycles.length))
    factor = 1.0
    if settings.kind == "steps":
        # A milestone that scaling has put between two epochs counts from the epoch it is nearest to.
        factor = settings.gamma ** sum(moment >= milestone - 1e-9 for milestone in settings.milestones)
    elif settings.kind == "cosine":
        factor = 0.5 * (1 + math.cos(math.pi * min(moment / epochs, 1.0)))
    warm_up = settings.warm_up
    if warm_up is not None and moment < warm_up.epochs:
        factor *= warm_up.start_factor + (1 - warm_up.start_factor) * moment / warm_up.epochs
    return factor
