"""Costs equal what loops over single boxes, torchvision and plain definitions give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.association import costs
from tracker.association.suppression import non_maximum_suppression

coordinate = st.floats(0, 300, width=32)


@st.composite
def box_columns(draw: st.DrawFn, most: int = 6) -> np.ndarray:
    count = draw(st.integers(1, most))
    rows = [[draw(coordinate), draw(coordinate), draw(coordinate), draw(coordinate)] for _ in range(count)]
    low_x, low_y, width, height = np.array(rows, float).T
    return np.stack([low_x, low_y, low_x + width, low_y + height])


def plain_iou(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return (width * height / union if union > 0 else 0.0), union


@settings(max_examples=100, deadline=None)
@given(first=box_columns(), second=box_columns())
def test_iou_equals_the_definition(first: np.ndarray, second: np.ndarray) -> None:
    found = costs.matrix(costs.iou, first, second)
    for row, a in enumerate(first.T):
        for column, b in enumerate(second.T):
            assert found[row, column] == pytest.approx(plain_iou(a, b)[0], abs=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # torchvision 0.2x: box_iou, generalized_box_iou, distance_box_iou, complete_box_iou of the boxes below
        ("iou", [[0.613402, 0.0], [0.618785, 0.0], [0.0, 0.0]]),
        ("giou", [[0.583402, -0.730769], [0.586699, -0.694286], [-0.959816, -0.799043]]),
        ("diou", [[0.608402, -0.5], [0.612687, -0.48782], [-0.657013, -0.467891]]),
        ("ciou", [[0.608348, -0.500008], [0.612553, -0.487918], [-0.661108, -0.471144]]),
    ],
)
def test_iou_family_equals_torchvision(name: str, expected: list[list[float]]) -> None:
    first = np.array([[0, 0, 40, 100], [10, 20, 60, 90], [300, 300, 310, 420]], float).T
    second = np.array([[5, 10, 50, 95], [200, 40, 260, 160]], float).T
    np.testing.assert_allclose(costs.matrix(getattr(costs, name), first, second), expected, atol=2e-6)


@settings(max_examples=100, deadline=None)
@given(first=box_columns(), second=box_columns())
def test_degenerate_boxes_give_finite_values_in_range(first: np.ndarray, second: np.ndarray) -> None:
    second[2] = second[0]  # no width
    ranges = {"iou": (0, 1), "giou": (-1, 1), "diou": (-1, 1), "ciou": (-2, 1), "height_iou": (0, 1)}
    for name, (least, greatest) in ranges.items():
        values = costs.matrix(getattr(costs, name), first, second)
        assert np.isfinite(values).all()
        assert values.min() >= least - 1e-9 and values.max() <= greatest + 1e-9


def test_distances_by_hand() -> None:
    first = np.array([[0.0], [0.0], [10.0], [20.0]])
    second = np.array([[30.0], [40.0], [40.0], [60.0]])
    assert costs.center_distance(first, second)[0] == pytest.approx(50.0)
    tall = np.array([[100.0], [10.0], [110.0], [20.0]])
    assert costs.height_iou(first, tall)[0] == pytest.approx(0.5)
    assert costs.fuse_score(np.array([0.5]), np.array([0.8]))[0] == pytest.approx(0.6)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, 2.5, math.pi])
def test_direction_consistency_is_linear_in_the_angle(angle: float) -> None:
    direction = np.array([[1.0], [0.0]])
    target = 50 * np.array([[math.cos(angle)], [math.sin(angle)]])
    found = costs.direction_consistency(direction, np.zeros((2, 1)), target)
    assert found[0] == pytest.approx((math.pi / 2 - angle) / math.pi, abs=1e-6)


def test_direction_consistency_without_motion_is_neutral() -> None:
    zero = np.zeros((2, 1))
    assert costs.direction_consistency(zero, zero, np.ones((2, 1)))[0] == pytest.approx(0.0)
    assert costs.direction_consistency(np.array([[1.0], [0.0]]), zero, zero)[0] == pytest.approx(0.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(0, 90), columns=st.integers(0, 90), wide=st.booleans())
def test_overlapping_pairs_are_all_and_only_those_with_iou(seed: int, rows: int, columns: int, wide: bool) -> None:
    rng = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        low = rng.uniform(0, 600, (2, count))
        return np.concatenate([low, low + rng.uniform(5, 300 if wide else 60, (2, count))])

    first, second = boxes(rows), boxes(columns)
    expected = np.argwhere(costs.matrix(costs.iou, first, second) > 0).tolist()
    found_rows, found_columns = costs.overlapping_pairs(first, second)
    assert sorted(zip(found_rows.tolist(), found_columns.tolist(), strict=True)) == [tuple(pair) for pair in expected]
    assert (np.diff(found_rows) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(0, 60), maximum=st.floats(0.05, 0.9), several=st.booleans())
def test_suppression_equals_the_greedy_loop(seed: int, count: int, maximum: float, several: bool) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 150, (2, count))
    boxes = np.concatenate([low, low + rng.uniform(20, 80, (2, count))])
    scores = rng.random(count)
    classes = rng.integers(0, 2, count) if several else np.zeros(count, int)
    kept: list[int] = []
    for box in np.argsort(-scores, kind="stable"):
        if all(
            plain_iou(boxes[:, box], boxes[:, other])[0] <= maximum or classes[box] != classes[other] for other in kept
        ):
            kept.append(int(box))
    found = non_maximum_suppression(boxes, scores, maximum, classes if several else None)
    assert np.flatnonzero(found).tolist() == sorted(kept)
