"""How far the raw outputs of two forms of one detector are apart, before suppression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_BOX_DIFFERENCE", "LARGEST_SCORE_DIFFERENCE", "Raw", "difference_in_words", "raw_differences"]

#: between an export's boxes and PyTorch's, in pixels of the network's input
LARGEST_BOX_DIFFERENCE = 1.0
LARGEST_SCORE_DIFFERENCE = 0.01
#: boxes of models that choose themselves are compared from this score on: below, equal scores come in any order
_LEAST_SCORE = 0.05

#: (1, H, W, 3) BGR uint8 → the network's output for it
Raw = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def difference_in_words(found: Mapping[str, float]) -> str | None:
    """Return what is too large of what :func:`raw_differences` gives; ``None`` where nothing is."""
    if found["box"] <= LARGEST_BOX_DIFFERENCE and found["score"] <= LARGEST_SCORE_DIFFERENCE:
        return None
    return f"boxes differ from the original's by {found['box']:.3f} pixels, scores by {found['score']:.4f}"


def raw_differences(first: Raw, second: Raw, pictures: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
    """Return the largest difference of box (pixels) and score between two networks' outputs for the same pictures.

    Every cell is compared where a network gives all, (1, 4 + C, A). Of one that gives its choice, (1, N, 6), each box
    of either from a score of 0.05 is compared with the nearest of its class of the other.

    Args:
        pictures: (H, W, 3) BGR uint8 each, sides multiples of 32.
    """
    box = score = 0.0
    for picture in pictures:
        one, other = first(picture[None])[0], second(picture[None])[0]
        if one.shape != other.shape or not np.isfinite(other).all():
            return {"box": float("inf"), "score": float("inf")}
        if one.shape[-1] == 6:
            found = [_choice_difference(*pair) for pair in ((one, other), (other, one))]
            box, score = max(box, *(pair[0] for pair in found)), max(score, *(pair[1] for pair in found))
        else:
            box = max(box, float(_corner_difference(one[:4], other[:4])))
            score = max(score, float(np.abs(one[4:] - other[4:]).max()))
    return {"box": round(box, 6), "score": round(score, 8)}


def _corner_difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> np.floating[Any]:
    corners = [np.concatenate([boxes[:2] - boxes[2:] / 2, boxes[:2] + boxes[2:] / 2]) for boxes in (first, second)]
    difference: np.floating[Any] = np.abs(corners[0] - corners[1]).max()
    return difference


def _choice_difference(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> tuple[float, float]:
    box = score = 0.0
    for row in wanted[wanted[:, 4] >= _LEAST_SCORE]:
        same = found[found[:, 5] == row[5]]
        if not len(same):
            return float("inf"), float("inf")
        distances = np.abs(same[:, :4] - row[:4]).max(axis=1) + np.abs(same[:, 4] - row[4])
        nearest = same[distances.argmin()]
        box = max(box, float(np.abs(nearest[:4] - row[:4]).max()))
        score = max(score, float(abs(nearest[4] - row[4])))
    return box, score
