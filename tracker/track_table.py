"""TrackTable: the state of all tracks of one camera as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOST", "TENTATIVE", "TRACKED", "UNMATCHED", "TrackTable"]

#: not yet confirmed
TENTATIVE = 0
#: confirmed, and matched in the last update
TRACKED = 1
#: confirmed, not matched in the last update
LOST = 2

#: ``TrackTable.detection`` of a track that nothing was matched with; -1 stands for a predicted box
UNMATCHED = -2

_STATE_ROWS = 20


class TrackTable:
    """All living tracks of one camera, one column each, in order of birth.

    Numbers lie in one float64 block and whole numbers in one int64 block, so that taking dead tracks out and putting
    new ones in moves two arrays, however many attributes there are. The attributes are views into the blocks: write
    into them (``table.hits[tracks] += 1``), never replace them, and do not keep them across ``replace``.

    Args:
        extra: name → number of float64 rows an algorithm needs besides; found in ``table.extra[name]``, (rows, N).

    Attributes:
        state: (5, 4, N) the motion filter's state; see ``tracker.motion.kalman``.
        last_seen: (N,) seconds, time of the last matched detection.
        born: (N,) seconds, time of the first detection.
        score: (N,) score of the last matched detection.
        id: (N,) int64 number shown to the outside, 0 before the track is first reported.
        status: (N,) ``TENTATIVE``, ``TRACKED`` or ``LOST``.
        hits: (N,) number of matched detections, the first included.
        streak: (N,) number of updates in a row that matched, the first detection not counted.
        misses: (N,) number of updates since the last match.
        class_number: (N,) class.
        detection: (N,) row of the detection matched in the last update, -1 for a predicted box, else ``UNMATCHED``.
        slot: (N,) place of the track's features in the appearance memory, -1 for none.
    """

    WHOLE = ("id", "status", "hits", "streak", "misses", "class_number", "detection", "slot")
    REAL = ("last_seen", "born", "score")

    state: NDArray[np.float64]
    last_seen: NDArray[np.float64]
    born: NDArray[np.float64]
    score: NDArray[np.float64]
    id: NDArray[np.int64]
    status: NDArray[np.int64]
    hits: NDArray[np.int64]
    streak: NDArray[np.int64]
    misses: NDArray[np.int64]
    class_number: NDArray[np.int64]
    detection: NDArray[np.int64]
    slot: NDArray[np.int64]

    def __init__(self, extra: Mapping[str, int] | None = None) -> None:
        self._extra_rows = dict(extra or {})
        rows = _STATE_ROWS + len(self.REAL) + sum(self._extra_rows.values())
        self._set(np.zeros((rows, 0)), np.zeros((len(self.WHOLE), 0), np.int64))

    def __len__(self) -> int:
        return self._whole.shape[1]

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._real.nbytes + self._whole.nbytes

    def replace(self, kept: NDArray[np.intp] | None, born: TrackTable | None = None) -> None:
        """Keep the tracks ``kept`` (ascending; ``None``: all) and put the tracks of ``born`` behind them."""
        real, whole = self._real, self._whole
        if kept is not None:
            real, whole = real.take(kept, axis=1), whole.take(kept, axis=1)
        if born is not None:
            real = np.concatenate([real, born._real], axis=1)
            whole = np.concatenate([whole, born._whole], axis=1)
        self._set(real, whole)

    def newborn(
        self,
        state: NDArray[np.float64],
        time: float,
        scores: NDArray[np.floating],
        classes: NDArray[np.int64],
        detections: NDArray[np.int64],
    ) -> TrackTable:
        """Return a table of the same columns with new, tentative tracks from filter states (5, 4, K)."""
        table = object.__new__(TrackTable)
        table._extra_rows = self._extra_rows
        count = state.shape[2]
        table._set(np.zeros((len(self._real), count)), np.zeros((len(self._whole), count), np.int64))
        table.state[...] = state
        table.last_seen[...] = table.born[...] = time
        table.score[...] = scores
        table.hits[...] = 1
        table.class_number[...] = classes
        table.detection[...] = detections
        table.slot[...] = -1
        return table

    def _set(self, real: NDArray[np.float64], whole: NDArray[np.int64]) -> None:
        self._real, self._whole = real, whole
        self.state = real[:_STATE_ROWS].reshape(5, 4, real.shape[1])
        self.last_seen, self.born, self.score = real[_STATE_ROWS : _STATE_ROWS + 3]
        (
            self.id,
            self.status,
            self.hits,
            self.streak,
            self.misses,
            self.class_number,
            self.detection,
            self.slot,
        ) = whole
        self.extra: dict[str, NDArray[np.float64]] = {}
        row = _STATE_ROWS + len(self.REAL)
        for name, rows in self._extra_rows.items():
            self.extra[name] = real[row : row + rows]
            row += rows
