"""Recorded boxes of calibrated cameras to paths on the floor."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.floor.room import boxes_of, corner_cameras
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.recorded import floor_paths


def test_two_people_are_followed_through_recorded_boxes() -> None:
    cameras = corner_cameras()
    generator = np.random.default_rng(1)
    times = np.arange(0, 4, 0.05)
    truth = np.stack([np.column_stack([1.5 + 0.7 * times, 1.5 + 0 * times]), np.column_stack([4.0 + 0 * times,
                     4.2 - 0.5 * times])], axis=1)  # fmt: skip
    frames: dict[str, dict[float, Detections]] = {name: {} for name in cameras}
    for time, people in zip(times.tolist(), truth):
        for name, found in boxes_of(cameras, [tuple(place) for place in people], generator).items():
            faint = Detections(np.array([(20.0, 20, 60, 140)]), [0.1])
            frames[name][time] = Detections.concatenate([found, faint]) if name == "southwest" else found
    steps: list[tuple[int, int]] = []
    paths = floor_paths(cameras, frames, advance=lambda done, total: steps.append((done, total)))
    assert len(paths) == 2, "what has a low score is nobody"
    followed = paths.at(times[20:60])
    distance = np.linalg.norm(followed[:, :, None] - truth[20:60, None], axis=-1)
    for person in range(2):
        mine = int(np.argmin(distance[:, :, person].mean(axis=0)))
        assert np.sqrt((distance[:, mine, person] ** 2).mean()) < 0.12
    assert steps[-1][0] == steps[-1][1] < 3 * len(times), "frames close to each other are looked at once"


def test_nobody_has_no_path() -> None:
    cameras = corner_cameras()
    assert len(floor_paths(cameras, {"southwest": {0.0: Detections.empty(), 0.2: Detections.empty()}})) == 0
    with pytest.raises(InputError, match="boxes of camera 'cellar', which is not among southwest"):
        floor_paths(cameras, {"cellar": {0.0: Detections.empty()}})
