"""MOTDT: real-time multiple people tracking with deeply learned candidate selection and person re-identification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tracker.association.suppression import non_maximum_suppression
from tracker.errors import InputError
from tracker.motion.kalman import CHI_SQUARE_95
from tracker.single_camera.base import check_range
from tracker.single_camera.deep_sort import AppearanceTracker
from tracker.single_camera.stages import Image, Indices, Mask, Observation, Pairs, Stage, iou_cost
from tracker.track_table import LOST, TENTATIVE, TRACKED, UNMATCHED, TrackTable

__all__ = ["MOTDT", "Scorer"]


class Scorer(Protocol):
    """Says how sure it is that a box holds one whole person (the paper's R-FCN classifier, section 3.2)."""

    def __call__(self, image: Image | None, boxes: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return (K,) probabilities for boxes (K, 4) ``x1, y1, x2, y2`` of the image."""
        ...


class MOTDT(AppearanceTracker):
    """Detections and the tracks' own predictions compete as candidates (Chen et al., ICME 2018).

    All candidates are scored and thinned by non-maximum suppression. Tracks are matched by appearance, then lost tracks
    by appearance, then what is left by IoU with detections and with the track's own prediction, last the unconfirmed
    ones. Detections without features are matched by IoU alone.

    Args:
        frame_rate: nominal frames per second.
        scorer: the candidate classifier; ``None``: the detector's own score is taken, for a predicted box that of the
            detection its track was last seen with, and a detection good enough to be kept is never suppressed by a
            mere prediction.
        minimum_confidence: candidates below this score are dropped; 0.4.
        new_track_confidence: score from which an unmatched detection starts a track; 0.6.
        suppression_iou: of candidates that overlap by more the better stays; 0.3.
        score_decay: a predicted box is worth max(0, 1 - ln(1 + decay · frames since the last detection)); 0.05 (eq. 2).
        minimum_detections: tracks with no more detections than this predict no candidates; 2.
        appearance_distance: greatest Euclidean distance to the nearest feature of a track; 0.64.
        maximum_iou_distance: greatest 1 - IoU; 0.7.
        gating_distance: greatest squared Mahalanobis distance for appearance to count; 9.4877.
        gallery_size: features kept per track; 100.
        lost_track_seconds: how long a lost track is kept; 30 frames at 30 frames/s.
        lost_shown_seconds: how long a lost track is still reported; 4 frames at 30 frames/s.
        lost_shown_confidence: least score of a lost track that is reported; 0.3.
    """

    name = "motdt"
    extra = {"updated": 1}  # noqa: RUF012

    def __init__(
        self,
        *,
        frame_rate: float = 30.0,
        scorer: Scorer | None = None,
        minimum_confidence: float = 0.4,
        new_track_confidence: float = 0.6,
        suppression_iou: float = 0.3,
        score_decay: float = 0.05,
        minimum_detections: int = 2,
        appearance_distance: float = 0.64,
        maximum_iou_distance: float = 0.7,
        gating_distance: float = CHI_SQUARE_95[4],
        gallery_size: int = 100,
        lost_track_seconds: float = 1.0,
        lost_shown_seconds: float = 4 / 30,
        lost_shown_confidence: float = 0.3,
    ) -> None:
        check_range("minimum_confidence", minimum_confidence, -np.inf, np.inf)
        check_range("new_track_confidence", new_track_confidence, -np.inf, np.inf)
        check_range("lost_shown_confidence", lost_shown_confidence, -np.inf, np.inf)
        check_range("suppression_iou", suppression_iou, 0.0, 1.0)
        check_range("score_decay", score_decay, 0.0, np.inf)
        check_range("appearance_distance", appearance_distance, 0.0, 2.0)
        check_range("maximum_iou_distance", maximum_iou_distance, 0.0, 1.0)
        check_range("gating_distance", gating_distance, 0.0, np.inf)
        check_range("gallery_size", gallery_size, 1, 100_000)
        check_range("lost_shown_seconds", lost_shown_seconds, 0.0, np.inf)
        self.scorer = scorer
        self.minimum_confidence = minimum_confidence
        self.new_track_confidence = new_track_confidence
        self.suppression_iou = suppression_iou
        self.score_decay = score_decay
        self.minimum_detections = minimum_detections
        self.appearance_distance = appearance_distance
        self.maximum_iou_distance = maximum_iou_distance
        self.gating_distance = gating_distance
        self.gallery_size = int(gallery_size)
        self.lost_shown_seconds = lost_shown_seconds
        self.lost_shown_confidence = lost_shown_confidence
        self.uses_image = scorer is not None  # type: ignore[misc]
        super().__init__(frame_rate=frame_rate, lost_track_seconds=lost_track_seconds, confirmation_hits=2)

    def prepare(self, frame: Observation) -> None:
        """Select the candidates (section 3.1): detections and predictions, scored, suppressed, and cut off."""
        table = self.table
        predicting = ((table.status == TRACKED) & (table.hits > self.minimum_detections)).nonzero()[0]
        predicted = frame.track_boxes.take(predicting, axis=1)
        boxes = np.concatenate([frame.boxes, predicted], axis=1)
        own = np.concatenate([frame.scores, table.score[predicting]])
        scores = own if self.scorer is None else self._classify(frame, boxes)
        count = len(frame)
        scores[count:] *= self._decay(frame, predicting)
        ranking = scores
        if self.scorer is None:
            ranking = scores.copy()
            ranking[:count][ranking[:count] >= self.minimum_confidence] += 1e6
        classes = np.concatenate([frame.classes, table.class_number[predicting]])
        kept = non_maximum_suppression(boxes, ranking, self.suppression_iou, classes if self._several_classes else None)
        kept &= scores >= self.minimum_confidence
        chosen = kept.nonzero()[0]
        detected = chosen[chosen < count]
        frame.boxes, frame.scores, frame.classes = boxes[:, chosen], scores[chosen], classes[chosen]
        frame.measurements = self.motion.measure(frame.boxes)
        frame.indices = np.concatenate([frame.indices, np.full(len(predicting), -1)])[chosen]
        self._owner = predicting[chosen[len(detected) :] - count]
        if frame.units is not None and frame.embedded is not None:
            frame.units = frame.units[detected]
            frame.embedded = np.concatenate([frame.embedded[detected], np.zeros(len(self._owner), bool)])

    def _classify(self, frame: Observation, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.scorer is not None
        if not boxes.shape[1]:
            return np.zeros(0)
        scores = np.array(self.scorer(frame.image, boxes.T.astype(np.float32, order="C")), np.float64)
        if scores.shape != (boxes.shape[1],):
            raise InputError(
                f"the scorer gave shape {scores.shape} for {boxes.shape[1]} boxes: one probability per box is needed"
            )
        return scores

    def _decay(self, frame: Observation, tracks: Indices) -> NDArray[np.float64]:
        frames = (frame.time - self.table.last_seen[tracks]) * self.frame_rate
        return np.maximum(0.0, 1.0 - np.log1p(self.score_decay * frames))

    def associate(self, frame: Observation) -> Iterator[Stage]:
        status = self.table.status
        detected = frame.indices >= 0
        pairs = self.appearance_pairs(frame)
        if pairs is not None:
            yield Stage(status == TRACKED, detected, _euclidean_cost, self.appearance_distance, pairs)
            yield Stage(status == LOST, detected, _euclidean_cost, self.appearance_distance, pairs)
        everything = np.ones(len(frame), bool)
        candidates = self._own_predictions(frame)
        yield Stage(status == TRACKED, everything, iou_cost, self.maximum_iou_distance, candidates)
        yield Stage(
            status == LOST, detected, lambda left: self.motion_only_cost(frame, left), self.maximum_iou_distance
        )
        yield Stage(status == TENTATIVE, detected, iou_cost, self.maximum_iou_distance)

    def _own_predictions(self, frame: Observation) -> Pairs:
        """Return the overlapping pairs without those of a track and another track's prediction."""
        pairs = self.overlaps(frame)
        if not len(self._owner):
            return pairs
        owner = np.full(len(frame), -1)
        owner[len(frame) - len(self._owner) :] = self._owner
        owner = owner[pairs.columns]
        return pairs.take(((owner < 0) | (owner == pairs.rows)).nonzero()[0])

    def newborn(self, frame: Observation, free: Mask) -> Mask:
        return free & (frame.indices >= 0) & (frame.scores >= self.new_track_confidence)

    def _apply(self, frame: Observation, tracks: Indices, columns: Indices) -> None:
        detected = frame.indices[columns] >= 0
        super()._apply(frame, tracks[detected], columns[detected])
        # a prediction tells the filter nothing new: it only keeps the track alive
        self.table.detection[tracks[~detected]] = -1
        self.table.extra["updated"][0, tracks] = frame.time

    def started(self, frame: Observation, born: TrackTable, detections: Indices) -> None:
        born.extra["updated"][...] = frame.time

    def reported(self, frame: Observation) -> Mask:
        table = self.table
        fresh = table.extra["updated"][0] >= frame.time - self.lost_shown_seconds - 1e-6
        lost = ((table.status == LOST) & (table.detection == UNMATCHED) & fresh & (table.id > 0)).nonzero()[0]
        shown = super().reported(frame)
        if len(lost):
            boxes = self.motion.boxes(table.state[0].take(lost, axis=1))
            scores = table.score[lost] if self.scorer is None else self._classify(frame, boxes)
            shown[lost] = scores * self._decay(frame, lost) > self.lost_shown_confidence
        return shown


def _euclidean_cost(pairs: Pairs) -> NDArray[np.floating]:
    """Return the distance of unit vectors from their cosine."""
    return np.sqrt(np.maximum(2.0 - 2.0 * pairs.similarity, 0.0))
