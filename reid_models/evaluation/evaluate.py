"""A network on a data set: the figures of the tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from reid_models.data.rows import ReidData
from reid_models.evaluation.embedding import embed_images
from reid_models.evaluation.ranking import RankingResult, evaluate_distances, evaluate_ranking
from reid_models.records import EmbeddingRecord

__all__ = ["Embedded", "embed_data", "rank", "rank_again"]

Progress = Callable[[int, int], None]
Distance = Literal["cosine", "euclidean"]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A data set's test images as vectors: query (Q, D) and gallery (G, D) float32, and those of ``multi_query``."""

    data: ReidData
    query: NDArray[np.float32]
    gallery: NDArray[np.float32]
    multi_query: NDArray[np.float32] | None = None

    def without_junk(self) -> Embedded:
        """Return it without gallery images of identity −1, which are nobody's neighbours."""
        kept = self.data.gallery.ids != -1
        if kept.all():
            return self
        data = replace(self.data, gallery=self.data.gallery[kept])
        return replace(self, data=data, gallery=self.gallery[kept])

    def labels(self) -> dict[str, Any]:
        """Return ids and cameras under the names that the functions of evaluation take."""
        query, gallery = self.data.query, self.data.gallery
        return {
            "query_ids": query.ids,
            "query_cameras": query.cameras,
            "gallery_ids": gallery.ids,
            "gallery_cameras": gallery.cameras,
        }


def embed_data(
    model: nn.Module, data: ReidData, record: EmbeddingRecord, *, flip: bool = False, progress: Progress | None = None
) -> Embedded:
    """Embed the query and gallery images of ``data``, each file once; see :func:`embed_images`."""
    paths = list(dict.fromkeys((*data.query.paths, *data.gallery.paths)))
    vectors = embed_images(model, paths, record, flip=flip, progress=progress)
    row = {path: number for number, path in enumerate(paths)}
    query = vectors[[row[path] for path in data.query.paths]]
    return Embedded(data, query, vectors[[row[path] for path in data.gallery.paths]])


def rank(embedded: Embedded, distance: Distance) -> RankingResult:
    """Rank by the Market-1501 protocol; see :func:`evaluate_ranking`."""
    labels = embedded.labels()
    return evaluate_ranking(
        embedded.query,
        labels["query_ids"],
        labels["query_cameras"],
        embedded.gallery,
        labels["gallery_ids"],
        labels["gallery_cameras"],
        distance,
    )


def rank_again(embedded: Embedded, progress: Callable[[int, int], None] | None = None) -> RankingResult:
    """Rank by k-reciprocal neighbours (Zhong et al., CVPR 2017), of features normalised to length 1."""
    from reid_models.evaluation.re_ranking import re_rank

    embedded = embedded.without_junk()
    distances = re_rank(embedded.query, embedded.gallery, distance="cosine", progress=progress)
    return evaluate_distances(distances, **embedded.labels())
