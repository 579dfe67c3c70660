"""Attribute figures and top-k error against hand-computed cases and the definitions spelt out in loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_models.errors import InputError
from reid_models.evaluation.attributes import evaluate_attributes
from reid_models.evaluation.classification import top_k_error


def test_a_case_computed_by_hand() -> None:
    labels = [[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]]
    told = [[0.9, 0.2, 0.6], [0.8, 0.1, 0.3], [0.7, 0.9, 0.9], [0.1, 0.4, 0.2]]
    result = evaluate_attributes(told, labels)
    # Attribute 1: 2 of 2 positives, 1 of 2 negatives; 2: 1 of 2 and 2 of 2; 3: 1 of 2 and 1 of 2.
    np.testing.assert_allclose(result.attribute_accuracy, [0.75, 0.75, 0.5])
    assert result.mA == pytest.approx(2 / 3)
    # Images: {1, 3} told of {1, 2}; {1} of {1}; {1, 2, 3} of {2, 3}; {} of {3}.
    assert result.accuracy == pytest.approx((1 / 3 + 1 + 2 / 3 + 0) / 4)
    assert result.precision == pytest.approx((1 / 2 + 1 + 2 / 3 + 0) / 4)
    assert result.recall == pytest.approx((1 / 2 + 1 + 1 + 0) / 4)
    np.testing.assert_allclose(result.F1, 2 * result.precision * result.recall / (result.precision + result.recall))
    assert result.percentages() == {
        name: pytest.approx(100 * getattr(result, name)) for name in ("mA", "accuracy", "precision", "recall", "F1")
    }
    # A threshold of 0.85 leaves image 1 {1}, image 3 {2, 3}.
    strict = evaluate_attributes(told, labels, threshold=0.85)
    assert strict.precision == pytest.approx(1 / 2)
    assert strict.recall == pytest.approx((1 / 2 + 0 + 1 + 0) / 4)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 9999))
def test_equals_the_definition(images: int, attributes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, scores = random.integers(0, 2, (images, attributes)), random.random((images, attributes))
    told, terms = scores > 0.5, []
    for column in range(attributes):
        true = labels[:, column] == 1
        if true.any() and not true.all():
            terms.append((told[true, column].mean() + (~told[~true, column]).mean()) / 2)
    judged = []
    for row in range(images):
        true, said = set(np.flatnonzero(labels[row])), set(np.flatnonzero(told[row]))
        if true:
            both = len(true & said)
            judged.append((both / len(true | said), both / len(said) if said else 0, both / len(true)))
    if not terms:
        with pytest.raises(InputError, match="mA is undefined"):
            evaluate_attributes(scores, labels)
        return
    result = evaluate_attributes(scores, labels)
    accuracy, precision, recall = np.mean(judged, axis=0)
    assert result.mA == pytest.approx(np.mean(terms))
    assert np.isnan(result.attribute_accuracy).sum() == attributes - len(terms)
    assert (result.accuracy, result.precision, result.recall) == pytest.approx((accuracy, precision, recall))
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0
    np.testing.assert_allclose(result.F1, expected)


def test_truth_scores_everything_its_contrary_nothing_and_a_constant_half_of_mA() -> None:
    labels = np.random.default_rng(0).random((200, 26)) < 0.3
    assert set(evaluate_attributes(labels, labels).percentages().values()) == {100}
    assert set(evaluate_attributes(~labels, labels).percentages().values()) == {0}
    nobody = evaluate_attributes(np.zeros((200, 26)), labels)
    assert nobody.mA == 0.5 and nobody.F1 == 0
    everybody = evaluate_attributes(np.ones((200, 26)), labels)
    assert everybody.mA == 0.5 and everybody.recall == 1


def test_bad_attributes_are_named() -> None:
    labels = np.array([[1, 0], [0, 1]])
    for scores, truth, message in (
        (np.ones((2, 3)), labels, r"shape \(2, 3\)"),
        (np.ones(2), labels[0], "give both as"),
        (np.ones((0, 2)), labels[:0], "there is no image to judge"),
        (np.ones((2, 2)), labels * 2, "other values than 0 and 1"),
        (
            np.array([[0.1, 0.2], [np.nan, 0.3]]),
            labels,
            "1 attribute probabilities are not finite, first those of image 1",
        ),
        (np.ones((2, 2)), labels * 0, "each of the 2 attributes is the same for all 2 images"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate_attributes(scores, truth)


def test_top_k_error() -> None:
    logits = np.array([[3, 2, 1.0], [1, 2, 3], [2, 3, 1], [0, 0, 0]])
    labels = np.array([0, 1, 2, 1])
    assert top_k_error(logits, labels) == 0.75
    assert top_k_error(logits, labels, k=2) == 0.5
    assert top_k_error(logits, labels, k=3) == 0


def test_bad_classes_are_named() -> None:
    logits, labels = np.eye(3), np.arange(3)
    for scores, classes, k, message in (
        (logits[0], labels, 1, "logits have shape"),
        (logits[:0], labels[:0], 1, "logits have shape"),
        (logits, labels[:2], 1, "labels have shape"),
        (logits, labels + 1, 1, "labels lie between 1 and 3, and there are 3 classes"),
        (logits, labels, 4, "k=4 must lie between 1 and the 3 classes"),
        (np.where(logits == 1, np.nan, 0), labels, 1, "3 logits are not finite, first those of image 0"),
    ):
        with pytest.raises(InputError, match=message):
            top_k_error(scores, classes, k=k)
