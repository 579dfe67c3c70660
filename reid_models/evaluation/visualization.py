"""Ranked lists as pictures: the query, and the first images of the gallery framed green (true) or red (false)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_models.errors import InputError
from reid_models.evaluation.inputs import JUNK, Labels, checked_feature_pair, normalized_features
from reid_models.evaluation.ranking import RankingResult
from reid_models.evaluation.sheets import Cell, Color, SheetRow, draw_pages, read_picture

__all__ = ["RankedLists", "choose_queries", "draw_ranked_sheets", "ranked_lists", "ranked_lists_by_distance"]

#: fewer where the gallery ends: no image
NO_IMAGE = -1
# Green and red differ in lightness too, for those who do not see the hues apart.
_TRUE: Color = (80, 200, 60)
_FALSE: Color = (40, 24, 196)
_QUERY: Color = (120, 120, 120)
#: distances held at once, in values; 64 MB of float32
_CHUNK_VALUES = 16_000_000
_GAP_AFTER_QUERY = 14


@dataclass(frozen=True, slots=True, eq=False)
class RankedLists:
    """The first k gallery images of some queries, by the Market-1501 protocol.

    Args:
        queries: (V,) int64, numbers of the queries.
        gallery: (V, k) int64, numbers of the gallery images, nearest first; −1 where the gallery ended before.
        distances: (V, k) float64; NaN where there is no image.
        matches: (V, k) bool, whether an image shows the query's identity.
        query_ids: (V,) int64.
        query_cameras: (V,) int64.
        gallery_ids: (V, k) int64; −1 where there is no image.
        gallery_cameras: (V, k) int64; −1 where there is no image.
    """

    queries: NDArray[np.int64]
    gallery: NDArray[np.int64]
    distances: NDArray[np.float64]
    matches: NDArray[np.bool_]
    query_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    gallery_cameras: NDArray[np.int64]


def ranked_lists(
    query_features: ArrayLike,
    query_ids: ArrayLike,
    query_cameras: ArrayLike,
    gallery_features: ArrayLike,
    gallery_ids: ArrayLike,
    gallery_cameras: ArrayLike,
    distance: Literal["cosine", "euclidean"] = "cosine",
    *,
    k: int = 10,
    queries: ArrayLike | None = None,
) -> RankedLists:
    """Return the ``k`` gallery images nearest to each query, as :func:`evaluate_ranking` ranks them.

    Junk (identity −1) and the query's identity seen by its own camera are left out; among images at one distance a true
    match comes last, others in order of the gallery. Distances are computed for the chosen queries alone, some at a
    time, and only the first ``k`` of a row are sorted.

    Args:
        query_features: (Q, D) floats.
        query_ids: (Q,) whole numbers.
        query_cameras: (Q,) whole numbers.
        gallery_features: (G, D) floats.
        gallery_ids: (G,) whole numbers.
        gallery_cameras: (G,) whole numbers.
        distance: ``"cosine"`` (0..2) normalises features itself.
        k: images of each list.
        queries: (V,) numbers of the queries wanted; ``None``: all.

    Raises:
        InputError: as :func:`evaluate_ranking`, or a query that there is not.
    """
    if distance not in ("cosine", "euclidean"):
        raise InputError(f"distance {distance!r} is not one of cosine, euclidean")
    query, gallery = checked_feature_pair(query_features, gallery_features)
    labels = Labels.checked(query_ids, query_cameras, gallery_ids, gallery_cameras, len(query), len(gallery))
    chosen = _chosen(queries, len(query))
    query = query[chosen]
    if distance == "cosine":
        query, gallery = normalized_features(query), normalized_features(gallery)
    transposed = np.ascontiguousarray(gallery.T)
    squared_query = np.einsum("ij,ij->i", query, query)
    squared_gallery = np.einsum("ij,ij->i", gallery, gallery)

    def rows(start: int, stop: int) -> NDArray[np.floating]:
        products = query[start:stop] @ transposed
        if distance == "cosine":
            return np.asarray(1 - products)
        squares = squared_query[start:stop, None] + squared_gallery - 2 * products
        return np.asarray(np.sqrt(np.maximum(squares, 0)))

    return _ranked(rows, labels, chosen, k)


def ranked_lists_by_distance(
    distances: ArrayLike,
    query_ids: ArrayLike,
    query_cameras: ArrayLike,
    gallery_ids: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    k: int = 10,
    queries: ArrayLike | None = None,
) -> RankedLists:
    """Return what :func:`ranked_lists` does from given ``distances`` (Q, G), such as re-ranked ones.

    Raises:
        InputError: as there.
    """
    matrix = np.asarray(distances)
    if matrix.ndim != 2:
        raise InputError(f"distances have shape {matrix.shape}; give (queries, gallery images)")
    labels = Labels.checked(query_ids, query_cameras, gallery_ids, gallery_cameras, *matrix.shape)
    chosen = _chosen(queries, len(matrix))

    def rows(start: int, stop: int) -> NDArray[np.floating]:
        chunk: NDArray[np.floating] = matrix[chosen[start:stop]]
        if np.isnan(chunk.max(initial=-np.inf)):
            raise InputError("distances hold values that are no numbers: the features they come from are broken")
        return chunk

    return _ranked(rows, labels, chosen, k)


def choose_queries(
    result: RankingResult, *, worst: int = 12, random: int = 12, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the ``worst`` queries by average precision, worst first, and of ``random`` others.

    The random ones are drawn from all queries that have a true match, without repetition, and sorted; there are fewer
    where the evaluation has fewer.
    """
    if min(worst, random) < 0:
        raise InputError(f"{worst} worst and {random} random queries: give numbers of at least 0")
    order = np.argsort(result.average_precision, kind="stable")[:worst]
    drawn = np.random.default_rng(seed).choice(result.queries, min(random, len(result.queries)), replace=False)
    return result.queries[order], np.sort(drawn)


def draw_ranked_sheets(
    query_paths: Sequence[str | os.PathLike[str]],
    gallery_paths: Sequence[str | os.PathLike[str]],
    lists: RankedLists,
    *,
    result: RankingResult | None = None,
    cell_size: tuple[int, int] = (144, 72),
    rows_per_page: int = 6,
    title: str = "",
) -> Iterator[NDArray[np.uint8]]:
    """Yield pages with one row a query: the query, then its list with rank, distance, identity and camera.

    Args:
        query_paths: Q files.
        gallery_paths: G files.
        lists: what to draw.
        result: adds each query's average precision.
        cell_size: (height, width) of every picture.
        rows_per_page: queries on a page.
        title: over every page.

    Raises:
        InputError: a file that cannot be read as an image, named; or fewer files than the lists speak of.
    """
    for what, paths, numbers in (("query", query_paths, lists.queries), ("gallery", gallery_paths, lists.gallery)):
        if numbers.size and numbers.max() >= len(paths):
            raise InputError(f"the lists speak of {what} image {numbers.max()}, but {len(paths)} files are given")
    precision = {} if result is None else dict(zip(result.queries.tolist(), result.average_precision.tolist()))
    for start in range(0, len(lists.queries), rows_per_page):
        rows = [
            _row(query_paths, gallery_paths, lists, place, precision)
            for place in range(start, min(start + rows_per_page, len(lists.queries)))
        ]
        yield from draw_pages(rows, cell_size=cell_size, rows_per_page=rows_per_page, title=title)


def _row(
    query_paths: Sequence[str | os.PathLike[str]],
    gallery_paths: Sequence[str | os.PathLike[str]],
    lists: RankedLists,
    place: int,
    precision: dict[int, float],
) -> SheetRow:
    query, identity = int(lists.queries[place]), int(lists.query_ids[place])
    heading = f"query {query} · identity {identity} · camera {lists.query_cameras[place]}"
    if query in precision:
        heading += f" · average precision {100 * precision[query]:.1f} %"
    path = query_paths[query]
    cells = [Cell(read_picture(path), _QUERY, ("query", f"id {identity}"))]
    for rank, image in enumerate(lists.gallery[place].tolist()):
        if image == NO_IMAGE:
            break
        lines = (
            f"{rank + 1} · {_short(float(lists.distances[place, rank]))}",
            f"id {lists.gallery_ids[place, rank]} c{lists.gallery_cameras[place, rank]}",
        )
        frame = _TRUE if lists.matches[place, rank] else _FALSE
        cells.append(Cell(read_picture(gallery_paths[image]), frame, lines, 0 if rank else _GAP_AFTER_QUERY))
    return SheetRow(heading, cells)


def _short(distance: float) -> str:
    return f"{distance:.3f}" if distance < 10 else f"{distance:.4g}"


def _chosen(queries: ArrayLike | None, count: int) -> NDArray[np.int64]:
    if queries is None:
        return np.arange(count)
    chosen = np.asarray(queries)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise InputError(f"queries have shape {chosen.shape} and type {chosen.dtype}; give their numbers")
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < count:
        raise InputError(
            f"queries {chosen.min()} to {chosen.max()} are not all there: they are numbered 0 to {count - 1}"
        )
    return chosen.astype(np.int64)


def _ranked(
    rows: Callable[[int, int], NDArray[np.floating]], labels: Labels, chosen: NDArray[np.int64], k: int
) -> RankedLists:
    if k < 1:
        raise InputError(f"k {k} must be at least 1")
    count = len(labels.gallery_ids)
    gallery = np.full((len(chosen), k), NO_IMAGE, np.int64)
    distances = np.full((len(chosen), k), np.nan)
    matches = np.zeros((len(chosen), k), bool)
    junk = labels.gallery_ids == JUNK
    step = max(1, _CHUNK_VALUES // count)
    for start in range(0, len(chosen), step):
        for place, row in enumerate(rows(start, min(start + step, len(chosen))), start):
            query = chosen[place]
            same = labels.gallery_ids == labels.query_ids[query]
            kept = np.flatnonzero(~junk & ~(same & (labels.gallery_cameras == labels.query_cameras[query])))
            nearest = kept[_nearest(row[kept], same[kept], k)]
            gallery[place, : len(nearest)] = nearest
            distances[place, : len(nearest)] = row[nearest]
            matches[place, : len(nearest)] = same[nearest]
    there = gallery != NO_IMAGE
    return RankedLists(
        queries=chosen,
        gallery=gallery,
        distances=distances,
        matches=matches,
        query_ids=labels.query_ids[chosen],
        query_cameras=labels.query_cameras[chosen],
        gallery_ids=np.where(there, labels.gallery_ids[gallery], -1),
        gallery_cameras=np.where(there, labels.gallery_cameras[gallery], -1),
    )


def _nearest(values: NDArray[np.floating], same: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Return the places of the ``k`` smallest values in order; among equals true matches last, then by place."""
    candidates = np.arange(len(values))
    if len(values) > k:
        # All at the k-th distance stay, for which of them are shown is decided by the order below.
        candidates = np.flatnonzero(values <= np.partition(values, k - 1)[k - 1])
    order = np.lexsort((candidates, same[candidates], values[candidates]))
    result: NDArray[np.int64] = candidates[order[:k]]
    return result
