"""``--gallery FILE``: whom a run knows when it begins, and whom the next one shall know."""

from __future__ import annotations

import errno
from pathlib import Path

from tracker.cross_camera.gallery_file import EmbedderMark, embedder_mark, read_gallery, write_gallery
from tracker.errors import InputError
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import MultiCameraPipeline
from tracker.storage.atomic import AtomicFile, output_error

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
        if path.exists():
            pipeline.identities.load(read_gallery(path, self._mark))

    @property
    def known(self) -> int:
        """How many people of earlier runs this one began with."""
        return len(self._pipeline.identities.earlier.numbers)

    def staged(self) -> AtomicFile:
        """Return the gallery as it shall be after the run, complete, but not yet in its place.

        Raises:
            InputError: it cannot be written.
        """
        file = AtomicFile(self.path)
        try:
            write_gallery(file.temporary, self._pipeline.identities.known_people(), self._mark)
        except BaseException as error:
            file.discard()
            if isinstance(error, OSError):
                raise output_error(self.path, error) from error
            raise
        return file
