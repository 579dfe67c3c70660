"""How people move through the room: come in, walk, give way, stop, meet, leave and come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.navigation import Navigator
from benchmarks.simulation.room import Room
from benchmarks.simulation.seating import Seating
from benchmarks.simulation.walker import BODY_DISTANCE, FURNITURE_MARGIN, Walker
from benchmarks.simulation.wardrobe import Appearance

__all__ = ["BODY_DISTANCE", "FURNITURE_MARGIN", "Crowd", "Visits"]

# Who wants to leave while the doorway is taken waits this far from it, metres.
_QUEUE = 1.9
# Who is this far behind the wall, metres along y, has left the doorway.
_OUTSIDE = -0.45
_SPOTS = (
    (1.2, 1.0), (2.2, 1.2), (3.1, 1.8), (4.9, 1.5), (5.3, 1.2), (1.0, 2.3), (2.0, 2.5), (3.0, 2.6), (3.9, 2.4),
    (4.3, 2.9), (1.0, 3.6), (1.5, 3.3), (1.5, 4.3), (2.7, 2.0), (4.8, 3.7), (4.6, 4.3), (5.3, 4.3), (0.8, 1.3),
)  # fmt: skip


@dataclass(frozen=True)
class Visits:
    """How long people stay, stay away, stand still and sit, in seconds drawn between the two values.

    ``return_share`` of those who leave come back after being away that long, the others after four times as long. Who
    looks for something to do goes to a free seat in ``sit_share`` of the cases. Who has several outfits comes back in
    another in ``change_share`` of the cases.
    """

    stay: tuple[float, float]
    away: tuple[float, float]
    pause: tuple[float, float] = (0.8, 3.0)
    sit: tuple[float, float] = (5.0, 30.0)
    return_share: float = 0.65
    change_share: float = 0.7
    sit_share: float = 0.4


class Crowd:
    """Moves everybody by small steps; the same seed gives the same walks.

    Social forces (Helbing and Molnár 1995): each walker steers to a way point and is pushed by people in front;
    what the forces leave is separated exactly, so the distances above hold at every step.

    Args:
        room: where.
        outfits: the people, by number, with all that each may wear.
        visits: how long they come and go.
        at_once: how many may be inside together.
        seed: of everything random.
    """

    def __init__(
        self, room: Room, outfits: Sequence[tuple[Appearance, ...]], visits: Visits, at_once: int, seed: int
    ) -> None:
        self._room = room
        self._visits = visits
        self._at_once = at_once
        self._random = np.random.default_rng([seed, 4242])
        # Apart from the walks, so that who changes clothes walks as who does not.
        self._clothes = np.random.default_rng([seed, 4244])
        self._navigator = Navigator(room)
        self._seating = Seating(room.seats, visits.sit, seed)
        self._walkers = [Walker(worn, np.array(room.corridor.hidden_ends[0])) for worn in outfits]
        self._door: int = -1
        self._next_entry = 0.0
        self._time = 0.0
        self._place_first(at_once)

    def _place_first(self, at_once: int) -> None:
        """Put the first people into the room, the others outside."""
        count = max(1, at_once - 1)
        spots = self._random.permutation(len(_SPOTS))
        chosen: list[tuple[float, float]] = []
        for spot in spots:
            place = _SPOTS[spot]
            if all(np.hypot(place[0] - x, place[1] - y) > 0.9 for x, y in chosen):
                chosen.append(place)
        for walker, place in zip(self._walkers[:count], chosen):
            walker.place = np.array(place)
            walker.heading = float(self._random.uniform(-np.pi, np.pi))
            walker.leave_at = float(self._random.uniform(0.0, 1.5)) * self._draw(self._visits.stay)
            self._choose_goal(walker)
            if walker.state == "to_seat":
                self._seating.place(walker, self._time)
        self._next_entry = float(self._random.uniform(0.3, 1.2))

    def _draw(self, span: tuple[float, float]) -> float:
        return float(self._random.uniform(*span))

    @property
    def present(self) -> list[int]:
        """Numbers of the people who are in the room, the doorway or the corridor."""
        return [number for number, walker in enumerate(self._walkers) if walker.state != "away"]

    def walker(self, number: int) -> Walker:
        """Return the state of one person."""
        return self._walkers[number]

    def step(self, seconds: float) -> None:
        """Advance everybody by ``seconds`` (at most 0.05)."""
        self._time += seconds
        self._let_in()
        present = self.present
        for number in present:
            self._decide(number)
        before = {number: self._walkers[number].place.copy() for number in present}
        for number in present:
            walker = self._walkers[number]
            if walker.at_seat:
                others = [self._walkers[other] for other in present if other != number]
                self._seating.lead(walker, others, self._time, seconds)
        free = [number for number in present if not self._walkers[number].at_seat]
        pushes = {number: self._acceleration(number, present) for number in free}
        for number in free:
            walker = self._walkers[number]
            velocity = walker.velocity + seconds * pushes[number]
            limit = 1.25 * walker.look.preferred_speed
            size = float(np.hypot(*velocity))
            walker.velocity = velocity * min(1.0, limit / max(size, 1e-9))
        for number in free:
            walker = self._walkers[number]
            walker.place = walker.place + seconds * walker.velocity
        self._separate(present, before)
        for number in free:
            walker = self._walkers[number]
            moved = (walker.place - before[number]) / seconds
            walker.velocity = 0.5 * walker.velocity + 0.5 * moved
            self._turn(walker, seconds)
        for number in present:
            self._walkers[number].move_limbs(seconds)

    def _let_in(self) -> None:
        """Send the next person in when there is room, and, where the corridor is short, the doorway is free."""
        watched = len(self._room.corridor.watched)
        coming = sum(walker.state == "coming" for walker in self._walkers)
        if watched and coming > watched:
            # More people waiting before the door would be in the way of those who leave.
            return
        # Who has left the room keeps nobody out of it on the long way through a watched corridor.
        gone = sum(self._walkers[n].state == "exiting" and self._walkers[n].place[1] < _OUTSIDE for n in self.present)
        room_left = self._at_once - len(self.present) + (gone if watched else 0)
        if (self._door >= 0 and not watched) or self._time < self._next_entry or room_left <= 0:
            return
        away = [number for number, walker in enumerate(self._walkers) if walker.state == "away"]
        ready = [number for number in away if self._walkers[number].until <= self._time]
        back = [number for number in ready if self._walkers[number].returns]
        # Who said to be back soon keeps a place; others come in only where more places are free.
        kept = sum(self._walkers[number].returns for number in away)
        pool = back or ([number for number in ready if number not in back] if room_left > kept else [])
        if not pool:
            return
        number = int(pool[int(self._random.integers(len(pool)))])
        walker = self._walkers[number]
        ends = [
            end
            for end in self._room.corridor.hidden_ends
            if all(np.hypot(*(self._walkers[other].place - end)) > 1.3 for other in self.present)
        ]
        if not ends:
            return
        end = ends[int(self._random.integers(len(ends)))]
        walker.place = np.array(end) + self._random.uniform(-0.1, 0.1, 2)
        side = -1.0 if end[0] < self._room.door_centre else 1.0
        walker.heading = np.pi / 2 if watched else np.pi * (side > 0)
        walker.velocity = np.array([np.cos(walker.heading), np.sin(walker.heading)]) * walker.look.preferred_speed
        walker.returns, walker.gesture_weight = False, 0.0
        self._next_entry = self._time + self._draw((1.0, 2.5))
        if watched:
            walker.state, walker.goal_since = "coming", self._time
            # They wait in a row along the wall across from the door.
            from_door = 1.5 + 0.8 * coming
            walker.goal = (
                self._room.door_centre + side * from_door,
                self._room.corridor.low[1] + FURNITURE_MARGIN + 0.1,
            )
        else:
            self._enter(number)

    def _enter(self, number: int) -> None:
        """Give the doorway to somebody who comes in."""
        walker = self._walkers[number]
        walker.state = "entering"
        walker.goal = (self._room.door_centre + float(self._random.uniform(-0.4, 0.2)), 1.35)
        walker.leave_at = self._time + 2.5 + self._draw(self._visits.stay)
        walker.goal_since = self._time
        self._door = number

    def _choose_goal(self, walker: Walker) -> None:
        walker.state = "walking"
        walker.face = None
        walker.partner = -1
        walker.goal_since = self._time
        walker.seat = None
        if walker.leave_at > self._time and self._seating.wish(walker, self._walkers, self._visits.sit_share):
            # Who sits down wants to sit for a while.
            walker.leave_at = max(walker.leave_at, self._time + 5 + self._visits.sit[0])
            return
        others = [o for o in self._walkers if o is not walker and o.state in ("walking", "standing")]
        if others and self._random.random() < 0.2:
            # Walk up to somebody, as people do who meet.
            other = others[int(self._random.integers(len(others)))]
            angle = self._random.uniform(-np.pi, np.pi)
            place = other.place + 0.95 * np.array([np.cos(angle), np.sin(angle)])
            if self._room.inside(place[None], 0.35)[0] and place[1] > 0.9:
                walker.goal = (float(place[0]), float(place[1]))
                walker.partner = self._walkers.index(other)
                return
        far = [s for s in _SPOTS if np.hypot(s[0] - walker.place[0], s[1] - walker.place[1]) > 1.2]
        free = [s for s in far if all(np.hypot(s[0] - o.goal[0], s[1] - o.goal[1]) > 0.8 for o in others)] or far
        spot = free[int(self._random.integers(len(free)))]
        jitter = self._random.uniform(-0.12, 0.12, 2)
        walker.goal = (spot[0] + float(jitter[0]), spot[1] + float(jitter[1]))

    def _decide(self, number: int) -> None:
        walker, room = self._walkers[number], self._room
        to_goal = float(np.hypot(walker.goal[0] - walker.place[0], walker.goal[1] - walker.place[1]))
        waited = self._time - walker.goal_since
        if walker.state == "coming":
            waiting = [
                other for other in self._walkers if other.state == "coming" and other.distance_to(other.goal) < 0.9
            ]
            # Who came first goes in first.
            if self._door < 0 and to_goal < 0.9 and all(walker.goal_since <= other.goal_since for other in waiting):
                self._enter(number)
        elif walker.state == "entering":
            if walker.place[1] > 0.75:
                self._release(number)
            if to_goal < 0.4 or (walker.place[1] > 0.75 and waited > 8):
                self._choose_goal(walker)
        elif walker.state == "walking":
            if self._time > walker.leave_at and self._leaving() < 2:
                walker.state, walker.goal = "leaving", (room.door_centre, 0.9)
                walker.goal_since = self._time
            elif to_goal < 0.22 or (to_goal < 0.8 and waited > 7):
                self._pause(walker)
            elif waited > 9:
                self._choose_goal(walker)
        elif walker.state == "to_seat":
            if to_goal < 0.2:
                walker.state = "approaching"
            elif waited > 10 or self._time > walker.leave_at:
                self._choose_goal(walker)
        elif walker.state == "standing":
            if self._time > walker.until or (self._time > walker.leave_at and self._leaving() < 2):
                self._choose_goal(walker)
        elif walker.state == "leaving" and to_goal < _QUEUE and self._door < 0:
            self._door = number
            ends = room.corridor.hidden_ends
            walker.goal = ends[int(self._random.integers(len(ends)))]
            walker.state = "exiting"
        elif walker.state == "exiting":
            if walker.place[1] < _OUTSIDE:
                self._release(number)
            if to_goal > 0.3:
                return
            walker.state = "away"
            others = [outfit for outfit in range(len(walker.outfits)) if outfit != walker.outfit]
            if others and self._clothes.random() < self._visits.change_share:
                walker.outfit = int(self._clothes.choice(others))
            walker.returns = bool(self._random.random() < self._visits.return_share)
            walker.until = self._time + self._draw(self._visits.away) * (1 if walker.returns else 4)

    def _leaving(self) -> int:
        return sum(walker.state in ("leaving", "exiting") and walker.place[1] > 0 for walker in self._walkers)

    def _release(self, number: int) -> None:
        if self._door == number:
            self._door = -1

    def _pause(self, walker: Walker) -> None:
        walker.state = "standing"
        walker.until = self._time + self._draw(self._visits.pause)
        walker.gesture = int(self._random.choice([0, 1, 2, 3, 4], p=[0.35, 0.18, 0.17, 0.12, 0.18]))
        walker.face = float(self._random.uniform(-np.pi, np.pi)) if self._random.random() < 0.5 else None
        if walker.partner >= 0 and self._walkers[walker.partner].state in ("walking", "standing"):
            other = self._walkers[walker.partner]
            if np.hypot(*(other.place - walker.place)) < 1.6:
                walker.gesture = int(self._random.choice([0, 2]))
                other.state, other.until = "standing", walker.until
                other.face, other.gesture, other.partner = None, 2 - walker.gesture, self._walkers.index(walker)
        else:
            walker.partner = -1

    def _acceleration(self, number: int, present: list[int]) -> NDArray[np.float64]:
        walker = self._walkers[number]
        wanted = np.zeros(2)
        if walker.state != "standing":
            target = self._navigator.waypoint((float(walker.place[0]), float(walker.place[1])), walker.goal)
            offset = np.subtract(target, walker.place)
            distance = float(np.hypot(*offset))
            rest = float(np.hypot(walker.goal[0] - walker.place[0], walker.goal[1] - walker.place[1]))
            pace = walker.look.preferred_speed
            if walker.state in ("walking", "to_seat", "coming"):
                pace *= np.clip(rest / 0.5, 0.35, 1.0)
            elif walker.state == "leaving" and rest < _QUEUE:
                pace = 0.0
            wanted = offset / max(distance, 1e-6) * pace
        force = (wanted - walker.velocity) / 0.45
        ahead = np.array([np.cos(walker.heading), np.sin(walker.heading)])
        for other_number in present:
            other = self._walkers[other_number]
            if other_number == number or other.state == "seated":
                continue
            # Where both will be in a moment decides, not only where they are.
            offset = walker.place - other.place + 0.5 * (walker.velocity - other.velocity)
            now = walker.place - other.place
            distance = min(float(np.hypot(*offset)), float(np.hypot(*now)))
            if distance > 1.7:
                continue
            away = now / max(float(np.hypot(*now)), 1e-6)
            push = 3.2 * np.exp(-(distance - BODY_DISTANCE) / 0.28)
            if walker.state == "standing":
                push *= 0.35 if distance > 0.62 else 1.0
            force = force + min(push, 7.0) * away
            if walker.state != "standing" and float(ahead @ -away) > 0.3:
                # Give way to the right, as most people do; both then pass.
                force = force + 1.3 * np.exp(-(distance - BODY_DISTANCE) / 0.5) * np.array([ahead[1], -ahead[0]])
        size = float(np.hypot(*force))
        return force * min(1.0, 5.0 / max(size, 1e-9))

    def _separate(self, present: list[int], before: dict[int, NDArray[np.float64]]) -> None:
        """Keep bodies apart and out of furniture; where no place is found the step is not taken.

        Who is at a seat is not moved; the others are moved by the whole distance then.
        """
        free = [number for number in present if not self._walkers[number].at_seat]
        for _ in range(4):
            settled = True
            for index, a in enumerate(present):
                for b in present[index + 1 :]:
                    first, second = self._walkers[a], self._walkers[b]
                    offset = first.place - second.place
                    distance = float(np.hypot(*offset))
                    fixed = first.at_seat + second.at_seat
                    if distance < BODY_DISTANCE + 0.04 and fixed < 2:
                        shift = (BODY_DISTANCE + 0.045 - distance) / (2 - fixed) * offset / max(distance, 1e-6)
                        first.place = first.place + shift * (not first.at_seat)
                        second.place = second.place - shift * (not second.at_seat)
                        settled = False
            for number in free:
                walker = self._walkers[number]
                place = self._to_free(walker.place, before[number])
                settled &= place is walker.place
                walker.place = place
            if settled:
                break
        for _ in range(len(present) + 1):
            changed = False
            for number in free:
                walker = self._walkers[number]
                near = any(
                    np.hypot(*(walker.place - self._walkers[o].place)) < BODY_DISTANCE for o in present if o != number
                )
                if near and np.any(walker.place != before[number]):
                    walker.place = before[number].copy()
                    changed = True
            if not changed:
                break

    def _to_free(self, place: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``place`` if free, else the step slid along x or y, else where the person was."""
        options = np.array([place, (place[0], before[1]), (before[0], place[1]), before])
        free = self._room.inside(options, FURNITURE_MARGIN + 0.01)
        if free[0]:
            return place
        return options[int(np.argmax(free))] if free.any() else before

    def _turn(self, walker: Walker, seconds: float) -> None:
        speed = float(np.hypot(*walker.velocity))
        target: float | None = None
        if speed > 0.22:
            target = float(np.arctan2(walker.velocity[1], walker.velocity[0]))
        elif walker.state == "standing":
            target = walker.face
            if walker.partner >= 0:
                offset = self._walkers[walker.partner].place - walker.place
                target = float(np.arctan2(offset[1], offset[0]))
        walker.turn(target, seconds, 3.6 if speed > 0.22 else 2.2)
