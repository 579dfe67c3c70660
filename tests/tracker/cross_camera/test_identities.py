"""Who is taken for whom: what a user sees of identities across cameras."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from tests.tracker.cross_camera.worlds import (
    Reader,
    World,
    found,
    identity,
    random_world,
    run,
    seen,
    unit_vectors,
)
from tracker.cross_camera.appearance import normalised
from tracker.cross_camera.events import Event
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import IdentitySettings

DEFAULT = 0.5
Row = tuple[int, Sequence[float], np.ndarray | None, float]


def make(views: str = "separate", cameras: Sequence[str] = ("a", "b"), **changes: object) -> Identities:
    return Identities(cameras, IdentitySettings(views=views, settle_seconds=5.0, **changes), DEFAULT)  # type: ignore[arg-type]


def look(person: np.ndarray, rng: np.random.Generator, noise: float = 0.3) -> np.ndarray:
    """One crop's vector: at a cosine distance of about noise² / 2 from the person's."""
    return normalised(person + noise * rng.normal(size=person.shape) / np.sqrt(person.size))


def place(slot: int, time: float = 0.0) -> list[float]:
    left = 80.0 + 150.0 * slot + 20.0 * time
    return [left, 150.0, left + 70.0, 350.0]


def passing(
    looks: np.ndarray, visits: Sequence[tuple[str, int, int, float, float]], *, seconds: float, noise: float = 0.3
) -> World:
    """Return a world in which (camera, track, person, begin, end) are all that is seen, ten times a second."""
    rng = np.random.default_rng(0)
    world = World(sorted({camera for camera, *_ in visits}))
    for tick in range(int(seconds * 10)):
        time = tick / 10
        step = []
        for camera in world.cameras:
            rows: list[Row] = []
            for where, track, person, begin, end in visits:
                if where == camera and begin <= time < end:
                    rows.append((track, place(track % 7), look(looks[person], rng, noise), 0.8))
                    world.truth[camera, track, time] = person
            ended = [track for where, track, _, _, end in visits if where == camera and time - 0.1 < end <= time]
            step.append(seen(camera, time, rows, ended=ended))
        world.steps.append(step)
    return world


def people_of(identities: Identities, world: World) -> dict[int, Counter[int]]:
    """Return for each identity how often it was which person."""
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for sight, number in found(identities, world).items():
        if number:
            counts[number][world.truth[sight]] += 1
    return counts


def one_after_the_other(people: int) -> list[tuple[str, int, int, float, float]]:
    """Two at a time cross camera a, and later camera b."""
    visits = []
    for person in range(people):
        begin = 3.0 * (person // 2)
        visits.append(("a", person + 1, person, begin, begin + 2.5))
        visits.append(("b", person + 101, person, begin + 3 * people, begin + 3 * people + 2.5))
    return visits


@pytest.mark.parametrize("views", ["separate", "auto"])
def test_eight_people_are_eight_in_both_cameras(views: str) -> None:
    world = passing(unit_vectors(8), one_after_the_other(8), seconds=40)
    identities = make(views)
    events = run(identities, world)
    counts = people_of(identities, world)
    assert len(counts) == 8
    assert sorted(person for count in counts.values() for person in count) == list(range(8))
    for camera in "ab":
        assert {identity(identities, *sight) for sight in world.truth if sight[0] == camera} == set(counts)
    assert all(found(identities, world).values()), "everybody is somebody for the whole time"
    assert [event.identity for event in events if event.kind == "identity_opened"] == list(range(1, 9))


def test_looks_that_say_nothing_join_nobody() -> None:
    """When people look as unlike themselves as others, two must not be taken for one."""
    rng = np.random.default_rng(5)
    visits = one_after_the_other(8)
    world = passing(unit_vectors(8), visits, seconds=40)
    noise = {(camera, track): unit_vectors(1, seed=int(rng.integers(1 << 30)))[0] for camera, track, *_ in visits}
    for number, step in enumerate(world.steps):
        world.steps[number] = [
            seen(
                observed.camera,
                observed.time,
                [
                    (int(track), box, noise[observed.camera, int(track)], 0.8)
                    for track, box in zip(observed.track_ids, observed.boxes, strict=True)
                ],
                ended=observed.ended,
            )
            for observed in step
        ]
    identities = make()
    run(identities, world)
    assert len(people_of(identities, world)) >= 15


@pytest.mark.parametrize("seed", range(3))
def test_hardly_ever_two_people_in_one_identity(seed: int) -> None:
    mixed, total = 0, 0
    for mode in ("separate", "auto"):
        world = random_world(100 * seed + 7, seconds=30, cameras=3, people=6, noise=0.4)
        identities = make(mode, world.cameras)
        run(identities, world)
        for count in people_of(identities, world).values():
            mixed += count.total() - max(count.values())
            total += count.total()
    assert total > 100
    assert mixed <= 0.06 * total


def test_a_stranger_is_somebody_new() -> None:
    looks = unit_vectors(9)
    world = passing(looks, [*one_after_the_other(8), ("b", 300, 8, 40.0, 43.0)], seconds=45)
    identities = make()
    run(identities, world)
    stranger = identity(identities, "b", 300, 41.0)
    assert stranger and people_of(identities, world)[stranger] == Counter({8: 30})


def late_evidence(opened_apart: bool) -> tuple[list[Event], Identities]:
    """A person in camera b looks like nobody at first, and then like themselves."""
    rng = np.random.default_rng(1)
    looks = unit_vectors(6)
    visits = [("a", 1, 0, 0.0, 6.0), ("a", 2, 1, 0.0, 6.0), ("a", 3, 2, 0.0, 6.0), ("a", 4, 3, 0.0, 6.0)]
    world = passing(looks, [*visits, ("b", 9, 0, 8.0, 20.0)], seconds=21)
    for number, step in enumerate(world.steps):
        for row, observed in enumerate(step):
            if observed.camera == "b" and len(observed.track_ids):
                # half hidden: the looks are those of the person and of something else
                early = observed.time < 8.9
                vector = normalised(looks[0] + 1.15 * looks[5]) if early and opened_apart else looks[0]
                poor = early and not opened_apart
                quality = 0.0 if poor else 0.2 if early else 0.9
                crop = None if poor else look(vector, rng, 0.1)
                step[row] = seen("b", observed.time, [(9, place(2), crop, quality)], ended=observed.ended)
        world.steps[number] = step
    identities = make(tracklets={"recent_crops": 60})
    return run(identities, world), identities


def test_who_is_first_seen_poorly_is_known_once_seen_well() -> None:
    events, identities = late_evidence(opened_apart=False)
    assert identity(identities, "b", 9, 8.0) == identity(identities, "a", 1, 1.0) != 0
    assert not [event for event in events if event.kind == "identities_merged"]
    given = [event for event in events if event.kind == "identity_assigned" and event.camera == "b"]
    assert [event.since for event in given] == [8.0]
    assert given[0].time >= 8.9
    assert given[0].score is not None and given[0].score > 0


def test_late_evidence_merges_and_says_so() -> None:
    events, identities = late_evidence(opened_apart=True)
    first = identity(identities, "a", 1, 1.0)
    assert identity(identities, "b", 9, 8.0) == identity(identities, "b", 9, 19.0) == first
    (merged,) = [event for event in events if event.kind == "identities_merged"]
    (corrected,) = [event for event in events if event.kind == "identity_corrected"]
    assert merged.identity == corrected.identity == first
    assert merged.previous_identity == corrected.previous_identity == 5
    assert (corrected.camera, corrected.track, corrected.since) == ("b", 9, 8.0)
    before = Reader()
    before.read(event for event in events if event.time < merged.time)
    assert before.identity_of("b", 9, 9.0) == 5


@pytest.mark.parametrize("sign", ["looks", "jump", "encounter"])
def test_a_track_that_slips_to_another_person_is_cut(sign: str) -> None:
    rng = np.random.default_rng(3)
    looks = unit_vectors(4)
    identities = make("auto", ["a"])
    reader = Reader()
    for tick in range(300):
        time = tick / 10
        # both are seen apart before and afterwards, each with a track of their own, and a third all the time
        rows: list[Row] = [(50, place(6), look(looks[3], rng), 0.8)]
        if time < 8:
            rows += [(1, place(0), look(looks[0], rng), 0.8), (2, place(2), look(looks[1], rng), 0.8)]
        elif 10 <= time < 16:
            person, where = (0, 0) if time < 13 else (1, 2 if sign == "jump" else 0)
            meets = sign == "encounter" and 12 < time < 13
            rows.append((3, place(where), None if meets else look(looks[person], rng), 0.0 if meets else 0.8))
            if meets:
                left, top, right, bottom = place(where)
                rows.append((4, [left + 10, top, right + 10, bottom], None, 0.0))
        elif time >= 20:
            rows += [(5, place(0), look(looks[0], rng), 0.8), (6, place(2), look(looks[1], rng), 0.8)]
        reader.read(identities.observe([seen("a", time, rows)]))
        if sign == "jump" and tick == 130:
            assert identity(identities, "a", 3, time) == 0, "who is elsewhere of a sudden is nobody until known"
    reader.read(identities.finish())
    first, second = identity(identities, "a", 1, 1.0), identity(identities, "a", 2, 1.0)
    assert 0 != first != second != 0
    assert identity(identities, "a", 3, 11.0) == first
    assert identity(identities, "a", 3, 15.0) == second
    assert [identity(identities, "a", track, 25.0) for track in (5, 6)] == [first, second]
    # who stood before them was never seen well, but for long enough to be somebody
    assert len(reader.opened) - len(reader.merged) == 3 + (sign == "encounter")
    times = [time / 10 for time in range(100, 160)]
    during = [identity(identities, "a", 3, time) for time in times]
    switches = [time for time, before, after in zip(times[1:], during, during[1:]) if before != after]
    assert switches == pytest.approx([13.0], abs=0.01)


def test_a_double_of_a_moment_splits_nobody() -> None:
    rng = np.random.default_rng(4)
    looks = unit_vectors(4)
    identities = make("auto", ["a"])
    for tick in range(200):
        time = tick / 10
        rows: list[Row] = [(50, place(6), look(looks[3], rng), 0.8), (51, place(4), look(looks[2], rng), 0.8)]
        left, top, right, bottom = place(1)
        if time < 15:
            rows.append((1, place(1), look(looks[0], rng), 0.8))
        if 5 <= time < 5.5:
            rows.append((2, [left + 3, top, right + 3, bottom], look(looks[0], rng), 0.1))
        if time >= 14.7:
            # a new track takes over
            rows.append((3, [left + 2, top - 2, right + 2, bottom], look(looks[0], rng), 0.8))
        identities.observe([seen("a", time, rows)])
    events = identities.finish()
    person = identity(identities, "a", 1, 1.0)
    assert person
    assert [identity(identities, "a", 1, time) for time in (5.2, 6.0, 10.0, 14.6)] == [person] * 4
    assert identity(identities, "a", 3, 15.0) == identity(identities, "a", 3, 19.0) == person
    assert identity(identities, "a", 1, 14.8) == 0, "from then on it is the other track's"
    assert not [event for event in events if event.kind == "identity_opened"]


def test_without_an_embedder_each_track_is_somebody() -> None:
    world = random_world(3, seconds=20, cameras=2, embedder=False)
    identities = Identities(world.cameras, IdentitySettings(settle_seconds=3.0), None)
    events = run(identities, world)
    assert identities.threshold_record() is None
    by_track: dict[tuple[str, int], set[int]] = defaultdict(set)
    spans: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (camera, track, time), number in found(identities, world).items():
        by_track[camera, track].add(number)
        spans[camera, track].append(time)
    assert all(len(numbers) == 1 for numbers in by_track.values())
    given = [number for numbers in by_track.values() for number in numbers if number]
    assert len(given) == len(set(given)) > 10
    for track, numbers in by_track.items():
        assert (numbers == {0}) == (max(spans[track]) - min(spans[track]) < 0.5)
    assert {event.kind for event in events} == {"track_started", "track_ended", "identity_opened", "identity_assigned"}


def test_who_is_hardly_seen_is_nobody() -> None:
    looks = unit_vectors(3)
    world = passing(looks, [("a", 1, 0, 0.0, 4.0), ("a", 2, 1, 1.0, 1.25)], seconds=5)
    identities = make()
    run(identities, world)
    assert identity(identities, "a", 1, 1.0) == 1
    assert identity(identities, "a", 2, 1.1) == 0
    assert identity(identities, "a", 77, 1.0) == 0, "no such track"
    assert identity(identities, "a", 1, -1.0) == 0, "before it began"


@pytest.mark.parametrize("at_once", [True, False])
def test_nobody_is_in_two_separate_places(at_once: bool) -> None:
    """A track that carries an identity over a gap, in which the person turned up elsewhere."""
    rng = np.random.default_rng(6)
    looks = unit_vectors(4)
    identities = make("separate")
    for tick in range(160):
        time = tick / 10
        rows: list[Row] = [(50, place(6), look(looks[3], rng), 0.8), (51, place(4), look(looks[2], rng), 0.8)]
        if not 4 < time < 7:
            rows.append((1, place(1), look(looks[0], rng), 0.8))
        other: list[Row] = [(9, place(1), look(looks[0], rng), 0.8)] if 5 <= time < 12 else []
        if at_once:
            identities.observe([seen("a", time, rows), seen("b", time, other)])
        else:
            # cameras whose pictures never fall on the same instant
            identities.observe([seen("b", time - 0.05, other)])
            identities.observe([seen("a", time, rows)])
        # whoever was last seen just before could still have gone over: known with the next picture
        if rows[-1][0] == 1 and other and (at_once or time > 7.05):
            here, there = identity(identities, "a", 1, time), identity(identities, "b", 9, time - 0.05)
            assert here != there or here == 0
    identities.finish()
    assert identity(identities, "a", 1, 8.0) != identity(identities, "b", 9, 8.0)


def test_events_as_json() -> None:
    event = Event("identity_corrected", 3.0, "a", 7, 0, previous_identity=2, since=1.5)
    assert event.to_dict() == {
        "kind": "identity_corrected", "time": 3.0, "camera": "a", "track": 7, "identity": 0,
        "previous_identity": 2, "since": 1.5,
    }  # fmt: skip
