"""Pictures of the worst failures: the person, and where the tracks were expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.mot_images import check_images, images_of_frames
from apps.output_folder import OutputFolder
from benchmarks.failures import Failure
from benchmarks.mot_challenge import MotSequence
from tracker.errors import InputError
from tracker.storage.atomic import atomic_path
from tracker.video.addresses import safe_name

__all__ = ["write_failure_pictures"]

#: BGR: the person, the track that followed before, the one that took over
_TRUE, _RIGHT, _CHOSEN = (80, 200, 80), (230, 160, 40), (60, 60, 230)
#: of the picture around the boxes, as a share of their height
_MARGIN = 0.5


def write_failure_pictures(
    folder: OutputFolder, failures: Sequence[Mapping[str, Any]], sequences: Mapping[str, MotSequence]
) -> None:
    """Write ``NAME/SEQUENCE-FRAME-PERSON-KIND.jpg`` for each failure.

    Green is the person, orange where the track that followed them before was expected, red that of the one that took
    over.

    Args:
        folder: entered already.
        failures: each with the ``name`` and ``sequence`` it is of and the ``failure``.
        sequences: by name, with images.

    Raises:
        InputError: a sequence has no images, or a picture cannot be written.
    """
    check_images([sequences[name] for name in dict.fromkeys(entry["sequence"] for entry in failures)], "--crops")
    for sequence in dict.fromkeys(entry["sequence"] for entry in failures):
        mine = [entry for entry in failures if entry["sequence"] == sequence]
        images = images_of_frames(sequences[sequence], {entry["failure"].box_frame for entry in mine})
        for entry in mine:
            failure: Failure = entry["failure"]
            image = images.get(failure.box_frame)
            if image is None:
                continue
            name = f"{sequence}-{failure.frame:06d}-{failure.truth}-{failure.kind}.jpg"
            picture = _picture(image, failure)
            done, encoded = cv2.imencode(".jpg", picture)
            if not done:
                raise InputError(f"cannot encode the picture {name}; leave --crops out")
            with atomic_path(folder.file(f"{safe_name(entry['name'])}/{name}")) as temporary:
                temporary.write_bytes(encoded.tobytes())


def _picture(image: NDArray[np.uint8], failure: Failure) -> NDArray[np.uint8]:
    drawn = image.copy()
    shown = [(failure.box, _TRUE)]
    shown += [(costs.box, color) for costs, color in ((failure.right, _RIGHT), (failure.chosen, _CHOSEN)) if costs]
    for box, color in reversed(shown):
        x1, y1, x2, y2 = (round(side) for side in box)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), color, 2)
    sides = np.array([box for box, _ in shown])
    margin = _MARGIN * (sides[:, 3] - sides[:, 1]).max()
    height, width = image.shape[:2]
    left, top = np.clip(sides[:, :2].min(axis=0) - margin, 0, (width - 1, height - 1)).astype(int).tolist()
    right, bottom = (
        np.clip(sides[:, 2:].max(axis=0) + margin, (left + 1, top + 1), (width, height)).astype(int).tolist()
    )
    return np.ascontiguousarray(drawn[top:bottom, left:right])
