"""The store that ``multicam track`` leaves beside its other results: made at the end, with final identities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.crop_keeper import KeptCrop
from apps.settings import ModelSettings
from tracker.cross_camera.gallery_file import embedder_mark
from tracker.cross_camera.identities import Identities
from tracker.protocols import Embedder
from tracker.storage.results import IdentityOf, ObservationSpool
from tracker.storage.store_looks import Look
from tracker.storage.track_store import EmbedderRecord, TrackStore

__all__ = ["STORE_FILE", "RunToStore", "embedder_record", "write_run_store"]

STORE_FILE = "store.sqlite"
#: of each track the store has one box in so many seconds, and the last
_BOX_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RunToStore:
    """A finished run, as far as a store tells of it.

    Args:
        cameras: names by index in ``observations``.
        observations: of all tracks.
        identity_of: the final identity of each track at each time.
        crops: with their JPEG bytes, in ascending order of time for each track.
        identities: after they were settled for the last time.
        began: seconds since 1970, which time 0 of the run stands for.
        recorded: whether the sources were recordings.
    """

    cameras: Sequence[str]
    observations: ObservationSpool
    identity_of: IdentityOf
    crops: Iterable[tuple[KeptCrop, bytes]]
    identities: Identities
    began: float
    recorded: bool


def embedder_record(settings: ModelSettings, embedder: Embedder, identities: Identities) -> EmbedderRecord:
    """Return what a store says of a run's embedder."""
    weights = None if settings.embedder_weights is None else str(settings.embedder_weights)
    # Where each camera's mean is taken off first, the threshold says nothing of vectors as they are.
    biased = bool(getattr(embedder, "camera_bias", False))
    threshold = None if biased else float(identities.threshold.value)
    return EmbedderRecord(settings.embedder, weights, embedder_mark(embedder), threshold)


def write_run_store(path: Path, run: RunToStore, embedder: EmbedderRecord | None) -> int:
    """Write a new store and return its size in bytes; a store that was there is replaced.

    Raises:
        InputError: it cannot be written.
    """
    path.unlink(missing_ok=True)
    with TrackStore(path, create=True) as store:
        if embedder is not None:
            store.set_embedder(embedder)
        store.begin_run(run.began, clock_kind="video" if run.recorded else "wall")
        said: dict[tuple[int, int], int] = {}
        for record, identity in _thinned(run):
            camera, track, time = int(record["camera"]), int(record["track"]), float(record["time"])
            if said.get((camera, track), 0) != identity:
                store.tell(run.cameras[camera], track, time, identity)
                said[camera, track] = identity
            if identity:
                store.observe(run.cameras[camera], track, time, record["box"])
        for crop, jpeg in run.crops:
            if run.identity_of(crop.camera, np.array([crop.track]), np.array([crop.time]))[0] > 0:
                store.add_crop(run.cameras[crop.camera], crop.track, crop.time, crop.quality, jpeg)
        if embedder is not None:
            store.put_looks(list(_looks(run.identities)))
        names = run.identities.cameras
        means = {names[n]: mean for n, mean in run.identities.evidence.camera_means.items() if n >= 0}
        store.put_means(means, run.identities.gallery.next_number)
        store.end_run()
    return path.stat().st_size


def _looks(identities: Identities) -> Iterator[Look]:
    """Yield how people looked in this run; cameras of earlier ones have negative numbers."""
    for known in identities.gallery.identities():
        for camera, summary in sorted(known.views.items()):
            if camera >= 0 and summary.mean is not None:
                yield Look.of(known.number, identities.cameras[camera], summary)


def _thinned(run: RunToStore) -> Iterator[tuple[NDArray[np.void], int]]:
    """Yield some observations, in the order of time, with their identities: those of each track about every second."""
    for records in run.observations.chunks():
        identities = np.zeros(len(records), np.int64)
        for camera in np.unique(records["camera"]).tolist():
            rows = np.flatnonzero(records["camera"] == camera)
            # Copies, since a field of packed records is not aligned.
            tracks, times = records["track"][rows].copy(), records["time"][rows].copy()
            identities[rows] = np.maximum(run.identity_of(camera, tracks, times), 0)
        moments = np.floor(records["time"] / _BOX_SECONDS).astype(np.int64)
        of_track: Any = np.stack([records["camera"].astype(np.int64), records["track"], identities], axis=1)
        _, first = np.unique(np.column_stack([of_track, moments]), axis=0, return_index=True)
        _, last = np.unique(of_track[::-1], axis=0, return_index=True)
        changes = _changes(of_track)
        for row in np.unique(np.concatenate([first, len(records) - 1 - last, changes])).tolist():
            yield records[row], int(identities[row])


def _changes(of_track: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows (K,) where a track (camera, track, identity) (N, 3) becomes somebody else, and those before."""
    order = np.lexsort((np.arange(len(of_track)), of_track[:, 1], of_track[:, 0]))
    ordered = of_track[order]
    same_track = (ordered[1:, :2] == ordered[:-1, :2]).all(axis=1)
    places = np.flatnonzero(same_track & (ordered[1:, 2] != ordered[:-1, 2]))
    return np.concatenate([order[places], order[places + 1]])
