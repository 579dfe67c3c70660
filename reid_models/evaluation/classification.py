"""Top-k error of a classifier, the figure of CIFAR's tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reid_models.errors import InputError

__all__ = ["top_k_error"]


def top_k_error(logits: ArrayLike, labels: ArrayLike, *, k: int = 1) -> float:
    """Return the share, 0..1, of images whose class is not among the ``k`` with the largest logits.

    A class at exactly the logit of others is placed behind them, so that logits that are all alike recognise nothing.

    Args:
        logits: (N, C) floats.
        labels: (N,) classes from 0.
        k: 1 to C.

    Raises:
        InputError: shapes do not fit, there are no images, a logit is not finite, a label is no class, or k is out of
            range.
    """
    scores, classes = np.asarray(logits), np.asarray(labels)
    if scores.ndim != 2 or not scores.size or scores.dtype.kind not in "fiu":
        raise InputError(f"logits have shape {scores.shape} and type {scores.dtype}; give (images, classes) floats")
    if classes.shape != scores.shape[:1] or classes.dtype.kind not in "iu":
        raise InputError(
            f"labels have shape {classes.shape} and type {classes.dtype}; give {len(scores)} whole numbers"
        )
    if classes.min() < 0 or classes.max() >= scores.shape[1]:
        raise InputError(
            f"labels lie between {classes.min()} and {classes.max()}, and there are {scores.shape[1]} classes"
        )
    if not 1 <= k <= scores.shape[1]:
        raise InputError(f"k={k} must lie between 1 and the {scores.shape[1]} classes")
    broken = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(broken):
        raise InputError(f"{len(broken)} logits are not finite, first those of image {broken[0]}")
    own = np.take_along_axis(scores, classes[:, None].astype(np.int64), axis=1)
    place = (scores >= own).sum(axis=1)
    return float((place > k).mean())
