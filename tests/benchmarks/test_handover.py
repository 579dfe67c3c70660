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


def test_times_help_where_looks_leave_much_open() -> None:
    off, auto = (measure(mode, people=70, every=5.0, view_noise=1.0, seed=0) for mode in ("off", "auto"))
    assert off["people"] == auto["people"] == 70 <= auto["identities"] <= off["identities"]
    assert off["gaps_learnt"] == 0 < auto["gaps_learnt"]
    assert auto["IDF1"] > off["IDF1"] + 4 and auto["purity"] >= off["purity"] - 1
