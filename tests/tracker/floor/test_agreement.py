from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tracker.floor.agreement import log_agreement


def test_differences_are_those_of_the_marginal_density():
    generator = np.random.default_rng(2)
    slope, noise, measured = generator.normal(size=(3, 5)), np.diag([0.5, 1.0, 2.0]), generator.normal(size=3)
    said = slope.T @ np.linalg.inv(noise) @ slope
    vector = slope.T @ np.linalg.inv(noise) @ measured
    means = generator.normal(size=(4, 5))
    covs = np.stack([np.diag(generator.uniform(0.2, 3, 5)) for _ in means])
    prior = np.linalg.inv(covs)
    found = log_agreement(prior, np.einsum("nij,nj->ni", prior, means), np.stack([said] * 4), np.stack([vector] * 4))
    wanted = [
        multivariate_normal(slope @ mean, slope @ cov @ slope.T + noise).logpdf(measured)
        for mean, cov in zip(means, covs)
    ]
    assert found - found[0] == pytest.approx(np.array(wanted) - wanted[0])
