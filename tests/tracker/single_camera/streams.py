"""Small worlds with known identities, and random streams, for the trackers to be tried on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker import Detections, Tracks
from tracker.single_camera.base import SingleCameraTracker

WIDTH, HEIGHT = 40.0, 100.0


def box(x: float, y: float = 200.0, width: float = WIDTH, height: float = HEIGHT) -> list[float]:
    """Return a box by its centre."""
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def person_features(count: int, dimension: int = 32, seed: int = 0) -> np.ndarray:
    """Return ``count`` vectors at right angles to one another."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimension, count)))[0].T.astype(np.float32)


def frame(people: Sequence[tuple[int, list[float], float]], features: np.ndarray | None = None) -> Detections:
    """Return the detections of (person, box, score)."""
    if not people:
        return Detections.empty()
    rows = None if features is None else features[[person for person, _, _ in people]]
    return Detections([shape for _, shape, _ in people], [score for _, _, score in people], features=rows)


def identities(
    tracker: SingleCameraTracker,
    frames: Sequence[Sequence[tuple[int, list[float], float]]],
    features: np.ndarray | None = None,
) -> list[dict[int, int]]:
    """Run the stream; return per frame which id each person's detection was given."""
    found = []
    for people in frames:
        tracks = tracker.update(frame(people, features))
        found.append(
            {
                people[row][0]: int(number)
                for number, row in zip(tracks.ids, tracks.detection_indices, strict=True)
                if row >= 0
            }
        )
    return found


def random_stream(
    seed: int,
    frames: int = 60,
    people: int = 8,
    dimension: int | None = 8,
    classes: int = 1,
    crowded: bool = False,
) -> list[Detections]:
    """Return people who wander about, are missed, come and go, among false alarms of all scores."""
    rng = np.random.default_rng(seed)
    room = 250 if crowded else 900
    position = rng.uniform(0, room, (people, 2))
    velocity = rng.normal(0, 4, (people, 2))
    height = rng.uniform(50, 150, people)
    kind = rng.integers(0, classes, people)
    looks = rng.normal(size=(people, dimension or 1))
    present = rng.random(people) < 0.8
    stream = []
    for _ in range(frames):
        velocity += rng.normal(0, 0.5, velocity.shape)
        position += velocity
        present ^= rng.random(people) < 0.03
        seen = np.flatnonzero(present & (rng.random(people) > 0.1))
        false = int(rng.poisson(1.0))
        center = np.concatenate([position[seen], rng.uniform(0, room, (false, 2))])
        center += rng.normal(0, 1.5, center.shape)
        size = np.concatenate([height[seen], rng.uniform(20, 150, false)]) * rng.uniform(0.95, 1.05, len(center))
        half = np.stack([size * 0.2, size * 0.5], axis=1)
        features = None
        if dimension is not None:
            features = np.concatenate([looks[seen], rng.normal(size=(false, dimension))])
            features = features + rng.normal(0, 0.1, features.shape)
            features[rng.random(len(features)) < 0.1] = np.nan
        stream.append(
            Detections(
                np.concatenate([center - half, center + half], axis=1),
                rng.uniform(0.05, 1.0, len(center)),
                np.concatenate([kind[seen], rng.integers(0, classes, false)]),
                features,
            )
        )
    return stream


def same(first: Tracks, second: Tracks) -> bool:
    """Return whether two results are equal to the bit."""
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("ids", "boxes", "scores", "classes", "detection_indices")
    )
