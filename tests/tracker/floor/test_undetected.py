from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import corner_cameras
from tracker.floor.undetected import Undetected

NOBODY = (np.zeros((0, 4)), np.zeros(0))


@pytest.fixture
def room():
    return Undetected(corner_cameras(), 1.7)


def look(room, seconds, screens=NOBODY):
    for _ in range(round(seconds / 0.25)):
        room.looked(0.25, 0.9, dict.fromkeys(corner_cameras(), screens))


def test_before_anything_was_seen_people_may_be_anywhere(room):
    assert room.density([(3, 2.5), (0.5, 0.5), (200, 0)]).tolist() == [1, 1, 1]


def test_nobody_is_undetected_where_all_cameras_look(room):
    look(room, 3)
    middle, beyond = room.density([(3, 2.5), (200, 0)])
    assert middle < 0.05 and beyond == 1


def test_the_longer_nobody_comes_the_less_anybody_is_expected(room):
    places = np.random.default_rng(0).uniform((-1, -1), (7, 6), (300, 2))
    look(room, 2)
    early = room.density(places)
    look(room, 30)
    late = room.density(places)
    assert late.mean() < early.mean() / 2 and (late <= early + 1e-3).all()


def test_where_people_came_in_more_will_come(room):
    look(room, 10)
    before = room.density([(2, 2)])[0]
    room.came_in(np.array([2.0, 2.0]))
    look(room, 2)
    here, elsewhere = room.density([(2, 2), (4.5, 3)])
    assert here > before and here > 3 * elsewhere


def test_who_was_lost_is_still_about(room):
    look(room, 10)
    before = room.density([(3, 2.5)])[0]
    room.was_lost(np.array([3.0, 2.5]))
    assert room.density([(3, 2.5)])[0] > 10 * before


def test_behind_a_wall_of_people_somebody_may_stand(room):
    cameras = corner_cameras()
    screens = {name: (np.array([[0.0, 0, 640, 480]]), np.array([0.5])) for name in cameras}
    hidden = Undetected(cameras, 1.7)
    for _ in range(8):
        hidden.looked(0.25, 0.9, screens)
    look(room, 2)
    assert hidden.density([(3, 2.5)])[0] > 5 * room.density([(3, 2.5)])[0]


def test_it_is_a_density_whatever_happens(room):
    generator = np.random.default_rng(0)
    for _ in range(60):
        room.came_in(generator.uniform(0, 5, 2))
        room.was_lost(generator.uniform(0, 5, 2))
        look(room, 0.5)
    density = room.density(generator.uniform(-3, 9, (500, 2)))
    assert np.isfinite(density).all() and (density > 0).all() and (density <= 1).all()
