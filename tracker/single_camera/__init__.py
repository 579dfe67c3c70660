"""Trackers of one camera, found by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.registry import Registry

if TYPE_CHECKING:
    from tracker.single_camera.base import SingleCameraTracker

__all__ = ["TRACKERS", "create_tracker"]

TRACKERS = Registry(
    "tracker",
    {
        "multicam": "tracker.single_camera.multicam_tracker:MulticamTracker",
        "sort": "tracker.single_camera.sort:Sort",
        "deepsort": "tracker.single_camera.deep_sort:DeepSort",
        "bytetrack": "tracker.single_camera.byte_track:ByteTrack",
        "ocsort": "tracker.single_camera.oc_sort:OCSort",
        "botsort": "tracker.single_camera.bot_sort:BoTSort",
        "motdt": "tracker.single_camera.motdt:MOTDT",
    },
)


def create_tracker(name: str, *, frame_rate: float = 30.0, **parameters: Any) -> SingleCameraTracker:
    """Return a new tracker for one camera.

    Args:
        name: one of ``TRACKERS.names()``.
        frame_rate: frames per second assumed when ``update`` is called without times.
        parameters: the tracker's own, in words; see its class.

    Raises:
        InputError: unknown name or parameter.
    """
    return TRACKERS.create(name, frame_rate=frame_rate, **parameters)
