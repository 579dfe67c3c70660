"""``--gallery FILE``: whom a run knows when it begins, and whom the next one shall know.

The file is a gallery, or the store of an earlier run: then it is the store's people, and how they look is brought up to
date in it.
"""

from __future__ import annotations

import errno
import time
from pathlib import Path

from tracker.cross_camera.gallery_file import EmbedderMark, embedder_mark, read_gallery, write_gallery
from tracker.cross_camera.identities import Identities
from tracker.errors import InputError
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import MultiCameraPipeline
from tracker.storage.atomic import AtomicFile, output_error
from tracker.storage.store_reader import StoreReader
from tracker.storage.store_schema import is_store
from tracker.storage.track_store import TrackStore

__all__ = ["GalleryKeeper", "check_gallery"]


def check_gallery(path: Path, *, embedder: str) -> None:
    """Find out before any model is loaded whether a gallery can be kept in ``path``.

    Raises:
        InputError: there is no embedder, or the file could not be written.
    """
    if embedder.lower() == "none":
        raise InputError(f"--gallery {path} keeps how people look, and --embedder none does not look: leave one out")
    if not path.parent.is_dir():
        raise output_error(path, FileNotFoundError(errno.ENOENT, "no such folder"))
    AtomicFile(path).discard()


class GalleryKeeper:
    """Gives a pipeline the people of a gallery file, and stages what the file shall hold afterwards.

    Args:
        path: the file; it need not exist yet.
        pipeline: before its first frame.

    Raises:
        InputError: the file is no gallery, or another embedder's.
    """

    def __init__(self, path: Path, pipeline: MultiCameraPipeline | FloorPipeline) -> None:
        assert pipeline.embedder is not None
        self.path = path
        self._pipeline = pipeline
        self._mark: EmbedderMark = embedder_mark(pipeline.embedder)
        self._is_store = is_store(path)
        self._began = time.time()
        self.load()

    def load(self) -> None:
        """Give the pipeline's identities, of which there are none yet, the people of earlier runs.

        Raises:
            InputError: the file is no gallery, or another embedder's.
        """
        identities = self._pipeline.identities
        if self._is_store:
            limit = self._pipeline.settings.identities.gallery_capacity
            with StoreReader(self.path) as store:
                identities.load(store.known_people(self._mark, self._began, limit=limit))
        elif self.path.exists():
            identities.load(read_gallery(self.path, self._mark))

    @property
    def known(self) -> int:
        """How many people of earlier runs this one began with."""
        return len(self._pipeline.identities.earlier.numbers)

    def staged(self) -> AtomicFile | _StoreUpdate:
        """Return the gallery as it shall be after the run, complete, but not yet in its place.

        Raises:
            InputError: it cannot be written.
        """
        if self._is_store:
            return _StoreUpdate(self.path, self._began, self._pipeline.identities)
        file = AtomicFile(self.path)
        try:
            write_gallery(file.temporary, self._pipeline.identities.known_people(), self._mark)
        except BaseException as error:
            file.discard()
            if isinstance(error, OSError):
                raise output_error(self.path, error) from error
            raise
        return file


class _StoreUpdate:
    """What a store shall say of how people look; SQLite itself sees to it that it is written wholly or not at all."""

    def __init__(self, path: Path, began: float, identities: Identities) -> None:
        self._path, self._began = path, began
        self._people, self._loaded = identities.known_people(), identities.earlier.numbers

    def commit(self) -> None:
        """Write it."""
        with TrackStore(self._path) as store:
            store.begin_run(self._began, clock_kind="video")
            store.put_people(self._people, self._began, self._loaded)
            store.end_run()

    def discard(self) -> None:
        """Nothing has been written yet."""
