"""How the time of one instant grows with cameras and people: everything but pixels and networks, on made-up streams.

Detections and looks come from ``synthetic_streams``; every camera has people of its own. The number of each detection
is painted at the middle of its box, where an embedder that runs no network reads it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.synthetic_streams import StreamSettings, make_stream
from tracker.detections import Detections
from tracker.pipeline import MultiCameraPipeline, PipelineSettings
from tracker.video.frames import Frame

__all__ = ["measure_scaling", "scaling_table"]

_RATE, _WIDTH, _HEIGHT, _DIMENSION = 15.0, 960, 540, 128
#: cameras whose ratio has a target, and the target
_FEW, _MANY, _TARGET = 4, 16, 4.2
#: instants at the start that are not counted: everybody is new then
_WARM_UP = 15


class _Recorded:
    """Detector and embedder that know beforehand what they will find."""

    description = "made up"
    needs_images = False
    default_threshold = 0.35
    dimension = _DIMENSION

    def __init__(self, streams: Mapping[str, Sequence[Detections]]) -> None:
        self._streams = streams
        self._looks = np.zeros((0, _DIMENSION), np.float32)

    def frames(self, instant: int) -> list[Frame]:
        """Return the frames of all cameras at one instant, in which every detection's number can be read."""
        frames, looks, start = [], [], 1
        for name, stream in self._streams.items():
            found = stream[instant]
            image = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
            middle = ((found.boxes[:, :2] + found.boxes[:, 2:]) / 2).astype(int)
            x, y = np.clip(middle[:, 0], 2, _WIDTH - 3), np.clip(middle[:, 1], 2, _HEIGHT - 3)
            numbers = np.arange(start, start + len(found))
            for across in range(-2, 3):
                for down in range(-2, 3):
                    image[y + down, x + across, 0], image[y + down, x + across, 1] = numbers & 255, numbers >> 8
            start += len(found)
            looks.append(found.features if found.features is not None else np.zeros((0, _DIMENSION), np.float32))
            frames.append(Frame(name, instant, instant / _RATE, image))
        self._looks = np.concatenate([np.zeros((1, _DIMENSION), np.float32), *looks])
        return frames

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        found = [self._streams[frame.camera][frame.index] for frame in frames]
        return [Detections(one.boxes, one.scores, one.classes) for one in found]

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = []
        for crop in crops:
            pixel = crop[crop.shape[0] // 2, crop.shape[1] // 2]
            rows.append(int(pixel[0]) | int(pixel[1]) << 8)
        return self._looks[np.minimum(np.array(rows, np.int64), len(self._looks) - 1)]


def measure_scaling(
    *,
    cameras: Sequence[int],
    people: Sequence[int],
    at_people: int,
    at_cameras: int,
    instants: int,
    repeats: int,
    seed: int = 0,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Measure one instant of a pipeline by cameras, at ``at_people`` in each, and by people, with ``at_cameras``.

    Args:
        cameras, people: numbers to measure at.
        at_people: in each camera, while cameras vary.
        at_cameras: while people vary.
        instants: of a run, the first fifteen not counted.
        repeats: runs of each.
        seed: of the streams.
        advance: called before each run with what comes.
    """
    points = [(count, at_people) for count in cameras] + [(at_cameras, count) for count in people]
    points = list(dict.fromkeys(points))
    streams = {point: _streams(*point, instants, seed) for point in points}
    times: dict[tuple[int, int], list[float]] = {point: [] for point in points}
    for repeat in range(repeats):
        for point in points if repeat % 2 == 0 else points[::-1]:
            advance(f"{point[0]} cameras, {point[1]} people in each, repeat {repeat + 1}")
            times[point].append(_milliseconds(streams[point], instants))
    rows = [
        {
            "cameras": count, "people": number, "milliseconds": statistics.median(measured),
            "milliseconds_lowest": min(measured), "milliseconds_highest": max(measured),
        }
        for (count, number), measured in times.items()
    ]  # fmt: skip
    few, many = times.get((_FEW, at_people)), times.get((_MANY, at_people))
    ratio = None if few is None or many is None else statistics.median(
        high / low for low, high in zip(few, many, strict=True)
    )  # fmt: skip
    return {
        "settings": {
            "cameras": list(cameras), "people": list(people), "at_people": at_people, "at_cameras": at_cameras,
            "instants": instants, "repeats": repeats, "seed": seed, "ratio_16_to_4": ratio, "ratio_target": _TARGET,
        },
        "rows": rows,
    }  # fmt: skip


def _streams(cameras: int, people: int, instants: int, seed: int) -> dict[str, list[Detections]]:
    return {
        f"camera{number}": make_stream(StreamSettings(
            people=people, frames=instants, seed=seed + number, frame_rate=_RATE, width=_WIDTH, height=_HEIGHT,
            feature_dimension=_DIMENSION,
        )).frames
        for number in range(cameras)
    }  # fmt: skip


def _milliseconds(streams: Mapping[str, Sequence[Detections]], instants: int) -> float:
    """Return the mean time of an instant after the first ones."""
    recorded = _Recorded(streams)
    pipeline = MultiCameraPipeline(dict.fromkeys(streams, _RATE), recorded, recorded, PipelineSettings())
    total = 0.0
    for instant in range(instants):
        frames = recorded.frames(instant)
        start = time.perf_counter()
        pipeline.step(frames)
        if instant >= _WARM_UP:
            total += time.perf_counter() - start
    return 1000 * total / max(instants - _WARM_UP, 1)


def scaling_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table that is printed."""
    header = ["cameras", "people in each", "ms of an instant", "", "ms per camera", "ms per 100 people"]
    longest = max(row["milliseconds"] for row in rows)
    return header, [
        [
            str(row["cameras"]),
            str(row["people"]),
            f"{row['milliseconds']:.2f} ({row['milliseconds_lowest']:.2f}–{row['milliseconds_highest']:.2f})",
            "█" * max(round(20 * row["milliseconds"] / longest), 1),
            f"{row['milliseconds'] / row['cameras']:.2f}",
            f"{100 * row['milliseconds'] / (row['cameras'] * row['people']):.2f}",
        ]
        for row in rows
    ]
