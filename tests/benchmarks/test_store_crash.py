"""A store whose writer is killed opens, and has all but the last second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.store_crash import crash_once


def test_a_killed_writer_loses_less_than_a_second(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    first, handed_over = 1, 0
    for place, seconds in enumerate([1.5, *generator.uniform(0, 0.8, 4)]):
        crash = crash_once(tmp_path, float(seconds), first, place)
        assert crash.check == "ok" and crash.missing == 0, crash
        first += crash.handed_over + 1
        handed_over += crash.handed_over
    # It did write for a while, and in the first round for longer than may be lost.
    assert handed_over > 100
