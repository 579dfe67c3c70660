"""Entry zones given by hand: shapes, where people are then expected, and what the tracker makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import boxes_of, corner_cameras
from tracker.errors import InputError
from tracker.floor.entries import Entries, Zone, entries_from_document
from tracker.floor.settings import FloorSettings
from tracker.floor.tracker import FloorTracker
from tracker.floor.undetected import Undetected

RATE = 10.0
DOOR = {"name": "door", "polygon": [[2.5, -0.3], [3.5, -0.3], [3.5, 0.8], [2.5, 0.8]]}
ROOM = [[0, 0], [6, 0], [6, 5], [0, 5]]
AT_THE_DOOR, INSIDE, FAR_INSIDE = (3.0, 0.4), (3.6, 2.8), (4.5, 4.0)


def cameras_of(*names: str):
    return {name: camera for name, camera in corner_cameras().items() if name in names}


def test_distances_to_polygons_and_circles():
    ell = Zone("ell", np.array([(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)], float))
    places = [(0.5, 0.5), (0.5, 2.5), (1.9, 0.9), (1.5, 2), (-1, -1), (3, 0.5), (2, 2)]
    np.testing.assert_allclose(ell.distance(places), [0, 0, 0, 0.5, np.sqrt(2), 1, 1], atol=1e-12)
    backwards = Zone("ell", ell.corners[::-1])
    np.testing.assert_allclose(backwards.distance(places), ell.distance(places), atol=1e-12)
    closed = Zone("ell", np.vstack([ell.corners, ell.corners[:1]]))
    np.testing.assert_allclose(closed.distance(places), ell.distance(places), atol=1e-12)
    circle = Zone("stairs", np.array([(1.0, 1.0)]), 0.5)
    np.testing.assert_allclose(circle.distance([(1, 1), (1.4, 1), (3, 1)]), [0, 0, 1.5])


def test_a_place_is_less_of_an_entry_the_farther_it_is():
    entries = entries_from_document([DOOR])
    near = entries.nearness(np.array([(3, 0.4), (3, 1.0), (3, 1.4), (3, 4)]))
    assert near[0] == 1 and (np.diff(near) < 0).all() and near[-1] < 1e-6
    assert not Entries().nearness(np.zeros((2, 2))).any() and not Entries()


@pytest.mark.parametrize(
    ("entries", "area", "words"),
    [
        ({"polygon": ROOM}, None, "entries: is no list of zones"),
        ([], None, "or leave it out"),
        ([[1, 2]], None, "entry 1 is no mapping"),
        ([{"name": 3, "polygon": ROOM}], None, "entry 1: its name is 3"),
        ([{"polgon": ROOM}], None, "entry 1 has an unknown field 'polgon': did you mean 'polygon'"),
        ([{"name": "door"}], None, "entry 'door': give a polygon"),
        ([{"name": "door", "polygon": ROOM, "radius": 1}], None, "entry 'door': give a polygon"),
        ([{"name": "door", "polygon": ROOM[:2]}], None, "'door': its polygon has 2 corners; give at least three"),
        ([{"polygon": [[0, 0], [1, 1], [0, float("nan")]]}], None, "entry 1: its polygon: corner 3 is .*finite"),
        ([{"polygon": [[0, 0], [1, 1], [10**400, 0]]}], None, "corner 3 is"),
        ([{"polygon": [[0, 0], [1, 1], [True, 0]]}], None, "corner 3 is"),
        ([{"polygon": [[0, 0], [1, 1], [0, 0]]}], None, "three different corners"),
        ([{"polygon": [[0, 0], [1, 1], [2, 2], [3, 3]]}], None, "on one line"),
        ([{"polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}], None, "sides of its polygon cross"),
        ([{"center": [0, float("inf")], "radius": 1}], None, "its center is"),
        ([{"center": [0, 0], "radius": 0}], None, "its radius is 0; give metres above 0"),
        ([{"center": [0, 0]}], None, "its radius is None"),
        ([DOOR, {**DOOR, "name": "Door"}], None, "two entries are called 'Door'"),
        (None, [[0, 0], [1, 0]], "area has 2 corners"),
        (None, 7, "area is no list of corners"),
        ([{"name": "gate", "center": [9, 2], "radius": 1}], ROOM, "entry 'gate' is 2.0 m away from the area"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_zone_is_one_line(entries, area, words):
    with pytest.raises(InputError, match=words):
        entries_from_document(entries, area)


def test_zones_away_from_what_cameras_see_are_refused():
    far = entries_from_document([{"name": "gate", "center": [300, 2], "radius": 1}])
    with pytest.raises(InputError, match=r"entry 'gate' is .* m away from the floor that the cameras see"):
        FloorTracker(corner_cameras(), entries=far)
    with pytest.raises(InputError, match="the cameras see nothing of the area"):
        FloorTracker(corner_cameras(), entries=entries_from_document(None, [[200, 0], [210, 0], [205, 9]]))


def looked(entries, seconds=10.0):
    cameras = cameras_of("northwest", "northeast")
    room = Undetected(cameras, 1.7, entries)
    for _ in range(round(seconds / 0.25)):
        room.looked(0.25, 0.9, dict.fromkeys(cameras, (np.zeros((0, 4)), np.zeros(0))))
    return room


def test_new_people_are_expected_at_entries_and_hardly_elsewhere():
    learnt, given = looked(None), looked(entries_from_document([DOOR]))
    places = [AT_THE_DOOR, FAR_INSIDE, (8.5, 2.5)]
    before, after = learnt.density(places), given.density(places)
    assert after[0] > 100 * before[0] and after[0] > 100 * after[1]
    assert 0 < after[1] < before[1] / 2, "inside, where detectors may have overlooked somebody"
    assert after[2] < before[2] / 2, "where nobody looks"


def test_nobody_is_expected_outside_the_area():
    room = looked(entries_from_document(None, ROOM), 1.0)
    assert (room.density([(3, 2.5), (0.1, 2), (-0.2, 2)]) > 0).all()
    assert room.density([(-0.4, 2), (3, 9), (500, 0)]).tolist() == [0, 0, 0]


def test_who_is_lost_inside_is_expected_there_and_who_is_lost_at_an_entry_has_gone():
    entries = entries_from_document([DOOR])
    gains = {}
    for name, given in (("learnt", None), ("given", entries)):
        for place in (AT_THE_DOOR, INSIDE):
            room = looked(given)
            before = room.density([place])[0]
            room.was_lost(np.array(place))
            gains[name, place] = room.density([place])[0] - before
    assert gains["given", INSIDE] > 2 * gains["learnt", INSIDE]
    assert gains["given", AT_THE_DOOR] == pytest.approx(gains["learnt", AT_THE_DOOR], rel=0.05)


def confirmed_after(place, entries, *, longest=60):
    """Return how many looks of one camera it takes until somebody new at ``place`` is a person."""
    cameras = cameras_of("northwest")
    tracker = FloorTracker(cameras, entries=entries)
    for frame in range(50):
        tracker.update(boxes_of(cameras, []), frame / RATE)
    for count in range(1, longest):
        if tracker.update(boxes_of(cameras, [place]), (49 + count) / RATE).confirmed.any():
            return count
    return longest


def test_somebody_at_an_entry_is_a_person_sooner_than_somebody_in_the_middle():
    entries = entries_from_document([DOOR], ROOM)
    at_the_door = confirmed_after(AT_THE_DOOR, entries)
    # Boxes of who stands still say less when they follow each other: two thirds of a second at a door.
    assert at_the_door <= 10 < confirmed_after(INSIDE, entries)
    assert at_the_door < confirmed_after(AT_THE_DOOR, None), "the door is not known yet"


def test_nobody_is_born_outside_the_area():
    half = entries_from_document(None, [[0, 0], [2.5, 0], [2.5, 5], [0, 5]])
    cameras = corner_cameras()
    people = [(1.5, 2.5), (4.0, 2.5)]
    tracker, free = FloorTracker(cameras, entries=half), FloorTracker(cameras)
    for frame in range(4):
        found = boxes_of(cameras, people)
        inside, all_of_them = tracker.update(found, frame / RATE), free.update(found, frame / RATE)
        assert (inside.positions[:, 0] < 2.8).all()
    assert inside.confirmed.sum() == 1 and all_of_them.confirmed.sum() == 2


def false_box_odds(entries):
    """Return the odds that a box of one camera alone, in the middle, has got where people used to stand."""
    cameras = cameras_of("northwest", "northeast")
    tracker = FloorTracker(cameras, FloorSettings(false_alarms=0.02, learn_detectors=False), entries=entries)
    frame = 0
    for _ in range(2):
        for people, looks in (([INSIDE], 6), ([], 40)):
            for _ in range(looks):
                tracker.update(boxes_of(cameras, people), frame / RATE)
                frame += 1
    found = boxes_of(cameras, [INSIDE])
    found["northeast"] = boxes_of(cameras, [])["northeast"]
    tracker.update(found, frame / RATE)
    return tracker._odds.max(initial=-10.0)


def test_a_false_box_in_the_middle_is_less_of_a_person():
    assert false_box_odds(entries_from_document([DOOR])) < false_box_odds(None) - 1.0


def looks_until_gone(place, entries):
    cameras = cameras_of("northwest", "northeast")
    tracker = FloorTracker(cameras, entries=entries)
    for frame in range(6):
        tracker.update(boxes_of(cameras, [place]), frame / RATE)
    for count in range(200):
        if not len(tracker.update({}, (6 + count) / RATE).ids):
            return count
    raise AssertionError("is awaited for ever")


def test_who_vanishes_inside_is_kept_longer_than_who_vanishes_at_an_entry():
    entries = entries_from_document([DOOR])
    usual = looks_until_gone(INSIDE, None)
    assert looks_until_gone(INSIDE, entries) > 1.3 * usual
    assert looks_until_gone(AT_THE_DOOR, entries) <= looks_until_gone(AT_THE_DOOR, None)


def test_without_entries_nothing_changes():
    generator = np.random.default_rng(2)
    cameras = corner_cameras()
    trackers = [FloorTracker(cameras), FloorTracker(cameras, entries=Entries())]
    for frame in range(12):
        found = boxes_of(cameras, [(1.5 + 0.05 * frame, 1.5), INSIDE][: 2 - (frame > 6)], generator, missed=0.2)
        reports = [tracker.update(found, frame / RATE) for tracker in trackers]
        assert reports[0].ids.tobytes() == reports[1].ids.tobytes()
        assert reports[0].positions.tobytes() == reports[1].positions.tobytes()
