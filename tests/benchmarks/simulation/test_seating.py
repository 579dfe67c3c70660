"""Sitting: people sit down, stay and get up; soles stay on the floor and bodies on the seat."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.simulation.gait import Stance
from benchmarks.simulation.people import Person
from benchmarks.simulation.room import Room, Seat
from benchmarks.simulation.scene import Scene, make_scene
from benchmarks.simulation.solids import Box
from benchmarks.simulation.wardrobe import Wardrobe

_ROOM = Room()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(seed=3, seconds=60, people=10, at_once=6)


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return [Person(Wardrobe(0).person(number)) for number in (2, 8, 14, 17, 31, 37)]


def _sits(seat: Seat, seated: float = 1.0) -> Stance:
    x, y = np.array(seat.before) + seated * np.subtract(seat.place, seat.before)
    return Stance(x, y, seat.facing, seated=seated, seat_height=seat.height)


def _distance_to_way(places: NDArray[np.floating], seat: Seat) -> NDArray[np.float64]:
    """Return metres from ``places`` (N, 2) to the line from the floor before the seat to the seat itself."""
    found = np.full(len(places), np.inf)
    for start, end in ((seat.front, seat.before), (seat.before, seat.place)):
        along = np.subtract(end, start)
        share = np.clip((places - start) @ along / (along @ along), 0, 1)
        found = np.minimum(found, np.hypot(*(places - start - share[:, None] * along).T))
    return found


def test_people_sit_down_and_get_up_in_about_a_second(scene: Scene) -> None:
    lasted: list[list[int]] = [[], []]
    for number in range(scene.present.shape[1]):
        seated = scene.seated[:, number]
        moving = (seated > 0) & (seated < 1) & scene.present[:, number]
        edges = np.flatnonzero(np.diff(np.r_[0, moving.astype(int), 0]))
        for first, last in edges.reshape(-1, 2):
            if first > 0 and last < scene.frames:
                lasted[int(seated[first - 1] == 1)].append(last - first)
                assert abs(seated[last] - seated[first - 1]) == 1
    assert len(lasted[0]) >= 3 and len(lasted[1]) >= 3
    assert min(map(min, lasted)) / scene.frame_rate > 0.7
    assert np.median(np.concatenate(lasted)) / scene.frame_rate < 1.2


def test_who_sits_is_on_a_seat_and_a_seat_is_for_one(scene: Scene) -> None:
    places = np.array([seat.place for seat in scene.room.seats])
    facing = np.array([seat.facing for seat in scene.room.seats])
    sitting = 0
    for frame in range(scene.frames):
        people = np.flatnonzero(scene.present[frame] & (scene.seated[frame] == 1))
        taken = []
        for number in people:
            gap = np.hypot(*(places - (scene.x[frame, number], scene.y[frame, number])).T)
            taken.append(int(np.argmin(gap)))
            assert gap.min() < 1e-3
            assert np.cos(scene.heading[frame, number] - facing[taken[-1]]) > 0.99
        assert len(set(taken)) == len(taken)
        sitting += len(taken)
    assert 0.05 < sitting / scene.present.sum() < 0.6


def test_who_is_at_a_seat_keeps_to_the_way_between_floor_and_seat(scene: Scene) -> None:
    at_seat = scene.present & (scene.seat_height > 0)
    places = np.stack([scene.x[at_seat], scene.y[at_seat]], 1)
    assert np.min([_distance_to_way(places, seat) for seat in scene.room.seats], axis=0).max() < 0.21
    assert not (scene.seated[scene.present & (scene.seat_height == 0)] > 0).any()


def test_seats_are_reached_from_free_floor_and_are_not_walked_over() -> None:
    for seat in _ROOM.seats:
        assert _ROOM.inside(np.array([seat.front]), 0.26)[0]
        assert not _ROOM.inside(np.array([seat.before, seat.place]), 0.20).any()


@pytest.mark.parametrize("seat", _ROOM.seats, ids=["sofa right", "sofa left", "red chair", "blue chair"])
def test_who_sits_touches_floor_and_seat_and_cuts_through_neither(seat: Seat, people: list[Person]) -> None:
    for person in people:
        points, _ = person.posed(_sits(seat))
        ahead = (points[:, :2] - np.array(seat.place)) @ (np.cos(seat.facing), np.sin(seat.facing))
        soles = points[(ahead > 0.25) & (points[:, 2] < 0.1)]
        assert len(soles) and -0.03 < soles[:, 2].min() < 0.02
        if person.look.bag == "none" and person.look.legs_kind != "skirt":
            above = points[np.abs(ahead) < 0.12, 2].min()
            assert seat.height - 0.06 < above < seat.height + 0.01
        joints = person.joints(_sits(seat))
        for side in ("left", "right"):
            assert joints[f"{side}_thigh"][2] == pytest.approx(
                seat.height + 0.105 * person.look.height / 1.75, abs=0.02
            )
            for name in ("shin", "foot"):
                assert not any(_in_box(joints[f"{side}_{name}"], solid) for solid in _ROOM.solids)
        assert joints["head"][2] < 0.80 * person.look.height
        np.testing.assert_allclose(joints["pelvis"][:2], seat.place, atol=1e-5)


def _in_box(point: NDArray[np.float64], solid: object) -> bool:
    return isinstance(solid, Box) and bool(np.all(point > solid.low) and np.all(point < solid.high))


def test_feet_stay_where_they_are_while_the_body_goes_down(people: list[Person]) -> None:
    for seat in _ROOM.seats:
        for person in people:
            feet = [
                (person.joints(_sits(seat, seated))["left_foot"] + person.joints(_sits(seat, seated))["right_foot"]) / 2
                for seated in np.linspace(0, 1, 12)
            ]
            heads = [person.joints(_sits(seat, seated))["pelvis"][2] for seated in np.linspace(0, 1, 12)]
            assert np.ptp(feet, axis=0)[:2].max() < 0.11
            assert (np.diff(heads) < 0).all()
