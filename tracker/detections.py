"""Detections: one frame's boxes, scores, classes and features as arrays of equal length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError

__all__ = ["Detections"]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The detections of one frame of one camera.

    Args:
        boxes: (N, 4) ``x1, y1, x2, y2`` in pixels; stored as float32.
        scores: (N,) confidence; float32. Left out: all 1.
        classes: (N,) class number; int64. Left out: all 0.
        features: (N, D) appearance vectors, float32; rows of NaN mean "not embedded". ``None``: no embedder.

    Raises:
        InputError: lengths differ, a box or score is not finite, or a box has no positive width and height.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    features: NDArray[np.float32] | None

    def __init__(
        self,
        boxes: ArrayLike,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        features: ArrayLike | None = None,
    ) -> None:
        box_array = np.asarray(boxes, dtype=np.float32)
        if box_array.size == 0:
            box_array = box_array.reshape(0, 4)
        if box_array.ndim != 2 or box_array.shape[1] != 4:
            raise InputError(f"detection boxes have shape {box_array.shape}; give (N, 4): x1, y1, x2, y2 in pixels")
        count = len(box_array)
        score_array = np.ones(count, np.float32) if scores is None else np.asarray(scores, np.float32).reshape(-1)
        class_array = np.zeros(count, np.int64) if classes is None else np.asarray(classes).reshape(-1)
        class_array = class_array.astype(np.int64)
        feature_array = None if features is None else np.asarray(features, dtype=np.float32)
        if feature_array is not None and feature_array.size == 0 and count == 0 and feature_array.ndim != 2:
            feature_array = feature_array.reshape(0, 0)
        if len(score_array) != count or len(class_array) != count:
            raise InputError(
                f"{count} detection boxes come with {len(score_array)} scores and {len(class_array)} classes; "
                "give one of each per box"
            )
        if feature_array is not None and (feature_array.ndim != 2 or len(feature_array) != count):
            raise InputError(f"{count} detection boxes come with features of shape {feature_array.shape}; give (N, D)")
        if count:
            _check_finite(box_array, score_array)
        object.__setattr__(self, "boxes", box_array)
        object.__setattr__(self, "scores", score_array)
        object.__setattr__(self, "classes", class_array)
        object.__setattr__(self, "features", feature_array)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, selection: Any) -> Detections:
        """Return the detections a mask, an index array, a slice or one index selects."""
        if isinstance(selection, (int, np.integer)):
            selection = slice(selection, selection + 1) if selection != -1 else slice(-1, None)
        features = None if self.features is None else self.features[selection]
        return _unchecked(self.boxes[selection], self.scores[selection], self.classes[selection], features)

    def with_features(self, features: ArrayLike) -> Detections:
        """Return the same detections with ``features`` (N, D)."""
        return Detections(self.boxes, self.scores, self.classes, features)

    @staticmethod
    def empty() -> Detections:
        """Return no detections."""
        return _unchecked(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), None)

    @staticmethod
    def concatenate(parts: Sequence[Detections]) -> Detections:
        """Return all ``parts`` one after the other; features are kept only when every part that has boxes has them."""
        filled = [part for part in parts if len(part)]
        if not filled:
            return Detections.empty()
        with_features = all(part.features is not None for part in filled)
        return Detections(
            np.concatenate([part.boxes for part in filled]),
            np.concatenate([part.scores for part in filled]),
            np.concatenate([part.classes for part in filled]),
            np.concatenate([part.features for part in filled]) if with_features else None,
        )


def _check_finite(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    valid = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    if not valid.all():
        row = int(np.argmin(valid))
        raise InputError(
            f"detection {row} is not finite (box {boxes[row].tolist()}, score {scores[row]}); "
            "remove such rows before tracking"
        )
    sized = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    if not sized.all():
        row = int(np.argmin(sized))
        raise InputError(
            f"detection {row} has no area (box {boxes[row].tolist()}); boxes are x1, y1, x2, y2 with x2 > x1, y2 > y1"
        )


def _unchecked(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    features: NDArray[np.float32] | None,
) -> Detections:
    """Return detections from arrays that are known to be good (a selection of checked ones)."""
    made = object.__new__(Detections)
    for name, value in (("boxes", boxes), ("scores", scores), ("classes", classes), ("features", features)):
        object.__setattr__(made, name, value)
    return made
