"""What a network learns from: images, labels and cameras, and the composites that a recipe adds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_models.data.composites import Composites, plan_composites
from reid_models.errors import InputError
from reid_models.training.recipe import Recipe

__all__ = ["TrainingData", "num_training_classes", "with_composites"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """What a network learns from.

    Args:
        images: N files, or (N, H, W, 3) BGR uint8.
        labels: (N,) int64 classes from 0, or (N, A) float32 attributes in 0..1.
        num_classes: classes or attributes.
        cameras: (N,) int64, for camera-aware batches.
        made_up: labels and cameras at the end that are of composites, not of images.

    Raises:
        InputError: images, labels and classes do not belong together.
    """

    images: tuple[Path, ...] | NDArray[np.uint8]
    labels: NDArray[np.generic]
    num_classes: int
    cameras: NDArray[np.int64] | None = None
    made_up: int = 0

    def __post_init__(self) -> None:
        labels, classes = self.labels, self.num_classes
        if len(self.images) != len(labels) - self.made_up:
            raise InputError(f"{len(self.images)} images but {len(labels)} labels: give one for each")
        if labels.ndim == 2 and labels.shape[1] != classes:
            raise InputError(f"labels have {labels.shape[1]} columns, but there are {classes} attributes")
        if labels.ndim == 1 and len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise InputError(
                f"labels go from {labels.min()} to {labels.max()}, but there are {classes} classes: number them from 0"
            )


def num_training_classes(data: TrainingData, recipe: Recipe) -> int:
    """Return the classes a network must be built for: those of ``data`` and of the recipe's composites.

    Raises:
        InputError: composites cannot be made of ``data``.
    """
    return data.num_classes if recipe.composites is None else with_composites(data, recipe)[0].num_classes


def with_composites(data: TrainingData, recipe: Recipe) -> tuple[TrainingData, Composites]:
    """Return ``data`` with the labels and cameras of the recipe's composites at the end, and those composites.

    Raises:
        InputError: composites cannot be made of ``data``.
    """
    assert recipe.composites is not None
    if data.labels.ndim != 1 or data.cameras is None:
        raise InputError(f"the recipe {recipe.name}: composites need identities and cameras: take composites out")
    labels = np.asarray(data.labels, np.int64)
    made = plan_composites(labels, data.cameras, recipe.composites, recipe.seed)
    more = TrainingData(
        data.images,
        np.concatenate([labels, made.labels]),
        int(made.labels.max()) + 1,
        np.concatenate([data.cameras, made.cameras]),
        len(made),
    )
    return more, made
