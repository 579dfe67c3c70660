"""Small stores of made-up people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import normalised
from tracker.cross_camera.gallery_file import EmbedderMark
from tracker.storage.store_looks import Look
from tracker.storage.track_store import EmbedderRecord, TrackStore

#: seconds since 1970 at which the runs in tests begin
ORIGIN = 1_000_000.0
DIMENSION = 128
BOX = (10.0, 20.0, 50.0, 120.0)


def unit(generator: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Return vectors of length 1 that differ in all directions."""
    return normalised(generator.normal(size=shape))


def mark(seed: int = 1, name: str = "net") -> EmbedderMark:
    return EmbedderMark(name, unit(np.random.default_rng(seed), 4, DIMENSION))


def look(identity: int, camera: str, vectors: NDArray[np.float32], times: list[float]) -> Look:
    """Return the look of somebody of whom these crops were seen, each trusted by 0.5."""
    total = 0.5 * vectors.astype(np.float64).sum(axis=0)
    return Look(identity, camera, total, 0.5 * len(vectors), len(vectors), vectors, np.array(times))


def new_store(path: Path, *, clock_kind: str = "wall") -> TrackStore:
    """Return an empty store in which a run has begun."""
    store = TrackStore(path, create=True)
    store.set_embedder(EmbedderRecord("net", None, mark(), 0.4))
    store.begin_run(ORIGIN, clock_kind=clock_kind)
    return store


def add_person(
    store: TrackStore,
    identity: int,
    camera: str,
    start: float,
    vectors: NDArray[np.float32],
    *,
    track: int | None = None,
    seconds: int = 4,
    jpeg: bytes = b"",
) -> None:
    """Add somebody who is seen by a camera for some seconds, with a crop and a vector in each."""
    track = identity if track is None else track
    times = [start + second for second in range(seconds)]
    for second, time in enumerate(times):
        store.observe(camera, track, time, BOX)
        if jpeg:
            store.add_crop(camera, track, time, 0.5, jpeg + bytes([second]))
    store.tell(camera, track, start, identity)
    store.put_looks([look(identity, camera, vectors[:seconds], times[: len(vectors)])])
