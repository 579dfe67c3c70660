"""The store of a live run: opened with whom it knows, and kept within what is to be remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable

from apps.live_pipeline import Pipeline
from apps.live_settings import LiveSettings
from apps.run_store import embedder_record
from tracker.cross_camera.gallery_file import embedder_mark
from tracker.errors import InputError
from tracker.floor.pipeline import FloorPipeline
from tracker.storage.track_store import TrackStore

__all__ = ["Retention", "open_live_store"]

DAY = 86400.0
#: between two purges, and between two pieces of one
_PURGE_SECONDS, _PIECE_SECONDS = 3600.0, 0.02


def open_live_store(
    settings: LiveSettings, pipeline: Pipeline, now: float, on_failure: Callable[[InputError], None]
) -> TrackStore:
    """Open the store, or make it, and teach the pipeline whom it knows; its run has begun.

    Args:
        settings: of the run.
        pipeline: before its first frame.
        now: seconds since 1970.
        on_failure: told of what cannot be written just now.

    Raises:
        InputError: it cannot be written, another run writes it, or another embedder has made what is in it.
    """
    store = TrackStore(settings.store, create=True, on_failure=on_failure)
    try:
        if pipeline.embedder is None:
            free = store.summary().next_number
            pipeline.identities.gallery.skip_to(free)
            if isinstance(pipeline, FloorPipeline):
                # Then the number of a track is that of an identity, and those that are there are somebody's.
                pipeline.tracker.skip_to(free)
        else:
            store.set_embedder(embedder_record(settings, pipeline.embedder, pipeline.identities))
            limit = pipeline.settings.identities.gallery_capacity
            pipeline.identities.load(store.known_people(embedder_mark(pipeline.embedder), now, limit=limit))
        store.begin_run(0.0, clock_kind="wall")
    except BaseException:
        store.close()
        raise
    return store


class Retention(threading.Thread):
    """Takes what is too old out of the store, at once and then every hour, a little at a time.

    Args:
        store: of the run.
        keep_days: what is older goes.
        now: seconds since 1970.
        purged: called with the time before which all is gone.
        failed: called with one clear line when it could not be done; it is tried again.
    """

    def __init__(
        self,
        store: TrackStore,
        keep_days: float,
        now: Callable[[], float],
        purged: Callable[[float], None],
        failed: Callable[[str], None],
    ) -> None:
        super().__init__(name="retention", daemon=True)
        self._store, self._keep_seconds, self._now = store, keep_days * DAY, now
        self._purged, self._failed = purged, failed
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                before = self._now() - self._keep_seconds
                self._store.purge(before, pause=_PIECE_SECONDS, stopped=self._stopping.is_set)
                if not self._stopping.is_set():
                    self._purged(before)
            except InputError as error:
                self._failed(str(error))
            self._stopping.wait(_PURGE_SECONDS)

    def stop(self) -> None:
        """Ask it to end after the piece that it is at."""
        self._stopping.set()
