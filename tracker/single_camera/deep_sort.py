"""DeepSORT: simple online and realtime tracking with a deep association metric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tracker.association.appearance import AppearanceMemory, GalleryAppearance
from tracker.association.gating import gated_pairs
from tracker.motion.kalman import CHI_SQUARE_95
from tracker.single_camera.base import SingleCameraTracker, check_range
from tracker.single_camera.stages import Mask, Observation, Pairs, Stage, iou_cost
from tracker.track_table import LOST, TENTATIVE

__all__ = ["AppearanceTracker", "DeepSort"]


class AppearanceTracker(SingleCameraTracker):
    """What DeepSORT and MOTDT share: a gallery of features per track, compared inside the motion filter's gate."""

    form = "xyah"
    uses_features = True
    gallery_size = 100
    gating_distance = CHI_SQUARE_95[4]

    def _new_appearance(self) -> AppearanceMemory:
        return GalleryAppearance(self.gallery_size)

    def appearance_pairs(self, frame: Observation) -> Pairs | None:
        """Return the gated pairs of confirmed tracks and detections that both have features; ``None`` for none."""
        table = self.table
        if frame.units is None or frame.embedded is None or self.appearance is None:
            return None
        rows, columns, _ = gated_pairs(self.motion, table.state, frame.measurements, self.gating_distance)
        usable = frame.embedded[columns] & ((table.slot >= 0) & (table.status != TENTATIVE))[rows]
        rows, columns = rows[usable], columns[usable]
        if not len(rows):
            return None
        pairs = self.of_one_class(frame, Pairs(rows, columns, np.zeros(len(rows))))
        pairs.similarity = self.appearance.similarity(table.slot[pairs.rows], frame.units, pairs.columns)
        return pairs

    def motion_only_cost(self, frame: Observation, pairs: Pairs) -> NDArray[np.floating]:
        """Return 1 - IoU, forbidden where both sides have features: those pairs have been judged by appearance."""
        costs = iou_cost(pairs)
        if frame.embedded is not None:
            costs[frame.embedded[pairs.columns] & (self.table.slot[pairs.rows] >= 0)] = np.inf
        return costs


class DeepSort(AppearanceTracker):
    """SORT with appearance, the tracks seen last first (Wojke et al., ICIP 2017).

    Without features (for all or for some detections) tracks are matched by IoU alone.

    Args:
        frame_rate: nominal frames per second.
        minimum_confidence: detections below this score are ignored; 0.3 in the paper (section 3).
        appearance_distance: greatest cosine distance to the nearest feature of a track; 0.2 in the authors' code.
        maximum_iou_distance: greatest 1 - IoU in the last stage; 0.7 in the authors' code.
        gating_distance: greatest squared Mahalanobis distance; the 95 % quantile, 9.4877 (eq. 2).
        gallery_size: features kept per track (L_k = 100).
        confirmation_hits: consecutive detections that confirm a track (3).
        lost_track_seconds: how long an unmatched track is kept; A_max = 70 frames at 30 frames/s.
    """

    name = "deepsort"
    freezes_lost_size = False

    def __init__(
        self,
        *,
        frame_rate: float = 30.0,
        minimum_confidence: float = 0.3,
        appearance_distance: float = 0.2,
        maximum_iou_distance: float = 0.7,
        gating_distance: float = CHI_SQUARE_95[4],
        gallery_size: int = 100,
        confirmation_hits: int = 3,
        lost_track_seconds: float = 70 / 30,
    ) -> None:
        check_range("minimum_confidence", minimum_confidence, -np.inf, np.inf)
        check_range("appearance_distance", appearance_distance, 0.0, 2.0)
        check_range("maximum_iou_distance", maximum_iou_distance, 0.0, 1.0)
        check_range("gating_distance", gating_distance, 0.0, np.inf)
        check_range("gallery_size", gallery_size, 1, 100_000)
        self.minimum_confidence = minimum_confidence
        self.appearance_distance = appearance_distance
        self.maximum_iou_distance = maximum_iou_distance
        self.gating_distance = gating_distance
        self.gallery_size = int(gallery_size)
        super().__init__(
            frame_rate=frame_rate, lost_track_seconds=lost_track_seconds, confirmation_hits=confirmation_hits
        )

    def associate(self, frame: Observation) -> Iterator[Stage]:
        table = self.table
        confident = frame.scores >= self.minimum_confidence
        confirmed = table.status != TENTATIVE
        pairs = self.appearance_pairs(frame)
        if pairs is not None:
            # the matching cascade (listing 1): the larger uncertainty of a track lost for long must not win it matches
            for misses in np.unique(table.misses[confirmed]):
                level = confirmed & (table.misses == misses)
                yield Stage(level, confident, iou_cost, self.appearance_distance, pairs)
        yield Stage(~confirmed | (table.misses == 0), confident, iou_cost, self.maximum_iou_distance)
        yield Stage(
            table.status == LOST,
            confident,
            lambda candidates: self.motion_only_cost(frame, candidates),
            self.maximum_iou_distance,
        )

    def newborn(self, frame: Observation, free: Mask) -> Mask:
        return free & (frame.scores >= self.minimum_confidence)
