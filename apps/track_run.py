"""What the stages of one run of ``multicam track`` share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from apps.crop_keeper import CropKeeper
from apps.gallery import GalleryKeeper
from apps.notices import Notices
from apps.output_folder import OutputFolder
from apps.settings import OutputSettings, TrackSettings
from apps.track_zones import ZoneCounter
from tracker.errors import InputError
from tracker.floor.pipeline import FLOOR, FloorPipeline
from tracker.pipeline import MultiCameraPipeline
from tracker.storage.event_log import EventLog
from tracker.storage.floor_results import FloorSpool
from tracker.storage.results import ObservationSpool
from tracker.video.cameras import CameraSettings
from tracker.video.privacy import PrivacyFilter
from tracker.video.source_base import Source

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TrackRun"]


@dataclass(slots=True)
class TrackRun:
    """What the stages of one run share."""

    settings: TrackSettings
    outputs: OutputSettings
    folder: OutputFolder
    cameras: list[CameraSettings]
    sources: list[Source]
    pipeline: MultiCameraPipeline | FloorPipeline
    spool: ObservationSpool
    #: where people were, when they are followed on the floor
    floor: FloorSpool | None
    #: what the detector found, when that is to be saved or hidden
    detections: ObservationSpool | None
    events: EventLog
    crops: CropKeeper | None
    notices: Notices
    console: Console | None
    gallery: GalleryKeeper | None = None
    zones: ZoneCounter | None = None
    #: hides people in crops
    privacy: PrivacyFilter | None = None
    #: when models and sources were ready
    began: float = 0.0
    interrupted: bool = False
    failure: InputError | None = None
    last_frame: dict[str, int] = field(default_factory=dict)
    frame_counts: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [camera.name for camera in self.cameras]

    @property
    def has_live_source(self) -> bool:
        return any(source.is_live for source in self.sources)

    def identity_of(self, camera: int, tracks: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        return self.pipeline.identity_of(self.cameras[camera].name, tracks, times)

    def identity_on_floor(self, tracks: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
        return self.pipeline.identity_of(FLOOR, tracks, times)
