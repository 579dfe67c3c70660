"""From which distance two crops are of one person: what the tracker takes for its first guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid_models.errors import InputError
from reid_models.evaluation.evaluate import Embedded

__all__ = ["VerificationResult", "verification"]


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
    across = labels["query_cameras"][:, None] != labels["gallery_cameras"]
    same = labels["query_ids"][:, None] == labels["gallery_ids"]
    distances = 1 - query @ gallery.T
    strangers, pairs = distances[across & ~same], distances[across & same]
    if not len(strangers) or not len(pairs):
        raise InputError(f"{embedded.data.name} has no pairs of people in different cameras to find a threshold from")
    threshold = float(np.quantile(strangers, false_match_rate))
    return VerificationResult(threshold, float((pairs < threshold).mean()))
