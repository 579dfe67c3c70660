"""What tests of live runs look at: people in plain colours, a detector that finds them, an embedder that sees hue."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from apps import build
from tests.apps.scenes import Figure
from tracker.detections import Detections
from tracker.video.frames import Frame


class HeadDetector:
    """Finds the figures of ``tests.apps.scenes`` by their heads, in real pictures: nobody tells it where they are."""

    description = "heads"
    needs_images = True

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        #: raised instead of looking, once for each
        self.failures: list[Exception] = []
        #: cameras whose pictures cannot be looked at
        self.broken: set[str] = set()

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.calls.append([frame.camera for frame in frames])
        if self.failures:
            raise self.failures.pop()
        if self.broken & {frame.camera for frame in frames}:
            raise ValueError("what is this?")
        return [self._look(frame.image) for frame in frames]

    @staticmethod
    def _look(image: NDArray[np.uint8] | None) -> Detections:
        assert image is not None
        # Heads are (150, 170, 210): red above blue, unlike floor and clothes.
        blue, green, red = (image[..., channel].astype(int) for channel in range(3))
        skin = (abs(blue - 150) < 25) & (abs(green - 170) < 25) & (abs(red - 210) < 25)
        count, _, stats, _ = cv2.connectedComponentsWithStats(skin.astype(np.uint8), connectivity=8)
        boxes = []
        for left, top, width, high, area in stats[1:count].tolist():
            if area < 20:
                continue
            height = 5 * high
            middle = left + width / 2
            boxes.append([middle - height / 5, top, middle + height / 5, top + height])
        rows = np.array(boxes, np.float32).reshape(-1, 4)
        return Detections(rows, np.full(len(rows), 0.9, np.float32), np.zeros(len(rows), np.int64))


class HueEmbedder:
    """Sees the colours of tops and trousers."""

    description = "hues"
    name = "hues"
    dimension = 6
    default_threshold = 0.3

    def __init__(self) -> None:
        self.crops = 0

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.crops += len(crops)
        rows = [np.zeros((0, 6), np.float32)]
        for crop in crops:
            small = cv2.resize(crop, (5, 20), interpolation=cv2.INTER_AREA).astype(np.float32) - 120
            row = np.concatenate([small[5:10].mean(axis=(0, 1)), small[12:18].mean(axis=(0, 1))])
            rows.append((row / max(float(np.linalg.norm(row)), 1e-6))[None])
        return np.concatenate(rows).astype(np.float32)


@pytest.fixture
def eyes(monkeypatch: pytest.MonkeyPatch) -> HeadDetector:
    """Live runs see with these from now on."""
    detector, embedder = HeadDetector(), HueEmbedder()
    monkeypatch.setattr(build, "build_detector", lambda settings, cameras: detector)
    monkeypatch.setattr(build, "build_embedder", lambda settings: embedder if settings.attempts_identities else None)
    return detector


def walkers(*clothes: tuple[tuple[int, int, int], tuple[int, int, int]], first: int = 0) -> list[Figure]:
    """Return people who walk through the picture side by side."""
    return [Figure(one, (10 + 60 * place, 40), 1.0, first) for place, one in enumerate(clothes)]
