"""The corridor behind the room's door: its arms, what lies around their corners, and the cameras that watch them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.solids import Box, Point, Solid
from tracker.errors import InputError

__all__ = ["MAXIMUM_CORRIDOR_CAMERAS", "Corridor", "cameras_in_corridor", "make_corridor"]

MAXIMUM_CORRIDOR_CAMERAS = 2

# Of a watched arm, metres along the corridor from the middle of the door: where its camera hangs, where the passage
# around the corner begins, and where arm and passage end.
_CAMERA, _CORNER, _END = 3.1, 8.6, 10.0
_PASSAGE_DEPTH = 2.3
_CAMERA_HEIGHT = 2.30


@dataclass(frozen=True)
class Corridor:
    """A straight corridor along x, and passages that turn off it; metres.

    Args:
        low, high: opposite corners.
        passages: opposite corners of each; they lead away from the room.
        hidden_ends: floor positions that no camera sees, where people come from and go to.
        watched: directions along x (1 or −1) of the arms that have a camera.
        door: x of the middle of the room's door.
        lamps: on the ceilings of the watched arms.
        solids: what is seen on their walls.
    """

    low: Point = (0.6, -1.75, 0.0)
    high: Point = (7.6, -0.14, 2.45)
    passages: tuple[tuple[Point, Point], ...] = ()
    hidden_ends: tuple[tuple[float, float], ...] = ((1.5, -0.95), (6.9, -0.95))
    watched: tuple[int, ...] = ()
    door: float = 4.025
    lamps: tuple[Point, ...] = ()
    solids: tuple[Solid, ...] = ()


def make_corridor(watched: int) -> Corridor:
    """Return the corridor with ``watched`` of its two arms long enough for a camera; people use no other arm then.

    Raises:
        InputError: ``watched`` is not between 0 and 2.
    """
    if not 0 <= watched <= MAXIMUM_CORRIDOR_CAMERAS:
        raise InputError(f"{watched} corridor cameras; the corridor has two arms: give 0 to {MAXIMUM_CORRIDOR_CAMERAS}")
    plain = Corridor()
    if not watched:
        return plain
    arms = (1, -1)[:watched]
    (x1, y1, z1), (x2, y2, z2) = plain.low, plain.high
    passages, ends, lamps, solids = [], [], [], []
    for arm in arms:
        corner, end = sorted((plain.door + arm * _CORNER, plain.door + arm * _END))
        x1, x2 = min(x1, corner), max(x2, end)
        passages.append(((corner, y1 - _PASSAGE_DEPTH, z1), (end, y1, z2)))
        ends.append(((corner + end) / 2, y1 - _PASSAGE_DEPTH + 0.6))
        lamps += [(plain.door + arm * away, (y1 + y2) / 2, z2 - 0.03) for away in (4.6, 6.8, 9.2)]
        solids += _wall_things(plain.door, arm, y1, y2)
    return Corridor(
        (x1, y1, z1), (x2, y2, z2), tuple(passages), tuple(ends), arms, plain.door, tuple(lamps), tuple(solids)
    )


def _wall_things(door: float, arm: int, low: float, high: float) -> list[Solid]:
    """Return a closed door on each wall, a notice board and a picture at the end; all too flat to walk into."""

    def on_wall(away: float, width: float, bottom: float, top: float, inner: bool, depth: float) -> tuple[Point, Point]:
        x1, x2 = sorted((door + arm * away, door + arm * (away + width)))
        y1, y2 = (high - depth, high) if inner else (low, low + depth)
        return (x1, y1, bottom), (x2, y2, top)

    frame, leaf, steel = (206.0, 212.0, 214.0), (92.0, 138.0, 178.0), (120.0, 118.0, 116.0)
    solids: list[Solid] = []
    for away, inner in ((5.6, False), (7.0, True)):
        solids.append(Box(*on_wall(away - 0.07, 1.04, 0.0, 2.12, inner, 0.02), frame))
        solids.append(Box(*on_wall(away, 0.90, 0.01, 2.05, inner, 0.035), leaf, "wood"))
        solids.append(Box(*on_wall(away + 0.80, 0.05, 0.98, 1.08, inner, 0.075), steel))
    solids.append(Box(*on_wall(4.5, 1.2, 1.05, 1.85, True, 0.03), steel))
    solids.append(Box(*on_wall(4.55, 1.1, 1.10, 1.80, True, 0.035), (96.0, 140.0, 176.0), "fabric"))
    for number, colour in enumerate(((236.0, 238.0, 238.0), (150.0, 210.0, 236.0), (214.0, 226.0, 206.0))):
        solids.append(Box(*on_wall(4.65 + 0.33 * number, 0.21, 1.3 + 0.06 * number, 1.6, True, 0.038), colour))
    x = door + arm * (_END - 0.02)
    solids.append(
        Box((min(x, x - arm * 0.02), low + 0.35, 1.1), (max(x, x - arm * 0.02), high - 0.35, 1.8), (70.0, 110.0, 200.0))
    )
    return solids


def cameras_in_corridor(corridor: Corridor, *, size: tuple[int, int] = (640, 480)) -> list[Camera]:
    """Return the cameras ``corridor1``, ``corridor2`` of the watched arms; they look away from the door.

    Args:
        corridor: see :func:`make_corridor`.
        size: width and height of the images, pixels.
    """
    middle = (corridor.low[1] + corridor.high[1]) / 2
    gains = ((0.96, 1.0, 1.05), (1.03, 0.98, 0.93))
    return [
        Camera(
            f"corridor{number + 1}",
            (corridor.door + arm * _CAMERA, middle - 0.25, _CAMERA_HEIGHT),
            (corridor.door + arm * (_CAMERA + 4.0), middle + 0.05, 0.95),
            width=size[0],
            height=size[1],
            gain=gains[number],
        )
        for number, arm in enumerate(corridor.watched)
    ]
