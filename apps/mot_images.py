"""MOTChallenge sequences with images: people found and embedded once, then shown to every tracker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.mot_challenge import MotSequence
from benchmarks.mot_tracking import Preparation, Scene
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.protocols import Detector, Embedder
from tracker.storage.mot_files import MotDetections
from tracker.video.cameras import CameraSettings
from tracker.video.frames import Frame
from tracker.video.sources import open_source

__all__ = ["check_images", "detect_and_embed", "images_of_frames", "scenes"]


def check_images(sequences: Sequence[MotSequence], option: str) -> None:
    """Refuse what needs images where a sequence has none.

    Args:
        sequences: those that are evaluated.
        option: what needs them, as given: ``--embedder osnet_x0_25``.

    Raises:
        InputError: a sequence without images.
    """
    for sequence in sequences:
        if sequence.images is None:
            raise InputError(
                f"{option} needs images, and {sequence.name} has none (no img1): without them boxes are all there is; "
                "leave it out, or give a --root with the images"
            )


def detect_and_embed(
    sequence: MotSequence,
    length: int,
    found: MotDetections | Detector,
    preparation: Preparation,
    embedder: Embedder | None,
    progress: Callable[[int, int], None],
) -> list[Detections]:
    """Return the detections of each frame as trackers get them, with features if there is an embedder.

    Args:
        sequence: with images.
        length: frames.
        found: detections of the sequence, prepared, or who finds them.
        preparation: of those that a detector finds.
        embedder: makes the features; ``None`` for none.
        progress: called with the number of finished and of all frames.

    Raises:
        InputError: an image folder that cannot be read, or what detector or embedder refuse.
    """
    every: list[Detections] = []
    for number, image in _pictures(sequence, length):
        if isinstance(found, MotDetections):
            people = found.for_frame(number)
        elif image is None:
            people = Detections.empty()
        else:
            frame = Frame(sequence.name, number - 1, (number - 1) / sequence.frame_rate, image)
            people = preparation(found.detect([frame])[0])
        if embedder is not None:
            people = people.with_features(_features(people, image, embedder))
        every.append(people)
        progress(number, length)
    return every


def scenes(sequence: MotSequence, every: Sequence[Detections], *, with_images: bool) -> Iterator[Scene]:
    """Yield each frame with its detections, and its image for trackers that look at it."""
    if not with_images or sequence.images is None:
        for number, people in enumerate(every, start=1):
            yield number, people, None
        return
    for (number, image), people in zip(_pictures(sequence, len(every)), every, strict=True):
        yield number, people, image


def images_of_frames(sequence: MotSequence, numbers: Collection[int]) -> dict[int, NDArray[np.uint8]]:
    """Return frame number → image of those frames that have one."""
    if not numbers:
        return {}
    pictures = _pictures(sequence, max(numbers))
    return {number: image for number, image in pictures if number in numbers and image is not None}


def _pictures(sequence: MotSequence, length: int) -> Iterator[tuple[int, NDArray[np.uint8] | None]]:
    """Yield each frame's number and image, ``None`` where it is missing or broken."""
    assert sequence.images is not None
    folder: Path = sequence.images.parent if (sequence.images.parent / "seqinfo.ini").is_file() else sequence.images
    with open_source(CameraSettings(name=sequence.name, source=str(folder))) as source:
        frames = iter(source)
        coming = next(frames, None)
        for number in range(1, length + 1):
            image = None
            if coming is not None and coming.index + 1 == number:
                image = coming.image
                coming = next(frames, None)
            yield number, image


def _features(people: Detections, image: NDArray[np.uint8] | None, embedder: Embedder) -> NDArray[np.float32]:
    """Return (N, D) vectors of the boxes' crops; rows of NaN where there is nothing to see."""
    features = np.full((len(people), embedder.dimension), np.nan, np.float32)
    if image is None or not len(people):
        return features
    height, width = image.shape[:2]
    corners = np.round(people.boxes).astype(np.int64)
    corners[:, [0, 2]] = corners[:, [0, 2]].clip(0, width)
    corners[:, [1, 3]] = corners[:, [1, 3]].clip(0, height)
    seen = np.flatnonzero((corners[:, 2] - corners[:, 0] >= 4) & (corners[:, 3] - corners[:, 1] >= 8))
    if len(seen):
        features[seen] = embedder.embed([image[y1:y2, x1:x2] for x1, y1, x2, y2 in corners[seen].tolist()])
    return features
