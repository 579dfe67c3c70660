"""Who looks like a picture: exact search in a store's vectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.storage.store_records import StoredVectors

__all__ = ["LARGEST_PRODUCT", "VectorHit", "best_matches"]

#: Vectors of one matrix product. A store with more is gone through in several, each beside the best so far, so that
#: memory does not grow with it and the answer is the same.
LARGEST_PRODUCT = 100_000


@dataclass(frozen=True, slots=True)
class VectorHit:
    """The vector of an identity that is most like the query, by cosine."""

    identity: int
    score: float
    camera: int
    time: float


def best_matches(queries: NDArray[np.float32], batches: Iterable[StoredVectors], top: int) -> list[list[VectorHit]]:
    """Return for each query the ``top`` identities by their vector most like it, the best first.

    Args:
        queries: (Q, D) L2-normalised.
        batches: the vectors, in any order, of any identities.
        top: identities, at most.

    The result is that of one product with all vectors: who is dropped with a score has at that moment ``top`` others
    above it, and those are never less; a better vector in a later batch brings the identity back.
    """
    found: list[list[VectorHit]] = [[] for _ in queries]
    for batch in batches:
        scores = batch.vectors @ queries.T
        # The numbers of identities, and where each one's vectors lie once sorted by it.
        order = np.argsort(batch.identities, kind="stable")
        owners, begins = np.unique(batch.identities[order], return_index=True)
        for query, column in enumerate(scores.T):
            sorted_scores = column[order]
            best = np.maximum.reduceat(sorted_scores, begins)
            chosen = np.argsort(-best, kind="stable")[:top]
            hits = []
            for place in chosen.tolist():
                end = begins[place + 1] if place + 1 < len(begins) else len(order)
                row = order[begins[place] + int(np.argmax(sorted_scores[begins[place] : end]))]
                hits.append(
                    VectorHit(int(owners[place]), float(column[row]), int(batch.cameras[row]), float(batch.times[row]))
                )
            found[query] = _best_of_each(found[query] + hits)[:top]
    return found


def _best_of_each(hits: list[VectorHit]) -> list[VectorHit]:
    best: dict[int, VectorHit] = {}
    for hit in hits:
        if hit.identity not in best or hit.score > best[hit.identity].score:
            best[hit.identity] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.identity))
