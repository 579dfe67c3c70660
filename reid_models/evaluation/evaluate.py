"""A network on a data set: the figures of the tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from reid_models.data.rows import ReidData
from reid_models.evaluation.embedding import embed_images
from reid_models.evaluation.ranking import RankingResult, evaluate_ranking
from reid_models.records import EmbeddingRecord

__all__ = ["Embedded", "embed_data", "rank"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A data set's test images as vectors: query (Q, D) and gallery (G, D) float32."""

    data: ReidData
    query: NDArray[np.float32]
    gallery: NDArray[np.float32]


def embed_data(
    model: nn.Module, data: ReidData, record: EmbeddingRecord, *, flip: bool = False, progress: Progress | None = None
) -> Embedded:
    """Embed the query and gallery images of ``data``; see :func:`embed_images`."""
    paths = (*data.query.paths, *data.gallery.paths)
    vectors = embed_images(model, paths, record, flip=flip, progress=progress)
    return Embedded(data, vectors[: len(data.query)], vectors[len(data.query) :])


def rank(embedded: Embedded, distance: Literal["cosine", "euclidean"]) -> RankingResult:
    """Rank by the Market-1501 protocol; see :func:`evaluate_ranking`."""
    data = embedded.data
    return evaluate_ranking(
        embedded.query,
        data.query.ids,
        data.query.cameras,
        embedded.gallery,
        data.gallery.ids,
        data.gallery.cameras,
        distance,
    )
