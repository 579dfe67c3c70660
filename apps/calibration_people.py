"""The people in calibration pictures, which an embedder in 8-bit integers is fitted to."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2

from apps.settings import ModelSettings
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = ["crops_of_people"]

#: fewer pixels than that show nobody
_LEAST_WIDTH, _LEAST_HEIGHT = 8, 16
_CONFIDENCE = 0.3


@contextlib.contextmanager
def crops_of_people(settings: ModelSettings) -> Iterator[Path]:
    """Yield a folder with crops of the people whom the run's detector finds in its calibration pictures.

    Pictures that are themselves crops, as where boxes are read from files and there is no detector, are taken whole.

    Raises:
        InputError: the pictures cannot be used.
    """
    from reid_models.runtimes.quantization import pictures_in
    from tracker.detectors import create_detector

    folder = settings.calibration_images
    if folder is None:
        raise InputError("--precision int8 needs --calibration-images DIR with pictures like those of the cameras")
    if settings.detector.startswith("mot:"):
        yield folder
        return
    detector = create_detector(
        settings.detector,
        confidence=_CONFIDENCE,
        image_size=settings.image_size,
        device=settings.device,
        runtime=settings.runtime,
        offline=settings.offline or None,
    )
    try:
        pictures = [picture for _, picture in pictures_in(folder, "what the cameras see")]
    except ValueError as error:  # the ReID half's InputError; each half has its own
        raise InputError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="multicam-people-") as place:
        number = 0
        for index, picture in enumerate(pictures):
            for x1, y1, x2, y2 in detector.detect([Frame("calibration", index, 0.0, picture)])[0].boxes.astype(int):
                if x2 - x1 >= _LEAST_WIDTH and y2 - y1 >= _LEAST_HEIGHT:
                    cv2.imwrite(str(Path(place) / f"{number:05d}.png"), picture[y1:y2, x1:x2])
                    number += 1
        yield Path(place)
