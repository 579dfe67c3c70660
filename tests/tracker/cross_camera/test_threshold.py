"""The threshold keeps the false-match rate that was asked for, and says how sure it is."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.cross_camera.worlds import unit_vectors
from tracker.cross_camera.threshold import OpenSetThreshold


def distances_between_strangers(count: int, dimension: int, seed: int) -> np.ndarray:
    """Cosine distances of independent pairs of people: about normal around 1."""
    return 1.0 - (unit_vectors(count, dimension, seed) * unit_vectors(count, dimension, seed + 100_000)).sum(axis=1)


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05])
@pytest.mark.parametrize("dimension", [32, 128])
def test_the_false_match_rate_is_what_was_asked_for(rate: float, dimension: int) -> None:
    strangers = distances_between_strangers(200_000, dimension, 1)
    rates = []
    for seed in range(30):
        threshold = OpenSetThreshold(0.7, false_match_rate=rate)
        threshold.learn(distances_between_strangers(300, dimension, 10 + seed), np.zeros(0))
        rates.append(float((strangers < threshold.value).mean()))
    assert rate / 2 < np.mean(rates) < 2 * rate


@pytest.mark.parametrize("pairs", [3, 10, 30])
def test_few_pairs_make_it_careful_not_bold(pairs: int) -> None:
    strangers = distances_between_strangers(100_000, 64, 1)
    rates = []
    for seed in range(40):
        threshold = OpenSetThreshold(0.7, false_match_rate=0.01)
        threshold.learn(distances_between_strangers(pairs, 64, 500 + seed), np.zeros(0))
        rates.append(float((strangers < threshold.value).mean()))
    assert np.mean(rates) < 0.02


def test_without_any_pair_it_is_near_the_default() -> None:
    for default in (0.1, 0.35, 0.7):
        threshold = OpenSetThreshold(default)
        assert 0.25 * default <= threshold.value <= 1.2 * default
        record = threshold.record()
        assert (record.different_pairs, record.same_pairs, record.default) == (0, 0, default)
        assert (record.same_mean, record.false_rejection_rate) == (None, None)
        assert record.confidence.startswith("low")


def test_says_how_sure_it_is() -> None:
    confidences = []
    for pairs in (0, 7, 8, 29, 300):
        threshold = OpenSetThreshold(0.6)
        threshold.learn(distances_between_strangers(pairs, 64, 3), np.array([0.1, 0.2, 0.9]))
        record = threshold.record()
        confidences.append(record.confidence.split(":")[0])
        low, high = record.interval
        assert low <= record.threshold <= high or pairs < 8
        assert record.different_pairs == pairs
        json.dumps(asdict(record))
    assert confidences == ["low", "low", "medium", "medium", "high"]
    assert record.same_mean == pytest.approx(0.4)
    assert record.false_rejection_rate == pytest.approx(1 / 3, abs=1e-3)


def test_more_pairs_make_it_surer() -> None:
    widths = []
    for pairs in (10, 100, 1000):
        threshold = OpenSetThreshold(0.6)
        threshold.learn(distances_between_strangers(pairs, 64, 5), np.zeros(0))
        low, high = threshold.record().interval
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.floats(0, 2), max_size=60),
    same=st.lists(st.floats(0, 2), max_size=10),
    default=st.floats(0.05, 0.9),
    rate=st.floats(0.001, 0.4),
)
def test_always_usable(pairs: list[float], same: list[float], default: float, rate: float) -> None:
    threshold = OpenSetThreshold(default, false_match_rate=rate)
    threshold.learn(np.array(pairs), np.array(same))
    assert 0.25 * default - 1e-9 <= threshold.value <= 1.6 * default + 1e-9
    assert threshold.deviation > 0
    distances = np.linspace(0, 2, 50)
    score = threshold.score(distances)
    assert (np.diff(score) <= 0).all() and score.min() >= -8 and score.max() <= 4
    assert threshold.score(np.array([threshold.value]))[0] == pytest.approx(0, abs=1e-5)
    shuffled = OpenSetThreshold(default, false_match_rate=rate)
    shuffled.learn(np.array(pairs[::-1]), np.array(same[::-1]))
    assert shuffled.record() == threshold.record()


@pytest.mark.parametrize("rate", [0.0, 0.5, -1.0])
def test_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(ValueError, match="false-match rate"):
        OpenSetThreshold(0.5, false_match_rate=rate)
