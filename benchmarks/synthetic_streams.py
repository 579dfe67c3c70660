"""Streams of detections made from people who were made up, so that the truth is known.

A tracker's cost depends on how many people there are and on how untidy their detections are, not on pixels. People walk
about a 1920×1080 picture with smoothly turning paths; the nearer hide the farther ones, which lowers their score, then
makes them missed; boxes jitter, false alarms appear, and every detection carries an appearance vector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.errors import InputError
from tracker.storage.mot_files import MotTracks

__all__ = ["StreamSettings", "SyntheticStream", "make_stream"]


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What a stream is like.

    Args:
        people: people in the picture at any time; who walks out is replaced by somebody new.
        frames: length.
        seed: the same seed gives the same bytes.
        frame_rate: frames per second.
        width: pixels.
        height: pixels.
        feature_dimension: length of the appearance vectors; 0 for none.
        feature_noise: length of the noise added to a person's unit vector; two detections of one person are then at a
            cosine distance of about noise² / (1 + noise²), two people at about 1.
        miss_rate: share of detections missed for no reason.
        false_alarm_rate: false alarms per person and frame.
        jitter: standard deviation of box edges, in shares of the box's height.
    """

    people: int = 100
    frames: int = 300
    seed: int = 0
    frame_rate: float = 30.0
    width: int = 1920
    height: int = 1080
    feature_dimension: int = 512
    feature_noise: float = 0.45
    miss_rate: float = 0.03
    false_alarm_rate: float = 0.03
    jitter: float = 0.015

    def __post_init__(self) -> None:
        for name, least in (("people", 1), ("frames", 1), ("feature_dimension", 0), ("width", 200), ("height", 200)):
            if getattr(self, name) < least:
                raise InputError(f"synthetic stream: {name} is {getattr(self, name)}; give at least {least}")


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticStream:
    """A stream and its truth.

    Args:
        settings: what it was made from.
        frames: the detections of each frame, in random order, as a detector would give them.
        truth: where everybody was, hidden or not; frames from 1.
    """

    settings: StreamSettings
    frames: list[Detections]
    truth: MotTracks


class _Walkers:
    """People walking: position of the feet, direction and speed, as arrays."""

    def __init__(self, settings: StreamSettings, generator: np.random.Generator) -> None:
        self.settings = settings
        self.generator = generator
        count = settings.people
        self.feet = generator.uniform((0.05, 0.2), (0.95, 1.0), (count, 2)) * (settings.width, settings.height)
        self.direction = generator.uniform(0, 2 * math.pi, count)
        self.turning = np.zeros(count)
        self.build = generator.normal(1.0, 0.08, count).clip(0.75, 1.25)
        self.pace = generator.normal(1.3, 0.3, count).clip(0.4, 2.2)
        self.ids = np.arange(1, count + 1)
        self.appearance = self._appearances(count)

    def boxes(self) -> NDArray[np.float64]:
        """Return (N, 4) boxes; who stands lower in the picture is nearer, so taller."""
        height = self._heights()
        half = 0.19 * height
        x, y = self.feet.T
        return np.stack([x - half, y - height, x + half, y], axis=1)

    def step(self) -> None:
        """Move everybody by one frame; replace those who left the picture."""
        seconds = 1 / self.settings.frame_rate
        count = len(self.ids)
        # An Ornstein-Uhlenbeck process on the rate of turning gives smooth, never repeating paths.
        self.turning += -1.5 * self.turning * seconds + 0.9 * math.sqrt(seconds) * self.generator.normal(size=count)
        self.direction += self.turning * seconds
        metres = self._heights() / 1.7
        stride = self.pace * metres * seconds
        # Depth is foreshortened: a step towards the camera moves the feet less than a step to the side.
        self.feet += np.stack([np.cos(self.direction), 0.5 * np.sin(self.direction)], axis=1) * stride[:, None]
        low, high = 0.2 * self.settings.height, 1.0 * self.settings.height
        outside = (self.feet[:, 1] < low) | (self.feet[:, 1] > high)
        self.direction[outside] *= -1
        self.feet[:, 1] = self.feet[:, 1].clip(low, high)
        self._replace(np.flatnonzero((self.feet[:, 0] < 0) | (self.feet[:, 0] > self.settings.width)))

    def _replace(self, rows: NDArray[np.int64]) -> None:
        count = len(rows)
        if not count:
            return
        from_right = self.generator.random(count) < 0.5
        y = self.generator.uniform(0.2, 1.0, count) * self.settings.height
        self.feet[rows] = np.stack([np.where(from_right, self.settings.width - 1.0, 1.0), y], axis=1)
        self.direction[rows] = np.where(from_right, math.pi, 0) + self.generator.uniform(-0.6, 0.6, count)
        self.turning[rows] = 0
        self.build[rows] = self.generator.normal(1.0, 0.08, count).clip(0.75, 1.25)
        self.pace[rows] = self.generator.normal(1.3, 0.3, count).clip(0.4, 2.2)
        self.ids[rows] = self.ids.max() + 1 + np.arange(count)
        self.appearance[rows] = self._appearances(count)

    def _heights(self) -> NDArray[np.float64]:
        return self.build * self.settings.height * (0.02 + 0.14 * self.feet[:, 1] / self.settings.height)

    def _appearances(self, count: int) -> NDArray[np.float32]:
        vectors = self.generator.normal(size=(count, self.settings.feature_dimension))
        return _unit(vectors)


def make_stream(settings: StreamSettings) -> SyntheticStream:
    """Return a stream of detections and its truth."""
    generator = np.random.Generator(np.random.PCG64(settings.seed))
    walkers = _Walkers(settings, generator)
    frames, truth_ids, truth_boxes = [], [], []
    for index in range(settings.frames):
        if index:
            walkers.step()
        boxes = walkers.boxes()
        truth_ids.append(walkers.ids.copy())
        truth_boxes.append(boxes)
        frames.append(_detect(walkers, boxes, settings, generator))
    truth = MotTracks.from_arrays(
        np.repeat(np.arange(1, settings.frames + 1), settings.people),
        np.concatenate(truth_ids),
        np.concatenate(truth_boxes),
    )
    return SyntheticStream(settings, frames, truth)


def _detect(
    walkers: _Walkers, boxes: NDArray[np.float64], settings: StreamSettings, generator: np.random.Generator
) -> Detections:
    count = len(boxes)
    hidden = _hidden_share(boxes)
    height = boxes[:, 3] - boxes[:, 1]
    seen = generator.random(count) >= settings.miss_rate + (1 - settings.miss_rate) * 0.9 * hidden**2
    scores = 0.92 - 0.7 * hidden + generator.normal(0, 0.05, count)
    found = boxes + generator.normal(0, settings.jitter, (count, 4)) * (height * (1 + 2 * hidden))[:, None]
    alarms = int(generator.poisson(settings.false_alarm_rate * settings.people))
    false_boxes = _false_boxes(alarms, settings, generator)
    false_scores = generator.beta(2, 4, alarms)
    features = None
    if settings.feature_dimension:
        # A hidden person's crop shows somebody else too.
        noise = settings.feature_noise * (1 + hidden) / math.sqrt(settings.feature_dimension)
        blurred = walkers.appearance + noise[:, None] * generator.normal(size=walkers.appearance.shape)
        strangers = generator.normal(size=(alarms, settings.feature_dimension))
        features = _unit(np.concatenate([blurred[seen], strangers]))
    all_boxes = np.concatenate([found[seen], false_boxes])
    all_boxes[:, 2:] = np.maximum(all_boxes[:, 2:], all_boxes[:, :2] + 2)
    all_scores = np.concatenate([scores[seen], false_scores]).clip(0.01, 0.99)
    order = generator.permutation(len(all_boxes))
    return Detections(
        all_boxes[order].astype(np.float32),
        all_scores[order].astype(np.float32),
        features=None if features is None else features[order],
    )


def _hidden_share(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each box covered by the one nearer box that covers most of it."""
    left, top, right, bottom = boxes.T
    width = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    height = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    covered = width.clip(0) * height.clip(0) / ((right - left) * (bottom - top))[:, None]
    return np.where(bottom[None, :] > bottom[:, None], covered, 0).max(axis=1)


def _false_boxes(count: int, settings: StreamSettings, generator: np.random.Generator) -> NDArray[np.float64]:
    feet = generator.uniform((0, 0.2), (1, 1), (count, 2)) * (settings.width, settings.height)
    height = settings.height * (0.02 + 0.14 * feet[:, 1] / settings.height) * generator.uniform(0.6, 1.4, count)
    half = generator.uniform(0.12, 0.3, count) * height
    return np.stack([feet[:, 0] - half, feet[:, 1] - height, feet[:, 0] + half, feet[:, 1]], axis=1)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    if not vectors.shape[1]:
        return vectors.astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
