"""Average precision of a detector: the area under precision over recall, at one overlap.

Detections of all images are taken from the most confident on; each is a hit if it overlaps somebody who has not been
found yet. Precision is made falling from right to left and read at 101 levels of recall (COCO, Lin et al., ECCV 2014;
Pascal VOC, Everingham et al., IJCV 2010, read it at eleven).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracker.association.costs import iou as intersection_over_union
from tracker.association.costs import matrix
from tracker.detections import Detections
from tracker.errors import InputError

__all__ = ["AveragePrecision", "TrueBoxes", "average_precision", "match_detections"]

_RECALL_LEVELS = np.linspace(0, 1, 101)

#: what a detection is
MISS, HIT, IGNORED = 0, 1, 2


def _no_boxes() -> NDArray[np.float64]:
    return np.zeros((0, 4))


@dataclass(frozen=True, eq=False)
class TrueBoxes:
    """What one image truly shows.

    Args:
        boxes: (N, 4) ``x1, y1, x2, y2`` that are to be found.
        ignored: (M, 4) that may be found or not: who finds one neither gains nor loses, however often.
    """

    boxes: NDArray[np.float64]
    ignored: NDArray[np.float64] = field(default_factory=_no_boxes)

    def __post_init__(self) -> None:
        for name in ("boxes", "ignored"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64).reshape(-1, 4))


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Shares are 0 to 1.

    Args:
        value: mean precision over 101 levels of recall.
        precision, recall: (D,) after each detection that counts, the most confident first.
        scores: (D,) float32 of those detections.
        true_boxes: that were to be found.
    """

    value: float
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    scores: NDArray[np.float32]
    true_boxes: int


def average_precision(truth: Sequence[TrueBoxes], found: Sequence[Detections], *, iou: float = 0.5) -> AveragePrecision:
    """Return the average precision of ``found`` against ``truth``, one entry each for every image.

    Args:
        truth: what each image shows.
        found: what a detector reported of it, of one class, with its scores.
        iou: overlap from which a box is found, above 0, at most 1; 0.5 gives AP50.

    Raises:
        InputError: there are not as many of both, nothing is to be found, or ``iou`` is out of its range.
    """
    if len(truth) != len(found):
        raise InputError(f"the truth is about {len(truth)} images and detections about {len(found)}; give both of each")
    if not 0 < iou <= 1:
        raise InputError(f"overlap {iou:g}; give one above 0, at most 1")
    total = sum(len(image.boxes) for image in truth)
    if not total:
        raise InputError("no image shows anybody who is to be found, so precision has no average")
    outcomes = [match_detections(image, detections, iou=iou)[0] for image, detections in zip(truth, found)]
    scores = np.concatenate([detections.scores for detections in found])
    outcome = np.concatenate(outcomes)
    counted = outcome != IGNORED
    scores, hits = scores[counted], outcome[counted] == HIT
    # Stable: among equal scores the order of images decides, and no detection is favoured for being right.
    order = np.argsort(-scores, kind="stable")
    found_so_far = np.cumsum(hits[order])
    recall = found_so_far / total
    precision = found_so_far / np.arange(1, len(order) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    # Shares are compared up to rounding, as a recall of exactly 0.3 reaches the level 0.3.
    place = np.searchsorted(recall, _RECALL_LEVELS - 1e-12, side="left")
    read = np.append(falling, 0.0)[place]
    return AveragePrecision(float(read.mean()), precision, recall, scores[order], total)


def match_detections(
    truth: TrueBoxes, detections: Detections, *, iou: float = 0.5
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return what each detection (D,) is, 0 a false alarm, 1 a hit, 2 ignored, and which true boxes (N,) were found.

    The most confident detection chooses first: of the true boxes that it overlaps by at least ``iou`` and that nobody
    has found, the one it overlaps most. One that is left with an ignored box does not count.
    """
    overlaps = matrix(intersection_over_union, detections.boxes.T, truth.boxes.T)
    near_ignored = (matrix(intersection_over_union, detections.boxes.T, truth.ignored.T) >= iou).any(axis=1)
    outcome = np.where(near_ignored, IGNORED, MISS)
    is_found = np.zeros(len(truth.boxes), bool)
    for number in np.argsort(-detections.scores, kind="stable") if len(truth.boxes) else ():
        free = np.where(is_found, -1.0, overlaps[number])
        best = int(np.argmax(free))
        if free[best] >= iou:
            is_found[best] = True
            outcome[number] = HIT
    return outcome, is_found
