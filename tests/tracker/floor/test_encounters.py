from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import boxes_of, corner_cameras
from tracker.floor.chains import Chain
from tracker.floor.encounters import Encounters
from tracker.floor.refinement import _as_followed, _Run
from tracker.floor.tracker import FloorTracker

RATE = 5.0
FRAMES = 24


def meeting(frame):
    """Two pass each other closely."""
    apart = 0.15 * (frame - FRAMES // 2)
    return [(3.0 - apart, 2.35), (3.0 + apart, 2.65)]


@pytest.fixture
def followed():
    tracker, generator = FloorTracker(corner_cameras(), remember=True), np.random.default_rng(2)
    for frame in range(FRAMES):
        tracker.update(boxes_of(tracker.cameras, meeting(frame), generator), frame / RATE)
    looks, settings, detectors = tracker._looks_back, tracker.settings, tracker.detectors
    chains, _ = _as_followed(tracker.cameras, looks, tracker._were_confirmed, settings, detectors)
    run = _Run(tracker.cameras, looks, settings, detectors, None)
    chains = run.swept(chains)
    assert len(chains) == 2
    return chains, Encounters(tracker.cameras, looks, settings, detectors, run._born)


def swapped(chains: list[Chain], number: int, until: int) -> None:
    """Let two change places from an instant on, and one instant before have each other's boxes in one camera."""
    first, second = chains
    for name in ("said", "vector", "rows", "posture_said"):
        one, other = getattr(first, name), getattr(second, name)
        for index in range(number, until):
            one[index], other[index] = other[index], one[index]


def crossed(encounters, chains):
    """Whether each ends on the other side of where they began."""
    places = [encounters._known(chain).places[:, 0] for chain in chains]
    return [bool((one[0] < 3.0) != (one[-1] < 3.0)) for one in places]


def test_who_changed_places_while_they_stood_together_gets_them_back(followed):
    chains, encounters = followed
    assert crossed(encounters, chains) == [True, True]
    swapped(chains, FRAMES // 2, FRAMES)
    assert crossed(encounters, chains) == [False, False]
    told = []
    assert encounters.settle(chains, lambda: told.append(1)) == 1
    assert crossed(encounters, chains) == [True, True]
    assert len(told) == FRAMES
    for number in range(FRAMES):
        for name in {name for chain in chains for name in chain.rows.get(number, {})}:
            rows = [chain.rows[number][name] for chain in chains if name in chain.rows.get(number, {})]
            assert len(set(rows)) == len(rows), (number, name)


def test_who_kept_their_places_keeps_them(followed):
    chains, encounters = followed
    before = [dict(chain.rows) for chain in chains]
    assert encounters.settle(chains) == 0
    assert crossed(encounters, chains) == [True, True]
    assert sum(chain.rows[n] == rows[n] for chain, rows in zip(chains, before) for n in rows) >= 2 * FRAMES - 8


def test_people_who_never_met_are_not_asked_about(followed):
    chains, encounters = followed
    known = [encounters._known(chain) for chain in chains]
    assert encounters._nearest(chains, known)
    for one in known[1:]:
        one.places += 5.0
    assert encounters._nearest(chains, known) == []
