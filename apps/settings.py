"""Settings of ``multicam track``, checked by pydantic; written to ``run.json`` and enough to run it again."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from tracker.cross_camera.possible_transitions import TransitionRules
from tracker.pipeline import PipelineSettings
from tracker.video.privacy import Blurring

__all__ = [
    "DEFAULT_DETECTOR",
    "DEFAULT_EMBEDDER",
    "ROOM_DETECTOR",
    "ROOM_EMBEDDER",
    "ModelSettings",
    "NetworkSettings",
    "OutputSettings",
    "TrackSettings",
]

DEFAULT_DETECTOR = "yolo26n.pt"
DEFAULT_EMBEDDER = "osnet_x0_25"
#: what the demonstration finds people with: trained on rendered rooms, and comes with the package
ROOM_DETECTOR = "yolo11n_room"
#: for our own rendered people, whom networks trained on photographs tell apart worse
ROOM_EMBEDDER = "osnet_x0_25:room"


class OutputSettings(BaseModel):
    """What a run writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    overwrite: bool = False
    video: bool = True
    mosaic: bool = False
    floor_plan: bool = True
    trails: bool = False
    save_crops: bool = False
    save_detections: bool = False
    blur_faces: bool = False
    blur_people: bool = False
    zones: Path | None = None
    zone_interval: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    store: bool = False
    #: a further format of the results
    format: str | None = Field(default=None, pattern="^(aicity)$")
    show: bool = False
    quiet: bool = False

    @property
    def blurring(self) -> Blurring | None:
        """What of people is hidden in videos and crops."""
        return "people" if self.blur_people else "faces" if self.blur_faces else None


class NetworkSettings(BaseModel):
    """What runs networks, and how exactly: the same for every command that detects or embeds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = "auto"
    runtime: str = Field(default="auto", pattern="^(auto|openvino|onnxruntime|torch)$")
    precision: str = Field(default="auto", pattern="^(auto|float32|bfloat16|float16|int8)$")
    #: folder with pictures like those of the cameras, for ``precision="int8"``
    calibration_images: Path | None = None


class ModelSettings(NetworkSettings):
    """What looks at the pictures of some cameras, and how: the same for recordings and for live cameras."""

    sources: list[str]
    detector: str = DEFAULT_DETECTOR
    confidence: float | None = Field(default=None, allow_inf_nan=False)
    iou: float | None = Field(default=None, ge=0, le=1)
    image_size: int | None = Field(default=None, ge=32)
    classes: list[int] | None = [0]
    half: bool = False
    embedder: str = DEFAULT_EMBEDDER
    embedder_weights: Path | None = None
    offline: bool = False
    pipeline: PipelineSettings = PipelineSettings()

    @property
    def attempts_identities(self) -> bool:
        """Whether identities across cameras are attempted."""
        return self.embedder.lower() != "none"

    def with_transitions(self, rules: TransitionRules) -> Self:
        """Return the same settings with what is said about the ways between cameras."""
        identities = self.pipeline.identities.model_copy(update={"transitions": rules})
        return self.model_copy(update={"pipeline": self.pipeline.model_copy(update={"identities": identities})})


class TrackSettings(ModelSettings):
    """Everything that decides the result of a run."""

    stride: int = Field(default=1, ge=1)
    max_frames: int | None = Field(default=None, ge=1)
    seed: int = 0
    #: look at the next frames while these are thought about; results are the same either way
    overlap: bool = True
    #: on calibrated cameras: give recordings the tracks that are known at their end
    look_again: bool = False
    gallery: Path | None = None
