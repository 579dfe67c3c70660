"""Assignment finds what trying everything finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracker.association import assignment
from tracker.association.assignment import assign

costs = arrays.arrays(
    np.float64,
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    elements=st.one_of(st.floats(-1.0, 2.0, width=32), st.sampled_from([np.inf, np.nan, 0.7])),
)


def brute_force(cost: np.ndarray, maximum: float) -> float:
    """Return the least Σ (cost - maximum) over all matchings of admissible pairs."""
    rows, columns = cost.shape
    if rows > columns:
        return brute_force(cost.T, maximum)
    best = 0.0
    for choice in itertools.product(range(-1, columns), repeat=rows):
        used = [column for column in choice if column >= 0]
        if len(used) != len(set(used)):
            continue
        values = np.array([cost[row, column] for row, column in enumerate(choice) if column >= 0])
        if not len(values) or (values <= maximum).all():
            best = min(best, float((values - maximum).sum()))
    return best


def check(cost: np.ndarray, maximum: float, rows: np.ndarray, columns: np.ndarray) -> float:
    assert len(rows) == len(columns)
    assert len(set(rows.tolist())) == len(rows) and len(set(columns.tolist())) == len(columns)
    assert (np.diff(rows) > 0).all()
    values = cost[rows, columns]
    assert (values <= maximum).all()
    return float((values - maximum).sum())


@settings(max_examples=300, deadline=None)
@given(cost=costs, maximum=st.sampled_from([0.7, 0.0, 1.5]))
def test_equals_brute_force(cost: np.ndarray, maximum: float) -> None:
    rows, columns = assign(cost, maximum)
    assert check(cost, maximum, rows, columns) == pytest.approx(brute_force(cost, maximum), abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 40), columns=st.integers(1, 40), share=st.floats(0.02, 1.0))
def test_scipy_and_lap_agree_with_the_cost_limit(seed: int, rows: int, columns: int, share: float) -> None:
    """Both solvers give the total of lap's own extended problem with a cost limit."""
    import lap

    rng = np.random.default_rng(seed)
    cost = np.where(rng.random((rows, columns)) < share, rng.random((rows, columns)), 5.0)
    _, partner, _ = lap.lapjv(cost, extend_cost=True, cost_limit=0.8)
    matched = np.flatnonzero(partner >= 0)
    expected = float((cost[matched, partner[matched]] - 0.8).sum())
    with pytest.MonkeyPatch.context() as patch:
        for least in (0, 10**9):
            patch.setattr(assignment, "LAP_ROWS", least)
            found = check(cost, 0.8, *assign(cost, 0.8))
            assert found == pytest.approx(expected, abs=1e-6)


def test_large_dense_problem_goes_to_lap_and_equals_scipy() -> None:
    from scipy.optimize import linear_sum_assignment

    cost = np.random.default_rng(0).random((230, 260))
    rows, columns = assign(cost, 2.0)
    best = linear_sum_assignment(cost)
    assert len(rows) == 230
    assert cost[rows, columns].sum() == pytest.approx(cost[best].sum())


def test_without_a_maximum_as_many_as_possible_then_cheapest() -> None:
    cost = np.array([[1.0, 100.0], [2.0, np.inf]])
    rows, columns = assign(cost, np.inf)
    assert list(zip(rows, columns, strict=True)) == [(0, 1), (1, 0)]


def test_a_pair_at_the_maximum_is_taken() -> None:
    rows, columns = assign(np.array([[0.8, 0.8], [0.8, 2.0]]), 0.8)
    assert list(zip(rows, columns, strict=True)) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_match(shape: tuple[int, int]) -> None:
    rows, columns = assign(np.zeros(shape), 1.0)
    assert len(rows) == len(columns) == 0
    rows, columns = assign(np.full((2, 2), np.nan), 1.0)
    assert len(rows) == len(columns) == 0
