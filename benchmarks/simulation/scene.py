"""A scene: who is where at each frame, computed before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.corridor import make_corridor
from benchmarks.simulation.crowd import Crowd, Visits
from benchmarks.simulation.gait import Stance
from benchmarks.simulation.room import Room
from benchmarks.simulation.wardrobe import Appearance, Wardrobe
from tracker.errors import InputError

__all__ = ["Scene", "make_scene"]

MAXIMUM_AT_ONCE = 7
MAXIMUM_IDENTITIES = 200
_SUBSTEPS = 2

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scene:
    """Trajectories of all people; arrays are (frames, people).

    Args:
        room: where it happens.
        looks: the people; identity ``i`` of the truth is ``looks[i - 1]``.
        outfits: all that each of them may wear, the first as in ``looks``.
        frame_rate: frames a second.
        present: bool, whether the person is in the room, the doorway or the corridor.
        x, y: float32 floor position, metres.
        heading, phase, look, speed: float32, see ``gait.Stance``.
        gesture: int8; gesture_weight: float32.
        seated: float32, 0 standing to 1 sitting.
        seat_height: float32, metres, of the seat that the person is led to or from or sits on; 0 for all others.
        outfit: int8, number within ``outfits`` of what is worn; changes only while the person is away.
    """

    room: Room
    looks: tuple[Appearance, ...]
    outfits: tuple[tuple[Appearance, ...], ...]
    frame_rate: float
    present: NDArray[np.bool_]
    x: FloatArray
    y: FloatArray
    heading: FloatArray
    phase: FloatArray
    speed: FloatArray
    look: FloatArray
    gesture: NDArray[np.int8]
    gesture_weight: FloatArray
    seated: FloatArray
    seat_height: FloatArray
    outfit: NDArray[np.int8]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.present)

    @cached_property
    def identities(self) -> list[int]:
        """Identities (from 1) that are present at some time."""
        return [int(number) + 1 for number in np.flatnonzero(self.present.any(axis=0))]

    def stances(self, frame: int) -> dict[int, Stance]:
        """Return the pose of everybody present in frame ``frame`` (from 0), by identity."""
        return {
            int(number) + 1: Stance(
                x=float(self.x[frame, number]),
                y=float(self.y[frame, number]),
                heading=float(self.heading[frame, number]),
                phase=float(self.phase[frame, number]),
                speed=float(self.speed[frame, number]),
                look=float(self.look[frame, number]),
                gesture=int(self.gesture[frame, number]),
                gesture_weight=float(self.gesture_weight[frame, number]),
                seated=float(self.seated[frame, number]),
                seat_height=float(self.seat_height[frame, number]),
                outfit=int(self.outfit[frame, number]),
                time=frame / self.frame_rate + 2.3 * int(number),
            )
            for number in np.flatnonzero(self.present[frame])
        }


def make_scene(
    *,
    seed: int = 0,
    seconds: float = 20.0,
    people: int = 6,
    at_once: int | None = None,
    frame_rate: float = 15.0,
    corridor_cameras: int = 0,
) -> Scene:
    """Simulate who walks where.

    Args:
        seed: of the people and of their walks.
        seconds: duration, 0.2 to 7200.
        people: identities that may come, 1 to 200.
        at_once: how many may be inside together, 1 to 7; by default ``people`` less one, at most 5.
        frame_rate: frames a second, 1 to 60.
        corridor_cameras: arms of the corridor, 0 to 2, through which people come and go under a camera of its own.

    Raises:
        InputError: a value is out of its range.
    """
    if not np.isfinite(seconds) or not 0.2 <= seconds <= 7200:
        raise InputError(f"simulation of {seconds:g} seconds; give a duration between 0.2 and 7200 seconds")
    if not np.isfinite(frame_rate) or not 1 <= frame_rate <= 60:
        raise InputError(f"simulation at {frame_rate:g} frames a second; give a frame rate between 1 and 60")
    if not 1 <= people <= MAXIMUM_IDENTITIES:
        raise InputError(f"simulation of {people} people; give between 1 and {MAXIMUM_IDENTITIES}")
    if at_once is None:
        at_once = max(1, min(5, people - 1))
    if not 1 <= at_once <= MAXIMUM_AT_ONCE:
        raise InputError(
            f"{at_once} people at once do not fit into the room; give between 1 and {MAXIMUM_AT_ONCE} at once"
        )
    if seed < 0:
        raise InputError(f"simulation seed {seed} is negative; give 0 or more")
    room = Room(corridor=make_corridor(corridor_cameras))
    wardrobe = Wardrobe(seed)
    outfits = tuple(wardrobe.outfits(number) for number in range(people))
    # In a short scene people come and go sooner, so that returns can be seen in it.
    visits = Visits(
        stay=(float(np.clip(seconds / 12, 1.5, 20)), float(np.clip(seconds / 3, 4, 75))),
        away=(float(np.clip(seconds / 16, 1.0, 8)), float(np.clip(seconds / 8, 2, 45))),
        pause=(0.7, float(np.clip(seconds / 10, 1.5, 6))),
        sit=(float(np.clip(seconds / 10, 1.5, 20)), float(np.clip(seconds / 3, 3, 90))),
    )
    crowd = Crowd(room, outfits, visits, at_once, seed)
    frames = max(1, round(seconds * frame_rate))
    shape = (frames, people)
    names = ("x", "y", "heading", "phase", "speed", "look", "gesture_weight", "seated", "seat_height")
    tracks = {name: np.zeros(shape, np.float32) for name in names}
    present, gesture, outfit = np.zeros(shape, bool), np.zeros(shape, np.int8), np.zeros(shape, np.int8)
    substeps = max(_SUBSTEPS, int(np.ceil(1 / frame_rate / 0.04)))
    smooth_speed = np.zeros(people)
    for frame in range(frames):
        for _ in range(substeps):
            crowd.step(1 / frame_rate / substeps)
        for number in crowd.present:
            walker = crowd.walker(number)
            speed = float(np.hypot(*walker.velocity))
            smooth_speed[number] += min(1.0, 4.0 / frame_rate) * (speed - smooth_speed[number])
            present[frame, number] = True
            tracks["x"][frame, number], tracks["y"][frame, number] = walker.place
            tracks["heading"][frame, number] = walker.heading
            tracks["phase"][frame, number] = walker.phase
            tracks["speed"][frame, number] = smooth_speed[number]
            tracks["look"][frame, number] = np.clip(walker.turned, -0.7, 0.7)
            tracks["gesture_weight"][frame, number] = walker.gesture_weight
            tracks["seated"][frame, number] = walker.seated
            tracks["seat_height"][frame, number] = walker.seat.height if walker.seat and walker.at_seat else 0.0
            gesture[frame, number] = walker.gesture
            outfit[frame, number] = walker.outfit
    looks = tuple(worn[0] for worn in outfits)
    return Scene(room, looks, outfits, frame_rate, present, gesture=gesture, outfit=outfit, **tracks)
