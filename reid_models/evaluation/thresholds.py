"""From which distance two crops are of one person: what the tracker takes for its first guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid_models.errors import InputError
from reid_models.evaluation.evaluate import Embedded

__all__ = ["VerificationResult", "verification"]

#: of cosine distance 0..2: pairs are counted in bins, since all of a large set's distances would fill the memory
_BINS = 20_000
#: distances held at once, in values
_BLOCK_VALUES = 10_000_000


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """Args: ``threshold`` in cosine distance, and the share (0..1) of true pairs that are nearer than it."""

    threshold: float
    true_match_rate: float


def verification(embedded: Embedded, false_match_rate: float = 0.01) -> VerificationResult:
    """Return the cosine distance below which a share of pairs of strangers lies, over pairs of different cameras.

    Args:
        embedded: a data set's vectors.
        false_match_rate: that share, 0..1.

    Raises:
        InputError: no pair of strangers, or none of one person, in different cameras.
    """
    embedded = embedded.without_junk()
    query, gallery = (
        part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        for part in (embedded.query, embedded.gallery)
    )
    labels = embedded.labels()
    strangers, pairs = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    step = max(1, _BLOCK_VALUES // len(gallery))
    for start in range(0, len(query), step):
        rows = slice(start, start + step)
        across = labels["query_cameras"][rows, None] != labels["gallery_cameras"]
        same = labels["query_ids"][rows, None] == labels["gallery_ids"]
        distances = 1 - query[rows] @ gallery.T
        bins = np.clip(distances * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
        strangers += np.bincount(bins[across & ~same], minlength=_BINS)
        pairs += np.bincount(bins[across & same], minlength=_BINS)
    if not strangers.any() or not pairs.any():
        raise InputError(f"{embedded.data.name} has no pairs of people in different cameras to find a threshold from")
    reached = np.searchsorted(np.cumsum(strangers), false_match_rate * strangers.sum(), side="right")
    return VerificationResult(2 * float(reached) / _BINS, float(pairs[:reached].sum() / pairs.sum()))
