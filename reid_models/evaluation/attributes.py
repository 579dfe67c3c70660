"""Figures of pedestrian attribute recognition: Li et al., A Richly Annotated Dataset (RAP), 2016, Sec. 5.1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_models.errors import InputError

__all__ = ["AttributeResult", "evaluate_attributes"]


@dataclass(frozen=True, slots=True, eq=False)
class AttributeResult:
    """Shares are 0..1.

    Args:
        mA: mean over attributes of the mean of the shares of positives and of negatives that are recognised.
        accuracy: mean over images of |told ∩ true| / |told ∪ true| attributes.
        precision: mean over images of |told ∩ true| / |told|; an image that is told nothing counts 0.
        recall: mean over images of |told ∩ true| / |true|.
        F1: harmonic mean of ``precision`` and ``recall``.
        attribute_accuracy: (A,) float64, each attribute's term of ``mA``; NaN where it is left out.
    """

    mA: float
    accuracy: float
    precision: float
    recall: float
    F1: float
    attribute_accuracy: NDArray[np.float64]

    def percentages(self) -> dict[str, float]:
        """Return ``mA``, ``accuracy``, ``precision``, ``recall`` and ``F1`` in percent, as results are written."""
        return {name: 100 * getattr(self, name) for name in ("mA", "accuracy", "precision", "recall", "F1")}


def evaluate_attributes(probabilities: ArrayLike, labels: ArrayLike, *, threshold: float = 0.5) -> AttributeResult:
    """Compare what a network tells of each image with the truth, as PA-100K's figures are made.

    An attribute that all or none of the images have is left out of ``mA``, and an image without any attribute out of
    the other figures, for neither share exists.

    Args:
        probabilities: (N, A) floats after the sigmoid, or 0 and 1.
        labels: (N, A) zeros and ones, or booleans.
        threshold: an attribute is told where its probability is larger.

    Raises:
        InputError: shapes differ, there are no images, a value is not finite, labels are others than 0 and 1, or every
            attribute or image is left out.
    """
    scores, truth = np.asarray(probabilities), np.asarray(labels)
    if scores.ndim != 2 or scores.shape != truth.shape or scores.dtype.kind not in "fiub":
        raise InputError(
            f"attribute probabilities have shape {scores.shape} and type {scores.dtype}, labels {truth.shape}; give "
            "both as (images, attributes)"
        )
    if not scores.size:
        raise InputError(f"attribute labels have shape {truth.shape}: there is no image to judge")
    if not np.isin(truth, (0, 1)).all():
        raise InputError("attribute labels hold other values than 0 and 1")
    broken = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(broken):
        raise InputError(f"{len(broken)} attribute probabilities are not finite, first those of image {broken[0]}")
    told, true = scores > threshold, truth.astype(bool)
    positives = true.sum(axis=0)
    negatives = len(true) - positives
    both = (positives > 0) & (negatives > 0)
    if not both.any():
        raise InputError(
            f"each of the {true.shape[1]} attributes is the same for all {len(true)} images: mA is undefined"
        )
    shares = np.full(len(both), np.nan)
    recognised = [
        (told & true).sum(axis=0)[both] / positives[both],
        (~told & ~true).sum(axis=0)[both] / negatives[both],
    ]
    shares[both] = np.mean(recognised, axis=0)
    judged = true.any(axis=1)
    told, true = told[judged], true[judged]
    hits = (told & true).sum(axis=1)
    precision = float((hits / np.maximum(told.sum(axis=1), 1)).mean())
    recall = float((hits / true.sum(axis=1)).mean())
    return AttributeResult(
        mA=float(shares[both].mean()),
        accuracy=float((hits / (told | true).sum(axis=1)).mean()),
        precision=precision,
        recall=recall,
        F1=2 * precision * recall / (precision + recall) if hits.any() else 0.0,
        attribute_accuracy=shares,
    )
