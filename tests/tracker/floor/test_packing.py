from __future__ import annotations

from itertools import product

import numpy as np

from tracker.floor.packing import packed


def test_the_best_ways_without_conflict_are_simply_the_best():
    rows = np.array([[[0, 1], [1, 0]], [[0, -1], [1, 1]]])
    scores = np.array([[3.0, 1.0], [2.0, 4.0]])
    # Way 0 gives the first box 1 of the second camera, way 1 the other person, too.
    assert packed(rows, scores).tolist() in ([1, 1], [0, 0])
    assert packed(rows, scores).tolist() == [1, 1]


def total(choice, rows, scores):
    """Return the sum of scores of a choice; -inf if a box has two people."""
    people = np.arange(len(choice))
    for boxes in rows[list(choice), people].T:
        held = boxes[boxes >= 0]
        if len(np.unique(held)) < len(held):
            return -np.inf
    return scores[list(choice), people].sum()


def test_it_is_the_best_of_all_combinations():
    generator = np.random.default_rng(5)
    for _ in range(20):
        rows = np.stack([np.stack([generator.permutation(6)[:4] for _ in range(2)], axis=1) for _ in range(3)])
        rows[generator.random(rows.shape) < 0.3] = -1
        scores = generator.normal(0, 3, rows.shape[:2])
        best = max(total(choice, rows, scores) for choice in product(range(3), repeat=4))
        assert np.isclose(total(packed(rows, scores), rows, scores), best)
