"""Who is this? A picture against the store of a live run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.pipeline import crop_of
from tracker.protocols import Detector, Embedder
from tracker.storage.store_reader import StoreReader
from tracker.video.frames import Frame

__all__ = ["search_photo"]

#: a person that is looked for needs so sure a box, of so many pixels across and down; and at most so many are
_LEAST_SCORE, _LEAST_SIZE, _MOST_PEOPLE = 0.3, (4, 8), 20

#: runs a function in the thread that the networks belong to, and returns what it returns
InTurn = Callable[[Callable[[], Any]], Any]


def search_photo(
    image: NDArray[np.uint8],
    *,
    detect: bool,
    top: int,
    detector: Detector,
    embedder: Embedder | None,
    store_path: Path,
    in_turn: InTurn,
) -> list[dict[str, Any]]:
    """Return who looks like the people in a picture (H, W, 3) BGR, ready for JSON.

    Each has a ``box`` (``None``: the whole picture is the crop) and ``answers``, the best first. Only the networks run
    in turn with the cameras' frames; the comparison does not hold them up.

    Args:
        image: the picture.
        detect: look for people in it; otherwise it is the crop of one.
        top: answers for each person, at most.
        detector, embedder: of the run.
        store_path: the run's store.
        in_turn: runs a function in the thread of the run.

    Raises:
        InputError: nobody is in it, there is no embedder, or the run has too much to do.
    """
    if embedder is None:
        raise InputError("people cannot be searched for without an embedder: start without --embedder none")

    def look() -> tuple[list[list[float] | None], NDArray[np.float32]]:
        boxes: list[list[float] | None] = [None]
        crops = [image]
        if detect:
            (found,) = detector.detect([Frame("photo", 0, 0.0, image)])
            order = [row for row in np.argsort(-found.scores, kind="stable").tolist()
                     if found.scores[row] >= _LEAST_SCORE and _large(found.boxes[row])][:_MOST_PEOPLE]  # fmt: skip
            boxes = [np.round(found.boxes[row].astype(float), 1).tolist() for row in order]
            crops = [crop_of(image, found.boxes[row]) for row in order]
        vectors = embedder.embed(crops) if crops else np.zeros((0, embedder.dimension), np.float32)
        return boxes, vectors

    boxes, vectors = in_turn(look)
    if not boxes:
        raise InputError("nobody is found in the picture: give one of a person, or search with the whole picture")
    with StoreReader(store_path) as store:
        cameras = store.camera_names()
        found = store.search(vectors, top)
        persons = []
        for box, hits in zip(boxes, found, strict=True):
            answers = []
            for hit in hits:
                camera = cameras[hit.camera]
                crops = store.crops(hit.identity, camera=camera) or store.crops(hit.identity)
                nearest = min(crops, key=lambda crop: abs(crop.time - hit.time), default=None)
                answers.append({
                    "identity": hit.identity, "name": store.person(hit.identity).name,
                    "score": round(hit.score, 4), "camera": camera, "time": round(hit.time, 3),
                    "crop": None if nearest is None else nearest.number,
                })  # fmt: skip
            persons.append({"box": box, "answers": answers})
    return persons


def _large(box: NDArray[np.float32]) -> bool:
    return bool(box[2] - box[0] >= _LEAST_SIZE[0] and box[3] - box[1] >= _LEAST_SIZE[1])
