"""Scores as evidence."""

from __future__ import annotations

import numpy as np

from tracker.association.score_evidence import ScoreEvidence


def test_margins_are_known_by_their_values_and_stay_margins() -> None:
    evidence = ScoreEvidence(margin_slope=3.0, margin_zero=-0.1, probability_slope=1.0, probability_offset=0.0)
    as_probability = evidence(np.array([0.9, 0.5], np.float32))
    np.testing.assert_allclose(as_probability, [np.log(9), 0], atol=1e-6)
    assert not evidence.margins
    np.testing.assert_allclose(evidence(np.array([0.9, -0.1], np.float32)), [3, 0], atol=1e-6)
    np.testing.assert_allclose(evidence(np.array([0.9, 0.5], np.float32)), [3, 1.8], atol=1e-6)


def test_certainty_is_bounded_and_nothing_is_fine() -> None:
    evidence = ScoreEvidence(probability_slope=1.0, probability_offset=0.0)
    found = evidence(np.array([0.0, 1.0], np.float32))
    np.testing.assert_allclose(found, [-9.21, 9.21], atol=0.01)
    assert evidence(np.zeros(0, np.float32)).shape == (0,)
