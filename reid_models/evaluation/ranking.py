"""CMC, mAP and mINP by the Market-1501 protocol, without sorting the gallery.

A true match's place in the ranked list is one more than the number of gallery images nearer to the query. Only those
places decide every figure, so they are counted for the few true matches instead of sorting thousands of strangers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_models.errors import InputError
from reid_models.evaluation.inputs import Labels, checked_feature_pair, normalized_features

__all__ = ["RankingResult", "evaluate_distances", "evaluate_ranking"]

#: distances computed at once, in values; 64 MB of float32
_CHUNK_VALUES = 16_000_000
#: given distances looked at at once, in values: what stays in a core's cache between two passes
_GIVEN_CHUNK_VALUES = 100_000
#: true matches of one query from which sorting its row is cheaper than counting for each (measured)
_SORT_FROM_MATCHES = 64
#: share of the row that is cheaper sorted than counted in again, even for one more match (measured)
_SORT_SHARE = 1 / 8


@dataclass(frozen=True, slots=True, eq=False)
class RankingResult:
    """Shares are 0..1.

    Args:
        cmc: (R,) float64, ``cmc[k - 1]`` is the share of queries with a true match among the first k (rank-k).
        mAP: mean over queries of the average precision.
        mINP: mean over queries of the inverse negative penalty: true matches / place of the last one.
        average_precision: (V,) float64 per query that has a true match.
        inverse_negative_penalty: (V,) float64.
        queries: (V,) int64, which queries those are; the others are left out of every mean.
    """

    cmc: NDArray[np.float64]
    mAP: float
    mINP: float
    average_precision: NDArray[np.float64]
    inverse_negative_penalty: NDArray[np.float64]
    queries: NDArray[np.int64]

    def percentages(self) -> dict[str, float]:
        """Return ``rank1``, ``rank5``, ``rank10``, ``mAP`` and ``mINP`` in percent, as results are written."""
        ranks = {f"rank{k}": 100 * float(self.cmc[min(k, len(self.cmc)) - 1]) for k in (1, 5, 10)}
        return {**ranks, "mAP": 100 * self.mAP, "mINP": 100 * self.mINP}


def evaluate_ranking(
    query_features: ArrayLike,
    query_ids: ArrayLike,
    query_cameras: ArrayLike,
    gallery_features: ArrayLike,
    gallery_ids: ArrayLike,
    gallery_cameras: ArrayLike,
    distance: Literal["cosine", "euclidean"] = "cosine",
    *,
    remove_camera: bool = True,
    max_rank: int = 50,
) -> RankingResult:
    """Rank the gallery for every query by feature distance and score it by the Market-1501 protocol.

    For each query, gallery images of its identity taken by its own camera are dropped; those with identity −1 are junk
    and dropped for all. Identity 0, Market-1501's distractors, is an identity that no query has. A true match
    is ranked behind every other image at exactly its distance, so the result does not depend on the gallery's order and
    features that are all alike score nothing. Queries without a true match are left out.

    Args:
        query_features: (Q, D) floats.
        query_ids: (Q,) whole numbers.
        query_cameras: (Q,) whole numbers.
        gallery_features: (G, D) floats.
        gallery_ids: (G,) whole numbers.
        gallery_cameras: (G,) whole numbers.
        distance: ``"cosine"`` normalises features itself.
        remove_camera: drop gallery images of the query's identity and camera; False keeps them, for data whose cameras
            are not told or whose protocol counts them.
        max_rank: length of the CMC curve; shorter when the gallery is.

    Raises:
        InputError: lengths or dimensions differ, a feature is not finite, the gallery is empty, or no query has a true
            match.
    """
    if distance not in ("cosine", "euclidean"):
        raise InputError(f"distance {distance!r} is not one of cosine, euclidean")
    query, gallery = checked_feature_pair(query_features, gallery_features)
    labels = Labels.checked(query_ids, query_cameras, gallery_ids, gallery_cameras, len(query), len(gallery))
    labels, kept = labels.without_junk()
    gallery = gallery if kept is None else gallery[kept]
    if distance == "cosine":
        query, gallery = normalized_features(query), normalized_features(gallery)
    # Ranking needs the distance only up to a monotonic function of it: the row-constant |q|² may be left out.
    transposed = np.ascontiguousarray(gallery.T)
    squared = None if distance == "cosine" else np.einsum("ij,ij->i", gallery, gallery)

    def distances(start: int, stop: int) -> NDArray[np.floating]:
        rows = query[start:stop] @ transposed
        if squared is None:
            np.negative(rows, out=rows)
        else:
            rows *= -2
            rows += squared
        return rows

    return _evaluate(distances, _CHUNK_VALUES, labels, remove_camera, max_rank)


def evaluate_distances(
    distances: ArrayLike,
    query_ids: ArrayLike,
    query_cameras: ArrayLike,
    gallery_ids: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    remove_camera: bool = True,
    max_rank: int = 50,
) -> RankingResult:
    """Score given ``distances`` (Q, G), such as re-ranked ones, as :func:`evaluate_ranking` does.

    Raises:
        InputError: as :func:`evaluate_ranking`.
    """
    matrix = np.asarray(distances)
    if matrix.ndim != 2:
        raise InputError(f"distances have shape {matrix.shape}; give (queries, gallery images)")
    labels = Labels.checked(query_ids, query_cameras, gallery_ids, gallery_cameras, *matrix.shape)
    labels, kept = labels.without_junk()

    def rows(start: int, stop: int) -> NDArray[np.floating]:
        chunk: NDArray[np.floating] = matrix[start:stop] if kept is None else matrix[start:stop, kept]
        # A maximum carries NaN along and, unlike isnan, needs no copy.
        if np.isnan(chunk.max()):
            raise InputError("distances hold values that are no numbers: the features they come from are broken")
        return chunk

    return _evaluate(rows, _GIVEN_CHUNK_VALUES, labels, remove_camera, max_rank)


def _evaluate(
    distances: Callable[[int, int], NDArray[np.floating]],
    chunk_values: int,
    labels: Labels,
    remove_camera: bool,
    max_rank: int,
) -> RankingResult:
    query, gallery = _same_identity_pairs(labels)
    query_count, gallery_count = len(labels.query_ids), len(labels.gallery_ids)
    own_camera = remove_camera & (labels.query_cameras[query] == labels.gallery_cameras[gallery])
    boundaries = np.searchsorted(query, np.arange(query_count + 1)).tolist()
    value = np.empty(len(query), np.float64)
    place = np.zeros(len(query), np.int64)
    nearer = np.empty(gallery_count, bool)
    step = max(1, chunk_values // gallery_count)
    for start in range(0, query_count, step):
        for index, row in enumerate(distances(start, min(start + step, query_count)), start):
            pairs = slice(boundaries[index], boundaries[index + 1])
            values = row[gallery[pairs]]
            value[pairs] = values
            true_matches = np.flatnonzero(~own_camera[pairs])
            place[pairs.start + true_matches] = _places(row, values[true_matches], nearer)
    return _scores(query, own_camera, value, place, max_rank, gallery_count)


def _same_identity_pairs(labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (query, gallery) index pairs of one identity, in order of queries, then of gallery."""
    order = np.argsort(labels.gallery_ids, kind="stable")
    ids = labels.gallery_ids[order]
    first = np.searchsorted(ids, labels.query_ids, "left")
    count = np.searchsorted(ids, labels.query_ids, "right") - first
    query = np.repeat(np.arange(len(labels.query_ids)), count)
    within = np.arange(len(query)) - np.repeat(np.cumsum(count) - count, count)
    return query, order[np.repeat(first, count) + within]


def _places(row: NDArray[np.floating], values: NDArray[np.floating], nearer: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many of the gallery's distances are at most each value, the match's own included."""
    places = np.empty(len(values), np.int64)
    farthest_first = np.argsort(-values)
    for done, match in enumerate(farthest_first):
        # A preallocated mask and one comparison are many times faster than sorting the row.
        np.less_equal(row, values[match], out=nearer)
        places[match] = count = np.count_nonzero(nearer)
        rest = farthest_first[done + 1 :]
        if count <= _SORT_SHARE * len(row) or len(rest) >= _SORT_FROM_MATCHES:
            # Few images are nearer than this match, so they are sorted for all that remain.
            places[rest] = np.searchsorted(np.sort(row.compress(nearer)), values[rest], "right")
            break
    return places


def _scores(
    query: NDArray[np.int64],
    own_camera: NDArray[np.bool_],
    value: NDArray[np.float64],
    place: NDArray[np.int64],
    max_rank: int,
    gallery_count: int,
) -> RankingResult:
    # Own-camera images first among equals: like all others at the same distance they count as nearer.
    order = np.lexsort((~own_camera, value, query))
    query, own_camera, value, place = query[order], own_camera[order], value[order], place[order]
    kept = ~own_camera
    hit_query, counts = np.unique(query[kept], return_counts=True)
    if not len(hit_query):
        raise InputError("no query has a true match from another camera in the gallery: check ids and cameras")
    # Places count the query's own-camera images too, which the protocol drops: take off those at most as far.
    dropped: NDArray[np.int64] = np.cumsum(own_camera) - own_camera
    dropped_before_query: NDArray[np.int64] = dropped[np.searchsorted(query, hit_query)]
    rank = place[kept] - (dropped[kept] - np.repeat(dropped_before_query, counts))
    rank -= _equal_matches_behind(query[kept], value[kept])
    first_hit = np.cumsum(counts) - counts
    hit_number = np.arange(len(rank)) - np.repeat(first_hit, counts) + 1
    average_precision = np.add.reduceat(hit_number / rank, first_hit) / counts
    penalty = counts / rank[first_hit + counts - 1]
    length = min(max_rank, gallery_count)
    found = np.bincount(np.minimum(rank[first_hit] - 1, length), minlength=length + 1)[:length]
    return RankingResult(
        cmc=np.cumsum(found) / len(hit_query),
        mAP=float(average_precision.mean()),
        mINP=float(penalty.mean()),
        average_precision=average_precision,
        inverse_negative_penalty=penalty,
        queries=hit_query,
    )


def _equal_matches_behind(query: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each match, in sorted order, how many matches of its query follow at exactly its distance."""
    ends = np.append((query[1:] != query[:-1]) | (value[1:] != value[:-1]), True)
    last = np.flatnonzero(ends)
    group = np.cumsum(ends) - ends
    return last[group] - np.arange(len(value))
