"""What cameras saw at one instant, and in a whole run, kept until it is looked at again: all but the pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.floor.crop_vectors import CropVectors
from tracker.video.frames import Frame

__all__ = ["RememberedRun", "SeenOnFloor"]


@dataclass(frozen=True, slots=True, eq=False)
class SeenOnFloor:
    """What cameras saw at one instant, before anything is concluded from it.

    Args:
        frames: at most one of each camera.
        everything: camera → all that was detected.
        kept: camera → rows of it that are looked at.
        found: camera → these, with features where crops are fit for it.
        qualities: camera → (N,) of the crops of ``found``.
    """

    frames: Sequence[Frame]
    everything: dict[str, Detections]
    kept: dict[str, NDArray[np.intp]]
    found: dict[str, Detections]
    qualities: dict[str, NDArray[np.float32]]


class RememberedRun:
    """The instants of a run without their pictures; vectors of crops lie on disk.

    Args:
        folder: where their temporary file is made; ``None``: where the system has such files.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.vectors = CropVectors(folder)
        self._instants: list[SeenOnFloor] = []

    def __len__(self) -> int:
        """How many instants there are."""
        return len(self._instants)

    def add(self, seen: SeenOnFloor) -> None:
        """Append an instant.

        Raises:
            InputError: the folder cannot be written, or the disk is full or went away.
        """
        frames = [dataclasses.replace(frame, image=None) for frame in seen.frames]
        self.vectors.add({name: found.features for name, found in seen.found.items()})
        self._instants.append(dataclasses.replace(seen, frames=frames, found={}))

    def seen(self, number: int) -> SeenOnFloor:
        """Return instant ``number``, its frames without images."""
        seen, found = self._instants[number], {}
        for name, rows in seen.kept.items():
            one, vectors = seen.everything[name][rows], self.vectors.at(number, name)
            found[name] = one if vectors is None else one.with_features(vectors)
        return dataclasses.replace(seen, found=found)

    def close(self) -> None:
        """Remove the temporary file."""
        self.vectors.close()
