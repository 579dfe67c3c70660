"""What people change by hand in a live run: names, two that are one, a stretch of somebody else, somebody erased.

The store is changed first: it knows best what cannot be. Then the running identities are, which go on with it.
Functions here run in the thread of the run, between two steps.
"""

from __future__ import annotations

from typing import Any

from apps.live_pipeline import Pipeline
from tracker.cross_camera.events import Event
from tracker.errors import InputError
from tracker.floor.pipeline import FLOOR, FloorPipeline
from tracker.storage.track_store import TrackStore

__all__ = ["event_of", "merge", "split"]


def event_of(kind: str, time: float, **fields: Any) -> dict[str, Any]:
    """Return an event that only live runs have, ready for JSON; fields that are ``None`` are left out."""
    return {"kind": kind, "time": time} | {name: value for name, value in fields.items() if value is not None}


def merge(pipeline: Pipeline, store: TrackStore, number: int, into: int, time: float) -> list[Event]:
    """Make an identity the same person as another; return what happened.

    Raises:
        InputError: one of them is not known, or they were in one camera at once.
    """
    for one in (number, into):
        store.person(one)
    events = pipeline.identities.merge(number, into, time)
    store.merge(number, into)
    return events


def split(
    pipeline: Pipeline, store: TrackStore, number: int, camera: str, start: float, end: float, time: float
) -> tuple[int, list[Event]]:
    """Make what was seen of an identity in a camera in start ≤ time ≤ end a new one; return its number, and events.

    On the floor a track is one person in all cameras: what of it lies in that time goes along.

    Raises:
        InputError: it is not known, or was not seen there then.
    """
    store.person(number)
    if not any(one.camera == camera and one.start <= end and one.end >= start for one in store.sightings(number)):
        raise InputError(f"identity {number} was not seen in camera {camera!r} then: choose a time of its sightings")
    view = FLOOR if isinstance(pipeline, FloorPipeline) else camera
    identities = pipeline.identities
    if view not in identities.cameras:
        # A camera of earlier runs: only the store knows what was seen there.
        new = identities.gallery.open(time)
        events = [Event("identity_opened", time, identity=new)]
        identities.edits.keep_apart(number, new)
    else:
        new, events = identities.split_off(number, view, start, end, time)
    store.split_off(number, camera, start, end, new=new)
    return new, events
