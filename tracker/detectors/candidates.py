"""What all detectors do: check what they are given, and make candidate boxes detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.detectors.letterbox import Letterbox
from tracker.detectors.nms import suppress_duplicates
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = ["Candidates", "best_classes", "checked_image", "finished_detections", "wanted_classes"]

#: A frame never has more detections than this, so time per frame stays bounded whatever a network puts out.
_MAXIMUM_DETECTIONS = 1000


class Candidates(NamedTuple):
    """Boxes (N, 4) x1, y1, x2, y2 in pixels of the network's input, with scores (N,) and class numbers (N,)."""

    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    classes: NDArray[np.integer]


def best_classes(
    scores: NDArray[np.floating], confidence: float, classes: tuple[int, ...] | None
) -> tuple[NDArray[np.int64], NDArray[np.floating], NDArray[np.int64]]:
    """Return the boxes whose best class is wanted and scores above ``confidence``.

    Args:
        scores: (N, C) score of every class; not-a-number counts as above, for the caller to see.
        confidence: a score must be higher.
        classes: wanted class numbers, ``None`` for all.

    Returns:
        Row numbers (K,), scores (K,), class numbers (K,).
    """
    wanted = scores if classes is None else scores[:, classes]
    # most boxes fall here, on the wanted columns alone; the best of all classes is then sought for the few that remain
    rows = np.flatnonzero(~(wanted <= confidence).all(axis=1))
    best = scores[rows].argmax(axis=1)
    if classes is not None:
        chosen = np.isin(best, classes)
        rows, best = rows[chosen], best[chosen]
    return rows, scores[rows, best], best


def finished_detections(
    candidates: Candidates, letterbox: Letterbox, iou_threshold: float | None
) -> tuple[Detections, int]:
    """Return the detections of one image, best first, and how many candidates were dropped as not finite.

    Duplicates are suppressed class by class at ``iou_threshold`` (``None``: not at all); boxes are mapped to the image
    and clipped to it, and those of which nothing is inside are dropped.
    """
    boxes, scores, classes = candidates
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    dropped = int(len(finite) - finite.sum())
    if dropped:
        boxes, scores, classes = boxes[finite], scores[finite], classes[finite]
    if iou_threshold is None:
        kept = np.argsort(-scores, kind="stable")
    else:
        kept = suppress_duplicates(boxes, scores, classes, iou_threshold)
    kept = kept[:_MAXIMUM_DETECTIONS]
    in_image = letterbox.boxes_in_image(boxes[kept])
    sized = (in_image[:, 2] > in_image[:, 0]) & (in_image[:, 3] > in_image[:, 1])
    return Detections(in_image[sized], scores[kept][sized], classes[kept][sized]), dropped


def checked_image(frame: Frame, detector: str) -> NDArray[np.uint8]:
    """Return the frame's image after checking that there is one.

    Raises:
        InputError: a frame without an image, or one that is not (H, W, 3) uint8 with H, W > 0.
    """
    image = frame.image
    if image is None:
        raise InputError(
            f"frame {frame.index} of camera {frame.camera!r} has no image, and {detector} needs one; "
            "give a video, or detections with mot:PATH"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(
            f"frame {frame.index} of camera {frame.camera!r} is {image.dtype} {image.shape}; "
            "images are (height, width, 3) uint8"
        )
    return image


def wanted_classes(classes: Sequence[int] | None, count: int | None, detector: str) -> tuple[int, ...] | None:
    """Return the wanted class numbers, sorted, each once; ``None`` for all.

    Args:
        classes: what a person asked for.
        count: number of the detector's classes, ``None`` when it is not known.
        detector: its name, for messages.

    Raises:
        InputError: none is wanted, or a class the detector does not have.
    """
    if classes is None:
        return None
    chosen = tuple(sorted({int(number) for number in classes}))
    if not chosen:
        raise InputError("no class is wanted: name one, or leave the classes out for all")
    for number in chosen:
        if number < 0 or (count is not None and number >= count):
            known = "" if count is None else f": its {count} classes are numbered 0 to {count - 1}"
            raise InputError(f"{detector} has no class {number}{known}")
    return chosen
