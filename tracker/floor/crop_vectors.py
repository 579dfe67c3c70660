"""Vectors of a run's crops, kept on disk until the run is looked at again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tracker.storage.atomic import output_error

__all__ = ["CropVectors"]


class CropVectors:
    """The vectors of every instant's boxes, in a temporary file that nobody sees: an hour of them is gigabytes.

    Args:
        folder: where the temporary file is made, with the first instant; ``None``: where the system has such files.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = Path(tempfile.gettempdir() if folder is None else folder)
        self._file: BinaryIO | None = None
        #: of each instant: camera → byte at which its vectors begin, and their shape
        self._places: list[dict[str, tuple[int, int, int]]] = []
        self._end = 0

    def __len__(self) -> int:
        """How many instants there are."""
        return len(self._places)

    def add(self, vectors: Mapping[str, NDArray[np.float32] | None]) -> None:
        """Append an instant.

        Args:
            vectors: camera → (M, D), rows of NaN where a crop was not embedded; ``None``: no embedder.

        Raises:
            InputError: the folder cannot be written, or the disk is full or went away.
        """
        places = {}
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix=".vectors-", dir=self._folder)  # noqa: SIM115
            self._file.seek(self._end)
            for name, one in vectors.items():
                if one is None:
                    continue
                content = np.ascontiguousarray(one, np.float32)
                places[name] = (self._end, *content.shape)
                self._file.write(content.tobytes())
                self._end += content.nbytes
            self._file.flush()
        except OSError as error:
            raise output_error(self._folder, error) from error
        self._places.append(places)

    def at(self, number: int, camera: str) -> NDArray[np.float32] | None:
        """Return what was added as instant ``number`` for a camera; ``None``: nothing was."""
        place = self._places[number].get(camera)
        if place is None or self._file is None:
            return None
        begin, count, width = place
        self._file.seek(begin)
        content = self._file.read(4 * count * width)
        return np.frombuffer(content, np.float32).reshape(count, width)

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()
            self._file = None
