from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.cross_camera.events import Event
from tracker.errors import InputError
from tracker.zones.definitions import LineDefinition, ZoneDefinition, ZoneDefinitions
from tracker.zones.shapes import feet, line_offsets, paths_cross
from tracker.zones.zone_set import ZoneSet

SIZE = (1600, 900)
TILL = ZoneDefinition(name="till", camera="cam", polygon=((0.4, 0.4), (0.6, 0.4), (0.6, 0.8), (0.4, 0.8)))
#: from left to right in the image, so that walking down crosses it forward
DOOR = LineDefinition(name="door", camera="cam", start=(0.2, 0.5), end=(0.8, 0.5))
PLACES = ZoneDefinitions(zones=(TILL,), lines=(DOOR,))
ONLY_DOOR = ZoneDefinitions(lines=(DOOR,))


def box_at(x: float, y: float) -> list[float]:
    """A box whose feet are at shares ``x`` and ``y`` of the image."""
    return [x * SIZE[0] - 40, y * SIZE[1] - 200, x * SIZE[0] + 40, y * SIZE[1]]


def walk(
    zones: ZoneSet, path: Iterable[tuple[float, float]], *, track: int = 1, identity: int = 0, start: float = 0.0,
    step: float = 0.1,
) -> list[Event]:  # fmt: skip
    """One person alone in the image, a frame for each place."""
    events = []
    for number, place in enumerate(path):
        events += zones.observe("cam", start + number * step, [track], [identity], [box_at(*place)], SIZE)
    return events


def kinds(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    return [(event.kind, event.place, event.direction) for event in events]


def test_feet_are_the_middle_of_the_lower_side() -> None:
    assert feet([[100, 50, 200, 450]], 900) == pytest.approx(np.array([[150 / 900, 0.5]]))
    assert feet(np.zeros((0, 4)), 900).shape == (0, 2)


def test_a_walk_through_a_zone_and_over_a_line() -> None:
    zones = ZoneSet(PLACES)
    events = walk(zones, [(0.5, y / 20) for y in range(4, 20)], identity=7)
    assert kinds(events) == [
        ("zone_entered", "till", None), ("line_crossed", "door", "forward"), ("zone_left", "till", None),
    ]  # fmt: skip
    assert [(event.camera, event.track, event.identity) for event in events] == [("cam", 1, 7)] * 3
    (visit,) = zones.visits()
    assert (visit.zone, visit.identity, visit.ending) == ("till", 7, "left")
    assert (visit.entered, visit.left, visit.seconds) == pytest.approx((0.4, 1.3, 0.9))
    (crossing,) = zones.crossings()
    assert (crossing.line, crossing.direction, crossing.identity) == ("door", "forward", 7)
    assert crossing.time == pytest.approx(0.7), "as soon as the feet are clearly beyond"
    assert zones.occupancy() == {"till": 0}
    assert kinds(walk(zones, [(0.5, 0.6), (0.5, 0.4)], identity=7, start=1.6))[1:] == [
        ("line_crossed", "door", "backward")
    ]


def test_events_are_plain_records() -> None:
    event = walk(ZoneSet(ONLY_DOOR), [(0.5, 0.4), (0.5, 0.6)])[0]
    assert event.to_dict() == {
        "kind": "line_crossed", "time": 0.1, "camera": "cam", "track": 1, "place": "door", "direction": "forward",
    }  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.0149, 0.0149), min_size=1, max_size=40))
def test_jitter_on_a_line_or_a_border_counts_once(noise: list[float]) -> None:
    zones = ZoneSet(PLACES)
    on_line = [(0.3, 0.5 + offset) for offset in noise]
    walk(zones, [(0.3, 0.4), *on_line, (0.3, 0.6)])
    assert [crossing.direction for crossing in zones.crossings()] == ["forward"]
    back = ZoneSet(PLACES)
    walk(back, [(0.3, 0.4), *on_line, (0.3, 0.4)])
    assert back.crossings() == [], "who turns round on the line has not crossed it"
    border = ZoneSet(PLACES)
    walk(border, [(0.5, 0.3), (0.5, 0.41), *[(0.5, 0.4 + offset) for offset in noise], (0.5, 0.3)])
    assert len(border.visits()) == 1


def test_past_the_end_of_a_line_is_not_across_it() -> None:
    zones = ZoneSet(ONLY_DOOR)
    assert walk(zones, [(0.1, 0.4), (0.1, 0.6)]) == []
    assert walk(zones, [(0.1, 0.6), (0.15, 0.7), (0.5, 0.7)], start=0.2) == []
    assert kinds(walk(zones, [(0.5, 0.4)], start=0.5)) == [("line_crossed", "door", "backward")]


def test_forward_is_from_left_to_right_on_the_floor_too() -> None:
    """On the floor y grows upwards: who looks along +x has +y on the left."""
    zones = ZoneSet(ZoneDefinitions(lines=(LineDefinition(name="gate", start=(0, 1), end=(4, 1)),)))
    events = [
        event for time, y in enumerate((2.0, 1.5, 0.5)) for event in zones.observe_floor(time, [3], [2], [[1, y]])
    ]
    assert [(event.direction, event.camera, event.track, event.identity) for event in events] == [
        ("forward", "floor", 3, 2)
    ]


def test_a_person_stays_one_when_the_track_breaks() -> None:
    zones = ZoneSet(PLACES)
    walk(zones, [(0.5, 0.45), (0.5, 0.48)], track=1, identity=5)
    events = walk(zones, [(0.5, 0.55), (0.5, 0.6)], track=2, identity=5, start=1.5)
    assert kinds(events) == [("line_crossed", "door", "forward")]
    assert len(zones.visits()) == 1 and zones.occupancy() == {"till": 1}


def test_a_person_recognised_late_has_crossed_between_the_tracks() -> None:
    zones = ZoneSet(PLACES)
    walk(zones, [(0.5, 0.42), (0.5, 0.45)], track=1, identity=5)
    assert kinds(walk(zones, [(0.5, 0.6), (0.5, 0.62)], track=2, start=0.6)) == [("zone_entered", "till", None)]
    events = walk(zones, [(0.5, 0.64)], track=2, identity=5, start=0.8)
    assert [(event.kind, event.time, event.track, event.identity) for event in events] == [("line_crossed", 0.6, 2, 5)]
    (visit,) = zones.visits()
    assert (visit.track, visit.identity, visit.entered) == (1, 5, 0.0)
    assert zones.occupancy() == {"till": 1}, "one person, who was counted once"
    assert walk(zones, [(0.5, 0.66)], track=2, identity=5, start=0.9) == [], "and does not cross again"


def test_side_by_side_nobody_has_crossed() -> None:
    """The same, but the first track goes on meanwhile: the second is somebody else whom nobody confuses with it."""
    zones = ZoneSet(ONLY_DOOR)
    for time in (0.0, 0.1, 0.2):
        zones.observe("cam", time, [1, 2], [5, 0], [box_at(0.5, 0.4), box_at(0.5, 0.6)], SIZE)
    assert zones.observe("cam", 0.3, [2], [5], [box_at(0.5, 0.6)], SIZE) == []


def test_who_is_not_seen_for_long_has_gone() -> None:
    zones = ZoneSet(PLACES)
    walk(zones, [(0.5, 0.45), (0.5, 0.45)], identity=5)
    assert zones.observe("cam", 2.05, [], [], np.zeros((0, 4)), SIZE) == []
    (event,) = zones.observe("cam", 2.2, [], [], np.zeros((0, 4)), SIZE)
    assert (event.kind, event.time) == ("zone_left", 0.1)
    assert zones.visits()[0].ending == "lost" and zones.occupancy() == {"till": 0}
    assert kinds(walk(zones, [(0.5, 0.6)], track=2, identity=5, start=3)) == [("zone_entered", "till", None)]
    assert len(zones.visits()) == 2 and zones.crossings() == []


def test_what_is_remembered_follows_corrections() -> None:
    zones = ZoneSet(PLACES)
    walk(zones, [(0.5, 0.45), (0.5, 0.6), (0.5, 0.9)], track=1)
    walk(zones, [(0.5, 0.6), (0.5, 0.9)], track=2, identity=8, start=1)
    assert [visit.identity for visit in zones.visits()] == [0, 8]
    zones.correct([Event("identity_assigned", 3, "cam", 1, 4, since=0.0)])
    assert [visit.identity for visit in zones.visits()] == [4, 8] and zones.crossings()[0].identity == 4
    zones.correct([Event("identity_corrected", 4, "cam", 2, 4, previous_identity=8, since=1.0)])
    (visit,) = zones.visits()
    assert (visit.identity, visit.entered, visit.left) == (4, 0.0, 1.1), "one stay of one person"
    # What was told of a later time stands, though the earlier is told last.
    zones.correct([Event("identity_corrected", 5, "cam", 1, 9, since=0.05), Event("track_ended", 5, "cam", 1)])
    zones.correct([Event("identity_corrected", 6, "cam", 1, 6, since=0.0)])
    assert [visit.identity for visit in zones.visits()] == [6, 4] and zones.crossings()[0].identity == 9
    zones.correct([Event("identity_corrected", 7, "cam", 1, 0, previous_identity=6, since=0.0)])
    assert zones.visits()[0].identity == 0


def test_what_is_said_of_the_floor_holds_in_every_camera() -> None:
    zones = ZoneSet(PLACES)
    walk(zones, [(0.5, 0.45)], track=1)
    zones.correct([Event("identity_assigned", 1, "floor", 1, 4, since=0.0)])
    assert zones.visits()[0].identity == 4


def test_another_size_of_image_begins_anew() -> None:
    zones = ZoneSet(PLACES)
    walk(zones, [(0.5, 0.45)])
    events = zones.observe("cam", 0.1, [1], [0], [[310, 100, 330, 288]], (640, 480))
    assert kinds(events) == [("zone_left", "till", None), ("zone_entered", "till", None)]


def test_zones_may_be_drawn_anew_while_it_runs() -> None:
    zones = ZoneSet(PLACES)
    walk(zones, [(0.5, 0.45)], identity=3)
    moved = TILL.model_copy(update={"name": "shelf"})
    assert kinds(zones.redefine(ZoneDefinitions(zones=(moved,)))) == [("zone_left", "till", None)]
    assert kinds(walk(zones, [(0.5, 0.45)], identity=3, start=0.1)) == [("zone_entered", "shelf", None)]
    assert [visit.zone for visit in zones.visits()] == ["till", "shelf"]
    assert zones.occupancy() == {"shelf": 1}
    assert kinds(zones.finish()) == [("zone_left", "shelf", None)] and zones.finish() == []


def test_memory_is_bounded_and_totals_are_whole() -> None:
    zones = ZoneSet(PLACES, remembered=50)
    for number in range(300):
        walk(zones, [(0.5, 0.3), (0.5, 0.45), (0.5, 0.6), (0.5, 0.9)], track=number, identity=number + 1, start=number)
        zones.correct([Event("identity_assigned", number, "cam", number, number + 1, since=number)])
    assert len(zones.visits()) == 50 and len(zones.crossings()) == 50
    totals = zones.totals()
    assert (totals["till"].entered, totals["till"].left) == (300, 300)
    assert totals["till"].dwell_seconds == pytest.approx(300 * 0.2)
    assert (totals["door"].forward, totals["door"].backward) == (300, 0)
    assert zones.crossings()[-1].identity == 300


@pytest.mark.parametrize(
    ("values", "words"),
    [({"image_margin": -1}, "image_margin is -1; give 0 or more"), ({"remembered": 0}, "remembered is 0; give at le")],
)
def test_settings_that_cannot_be(values: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ZoneSet(PLACES, **values)  # type: ignore[arg-type]


COORDINATES = st.floats(-5, 5).map(lambda value: round(value, 2))
POINTS = st.tuples(COORDINATES, COORDINATES)


@settings(max_examples=100, deadline=None)
@given(POINTS, POINTS, POINTS, POINTS)
def test_paths_cross_where_they_have_a_point_in_common(
    first: tuple[float, float], second: tuple[float, float], start: tuple[float, float], end: tuple[float, float]
) -> None:
    """Beside the solution of the two lines' equations."""
    a, b, c, d = (np.array([point]) for point in (first, second, start, end))
    offsets = line_offsets(np.vstack([a, b]), c, d)[:, 0]
    matrix = np.column_stack([(b - a)[0], (c - d)[0]])
    if np.abs(offsets).min() < 1e-6 or abs(np.linalg.det(matrix)) < 1e-6:
        return
    along, across = np.linalg.solve(matrix, (c - a)[0])
    if min(abs(along), abs(along - 1), abs(across), abs(across - 1)) < 1e-6:
        return
    assert bool(paths_cross(a, b, c, d)[0]) == (0 < along < 1 and 0 < across < 1)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_whoever_walks_is_as_often_inside_as_entered(seed: int) -> None:
    """Random walks of several people: visits and occupancy agree, and sides follow from crossings."""
    random = np.random.default_rng(seed)
    zones = ZoneSet(PLACES, image_margin=0.01)
    places = random.uniform(0.25, 0.75, (4, 2))
    began = places[:, 1].copy()
    for frame in range(80):
        places = np.clip(places + random.normal(0, 0.03, (4, 2)), 0.22, 0.78)
        zones.observe("cam", frame * 0.1, range(4), range(1, 5), [box_at(*place) for place in places], SIZE)
        if frame == 0:
            began = places[:, 1].copy()
        held = [visit for visit in zones.visits() if visit.ending == "open"]
        assert zones.occupancy()["till"] == len(held) == len({visit.identity for visit in held})
    for person in range(4):
        mine = [crossing for crossing in zones.crossings() if crossing.identity == person + 1]
        directions = [crossing.direction for crossing in mine]
        assert all(one != other for one, other in pairwise(directions)), "there and back in turn"
        if abs(began[person] - 0.5) > 0.01 and abs(places[person, 1] - 0.5) > 0.01:
            assert (len(mine) % 2 == 1) == ((began[person] < 0.5) != (places[person, 1] < 0.5))
