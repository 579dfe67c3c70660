"""What a person says of identities while a run goes on: no later settlement takes it back.

Somebody may look quite different from one time to another, and a mean of both looks like neither. Two identities that a
person makes one therefore keep their own looks and go on side by side, and only the number that is told is the same:
*outward* one, inward two. Of identities that somebody told apart no two tracklets can be linked, and those that were
split off together stay so: every pair carries evidence beyond all doubt (pairs that must and cannot be linked, as in
constrained clustering; Wagstaff et al., 2001).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.events import Event
from tracker.cross_camera.joint_evidence import Joint
from tracker.cross_camera.tracklets import Tracklet

__all__ = ["HandEdits"]

#: nats that no other evidence reaches
_SURE = 1e4


class HandEdits:
    """Which identities a person has made one or told apart; ``Tracklet.pinned`` says whose some tracklets are."""

    def __init__(self) -> None:
        self._apart: set[tuple[int, int]] = set()
        # inward → outward number, of those where the two differ
        self._outward: dict[int, int] = {}

    def outward(self, number: int) -> int:
        """Return the number that an identity is told by."""
        return self._outward.get(number, number)

    def all_outward(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for identities (I,) the numbers (I,) that they are told by."""
        if not self._outward:
            return numbers
        return np.array([self.outward(number) for number in numbers.tolist()], np.int64)

    def family(self, number: int) -> set[int]:
        """Return all inward numbers that are told as ``number``."""
        return {number} | {inward for inward, outward in self._outward.items() if outward == number}

    def make_one(self, number: int, into: int) -> None:
        """Tell whoever is told as ``number`` as ``into`` from now on."""
        for inward in self.family(number):
            self._outward[inward] = into
        self._outward.pop(into, None)

    def restore(self, outward: Mapping[int, int]) -> None:
        """Take over what an earlier run was told: inward → outward number."""
        self._outward |= {inward: number for inward, number in outward.items() if inward != number}

    def told(self, events: Iterable[Event]) -> list[Event]:
        """Return events about tracks with the numbers that are told; what then says nothing new is left out."""
        result = []
        for event in events:
            if event.identity in self._outward or event.previous_identity in self._outward:
                now = None if event.identity is None else self.outward(event.identity)
                before = None if event.previous_identity is None else self.outward(event.previous_identity)
                if now == before:
                    continue
                event = replace(event, identity=now, previous_identity=before)
            result.append(event)
        return result

    def keep_apart(self, first: int, second: int) -> None:
        """Note that two identities are two people."""
        self._apart.add((min(first, second), max(first, second)))

    def merged(self, number: int, into: int) -> tuple[int, int] | None:
        """Note that a settlement found an identity to be another.

        Returns:
            which number is told as which from now on; ``None`` when both were told as one already.
        """
        pairs, self._apart = self._apart, set()
        for first, second in pairs:
            now = (into if first == number else first, into if second == number else second)
            if now[0] != now[1]:
                self.keep_apart(*now)
        old, new = self.outward(number), self.outward(into)
        if old == new:
            return None
        if old != number or len(self.family(old)) > 1:
            self.make_one(old, new)
        return old, new

    def forget_others(self, known: Collection[int]) -> None:
        """Forget what was said of identities that are not ``known`` any more."""
        kept = set(known)
        self._apart = {pair for pair in self._apart if pair[0] in kept and pair[1] in kept}
        self._outward = {inward: outward for inward, outward in self._outward.items() if inward in kept}

    def constrain(self, joint: Joint, nodes: Sequence[Tracklet]) -> None:
        """Put what a person has said into the evidence between tracklets, in place.

        Args:
            joint: of the N nodes.
            nodes: tracklets, and those that stand for archived identities (camera -1).
        """
        pinned: dict[int, list[int]] = defaultdict(list)
        holders: dict[int, list[int]] = defaultdict(list)
        for row, node in enumerate(nodes):
            if node.pinned is not None:
                pinned[node.pinned].append(row)
            if node.identity is not None:
                holders[node.identity].append(row)
        for number in pinned:
            pinned[number] += [row for row in holders[number] if nodes[row].camera < 0]
        groups = list(pinned.values())
        for place, rows in enumerate(groups):
            for row in rows:
                joint.evidence[row, rows] = _SURE
                joint.evidence[row, row] = 0.0
                joint.forbidden[row, rows] = False
            for others in groups[:place]:
                _forbid(joint, rows, others)
        for first, second in self._apart:
            _forbid(joint, holders.get(first, []), holders.get(second, []))


def _forbid(joint: Joint, rows: Sequence[int], others: Sequence[int]) -> None:
    for row in rows:
        joint.forbidden[row, others] = True
        joint.forbidden[others, row] = True
