"""Ranking and re-ranking the way they are usually written: what ours is measured against, and nothing else uses.

Both follow their definitions: sort every query's gallery and walk along it; hold every N × N array in full. They are
loops of NumPy calls, one query or image after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["UsualScores", "usual_re_ranking", "usual_scores"]


@dataclass(frozen=True, slots=True, eq=False)
class UsualScores:
    """CMC curve (R,), mAP and mINP, all 0..1."""

    cmc: NDArray[np.float64]
    mAP: float
    mINP: float


def usual_scores(
    distances: NDArray[np.float32],
    query_ids: NDArray[np.int64],
    query_cameras: NDArray[np.int64],
    gallery_ids: NDArray[np.int64],
    gallery_cameras: NDArray[np.int64],
    *,
    max_rank: int = 50,
) -> UsualScores:
    """Score distances (Q, G) by the Market-1501 protocol; the gallery holds no junk, and equal distances no order."""
    max_rank = min(max_rank, len(gallery_ids))
    order = np.argsort(distances, axis=1)
    same_identity = gallery_ids[order] == query_ids[:, None]
    curves, precisions, penalties = [], [], []
    for query, ranked in enumerate(order):
        dropped = (gallery_ids[ranked] == query_ids[query]) & (gallery_cameras[ranked] == query_cameras[query])
        hits = same_identity[query][~dropped]
        if not hits.any():
            continue
        found = hits.cumsum()
        curve = np.minimum(found, 1)[:max_rank]
        curves.append(np.pad(curve, (0, max_rank - len(curve)), mode="edge"))
        precision = found / np.arange(1, len(hits) + 1)
        precisions.append((precision * hits).sum() / hits.sum())
        penalties.append(hits.sum() / (np.flatnonzero(hits)[-1] + 1))
    return UsualScores(np.mean(curves, axis=0), float(np.mean(precisions)), float(np.mean(penalties)))


def usual_re_ranking(
    query_gallery: NDArray[np.float32],
    query_query: NDArray[np.float32],
    gallery_gallery: NDArray[np.float32],
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> NDArray[np.float32]:
    """Return k-reciprocal re-ranked distances (Q, G) of Euclidean ones (Zhong et al., CVPR 2017, Eq. 3 to 12)."""
    queries = len(query_query)
    distances: NDArray[np.float32] = np.concatenate(
        [
            np.concatenate([query_query, query_gallery], axis=1),
            np.concatenate([query_gallery.T, gallery_gallery], axis=1),
        ]
    )
    distances = np.square(distances)
    distances = np.transpose(distances / distances.max(axis=0))
    ranks = np.argsort(distances, axis=1).astype(np.int32)
    count = len(distances)

    encoded = np.zeros((count, count), np.float32)
    half = int(np.around(k1 / 2))
    for image in range(count):
        near = _reciprocal(ranks, image, k1)
        members = [near]
        for candidate in near:
            nearer = _reciprocal(ranks, candidate, half)
            if len(np.intersect1d(nearer, near)) > 2 / 3 * len(nearer):
                members.append(nearer)
        expanded = np.unique(np.concatenate(members))
        weights = np.exp(-distances[image, expanded])
        encoded[image, expanded] = weights / weights.sum()
    if k2 > 1:
        averaged = np.zeros_like(encoded)
        for image in range(count):
            averaged[image] = encoded[ranks[image, :k2]].mean(axis=0)
        encoded = averaged
    distances = distances[:queries]
    del ranks
    holders = [np.flatnonzero(encoded[:, column]) for column in range(count)]
    jaccard = np.zeros_like(distances)
    for query in range(queries):
        smaller = np.zeros(count, np.float32)
        for column in np.flatnonzero(encoded[query]):
            others = holders[column]
            smaller[others] += np.minimum(encoded[query, column], encoded[others, column])
        jaccard[query] = 1 - smaller / (2 - smaller)
    result: NDArray[np.float32] = (jaccard * (1 - lambda_value) + distances * lambda_value)[:, queries:]
    return result


def _reciprocal(ranks: NDArray[np.int32], image: int, neighbours: int) -> NDArray[np.int32]:
    forward = ranks[image, : neighbours + 1]
    backward = ranks[forward, : neighbours + 1]
    return forward[(backward == image).any(axis=1)]
