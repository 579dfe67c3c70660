"""Seeds: what is trained on, chosen by and measured on never meets."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.simulation.seeds import (
    BLOCKS,
    DEMO_SEEDS,
    TEST_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    check_test_seeds,
    scene_seeds,
    unseen_seeds,
)
from tracker.errors import InputError


def test_no_scene_is_for_two_things() -> None:
    assert set(DEMO_SEEDS) <= set(TEST_SEEDS)
    assert TEST_SEEDS[-1] < VALIDATION_SEEDS[0] and VALIDATION_SEEDS[-1] < TRAINING_SEEDS[0]
    assert TRAINING_SEEDS[0] == 100_000 and VALIDATION_SEEDS[0] == 50_000


def test_sets_of_different_seeds_share_no_scene() -> None:
    for purpose, all_seeds in (("training", TRAINING_SEEDS), ("validation", VALIDATION_SEEDS)):
        blocks = [scene_seeds(purpose, seed) for seed in range(BLOCKS)]  # type: ignore[arg-type]
        assert blocks[0][0] == all_seeds[0] and blocks[-1][-1] == all_seeds[-1]
        for before, after in itertools.pairwise(blocks):
            assert before[-1] < after[0]


def test_measurements_leave_the_demo_out() -> None:
    assert not set(unseen_seeds()) & set(DEMO_SEEDS)
    assert len(unseen_seeds()) == len(TEST_SEEDS) - len(DEMO_SEEDS)
    check_test_seeds(unseen_seeds())


@pytest.mark.parametrize("seed", [-1, BLOCKS])
def test_there_are_a_hundred_sets(seed: int) -> None:
    with pytest.raises(InputError, match=f"data set seed {seed}"):
        scene_seeds("training", seed)


@pytest.mark.parametrize(
    ("seeds", "words"), [((), "no seeds"), ((1, 1000), "seed 1000 is not one of the test seeds"), ((3, 3), "one twice")]
)
def test_nothing_is_measured_on_what_may_have_been_learned(seeds: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_test_seeds(seeds)
