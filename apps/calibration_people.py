"""The people in calibration pictures, which an embedder in 8-bit integers is fitted to."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2

from apps.settings import NetworkSettings
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = ["crops_of_people"]

#: fewer pixels than that show nobody
_LEAST_WIDTH, _LEAST_HEIGHT = 8, 16
_CONFIDENCE = 0.3


@contextlib.contextmanager
def crops_of_people(
    networks: NetworkSettings, detector: str | None, *, image_size: int | None = None, offline: bool = False
) -> Iterator[Path]:
    """Yield a folder with crops of the people whom a detector finds in calibration pictures.

    Args:
        networks: with ``calibration_images``, and what runs the detector.
        detector: ``None``, or ``mot:PATH``: there is none, and the pictures are themselves crops, taken whole.
        image_size: of the detector.
        offline: never download it.

    Raises:
        InputError: the pictures cannot be used.
    """
    from reid_models.runtimes.quantization import pictures_in
    from tracker.detectors import create_detector

    folder = networks.calibration_images
    if folder is None:
        raise InputError("--precision int8 needs --calibration-images DIR with pictures like those of the cameras")
    if detector is None or detector.startswith("mot:"):
        yield folder
        return
    finder = create_detector(
        detector,
        confidence=_CONFIDENCE,
        image_size=image_size,
        device=networks.device,
        runtime=networks.runtime,
        offline=offline or None,
    )
    try:
        pictures = [picture for _, picture in pictures_in(folder, "what the cameras see")]
    except ValueError as error:  # the ReID half's InputError; each half has its own
        raise InputError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="multicam-people-") as place:
        number = 0
        for index, picture in enumerate(pictures):
            for x1, y1, x2, y2 in finder.detect([Frame("calibration", index, 0.0, picture)])[0].boxes.astype(int):
                if x2 - x1 >= _LEAST_WIDTH and y2 - y1 >= _LEAST_HEIGHT:
                    cv2.imwrite(str(Path(place) / f"{number:05d}.png"), picture[y1:y2, x1:x2])
                    number += 1
        yield Path(place)
