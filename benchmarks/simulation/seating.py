"""How people sit down and get up: the last steps to a seat, the turn, down, a while, up, and back onto free floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.room import Seat
from benchmarks.simulation.walker import BODY_DISTANCE, Walker, smooth_share

__all__ = ["Seating"]

# Seconds from standing to sitting, and back.
_LOWERING, _RISING = 0.95, 1.05
# Who rises waits until nobody stands this close to where the way from the seat ends, metres; at most so long, seconds.
_CLEARANCE, _PATIENCE = 0.8, 3.0


class Seating:
    """Leads people to and from the seats; a seat is for one person.

    Args:
        seats: all there are.
        seconds: how long people stay seated, drawn between the two values.
        seed: of everything random.
    """

    def __init__(self, seats: Sequence[Seat], seconds: tuple[float, float], seed: int) -> None:
        self._seats = seats
        self._seconds = seconds
        self._random = np.random.default_rng([seed, 4243])

    def free(self, walkers: Sequence[Walker]) -> list[Seat]:
        """Return the seats that nobody uses or walks to."""
        taken = [walker.seat for walker in walkers]
        return [seat for seat in self._seats if seat not in taken]

    def wish(self, walker: Walker, walkers: Sequence[Walker], share: float) -> bool:
        """Let ``walker`` go to a free seat in ``share`` of the cases; return whether that is so."""
        # A backpack and a chair's back need the same place.
        free = self.free(walkers) if walker.look.bag != "backpack" else []
        if self._random.random() >= share or not free:
            return False
        walker.seat = free[int(self._random.integers(len(free)))]
        walker.state, walker.goal = "to_seat", walker.seat.front
        return True

    def place(self, walker: Walker, now: float) -> None:
        """Let ``walker``, who has reserved a seat, sit there already."""
        assert walker.seat is not None
        walker.place, walker.heading = np.array(walker.seat.place), walker.seat.facing
        walker.lowered = 1.0
        self._settle(walker, now)

    def lead(self, walker: Walker, others: Sequence[Walker], now: float, seconds: float) -> None:
        """Move ``walker``, whose state is one of ``AT_SEAT``, by one step of ``seconds`` at the time ``now``.

        Who has left the seat behind is in state ``standing`` with nothing left to wait for.
        """
        seat = walker.seat
        assert seat is not None
        if walker.state in ("approaching", "returning"):
            target = seat.before if walker.state == "approaching" else seat.front
            if self._step_to(walker, target, others, seconds):
                if walker.state == "approaching":
                    walker.state = "turning"
                else:
                    walker.state, walker.until, walker.face, walker.seat = "standing", now, None, None
            return
        walker.velocity = np.zeros(2)
        walker.turn(seat.facing, seconds, 3.2)
        before, place, lowered = np.array(seat.before), np.array(seat.place), walker.lowered
        if walker.state == "turning" and np.cos(walker.heading - seat.facing) > 0.985:
            walker.state = "lowering"
        elif walker.state == "lowering":
            lowered = min(1.0, lowered + seconds / _LOWERING)
            if walker.lowered == 1.0:
                self._settle(walker, now)
        elif walker.state == "seated":
            self._pass_time(walker, others, now)
        elif walker.state == "rising":
            lowered = max(0.0, lowered - seconds / _RISING)
            if walker.lowered == 0.0:
                walker.state = "returning"
        moved = before + smooth_share(lowered) * (place - before)
        if not _blocked(walker, moved, others):
            walker.place, walker.lowered = moved, lowered

    def _settle(self, walker: Walker, now: float) -> None:
        walker.state = "seated"
        walker.until = min(now + float(self._random.uniform(*self._seconds)), max(walker.leave_at, now + 1.0))
        walker.gesture = self._pastime()

    def _pastime(self) -> int:
        """Return hands on the thighs, phone, or talking hands."""
        return int(self._random.choice([0, 1, 2], p=[0.40, 0.32, 0.28]))

    def _pass_time(self, walker: Walker, others: Sequence[Walker], now: float) -> None:
        """Stay until it is time and the way is free; meanwhile look at who is near, when talking."""
        assert walker.seat is not None
        near = [other for other in others if not other.at_seat and other.distance_to(walker.seat.front) < _CLEARANCE]
        if now > walker.until and (not near or now > walker.until + _PATIENCE):
            walker.state = "rising"
            return
        heard = [other for other in others if other.distance_to((walker.place[0], walker.place[1])) < 2.6]
        if walker.gesture == 2 and heard:
            closest = min(heard, key=lambda other: float(np.hypot(*(other.place - walker.place))))
            offset = closest.place - walker.place
            aside = (np.arctan2(offset[1], offset[0]) - walker.heading + np.pi) % (2 * np.pi) - np.pi
            walker.turned += 0.06 * float(np.clip(aside, -0.8, 0.8) - walker.turned)

    @staticmethod
    def _step_to(walker: Walker, target: tuple[float, float], others: Sequence[Walker], seconds: float) -> bool:
        """Walk straight toward ``target``, halting where somebody is in the way; return whether it is reached."""
        offset = np.subtract(target, walker.place)
        distance = float(np.hypot(*offset))
        pace = min(0.85 * walker.look.preferred_speed, 0.3 + 2.0 * distance)
        toward: NDArray[np.float64] = offset / max(distance, 1e-9)
        place = walker.place + min(pace * seconds, distance) * toward
        if _blocked(walker, place, others):
            walker.velocity = np.zeros(2)
        else:
            walker.place, walker.velocity = place, pace * toward
        if distance > 0.05:
            walker.turn(float(np.arctan2(toward[1], toward[0])), seconds, 4.0)
        return distance < 0.02


def _blocked(walker: Walker, place: NDArray[np.float64], others: Sequence[Walker]) -> bool:
    """Return whether a step to ``place`` would bring ``walker`` nearer to somebody who is too near already."""
    for other in others:
        distance = float(np.hypot(*(other.place - place)))
        if distance < BODY_DISTANCE + 0.02 and distance < float(np.hypot(*(other.place - walker.place))):
            return True
    return False
