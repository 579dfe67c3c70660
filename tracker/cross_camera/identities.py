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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tracker.association.assignment import assign
from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.archive import Archive
from tracker.cross_camera.crop_quality import overlap_with_others
from tracker.cross_camera.duplicates import Duplicates
from tracker.cross_camera.events import Event
from tracker.cross_camera.gallery import Gallery
from tracker.cross_camera.joint_evidence import JointEvidence
from tracker.cross_camera.settlement import cluster
from tracker.cross_camera.threshold import OpenSetThreshold, ThresholdRecord
from tracker.cross_camera.tracklets import Tracklet, TrackletRules, TrackletSequence

__all__ = ["CameraObservations", "Identities", "IdentitySettings"]


class IdentitySettings(BaseModel):
    """How identities are given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    false_match_rate: float = Field(default=0.01, gt=0, lt=0.5, description="of different people taken for one")
    minimum_crops: int = Field(default=4, ge=1, description="good crops before a tracklet is given an identity")
    settle_seconds: float = Field(default=10.0, gt=0, description="joint settlement this often")
    remembered_tracklets: int = Field(default=600, ge=10, description="tracklets settled jointly, at most")
    gallery_capacity: int = Field(default=2000, ge=1, description="identities remembered, at most")
    learn_geometry: bool = Field(default=True, description="learn how views overlap from people seen in both")
    keep_history: bool = Field(default=True, description="remember every track's identity until the end of the run")
    views: str = Field(default="auto", pattern="^(auto|separate)$", description="separate: no two views overlap")
    tracklets: TrackletRules = TrackletRules()


@dataclass(frozen=True, slots=True, eq=False)
class CameraObservations:
    """What one camera's tracker reported of one frame.

    ``features`` (N, D) are L2-normalised vectors, rows of NaN where a crop was not embedded, ``None`` without an
    embedder; ``qualities`` (N,) say how far each crop is to be trusted (0…1).
    """

    camera: str
    time: float
    track_ids: NDArray[np.int64]
    boxes: NDArray[np.float32]
    features: NDArray[np.float32] | None
    qualities: NDArray[np.float32]
    image_size: tuple[int, int]
    ended: NDArray[np.int64]


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
        """Settle everything once more and give every tracklet that has none an identity; call at the end."""
        for sequence in self._sequences.values():
            sequence.close()
        self._sequences = {}
        events = self.settle() if self.attempted else []
        for tracklet in sorted(self._tracklets.values(), key=lambda tracklet: tracklet.key):
            if tracklet.identity is None:
                events += self._open_for(tracklet)
        return events

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
        keys_seen: list[int] = []
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
                if begun.previous is not None and begun.continuity <= 0:
                    begun.identity = None
                if not self.attempted and begun.identity is None:
                    events += self._open_for(begun)
            assert sequence.current is not None
            keys_seen.append(sequence.current.key)
            if sequence.current.identity is not None:
                self.gallery.note(sequence.current.identity, seen.time)
        self.duplicates.observe(keys_seen, seen.boxes)
        return events

    def _open_for(self, tracklet: Tracklet) -> list[Event]:
        tracklet.identity = self.gallery.open(tracklet.end)
        camera = self.cameras[tracklet.camera]
        return [
            Event("identity_opened", tracklet.end, identity=tracklet.identity),
            Event("identity_assigned", tracklet.end, camera, tracklet.track, tracklet.identity, since=tracklet.start),
        ]

    def _assign(self, camera: int, time: float) -> list[Event]:
        """One Hungarian problem: tracklets of a camera that are ripe against identities not in its view."""
        if not self.attempted:
            return []
        ripe: list[tuple[Tracklet, NDArray[np.float32], AppearanceSummary]] = []
        active: list[Tracklet] = []
        for (owner, _), sequence in self._sequences.items():
            if owner != camera or sequence.current is None:
                continue
            active.append(sequence.current)
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
                score = float(self.threshold.score(cost[row, column]))
                name = self.cameras[camera]
                events.append(
                    Event("identity_assigned", time, name, tracklet.track, tracklet.identity,
                          since=tracklet.start, score=round(score, 3))
                )  # fmt: skip
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

    def settle(self) -> list[Event]:
        """Decide jointly about all remembered tracklets; return merges and corrections."""
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
        self._ceded = {key: time for key, time in self._ceded.items() if key not in self._tracklets}
        labels = cluster(joint.evidence, joint.forbidden, joint.weights, joint.bonds)
        events = self._rename(everything, labels, summaries)
        for first, second in both:
            if labels[first] == labels[second] and everything[first].overlaps(everything[second]):
                earlier, later = sorted(
                    (everything[first], everything[second]), key=lambda node: (node.start, -node.observations, node.key)
                )
                self._ceded[earlier.key] = min(later.start, self._ceded.get(earlier.key, np.inf))
        self._remember(nodes, summaries)
        return events

    def _rename(
        self, nodes: Sequence[Tracklet], labels: NDArray[np.int64], summaries: Mapping[int, AppearanceSummary]
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
        ripe = np.zeros(count, bool)
        for node, label in zip(nodes, labels.tolist()):
            ripe[label] |= node.identity is not None or summaries[node.key].count >= self.settings.minimum_crops
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
            kind = "identity_assigned" if node.identity is None else "identity_corrected"
            events.append(
                Event(kind, self.time, self.cameras[node.camera], node.track, identity,
                      previous_identity=node.identity, since=node.start)
            )  # fmt: skip
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
