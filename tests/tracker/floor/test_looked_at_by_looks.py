"""A run looked at again with the crops' vectors: who met whom, and who came in where another had gone out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.tracker.floor.room import boxes_of, corner_cameras
from tracker.detections import Detections
from tracker.floor.chain_looks import ChainLooks
from tracker.floor.chains import Chain
from tracker.floor.crop_vectors import CropVectors
from tracker.floor.entrances import Entrances
from tracker.floor.entries import Entries, Zone
from tracker.floor.settings import FloorSettings
from tracker.floor.tracker import FloorTracker

RATE = 5.0
#: how each of two people looks
LOOKS = np.eye(4, dtype=np.float32)[:2]


def run(places: Callable[[int], dict[int, tuple[float, float]]], frames: int, entries: Entries | None = None):
    """Return a tracker that remembers people, and the vectors of their crops."""
    tracker, vectors = FloorTracker(corner_cameras(), remember=True, entries=entries), CropVectors()
    generator = np.random.default_rng(2)
    for frame in range(frames):
        here, found, seen = places(frame), {}, {}
        for name, camera in tracker.cameras.items():
            parts = [boxes_of({name: camera}, [place], generator)[name] for place in here.values()]
            found[name] = Detections.concatenate([Detections.empty(), *parts])
            seen[name] = np.repeat(LOOKS[list(here)], [len(part) for part in parts], axis=0)
        # The tracker itself sees no looks: it may well take one for the other.
        tracker.update(found, frame / RATE)
        vectors.add(seen)
    return tracker, vectors


def whose(people, places: dict[int, tuple[float, float]]) -> dict[int, int]:
    """Return person → number of whoever is reported nearest, at most 0.6 m away."""
    result = {}
    for person, place in places.items():
        gap = np.hypot(*(people.positions - place).T)
        if len(gap) and gap.min() < 0.6:
            result[person] = int(people.ids[gap.argmin()])
    return result


def meet_and_turn_back(frame: int) -> dict[int, tuple[float, float]]:
    # At 1.2 m/s towards each other, and back the way they came: motion alone says that they passed.
    x = 1.2 + 0.24 * min(frame, 15 - frame)
    return {0: (x, 2.4), 1: (6.0 - x, 2.7)}


def test_who_met_and_turned_back_is_told_by_looks():
    tracker, vectors = run(meet_and_turn_back, 16)
    again = tracker.refined(vectors=vectors)
    before, after = (whose(again[frame], meet_and_turn_back(frame)) for frame in (1, 14))
    assert set(before) == {0, 1} and before == after and before[0] != before[1]


def one_goes_one_comes(frame: int) -> dict[int, tuple[float, float]]:
    if frame < 12:
        return {0: (1.0 + 0.2 * (11 - frame), 1.0)}
    return {} if frame < 17 else {1: (1.0 + 0.2 * (frame - 17), 1.1)}


@pytest.mark.parametrize("looked", [True, False])
def test_who_comes_in_where_another_went_out_is_somebody_else(looked: bool):
    door = Entries((Zone("door", np.array([[1.0, 1.0]]), 0.5),))
    tracker, vectors = run(one_goes_one_comes, 28, door)
    again = tracker.refined(vectors=vectors if looked else None)
    first, second = whose(again[5], one_goes_one_comes(5)), whose(again[26], one_goes_one_comes(26))
    assert (first[0] != second[1]) is looked


def chain(start: int, end: int, place: tuple[float, float], row: int = 0) -> Chain:
    return Chain(start, end, np.array(place), rows={number: {"cam": row} for number in range(start, end + 1)})


def test_entrances_are_where_people_come_and_go_and_not_where_trajectories_break():
    times = np.arange(300) / RATE
    # Three come in at one corner; one of them breaks in the middle of the room, and is followed anew a second later.
    chains = [chain(50, 120, (0.5, 0.5)), chain(125, 299, (3.0, 2.5)), chain(150, 299, (0.6, 0.4)),
              chain(240, 299, (0.5, 0.6)), chain(0, 299, (4.0, 4.0))]  # fmt: skip
    ends = np.array([[3.0, 2.4], [5.0, 4.0], [1.0, 4.0], [2.0, 1.0], [4.0, 4.0]])
    learnt = Entrances(Entries(), chains, ends, times)
    door, broken, never = learnt.nearness(np.array([[0.5, 0.5], [3.0, 2.5], [5.0, 1.0]]))
    assert door > 0.6 and broken < 0.1 and never < 0.01
    given = Entrances(Entries((Zone("stairs", np.array([[5.0, 1.0]]), 0.5),)), chains, ends, times)
    assert given.nearness(np.array([[0.5, 0.5], [5.0, 1.0]])) == pytest.approx([0, 1], abs=1e-3)
    assert Entrances(Entries(), [], np.zeros((0, 2)), times).nearness(np.zeros((2, 2))).tolist() == [0, 0]


def test_averages_of_many_crops_say_who_is_who_and_of_none_nothing():
    vectors, nothing = CropVectors(), np.full((1, 4), np.nan, np.float32)
    for _ in range(40):
        vectors.add({"cam": np.concatenate([LOOKS, nothing]), "blind": None})
    looks = ChainLooks(vectors, FloorSettings())
    (sums, counts) = looks.of([chain(0, 9, (0, 0)), chain(20, 39, (0, 0)), chain(20, 29, (0, 0), 1),
                               chain(0, 9, (0, 0), 2)])  # fmt: skip
    assert counts.tolist() == [10, 20, 10, 0]
    said = looks.agree(sums[:1], counts[:1], sums[1:], counts[1:])[0]
    assert said[0] > 3 and said[1] < -6 and said[2] == 0
    boxes = looks.of_boxes(sums, 5, "cam", 3)
    assert boxes[0].tolist() == [2, -2, 0] and boxes[3].tolist() == [0, 0, 0]
    assert looks.of_boxes(sums, 5, "blind", 2).tolist() == np.zeros((4, 2)).tolist()


def test_vectors_are_read_as_they_were_added_and_leave_no_file(tmp_path):
    vectors, generator = CropVectors(tmp_path), np.random.default_rng(0)
    added = [generator.normal(size=(count, 8)).astype(np.float32) for count in (3, 0, 5)]
    for one in added:
        vectors.add({"a": one, "b": None})
    assert len(vectors) == 3 and vectors.at(1, "b") is None and vectors.at(2, "c") is None
    for number in (2, 0, 1):
        assert np.array_equal(vectors.at(number, "a"), added[number])
    assert list(tmp_path.iterdir()) == []
    vectors.close()


def test_a_trajectory_changes_where_its_crops_become_those_of_somebody_else_and_nowhere_else():
    vectors, generator = CropVectors(), np.random.default_rng(3)
    for number in range(60):
        # Row 0 is one person, then another; row 1 is one all the time, badly seen.
        rows = np.stack([LOOKS[int(number >= 25)], LOOKS[0]]) + generator.normal(0, 0.15, (2, 4))
        vectors.add({"cam": (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)})
    looks = ChainLooks(vectors, FloorSettings())
    both, one = chain(5, 55, (1, 1)), chain(5, 55, (1, 1), 1)
    assert looks.changes(both) == [25] and looks.changes(one) == []
    before, after = both.parted(25, np.array([2.0, 2.0]))
    assert (before.start, before.end, after.start, after.end) == (5, 24, 25, 55)
    assert len(before.rows) + len(after.rows) == len(both.rows) and after.place.tolist() == [2, 2]
