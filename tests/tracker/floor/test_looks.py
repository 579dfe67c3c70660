from __future__ import annotations

import numpy as np
import pytest

from tracker.floor.looks import Looks
from tracker.floor.settings import FloorSettings

RED, BLUE = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])


@pytest.fixture
def looks() -> Looks:
    looks = Looks(FloorSettings(alike=0.5, likeness=3.0, most_appearance=2.0))
    looks.add(2)
    looks.learn(np.array([0, 1]), np.stack([RED, BLUE]))
    return looks


def test_who_looks_alike_is_spoken_for_and_who_does_not_against(looks):
    said = looks.evidence(np.stack([RED, BLUE]), 2)
    assert said == pytest.approx(np.array([[2.0, -2.0], [-2.0, 2.0]])), "no crop says more than the most"
    half = (RED + BLUE) / np.sqrt(2)
    assert looks.evidence(half[None], 1)[:, 0] == pytest.approx(3 * (1 - (1 - np.sqrt(0.5)) / 0.5))


def test_what_is_not_known_says_nothing(looks):
    looks.add(1)
    assert looks.known.tolist() == [True, True, False]
    assert looks.evidence(RED[None], 1)[2, 0] == 0
    assert (looks.evidence(np.full((1, 3), np.nan), 1) == 0).all()
    assert (looks.evidence(None, 4) == 0).all() and looks.evidence(None, 4).shape == (3, 4)
    looks.learn(np.array([2]), np.full((1, 3), np.nan))
    assert not looks.known[2]


def test_the_latest_crops_count_most_after_many(looks):
    for _ in range(1000):
        looks.learn(np.array([0]), BLUE[None])
    assert looks.evidence(BLUE[None], 1)[0, 0] == 2.0


def test_who_is_not_kept_is_forgotten(looks):
    looks.keep(np.array([False, True]))
    assert looks.evidence(BLUE[None], 1)[:, 0].tolist() == [2.0]
