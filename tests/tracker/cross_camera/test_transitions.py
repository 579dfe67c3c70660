"""Times between cameras: what they say, what they must not say, and who is found by them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.cross_camera.worlds import World, identity, run, seen, unit_vectors
from tracker.cross_camera.appearance import normalised
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import IdentitySettings
from tracker.cross_camera.possible_transitions import PossibleTransitions, TransitionRule, TransitionRules
from tracker.cross_camera.transitions import MOST_AGAINST, MOST_FOR, REMEMBERED, TransitionTimes
from tracker.cross_camera.visits import Visits
from tracker.errors import InputError

A, B, C = 0, 1, 2


def visits(*rows: tuple[int, float, float], first_key: int = 0) -> Visits:
    """Return visits (camera, begin, end), each a track of its own that came and went."""
    count = len(rows)
    keys = np.arange(first_key, first_key + count)
    cameras, starts, ends = (np.array([row[column] for row in rows]) for column in range(3))
    whole = np.ones(count, bool)
    return Visits(np.arange(count), keys, cameras.astype(int), keys, starts.astype(float), ends.astype(float),
                  whole, whole)  # fmt: skip


def alike(people: list[int], *, same: float = 3.0, other: float = -4.0) -> np.ndarray:
    number = np.array(people)
    return np.where(number[:, None] == number, same, other)


def crossing(
    people: int, transit: float = 10.0, every: float = 7.0
) -> tuple[list[tuple[int, float, float]], list[int]]:
    """People who come one after the other, seen for 3 s in A and, about ``transit`` seconds later, in B."""
    rng = np.random.default_rng(0)
    rows, who = [], []
    for person in range(people):
        begin = every * person
        rows += [(A, begin, begin + 3), (B, begin + 3 + transit + rng.uniform(-1, 1), begin + 20 + transit)]
        who += [person, person]
    return rows, who


def evidence_of(times: TransitionTimes, among: Visits, values: np.ndarray) -> np.ndarray:
    return times.evidence_for(among, values) + times.evidence_against(among)


def said(learnt: int, gap: float, *, transit: float = 10.0, every: float = 7.0) -> float:
    """Return the evidence of a gap from A to B between two whose looks say nothing, after ``learnt`` crossings."""
    rows, who = crossing(learnt, transit, every)
    rows += [(A, 0.5, 100.0), (B, 100.0 + gap, 200.0 + gap)]
    values = np.full((len(rows), len(rows)), 0.0)
    values[:-2, :-2] = alike(who)
    times = TransitionTimes()
    times.learn(visits(*rows), values)
    evidence = evidence_of(times, visits(*rows), values)
    assert np.array_equal(evidence, evidence.T)
    return float(evidence[-2, -1])


def test_a_gap_that_fits_speaks_for_and_one_too_short_against() -> None:
    assert said(60, 10.0) == pytest.approx(MOST_FOR * 60 / 80, abs=0.05)
    assert said(60, 1.0) == pytest.approx(-np.log(61) * 60 / 80)
    assert said(60, -5.0) == said(60, 1.0), "nobody was ever in both views at once"
    assert said(60, 80.0) == 0.0, "people stop, and are seen elsewhere in between"
    assert said(60, 6.0) == pytest.approx(0.0, abs=0.1), "quicker than anybody so far is not excluded"


def test_few_examples_say_nothing_and_more_say_more() -> None:
    assert [said(count, gap) for count in (0, 1, 4) for gap in (-5.0, 1.0, 10.0)] == [0.0] * 9
    assert said(6, 10.0) < 0.5 < 1.2 < said(60, 10.0)
    assert -0.5 < said(6, 1.0) < 0.0
    assert said(400, 1.0) < -5.0


def test_gaps_that_strangers_have_too_say_little() -> None:
    """People who come in at once leave at once: that somebody fits proves nothing."""
    assert said(60, 10.0, every=0.0) < 0.5 < said(60, 10.0)


def test_views_that_overlap_exclude_nothing() -> None:
    rows, who = [], []
    for person in range(40):
        rows += [(A, 9.0 * person, 9.0 * person + 5), (B, 9.0 * person + 3, 9.0 * person + 8)]
        who += [person, person]
    times = TransitionTimes()
    times.learn(visits(*rows), alike(who))
    assert evidence_of(times, visits(*rows), alike(who)).min() == 0.0
    (record,) = (one for one in times.records(["a", "b"]) if one.to_camera == "b" and one.from_camera == "a")
    assert (record.count, record.at_once, record.excluded_below_seconds) == (40, 40, None)


def test_learns_from_clear_looks_alone() -> None:
    rows, who = crossing(30)
    doubtful = TransitionTimes()
    doubtful.learn(visits(*rows), alike(who, same=1.9))
    assert not doubtful.records(["a", "b"])
    clear = TransitionTimes()
    for _ in range(3):
        clear.learn(visits(*rows), alike(who))
    (record,) = clear.records(["a", "b"])
    assert (record.from_camera, record.to_camera, record.count) == ("a", "b", 30), "the same is not learnt twice"
    assert record.median_seconds == pytest.approx(10.0, abs=0.5)
    assert 9.0 <= record.seconds_5_95[0] < record.seconds_5_95[1] <= 11.0
    clear.learn(visits(*rows), alike(who, same=0.0))
    assert not clear.records(["a", "b"]), "what turned out unclear is forgotten"


def test_who_looks_like_two_people_teaches_nothing() -> None:
    rows = [(A, 0.0, 5.0), (A, 1.0, 6.0), (B, 20.0, 25.0)]
    twins = TransitionTimes()
    twins.learn(visits(*rows), np.array([[3.0, -4, 3], [-4, 3, 3], [3, 3, 3]]))
    assert not twins.records(["a", "b"])


def test_coming_back_is_learnt_but_never_excluded() -> None:
    rows, who = [], []
    for person in range(30):
        rows += [(A, 50.0 * person, 50.0 * person + 3), (A, 50.0 * person + 30, 50.0 * person + 33)]
        who += [person, person]
    rows += [(A, 2000.0, 2003.0), (A, 2003.5, 2006.0)]
    values = np.zeros((62, 62))
    values[:60, :60] = alike(who)
    times = TransitionTimes()
    times.learn(visits(*rows), values)
    (record,) = times.records(["a"])
    assert (record.from_camera, record.to_camera, record.count) == ("a", "a", 30)
    evidence = evidence_of(times, visits(*rows), values)
    assert evidence[-2, -1] == 0.0, "a track may break off and begin anew"
    assert evidence[0, 1] > 1.0 and evidence.min() == 0.0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_evidence_is_bounded_whatever_was_seen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, 300, 60)
    rows = [(int(rng.integers(3)), start, start + rng.exponential(5)) for start in starts.tolist()]
    values = rng.normal(0, 3, (60, 60))
    values = (values + values.T) / 2
    values[rng.random((60, 60)) < 0.1] = np.nan
    times = TransitionTimes()
    times.learn(visits(*rows), values)
    evidence = evidence_of(times, visits(*rows), values)
    assert np.isfinite(evidence).all()
    assert evidence.min() >= -MOST_AGAINST and evidence.max() <= MOST_FOR


def test_memory_is_bounded() -> None:
    times = TransitionTimes()
    for part in range(12):
        rows, who = crossing(50)
        times.learn(visits(*rows, first_key=1000 * part), alike(who))
    (record,) = times.records(["a", "b"])
    assert record.count == REMEMBERED < 12 * 50


def look_alikes(clear: int) -> World:
    """Many cross from a to b in 10 s; at last two at once, each of whom looks in b a little more like the other."""
    rng = np.random.default_rng(1)
    looks = unit_vectors(clear, dimension=64, seed=2)
    basis = np.linalg.qr(rng.normal(size=(64, 4)))[0].T
    p, q = basis[:2]
    in_b = [0.47 * p + 0.50 * q + 0.727 * basis[2], 0.50 * p + 0.47 * q + 0.727 * basis[3]]
    rows = []
    for person in range(clear):
        begin, transit = 2.0 * person, 10 + rng.uniform(-0.5, 0.5)
        rows.append(("a", person, looks[person], begin, begin + 3))
        rows.append(("b", 1000 + person, looks[person], begin + 3 + transit, begin + 6 + transit))
    last = 2.0 * clear + 20
    rows += [("a", 500, p, last, last + 3), ("a", 501, q, last, last + 8)]
    rows += [("b", 1500, in_b[0], last + 13, last + 20), ("b", 1501, in_b[1], last + 18, last + 25)]
    world = World(["a", "b"])
    for tick in range(int(4 * (last + 26))):
        time = tick / 4
        step = []
        for camera in world.cameras:
            there = []
            for where, track, vector, begin, end in rows:
                if where == camera and begin <= time < end:
                    left = 100.0 + 160 * (track % 7)
                    crop = normalised(vector + 0.2 * rng.normal(size=64) / 8)
                    there.append((track, [left, 150.0, left + 70, 350.0], crop, 0.8))
                    world.truth[camera, track, time] = track % 500
            ended = [track for where, track, _, _, end in rows if where == camera and time - 0.25 < end <= time]
            step.append(seen(camera, time, there, ended=ended, dimension=64))
        world.steps.append(step)
    return world


def who_is_who(clear: int, handover: str) -> tuple[list[int], list[int]]:
    """Return the identities of the two in a, and of the same two in b."""
    world = look_alikes(clear)
    identities = Identities(world.cameras, IdentitySettings(settle_seconds=60.0, handover=handover), 0.5)
    run(identities, world)
    last = 2.0 * clear + 20
    in_a = [identity(identities, "a", track, last + 1) for track in (500, 501)]
    return in_a, [identity(identities, "b", track, last + 19) for track in (1500, 1501)]


def test_times_decide_where_looks_do_not() -> None:
    (p, q), found = who_is_who(40, "auto")
    assert p and q and p != q and found == [p, q]
    (p, q), found = who_is_who(40, "off")
    assert p and q and p != q and found == [q, p], "looks alone take each for the other"


def test_times_of_three_people_decide_nothing() -> None:
    assert who_is_who(3, "auto") == who_is_who(3, "off")


def rules(*listed: tuple[str, str, float, float], only: bool = False) -> PossibleTransitions:
    entries = tuple(
        TransitionRule(from_camera=start, to_camera=to, seconds=(low, high)) for start, to, low, high in listed
    )
    return PossibleTransitions(TransitionRules(listed=entries, only_listed=only), ["a", "b", "c"])


def barred(possible: PossibleTransitions, *rows: tuple[int, float, float], looks: float = -1.0) -> bool:
    """Whether the first and the last of these visits cannot be one person; ``looks``: of all pairs."""
    among = visits(*rows)
    found = possible.too_fast(among) | possible.too_slow(among, np.full((len(rows), len(rows)), looks))
    assert np.array_equal(found, found.T)
    return bool(found[0, -1])


def test_what_is_said_of_the_place_holds() -> None:
    possible = rules(("a", "b", 5, 60))
    assert barred(possible, (A, 0, 10), (B, 14, 20)) and not barred(possible, (A, 0, 10), (B, 16, 20))
    assert barred(possible, (A, 0, 10), (B, 8, 20)), "views of which nobody gets from one to the other in no time"
    assert barred(possible, (A, 0, 10), (B, 80, 90))
    assert not barred(possible, (A, 0, 10), (A, 50, 55), (B, 80, 90), looks=1.0), "seen elsewhere in between"
    assert barred(possible, (A, 0, 10), (A, 50, 55), (B, 80, 90), looks=-1.0), "that was somebody else"
    assert not barred(possible, (B, 0, 10), (A, 11, 15)) and not barred(possible, (A, 0, 10), (C, 5, 15))
    assert not barred(rules(("a", "b", -3, 60)), (A, 0, 10), (B, 8, 20)), "a negative number: views overlap"


def test_only_what_is_listed_is_possible() -> None:
    possible = rules(("a", "b", 5, 60), ("b", "c", 4, 60), only=True)
    assert barred(possible, (B, 0, 10), (A, 30, 35)) and barred(possible, (C, 0, 10), (A, 500, 505))
    assert not barred(possible, (A, 0, 10), (C, 20, 25)), "through b"
    assert barred(possible, (A, 0, 10), (C, 18, 25)), "nobody gets through b so fast"
    assert barred(possible, (A, 0, 10), (C, 5, 15))
    assert not barred(possible, (A, 0, 10), (A, 11, 15)), "coming back needs no rule"


def test_who_cannot_have_come_that_way_is_somebody_else() -> None:
    looks = unit_vectors(3)
    results = []
    for only in (False, True):
        listed = TransitionRules(listed=(TransitionRule(from_camera="b", to_camera="a"),), only_listed=only)
        identities = Identities(["a", "b"], IdentitySettings(settle_seconds=5.0, transitions=listed), 0.5)
        for tick in range(60):
            time = tick / 4
            here = [(track, [200.0 * track, 100.0, 200.0 * track + 80, 300.0], looks[track], 0.8) for track in (1, 2)]
            identities.observe([seen("a", time, here if time < 5 else []), seen("b", time, here if time > 9 else [])])
            if only and time > 12:
                numbers = {identity(identities, camera, 1, at) for camera, at in (("a", 1.0), ("b", time))}
                assert len(numbers - {0}) == 2, "not at first sight, either"
        identities.finish()
        results.append(identity(identities, "a", 1, 1.0) == identity(identities, "b", 1, 12.0))
    assert results == [True, False]


def test_a_rule_for_a_camera_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"no camera is called 'door'"):
        rules(("door", "b", 0, 5))
