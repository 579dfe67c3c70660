"""multicam: the tracker of our own, what works put together in physical units."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tracker.association.appearance import AppearanceMemory, AverageAppearance
from tracker.association.costs import iou, overlapping_pairs
from tracker.association.score_evidence import ScoreEvidence
from tracker.association.suppression import non_maximum_suppression
from tracker.motion.common_motion import CommonMotion
from tracker.motion.kalman import POSITION, VARIANCE
from tracker.motion.walking import WalkingFilter
from tracker.single_camera.base import SingleCameraTracker, check_range
from tracker.single_camera.stages import Indices, Mask, Observation, Pairs, Stage
from tracker.track_table import LOST, TENTATIVE, TRACKED, UNMATCHED, TrackTable

__all__ = ["MulticamTracker"]

#: half cosine distance up to which a track's looks count, and least similarity of boxes for it (BoT-SORT)
_APPEARANCE_DISTANCE, _APPEARANCE_SIMILARITY = 0.25, 0.5
#: of a body height
_SMALL_SHIFT = 0.02


class MulticamTracker(SingleCameraTracker):
    """Scores as evidence, the camera's motion from the boxes, and tracks that live as long as they are believed.

    docs/trackers.md describes it step by step and says what each part is worth. Evidence is in nats: the logarithm of
    the odds that there is a person. Appearance counts as in BoT-SORT where detections have features.

    Args:
        frame_rate: nominal frames per second.
        margin_slope, margin_zero: evidence of a raw margin is slope · (margin - zero); see ``ScoreEvidence``.
        margin_suppression_iou: of detections with raw margins that overlap by more, the better one stays.
        suppression_iou: the same of detections with probabilities.
        least_evidence: detections below are not looked at.
        strong_evidence: detections from here on are matched first, with all confirmed tracks, weaker ones then with
            what is left of them.
        weak_find_lost: whether weaker ones are matched with lost tracks, too.
        new_track_evidence: from here on an unmatched detection starts a track,
        duplicate_iou: unless it overlaps a box that is being followed by more than this.
        first_match_cost, second_match_cost, tentative_match_cost: greatest cost with strong and with weak detections,
            and of tracks that are not confirmed. The cost is 1 - IoU · (smaller / larger height) ^ ``height_weight``.
        height_weight: how much a difference in height counts.
        looks_per_second: how many looks at a person are independent: frames that follow faster count less.
        miss_evidence: evidence that one look without a detection takes away.
        confirmation_evidence: evidence from which a track is confirmed, at its second detection or later.
        shown_evidence: evidence below which a confirmed track is not reported.
        dropped_evidence: evidence below which a track is dropped.
        greatest_evidence: more is not collected.
        lost_track_seconds: how long an unmatched track is kept.
        lost_shown_seconds: how long an unmatched track is still reported, where it is expected,
        lost_shown_deviation: while the standard deviation of its place is below this, in body heights.
        acceleration, position_noise, height_noise: see ``WalkingFilter``.
        compensates_camera_motion: whether what all boxes have in common is taken for the camera's motion.
        embeds_detections: whether features are asked for; those that come are used in any case.
        reports_unconfirmed: whether every matched track is reported, believed or not, and nobody else: for those who
            judge tracks later, when more of them is known.
    """

    name = "multicam"
    uses_features = False
    extra = {"evidence": 1}  # noqa: RUF012

    def __init__(
        self,
        *,
        frame_rate: float = 30.0,
        margin_slope: float = 3.5,
        margin_zero: float = -0.1,
        margin_suppression_iou: float = 0.35,
        suppression_iou: float = 0.6,
        least_evidence: float = -1.5,
        strong_evidence: float = 0.5,
        weak_find_lost: bool = True,
        new_track_evidence: float = 0.8,
        duplicate_iou: float = 0.5,
        first_match_cost: float = 0.8,
        second_match_cost: float = 0.6,
        tentative_match_cost: float = 0.7,
        height_weight: float = 2.0,
        looks_per_second: float = 10.0,
        miss_evidence: float = 0.5,
        confirmation_evidence: float = 2.0,
        shown_evidence: float = 0.5,
        dropped_evidence: float = -2.0,
        greatest_evidence: float = 8.0,
        lost_track_seconds: float = 3.0,
        lost_shown_seconds: float = 0.3,
        lost_shown_deviation: float = 0.12,
        acceleration: float = 0.5,
        position_noise: float = 0.05,
        height_noise: float = 0.12,
        compensates_camera_motion: bool = True,
        embeds_detections: bool = False,
        reports_unconfirmed: bool = False,
    ) -> None:
        check_range("frame_rate", frame_rate, 1e-6, 1e6)
        given = dict(locals())
        for name in ("margin_suppression_iou", "suppression_iou", "duplicate_iou"):
            check_range(name, given[name], 0.0, 1.0)
        for name in ("first_match_cost", "second_match_cost", "tentative_match_cost"):
            check_range(name, given[name], 0.0, 1.0)
        for name in ("margin_slope", "height_weight", "miss_evidence", "lost_shown_seconds", "lost_shown_deviation"):
            check_range(name, given[name], 0.0, math.inf)
        for name in ("margin_zero", "least_evidence", "strong_evidence", "new_track_evidence"):
            check_range(name, given[name], -math.inf, math.inf)
        for name in ("confirmation_evidence", "shown_evidence", "dropped_evidence", "greatest_evidence"):
            check_range(name, given[name], -math.inf, math.inf)
        for name in ("looks_per_second", "acceleration", "position_noise", "height_noise"):
            check_range(name, given[name], 1e-6, 1e6)
        self.margin_slope, self.margin_zero = margin_slope, margin_zero
        self.margin_suppression_iou, self.suppression_iou = margin_suppression_iou, suppression_iou
        self.least_evidence, self.strong_evidence = least_evidence, strong_evidence
        self.new_track_evidence, self.duplicate_iou = new_track_evidence, duplicate_iou
        self.first_match_cost, self.second_match_cost = first_match_cost, second_match_cost
        self.tentative_match_cost, self.height_weight = tentative_match_cost, height_weight
        self.looks_per_second, self.miss_evidence = looks_per_second, miss_evidence
        self.confirmation_evidence, self.shown_evidence = confirmation_evidence, shown_evidence
        self.dropped_evidence, self.greatest_evidence = dropped_evidence, greatest_evidence
        self.lost_shown_seconds, self.lost_shown_deviation = lost_shown_seconds, lost_shown_deviation
        self.weak_find_lost = bool(weak_find_lost)
        self.compensates_camera_motion = bool(compensates_camera_motion)
        self.reports_unconfirmed = bool(reports_unconfirmed)
        self.uses_features = bool(embeds_detections)  # type: ignore[misc]
        super().__init__(frame_rate=frame_rate, lost_track_seconds=lost_track_seconds, confirmation_hits=2)
        self.motion = WalkingFilter(
            frame_rate, acceleration=acceleration, position_noise=position_noise, height_noise=height_noise
        )

    def reset(self) -> None:
        super().reset()
        self._score_evidence = ScoreEvidence(self.margin_slope, self.margin_zero)
        self._common_motion = CommonMotion()
        self._evidence: NDArray[np.float64] = np.zeros(0)
        # left, top, right and bottom of all boxes so far: where the picture ends, as far as anybody can tell
        self._extent = np.array([np.inf, np.inf, -np.inf, -np.inf])

    def _new_appearance(self) -> AppearanceMemory:
        return AverageAppearance()

    @property
    def believed_ids(self) -> NDArray[np.int64]:
        evidence = self.table.extra["evidence"][0]
        return self.table.id[(self.table.status == TRACKED) & (evidence >= self.shown_evidence)]

    # Before the association.

    def compensate(self, frame: Observation) -> None:
        if self.compensates_camera_motion and len(self.table):
            shift = self._common_motion.expected(self._seconds(frame))
            self.table.state[POSITION, :2] += shift[:, None]

    def prepare(self, frame: Observation) -> None:
        """Turn scores into evidence, thin the detections, and take out what all tracks are off by."""
        self._select(frame)
        if not self.compensates_camera_motion or not len(self.table):
            return
        pairs = self.overlaps(frame)
        seen, strong = self.table.status == TRACKED, self._evidence >= self.strong_evidence
        usable = (seen[pairs.rows] & strong[pairs.columns]).nonzero()[0]
        counted = pairs.rows[usable], pairs.columns[usable], pairs.similarity[usable]
        shift = self._common_motion.measure(frame.track_boxes, frame.boxes, self._seconds(frame), counted)
        if not shift.any():
            return
        state = self.table.state
        state[POSITION, :2] += shift[:, None]
        frame.track_boxes = self.motion.boxes(state[POSITION])
        if (np.abs(shift).max() < _SMALL_SHIFT * state[POSITION, 3]).all():
            # pairs that such a shift adds overlap too little to be matched
            first, second = frame.track_boxes.take(pairs.rows, axis=1), frame.boxes.take(pairs.columns, axis=1)
            frame.pairs = Pairs(pairs.rows, pairs.columns, iou(first, second))
        else:
            frame.pairs = None

    def _select(self, frame: Observation) -> None:
        evidence = self._score_evidence(frame.scores)
        limit = self.margin_suppression_iou if self._score_evidence.margins else self.suppression_iou
        kept = evidence >= self.least_evidence
        if limit < 1.0:
            classes = frame.classes if self._several_classes else None
            kept &= non_maximum_suppression(frame.boxes, frame.scores, limit, classes)
        self._evidence = evidence
        if not kept.all():
            chosen = kept.nonzero()[0]
            self._evidence = evidence[chosen]
            frame.boxes, frame.measurements = frame.boxes.take(chosen, axis=1), frame.measurements.take(chosen, axis=1)
            frame.scores, frame.classes = frame.scores[chosen], frame.classes[chosen]
            frame.indices = frame.indices[chosen]
            if frame.units is not None and frame.embedded is not None:
                frame.units, frame.embedded = frame.units[chosen], frame.embedded[chosen]
        if len(frame):
            np.minimum(self._extent[:2], frame.boxes[:2].min(axis=1), out=self._extent[:2])
            np.maximum(self._extent[2:], frame.boxes[2:].max(axis=1), out=self._extent[2:])

    # The association.

    def associate(self, frame: Observation) -> Iterator[Stage]:
        status = self.table.status
        strong = self._evidence >= self.strong_evidence
        everything = np.ones(len(frame), bool)

        def cost(pairs: Pairs) -> NDArray[np.floating]:
            return self._cost(frame, pairs)

        yield Stage(status != TENTATIVE, strong, cost, self.first_match_cost)
        second = status != TENTATIVE if self.weak_find_lost else status == TRACKED
        yield Stage(second, ~strong, cost, self.second_match_cost)
        yield Stage(status == TENTATIVE, everything, cost, self.tentative_match_cost)

    def _cost(self, frame: Observation, pairs: Pairs) -> NDArray[np.floating]:
        expected = self.table.state[POSITION, 3][pairs.rows]
        measured = frame.measurements[3][pairs.columns]
        agreement = np.minimum(expected, measured) / np.maximum(expected, measured)
        similarity = pairs.similarity * agreement**self.height_weight
        costs = 1.0 - similarity
        if frame.units is None or frame.embedded is None or self.appearance is None:
            return costs
        slots = self.table.slot[pairs.rows]
        near = (similarity >= _APPEARANCE_SIMILARITY) & (slots >= 0) & frame.embedded[pairs.columns]
        chosen = near.nonzero()[0]
        if len(chosen):
            alike = self.appearance.similarity(slots[chosen], frame.units, pairs.columns[chosen])
            distance = np.maximum(0.5 - 0.5 * alike, 0.0)
            distance[distance > _APPEARANCE_DISTANCE] = 1.0
            costs[chosen] = np.minimum(costs[chosen], distance)
        return costs

    # Life and death.

    def matched(self, frame: Observation, tracks: Indices, detections: Indices) -> None:
        evidence = self.table.extra["evidence"][0]
        more = evidence[tracks] + self._weight(frame) * self._evidence[detections]
        evidence[tracks] = np.minimum(more, self.greatest_evidence)

    def _pass_judgement(self, frame: Observation) -> Mask | None:
        table = self.table
        if not len(table):
            return None
        evidence = table.extra["evidence"][0]
        unmatched = table.detection == UNMATCHED
        table.streak += 1
        table.streak[unmatched] = 0
        evidence[unmatched] -= self._weight(frame) * self.miss_evidence
        tentative = table.status == TENTATIVE
        tentative &= unmatched | (evidence < self.confirmation_evidence) | (table.hits < self.confirmation_hits)
        table.status[...] = np.where(tentative, TENTATIVE, np.where(unmatched, LOST, TRACKED))
        self.concluded(frame, unmatched)
        dead = table.last_seen < frame.time - self.patience - 1e-6
        dead |= evidence < np.where(tentative, np.maximum(self.dropped_evidence, 0.0), self.dropped_evidence)
        dead &= unmatched
        return dead if dead.any() else None

    def newborn(self, frame: Observation, free: Mask) -> Mask:
        starting = free & (self._evidence >= self.new_track_evidence)
        followed = (self.table.detection > UNMATCHED).nonzero()[0]
        if self.duplicate_iou >= 1.0 or not len(followed) or not starting.any():
            return starting
        columns = starting.nonzero()[0]
        first = self.motion.boxes(self.table.state[POSITION].take(followed, axis=1))
        second = frame.boxes.take(columns, axis=1)
        rows, others = overlapping_pairs(first, second)
        twins = iou(first.take(rows, axis=1), second.take(others, axis=1)) > self.duplicate_iou
        if self._several_classes:
            twins &= self.table.class_number[followed[rows]] == frame.classes[columns[others]]
        starting[columns[others[twins]]] = False
        return starting

    def started(self, frame: Observation, born: TrackTable, detections: Indices) -> None:
        born.extra["evidence"][0] = np.minimum(self._evidence[detections], self.greatest_evidence)

    # What is reported.

    def reported(self, frame: Observation) -> Mask:
        table = self.table
        if self.reports_unconfirmed:
            return np.asarray(table.detection > UNMATCHED)
        shown = super().reported(frame)
        lost = (table.status == LOST) & (table.id > 0)
        if self.lost_shown_seconds > 0.0 and lost.any():
            x, y, _, height = table.state[POSITION]
            lost &= table.last_seen >= frame.time - self.lost_shown_seconds - 1e-6
            lost &= np.sqrt(table.state[VARIANCE, 0]) < self.lost_shown_deviation * height
            lost &= (x > self._extent[0]) & (y > self._extent[1]) & (x < self._extent[2]) & (y < self._extent[3])
            shown |= lost
        return shown & (table.extra["evidence"][0] >= self.shown_evidence)

    def _seconds(self, frame: Observation) -> float:
        return frame.dt / self.frame_rate

    def _weight(self, frame: Observation) -> float:
        """Return how much of an independent look this frame is."""
        return min(1.0, self.looks_per_second * self._seconds(frame))
