"""OC-SORT: observation-centric SORT."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tracker.association.costs import direction_consistency, iou, overlapping_pairs
from tracker.single_camera.base import check_range
from tracker.single_camera.sort import Sort
from tracker.single_camera.stages import Indices, Mask, Observation, Pairs, Stage, iou_cost
from tracker.track_table import TrackTable

__all__ = ["OCSort"]

#: most virtual steps of a re-update; a longer gap is walked in longer steps
_VIRTUAL_STEPS = 120


class OCSort(Sort):
    """SORT that trusts observations more than its own predictions (Cao et al., CVPR 2023).

    Args:
        frame_rate: nominal frames per second.
        minimum_confidence: detections below this score are ignored, or left to the second stage; 0.6.
        minimum_iou: least IoU of a match; 0.3.
        minimum_hits: matches in a row, after its first detection, before a track is reported; 3.
        lost_track_seconds: how long an unmatched track is kept; 30 frames at 30 frames/s.
        direction_seconds: time over which a track's direction is measured; Δt = 3 frames at 30 frames/s.
        inertia: weight λ of the direction's consistency; 0.2.
        second_stage: whether detections between ``low_confidence`` and ``minimum_confidence`` are offered to unmatched
            tracks, as in ByteTrack; False in the paper.
        low_confidence: least score of the second stage.
        new_track_confidence: score from which an unmatched detection starts a track; ``None``:
            ``minimum_confidence``, as in the paper.
        reports_observations: whether boxes are reported as observed, as in the authors' code, or as the filter has
            them, which is better where boxes are noisy.
    """

    name = "ocsort"

    def __init__(
        self,
        *,
        frame_rate: float = 30.0,
        minimum_confidence: float = 0.6,
        minimum_iou: float = 0.3,
        minimum_hits: int = 3,
        lost_track_seconds: float = 1.0,
        direction_seconds: float = 0.1,
        inertia: float = 0.2,
        second_stage: bool = False,
        low_confidence: float = 0.1,
        new_track_confidence: float | None = None,
        reports_observations: bool = True,
    ) -> None:
        check_range("frame_rate", frame_rate, 1e-6, 1e6)
        check_range("low_confidence", low_confidence, -np.inf, np.inf)
        if new_track_confidence is not None:
            check_range("new_track_confidence", new_track_confidence, -np.inf, np.inf)
        check_range("direction_seconds", direction_seconds, 0.0, 60.0)
        check_range("inertia", inertia, 0.0, 1.0)
        self.direction_seconds = direction_seconds
        self.inertia = inertia
        self.second_stage = second_stage
        self.low_confidence = low_confidence
        self.new_track_confidence = new_track_confidence
        self.reports_observations = bool(reports_observations)
        self._history = min(max(math.ceil(direction_seconds * frame_rate - 1e-6), 1), 64)
        self.extra = {
            "last_box": 4,
            "direction": 2,
            "observed_state": 20,
            "center_x": self._history,
            "center_y": self._history,
            "center_time": self._history,
        }
        super().__init__(
            frame_rate=frame_rate,
            minimum_confidence=minimum_confidence,
            minimum_iou=minimum_iou,
            minimum_hits=minimum_hits,
            lost_track_seconds=lost_track_seconds,
        )

    def associate(self, frame: Observation) -> Iterator[Stage]:
        everyone = np.ones(len(self.table), bool)
        confident = frame.scores >= self.minimum_confidence
        origins = self._origins(frame.time)

        def momentum_cost(pairs: Pairs) -> NDArray[np.floating]:
            """Observation-centric momentum (OCM, section 4.1)."""
            boxes = frame.boxes.take(pairs.columns, axis=1)
            agreement = direction_consistency(
                self.table.extra["direction"].take(pairs.rows, axis=1),
                origins.take(pairs.rows, axis=1),
                (boxes[:2] + boxes[2:]) * 0.5,
            )
            costs = 1.0 - pairs.similarity - self.inertia * agreement * frame.scores[pairs.columns]
            costs[pairs.similarity < self.minimum_iou] = np.inf
            return costs

        # a pair is always better than none here: the cost itself sees to the least IoU
        yield Stage(everyone, confident, momentum_cost, 1.0 + self.inertia)
        if self.second_stage:
            unsure = (frame.scores > self.low_confidence) & ~confident
            yield Stage(everyone, unsure, iou_cost, 1.0 - self.minimum_iou)
        recovery = self._recovery_pairs(frame, confident)
        if recovery is not None:
            yield Stage(everyone, confident, iou_cost, 1.0 - self.minimum_iou, recovery)

    def newborn(self, frame: Observation, free: Mask) -> Mask:
        starting = super().newborn(frame, free)
        if self.new_track_confidence is not None:
            starting &= frame.scores >= self.new_track_confidence
        return starting

    def _origins(self, time: float) -> NDArray[np.float64]:
        """Return the (2, N) centres of the oldest observation not older than Δt, or of the last one."""
        extra = self.table.extra
        recent = extra["center_time"] >= time - self.direction_seconds - 1e-6
        place = np.maximum(recent.sum(axis=0) - 1, 0)
        tracks = np.arange(len(place))
        return np.stack([extra["center_x"][place, tracks], extra["center_y"][place, tracks]])

    def _recovery_pairs(self, frame: Observation, confident: Mask) -> Pairs | None:
        """Return what is left, by the tracks' last observations (OCR, section 4.3)."""
        tracks = frame.free_tracks.nonzero()[0]
        detections = (frame.free_detections & confident).nonzero()[0]
        if not len(tracks) or not len(detections):
            return None
        first = self.table.extra["last_box"].take(tracks, axis=1)
        second = frame.boxes.take(detections, axis=1)
        rows, columns = overlapping_pairs(first, second)
        if not len(rows):
            return None
        overlap = iou(first.take(rows, axis=1), second.take(columns, axis=1))
        return self.of_one_class(frame, Pairs(tracks[rows], detections[columns], overlap))

    def matched(self, frame: Observation, tracks: Indices, detections: Indices) -> None:
        extra = self.table.extra
        boxes = frame.boxes.take(detections, axis=1)
        center = (boxes[:2] + boxes[2:]) * 0.5
        way = center - self._origins(frame.time).take(tracks, axis=1)
        extra["direction"][:, tracks] = way / (np.hypot(way[0], way[1]) + 1e-6)
        self._update_again(frame, tracks, boxes)
        extra["last_box"][:, tracks] = boxes
        for name, newest in (("center_x", center[0]), ("center_y", center[1]), ("center_time", frame.time)):
            rows = extra[name]
            if self._history > 1:
                rows[1:, tracks] = rows[:-1].take(tracks, axis=1)
            rows[0, tracks] = newest

    def _update_again(self, frame: Observation, tracks: Indices, boxes: NDArray[np.float64]) -> None:
        """Walk re-found tracks from their last observation to this one on a straight line (ORU, section 4.2).

        What the filter has drifted to while nothing was seen is forgotten.
        """
        table = self.table
        misses = table.misses[tracks]
        if misses.max() < 2:
            return
        # tracks that have missed as many updates were last seen at the same time
        for missed in np.unique(misses[misses > 1]):
            chosen = (misses == missed).nonzero()[0]
            found = tracks[chosen]
            state = table.extra["observed_state"].take(found, axis=1).reshape(5, 4, len(found))
            begin = table.extra["last_box"].take(found, axis=1)
            way = boxes.take(chosen, axis=1) - begin
            steps = min(int(missed), _VIRTUAL_STEPS)
            dt = (frame.time - float(table.last_seen[found[0]])) * self.frame_rate / steps
            for step in range(1, steps):
                self.motion.predict(state, dt)
                self.motion.update(state, None, self.motion.measure(begin + way * (step / steps)))
            self.motion.predict(state, dt)
            table.state[:, :, found] = state

    def concluded(self, frame: Observation, unmatched: Mask) -> None:
        table = self.table
        np.copyto(table.extra["observed_state"], table.state.reshape(20, len(table)), where=~unmatched)

    def started(self, frame: Observation, born: TrackTable, detections: Indices) -> None:
        boxes = frame.boxes.take(detections, axis=1)
        born.extra["last_box"][...] = boxes
        born.extra["observed_state"][...] = born.state.reshape(20, len(born))
        born.extra["center_time"][...] = -np.inf
        born.extra["center_time"][0] = frame.time
        born.extra["center_x"][0], born.extra["center_y"][0] = (boxes[:2] + boxes[2:]) * 0.5

    def reported_boxes(self, tracks: Indices) -> NDArray[np.float64]:
        if not self.reports_observations:
            return super().reported_boxes(tracks)
        return self.table.extra["last_box"].take(tracks, axis=1)
