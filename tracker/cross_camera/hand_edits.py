"""What a person says of identities while a run goes on: no later settlement takes it back.

Of tracklets that somebody made one person every pair carries evidence beyond all doubt, so that they are joined before
all others (pairs that must be linked, as in constrained clustering; Wagstaff et al., 2001); of identities that somebody
told apart no two tracklets can be linked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from tracker.cross_camera.joint_evidence import Joint
from tracker.cross_camera.tracklets import Tracklet

__all__ = ["HandEdits"]

#: nats that no other evidence reaches
_SURE = 1e4


class HandEdits:
    """Which identities a person has told apart; of tracklets, ``Tracklet.pinned`` says whose they are."""

    def __init__(self) -> None:
        self._apart: set[tuple[int, int]] = set()

    def keep_apart(self, first: int, second: int) -> None:
        """Note that two identities are two people."""
        self._apart.add((min(first, second), max(first, second)))

    def are_apart(self, first: int, second: int) -> bool:
        """Whether a person has said that two identities are two people."""
        return (min(first, second), max(first, second)) in self._apart

    def merged(self, number: int, into: int) -> None:
        """Note that an identity has become another; what holds of the one holds of the other."""
        pairs, self._apart = self._apart, set()
        for first, second in pairs:
            now = (into if first == number else first, into if second == number else second)
            if now[0] != now[1]:
                self.keep_apart(*now)

    def forget_others(self, known: Collection[int]) -> None:
        """Forget what was said of identities that are not ``known`` any more."""
        kept = set(known)
        self._apart = {pair for pair in self._apart if pair[0] in kept and pair[1] in kept}

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
        groups = list(pinned.items())
        for place, (_, rows) in enumerate(groups):
            for row in rows:
                joint.evidence[row, rows] = _SURE
                joint.forbidden[row, rows] = False
                joint.evidence[row, row] = 0.0
            for _, others in groups[:place]:
                _forbid(joint, rows, others)
        for first, second in self._apart:
            _forbid(joint, holders.get(first, []), holders.get(second, []))


def _forbid(joint: Joint, rows: Sequence[int], others: Sequence[int]) -> None:
    for row in rows:
        joint.forbidden[row, others] = True
        joint.forbidden[others, row] = True
