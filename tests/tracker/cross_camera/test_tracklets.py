"""Where tracks are cut, and what is known of two tracks on one person."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.cross_camera.worlds import IMAGE, unit_vectors
from tracker.cross_camera.duplicates import Duplicates, yields
from tracker.cross_camera.tracklets import Tracklet, TrackletRules, TrackletSequence

RULES = TrackletRules()
Walk = Callable[[float], tuple[list[float], float, np.ndarray | None]]


def follow(
    walk: Walk, times: np.ndarray, *, interval: float | None = None, rules: TrackletRules = RULES
) -> list[Tracklet]:
    """Observe a track; ``walk(time)`` gives box, overlap with others and feature."""
    sequence = TrackletSequence(0, 1, rules)
    pieces: list[Tracklet] = []
    for time in times.tolist():
        box, overlap, feature = walk(time)
        begun = sequence.observe(
            len(pieces), time, np.array(box, np.float32), overlap, feature, 0.8, IMAGE, 0.4,
            float(np.median(np.diff(times))) if interval is None else interval,
        )  # fmt: skip
        if begun is not None:
            pieces.append(begun)
    sequence.close()
    return pieces


def standing(time: float, x: float = 500.0, height: float = 200.0) -> list[float]:
    return [x, 100.0, x + 60.0, 100.0 + height]


def walker(speed: float = 150.0, feature: np.ndarray | None = None) -> Walk:
    return lambda time: (standing(time, 100 + speed * time), 0.0, feature)


def test_nothing_happens_nothing_is_cut() -> None:
    (piece,) = follow(walker(feature=unit_vectors(1)[0]), np.arange(0, 5, 0.04))
    assert (piece.start, piece.end, piece.observations) == (0.0, pytest.approx(4.96), 125)
    assert (piece.previous, piece.until, piece.closed) == (None, float("inf"), True)
    assert piece.summary.count == 125
    assert piece.best_quality == pytest.approx(0.8)


@pytest.mark.parametrize("rate", [2, 4, 5, 7, 12, 30, 60])
def test_a_walker_is_one_tracklet_at_any_frame_rate(rate: int) -> None:
    assert len(follow(walker(), np.arange(0, 5, 1 / rate))) == 1


def test_lasts_thirty_seconds_at_most() -> None:
    pieces = follow(lambda time: (standing(time), 0.0, None), np.arange(0, 100, 0.1))
    assert len(pieces) == 4
    assert all(piece.end - piece.start <= 30.1 for piece in pieces)
    assert [piece.continuity for piece in pieces] == [0.0] + [RULES.continuity_length] * 3


def test_a_jump() -> None:
    pieces = follow(lambda time: (standing(time, 100 if time < 2 else 600), 0.0, None), np.arange(0, 4, 0.04))
    assert [piece.start for piece in pieces] == [0.0, pytest.approx(2.0)]
    assert pieces[1].continuity == RULES.continuity_jump
    assert pieces[1].previous == pieces[0].key
    assert pieces[0].until == pieces[1].start
    assert pieces[0].end < pieces[1].start


@pytest.mark.parametrize(
    ("gap", "moved", "continuity"),
    [
        (0.1, 0, None),
        (0.3, 0, None),
        (0.3, 100, 0.0),
        (1.0, 0, RULES.continuity_gap),
        (1.0, 100, RULES.continuity_jump),
    ],
)
def test_a_gap(gap: float, moved: float, continuity: float | None) -> None:
    times = np.concatenate([np.arange(0, 2, 0.04), np.arange(2 + gap, 4, 0.04)])
    pieces = follow(lambda time: (standing(time, 500 + (moved if time > 2 else 0)), 0.0, None), times)
    assert [piece.continuity for piece in pieces[1:]] == ([] if continuity is None else [continuity])


def test_a_slow_camera_has_gaps_too() -> None:
    times = np.concatenate([np.arange(0, 4, 0.25), np.arange(7, 9, 0.25)])
    pieces = follow(lambda time: (standing(time, 500 + (100 if time > 5 else 0)), 0.0, None), times)
    assert [piece.continuity for piece in pieces] == [0.0, RULES.continuity_jump]


def test_a_sudden_change_of_size() -> None:
    pieces = follow(lambda time: (standing(time, height=200 if time < 2 else 110), 0.0, None), np.arange(0, 4, 0.04))
    assert [piece.continuity for piece in pieces] == [0.0, RULES.continuity_size]
    grows = follow(lambda time: (standing(time, height=100 + 30 * time), 0.0, None), np.arange(0, 4, 0.04))
    assert len(grows) == 1, "who comes nearer grows slowly"


def test_an_encounter_is_cut_when_it_is_over() -> None:
    pieces = follow(lambda time: (standing(time), 0.7 if 1 < time < 2 else 0.0, None), np.arange(0, 4, 0.04))
    assert [piece.continuity for piece in pieces] == [0.0, RULES.continuity_encounter]
    assert pieces[1].start == pytest.approx(2.0)
    touched = follow(lambda time: (standing(time), 0.4 if 1 < time < 2 else 0.0, None), np.arange(0, 4, 0.04))
    assert len(touched) == 1


def test_another_person_is_cut_where_they_begin() -> None:
    one, other = np.eye(2, 32, dtype=np.float32)
    pieces = follow(lambda time: (standing(time), 0.0, one if time < 2 else other), np.arange(0, 4, 0.1))
    assert [piece.start for piece in pieces] == [0.0, pytest.approx(2.0)]
    assert pieces[1].continuity == RULES.continuity_appearance
    np.testing.assert_allclose(pieces[0].summary.mean, one, atol=1e-6)
    np.testing.assert_allclose(pieces[1].summary.mean, other, atol=1e-6)
    assert pieces[0].end < pieces[1].start
    assert max(pieces[0].slots) < min(pieces[1].slots)
    assert pieces[0].observations + pieces[1].observations == 40


def test_a_person_seen_from_all_sides_is_not_cut() -> None:
    one, other = np.eye(2, 32, dtype=np.float32)

    def turning(time: float) -> tuple[list[float], float, np.ndarray]:
        angle = 0.4 * np.sin(time)
        return standing(time), 0.0, (np.cos(angle) * one + np.sin(angle) * other).astype(np.float32)

    assert len(follow(turning, np.arange(0, 10, 0.1))) == 1


def test_a_closed_tracklet_is_never_taken_up_again() -> None:
    sequence = TrackletSequence(0, 1, RULES)
    box = np.array(standing(0.0), np.float32)
    first = sequence.observe(0, 0.0, box, 0.0, None, 0.0, IMAGE, 0.4, 30.0)
    sequence.close()
    second = sequence.observe(1, 20.0, box, 0.0, None, 0.0, IMAGE, 0.4, 30.0)
    assert first is not None and second is not None
    assert (first.end, first.observations, second.previous, second.continuity) == (0.0, 1, 0, RULES.continuity_gap)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_pieces_follow_each_other_and_lose_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    looks = unit_vectors(2, 16, seed)
    times = np.cumsum(rng.choice([0.04, 0.08, 0.3, 1.0], 150, p=[0.7, 0.2, 0.08, 0.02]))
    wrong = np.cumsum(rng.random(150) < 0.03) % 2
    jump = np.cumsum(np.where(rng.random(150) < 0.03, rng.normal(0, 300, 150), 0))
    overlap = rng.random(150) * (rng.random(150) < 0.1)
    row_of = {time: row for row, time in enumerate(times.tolist())}
    crops = 0

    def walk(time: float) -> tuple[list[float], float, np.ndarray | None]:
        nonlocal crops
        row = row_of[time]
        feature = looks[wrong[row]] if row % 3 else None
        crops += feature is not None
        return standing(time, 500 + float(jump[row])), float(overlap[row]), feature

    pieces = follow(walk, times)
    assert sum(piece.summary.count for piece in pieces) == crops
    for before, after in pairwise(pieces):
        assert before.start <= before.end < after.start == before.until
        assert after.previous == before.key
        assert not before.overlaps(after)
        assert before.closed
    for piece in pieces:
        assert len(piece.slots) == len(piece.heads) == len(piece.heights) == len(piece.usable)
        assert piece.slots == sorted(set(piece.slots))
        assert piece.observations >= 1


def test_heads_at_the_border_are_not_used() -> None:
    (piece,) = follow(lambda time: ([500, 2.0, 560, 202], 0.0, None), np.arange(0, 2, 0.04))
    assert not any(piece.usable)
    (piece,) = follow(walker(), np.arange(0, 2, 0.04))
    assert all(piece.usable)
    assert piece.heads[0] == (pytest.approx(130.0), 100.0)
    assert piece.heights[0] == 200.0


def piece(key: int, start: float, end: float, observations: int) -> Tracklet:
    return Tracklet(key, 0, key, start, end, observations=observations)


BOXES = np.array([[100, 100, 160, 300], [105, 95, 165, 300], [500, 100, 560, 300]], np.float32)


def test_two_boxes_on_one_person_for_a_moment() -> None:
    doubles = Duplicates()
    for _ in range(5):
        doubles.observe([1, 2, 3], BOXES)
    assert doubles.pairs() == [(1, 2)]
    old, new = piece(1, 0.0, 10.4, 105), piece(2, 10.0, 20.0, 101)
    assert doubles.allowed(old, new) and doubles.allowed(new, old)
    assert not doubles.allowed(old, piece(3, 10.0, 20.0, 101)), "boxes that were never near"
    assert not doubles.allowed(old, piece(2, 8.0, 20.0, 121)), "together for too long"
    assert not doubles.allowed(old, piece(2, 9.5, 20.0, 106)), "together more often than one upon the other"
    doubles.forget({2})
    assert doubles.pairs() == [] and not doubles.allowed(old, new)


def test_the_later_track_goes_on_with_the_person() -> None:
    old, new = piece(1, 0.0, 10.4, 105), piece(2, 10.0, 20.0, 101)
    assert yields(old, new) == yields(new, old) == (old, 10.0)
    old.until = 10.5
    assert yields(old, piece(2, 10.0, 10.4, 5))[0].key == 2, "the old track goes on in its next tracklet"
    brief = piece(3, 5.0, 5.4, 5)
    assert yields(old, brief) == (brief, 5.0), "a double that is soon gone leaves the person to the first"
