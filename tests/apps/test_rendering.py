"""Videos of several cameras, drawn and encoded beside each other: every frame, in order, or an error and no file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.rendering import Renderer
from tracker.video.cameras import CameraSettings
from tracker.video.frames import Frame
from tracker.video.sources import open_source

NAMES = ["one", "two", "three"]
NOBODY = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)


def frame(camera: str, index: int) -> Frame:
    level = 20 + 6 * index + 2 * NAMES.index(camera)
    return Frame(camera, index, index / 10, np.full((48, 64, 3), level, np.uint8))


def test_every_frame_is_in_its_camera_s_video_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.mp4" for name in NAMES]
    with Renderer(NAMES, [10.0] * 3, paths, tmp_path / "mosaic.mp4") as renderer:
        for index in range(30):
            for name in NAMES:
                renderer.draw(frame(name, index), *NOBODY)
            renderer.finish_instant(index / 10)
    for name, path in zip(NAMES, paths):
        with open_source(CameraSettings(name=name, source=str(path))) as source:
            levels = [float(one.image.mean()) for one in source if one.image is not None]
        expected = [float(frame(name, index).image.mean()) for index in range(30)]  # type: ignore[union-attr]
        assert len(levels) == 30 and np.abs(np.array(levels) - expected).max() < 3
    with open_source(CameraSettings(name="everything", source=str(tmp_path / "mosaic.mp4"))) as source:
        assert sum(1 for _ in source) == 30


def test_what_goes_wrong_with_one_frame_is_raised_and_nothing_is_left(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.mp4" for name in NAMES]
    with pytest.raises(ValueError, match="broken"), Renderer(NAMES, [10.0] * 3, paths, None) as renderer:
        for index in range(10):
            for name in NAMES:
                boxes, identities = NOBODY
                if name == "two" and index == 4:
                    renderer._annotator = Broken()  # type: ignore[assignment]
                renderer.draw(frame(name, index), boxes, identities)
    assert list(tmp_path.iterdir()) == []


class Broken:
    """Cannot draw."""

    def draw(self, *_: object) -> np.ndarray:
        raise ValueError("broken")


def test_an_error_in_the_last_frame_is_raised_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), Renderer(["one"], [10.0], [tmp_path / "one.mp4"], None) as renderer:
        renderer.draw(frame("one", 0), *NOBODY)
        renderer._wait_for_all()
        renderer._annotator = Broken()  # type: ignore[assignment]
        renderer.draw(frame("one", 1), *NOBODY)
    assert list(tmp_path.iterdir()) == []
