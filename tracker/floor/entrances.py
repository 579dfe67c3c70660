"""Where people come in and go out, seen from the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.floor.chains import Chain
from tracker.floor.entries import Entries

__all__ = ["Entrances"]

Array = NDArray[np.float64]

#: seconds and metres between the end of one trajectory and the beginning of another from where on they are not taken
#: for a trajectory that broke
_BROKEN_SECONDS, _BROKEN_METRES = 3.0, 3.0
#: metres within which a coming or going speaks for an entrance, and how many leave hardly a doubt
_SIZE, _SURE = 0.6, 2.0


class Entrances:
    """How much people come in and go out at places: given by hand, or learnt from how trajectories begin and end.

    What begins where another was lost may be the rest of it. All other beginnings and ends, those at the run's own
    beginning and end apart, are people who came or went.

    Args:
        given: entries by hand; without zones they are learnt.
        chains: the trajectories.
        ends: (C, 2) metres, where they end.
        times: (T,) seconds of the run's instants.
    """

    def __init__(self, given: Entries, chains: Sequence[Chain], ends: Array, times: Array) -> None:
        self._given = given
        self._votes = np.zeros((0, 2))
        if given.zones or not chains:
            return
        begun, ended = (np.array([getattr(chain, name) for chain in chains]) for name in ("start", "end"))
        first, last = times[begun], times[ended]
        places = np.stack([chain.place for chain in chains])
        # Ends are rows, beginnings columns. Who is followed twice for a moment begins before the other ends.
        apart = np.abs(first[None] - last[:, None])
        metres = np.hypot(*(places[None] - ends[:, None]).transpose(2, 0, 1))
        broken = (apart <= _BROKEN_SECONDS) & (metres <= _BROKEN_METRES)
        np.fill_diagonal(broken, False)
        came = ~broken.any(axis=0) & (first - times[0] > _BROKEN_SECONDS)
        went = ~broken.any(axis=1) & (times[-1] - last > _BROKEN_SECONDS)
        self._votes = np.concatenate([places[came], ends[went]])

    def nearness(self, places: Array) -> Array:
        """Return (N,) how much places (N, 2) are where people come and go: 0 not at all, 1 surely."""
        places = np.asarray(places, np.float64).reshape(-1, 2)
        if self._given.zones:
            return self._given.nearness(places)
        squared = ((places[:, None] - self._votes[None]) ** 2).sum(axis=2)
        return np.asarray(1 - np.exp(-np.exp(-squared / (2 * _SIZE**2)).sum(axis=1) / _SURE), np.float64)
