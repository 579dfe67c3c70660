"""Stretches of tracks as arrays: what offline linking works on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracker.storage.mot_files import MotTracks

__all__ = ["Tracklets"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Tracklets:
    """Boxes of tracklets.

    Args:
        tracks: (R,) int64 number of each box's tracklet.
        frames: (R,) int64.
        boxes: (R, 4) float64 ``x1, y1, x2, y2``, pixels.
        scores: (R,) float64.
    """

    tracks: NDArray[np.int64]
    frames: NDArray[np.int64]
    boxes: Array
    scores: Array

    @staticmethod
    def of(tracks: MotTracks) -> Tracklets:
        """Return a tracker's results as tracklets, numbered from 0 and sorted."""
        return Tracklets(tracks.ids, tracks.frames, tracks.boxes, tracks.scores).renumbered()

    @staticmethod
    def none() -> Tracklets:
        """Return no boxes."""
        return Tracklets(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))

    @property
    def count(self) -> int:
        """How many tracklets there are, where they are numbered from 0."""
        return int(self.tracks.max(initial=-1)) + 1

    def order(self) -> NDArray[np.intp]:
        """Return the rows (R,) sorted by tracklet and then by frame."""
        return np.lexsort((self.frames, self.tracks))

    def renumbered(self) -> Tracklets:
        """Return the same, sorted, with tracklets numbered from 0 in the order of their numbers."""
        order = self.order()
        _, numbers = np.unique(self.tracks[order], return_inverse=True)
        return Tracklets(numbers.astype(np.int64), self.frames[order], self.boxes[order], self.scores[order])

    def relabelled(self, labels: NDArray[np.int64]) -> Tracklets:
        """Return the boxes with tracklet k called ``labels[k]`` (N,); equal labels become one tracklet."""
        return replace(self, tracks=labels[self.tracks]).renumbered()

    def selected(self, rows: NDArray[np.bool_]) -> Tracklets:
        """Return the boxes that the mask (R,) selects; the numbers stay."""
        return Tracklets(self.tracks[rows], self.frames[rows], self.boxes[rows], self.scores[rows])

    def together(self, other: Tracklets) -> Tracklets:
        """Return these boxes and those of ``other``, in this order."""
        return Tracklets(
            np.concatenate([self.tracks, other.tracks]),
            np.concatenate([self.frames, other.frames]),
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.scores, other.scores]),
        )

    def moved(self, offsets: Array) -> Tracklets:
        """Return the boxes moved by ``offsets`` (F, 2) pixels of frames 0 to F - 1."""
        return replace(self, boxes=self.boxes + np.tile(offsets[self.frames], 2))
