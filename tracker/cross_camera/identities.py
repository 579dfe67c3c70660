"""One identity per person across cameras that are not calibrated.

While the video runs, each tracklet that has shown enough good crops is assigned to a known identity or opens a new
one: per camera and step one Hungarian problem with the learnt threshold as the price of "a new person". From time to
time, and at the end, all remembered tracklets are settled jointly with all evidence: appearance, what the views have
learnt of each other's geometry, and the continuity of tracks. Identities may then merge, and fresh mistakes are
corrected; events say so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.archive import Archive
from tracker.cross_camera.crop_quality import overlap_with_others
from tracker.cross_camera.duplicates import Duplicates
from tracker.cross_camera.events import Event
from tracker.cross_camera.gallery import Gallery
from tracker.cross_camera.identity_settings import CameraObservations, IdentitySettings
from tracker.cross_camera.joint_evidence import JointEvidence
from tracker.cross_camera.settlement import cluster
from tracker.cross_camera.threshold import OpenSetThreshold, ThresholdRecord
from tracker.cross_camera.tracklets import Tracklet, TrackletSequence

__all__ = ["CameraObservations", "Identities", "IdentitySettings"]

#: a track's next tracklet carries the identity on when the bond over the cut is at least this (nats)
CARRIED_BOND = 1.5


class Identities:
    """Gives tracks of several cameras identities, and revises them while evidence grows.

    The result does not depend on the order in which cameras are named.

    Args:
        cameras: their names.
        settings: how identities are given.
        default_threshold: the embedder's recorded cosine distance; ``None`` without an embedder: then every track is
            an identity of its own.
    """

    def __init__(
        self, cameras: Sequence[str], settings: IdentitySettings | None = None, default_threshold: float | None = None
    ) -> None:
        self.settings = settings or IdentitySettings()
        self.cameras = sorted(cameras)
        self._number = {name: number for number, name in enumerate(self.cameras)}
        self.attempted = default_threshold is not None
        self.threshold = OpenSetThreshold(
            default_threshold if default_threshold is not None else 1.0, false_match_rate=self.settings.false_match_rate
        )
        self.gallery = Gallery(self.settings.gallery_capacity)
        self.evidence = JointEvidence(
            self.threshold,
            learn_geometry=self.settings.learn_geometry,
            views_may_overlap=self.settings.views == "auto",
        )
        self.duplicates = Duplicates()
        self.archive = Archive(self.settings.gallery_capacity)
        self.time = -np.inf
        self._sequences: dict[tuple[int, int], TrackletSequence] = {}
        self._tracklets: dict[int, Tracklet] = {}
        self._next_key = 0
        self._last_settled = -np.inf
        # (camera, track) → starts and keys of its tracklets, and key → identity: what identity_of() reads
        self._starts: dict[tuple[int, int], tuple[list[float], list[int]]] = {}
        self._final: dict[int, int] = {}
        # key → when its identity went over to another track on the same person
        self._ceded: dict[int, float] = {}

    def observe(self, step: Sequence[CameraObservations]) -> list[Event]:
        """Take in what all cameras reported of one instant; return what happened to tracks and identities."""
        events: list[Event] = []
        for seen in sorted(step, key=lambda seen: self._number[seen.camera]):
            self.time = max(self.time, seen.time)
            events += self._take_in(seen)
        for seen in sorted(step, key=lambda seen: self._number[seen.camera]):
            events += self._assign(self._number[seen.camera], seen.time)
        for seen in sorted(step, key=lambda seen: self._number[seen.camera]):
            for track in seen.ended.tolist():
                sequence = self._sequences.pop((self._number[seen.camera], track), None)
                if sequence is not None:
                    sequence.close()
                    events.append(Event("track_ended", seen.time, seen.camera, track))
        if not np.isfinite(self._last_settled):
            self._last_settled = self.time
        if self.attempted and self.time - self._last_settled >= self.settings.settle_seconds:
            events += self.settle()
        return events

    def identity_of(self, camera: str, track_ids: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the identity (N,) of each track at each time as known now; 0 where none has been given yet."""
        number = self._number[camera]
        result = np.zeros(len(track_ids), np.int64)
        for row, (track, time) in enumerate(zip(np.asarray(track_ids).tolist(), np.asarray(times).tolist())):
            entry = self._starts.get((number, track))
            if entry is None:
                continue
            position = max(0, bisect_right(entry[0], time) - 1)
            key = entry[1][position]
            if time < self._ceded.get(key, np.inf):
                result[row] = self._identity(key) or 0
        return result

    def finish(self) -> list[Event]:
        """Settle everything once more; call at the end. Who was seen too briefly to be anybody keeps no identity."""
        for sequence in self._sequences.values():
            sequence.close()
        self._sequences = {}
        return self.settle(final=True) if self.attempted else []

    def threshold_record(self) -> ThresholdRecord | None:
        """Return the threshold and what it rests on; ``None`` without an embedder."""
        return self.threshold.record() if self.attempted else None

    def _identity(self, key: int) -> int | None:
        tracklet = self._tracklets.get(key)
        return tracklet.identity if tracklet is not None else self._final.get(key)

    def _take_in(self, seen: CameraObservations) -> list[Event]:
        events: list[Event] = []
        camera = self._number[seen.camera]
        overlaps = overlap_with_others(seen.boxes)
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
                seen.image_size, cut_distance,
            )  # fmt: skip
            if begun is not None:
                self._next_key += 1
                self._tracklets[begun.key] = begun
                starts, keys = self._starts.setdefault((camera, track), ([], []))
                starts.append(begun.start)
                keys.append(begun.key)
                if begun.previous is not None and self.attempted and begun.continuity < CARRIED_BOND:
                    begun.identity = None
                if begun.identity is not None:
                    events.append(self._assigned(begun, seen.time))
            assert sequence.current is not None
            present.append(sequence.current)
            if sequence.current.identity is not None:
                self.gallery.note(sequence.current.identity, seen.time)
        self.duplicates.observe([tracklet.key for tracklet in present], seen.boxes)
        if self.attempted:
            return events + self._enforce_exclusivity(present, seen.time)
        for tracklet in present:
            if tracklet.identity is None and self._seen_for(tracklet) >= self.settings.minimum_seconds:
                events += self._open_for(tracklet)
        return events

    def _seen_for(self, tracklet: Tracklet) -> float:
        return tracklet.end - self._starts[tracklet.camera, tracklet.track][0][0]

    def _enforce_exclusivity(self, present: Sequence[Tracklet], time: float) -> list[Event]:
        """Of tracklets that are there at once with one identity, only the best known keeps it."""
        events = []
        holders: dict[int, Tracklet] = {}
        for tracklet in sorted(present, key=lambda tracklet: (-tracklet.observations, tracklet.key)):
            if tracklet.identity is None:
                continue
            if tracklet.identity in holders:
                events.append(self._corrected(tracklet, 0, time))
                tracklet.identity = None
            else:
                holders[tracklet.identity] = tracklet
        return events

    def _assigned(self, tracklet: Tracklet, time: float, score: float | None = None) -> Event:
        camera = self.cameras[tracklet.camera]
        return Event(
            "identity_assigned", time, camera, tracklet.track, tracklet.identity, since=tracklet.start, score=score
        )

    def _corrected(self, tracklet: Tracklet, identity: int, time: float, since: float | None = None) -> Event:
        return Event(
            "identity_corrected", time, self.cameras[tracklet.camera], tracklet.track, identity,
            previous_identity=tracklet.identity, since=tracklet.start if since is None else since,
        )  # fmt: skip

    def _open_for(self, tracklet: Tracklet) -> list[Event]:
        """Open a new identity for a tracklet, and for the earlier ones of its track that it follows from."""
        tracklet.identity = self.gallery.open(tracklet.end)
        events = [Event("identity_opened", tracklet.end, identity=tracklet.identity)]
        if not self.attempted:
            for key in self._starts[tracklet.camera, tracklet.track][1]:
                earlier = self._tracklets.get(key)
                if earlier is not None and earlier.identity is None:
                    earlier.identity = tracklet.identity
                    events.append(self._assigned(earlier, tracklet.end))
        return [*events, self._assigned(tracklet, tracklet.end)]

    def _assign(self, camera: int, time: float) -> list[Event]:
        """One Hungarian problem: tracklets of a camera that are ripe against identities not in its view."""
        if not self.attempted:
            return []
        ripe: list[tuple[Tracklet, NDArray[np.float32], AppearanceSummary]] = []
        for (owner, _), sequence in self._sequences.items():
            if owner != camera or sequence.current is None:
                continue
            if sequence.current.identity is None:
                summary = sequence.settled_summary()
                if summary.count >= self.settings.minimum_crops and summary.mean is not None:
                    ripe.append((sequence.current, summary.mean, summary))
        if not ripe:
            return []
        ripe.sort(key=lambda item: item[0].key)
        numbers, cost = self.gallery.distances(np.stack([mean for _, mean, _ in ripe]))
        for row, (tracklet, _, _) in enumerate(ripe):
            taken = self._identities_beside(tracklet)
            cost[row, [number in taken for number in numbers.tolist()]] = np.inf
        events: list[Event] = []
        chosen = dict(zip(*(part.tolist() for part in assign(cost, self.threshold.value))))
        for row, (tracklet, _, summary) in enumerate(ripe):
            if row in chosen:
                column = chosen[row]
                tracklet.identity = int(numbers[column])
                score = round(float(self.threshold.score(cost[row, column])), 3)
                events.append(self._assigned(tracklet, time, score))
            else:
                events += self._open_for(tracklet)
            assert tracklet.identity is not None
            self.gallery.add(tracklet.identity, camera, summary, time)
        return events

    def _identities_beside(self, tracklet: Tracklet) -> set[int]:
        """Identities that were in the same camera (or in any, when views are separate) while the tracklet lived."""
        anywhere = self.settings.views == "separate"
        return self.archive.identities_beside(tracklet, any_camera=anywhere) | {
            other.identity
            for other in self._tracklets.values()
            if other is not tracklet
            and other.identity is not None
            and (other.camera == tracklet.camera or anywhere)
            and other.overlaps(tracklet)
        }

    def settle(self, *, final: bool = False) -> list[Event]:
        """Decide jointly about all remembered tracklets; return merges and corrections.

        Args:
            final: nothing more will be seen: who has no identity yet gets one if seen for long enough.
        """
        self._last_settled = self.time
        nodes = sorted(self._tracklets.values(), key=lambda tracklet: tracklet.key)
        if not nodes:
            return []
        summaries: dict[int, AppearanceSummary] = {}
        for tracklet in nodes:
            sequence = self._sequences.get((tracklet.camera, tracklet.track))
            live = sequence is not None and sequence.current is tracklet
            summaries[tracklet.key] = sequence.settled_summary() if live and sequence else tracklet.summary
        means = [mean for node in nodes if (mean := summaries[node.key].mean) is not None]
        looks = np.stack(means) if means else np.zeros((0, 0), np.float32)
        held = {node.identity for node in nodes if node.identity is not None}
        anchors = self.archive.anchors(held, looks, near=1.5 * self.threshold.value)
        summaries |= {anchor.key: summary for anchor, summary in anchors}
        anchor_nodes = [anchor for anchor, _ in anchors]
        joint = self.evidence.gather(anchor_nodes + nodes, summaries)
        count = len(anchor_nodes)
        beside = self.archive.forbidden(anchor_nodes, nodes, any_camera=self.settings.views == "separate")
        joint.forbidden[:count, count:] |= beside
        joint.forbidden[count:, :count] |= beside.T
        row_of = {node.key: row for row, node in enumerate(anchor_nodes + nodes)}
        both = [(row_of[a], row_of[b]) for a, b in self.duplicates.pairs() if a in row_of and b in row_of]
        everything = anchor_nodes + nodes
        for first, second in both:
            if self.duplicates.allowed(everything[first], everything[second]):
                joint.forbidden[first, second] = joint.forbidden[second, first] = False
        before = {key: time for key, time in self._ceded.items() if key in self._tracklets}
        self._ceded = {key: time for key, time in self._ceded.items() if key not in self._tracklets}
        labels = cluster(joint.evidence, joint.forbidden, joint.weights, joint.bonds, margin=self.settings.caution)
        events = self._rename(everything, labels, summaries, final)
        for first, second in both:
            if labels[first] == labels[second] and everything[first].overlaps(everything[second]):
                earlier, later = sorted(
                    (everything[first], everything[second]), key=lambda node: (node.start, -node.observations, node.key)
                )
                if later.start < self._ceded.get(earlier.key, np.inf):
                    self._ceded[earlier.key] = later.start
                    events.append(self._corrected(earlier, 0, self.time, since=later.start))
        for key, time in before.items():
            tracklet = self._tracklets[key]
            if key not in self._ceded and tracklet.identity is not None:
                events.append(self._corrected(tracklet, tracklet.identity, self.time, since=time))
        self._remember(nodes, summaries)
        return events

    def _rename(
        self,
        nodes: Sequence[Tracklet],
        labels: NDArray[np.int64],
        summaries: Mapping[int, AppearanceSummary],
        final: bool,
    ) -> list[Event]:
        """Give each cluster the number that most of its observations had; others get new ones."""
        events: list[Event] = []
        old = sorted({node.identity for node in nodes if node.identity is not None})
        count = int(labels.max()) + 1
        shared = np.zeros((count, len(old)))
        for node, label in zip(nodes, labels.tolist()):
            if node.identity is not None:
                # What is decided for good keeps its number.
                shared[label, old.index(node.identity)] += node.observations if node.camera >= 0 else 1e9
        # The lower number wins among equals: the one known for longer.
        cost = -shared + np.arange(len(old)) * 1e-6
        cost[shared == 0] = np.inf
        chosen = dict(zip(*(part.tolist() for part in assign(cost, 0.0)))) if old else {}
        ripe, seconds = np.zeros(count, bool), np.zeros(count)
        for node, label in zip(nodes, labels.tolist()):
            ripe[label] |= node.identity is not None or summaries[node.key].count >= self.settings.minimum_crops
            seconds[label] += node.end - node.start if node.camera >= 0 else 0.0
        if final:
            ripe |= seconds >= self.settings.minimum_seconds
        number_of: dict[int, int] = {label: old[column] for label, column in chosen.items()}
        for label in range(count):
            if label not in number_of and ripe[label]:
                number_of[label] = self.gallery.open(self.time)
                events.append(Event("identity_opened", self.time, identity=number_of[label]))
        gone = {number for number in old if number not in number_of.values()}
        for number in sorted(gone):
            column = old.index(number)
            heir = number_of[int(np.argmax(shared[:, column]))]
            events.append(Event("identities_merged", self.time, identity=heir, previous_identity=number))
        for node, label in zip(nodes, labels.tolist()):
            identity = number_of.get(label)
            if identity is None or identity == node.identity:
                continue
            if node.identity is None:
                node.identity = identity
                events.append(self._assigned(node, self.time))
                continue
            events.append(self._corrected(node, identity, self.time))
            node.identity = identity
        return events

    def _remember(self, nodes: Sequence[Tracklet], summaries: Mapping[int, AppearanceSummary]) -> None:
        """Rebuild the gallery from the tracklets, and let go of the oldest ones when there are too many."""
        excess = len(nodes) - self.settings.remembered_tracklets
        for tracklet in [node for node in nodes if node.closed][: max(0, excess)]:
            if tracklet.identity is None:
                tracklet.identity = self.gallery.open(tracklet.end)
            self.archive.add(tracklet)
            self.duplicates.forget({tracklet.key})
            del self._tracklets[tracklet.key]
            if self.settings.keep_history:
                self._final[tracklet.key] = tracklet.identity
        present = {node.identity for node in self._tracklets.values() if node.identity is not None}
        self.archive.prune(min((node.start for node in self._tracklets.values()), default=np.inf), keep=present)
        if not self.settings.keep_history:
            self._forget_starts()
        views = self.archive.views()
        for node in nodes:
            if node.identity is None or summaries[node.key].count == 0:
                continue
            if node.key in self._tracklets:
                by_camera = views.setdefault(node.identity, {})
                by_camera.setdefault(node.camera, AppearanceSummary()).absorb(summaries[node.key])
        self.gallery.replace_views(views, keep=present)
        self.gallery.shrink(keep=present)

    def _forget_starts(self) -> None:
        for key, (_, keys) in list(self._starts.items()):
            if not any(tracklet in self._tracklets for tracklet in keys) and key not in self._sequences:
                del self._starts[key]
                for tracklet in keys:
                    self._ceded.pop(tracklet, None)
