"""What the floor tracker assumes of people, boxes and rooms; everything in metres, seconds or shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FloorSettings"]


class FloorSettings(BaseModel):
    """Settings of ``FloorTracker``: what is known of people and detectors, the same for every scene.

    docs/floor.md says which of them were chosen while looking at which scenes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # people
    person_height: float = Field(default=1.70, gt=0.5, lt=2.5, description="of people, metres")
    height_deviation: float = Field(default=0.12, gt=0, description="between people, metres")
    acceleration: float = Field(default=0.7, gt=0, description="white noise of walkers, m/s² over one second")
    walking_speed: float = Field(default=0.8, gt=0, description="standard deviation of each velocity, m/s")
    velocity_seconds: float = Field(
        default=3.0, gt=0, description="after which an unseen walker's velocity is forgotten"
    )
    height_change: float = Field(default=0.02, ge=0, description="of heights, as it seems, metres a second")
    sitting_down: float = Field(default=0.02, gt=0, description="how often who stands sits down, per second")
    rising: float = Field(default=0.1, gt=0, description="how often who sits rises, per second")
    # boxes, as shares of their height
    center_noise: float = Field(default=0.035, gt=0, description="of the middle, across")
    top_noise: float = Field(default=0.03, gt=0)
    bottom_noise: float = Field(default=0.04, gt=0)
    pixel_noise: float = Field(default=1.5, ge=0, description="of every side besides, pixels")
    floor_noise: float = Field(default=0.10, ge=0, description="of calibration and of where feet are, metres")
    # detectors
    confidence: float = Field(default=0.3, description="boxes of lower scores are not looked at by FloorPipeline")
    detection_rate: float = Field(default=0.92, gt=0, lt=1, description="of people wholly seen")
    hidden_feet: float = Field(default=0.08, gt=0, lt=1, description="boxes that end above the feet")
    rough_boxes: float = Field(default=0.005, gt=0, lt=1, description="of parts of people, or of two together")
    lowered_head: float = Field(default=0.05, gt=0, lt=1, description="of people who bend")
    false_alarms: float = Field(default=1.0, gt=0, description="per image")
    learn_detectors: bool = Field(default=True, description="begin with these and follow what is seen")
    duplicates: float = Field(default=0.3, gt=0, lt=1, description="second boxes of one person")
    # appearance
    alike: float = Field(default=0.45, gt=0, lt=2, description="cosine distance that speaks neither for nor against")
    likeness: float = Field(default=9.0, ge=0, description="nats that equal vectors would say, were there no limit")
    most_appearance: float = Field(default=2.0, ge=0, description="nats that one crop may say")
    # life of a track
    present: float = Field(default=0.5, gt=0, description="people per image who are there when the first look is taken")
    leaving: float = Field(
        default=3.0, ge=0, description="nats a second by which who is unseen is thought to have left"
    )
    confirmation: float = Field(default=5.0, description="log odds from which a track is a person")
    certainty: float = Field(default=12.0, description="log odds are not let above this")
    memory_seconds: float = Field(default=4.0, gt=0, description="nobody is awaited for longer where they went unseen")
    rounds: int = Field(default=3, ge=1, description="of assigning and estimating anew")
    starts: int = Field(default=4, ge=1, description="cameras that have the first say in turn, where there is doubt")
