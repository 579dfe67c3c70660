"""Suppression equals the greedy definition, one box at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.detectors.nms import suppress_duplicates

#: no ratio of areas of small whole numbers, so no overlap lies on it
THRESHOLD = 0.45678

sides = st.integers(1, 12)
boxes_scores_classes = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), sides, sides, st.integers(-5, 5), st.integers(0, 2)), max_size=30
)


def greedy(boxes: list[tuple[int, ...]], scores: list[float], classes: list[int]) -> list[int]:
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: (-scores[row], row)):
        if all(classes[row] != classes[other] or overlap(boxes[row], boxes[other]) <= THRESHOLD for other in kept):
            kept.append(row)
    return kept


def overlap(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


@settings(max_examples=200, deadline=None)
@given(boxes_scores_classes)
def test_equals_the_greedy_definition(rows: list[tuple[int, int, int, int, int, int]]) -> None:
    boxes = [(x, y, x + width, y + height) for x, y, width, height, _, _ in rows]
    scores = [float(row[4]) for row in rows]
    classes = [row[5] for row in rows]
    got = suppress_duplicates(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int64), THRESHOLD
    )
    assert got.tolist() == greedy(boxes, scores, classes)


def test_margins_below_zero_are_scores_too() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 11], [50, 0, 60, 10]], np.float32)
    kept = suppress_duplicates(boxes, np.array([-0.5, -0.2, -3.0]), np.zeros(3, np.int64), 0.5)
    assert kept.tolist() == [1, 2]
