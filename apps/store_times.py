"""Moments in a store, as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tracker.storage.store_records import Sighting

__all__ = ["moment", "sighting_at", "span"]


def moment(time: float | None, sighting: Sighting | None) -> str:
    """Return a time (seconds since 1970) of a sighting: that of the video if it was one, else date and time of day."""
    if time is None:
        return ""
    if sighting is not None and sighting.clock == "video":
        seconds = max(0.0, time - sighting.origin)
        hours, minutes = divmod(int(seconds // 60), 60)
        return f"{hours}:{minutes:02d}:{seconds % 60:04.1f}"
    return datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S")


def span(sighting: Sighting) -> str:
    """Return from when to when a sighting lasted."""
    first, last = moment(sighting.start, sighting), moment(sighting.end, sighting)
    return first if first == last else f"{first} – {last}"


def sighting_at(sightings: Sequence[Sighting], camera: str | None, time: float) -> Sighting | None:
    """Return the sighting that a time falls into, or the nearest: in a camera, if there is one there, else anywhere."""
    mine = [one for one in sightings if one.camera == camera] or list(sightings)
    return min(mine, key=lambda one: max(one.start - time, time - one.end, 0.0), default=None)
