"""Recorded boxes of one camera, followed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracker.detections import Detections
from tracker.geometry.people_tracks import BoxTracks
from tracker.single_camera import create_tracker

__all__ = ["followed_boxes"]


def followed_boxes(frames: Mapping[float, Detections], frame_rate: float, width: int, height: int) -> BoxTracks:
    """Return the boxes that ByteTrack finds to belong together, as they were recorded.

    A tracker's own boxes are smoothed by its filter and lag behind, which a clock that is found by them would show.

    Args:
        frames: time in seconds → boxes, in order.
        frame_rate: frames a second.
        width, height: of the images, pixels.
    """
    tracker = create_tracker("bytetrack", frame_rate=frame_rate)
    times, ids, boxes = [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros((0, 4))]
    for time, found in frames.items():
        tracks = tracker.update(found, time=time)
        tracks = tracks[tracks.detection_indices >= 0]
        times.append(np.full(len(tracks), time))
        ids.append(tracks.ids)
        boxes.append(found.boxes[tracks.detection_indices].astype(np.float64))
    return BoxTracks(np.concatenate(times), np.concatenate(ids), np.concatenate(boxes), width, height)
