"""How the camera moved and how exact boxes are, from the boxes of all tracks: no picture is needed.

Where all people jump at once it was the camera. What the boxes of a frame have in common beyond their own smooth
trajectories is taken as the camera's displacement; trajectories and displacements are estimated in turn. Slow pans stay
with the trajectories, which do not mind them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.linking.smoothing import WalkingFilter, smooth_tracks
from tracker.linking.tracklets import Tracklets
from tracker.motion.kalman import POSITION

__all__ = ["box_noise", "camera_offsets"]

Array = NDArray[np.float64]

_ROUNDS = 4
_FEWEST_FRAMES = 5
#: of the median residual
_LIMIT = 4.0


def camera_offsets(tracklets: Tracklets, motion: WalkingFilter, last_frame: int) -> Array:
    """Return (last_frame + 1, 2) float64 pixels by which the picture is displaced in each frame (row 0 is unused)."""
    offsets = np.zeros((last_frame + 1, 2))
    lengths = np.bincount(tracklets.tracks)
    long = tracklets.selected(lengths[tracklets.tracks] >= _FEWEST_FRAMES).renumbered()
    if not long.count:
        return offsets
    heights = long.boxes[:, 3] - long.boxes[:, 1]
    centers = (long.boxes[:, :2] + long.boxes[:, 2:]) / 2
    weights = 1 / np.square(heights)
    total = np.bincount(long.frames, weights, last_frame + 1)
    pairs = float((total**2).sum() - (weights**2).sum())
    for _ in range(_ROUNDS if pairs > 0 else 0):
        moved = long.moved(-offsets)
        smoothed = smooth_tracks(motion, moved.tracks, moved.frames, moved.boxes)
        rows = smoothed.rows(moved.tracks, moved.frames)
        for axis in (0, 1):
            residuals = (centers[:, axis] - smoothed.states[POSITION, axis, rows]) / heights
            own = residuals - offsets[long.frames, axis] / heights
            limit = _LIMIT * float(np.median(np.abs(own))) + 1e-6
            # what lies far from everybody's trajectory counts for no more than the limit
            residuals = offsets[long.frames, axis] / heights + np.clip(own, -limit, limit)
            pulls = residuals * heights * weights
            sums = np.bincount(long.frames, pulls, last_frame + 1)
            # what two people of one frame have in common is the camera's
            common = float((sums**2).sum() - (pulls**2).sum()) / pairs
            noise = float(np.mean(np.clip(own, -limit, limit) ** 2))
            offsets[:, axis] = sums * common / (total * common + noise) if common > 0 else 0.0
    return offsets


def box_noise(tracklets: Tracklets) -> tuple[float, float]:
    """Return the standard deviations of boxes' centres, body heights, and heights, shares of them.

    From second differences over consecutive frames, z(t-1) - 2 z(t) + z(t+1), whose variance is six times that of a
    box as long as people move evenly; half of them lie within 0.6745 standard deviations.
    """
    rows = np.arange(1, max(len(tracklets.tracks) - 1, 1))
    if len(tracklets.tracks) < 3:
        return np.nan, np.nan
    same = (tracklets.tracks[rows - 1] == tracklets.tracks[rows + 1]) & (
        tracklets.frames[rows + 1] - tracklets.frames[rows - 1] == 2
    )
    rows = rows[same]
    boxes = tracklets.boxes
    heights = boxes[:, 3] - boxes[:, 1]
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2

    def spread(values: Array) -> float:
        second = (values[rows - 1] - 2 * values[rows] + values[rows + 1]) / (
            heights[rows] if values.ndim == 1 else heights[rows, None]
        )
        return float(np.median(np.abs(second)) / 0.6745 / np.sqrt(6)) if len(rows) else np.nan

    return spread(centers), spread(heights)
