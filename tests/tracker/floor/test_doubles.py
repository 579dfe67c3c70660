from __future__ import annotations

import numpy as np

from tracker.floor.doubles import evidence_of_two

PRIOR = np.diag([1 / 0.15**2, 1 / 0.15**2, 1.0, 1.0, 1 / 0.1**2])


def evidence(places, found, seen=((3.0, 2.0), (3.0, 2.0)), senior=(0, 1)):
    """Return what speaks for two tracks being two, where each box says a place to a decimetre."""
    found = np.array(found, bool)
    means = np.array([[*place, 0, 0, 1.7] for place in places], float)
    prior = np.stack([PRIOR] * len(places))
    box = np.diag([100.0, 100, 0, 0, 0])
    said = found.sum(axis=1)[:, None, None] * box
    at = np.array([[*place, 0, 0, 0] for place in seen], float)
    return evidence_of_two(
        prior, np.einsum("nij,nj->ni", prior, means), said, np.einsum("nij,nj->ni", said, at), means[:, :2],
        found, np.full(found.shape, 0.9), np.array(senior), 0.3,
    )  # fmt: skip


def test_one_persons_boxes_shared_by_two_tracks_speak_for_one():
    shared = evidence([(3, 2), (3.05, 2)], [[1, 1, 0, 0], [0, 0, 1, 1]])
    assert shared[0] == np.inf and shared[1] < -5


def test_two_people_whom_every_camera_sees_beside_each_other_are_two():
    assert evidence([(3, 2), (3.5, 2)], [[1, 1, 1, 1], [1, 1, 1, 1]], seen=((3, 2), (3.5, 2)))[1] > 5


def test_who_is_far_away_or_was_not_seen_is_nobodys_double():
    assert evidence([(3, 2), (5, 2)], [[1, 1], [1, 1]])[1] == np.inf
    assert evidence([(3, 2), (3.1, 2)], [[1, 1], [0, 0]])[1] == np.inf


def test_the_better_known_one_is_judged_by_nobody():
    both = evidence([(3, 2), (3.05, 2)], [[1, 1, 0, 0], [0, 0, 1, 1]], senior=(1, 0))
    assert both[1] == np.inf and both[0] < -5
