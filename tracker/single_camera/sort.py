"""SORT: simple online and realtime tracking."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tracker.single_camera.base import SingleCameraTracker, check_range
from tracker.single_camera.stages import Mask, Observation, Stage, iou_cost
from tracker.track_table import UNMATCHED

__all__ = ["Sort"]


class Sort(SingleCameraTracker):
    """Kalman prediction, IoU and the Hungarian method, and nothing else (Bewley et al., ICIP 2016).

    Args:
        frame_rate: nominal frames per second.
        minimum_confidence: detections below this score are ignored; 0.5 in the paper (section 4).
        minimum_iou: least IoU of a match; 0.3 (IoU_min, section 3.3).
        minimum_hits: matches in a row, after its first detection, before a track is reported; 3 in the authors' code,
            where tracks of the first ``minimum_hits`` frames are reported at once.
        lost_track_seconds: how long an unmatched track is kept; ``None``: one nominal frame interval (T_lost = 1).
    """

    name = "sort"
    form = "xysr"
    drops_tentative = False
    freezes_lost_size = False

    def __init__(
        self,
        *,
        frame_rate: float = 30.0,
        minimum_confidence: float = 0.5,
        minimum_iou: float = 0.3,
        minimum_hits: int = 3,
        lost_track_seconds: float | None = None,
    ) -> None:
        check_range("minimum_confidence", minimum_confidence, -np.inf, np.inf)
        check_range("minimum_iou", minimum_iou, 0.0, 1.0)
        check_range("minimum_hits", minimum_hits, 0, np.inf)
        check_range("frame_rate", frame_rate, 1e-6, 1e6)
        self.minimum_confidence = minimum_confidence
        self.minimum_iou = minimum_iou
        self.minimum_hits = minimum_hits
        super().__init__(
            frame_rate=frame_rate,
            lost_track_seconds=1.0 / frame_rate if lost_track_seconds is None else lost_track_seconds,
            confirmation_hits=1 + minimum_hits,
            immediate_updates=minimum_hits,
        )

    def associate(self, frame: Observation) -> Iterator[Stage]:
        everyone = np.ones(len(self.table), bool)
        confident = frame.scores >= self.minimum_confidence
        yield Stage(everyone, confident, iou_cost, 1.0 - self.minimum_iou)

    def newborn(self, frame: Observation, free: Mask) -> Mask:
        return free & (frame.scores >= self.minimum_confidence)

    def reported(self, frame: Observation) -> Mask:
        matched = self.table.detection > UNMATCHED
        if self._updates <= self.minimum_hits:
            return matched
        return matched & (self.table.streak >= self.minimum_hits)
