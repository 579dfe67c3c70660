"""What identities are made from, and how they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tracker.cross_camera.overlapping_views import PATIENCE
from tracker.cross_camera.possible_transitions import TransitionRules
from tracker.cross_camera.tracklets import TrackletRules

__all__ = ["LONG_RUN", "CameraObservations", "IdentitySettings"]

#: Settings of runs that go on for days, where a settlement holds up the pictures: half of the tracklets that recordings
#: get are settled again, and of the archive only who can matter is looked at (docs/identities.md).
LONG_RUN: dict[str, Any] = {
    "keep_history": False,
    "remembered_tracklets": 300,
    "archived_candidates": 5,
    "geometry_patience": 60,
}


class IdentitySettings(BaseModel):
    """How identities are given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    false_match_rate: float = Field(default=0.01, gt=0, lt=0.5, description="of different people taken for one")
    minimum_crops: int = Field(default=4, ge=1, description="good crops before a tracklet is given an identity")
    caution: float = Field(default=0.5, ge=0, description="nats by which evidence must exceed doubt before two are one")
    minimum_seconds: float = Field(default=0.5, ge=0, description="who is seen for less and never well is nobody")
    settle_seconds: float = Field(default=10.0, gt=0, description="joint settlement this often")
    remembered_tracklets: int = Field(default=600, ge=10, description="tracklets settled jointly, at most")
    gallery_capacity: int = Field(default=2000, ge=1, description="identities remembered, at most")
    archived_candidates: int | None = Field(
        default=None, ge=1, description="archived identities compared with each undecided tracklet; none: all near any"
    )
    learn_geometry: bool = Field(default=True, description="learn how views overlap from people seen in both")
    geometry_patience: int = Field(
        default=PATIENCE, ge=1, description="settlements until views in which no overlap was found are compared again"
    )
    keep_history: bool = Field(default=True, description="remember every track's identity until the end of the run")
    views: str = Field(default="auto", pattern="^(auto|separate)$", description="separate: no two views overlap")
    handover: str = Field(
        default="auto", pattern="^(auto|off)$", description="auto: learn how long people take between views"
    )
    transitions: TransitionRules = Field(
        default=TransitionRules(), description="the ways between cameras, as far as somebody has said them"
    )
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
