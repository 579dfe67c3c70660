"""Two tracks of one person: what the boxes of both would say together, were they one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.floor.agreement import log_agreement

__all__ = ["evidence_of_two"]

Array = NDArray[np.float64]

#: metres beyond which two tracks are two people
_REACH = 1.2
#: most that one look says either way, nats
_MOST = 12.0


def evidence_of_two(
    prior: Array,
    prior_vector: Array,
    said: Array,
    said_vector: Array,
    places: Array,
    found: NDArray[np.bool_],
    chances: Array,
    senior: NDArray[np.int64],
    duplicates: float,
) -> Array:
    """Return nats (N,) by which this look speaks for each track's being somebody else than a better known one nearby.

    Their boxes are put together: one person explains them worse where they disagree, or where both have a box in one
    camera (detectors seldom find one person twice), and better where each was missed where the other was found.

    Args:
        prior, prior_vector: (N, 5, 5), (N, 5) information before the boxes.
        said, said_vector: (N, 5, 5), (N, 5) information of the boxes that each track has.
        places: (N, 2) of the tracks, metres.
        found: (N, C) which cameras have a box of whom.
        chances: (N, C) how likely each camera was to find whom.
        senior: (N,) rank, 0 for the best known.
        duplicates: how often one person is found twice.
    """
    result = np.full(len(prior), np.inf)
    gap = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    held = np.asarray(found.any(axis=1), bool)
    near = np.asarray((gap < _REACH) & (senior[:, None] > senior[None]), bool) & held[:, None]
    junior, elder = np.nonzero(near)
    if not len(junior):
        return result
    alone = log_agreement(prior, prior_vector, said, said_vector)
    together = log_agreement(
        prior[elder], prior_vector[elder], said[elder] + said[junior], said_vector[elder] + said_vector[junior]
    )
    taken = found * np.log(chances)
    missed = ~found * np.log1p(-chances)
    both, either = found[junior] & found[elder], found[junior] | found[elder]
    as_two = (taken + missed)[junior].sum(axis=1) + (taken + missed)[elder].sum(axis=1)
    as_one = (either * np.log(chances[elder]) + ~either * np.log1p(-chances[elder])).sum(axis=1)
    as_one = as_one + both.sum(axis=1) * np.log(duplicates)
    evidence = alone[junior] + alone[elder] + as_two - together - as_one
    np.minimum.at(result, junior, np.clip(evidence, -_MOST, _MOST))
    return result
