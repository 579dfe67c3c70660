"""How much of what a camera shows was not decided by what it showed before: detectors are wrong for seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["hit_weights", "miss_weights", "news"]

Array = NDArray[np.float64]

#: how much a miss says, and the seconds after which detectors fail anew, not at random
_MISS, _AGAIN_SECONDS = 0.6, 0.5
#: metres after which a box of who walks is as much news as the first
_ELSEWHERE = 0.3


def news(seconds: float) -> float:
    """Return how much of what is seen was not decided by what was seen so many seconds before, 0 to 1."""
    return 1 - float(np.exp(-seconds / _AGAIN_SECONDS))


def miss_weights(again: NDArray[np.bool_], seconds: float) -> Array:
    """Return (N,) how much a miss by a camera says: less where it follows another.

    Args:
        again: (N,) the camera missed them before.
        seconds: since it looked before.
    """
    return np.where(again, news(seconds) * _MISS, _MISS)


def hit_weights(again: NDArray[np.bool_], speeds: Array, seconds: float) -> Array:
    """Return (N,) how much a box says: less where it follows another and nobody moves.

    Args:
        again: (N,) the camera had a box of them before.
        speeds: (N,) of the people, metres a second.
        seconds: since it looked before.
    """
    moved = speeds * seconds
    return np.where(again, 1 - np.exp(-seconds / _AGAIN_SECONDS - moved / _ELSEWHERE), 1.0)
