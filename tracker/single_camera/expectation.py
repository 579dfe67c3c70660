"""Where the tracks of one camera are expected in a frame that no detector looked at."""

from __future__ import annotations

import numpy as np

from tracker.single_camera.base import SingleCameraTracker
from tracker.tracks import Tracks

__all__ = ["expected_tracks"]


def expected_tracks(tracker: SingleCameraTracker, time: float) -> Tracks:
    """Return the tracks that a tracker's last update reported where its filter expects them at ``time``, in seconds.

    Nothing is taken in, nobody is missed, and the tracker's next ``update`` goes on from its last one. No detection
    belongs to these boxes (-1).
    """
    table, rows = tracker.table, tracker.shown
    if not len(rows) or tracker.time is None or time <= tracker.time:
        return Tracks.empty()
    state = table.state[:, :, rows].copy()
    tracker.motion.predict(state, (time - tracker.time) * tracker.frame_rate)
    boxes = tracker.motion.boxes(state[0]).T.astype(np.float32, order="C")
    low, high = boxes[:, :2], boxes[:, 2:]
    np.maximum(high, np.nextafter(low, np.float32(np.inf)), out=high)
    return Tracks(
        table.id[rows],
        boxes,
        table.score[rows].astype(np.float32),
        table.class_number[rows],
        np.full(len(rows), -1, np.int64),
    )
