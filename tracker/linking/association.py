"""Which tracklet is continued by which other: one assignment problem for all of them.

The end of every tracklet is predicted to where every later one begins. The evidence for a link is the logarithm of how
much more likely the beginning is, position, velocity and height, if the same person continues than if anybody comes.
A path through tracklets may leave each once and enter each once, so the most likely set of paths is an assignment of
ends to beginnings: the min-cost flow of Zhang et al. (CVPR 2008) where every tracklet is a person.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign_pairs
from tracker.linking.settings import LinkingSettings
from tracker.linking.smoothing import SmoothedTracks
from tracker.motion.kalman import COVARIANCE, POSITION, VARIANCE, VELOCITY, VELOCITY_VARIANCE, AspectHeightFilter

__all__ = ["appearance_evidence", "link_labels", "motion_evidence"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: body heights a second; pairs that need more are not looked at
_FASTEST = 4.0
#: shares of the height: how much one person's height in the picture differs anew, and two people's
_SAME_HEIGHT, _OTHER_HEIGHT = 0.05, 0.2


def link_labels(
    smoothed: SmoothedTracks,
    motion: AspectHeightFilter,
    frame_rate: float,
    area: tuple[float, float],
    longest_gap: float,
    settings: LinkingSettings,
    looks: Array | None = None,
) -> Ints:
    """Return (N,) labels of N tracklets; linked ones have one label.

    Args:
        smoothed: the tracklets.
        motion: the model they were smoothed with.
        frame_rate: frames per second.
        area: width and height, pixels, of where people may appear.
        longest_gap: seconds between the end of one and the beginning of the other.
        settings: of the links.
        looks: (N, D) mean features of unit length; rows of NaN where a tracklet has none.
    """
    count = len(smoothed.starts)
    labels = np.arange(count, dtype=np.int64)
    earlier, later = _candidates(smoothed, int(longest_gap * frame_rate + 1e-6))
    gaps = smoothed.first_frames[later] - smoothed.last_frames[earlier]
    ends, begins = (smoothed.states[POSITION][:, rows] for rows in (smoothed.ends[earlier], smoothed.starts[later]))
    reach = np.maximum(ends[3], begins[3]) * (0.5 + _FASTEST * gaps / frame_rate)
    near = np.flatnonzero(np.abs(begins[:2] - ends[:2]).max(axis=0, initial=0.0) < reach)
    earlier, later, gaps = earlier[near], later[near], gaps[near]
    evidence = motion_evidence(smoothed, motion, earlier, later, gaps, frame_rate, area, settings)
    evidence -= gaps / (frame_rate * settings.link_decay_seconds) + settings.link_evidence
    if looks is not None:
        evidence += appearance_evidence(looks[earlier], looks[later], settings)
    good = np.flatnonzero(evidence > 0)
    earlier, later = earlier[good], later[good]
    chosen = assign_pairs(earlier, later, -evidence[good], 0.0, (count, count))
    # in the order of beginnings, so that whoever is continued has his label already
    for pair in chosen[np.argsort(smoothed.first_frames[later[chosen]], kind="stable")].tolist():
        labels[later[pair]] = labels[earlier[pair]]
    return labels


def motion_evidence(
    smoothed: SmoothedTracks,
    motion: AspectHeightFilter,
    earlier: Ints,
    later: Ints,
    gaps: Ints,
    frame_rate: float,
    area: tuple[float, float],
    settings: LinkingSettings,
) -> Array:
    """Return (K,) nats by which motion speaks for tracklets ``later`` (K,) continuing ``earlier`` (K,).

    Args:
        gaps: (K,) frames from the last one of the earlier to the first one of the later tracklet.
        smoothed, motion, frame_rate, area, settings: see :func:`link_labels`.
    """
    ends = smoothed.states[:, :, smoothed.ends[earlier]]
    begins = smoothed.states[:, :, smoothed.starts[later]]
    for gap in np.unique(gaps).tolist():
        same = np.flatnonzero(gaps == gap)
        part = ends[:, :, same]
        motion.predict(part, float(gap), np.zeros(len(same), bool))
        ends[:, :, same] = part
    height = begins[POSITION, 3]
    total = np.zeros(len(gaps))
    for axis in (0, 1):
        # both ends are uncertain: position and velocity are compared under the sum of their covariances
        p = ends[VARIANCE, axis] + begins[VARIANCE, axis]
        c = ends[COVARIANCE, axis] + begins[COVARIANCE, axis]
        v = ends[VELOCITY_VARIANCE, axis] + begins[VELOCITY_VARIANCE, axis]
        offset = begins[POSITION, axis] - ends[POSITION, axis]
        change = begins[VELOCITY, axis] - ends[VELOCITY, axis]
        determinant = np.maximum(p * v - c**2, 1e-12 * p * v)
        squared = (v * offset**2 - 2 * c * offset * change + p * change**2) / determinant
        continued = -0.5 * (squared + np.log(determinant)) - np.log(2 * np.pi)
        # anybody: anywhere in the picture, at a walker's speed
        speed = (settings.walking_speed * height / frame_rate) ** 2 + begins[VELOCITY_VARIANCE, axis]
        anybody = -np.log(area[axis]) - 0.5 * (np.log(2 * np.pi * speed) + begins[VELOCITY, axis] ** 2 / speed)
        total += continued - anybody
    same_height = ends[VARIANCE, 3] + begins[VARIANCE, 3] + (_SAME_HEIGHT * height) ** 2
    other_height = same_height + (_OTHER_HEIGHT * height) ** 2
    difference = (begins[POSITION, 3] - ends[POSITION, 3]) ** 2
    total += 0.5 * (np.log(other_height / same_height) + difference * (1 / other_height - 1 / same_height))
    return total


def appearance_evidence(first: Array, second: Array, settings: LinkingSettings) -> Array:
    """Return (K,) nats by which looks (K, D) and (K, D) speak for one person; 0 where either is NaN."""
    distance = 1.0 - (first * second).sum(axis=1)
    said = settings.likeness * (settings.alike - distance)
    return np.clip(np.nan_to_num(said), -settings.most_appearance, settings.most_appearance)


def _candidates(smoothed: SmoothedTracks, longest: int) -> tuple[Ints, Ints]:
    """Return all pairs (K,), (K,) of which the later begins 1 to ``longest`` frames after the earlier ended."""
    order = np.argsort(smoothed.first_frames, kind="stable")
    begins = smoothed.first_frames[order]
    low = np.searchsorted(begins, smoothed.last_frames + 1)
    high = np.searchsorted(begins, smoothed.last_frames + longest, side="right")
    counts = np.maximum(high - low, 0)
    earlier = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(earlier)) - np.repeat(np.cumsum(counts) - counts, counts)
    later = order[low[earlier] + within]
    rows = np.lexsort((later, earlier))
    return earlier[rows], later[rows]
