"""One person on the way through the room: where, how fast, which way, and what the person is doing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.gait import step_length
from benchmarks.simulation.room import Seat
from benchmarks.simulation.wardrobe import Appearance

__all__ = ["AT_SEAT", "BODY_DISTANCE", "FURNITURE_MARGIN", "Walker", "smooth_share"]

# No two middles of people come closer than this, metres.
BODY_DISTANCE = 0.46
# No middle of a person comes closer to furniture and walls than this, metres; only a seat is an exception.
FURNITURE_MARGIN = 0.26

# States in which a person is led to and from a seat, in their order.
AT_SEAT = ("approaching", "turning", "lowering", "seated", "rising", "returning")


def smooth_share(share: float) -> float:
    """Return 0 to 1 for a ``share`` linear in time, slow at both ends."""
    return share * share * (3 - 2 * share)


@dataclass(eq=False)
class Walker:
    """What changes about a person while time goes on.

    Args:
        outfits: build and clothes, all that the person may wear; outfit: number of what is worn now.
        place: (2,) floor position of the pelvis, metres.
        state: away, coming (through a watched corridor), entering, walking, standing, to_seat, leaving, exiting, or
            one of ``AT_SEAT``.
        velocity: (2,) metres per second, as the legs show it.
        heading, phase: radians, see ``gait.Stance``.
        turned: radians, how far the head is ahead of the body.
        goal: floor position walked to; goal_since: since when, seconds.
        until: end of what is going on; leave_at: end of the visit, seconds.
        partner: number of the person talked to, −1 for nobody.
        gesture, gesture_weight: see ``gait.Stance``.
        face: radians, direction to look while standing.
        returns: whether the person who is away comes back soon.
        seat: reserved or used.
        lowered: share, linear in time, of the way from standing to sitting.
    """

    outfits: tuple[Appearance, ...]
    place: NDArray[np.float64]
    state: str = "away"
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    heading: float = 0.0
    phase: float = 0.0
    turned: float = 0.0
    goal: tuple[float, float] = (0.0, 0.0)
    until: float = 0.0
    leave_at: float = 0.0
    goal_since: float = 0.0
    partner: int = -1
    gesture: int = 0
    gesture_weight: float = 0.0
    face: float | None = None
    returns: bool = False
    seat: Seat | None = None
    lowered: float = 0.0
    outfit: int = 0

    @property
    def look(self) -> Appearance:
        """Build and clothes as they are now."""
        return self.outfits[self.outfit]

    @property
    def at_seat(self) -> bool:
        """Whether the seat leads the person: nobody pushes or is pushed."""
        return self.state in AT_SEAT

    @property
    def seated(self) -> float:
        """0 standing to 1 sitting, smooth in time."""
        return smooth_share(self.lowered)

    def distance_to(self, place: tuple[float, float]) -> float:
        """Return metres from here to a floor position."""
        return float(np.hypot(place[0] - self.place[0], place[1] - self.place[1]))

    def turn(self, target: float | None, seconds: float, fastest: float) -> None:
        """Turn the body toward ``target`` (radians) by at most ``fastest`` radians a second; the head goes ahead."""
        if target is None:
            self.turned *= 0.95
            return
        difference = (target - self.heading + np.pi) % (2 * np.pi) - np.pi
        self.heading += float(np.clip(difference * 6 * seconds, -fastest * seconds, fastest * seconds))
        self.turned = 0.9 * self.turned + 0.1 * float(np.clip(difference, -0.8, 0.8))

    def move_limbs(self, seconds: float) -> None:
        """Advance the walking cycle by the distance gone, and raise or lower the gesturing arms."""
        speed = float(np.hypot(*self.velocity))
        scale = self.look.height / 1.75
        self.phase += seconds * np.pi * speed / (step_length(speed, self.look.stride) * scale)
        goal = 1.0 if self.state in ("standing", "seated") and speed < 0.3 else 0.0
        self.gesture_weight += float(np.clip(goal - self.gesture_weight, -2.5 * seconds, 2.0 * seconds))
