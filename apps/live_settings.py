"""Settings of ``multicam live``, checked by pydantic."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from apps.settings import ModelSettings
from tracker.video.privacy import Blurring

__all__ = ["DEFAULT_STORE", "LiveSettings"]

DEFAULT_STORE = Path("multicam-live.sqlite")


class LiveSettings(ModelSettings):
    """Everything that a run of live cameras goes by; where it listens is the web server's."""

    realtime: bool = Field(default=True, description="recordings play at their own speed")
    loop: bool = Field(default=False, description="recordings begin again")
    max_rate: float = Field(default=15.0, ge=0, le=1000, allow_inf_nan=False, description="steps a second; 0: no limit")
    store: Path = DEFAULT_STORE
    keep_days: float = Field(default=30.0, gt=0, le=36500, allow_inf_nan=False, description="what is older goes")
    events: Path | None = Field(default=None, description="JSON lines that events are appended to")
    zones: Path | None = Field(default=None, description="zones and lines; None: zones.json beside the store")
    blur_faces: bool = False
    blur_people: bool = False
    crop_seconds: float = Field(default=3.0, gt=0, description="of a track one crop in so many seconds is stored")

    @property
    def blurring(self) -> Blurring | None:
        """What of people is hidden in all that is shown and stored."""
        return "people" if self.blur_people else "faces" if self.blur_faces else None

    @property
    def zones_path(self) -> Path:
        """Where zones and lines are kept; the file need not be there."""
        return self.zones or self.store.absolute().parent / "zones.json"
