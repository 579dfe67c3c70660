"""Visits: from when to when somebody was in one view, as far as one track surely says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.tracklets import Tracklet

__all__ = ["HOLDING_BOND", "SURE_BOND", "Visits", "visits_of"]

#: neighbouring pieces of a track belong to one visit when the bond over the cut is at least this (nats)
HOLDING_BOND = 1.5
#: the same where a slip of the track must not make two people of one: only what was cut for its length holds together
SURE_BOND = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """V visits that N tracklets make up.

    Args:
        of: (N,) int64, the visit of each tracklet; -1 for what stands for an archived identity.
        keys: (V,) int64, key of the first tracklet.
        cameras, tracks: (V,) int64.
        starts, ends: (V,) float64, seconds of the first and of the last look.
        appeared: (V,) whether the track began with this visit, so that ``starts`` is when somebody came into view.
        left: (V,) whether the track ended with it, so that ``ends`` is when somebody went out of view.
    """

    of: NDArray[np.int64]
    keys: NDArray[np.int64]
    cameras: NDArray[np.int64]
    tracks: NDArray[np.int64]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    appeared: NDArray[np.bool_]
    left: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def in_order(self) -> NDArray[np.bool_]:
        """(V, V): the first of the two began earlier; one direction only for any pair, none for one track."""
        rows = np.arange(len(self))
        starts = self.starts[:, None]
        earlier = (starts < self.starts) | ((starts == self.starts) & (rows[:, None] < rows))
        one_track = (self.cameras[:, None] == self.cameras) & (self.tracks[:, None] == self.tracks)
        return np.asarray(earlier & ~one_track, np.bool_)

    @property
    def gaps(self) -> NDArray[np.float64]:
        """(V, V) seconds from the end of the first to the beginning of the second; negative: both at once."""
        return np.asarray(self.starts - self.ends[:, None], np.float64)

    def mean(self, values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the weighted mean (V, V) of what is known (N, N) of pairs of their tracklets; NaN where nothing is."""
        if not len(self):
            return np.zeros((0, 0))
        # Pieces of one visit side by side, so that sums over visits are sums over stretches of rows and columns.
        rows = np.flatnonzero(self.of >= 0)
        rows = rows[np.argsort(self.of[rows], kind="stable")]
        starts = np.searchsorted(self.of[rows], np.arange(len(self)))
        values = values[np.ix_(rows, rows)]
        known = np.isfinite(values)
        mass = np.where(known, np.outer(weights[rows], weights[rows]), np.float32(0.0))
        total = _sums(np.where(known, values, np.float32(0.0)) * mass, starts)
        amount = _sums(mass, starts)
        found: NDArray[np.float64] = np.full_like(total, np.nan)
        np.divide(total, amount, out=found, where=amount > 0)
        return found

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for N × N pairs of tracklets what is known (V, V) of their visits, 0 where one is no visit."""
        rows = np.maximum(self.of, 0)
        if not len(self):
            return np.zeros((len(self.of), len(self.of)))
        there = self.of >= 0
        return np.asarray(np.where(np.outer(there, there), values[np.ix_(rows, rows)], 0.0), np.float64)


def _sums(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums (V, V) of values (N, N) over stretches of rows and columns that begin at ``starts`` (V,)."""
    by_rows = np.add.reduceat(values, starts, axis=0, dtype=np.float64)
    return np.asarray(np.add.reduceat(by_rows, starts, axis=1), np.float64)


def visits_of(nodes: Sequence[Tracklet], *, bond: float = HOLDING_BOND) -> Visits:
    """Return the visits of tracklets; a piece belongs to the one before it, if that is there and the bond holds.

    Args:
        nodes: N tracklets, the pieces of a track in their order.
        bond: nats from which it holds.
    """
    of = np.full(len(nodes), -1, np.int64)
    row_of = {node.key: row for row, node in enumerate(nodes)}
    members: list[list[Tracklet]] = []
    for row, node in enumerate(nodes):
        if node.camera < 0:
            continue
        before = None if node.previous is None else row_of.get(node.previous)
        if before is not None and node.continuity >= bond:
            of[row] = of[before]
            members[of[row]].append(node)
        else:
            of[row] = len(members)
            members.append([node])
    return Visits(
        of,
        np.array([visit[0].key for visit in members], np.int64),
        np.array([visit[0].camera for visit in members], np.int64),
        np.array([visit[0].track for visit in members], np.int64),
        np.array([visit[0].start for visit in members], np.float64),
        np.array([visit[-1].end for visit in members], np.float64),
        np.array([visit[0].previous is None for visit in members], np.bool_),
        np.array([visit[-1].closed and not np.isfinite(visit[-1].until) for visit in members], np.bool_),
    )
