"""What is remembered of a run: its instants, and trajectories with what each instant's boxes say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracker.floor.likelihood import Boxes

__all__ = ["Chain", "Look"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One instant of a run.

    Args:
        time: seconds.
        boxes: camera → its boxes.
        ids: (N,) of the people followed.
        rows: camera → (N,) row of its boxes that is each; -1 none.
        means, covariances: (N, 5), (N, 5, 5) of their states.
    """

    time: float
    boxes: Mapping[str, Boxes]
    ids: Ints
    rows: Mapping[str, Ints]
    means: Array
    covariances: Array


@dataclass(slots=True, eq=False)
class Chain:
    """One trajectory: what each instant's boxes say of it, by the number of the instant.

    Args:
        start, end: first and last instant at which it has a box.
        place: (2,) about where it begins, metres.
        said, vector: instant → (5, 5), (5,) information of its boxes.
        rows: instant → camera → row of its box.
        posture_said: instant → (P,) nats that they say of the posture.
        evidence: nats that speak for a person.
    """

    start: int
    end: int
    place: Array
    said: dict[int, Array] = field(default_factory=dict)
    vector: dict[int, Array] = field(default_factory=dict)
    rows: dict[int, dict[str, int]] = field(default_factory=dict)
    posture_said: dict[int, Array] = field(default_factory=dict)
    evidence: float = 0.0

    def parted(self, number: int, place: Array) -> tuple[Chain, Chain]:
        """Return what is before instant ``number``, at which it has a box, and what is from then on.

        Args:
            number: after the first.
            place: (2,) about where it then was, metres.
        """
        last = max(one for one in self.rows if one < number)
        pieces = Chain(self.start, last, self.place), Chain(number, self.end, place)
        for piece, later in zip(pieces, (False, True)):
            for name in ("said", "vector", "rows", "posture_said"):
                part = {one: value for one, value in getattr(self, name).items() if (one >= number) is later}
                setattr(piece, name, part)
            piece.evidence = self.evidence * len(piece.rows) / len(self.rows)
        return pieces
