"""How well two pieces of information about one state agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.floor.likelihood import inverses

__all__ = ["log_agreement"]

Array = NDArray[np.float64]


def log_agreement(prior: Array, prior_vector: Array, said: Array, said_vector: Array) -> Array:
    """Return logarithms (K,) of how well measurements fit what was expected, up to a constant of the measurements.

    The integral of a Gaussian density times a likelihood, both as information: of two priors, that is the better for
    which it is higher.

    Args:
        prior, prior_vector: (K, D, D), (K, D) information matrices and vectors of what was expected.
        said, said_vector: (K, D, D), (K, D) of the measurements; may be singular.
    """
    joint, vector = prior + said, prior_vector + said_vector
    mean = np.einsum("kij,kj->ki", inverses(prior), prior_vector)
    return np.asarray(
        0.5 * np.linalg.slogdet(prior)[1]
        - 0.5 * np.linalg.slogdet(joint)[1]
        + 0.5 * np.einsum("ki,ki->k", vector, np.linalg.solve(joint, vector[..., None])[..., 0])
        - 0.5 * np.einsum("ki,ki->k", mean, prior_vector),
        np.float64,
    )
