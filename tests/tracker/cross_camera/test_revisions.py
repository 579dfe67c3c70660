"""What a person changes while a run goes on holds, whatever is settled later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.tracker.cross_camera.worlds import Reader, random_world, seen, unit_vectors
from tracker.cross_camera.appearance import AppearanceSummary, normalised
from tracker.cross_camera.earlier_runs import LONG_AGO, KnownIdentity, KnownPeople
from tracker.cross_camera.events import Event
from tracker.cross_camera.hand_edits import HandEdits
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import IdentitySettings
from tracker.errors import InputError

LOOKS = unit_vectors(4, seed=3)


class Stage:
    """One camera and its clock: people are shown on tracks of their own, and events are told to a reader."""

    def __init__(self, **settings: object) -> None:
        given = {"settle_seconds": 1.0, "keep_history": False, **settings}
        self.identities = Identities(["a"], IdentitySettings.model_validate(given), 0.5)
        self.time, self.reader = 0.0, Reader()
        self.events: list[Event] = []
        self._rng = np.random.default_rng(0)
        self._shown: set[int] = set()

    def tell(self, events: Sequence[Event]) -> None:
        self.events += events
        self.reader.read(events)

    def show(self, people: dict[int, int], seconds: float) -> dict[int, int]:
        """Show track → person side by side for some seconds; return who the tracks then are."""
        for _ in range(round(seconds * 10)):
            self.time = round(self.time + 0.1, 6)
            rows = []
            for track, person in people.items():
                noise = 0.3 * self._rng.normal(size=LOOKS.shape[1]) / np.sqrt(LOOKS.shape[1])
                left = 100.0 + 250.0 * (track % 4)
                rows.append((track, [left, 150.0, left + 80.0, 350.0], normalised(LOOKS[person] + noise), 0.8))
            gone = sorted(self._shown - set(people))
            self._shown = set(people)
            self.tell(self.identities.observe([seen("a", self.time, rows, ended=gone)]))
        return self.now(people)

    def now(self, tracks: Sequence[int] | dict[int, int]) -> dict[int, int]:
        """Return who tracks are, as asked and as told, which is the same."""
        asked = self.identities.identity_of("a", np.array(list(tracks), np.int64), np.full(len(tracks), self.time))
        told = [self.reader.identity_of("a", track, self.time) for track in tracks]
        assert asked.tolist() == told
        return dict(zip(tracks, told))


def test_two_that_are_made_one_are_told_by_one_number_for_good() -> None:
    stage = Stage()
    assert stage.show({1: 0}, 3) == {1: 1}
    assert stage.show({2: 1}, 3) == {2: 2}
    stage.tell(stage.identities.merge(2, 1, stage.time))
    assert stage.now([2]) == {2: 1}
    assert [(one.identity, one.previous_identity) for one in stage.events if one.kind == "identities_merged"] == [
        (1, 2)
    ]
    assert stage.show({3: 1}, 3) == {3: 1} and stage.show({4: 0}, 3) == {4: 1}
    # Settled again and again, beside a stranger, and long after their tracklets are forgotten.
    assert stage.show({5: 1, 6: 2}, 12) == {5: 1, 6: 3}
    told = [one.identity for one in stage.events if one.kind in ("identity_assigned", "identity_corrected")]
    assert told.count(2) == 1, "only before the two were made one"
    assert stage.identities.edits.family(1) == {1, 2}


def test_what_is_forgotten_singly_is_still_one() -> None:
    stage = Stage(remembered_tracklets=10)
    stage.show({1: 0}, 2), stage.show({2: 1}, 2)
    stage.tell(stage.identities.merge(2, 1, stage.time))
    for track in range(10, 30):
        stage.show({track: 2 + track % 2}, 1)
    assert stage.show({50: 0}, 2) == {50: 1} and stage.show({51: 1}, 2) == {51: 1}
    stage.tell(stage.identities.finish())
    assert stage.now([50, 51]) == {50: 1, 51: 1}


def test_who_was_seen_beside_each_other_is_not_made_one() -> None:
    stage = Stage()
    assert stage.show({1: 0, 2: 1}, 4) == {1: 1, 2: 2}
    with pytest.raises(InputError, match="identity 2 and identity 1 were both in camera 'a' at once: they are two"):
        stage.identities.merge(2, 1, stage.time)
    with pytest.raises(InputError, match="with itself"):
        stage.identities.merge(1, 1, stage.time)


def test_a_stretch_that_was_somebody_else_stays_somebody_else() -> None:
    stage = Stage()
    stage.show({1: 0}, 3)
    begin = stage.time
    # The same look: only a person knows that it is somebody else.
    assert stage.show({2: 0}, 3) == {2: 1}
    new, events = stage.identities.split_off(1, "a", begin, stage.time, stage.time)
    stage.tell(events)
    assert new == 2 and stage.now([2]) == {2: 2}
    assert stage.show({2: 0}, 12) == {2: 2}, "settlements later"
    assert stage.show({3: 1}, 3) == {3: 3}, "the number is used"


def test_what_is_split_off_long_afterwards_takes_its_looks_along() -> None:
    stage = Stage(remembered_tracklets=10)
    stage.show({1: 0}, 3)
    begin = stage.time
    stage.show({2: 1}, 3)
    stage.tell(stage.identities.merge(2, 1, stage.time))
    end = stage.time
    for track in range(10, 30):
        stage.show({track: 2 + track % 2}, 1)
    new, events = stage.identities.split_off(1, "a", begin - 0.05, end, stage.time)
    stage.tell(events)
    assert stage.show({50: 0}, 2) == {50: 1} and stage.show({51: 1}, 2) == {51: new}


def test_who_is_erased_is_a_stranger_and_nothing_is_left() -> None:
    stage = Stage()
    stage.show({1: 0, 2: 1}, 4)
    assert stage.identities.erase(2) == [("a", 2)]
    assert stage.now([1]) == {1: 1}
    assert stage.identities.identity_of("a", np.array([2]), np.array([stage.time])).tolist() == [0]
    later = stage.show({1: 0, 2: 1}, 3)
    assert later == {1: 1, 2: 3}
    assert stage.show({3: 1}, 3) == {3: 3}
    identities = stage.identities
    assert 2 not in identities.gallery and 2 not in identities.archive
    assert all(one.identity != 2 for one in identities._tracklets.values())


def test_an_erased_family_goes_wholly() -> None:
    stage = Stage()
    stage.show({1: 0}, 3), stage.show({2: 1}, 3)
    stage.tell(stage.identities.merge(2, 1, stage.time))
    assert stage.identities.erase(1) == [("a", 2)]
    assert stage.show({3: 0}, 3) == {3: 3} and stage.show({4: 1}, 3) == {4: 4}


def test_old_looks_are_forgotten_and_who_has_no_others() -> None:
    stage = Stage(remembered_tracklets=10)
    known = AppearanceSummary()
    for age in (500.0, 20.0):
        known.add(LOOKS[3], LONG_AGO - age)
    old = AppearanceSummary()
    old.add(LOOKS[2], LONG_AGO - 600.0)
    stage.identities.load(
        KnownPeople([KnownIdentity(1, 20.0, {"x": known}), KnownIdentity(2, 600.0, {"x": old})], 3, {})
    )
    stage.reader.opened += [1, 2]
    stage.show({1: 0}, 3)
    for track in range(10, 30):
        stage.show({track: 1}, 1)
    assert {one.number for one in stage.identities.gallery.identities()} == {1, 2, 3, 4}
    # Of a hundred seconds before the beginning on.
    assert stage.identities.forget_before(-100.0, LONG_AGO - 100.0) == [2]
    assert {one.number for one in stage.identities.gallery.identities()} == {1, 3, 4}
    assert stage.show({50: 2}, 3) == {50: 5}, "a stranger now"
    assert stage.show({51: 3}, 3) == {51: 1}
    assert 3 in stage.identities.forget_before(10.0, LONG_AGO)
    assert stage.show({52: 0}, 3) == {52: 6}


def test_a_settlement_that_joins_families_tells_it() -> None:
    edits = HandEdits()
    edits.make_one(2, 1)
    assert [edits.outward(number) for number in (1, 2, 3)] == [1, 1, 3]
    assert edits.merged(2, 1) is None, "told as one already"
    assert edits.merged(3, 2) == (3, 1)
    assert edits.merged(2, 5) == (1, 5)
    assert [edits.outward(number) for number in (1, 2)] == [5, 5]
    one = Event("identity_corrected", 0.0, "a", 1, 2, previous_identity=1, since=0.0)
    assert edits.told([one]) == []
    edits.forget_others({5})
    assert edits.outward(2) == 2


@pytest.mark.parametrize("seed", range(4))
def test_edits_at_any_moment_keep_what_must_never_break(seed: int) -> None:
    world, rng = random_world(seed, seconds=20.0), np.random.default_rng(seed)
    identities = Identities(world.cameras, IdentitySettings(settle_seconds=3.0, keep_history=False), 0.5)
    erased: set[int] = set()
    reader = Reader()
    for number, step in enumerate(world.steps):
        reader.read(identities.observe(step))
        known = sorted({identities.edits.outward(one.number) for one in identities.gallery.identities()})
        if number % 40 == 20 and len(known) > 2:
            time = max(one.time for one in step)
            first, second = (int(one) for one in rng.choice(known, 2, replace=False))
            kind = rng.integers(3)
            if kind == 0:
                identities.erase(first)
                erased.add(first)
            elif kind == 1:
                new, events = identities.split_off(first, world.cameras[0], time - 3, time, time)
                assert new not in known
                reader.read(events)
            else:
                try:
                    reader.read(identities.merge(first, second, time))
                except InputError:
                    continue
        for camera in {one.camera for one in step}:
            now = next(one for one in step if one.camera == camera)
            told = identities.identity_of(camera, now.track_ids, np.full(len(now.track_ids), now.time))
            assert not erased & set(told.tolist())
    identities.finish()
