"""One identity per person across cameras that are not calibrated.

While the video runs, each tracklet that has shown enough good crops is assigned to a known identity or opens a new
one: per camera and step one Hungarian problem with the learnt threshold as the price of "a new person". From time to
time, and at the end, all remembered tracklets are settled jointly with all evidence: appearance, what the views have
learnt of each other's geometry, and the continuity of tracks. Identities may then merge, and fresh mistakes are
corrected; events say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.archive import Archive
from tracker.cross_camera.crop_quality import overlap_with_others
from tracker.cross_camera.duplicates import Duplicates, yields
from tracker.cross_camera.earlier_runs import EarlierRuns, KnownPeople
from tracker.cross_camera.events import Event
from tracker.cross_camera.exclusivity import too_many
from tracker.cross_camera.frame_intervals import FrameIntervals
from tracker.cross_camera.gallery import Gallery
from tracker.cross_camera.hand_edits import HandEdits
from tracker.cross_camera.history import History
from tracker.cross_camera.identity_settings import CameraObservations, IdentitySettings
from tracker.cross_camera.joint_evidence import JointEvidence
from tracker.cross_camera.numbering import inherit
from tracker.cross_camera.possible_transitions import PossibleTransitions
from tracker.cross_camera.revisions import Revisable
from tracker.cross_camera.settlement import cluster
from tracker.cross_camera.threshold import OpenSetThreshold, ThresholdRecord
from tracker.cross_camera.tracklets import Tracklet, TrackletSequence
from tracker.cross_camera.visits import HOLDING_BOND

__all__ = ["CameraObservations", "Identities", "IdentitySettings"]

#: where the threshold starts when cameras' means are taken off: different people then lie at right angles
CENTRED_THRESHOLD = 0.8
#: a track not reported for this long is gone, whether its tracker says so or not
SILENT_SECONDS = 10.0


class Identities(Revisable):
    """Gives tracks of several cameras identities, and revises them while evidence grows.

    The result does not depend on the order in which cameras are named.

    Args:
        cameras: their names.
        settings: how identities are given.
        default_threshold: the embedder's recorded cosine distance; ``None`` without an embedder: then every track is
            an identity of its own.
        camera_bias: the embedder's vectors carry the camera's own colours: each camera's mean is taken off first.

    Raises:
        InputError: the settings list a transition of a camera that is not there.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        settings: IdentitySettings | None = None,
        default_threshold: float | None = None,
        *,
        camera_bias: bool = False,
    ) -> None:
        self.settings = settings or IdentitySettings()
        self.cameras = sorted(cameras)
        self._number = {name: number for number, name in enumerate(self.cameras)}
        self.attempted = default_threshold is not None
        start = CENTRED_THRESHOLD if camera_bias else default_threshold
        self.threshold = OpenSetThreshold(
            start if start is not None else 1.0, false_match_rate=self.settings.false_match_rate
        )
        self.gallery = Gallery(self.settings.gallery_capacity)
        self.possible = PossibleTransitions(self.settings.transitions, self.cameras)
        self.evidence = JointEvidence(
            self.threshold,
            learn_geometry=self.settings.learn_geometry,
            views_may_overlap=self.settings.views == "auto",
            camera_bias=camera_bias,
            learn_transitions=self.settings.handover == "auto",
            possible=self.possible if self.possible.any else None,
            geometry_patience=self.settings.geometry_patience,
        )
        self.earlier = EarlierRuns()
        self.duplicates = Duplicates()
        self.edits = HandEdits()
        self.archive = Archive(self.settings.gallery_capacity)
        self.time = -np.inf
        self._sequences: dict[tuple[int, int], TrackletSequence] = {}
        self._tracklets: dict[int, Tracklet] = {}
        self._next_key = 0
        self._last_settled = -np.inf
        self._intervals = FrameIntervals()
        self._history = History(self.cameras)
        # key → when its identity went over to another track on the same person
        self._ceded: dict[int, float] = {}

    def observe(self, step: Sequence[CameraObservations]) -> list[Event]:
        """Take in what all cameras reported of one instant; return what happened to tracks and identities."""
        events: list[Event] = []
        present: list[Tracklet] = []
        in_order = sorted(step, key=lambda seen: self._number[seen.camera])
        for seen in in_order:
            self.time = max(self.time, seen.time)
            here, happened = self._take_in(seen)
            present += here
            events += happened
        if self.attempted:
            events += self._enforce_exclusivity(present)
            for seen in in_order:
                events += self._assign(self._number[seen.camera], seen.time)
        else:
            for tracklet in present:
                if tracklet.identity is None and self._seen_for(tracklet) >= self.settings.minimum_seconds:
                    events += self._open_for(tracklet)
        for seen in in_order:
            for track in seen.ended.tolist():
                sequence = self._sequences.pop((self._number[seen.camera], track), None)
                if sequence is not None:
                    sequence.close()
                    events.append(Event("track_ended", seen.time, seen.camera, track))
        if not np.isfinite(self._last_settled):
            self._last_settled = self.time
        if self.time - self._last_settled >= self.settings.settle_seconds:
            self._close_silent()
            events += self.settle()
        return events

    def identity_of(self, camera: str, track_ids: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the identity (N,) of each track at each time as known now; 0 where none has been given yet."""
        number = self._number[camera]
        pairs = zip(np.asarray(track_ids).tolist(), np.asarray(times).tolist())
        known = [self.edits.outward(self._history.identity_at(number, track, time)) for track, time in pairs]
        return np.array(known, np.int64)

    def finish(self) -> list[Event]:
        """Settle everything once more; call at the end. Who was seen too briefly to be anybody keeps no identity."""
        for sequence in self._sequences.values():
            sequence.close()
        self._sequences = {}
        return self.settle(final=True)

    def load(self, people: KnownPeople) -> None:
        """Take over whom earlier runs knew; call before the first frame."""
        self.earlier.restore(people, self.gallery, self.archive, self.evidence.camera_means)
        self.edits.restore(people.outward)

    def known_people(self) -> KnownPeople:
        """Return whom the next run is to know; call after ``finish``."""
        return self.earlier.with_this_run(self.gallery, self.cameras, self.evidence.camera_means, self.time)

    def threshold_record(self) -> ThresholdRecord | None:
        """Return the threshold and what it rests on; ``None`` without an embedder."""
        return self.threshold.record() if self.attempted else None

    def _take_in(self, seen: CameraObservations) -> tuple[list[Tracklet], list[Event]]:
        """Extend the tracklets of one camera; return those that are there, and what happened."""
        events: list[Event] = []
        camera = self._number[seen.camera]
        overlaps = overlap_with_others(seen.boxes)
        interval = self._intervals.note(camera, seen.time)
        present: list[Tracklet] = []
        cut_distance = self.threshold.cut_distance
        for row, track in enumerate(seen.track_ids.tolist()):
            sequence = self._sequences.get((camera, track))
            if sequence is None:
                sequence = self._sequences[camera, track] = TrackletSequence(camera, track, self.settings.tracklets)
                events.append(Event("track_started", seen.time, seen.camera, track))
            feature = None if seen.features is None else seen.features[row]
            if feature is not None and not np.isfinite(feature[0]):
                feature = None
            begun = sequence.observe(
                self._next_key, seen.time, seen.boxes[row], float(overlaps[row]), feature, float(seen.qualities[row]),
                seen.image_size, cut_distance, interval,
            )  # fmt: skip
            tracklet = sequence.current
            assert tracklet is not None
            if begun is not None:
                self._next_key += 1
                self._tracklets[begun.key] = begun
                if self.attempted and (begun.continuity < HOLDING_BOND or begun.previous in self._ceded):
                    begun.identity = None
                events += self._tell(begun, seen.time)
            present.append(tracklet)
            if tracklet.identity is not None:
                self.gallery.note(tracklet.identity, seen.time)
        self.duplicates.observe([tracklet.key for tracklet in present], seen.boxes)
        return present, events

    def _crops_needed(self, camera: int) -> int:
        return self._intervals.crops_needed(camera, self.settings.minimum_crops)

    def _seen_for(self, tracklet: Tracklet) -> float:
        return tracklet.end - self._sequences[tracklet.camera, tracklet.track].began

    def _enforce_exclusivity(self, present: Sequence[Tracklet]) -> list[Event]:
        """Of tracklets that are there at once with one identity, only the best known keeps it."""
        live = [sequence.current for sequence in self._sequences.values() if sequence.current is not None]
        events = []
        separate = self.settings.views == "separate"
        for tracklet in too_many(present, live, self._ceded, self.edits.outward, separate=separate):
            tracklet.identity = None
            events += self._tell(tracklet, self.time)
        return events

    def _tell(self, tracklet: Tracklet, time: float, score: float | None = None) -> list[Event]:
        """Write down who a tracklet is; return what is new in that."""
        camera, track = tracklet.camera, tracklet.track
        identity = tracklet.identity or 0
        ceded = min(self._ceded.get(tracklet.key, np.inf), tracklet.until)
        events = self._history.tell(camera, track, ceded, tracklet.until, 0, time=time)
        events += self._history.tell(camera, track, tracklet.start, ceded, identity, time=time, score=score)
        return self.edits.told(events)

    def _open_for(self, tracklet: Tracklet) -> list[Event]:
        """Open a new identity for a tracklet; without an embedder it is that of the whole track."""
        tracklet.identity = self.gallery.open(tracklet.end)
        events = [Event("identity_opened", tracklet.end, identity=tracklet.identity)]
        if self.attempted:
            return events + self._tell(tracklet, tracklet.end)
        earlier = tracklet
        while earlier.previous in self._tracklets:
            earlier = self._tracklets[earlier.previous]
            earlier.identity = tracklet.identity
        began = self._sequences[tracklet.camera, tracklet.track].began
        return events + self._history.tell(
            tracklet.camera, tracklet.track, began, np.inf, tracklet.identity, time=tracklet.end
        )

    def _assign(self, camera: int, time: float) -> list[Event]:
        """One Hungarian problem: tracklets of a camera that are ripe against identities not in its view."""
        ripe: list[tuple[Tracklet, NDArray[np.float32], AppearanceSummary]] = []
        needed = self._crops_needed(camera)
        for (owner, _), sequence in self._sequences.items():
            if owner != camera or sequence.current is None:
                continue
            if sequence.current.identity is None and sequence.crops >= needed:
                summary = sequence.settled_summary()
                if summary.mean is not None:
                    ripe.append((sequence.current, summary.mean, summary))
        if not ripe:
            return []
        ripe.sort(key=lambda item: item[0].key)
        numbers, cost = self.gallery.distances(np.stack([mean for _, mean, _ in ripe]))
        if self.evidence.camera_bias:
            # Single looks of two cameras cannot be compared: who is who is settled jointly.
            cost[:] = np.inf
        told = self.edits.all_outward(numbers)
        for row, (tracklet, _, _) in enumerate(ripe):
            taken = self._identities_beside(tracklet)
            cost[row, np.isin(told, sorted(taken))] = np.inf
        events: list[Event] = []
        chosen = dict(zip(*(part.tolist() for part in assign(cost, self.threshold.value))))
        for row, (tracklet, _, summary) in enumerate(ripe):
            if row in chosen:
                column = chosen[row]
                tracklet.identity = int(numbers[column])
                score = round(float(self.threshold.score(cost[row, column])), 3)
                events += self.edits.told(self.earlier.recall(tracklet.identity, time))
                events += self._tell(tracklet, time, score)
            else:
                events += self._open_for(tracklet)
            assert tracklet.identity is not None
            self.gallery.add(tracklet.identity, camera, summary, time)
        return events

    def _identities_beside(self, tracklet: Tracklet) -> set[int]:
        """Identities, as told, in the same camera (in any, when views are separate) meanwhile, or out of reach."""
        anywhere = self.settings.views == "separate"
        beside = self.archive.identities_beside(tracklet, any_camera=anywhere) | {
            other.identity
            for other in self._tracklets.values()
            if other is not tracklet
            and other.identity is not None
            and (
                ((other.camera == tracklet.camera or anywhere) and other.overlaps(tracklet))
                or self.possible.excludes(other, tracklet)
            )
        }
        return {self.edits.outward(number) for number in beside}

    def settle(self, *, final: bool = False) -> list[Event]:
        """Decide jointly about all remembered tracklets; return merges and corrections.

        Args:
            final: nothing more will be seen: who has no identity yet gets one if seen for long enough.
        """
        since, self._last_settled = self._last_settled, self.time
        nodes = sorted(self._tracklets.values(), key=lambda tracklet: tracklet.key)
        if not nodes:
            return []
        excess = max(0, len(nodes) - self.settings.remembered_tracklets)
        leaving = [node for node in nodes if node.closed][:excess]
        summaries = self._summaries(nodes)
        events: list[Event] = []
        if self.attempted:
            last_chance = {node.key for node in (nodes if final else leaving)}
            events = self._decide(nodes, summaries, last_chance, -np.inf if final else since)
        self._remember(nodes, leaving, summaries)
        return events

    def _decide(
        self, nodes: list[Tracklet], summaries: dict[int, AppearanceSummary], last_chance: set[int], since: float
    ) -> list[Event]:
        """Cluster the tracklets and give the clusters numbers; the settlement before was at ``since`` seconds."""
        near, most = 1.5 * self.threshold.value, self.settings.archived_candidates
        anchors = self.archive.anchors(nodes, summaries, near, most, since)
        summaries = summaries | {anchor.key: summary for anchor, summary in anchors}
        anchor_nodes = [anchor for anchor, _ in anchors]
        everything = anchor_nodes + nodes
        thorough = len(last_chance) == len(nodes)
        numbers = [anchor.identity or 0 for anchor in anchor_nodes]
        shares = {anchor.key: self.archive.camera_shares(number) for anchor, number in zip(anchor_nodes, numbers)}
        joint = self.evidence.gather(everything, summaries, thorough=thorough, shares=shares)
        count = len(anchor_nodes)
        joint.forbidden[:count, :count] |= self.earlier.apart(numbers)
        beside = self.archive.forbidden(anchor_nodes, nodes, any_camera=self.settings.views == "separate")
        joint.forbidden[:count, count:] |= beside
        joint.forbidden[count:, :count] |= beside.T
        row_of = {node.key: row for row, node in enumerate(everything)}
        both = [
            (row_of[first], row_of[second])
            for first, second in self.duplicates.pairs()
            if self.duplicates.allowed(everything[row_of[first]], everything[row_of[second]])
        ]
        for first, second in both:
            joint.forbidden[first, second] = joint.forbidden[second, first] = False
        self.edits.constrain(joint, everything)
        labels = cluster(joint.evidence, joint.forbidden, joint.weights, joint.bonds, margin=self.settings.caution)
        events = self._rename(everything, labels, summaries, last_chance)
        self._ceded = {}
        for first, second in both:
            if labels[first] == labels[second] and everything[first].overlaps(everything[second]):
                loser, since = yields(everything[first], everything[second])
                self._ceded[loser.key] = min(since, self._ceded.get(loser.key, np.inf))
        # The last of a track first: then nothing is said of it that the next event takes back.
        for node in reversed(nodes):
            events += self._tell(node, self.time)
        return events

    def _rename(
        self,
        nodes: Sequence[Tracklet],
        labels: NDArray[np.int64],
        summaries: Mapping[int, AppearanceSummary],
        last_chance: set[int],
    ) -> list[Event]:
        """Give each cluster the number that most of its observations had; others get new ones."""
        number_of, gone = inherit(nodes, labels)
        count = int(labels.max()) + 1
        ripe, asked, seconds = np.zeros(count, bool), np.zeros(count, bool), np.zeros(count)
        for node, label in zip(nodes, labels.tolist()):
            ripe[label] |= node.identity is not None or summaries[node.key].count >= self._crops_needed(node.camera)
            asked[label] |= node.key in last_chance
            seconds[label] += node.end - node.start if node.camera >= 0 else 0.0
        ripe |= asked & (seconds >= self.settings.minimum_seconds)
        events: list[Event] = []
        seen = {label for node, label in zip(nodes, labels.tolist()) if node.camera >= 0}
        for label in range(count):
            if label in seen and label in number_of:
                events += self.edits.told(self.earlier.recall(number_of[label], self.time))
            if label not in number_of and ripe[label]:
                number_of[label] = self.gallery.open(self.time)
                events.append(Event("identity_opened", self.time, identity=number_of[label]))
        for number, label in gone.items():
            told = self.edits.merged(number, number_of[label])
            if told is not None:
                events.append(Event("identities_merged", self.time, identity=told[1], previous_identity=told[0]))
            self.archive.merge(number, number_of[label])
        for node, label in zip(nodes, labels.tolist()):
            node.identity = number_of.get(label)
        return events

    def _remember(
        self, nodes: Sequence[Tracklet], leaving: Sequence[Tracklet], summaries: Mapping[int, AppearanceSummary]
    ) -> None:
        """Rebuild the gallery from the tracklets, and let go of those that are ``leaving``."""
        self.duplicates.forget({tracklet.key for tracklet in leaving})
        for tracklet in leaving:
            if tracklet.identity is not None:
                self.archive.add(tracklet)
            del self._tracklets[tracklet.key]
            self._ceded.pop(tracklet.key, None)
        present = {node.identity for node in self._tracklets.values() if node.identity is not None}
        self.archive.prune(min((node.start for node in self._tracklets.values()), default=np.inf), keep=present)
        if not self.settings.keep_history:
            self._history.forget_older(self._tracklets.values(), self._sequences)
        self._rebuild_gallery(nodes, summaries)
        self.edits.forget_others({one.number for one in self.gallery.identities()})

    def _close_silent(self) -> None:
        """Close tracklets of tracks that nobody reports any more: a camera may stop without saying that they ended."""
        for sequence in self._sequences.values():
            if sequence.current is not None and self.time - sequence.current.end > SILENT_SECONDS:
                sequence.close()
