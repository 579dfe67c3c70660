"""Summaries of appearance stay small and say what was put in; rules for crops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.cross_camera.worlds import unit_vectors
from tracker.cross_camera.appearance import AppearanceSummary, cosine_distances, normalised
from tracker.cross_camera.crop_quality import CropRules, crop_quality, overlap_with_others

SIZE = (640, 480)


def filled(features: np.ndarray, weights: np.ndarray, times: np.ndarray, capacity: int = 12) -> AppearanceSummary:
    summary = AppearanceSummary(capacity)
    for feature, weight, time in zip(features, weights, times, strict=True):
        summary.add(feature, float(time), float(weight))
    return summary


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 150), capacity=st.sampled_from([2, 4, 12]))
def test_bounded_and_the_mean_is_the_weighted_mean(seed: int, count: int, capacity: int) -> None:
    rng = np.random.default_rng(seed)
    features, weights = unit_vectors(count, 16, seed), rng.uniform(0.1, 1, count)
    summary = filled(features, weights, np.arange(count), capacity)
    assert len(summary.prototypes) <= capacity
    assert (summary.count, summary.weight) == (count, pytest.approx(weights.sum()))
    expected = normalised((features * weights[:, None]).sum(axis=0))
    np.testing.assert_allclose(summary.mean, expected, atol=1e-5)
    again = filled(features, weights, np.arange(count), capacity)
    assert np.array_equal(summary.prototypes, again.prototypes)
    assert np.array_equal(summary.mean, again.mean)
    # each prototype is one of the crops, oldest first, from the whole time
    rows = [int(np.flatnonzero((features == prototype).all(axis=1))[0]) for prototype in summary.prototypes]
    assert rows == sorted(set(rows))
    assert rows[0] == 0
    assert np.diff([*rows, count]).max() <= max(1, 2 * -(-count // capacity))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), first=st.integers(0, 60), second=st.integers(0, 60), more=st.integers(0, 30))
def test_absorbing_is_as_if_all_had_been_added(seed: int, first: int, second: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    total = first + second + more
    features, weights = unit_vectors(max(total, 1), 8, seed)[:total], rng.uniform(0.1, 1, total)
    times = np.arange(total, dtype=float)
    split = np.split(np.arange(total), [first, first + second])
    one, other = (filled(features[rows], weights[rows], times[rows]) for rows in split[:2])
    one.absorb(other)
    for row in split[2]:
        one.add(features[row], times[row], float(weights[row]))
    assert one.count == total
    assert one.weight == pytest.approx(weights.sum())
    assert len(one.prototypes) <= one.capacity
    if total == 0:
        assert one.mean is None
    else:
        np.testing.assert_allclose(one.mean, normalised((features * weights[:, None]).sum(axis=0)), atol=1e-5)
    assert other.count == second, "the other is as it was"


def test_what_is_absorbed_is_not_shared() -> None:
    features = unit_vectors(4)
    source, copy = filled(features[:2], np.ones(2), np.arange(2)), AppearanceSummary()
    copy.absorb(source)
    copy.add(features[2], 2.0)
    assert source.count == 2
    np.testing.assert_allclose(source.mean, normalised(features[:2].sum(axis=0)), atol=1e-6)


def test_halves() -> None:
    one, other = np.eye(2, 8, dtype=np.float32)
    same = filled(np.tile(one, (6, 1)), np.ones(6), np.arange(6))
    assert same.halves_distance() == pytest.approx(0.0, abs=1e-6)
    changed = filled(np.stack([one] * 4 + [other] * 4), np.ones(8), np.arange(8))
    assert changed.halves_distance() == pytest.approx(1.0)
    assert filled(np.tile(one, (3, 1)), np.ones(3), np.arange(3)).halves_distance() is None


@pytest.mark.parametrize("capacity", [0, 1, 7])
def test_capacity_must_be_even(capacity: int) -> None:
    with pytest.raises(ValueError, match="even"):
        AppearanceSummary(capacity)


def test_distances_of_unit_vectors() -> None:
    vectors = unit_vectors(5)
    distances = cosine_distances(vectors, vectors)
    np.testing.assert_allclose(np.diag(distances), 0, atol=1e-6)
    assert distances[0, 1] == pytest.approx(1 - float(vectors[0] @ vectors[1]), abs=1e-6)
    assert np.array_equal(normalised(np.zeros(3)), np.zeros(3, np.float32))


def quality(*boxes: list[float], scores: list[float] | None = None, **rules: float) -> list[float]:
    """Quality of each box in a picture of 640 × 480."""
    given_scores = np.array(scores or [0.9] * len(boxes), np.float32)
    return crop_quality(np.array(boxes, np.float32).reshape(-1, 4), given_scores, SIZE, CropRules(**rules)).tolist()


GOOD = [100.0, 100.0, 160.0, 250.0]


def test_a_whole_clear_person_is_good() -> None:
    assert quality(GOOD)[0] == pytest.approx(0.9)
    assert quality() == []


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ([100, 100, 120, 139], "too low"),
        ([100, 100, 113, 200], "too narrow"),
        ([100, 100, 200, 220], "too wide for its height"),
        ([600, 400, 640, 480], "cut off at two sides"),
        ([700, 100, 760, 250], "outside the picture"),
        ([-55, 100, 5, 250], "nearly all outside the picture"),
        ([100, 460, 160, 610], "only the head in the picture"),
    ],
)
def test_crops_that_say_nothing(box: list[float], why: str) -> None:
    assert quality(box) == [0.0], why


def test_what_the_rules_say() -> None:
    assert quality(GOOD, scores=[0.34]) == [0.0]
    assert quality(GOOD, scores=[0.34], minimum_confidence=0.3)[0] > 0
    assert quality(GOOD, minimum_height=151) == [0.0]
    assert quality(GOOD, minimum_width=61) == [0.0]
    assert quality([1, 100, 61, 250])[0] == pytest.approx(0.7 * 0.9), "one side at the border"
    assert quality([1, 100, 61, 250], maximum_border_sides=0) == [0.0]
    assert quality([580, 340, 640, 480], maximum_border_sides=2)[0] > 0


def test_who_is_hidden_or_hides() -> None:
    behind, before = [100.0, 100.0, 160.0, 250.0], [130.0, 100.0, 190.0, 250.0]
    assert quality(behind, before) == [0.0, 0.0], "half of each is shared"
    apart = [145.0, 100.0, 205.0, 250.0]
    assert quality(behind, apart)[0] == pytest.approx(0.9 * 0.75)
    # a small box in a large one is hidden; the large one hardly is
    small = [110.0, 110.0, 126.0, 155.0]
    shares = overlap_with_others(np.array([GOOD, small], np.float32))
    assert shares.tolist() == pytest.approx([16 * 45 / (60 * 150), 1.0])


def test_quality_is_a_share_however_sure_the_detector_says_it_is() -> None:
    """MOTChallenge files hold scores that are no probabilities."""
    assert quality(GOOD, scores=[57.0]) == [1.0]
    assert quality(GOOD, scores=[-3.0]) == [0.0]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 12))
def test_quality_lies_between_nothing_and_all(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-200, 700, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 300, (count, 2))], axis=1).astype(np.float32)
    scores = rng.uniform(-1, 2, count).astype(np.float32)
    found = crop_quality(boxes, scores, SIZE, CropRules(minimum_confidence=0.0))
    assert found.shape == (count,)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    order = rng.permutation(count)
    np.testing.assert_allclose(
        crop_quality(boxes[order], scores[order], SIZE, CropRules(minimum_confidence=0.0)), found[order]
    )
