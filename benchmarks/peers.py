"""Other people's trackers behind one call, to compare with. Nothing here is used for tracking.

ultralytics is given what costs it least: boxes that already are centre and size, features as one array (its own way for
features that come with the detections, ``model="auto"``), no picture and so no camera motion. What it needs is made
before the clock starts, as our ``Detections`` are.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.errors import InputError, nearest_name_hint

__all__ = ["PEERS", "AssociationSettings", "PeerFrame", "UltralyticsTracker"]

#: trackers of ultralytics that can be compared with
PEERS = ("bytetrack", "botsort", "ocsort")


@dataclass(frozen=True, slots=True)
class AssociationSettings:
    """The thresholds that both sides run with, ByteTrack's and BoT-SORT's published ones.

    Args:
        high: detections from this score are matched first.
        low: detections above this score are matched second.
        new: a detection left over starts a track from this score.
        match: largest cost of the first association.
        lost_frames: frames that a lost track is kept.
        proximity: least IoU at which appearance counts.
        appearance: largest appearance cost that counts, half the cosine distance.
    """

    high: float = 0.6
    low: float = 0.1
    new: float = 0.7
    match: float = 0.8
    lost_frames: int = 30
    proximity: float = 0.5
    appearance: float = 0.25


class PeerFrame:
    """The detections of one frame as ultralytics' trackers read them (the part of its ``Boxes`` that they touch)."""

    def __init__(self, xywh: NDArray[np.float32], conf: NDArray[np.float32], cls: NDArray[np.float32]) -> None:
        self.xywh = xywh
        self.conf = conf
        self.cls = cls

    @staticmethod
    def from_detections(detections: Detections) -> PeerFrame:
        """Return the same detections with boxes as centre and size."""
        corners = detections.boxes
        size = corners[:, 2:] - corners[:, :2]
        centre_size = np.concatenate([corners[:, :2] + size / 2, size], axis=1)
        return PeerFrame(centre_size, detections.scores, detections.classes.astype(np.float32))

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, selection: Any) -> PeerFrame:
        return PeerFrame(self.xywh[selection], self.conf[selection], self.cls[selection])


class UltralyticsTracker:
    """A tracker of ultralytics.

    Args:
        name: one of :data:`PEERS`.
        settings: thresholds.
        with_features: BoT-SORT's association by appearance, from the features of the detections.

    Raises:
        InputError: another name, or ultralytics is not installed.
    """

    def __init__(self, name: str, settings: AssociationSettings, *, with_features: bool = False) -> None:
        if name not in PEERS:
            raise InputError(f"unknown peer {name!r}: {nearest_name_hint(name, PEERS)}")
        try:
            from ultralytics.trackers.bot_sort import BOTSORT
            from ultralytics.trackers.byte_tracker import BYTETracker
            from ultralytics.trackers.oc_sort import OCSORT
        except ImportError:
            raise InputError("ultralytics is not installed; there is nothing to compare with") from None
        arguments = SimpleNamespace(
            track_high_thresh=settings.high,
            track_low_thresh=settings.low,
            new_track_thresh=settings.new,
            match_thresh=settings.match,
            track_buffer=settings.lost_frames,
            fuse_score=True,
            gmc_method="none",
            proximity_thresh=settings.proximity,
            # ultralytics counts similarity here: it refuses costs above 1 - appearance_thresh.
            appearance_thresh=1 - settings.appearance,
            with_reid=with_features,
            model="auto",
        )
        self.with_features = with_features
        # OC-SORT's own settings (three frames, inertia 0.2, no second stage) are what it takes where none is given.
        self._tracker = {"botsort": BOTSORT, "bytetrack": BYTETracker, "ocsort": OCSORT}[name](arguments)

    def prepare(self, detections: Detections) -> tuple[PeerFrame, NDArray[np.float32] | None]:
        """Return what :meth:`update` takes, made from one frame's detections."""
        return PeerFrame.from_detections(detections), detections.features if self.with_features else None

    def update(self, frame: tuple[PeerFrame, NDArray[np.float32] | None]) -> NDArray[np.float32]:
        """Return (N, 8) rows ``x1, y1, x2, y2, track, score, class, detection``, or an empty array."""
        boxes, features = frame
        return self._tracker.update(boxes, None, features)
