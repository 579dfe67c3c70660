"""What offline linking assumes of people, boxes and cameras, in seconds and body heights."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LinkingSettings"]


class LinkingSettings(BaseModel):
    """Settings of ``link_tracks`` and ``track_offline``: one default for all cameras and detectors.

    docs/linking.md says what each part is worth.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # people
    acceleration: float = Field(
        default=0.3, gt=0, description="of people, body heights per second gained in one second"
    )
    growth: float = Field(default=0.1, gt=0, description="of their heights in the picture, likewise, as a share")
    walking_speed: float = Field(default=0.7, gt=0, description="body heights a second, standard deviation")
    # linking
    link_seconds: float = Field(default=3.0, ge=0, description="nobody is linked over a longer gap; 0: no links")
    link_decay_seconds: float = Field(default=1.5, gt=0, description="each takes one nat from the evidence for a link")
    link_evidence: float = Field(default=2.0, description="nats that a link needs")
    likeness: float = Field(default=9.0, ge=0, description="nats per unit of cosine distance, where there are features")
    alike: float = Field(default=0.45, gt=0, lt=2, description="cosine distance that speaks neither for nor against")
    most_appearance: float = Field(default=4.0, ge=0, description="nats that features may say of a link")
    camera_motion: bool = Field(default=True, description="take out what all boxes of a frame are displaced by")
    # false tracks
    least_seconds: float = Field(default=0.3, ge=0, description="shorter tracks are left out")
    least_evidence: float = Field(default=3.0, description="tracks whose boxes say less, in nats, are left out")
    # boxes that are made
    fill_seconds: float = Field(default=2.0, ge=0, description="longest gap that is filled; 0: none")
    fill_deviation: float = Field(
        default=0.25, gt=0, description="body heights; where a place is less sure nothing is filled in"
    )
    extend_seconds: float = Field(default=0.3, ge=0, description="tracks are continued before and after by this")
    extend_deviation: float = Field(default=0.2, gt=0, description="body heights, as long as the place is so sure")
    occupied_iou: float = Field(
        default=0.5, ge=0, le=1, description="a continuation that overlaps another track's box by more is left out"
    )
    doubtful_boxes: bool = Field(
        default=True,
        description="boxes that a track had while it was not believed belong to it, once it is linked",
    )
    smooth_noise: float = Field(
        default=0.02, ge=0, description="relative noise of boxes from which smoothed places count half; see docs"
    )
    # detections of a whole sequence
    scene_geometry: bool = Field(default=True, description="judge detections by the heights that people have there")
    least_probability: float = Field(default=0.02, ge=0, lt=1, description="less likely detections are not looked at")
    suppression_iou: float = Field(
        default=0.6, gt=0, le=1, description="of detections that overlap by more, the likeliest stays"
    )
    margin_suppression_iou: float = Field(
        default=0.4, gt=0, le=1, description="the same where scores are raw margins: such detectors repeat themselves"
    )
    confirm_iou: float = Field(
        default=0.5, gt=0, le=1, description="a detection that overlaps a filled box by as much takes its place"
    )
