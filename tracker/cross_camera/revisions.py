"""What a person changes of identities while a run goes on: two are one, a stretch was somebody else, somebody goes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.archive import Archive
from tracker.cross_camera.duplicates import Duplicates
from tracker.cross_camera.earlier_runs import EarlierRuns
from tracker.cross_camera.events import Event
from tracker.cross_camera.gallery import Gallery
from tracker.cross_camera.hand_edits import HandEdits
from tracker.cross_camera.history import History
from tracker.cross_camera.tracklets import Tracklet, TrackletSequence
from tracker.errors import InputError

__all__ = ["Revisable"]

#: seconds that two tracks of one camera may be there at once and still be made one person by hand
_TOGETHER_SECONDS = 2.0
#: share of a tracklet that lies in a stretch from which on it belongs to it
_MOSTLY = 0.5


class Revisable:
    """The part of ``Identities`` that people change; what they said holds whatever is settled later.

    Changes come between two steps. ``time`` is when they were asked for, seconds of the run's clock.
    """

    cameras: list[str]
    gallery: Gallery
    archive: Archive
    earlier: EarlierRuns
    duplicates: Duplicates
    edits: HandEdits
    _number: dict[str, int]
    _sequences: dict[tuple[int, int], TrackletSequence]
    _tracklets: dict[int, Tracklet]
    _history: History
    _ceded: dict[int, float]

    def merge(self, number: int, into: int, time: float) -> list[Event]:
        """Make ``number`` the same person as ``into``: what is seen of either from now on is ``into``.

        Raises:
            InputError: one number twice, or both were in one camera at once: they are two people.
        """
        if number == into:
            raise InputError(f"identity {number} cannot be made one with itself: give two numbers")
        first, second = self._told_as(number), self._told_as(into)
        together = self._seen_together(first, second)
        if together is not None:
            raise InputError(
                f"identity {number} and identity {into} were both in camera {self.cameras[together.camera]!r} at once: "
                "they are two people, or split off what is wrong first"
            )
        self.edits.make_one(number, into)
        events = [Event("identities_merged", time, identity=into, previous_identity=number)]
        # The last of a track first: then nothing is said of it that the next event takes back.
        for one in sorted(first, key=lambda one: -one.key):
            name = self.cameras[one.camera]
            events.append(
                Event("identity_corrected", time, name, one.track, into, previous_identity=number, since=one.start)
            )
        return events

    def split_off(self, number: int, camera: str, start: float, end: float, time: float) -> tuple[int, list[Event]]:
        """Make what was seen of an identity in one camera in start ≤ time ≤ end (seconds) somebody new.

        Returns:
            the new number, and what happened. Tracklets belong to the stretch that lie mostly in it.
        """
        place = self._number[camera]
        new = self.gallery.open(time)
        chosen = [
            one for one in self._told_as(number) if one.camera == place and _mostly_within(one, start, end)
        ]  # fmt: skip
        for tracklet in chosen:
            tracklet.identity = tracklet.pinned = new
        for inward in self.edits.family(number):
            self.archive.split_off(inward, new, place, start, end)
            self.edits.keep_apart(inward, new)
        self._rebuild_gallery(list(self._tracklets.values()), self._summaries(self._tracklets.values()))
        return new, [Event("identity_opened", time, identity=new), *self._tell_all(chosen, time)]

    def erase(self, number: int) -> list[tuple[str, int]]:
        """Forget an identity wholly; whoever of it is still in view is a stranger from the next step on.

        Returns:
            (camera, track) of those who are.
        """
        present, family = [], self.edits.family(number)
        for sequence in self._sequences.values():
            if sequence.current is not None and sequence.current.identity in family:
                sequence.forget()
                present.append((self.cameras[sequence.camera], sequence.track))
        gone = {key for key, one in self._tracklets.items() if one.identity in family or one.pinned in family}
        for key in gone:
            del self._tracklets[key]
            self._ceded.pop(key, None)
        self.duplicates.forget(gone)
        for inward in family:
            self._forget_number(inward)
        return present

    def forget_before(self, time: float, earlier_time: float) -> list[int]:
        """Forget looks of before ``time``, and whom nothing is left of; return their numbers.

        Args:
            time: seconds of the run's clock.
            earlier_time: the same in the clock of what earlier runs knew (``LONG_AGO`` less its age).
        """
        self.archive.forget_before(time, earlier_time)
        held = {one.identity for one in self._tracklets.values() if one.identity is not None}
        known = {one.number for one in self.gallery.identities()}
        gone = sorted(number for number in known if number not in held and number not in self.archive)
        for number in gone:
            self._forget_number(number)
        self._rebuild_gallery(list(self._tracklets.values()), self._summaries(self._tracklets.values()))
        return gone

    def _told_as(self, number: int) -> list[Tracklet]:
        family = self.edits.family(number)
        return [one for one in self._tracklets.values() if one.identity in family]

    def _forget_number(self, number: int) -> None:
        self.archive.forget(number)
        self.gallery.forget(number)
        self.earlier.forget(number)
        self._history.erase(number)

    def _seen_together(self, first: Sequence[Tracklet], second: Sequence[Tracklet]) -> Tracklet | None:
        for one in first:
            for other in second:
                seconds = min(one.end, other.end) - max(one.start, other.start)
                if one.camera == other.camera and seconds > _TOGETHER_SECONDS:
                    return one
        return None

    def _tell_all(self, tracklets: Sequence[Tracklet], time: float) -> list[Event]:
        events = []
        for tracklet in sorted(tracklets, key=lambda one: -one.key):
            events += self._tell(tracklet, time)
        return events

    def _tell(self, tracklet: Tracklet, time: float, score: float | None = None) -> list[Event]:
        """Write down who a tracklet is; return what is new in that."""
        raise NotImplementedError

    def _summaries(self, nodes: Collection[Tracklet]) -> dict[int, AppearanceSummary]:
        """Return what is known of the looks of each tracklet, by its key, the latest crops included."""
        summaries = {}
        for tracklet in nodes:
            sequence = self._sequences.get((tracklet.camera, tracklet.track))
            live = sequence is not None and sequence.current is tracklet
            summaries[tracklet.key] = sequence.settled_summary() if live and sequence else tracklet.summary
        return summaries

    def _rebuild_gallery(self, nodes: Sequence[Tracklet], summaries: Mapping[int, AppearanceSummary]) -> None:
        """Make the gallery anew from the archive and the tracklets that are remembered."""
        present = {node.identity for node in self._tracklets.values() if node.identity is not None}
        views = self.archive.views()
        anew: dict[int, dict[int, AppearanceSummary]] = {}
        for node in nodes:
            if node.identity is None or summaries[node.key].count == 0 or node.key not in self._tracklets:
                continue
            if node.identity not in anew:
                known = views.get(node.identity, {})
                anew[node.identity] = {camera: summary.copy() for camera, summary in known.items()}
            anew[node.identity].setdefault(node.camera, AppearanceSummary()).absorb(summaries[node.key])
        views |= anew
        self.gallery.replace_views(views, keep=present)
        self.gallery.shrink(keep=present)


def _mostly_within(tracklet: Tracklet, start: float, end: float) -> bool:
    inside = min(tracklet.end, end) - max(tracklet.start, start)
    return inside >= 0 and inside >= _MOSTLY * (tracklet.end - tracklet.start)
