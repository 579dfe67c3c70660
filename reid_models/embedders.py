"""What all embedders share: the protocol, batches of resized crops, vectors of length 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.preprocessing import CropBatches, check_crops
from reid_models.records import EmbeddingRecord

__all__ = ["EMBEDDER_PRECISIONS", "BatchEmbedder", "Embedder", "EmbedderOptions", "normalized_rows"]

EMBEDDER_PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")


@dataclass(frozen=True, slots=True)
class EmbedderOptions:
    """How an embedder is run; see :func:`reid_models.embedder.create_embedder`."""

    device: str = "auto"
    half: bool = False
    runtime: str = "auto"
    precision: str = "auto"
    calibration_images: Path | None = None
    batch_size: int = 32
    input_size: tuple[int, int] | None = None
    threads: int | None = None


class Embedder(ABC):
    """Crops in, L2-normalised vectors out.

    Attributes:
        description: what runs, for a run's record: model, weights, runtime and precision.
        dimension: length D of a vector.
        default_threshold: cosine distance below which two crops are taken for one person until the video itself has
            shown a better value.
    """

    description: str
    dimension: int
    default_threshold: float

    @abstractmethod
    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N, D) float32 L2-normalised vectors of N crops (H, W, 3) BGR uint8 of any sizes; N may be 0.

        Raises:
            InputError: a crop is no such image, or the network returns vectors of another length or not finite.
        """


class BatchEmbedder(Embedder):
    """An embedder that computes on batches of resized crops."""

    def __init__(self, name: str, record: EmbeddingRecord, batch_size: int) -> None:
        self.name = name
        self.record = record
        self.default_threshold = record.default_threshold
        self._batches = CropBatches(record.input_size, batch_size)

    @abstractmethod
    def _vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vectors (n, D) of a BGR batch (n, H, W, 3), not normalised."""

    def vectors_of_batch(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vectors (n, D), not normalised, of crops (n, H, W, 3) BGR uint8 already of the network's size."""
        return self._vectors(batch)

    def _measure_dimension(self) -> int:
        """Return D, found by embedding one grey crop."""
        vectors = self._vectors(np.full((1, *self.record.input_size, 3), 127, np.uint8))
        if vectors.ndim != 2 or len(vectors) != 1:
            raise InputError(
                f"{self.name} returns {vectors.shape} for one crop, not one vector: it was made for another task; give "
                "a person re-identification network"
            )
        return vectors.shape[1]

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        check_crops(crops)
        vectors = np.empty((len(crops), self.dimension), np.float32)
        done = 0
        for batch in self._batches(crops):
            result = self._vectors(batch)
            if result.shape != (len(batch), self.dimension):
                raise InputError(
                    f"the embedder {self.name} returned {result.shape} for {len(batch)} crops, after vectors of "
                    f"{self.dimension}: their length must not change; export the network again"
                )
            vectors[done : done + len(batch)] = result
            done += len(batch)
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            raise InputError(
                f"the embedder {self.name} returned values that are not finite for {len(broken)} of {len(crops)} crops,"
                " so it cannot compare people: use other weights, or full precision"
            )
        return normalized_rows(vectors)


def normalized_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (N, D) scaled to length 1; a vector of zeros stays, at distance 1 from all."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: NDArray[np.float32] = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
    return result
