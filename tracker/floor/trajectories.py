"""What a floor tracker reported, put together at the end: people from their first sight to their last, gaps filled."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.floor.people import FloorPeople

__all__ = ["FloorTrajectories"]


class FloorTrajectories:
    """Collects what was reported at every instant.

    Args:
        longest_gap: frames; who is not seen for longer was nowhere in between.

    Raises:
        InputError: a gap below 1 frame.
    """

    def __init__(self, longest_gap: int = 6) -> None:
        if longest_gap < 1:
            raise InputError(f"gaps of {longest_gap} frames; give 1 (no gap is filled) or more")
        self._longest_gap = longest_gap
        self._rows: dict[int, list[tuple[int, float, float]]] = {}
        self._confirmed: set[int] = set()

    def add(self, frame: int, people: FloorPeople) -> None:
        """Take what was reported at ``frame``; frames come in order."""
        seen = people.seen
        for number, (x, y) in zip(people.ids[seen].tolist(), people.positions[seen].tolist()):
            self._rows.setdefault(number, []).append((frame, x, y))
        self._confirmed.update(people.ids[people.confirmed].tolist())

    def finished(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return frames (N,), ids (N,) and positions (N, 2) in metres of everybody who was confirmed at some time.

        Who was confirmed was there before, too: their positions begin where they were first seen.
        """
        parts = []
        for number in sorted(self._confirmed):
            seen = np.array(self._rows[number], np.float64)
            frames = np.array(self._with_short_gaps(seen[:, 0].astype(int).tolist()), np.float64)
            x, y = (np.interp(frames, seen[:, 0], seen[:, axis]) for axis in (1, 2))
            parts.append(np.column_stack([frames, np.full(len(frames), number), x, y]))
        rows = np.concatenate(parts) if parts else np.zeros((0, 4))
        return rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:]

    def _with_short_gaps(self, frames: list[int]) -> list[int]:
        result: list[int] = []
        for frame, following in pairwise(frames):
            result.extend(range(frame, following) if following - frame <= self._longest_gap else [frame])
        return [*result, frames[-1]]
