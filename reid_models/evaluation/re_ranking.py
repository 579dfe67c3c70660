"""k-reciprocal re-ranking: Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017.

The usual code holds several dense N × N arrays, N being queries and gallery together. Here N × N distances exist block
by block, and the encoded vectors, which have a few dozen entries that are not zero, are sparse matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from reid_models.errors import InputError
from reid_models.evaluation.inputs import checked_feature_pair
from reid_models.evaluation.nearest import FeatureDistances, MatrixDistances, PairDistances

__all__ = ["re_rank", "re_rank_distances"]

#: terms of the Jaccard distances summed at once
_TERMS = 2_000_000
#: cells of the result computed at once
_CELLS = 500_000

Progress = Callable[[int, int], None]


def re_rank(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    distance: Literal["euclidean", "cosine"] = "euclidean",
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Return distances (Q, G) float32 between queries and gallery that take the neighbours of both into account.

    The distance is (1 − λ) · Jaccard distance of the expanded k-reciprocal sets + λ · squared original distance / its
    largest value (Eq. 12; squared and scaled as in the authors' code, which gave the published figures). Neighbours at
    exactly one distance are in order of queries, then gallery. Leave junk images out before: they are neighbours too.

    Args:
        query_features: (Q, D) floats.
        gallery_features: (G, D) floats.
        k1: size of the k-reciprocal sets.
        k2: neighbours whose vectors are averaged (local query expansion); 1: none.
        lambda_value: weight of the original distance, 0 to 1.
        distance: ``"cosine"`` normalises features itself.
        progress: told (done, total) images.

    Raises:
        InputError: dimensions differ, a feature is not finite, query or gallery is empty, or a parameter is out of
            range.
    """
    if distance not in ("euclidean", "cosine"):
        raise InputError(f"distance {distance!r} is not one of euclidean, cosine")
    query, gallery = checked_feature_pair(query_features, gallery_features)
    _check_parameters(k1, k2, lambda_value)
    distances = FeatureDistances(query, gallery, cosine=distance == "cosine")
    return _re_ranked(distances, len(query), k1, k2, lambda_value, progress)


def re_rank_distances(
    query_gallery: ArrayLike,
    query_query: ArrayLike,
    gallery_gallery: ArrayLike,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Re-rank given Euclidean distances as :func:`re_rank` does features; they are squared here.

    Args:
        query_gallery: (Q, G) floats.
        query_query: (Q, Q) floats.
        gallery_gallery: (G, G) floats.
        k1: see :func:`re_rank`.
        k2: see :func:`re_rank`.
        lambda_value: see :func:`re_rank`.
        progress: told (done, total) images.

    Raises:
        InputError: shapes do not fit together, one is empty, a distance is not finite, or a parameter is out of range.
    """
    parts = [np.asarray(part) for part in (query_gallery, query_query, gallery_gallery)]
    shapes = [part.shape for part in parts]
    if any(part.ndim != 2 or part.dtype.kind not in "fiu" for part in parts) or (
        shapes[1:] != [(shapes[0][0],) * 2, (shapes[0][1],) * 2]
    ):
        raise InputError(f"distances have shapes {shapes}; give floats (Q, G), (Q, Q) and (G, G)")
    if 0 in shapes[0]:
        raise InputError(f"distances have shape {shapes[0]}: there is no query or no gallery image to rank")
    _check_parameters(k1, k2, lambda_value)
    parts = [part if part.dtype.kind == "f" else part.astype(np.float64) for part in parts]
    return _re_ranked(MatrixDistances(*parts), shapes[0][0], k1, k2, lambda_value, progress)


def _check_parameters(k1: int, k2: int, lambda_value: float) -> None:
    if k1 < 1 or k2 < 1:
        raise InputError(f"k1={k1} and k2={k2}: both must be at least 1; the paper has 20 and 6")
    if not 0 <= lambda_value <= 1:
        raise InputError(f"lambda_value={lambda_value} must lie between 0 and 1; the paper has 0.3")


def _re_ranked(
    distances: PairDistances, queries: int, k1: int, k2: int, lambda_value: float, progress: Progress | None
) -> NDArray[np.float32]:
    count = distances.count
    total = count + queries
    whole = min(k1 + 1, count)
    # Half is rounded to the even number, as the authors' code rounds it.
    half = min(round(k1 / 2) + 1, count)
    expansion = min(k2, count)
    result = np.empty((queries, count - queries), np.float32)
    ranks = distances.nearest(
        max(whole, half, expansion),
        (half, whole, expansion),
        result,
        None if progress is None else lambda done: progress(done, total),
    )
    vectors = _encode(distances, ranks, whole, half)
    if expansion > 1:
        vectors = _membership(ranks[:, :expansion], np.float64(1 / expansion)) @ vectors
    result *= lambda_value
    for start, stop, overlap in _overlaps(vectors, queries):
        # Each vector's entries sum to 1, so the union (the sum of maxima) is 2 − the overlap (the sum of minima).
        overlap /= 2 - overlap
        jaccard = np.subtract(1, overlap, out=overlap)
        # Rounding may bring a vector nearer to its equal than 0.
        np.maximum(jaccard, 0, out=jaccard)
        jaccard *= 1 - lambda_value
        result[start:stop] += jaccard
        if progress is not None:
            progress(count + stop, total)
    return result


def _membership(ranks: NDArray[np.int32], value: np.generic) -> sparse.csr_matrix:
    """Return (N, N) with ``value`` where the column is among the row's ``ranks`` (N, K)."""
    count, width = ranks.shape
    ends = np.arange(0, count * width + 1, width)
    return sparse.csr_matrix((np.full(ranks.size, value), ranks.ravel(), ends), shape=(count, count))


def _reciprocal(ranks: NDArray[np.int32]) -> sparse.csr_matrix:
    """Return (N, N) with 1 where two images are among each other's ``ranks`` (N, K), Eq. 3."""
    forward = _membership(ranks, np.int32(1))
    return forward.multiply(forward.T.tocsr()).tocsr()


def _encode(distances: PairDistances, ranks: NDArray[np.int32], whole: int, half: int) -> sparse.csr_matrix:
    """Return (N, N) float64: each image's weights of its expanded k-reciprocal neighbours, Eq. 5 and 7."""
    near = _reciprocal(ranks[:, :whole])
    nearer = _reciprocal(ranks[:, :half])
    # Sizes of the overlap of the row's set and the half-sized set of each of its members.
    shared = near.multiply((near @ nearer.T).tocsr()).tocsr()
    sizes = np.diff(nearer.indptr)
    shared.data = (3 * shared.data > 2 * sizes[shared.indices]).astype(np.int32)
    shared.eliminate_zeros()
    expanded = (near + shared @ nearer).tocsr()
    expanded.sort_indices()
    members = np.diff(expanded.indptr)
    row = np.repeat(np.arange(distances.count, dtype=np.int32), members)
    weights = np.exp(-distances.of_pairs(row, expanded.indices.astype(np.int32)))
    sums = np.bincount(row, weights, distances.count)
    return sparse.csr_matrix((weights / sums[row], expanded.indices, expanded.indptr), shape=expanded.shape)


def _overlaps(vectors: sparse.csr_matrix, queries: int) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Yield (start, stop, sums of minima (stop − start, G) float64) for chunks of queries, Eq. 10."""
    gallery = vectors[queries:].tocsc()
    width = gallery.shape[0]
    lengths = np.diff(gallery.indptr)
    query = vectors[:queries]
    terms = np.concatenate([[0], np.cumsum(lengths[query.indices])])[query.indptr]
    start = 0
    while start < queries:
        limit = np.searchsorted(terms, terms[start] + _TERMS, "right") - 1
        stop = int(min(max(limit, start + 1), start + max(1, _CELLS // width), queries))
        part = slice(query.indptr[start], query.indptr[stop])
        columns, counts = query.indices[part], lengths[query.indices[part]]
        own = np.repeat(query.data[part], counts)
        place = np.arange(len(own)) + np.repeat(gallery.indptr[columns] - (np.cumsum(counts) - counts), counts)
        row = np.repeat(np.arange(stop - start), np.diff(query.indptr[start : stop + 1]))
        cell = np.repeat(row * width, counts) + gallery.indices[place]
        sums = np.bincount(cell, np.minimum(own, gallery.data[place]), (stop - start) * width)
        yield start, stop, np.asarray(sums, np.float64).reshape(stop - start, width)
        start = stop
