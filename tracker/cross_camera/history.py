"""Who every track was said to be, from when to when; every change of it is an event."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence

from tracker.cross_camera.events import Event
from tracker.cross_camera.tracklets import Tracklet

__all__ = ["History"]


class History:
    """The state that a reader of the events has: for each track, pieces that begin at some time with an identity.

    An event about a track holds from its ``since`` on, to the next ``since`` that was ever told of that track. What
    ``identity_at`` says and what a reader of the events knows are therefore the same thing.

    Args:
        cameras: names by number.
    """

    def __init__(self, cameras: Sequence[str]) -> None:
        self._cameras = list(cameras)
        self._pieces: dict[tuple[int, int], tuple[list[float], list[int]]] = {}

    def __len__(self) -> int:
        return len(self._pieces)

    def identity_at(self, camera: int, track: int, time: float) -> int:
        """Return the identity of a track at ``time`` seconds, 0 for none."""
        pieces = self._pieces.get((camera, track))
        if pieces is None:
            return 0
        position = bisect_right(pieces[0], time) - 1
        return pieces[1][position] if position >= 0 else 0

    def tell(
        self,
        camera: int,
        track: int,
        since: float,
        until: float,
        identity: int,
        *,
        time: float,
        score: float | None = None,
    ) -> list[Event]:
        """Note that a track is ``identity`` (0: nobody) in since ≤ time < until; return events for what is new.

        Args:
            camera: number of the camera.
            track: the tracker's id.
            since: seconds.
            until: seconds, infinite for the time being.
            identity: its number, 0 for none.
            time: seconds, when this became known.
            score: the evidence in nats, if there is any.
        """
        if since >= until:
            return []
        after = self.identity_at(camera, track, until)
        before = self.identity_at(camera, track, since)
        times, identities = self._pieces.setdefault((camera, track), ([], []))
        events = []

        def event(begin: float, old: int, new: int) -> Event:
            name = self._cameras[camera]
            if old == 0:
                return Event("identity_assigned", time, name, track, new, since=begin, score=score)
            return Event("identity_corrected", time, name, track, new, previous_identity=old, since=begin, score=score)

        position = bisect_left(times, since)
        if before != identity and (position == len(times) or times[position] != since):
            times.insert(position, since)
            identities.insert(position, before)
        for row in range(position, bisect_left(times, until)):
            if identities[row] != identity:
                events.append(event(times[row], identities[row], identity))
                identities[row] = identity
        # What comes afterwards has not changed, and must not be taken for a part of this piece.
        position = bisect_left(times, until)
        if after != identity and until < float("inf") and (position == len(times) or times[position] != until):
            times.insert(position, until)
            identities.insert(position, after)
            events.append(event(until, identity, after))
        if not times:
            del self._pieces[camera, track]
        return events

    def erase(self, identity: int) -> None:
        """Forget that anybody was ever said to be an identity."""
        for _, identities in self._pieces.values():
            identities[:] = [0 if known == identity else known for known in identities]

    def forget(self, camera: int, track: int, before: float = float("inf")) -> None:
        """Forget who a track was earlier than ``before`` seconds."""
        pieces = self._pieces.get((camera, track))
        if pieces is None:
            return
        if before == float("inf"):
            del self._pieces[camera, track]
            return
        # The piece that lasts until then stays whole.
        first = max(0, bisect_right(pieces[0], before) - 1)
        del pieces[0][:first], pieces[1][:first]

    def forget_older(self, tracklets: Iterable[Tracklet], going_on: Collection[tuple[int, int]]) -> None:
        """Forget who tracks were before the oldest of their tracklets that is remembered.

        Args:
            tracklets: those remembered.
            going_on: (camera, track) of tracks that may be seen again; of these all is kept while none is remembered.
        """
        oldest: dict[tuple[int, int], float] = {}
        for node in tracklets:
            track = node.camera, node.track
            oldest[track] = min(node.start, oldest.get(track, float("inf")))
        for track in self.tracks():
            if track in oldest or track not in going_on:
                self.forget(*track, before=oldest.get(track, float("inf")))

    def tracks(self) -> list[tuple[int, int]]:
        """Return (camera, track) of all tracks of which anything was told."""
        return list(self._pieces)
