"""Made-up streams of people who walk past cameras that share no view."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.handover import measure, walks


def test_people_walk_from_camera_to_camera_at_their_own_pace() -> None:
    visits = walks(200, 8.0, np.random.default_rng(0))
    gaps = []
    for person in range(200):
        mine = [visit for visit in visits if visit[1] == person]
        assert len(mine) in (3, 6)
        assert all(before[3] < after[2] for before, after in itertools.pairwise(mine))
        gaps += [after[2] - before[3] for before, after in itertools.pairwise(mine) if {before[0], after[0]} == {0, 1}]
    assert 11 < np.median(gaps) < 13.5


def test_people_who_look_unlike_each_other_are_found_with_and_without() -> None:
    for mode in ("auto", "off"):
        found = measure(mode, people=20, every=6.0, view_noise=0.3, seed=0)
        assert found["IDF1"] > 95 and found["identities"] == found["people"] == 20
        assert (found["gaps_learnt"] > 20) == (mode == "auto")
