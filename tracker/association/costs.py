"""Similarities and costs between tracks and detections.

Boxes come as columns, arrays (4, …) of ``x1, y1, x2, y2`` in pixels: rows of memory per coordinate are several times
faster than (N, 4). Every function of boxes works on anything that broadcasts, so one formula serves both a list of
candidate pairs, (4, P) against (4, P), and the whole matrix, through ``matrix(function, first, second)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "center_distance",
    "ciou",
    "diou",
    "direction_consistency",
    "fuse_score",
    "giou",
    "height_iou",
    "iou",
    "matrix",
    "overlapping_pairs",
]

Array = NDArray[Any]
Indices = NDArray[np.intp]

#: below this many pairs, comparing all is faster than sorting
_SORT_FROM = 3000
#: divisor in place of zero
_TINY = 1e-300


def matrix(function: Callable[[Array, Array], Array], first: Array, second: Array) -> Array:
    """Return ``function`` of every box of ``first`` (4, N) with every box of ``second`` (4, M): (N, M)."""
    return function(np.asarray(first, np.float64)[:, :, None], np.asarray(second, np.float64)[:, None, :])


def iou(first: Array, second: Array) -> Array:
    """Return intersection over union, in [0, 1]; 0 where both boxes have no area."""
    intersection, union = _intersection_and_union(first, second)
    return intersection / np.maximum(union, _TINY)


def giou(first: Array, second: Array) -> Array:
    """Return generalised IoU, in [-1, 1]: IoU minus the share of the enclosing box that is empty (Rezatofighi 2019)."""
    intersection, union = _intersection_and_union(first, second)
    width, height = _enclosing(first, second)
    enclosing = width * height
    return intersection / np.maximum(union, _TINY) - (enclosing - union) / np.maximum(enclosing, _TINY)


def diou(first: Array, second: Array) -> Array:
    """Return distance IoU, in [-1, 1]: IoU minus (centre distance / enclosing diagonal)² (Zheng 2020, eq. 7)."""
    width, height = _enclosing(first, second)
    diagonal = width * width + height * height
    return iou(first, second) - _squared_center_distance(first, second) / np.maximum(diagonal, _TINY)


def ciou(first: Array, second: Array) -> Array:
    """Return complete IoU, in [-1.5, 1]: distance IoU minus α·v, the difference in shape (Zheng 2020, eq. 8-11)."""
    angles = [np.arctan2(np.maximum(box[2] - box[0], 0.0), np.maximum(box[3] - box[1], 0.0)) for box in (first, second)]
    shape = 4.0 / np.pi**2 * np.square(angles[0] - angles[1])
    overlap = iou(first, second)
    weight = shape / np.maximum(1.0 - overlap + shape, _TINY)
    return diou(first, second) - weight * shape


def height_iou(first: Array, second: Array) -> Array:
    """Return the overlap of the two vertical extents over their union, in [0, 1]."""
    shared = np.maximum(np.minimum(first[3], second[3]) - np.maximum(first[1], second[1]), 0.0)
    union = (first[3] - first[1]) + (second[3] - second[1]) - shared
    return shared / np.maximum(union, _TINY)


def center_distance(first: Array, second: Array) -> Array:
    """Return the distance between box centres in pixels."""
    return np.sqrt(_squared_center_distance(first, second))


def fuse_score(similarity: Array, scores: Array) -> Array:
    """Return the cost 1 - similarity · score (ByteTrack's ``fuse_score``); ``scores`` broadcasts to ``similarity``."""
    return 1.0 - similarity * scores


def direction_consistency(directions: Array, origins: Array, targets: Array) -> Array:
    """Return how well the way to each target agrees with a track's direction (OC-SORT, section 4.1, OCM).

    Args:
        directions: (2, …) unit vectors of the tracks' past motion; zeros where there was none.
        origins: (2, …) centre of an earlier observation of the track.
        targets: (2, …) centre of the detection.

    Returns:
        (π/2 - angle) / π: ½ for the same direction, -½ for the opposite, 0 where either has none.
    """
    way = targets - origins
    length = np.sqrt(way[0] * way[0] + way[1] * way[1])
    cosine = (directions[0] * way[0] + directions[1] * way[1]) / np.maximum(length, _TINY)
    return 0.5 - np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi


def overlapping_pairs(first: Array, second: Array) -> tuple[Indices, Indices]:
    """Return rows and columns of all pairs of boxes that overlap (share more than an edge), rows ascending.

    For large sets the second boxes are sorted by their left edge, so that only those near enough are looked at: the
    time grows with the number of overlapping pairs, not with N·M.

    Args:
        first: (4, N).
        second: (4, M).
    """
    rows_count, columns_count = first.shape[1], second.shape[1]
    if not rows_count or not columns_count:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    if rows_count * columns_count < _SORT_FROM:
        near = first[:2, :, None] < second[2:, None]
        near &= first[2:, :, None] > second[:2, None]
        rows, columns = divmod((near[0] & near[1]).ravel().nonzero()[0], columns_count)
        return rows, columns
    order = second[0].argsort(kind="stable")
    left = second[0][order]
    widest = (second[2] - second[0]).max()
    begin = left.searchsorted(first[0] - widest)
    counts = np.maximum(left.searchsorted(first[2]) - begin, 0)
    rows = np.arange(rows_count).repeat(counts)
    skipped = counts.cumsum() - counts - begin
    columns = order[np.arange(len(rows)) - skipped.repeat(counts)]
    one, other = first.take(rows, axis=1), second.take(columns, axis=1)
    near = one[:2] < other[2:]
    near &= one[2:] > other[:2]
    kept = (near[0] & near[1]).nonzero()[0]
    return rows[kept], columns[kept]


def _intersection_and_union(first: Array, second: Array) -> tuple[Array, Array]:
    width = np.minimum(first[2], second[2]) - np.maximum(first[0], second[0])
    height = np.minimum(first[3], second[3]) - np.maximum(first[1], second[1])
    intersection = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    union = (first[2] - first[0]) * (first[3] - first[1]) + (second[2] - second[0]) * (second[3] - second[1])
    return intersection, union - intersection


def _enclosing(first: Array, second: Array) -> tuple[Array, Array]:
    width = np.maximum(first[2], second[2]) - np.minimum(first[0], second[0])
    height = np.maximum(first[3], second[3]) - np.minimum(first[1], second[1])
    return width, height


def _squared_center_distance(first: Array, second: Array) -> Array:
    x = (first[0] + first[2] - second[0] - second[2]) * 0.5
    y = (first[1] + first[3] - second[1] - second[3]) * 0.5
    return x * x + y * y
