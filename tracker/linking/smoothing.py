"""Smoothed trajectories: where each person was at every moment, seen or not, and how sure that is.

The model is the batched constant-velocity filter of ``tracker.motion.kalman`` with noises in physical units; the
backward pass is the smoother of Rauch, Tung and Striebel (1965). The covariance is one 2×2 block per
coordinate, so all people are smoothed at once, a few array operations for each frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.motion.kalman import COVARIANCE, POSITION, VARIANCE, VELOCITY, VELOCITY_VARIANCE, AspectHeightFilter

__all__ = ["SmoothedTracks", "WalkingFilter", "smooth_tracks"]

Array = NDArray[np.float64]


class WalkingFilter(AspectHeightFilter):
    """Centre, aspect ratio and height of a walking person, in nominal frame intervals.

    Args:
        frame_rate: nominal frames per second.
        acceleration: of the centre, body heights per second, gained in one second (standard deviation).
        growth: of the height, likewise, as a share of it.
        center_noise: of a box's centre, body heights.
        height_noise: of a box's height, as a share of it.
    """

    form = "xyah"

    def __init__(
        self, frame_rate: float, acceleration: float, growth: float, center_noise: float, height_noise: float
    ) -> None:
        # white noise of that strength over one frame, its velocities per frame
        moving, growing = (value**2 / frame_rate**3 for value in (acceleration, growth))
        slow = (0.02 / frame_rate) ** 2
        center, height = center_noise**2, height_noise**2
        self._process = ([0, 0, 0, 0], [0, 0, slow, 0])
        self._process_velocity = ([moving, moving, 0, growing], [0, 0, 1e-12, 0])
        self._measurement = ([center, center, 0, height], [0, 0, 2.5e-3, 0])
        self._initial = ([center, center, 0, height], [0, 0, 2.5e-3, 0])
        speed, change = (1.0 / frame_rate) ** 2, (0.2 / frame_rate) ** 2
        self._initial_velocity = ([speed, speed, 0, change], [0, 0, 1e-12, 0])
        super().__init__()


@dataclass(frozen=True, slots=True, eq=False)
class SmoothedTracks:
    """Trajectories of N tracks, each from its first frame to its last without a gap, one after another.

    Args:
        starts: (N,) int64 row at which each track begins; its rows follow one another.
        first_frames, last_frames: (N,) int64.
        states: (5, 4, R) smoothed states as ``tracker.motion.kalman`` lays them out.
    """

    starts: NDArray[np.int64]
    first_frames: NDArray[np.int64]
    last_frames: NDArray[np.int64]
    states: Array

    def rows(self, tracks: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows (K,) of tracks (K,) at frames (K,) within them."""
        return self.starts[tracks] + frames - self.first_frames[tracks]

    @property
    def ends(self) -> NDArray[np.int64]:
        """The (N,) row of each track's last frame."""
        return self.rows(np.arange(len(self.starts)), self.last_frames)


def smooth_tracks(
    motion: AspectHeightFilter,
    tracks: NDArray[np.int64],
    frames: NDArray[np.int64],
    boxes: Array,
    noise_scale: Array | None = None,
) -> SmoothedTracks:
    """Smooth the boxes of N tracks over their whole lives.

    Args:
        motion: the model.
        tracks: (R,) number of each box's track, from 0 to N - 1, all of one track together and in the order of frames.
        frames: (R,) int64.
        boxes: (R, 4) ``x1, y1, x2, y2``.
        noise_scale: (R,) factor on the variance of each box; left out: 1.
    """
    begin = np.flatnonzero(np.diff(tracks, prepend=-1))
    finish = np.append(begin[1:], len(tracks)) - 1
    first, last = frames[begin], frames[finish]
    lengths = last - first + 1
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64) if len(lengths) else lengths
    rows = starts[tracks] + frames - first[tracks]
    measured = np.full(int(lengths.sum()), -1, np.int64)
    measured[rows] = np.arange(len(rows))
    measurements = motion.measure(boxes.T)
    scale = np.ones(len(rows)) if noise_scale is None else noise_scale
    # the longest first, so that those alive at any age are the first columns
    order = np.argsort(-lengths, kind="stable")
    alive = np.searchsorted(-lengths[order], -np.arange(1, int(lengths.max(initial=0)) + 1), side="right")
    states = np.empty((5, 4, len(measured)))
    predicted = np.empty_like(states)
    state = motion.initiate(measurements[:, begin[order]])
    for age, count in enumerate(alive.tolist()):
        state = np.ascontiguousarray(state[:, :, :count])
        at = starts[order[:count]] + age
        if age:
            motion.predict(state)
            predicted[:, :, at] = state
            box = measured[at]
            seen = np.flatnonzero(box >= 0)
            if len(seen):
                motion.update(state, seen, measurements[:, box[seen]], scale[box[seen]])
        states[:, :, at] = state
    for age in range(len(alive) - 2, -1, -1):
        at = starts[order[: alive[age + 1]]] + age
        states[:, :, at] = _smoothed(states[:, :, at], predicted[:, :, at + 1], states[:, :, at + 1])
    return SmoothedTracks(starts, first, last, states)


def _smoothed(filtered: Array, predicted: Array, following: Array) -> Array:
    """Return the smoothed states (5, 4, N) from the filtered ones, the predicted and the smoothed of the next frame."""
    variance, covariance, speed_variance = predicted[VARIANCE:]
    determinant = np.maximum(variance * speed_variance - covariance**2, 1e-300)
    # gain = P Fᵀ P'⁻¹, written out: one 2×2 block per coordinate
    p, c, v = filtered[VARIANCE:]
    of_position = ((p + c) * speed_variance - c * covariance) / determinant
    of_position_by_speed = (c * variance - (p + c) * covariance) / determinant
    of_speed = ((c + v) * speed_variance - v * covariance) / determinant
    of_speed_by_speed = (v * variance - (c + v) * covariance) / determinant
    change, speed_change, less, coupled, less_speed = following - predicted
    smoothed = filtered.copy()
    smoothed[POSITION] += of_position * change + of_position_by_speed * speed_change
    smoothed[VELOCITY] += of_speed * change + of_speed_by_speed * speed_change
    first = of_position * less + of_position_by_speed * coupled
    second = of_position * coupled + of_position_by_speed * less_speed
    smoothed[VARIANCE] += first * of_position + second * of_position_by_speed
    smoothed[COVARIANCE] += first * of_speed + second * of_speed_by_speed
    smoothed[VELOCITY_VARIANCE] += (of_speed * less + of_speed_by_speed * coupled) * of_speed + (
        of_speed * coupled + of_speed_by_speed * less_speed
    ) * of_speed_by_speed
    return smoothed
