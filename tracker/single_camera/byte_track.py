"""ByteTrack: associating every detection box."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tracker.association.costs import fuse_score, iou, overlapping_pairs
from tracker.single_camera.base import SingleCameraTracker, check_range
from tracker.single_camera.stages import Mask, Observation, Pairs, Stage, iou_cost
from tracker.track_table import LOST, TENTATIVE, TRACKED, TrackTable

__all__ = ["ByteTrack", "younger_twins"]


class ByteTrack(SingleCameraTracker):
    """Associate every detection box, the confident ones first (Zhang et al., ECCV 2022, algorithm 1).

    Args:
        frame_rate: nominal frames per second.
        high_confidence: detections from this score on are matched first, with all tracks.
        low_confidence: detections between this score and ``high_confidence`` are matched with what is left of the
            tracks that are not lost, and start none.
        new_track_confidence: score from which an unmatched detection starts a track; high_confidence + 0.1 in the
            authors' code.
        lost_track_seconds: how long an unmatched track is kept; 30 frames at 30 frames/s.
        first_match_cost: greatest cost in the first association (1 - IoU · score).
        second_match_cost: greatest 1 - IoU with a detection of low confidence.
        tentative_match_cost: greatest cost for a track seen only once.
        fuses_scores: whether the cost is 1 - IoU · score (True in the authors' code, False for MOT20) or 1 - IoU.
        duplicate_iou: of a lost and a living track that overlap by more, the younger is dropped.
    """

    name = "bytetrack"
    form = "xyah"

    def __init__(
        self,
        *,
        frame_rate: float = 30.0,
        high_confidence: float = 0.6,
        low_confidence: float = 0.1,
        new_track_confidence: float = 0.7,
        lost_track_seconds: float = 1.0,
        first_match_cost: float = 0.8,
        second_match_cost: float = 0.5,
        tentative_match_cost: float = 0.7,
        fuses_scores: bool = True,
        duplicate_iou: float = 0.85,
    ) -> None:
        self.high_confidence = high_confidence
        self.low_confidence = low_confidence
        self.new_track_confidence = new_track_confidence
        self.first_match_cost = first_match_cost
        self.second_match_cost = second_match_cost
        self.tentative_match_cost = tentative_match_cost
        self.fuses_scores = fuses_scores
        self.duplicate_iou = duplicate_iou
        for name in ("first_match_cost", "second_match_cost", "tentative_match_cost", "duplicate_iou"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        for name in ("high_confidence", "low_confidence", "new_track_confidence"):
            check_range(name, getattr(self, name), -np.inf, np.inf)
        super().__init__(
            frame_rate=frame_rate, lost_track_seconds=lost_track_seconds, confirmation_hits=2, immediate_updates=1
        )

    def associate(self, frame: Observation) -> Iterator[Stage]:
        status = self.table.status
        confident = frame.scores >= self.high_confidence
        unsure = (frame.scores > self.low_confidence) & ~confident

        def cost(pairs: Pairs) -> NDArray[np.floating]:
            return self.cost(frame, pairs)

        yield Stage(status != TENTATIVE, confident, cost, self.first_match_cost)
        yield Stage(status == TRACKED, unsure, iou_cost, self.second_match_cost)
        yield Stage(status == TENTATIVE, confident, cost, self.tentative_match_cost)

    def cost(self, frame: Observation, pairs: Pairs) -> NDArray[np.floating]:
        """Return the cost of pairs of a track and a confident detection."""
        return (
            fuse_score(pairs.similarity, frame.scores[pairs.columns]) if self.fuses_scores else 1.0 - pairs.similarity
        )

    def newborn(self, frame: Observation, free: Mask) -> Mask:
        return free & (frame.scores >= max(self.new_track_confidence, self.high_confidence))

    def _pass_judgement(self, frame: Observation) -> Mask | None:
        dead = super()._pass_judgement(frame)
        twins = younger_twins(self.table, self.motion.boxes(self.table.state[0]), self.duplicate_iou)
        if twins is None:
            return dead
        return twins if dead is None else dead | twins


def younger_twins(table: TrackTable, boxes: NDArray[np.float64], least_iou: float) -> Mask | None:
    """Return which tracks (N,) are the younger of a living and a lost one on the same person; ``None`` for none.

    Args:
        table: the N tracks.
        boxes: (4, N) where they are expected.
        least_iou: a living and a lost track that overlap by more are one person.
    """
    lost = (table.status == LOST).nonzero()[0]
    if not len(lost):
        return None
    living = (table.status != LOST).nonzero()[0]
    first, second = boxes.take(living, axis=1), boxes.take(lost, axis=1)
    rows, columns = overlapping_pairs(first, second)
    if not len(rows):
        return None
    same = iou(first.take(rows, axis=1), second.take(columns, axis=1)) > least_iou
    if not same.any():
        return None
    one, other = living[rows[same]], lost[columns[same]]
    lifetime = table.last_seen - table.born
    drop = np.where(lifetime[one] > lifetime[other], other, one)
    mask = np.zeros(len(table), bool)
    mask[drop] = True
    return mask
