"""Tracklets: stretches of a track during which it surely follows one and the same person.

A tracker may slip from one person to another when they meet, after a gap, or when a box jumps. A track is therefore
cut wherever that could have happened, and identities are given to the pieces. What speaks for two neighbouring
pieces being the same person after all (``continuity``) is kept and weighed with the rest of the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tracker.cross_camera.appearance import AppearanceSummary, normalised

__all__ = ["SLOT_SECONDS", "Tracklet", "TrackletRules", "TrackletSequence"]

#: positions are kept on a common time grid, so that two cameras can be compared instant by instant
SLOT_SECONDS = 0.2


class TrackletRules(BaseModel):
    """Where a track is cut, and how strongly its two neighbouring pieces still hold together (in nats)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maximum_gap_seconds: float = Field(default=0.5, gt=0, description="unseen for longer: cut")
    maximum_blink_seconds: float = Field(default=0.15, gt=0, description="unseen for longer and then elsewhere: cut")
    maximum_jump: float = Field(default=0.6, gt=0, description="moved by more than this share of the box height")
    maximum_size_change: float = Field(default=1.4, gt=1, description="box height changed by more than this factor")
    encounter_overlap: float = Field(default=0.5, gt=0, le=1, description="share another track covers: they meet")
    maximum_seconds: float = Field(default=30.0, gt=0, description="a tracklet never lasts longer")
    recent_crops: int = Field(default=6, ge=2, description="crops compared with all before to notice another person")
    continuity_gap: float = 1.5
    size_change_seconds: float = Field(default=0.3, gt=0)
    continuity_size: float = 2.0
    continuity_jump: float = 0.0
    continuity_encounter: float = 2.0
    continuity_appearance: float = 1.0
    continuity_length: float = 8.0


@dataclass(slots=True)
class Tracklet:
    """One uncut stretch of one track.

    ``slots``, ``heads``, ``heights`` and ``usable`` are its path: the top centre of the box and the box height in
    pixels on the common time grid; a head outside the picture is not usable.
    """

    key: int
    camera: int
    track: int
    start: float
    end: float
    #: when the track's next tracklet begins; infinite while there is none
    until: float = float("inf")
    previous: int | None = None
    continuity: float = 0.0
    observations: int = 0
    summary: AppearanceSummary = field(default_factory=AppearanceSummary)
    slots: list[int] = field(default_factory=list)
    heads: list[tuple[float, float]] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    usable: list[bool] = field(default_factory=list)
    best_quality: float = 0.0
    identity: int | None = None
    closed: bool = False
    #: whose a person has said it is
    pinned: int | None = None

    def overlaps(self, other: Tracklet) -> bool:
        """Whether both were alive at one instant."""
        return self.start <= other.end and other.start <= self.end


class TrackletSequence:
    """The tracklets of one track, cut while the track is being observed.

    Args:
        camera: number of the camera.
        track: the tracker's id.
        rules: where to cut.
    """

    __slots__ = (
        "_box", "_heights", "_met", "_pending", "_time", "began", "camera", "current", "rules", "track",
    )  # fmt: skip

    def __init__(self, camera: int, track: int, rules: TrackletRules) -> None:
        self.camera = camera
        self.track = track
        self.rules = rules
        self.current: Tracklet | None = None
        #: time of the track's first observation, seconds
        self.began = np.inf
        self._box: NDArray[np.float32] | None = None
        self._time = 0.0
        self._met = False
        self._heights: list[tuple[float, float]] = []
        self._pending: list[tuple[float, NDArray[np.float32], float]] = []

    def observe(
        self,
        next_key: int,
        time: float,
        box: NDArray[np.float32],
        overlap: float,
        feature: NDArray[np.float32] | None,
        quality: float,
        image_size: tuple[int, int],
        cut_distance: float,
        interval: float = 0.0,
    ) -> Tracklet | None:
        """Add one observation; return a new tracklet when one begins with it, else ``None``.

        Args:
            next_key: the key a new tracklet gets.
            time: seconds.
            box: (4,) ``x1, y1, x2, y2`` in pixels.
            overlap: share of the box that another track's box covers.
            feature: (D,) L2-normalised vector of the crop, or ``None`` when it was not embedded.
            quality: how far the crop can be trusted, 0…1.
            image_size: (width, height) in pixels.
            cut_distance: cosine distance from which the latest crops are taken for another person.
            interval: the camera's usual time between two frames, seconds.
        """
        begun = None
        self.began = min(self.began, time)
        cut = self._reason_to_cut(time, box, overlap, interval)
        if cut is not None:
            begun = self._begin(next_key, time, cut)
        tracklet = self.current
        assert tracklet is not None
        tracklet.end = time
        tracklet.observations += 1
        tracklet.best_quality = max(tracklet.best_quality, quality)
        self._extend_path(tracklet, time, box, image_size)
        if overlap >= self.rules.encounter_overlap:
            self._met = True
        self._box, self._time = box, time
        if feature is not None and quality > 0:
            self._pending.append((time, feature, quality))
            if len(self._pending) > self.rules.recent_crops:
                tracklet.summary.add(self._pending[0][1], self._pending[0][0], self._pending[0][2])
                self._pending.pop(0)
                if begun is None and self._looks_different(cut_distance):
                    begun = self._cut_before_pending(next_key)
        return begun

    def close(self) -> None:
        """End the current tracklet: the track is gone."""
        if self.current is not None:
            self._flush(self.current)
            self.current.closed = True

    def forget(self) -> None:
        """Forget who was followed so far; the next observation begins a tracklet that no other precedes."""
        self.current, self._pending = None, []

    @property
    def crops(self) -> int:
        """How many crops ``settled_summary`` rests on."""
        return 0 if self.current is None else self.current.summary.count + len(self._pending)

    def settled_summary(self) -> AppearanceSummary:
        """Return what is known of the current tracklet's appearance, the latest crops included."""
        assert self.current is not None
        if not self._pending:
            return self.current.summary
        summary = AppearanceSummary(self.current.summary.capacity)
        summary.absorb(self.current.summary)
        for time, feature, weight in self._pending:
            summary.add(feature, time, weight)
        return summary

    def _reason_to_cut(self, time: float, box: NDArray[np.float32], overlap: float, interval: float) -> float | None:
        """Return the continuity over a cut that is due now, or ``None``."""
        if self.current is None or self._box is None:
            return 0.0
        # From one frame of a slow camera to the next nobody was unseen.
        unseen = time - self._time if time - self._time > 1.5 * interval or self.current.closed else 0.0
        if unseen > self.rules.maximum_blink_seconds or self.current.closed:
            # Only somebody who is where he was is surely the same.
            if _iou(box, self._box) < 0.5 or _head_moved(box, self._box) > 0.25:
                return self.rules.continuity_jump
            if unseen > self.rules.maximum_gap_seconds or self.current.closed:
                return self.rules.continuity_gap
        height, old_height = box[3] - box[1], self._box[3] - self._box[1]
        # Measured at the feet and at the head: one of them stays when a person is partly hidden or cut off.
        middle = (box[0] + box[2] - self._box[0] - self._box[2]) / 2
        moved = min(np.hypot(middle, box[1] - self._box[1]), np.hypot(middle, box[3] - self._box[3]))
        frames = max(1.0, (time - self._time) / SLOT_SECONDS)
        if moved > self.rules.maximum_jump * max(old_height, height) * frames:
            return self.rules.continuity_jump
        if self._size_changed(time, float(height)):
            # Somebody half hidden all of a sudden keeps the head where it was; so does who stands behind another.
            there = _head_moved(box, self._box) < 0.25
            return self.rules.continuity_size if there else self.rules.continuity_jump
        if self._met and overlap < 0.5 * self.rules.encounter_overlap:
            return self.rules.continuity_encounter
        if time - self.current.start > self.rules.maximum_seconds:
            return self.rules.continuity_length
        return None

    def _size_changed(self, time: float, height: float) -> bool:
        """Whether the box grew or shrank within moments, as when it slips to two people or to another one."""
        self._heights = [entry for entry in self._heights if time - entry[0] <= self.rules.size_change_seconds]
        self._heights.append((time, height))
        low = min(entry[1] for entry in self._heights)
        high = max(entry[1] for entry in self._heights)
        return high > self.rules.maximum_size_change * max(low, 1e-6)

    def _begin(self, key: int, time: float, continuity: float) -> Tracklet:
        previous = self.current
        if previous is not None:
            self._flush(previous)
            previous.closed = True
            previous.until = time
        self._met = False
        self._heights = []
        self.current = Tracklet(
            key, self.camera, self.track, time, time, previous=None if previous is None else previous.key,
            continuity=continuity,
        )  # fmt: skip
        if previous is not None:
            self.current.identity = previous.identity
        return self.current

    def _flush(self, tracklet: Tracklet) -> None:
        for time, feature, weight in self._pending:
            tracklet.summary.add(feature, time, weight)
        self._pending = []

    def _looks_different(self, cut_distance: float) -> bool:
        tracklet = self.current
        assert tracklet is not None
        if tracklet.summary.count < self.rules.recent_crops or len(self._pending) < self.rules.recent_crops:
            return False
        recent = normalised(sum(feature * weight for _, feature, weight in self._pending))  # type: ignore[arg-type]
        mean = tracklet.summary.mean
        assert mean is not None
        return float(1.0 - recent @ mean) > cut_distance

    def _cut_before_pending(self, key: int) -> Tracklet | None:
        """Cut where the latest crops begin, which look like somebody else."""
        old = self.current
        assert old is not None
        pending, self._pending = self._pending, []
        pending = self._without_the_first(old, pending)
        cut_time = pending[0][0]
        cut_slot = round(cut_time / SLOT_SECONDS)
        kept = sum(slot < cut_slot for slot in old.slots)
        if cut_time <= old.start or kept == 0:
            self._pending = pending
            return None
        new = self._begin(key, cut_time, self.rules.continuity_appearance)
        new.end = old.end
        new.slots, old.slots = old.slots[kept:], old.slots[:kept]
        new.heads, old.heads = old.heads[kept:], old.heads[:kept]
        new.heights, old.heights = old.heights[kept:], old.heights[:kept]
        new.usable, old.usable = old.usable[kept:], old.usable[:kept]
        share = (new.end - cut_time) / max(old.end - old.start, 1e-9)
        new.observations = max(len(pending), round(old.observations * share))
        old.observations = max(1, old.observations - new.observations)
        old.end = float(np.nextafter(cut_time, -np.inf))
        self._pending = pending
        return new

    @staticmethod
    def _without_the_first(
        old: Tracklet, pending: list[tuple[float, NDArray[np.float32], float]]
    ) -> list[tuple[float, NDArray[np.float32], float]]:
        """Give the first of the latest crops to the old tracklet as far as they look more like it."""
        half = len(pending) // 2
        late = normalised(sum(feature * weight for _, feature, weight in pending[half:]))  # type: ignore[arg-type]
        mean = old.summary.mean
        assert mean is not None
        first = 0
        while first < half and pending[first][1] @ mean > pending[first][1] @ late:
            time, feature, weight = pending[first]
            old.summary.add(feature, time, weight)
            first += 1
        return pending[first:]

    @staticmethod
    def _extend_path(tracklet: Tracklet, time: float, box: NDArray[np.float32], image_size: tuple[int, int]) -> None:
        slot = round(time / SLOT_SECONDS)
        if tracklet.slots and tracklet.slots[-1] >= slot:
            return
        width, height = image_size
        margin = 0.01 * height
        inside = box[1] > margin and box[0] > margin and box[2] < width - margin
        tracklet.slots.append(slot)
        tracklet.heads.append((float(box[0] + box[2]) / 2, float(box[1])))
        tracklet.heights.append(float(box[3] - box[1]))
        tracklet.usable.append(bool(inside))


def _iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, float(width)) * max(0.0, float(height))
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (first, second)]
    return shared / max(sum(areas) - shared, 1e-9)


def _head_moved(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return how far the top centre moved, as a share of the smaller height."""
    moved = np.hypot((first[0] + first[2] - second[0] - second[2]) / 2, first[1] - second[1])
    return float(moved / max(min(first[3] - first[1], second[3] - second[1]), 1e-6))
