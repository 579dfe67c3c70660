"""Boxes where a person must have been although none was reported."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.association.costs import iou, overlapping_pairs
from tracker.linking.settings import LinkingSettings
from tracker.linking.smoothing import SmoothedTracks
from tracker.linking.tracklets import Tracklets
from tracker.motion.kalman import COVARIANCE, POSITION, VARIANCE, VELOCITY, AspectHeightFilter

__all__ = ["continued", "filled", "without_occupied"]

Array = NDArray[np.float64]


def filled(
    tracklets: Tracklets,
    smoothed: SmoothedTracks,
    motion: AspectHeightFilter,
    frame_rate: float,
    noise: float,
    settings: LinkingSettings,
) -> Tracklets:
    """Return the tracks with their gaps filled, as far as the places are sure, and their boxes smoothed.

    Smoothed places count the more the noisier the boxes are: with the share noise² / (noise² + smooth_noise²). What
    moves less than ``smooth_noise`` from frame to frame is people's gait and the camera's, not noise.

    Args:
        tracklets: the tracks.
        smoothed: the same, smoothed by ``motion``.
        frame_rate: frames per second.
        noise: of boxes, as a share of their height.
        settings: of the gaps. Filled boxes have score 0.
    """
    lengths = smoothed.last_frames - smoothed.first_frames + 1
    tracks = np.repeat(np.arange(len(lengths)), lengths)
    frames = np.arange(len(tracks)) - smoothed.starts[tracks] + smoothed.first_frames[tracks]
    seen = smoothed.rows(tracklets.tracks, tracklets.frames)
    boxes = motion.boxes(smoothed.states[POSITION]).T
    variance = noise**2 + settings.smooth_noise**2
    share = noise**2 / variance if variance else 0.0
    boxes[seen] = share * boxes[seen] + (1 - share) * tracklets.boxes
    scores = np.zeros(len(tracks))
    scores[seen] = tracklets.scores
    # the length of the gap around each row: from the last seen row before to the next
    gaps = np.zeros(len(tracks))
    steps = np.diff(seen)
    for row, step in zip(seen[:-1][steps > 1].tolist(), steps[steps > 1].tolist(), strict=True):
        gaps[row + 1 : row + step] = step
    kept = (gaps <= settings.fill_seconds * frame_rate) & (_deviation(smoothed.states) < settings.fill_deviation)
    kept[seen] = True
    return Tracklets(tracks[kept], frames[kept], boxes[kept], scores[kept])


def continued(
    smoothed: SmoothedTracks,
    motion: AspectHeightFilter,
    frame_rate: float,
    last_frame: int,
    settings: LinkingSettings,
) -> Tracklets:
    """Return boxes before the first and after the last of each track, as far as their places are sure; score 0."""
    parts = []
    for direction, rows, base in (
        (1, smoothed.ends, smoothed.last_frames),
        (-1, smoothed.starts, smoothed.first_frames),
    ):
        state = smoothed.states[:, :, rows]
        state[[VELOCITY, COVARIANCE]] *= direction
        for step in range(1, int(settings.extend_seconds * frame_rate + 1e-6) + 1):
            motion.predict(state, 1.0, np.zeros(len(rows), bool))
            frames = base + direction * step
            sure = np.flatnonzero(
                (_deviation(state) < settings.extend_deviation) & (frames >= 1) & (frames <= last_frame)
            )
            boxes = motion.boxes(state[POSITION][:, sure]).T
            parts.append((sure, frames[sure], boxes, np.zeros(len(sure))))
    if not parts:
        return Tracklets.none()
    return Tracklets(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def without_occupied(made: Tracklets, seen: Tracklets, maximum_iou: float) -> Tracklets:
    """Return the boxes of ``made`` that overlap no box of another track in ``seen`` by more than ``maximum_iou``."""
    free = np.ones(len(made.tracks), bool)
    order = np.argsort(seen.frames, kind="stable")
    frames = seen.frames[order]
    for frame in np.unique(made.frames).tolist():
        rows = np.flatnonzero(made.frames == frame)
        others = order[slice(*np.searchsorted(frames, (frame, frame + 1)))]
        first, second = made.boxes[rows].T, seen.boxes[others].T
        mine, theirs = overlapping_pairs(first, second)
        different = made.tracks[rows[mine]] != seen.tracks[others[theirs]]
        mine, theirs = mine[different], theirs[different]
        free[rows[mine[iou(first[:, mine], second[:, theirs]) > maximum_iou]]] = False
    return made.selected(free)


def _deviation(states: Array) -> Array:
    """Return the standard deviation of each centre along x, in body heights."""
    return np.asarray(np.sqrt(states[VARIANCE, 0]) / states[POSITION, 3])
