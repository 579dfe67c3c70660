"""Which seeds are for what, so that nobody a network learned from is ever met where it is measured.

A scene's seed is also its wardrobe's: two seeds share no person. The demo shows seeds 2, 11 and 12; tests and
measurements use 0 to 999, choosing among trained networks 50,000 to 99,999, training 100,000 and up. Everything that
writes data or measures takes its seeds from here.
"""

from __future__ import annotations

from typing import Literal

from tracker.errors import InputError

__all__ = [
    "BLOCKS",
    "DEMO_SEEDS",
    "TEST_SEEDS",
    "TRAINING_SEEDS",
    "VALIDATION_SEEDS",
    "check_test_seeds",
    "scene_seeds",
    "unseen_seeds",
]

#: scenes that the demo and the documentation show; figures are better not tuned to them
DEMO_SEEDS = (2, 11, 12)
TEST_SEEDS = range(0, 1_000)
VALIDATION_SEEDS = range(50_000, 100_000)
TRAINING_SEEDS = range(100_000, 10_100_000)
#: sets that share nobody, made with ``seed`` 0, 1, …
BLOCKS = 100

Purpose = Literal["training", "validation"]


def scene_seeds(purpose: Purpose, seed: int) -> range:
    """Return the seeds of the scenes of one data set: 100,000 for training, 500 for validation.

    Args:
        purpose: what the scenes are for.
        seed: of the data set, 0 to 99; two data sets of different seeds share no scene.

    Raises:
        InputError: ``seed`` is out of its range.
    """
    if not 0 <= seed < BLOCKS:
        raise InputError(f"data set seed {seed}; give one between 0 and {BLOCKS - 1}")
    seeds = TRAINING_SEEDS if purpose == "training" else VALIDATION_SEEDS
    count = len(seeds) // BLOCKS
    return seeds[seed * count : (seed + 1) * count]


def unseen_seeds() -> tuple[int, ...]:
    """Return the test seeds without those of the demo, in order."""
    return tuple(seed for seed in TEST_SEEDS if seed not in DEMO_SEEDS)


def check_test_seeds(seeds: tuple[int, ...]) -> None:
    """Raise when a measurement would look at scenes that networks may have learned from.

    Raises:
        InputError: no seed is given, one is given twice, or one is no test seed.
    """
    if not seeds:
        raise InputError("no seeds are given; name at least one, as 0,1,3")
    for seed in seeds:
        if seed not in TEST_SEEDS:
            raise InputError(
                f"seed {seed} is not one of the test seeds {TEST_SEEDS[0]} to {TEST_SEEDS[-1]}: networks may have "
                "learned from its people"
            )
    if len(set(seeds)) < len(seeds):
        raise InputError(f"seeds {', '.join(map(str, seeds))} name one twice")
