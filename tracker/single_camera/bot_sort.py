"""BoT-SORT: robust associations for multi-pedestrian tracking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tracker.association.appearance import AppearanceMemory, AverageAppearance
from tracker.single_camera.base import check_range
from tracker.single_camera.byte_track import ByteTrack
from tracker.single_camera.stages import Observation, Pairs

if TYPE_CHECKING:
    from tracker.motion.camera_motion import CameraMotionEstimator

__all__ = ["BoTSort"]


class BoTSort(ByteTrack):
    """ByteTrack with width and height in the state, camera motion compensated, and appearance where boxes are near.

    Aharon et al., 2022: section 3.1 (state), 3.2 (camera motion), 3.3 (fusion of IoU and appearance). Without features
    it is BoT-SORT, with them BoT-SORT-ReID.

    Args:
        proximity_iou: least IoU for appearance to count (θ_iou = 0.5).
        appearance_distance: greatest half cosine distance for appearance to count (θ_emb = 0.25).
        feature_momentum: weight of the old value in a track's averaged feature (α = 0.9).
        compensates_camera_motion: whether the camera's own motion is estimated, where the frame's image is given.
        frame_rate, high_confidence, low_confidence, new_track_confidence, lost_track_seconds, first_match_cost,
            second_match_cost, tentative_match_cost, fuses_scores, duplicate_iou: as in ``ByteTrack``.
    """

    name = "botsort"
    form = "xywh"
    uses_features = True
    uses_image = True

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
        proximity_iou: float = 0.5,
        appearance_distance: float = 0.25,
        feature_momentum: float = 0.9,
        compensates_camera_motion: bool = True,
    ) -> None:
        check_range("proximity_iou", proximity_iou, 0.0, 1.0)
        check_range("appearance_distance", appearance_distance, 0.0, 1.0)
        check_range("feature_momentum", feature_momentum, 0.0, 1.0)
        self.proximity_iou = proximity_iou
        self.appearance_distance = appearance_distance
        self.feature_momentum = feature_momentum
        self.compensates_camera_motion = compensates_camera_motion
        super().__init__(
            frame_rate=frame_rate,
            high_confidence=high_confidence,
            low_confidence=low_confidence,
            new_track_confidence=new_track_confidence,
            lost_track_seconds=lost_track_seconds,
            first_match_cost=first_match_cost,
            second_match_cost=second_match_cost,
            tentative_match_cost=tentative_match_cost,
            fuses_scores=fuses_scores,
            duplicate_iou=duplicate_iou,
        )

    def reset(self) -> None:
        super().reset()
        self._camera_motion: CameraMotionEstimator | None = None

    def _new_appearance(self) -> AppearanceMemory:
        return AverageAppearance(self.feature_momentum)

    def compensate(self, frame: Observation) -> None:
        if frame.image is None or not self.compensates_camera_motion:
            return
        if self._camera_motion is None:
            from tracker.motion.camera_motion import CameraMotionEstimator

            self._camera_motion = CameraMotionEstimator()
        affine = self._camera_motion.estimate(frame.image, frame.boxes.T)
        self.motion.warp(self.table.state, affine)

    def prepare(self, frame: Observation) -> None:
        if frame.embedded is not None:
            # crops of doubtful detections show the occluder as often as the person
            frame.embedded = frame.embedded & (frame.scores >= self.high_confidence)

    def cost(self, frame: Observation, pairs: Pairs) -> NDArray[np.floating]:
        """Return the smaller of the motion cost and, where boxes are near, the appearance cost (eq. 12 and 13)."""
        costs = super().cost(frame, pairs)
        if frame.units is None or frame.embedded is None:
            return costs
        slots = self.table.slot[pairs.rows]
        near = pairs.similarity >= self.proximity_iou
        near &= (slots >= 0) & frame.embedded[pairs.columns]
        chosen = near.nonzero()[0]
        if not len(chosen) or self.appearance is None:
            return costs
        alike = self.appearance.similarity(slots[chosen], frame.units, pairs.columns[chosen])
        distance = 0.5 - 0.5 * alike
        distance[distance > self.appearance_distance] = 1.0
        costs[chosen] = np.minimum(costs[chosen], np.maximum(distance, 0.0))
        return costs
