"""Linking: one camera's tracks put right when all of them are known."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError
from tracker.linking.association import link_labels
from tracker.linking.box_motion import box_noise, camera_offsets
from tracker.linking.confirmation import confirmed
from tracker.linking.gaps import continued, filled, without_occupied
from tracker.linking.scene_geometry import score_log_odds
from tracker.linking.settings import LinkingSettings
from tracker.linking.smoothing import SmoothedTracks, WalkingFilter, smooth_tracks
from tracker.linking.tracklets import Tracklets
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = ["link_tracks", "link_with_evidence"]

Array = NDArray[np.float64]

#: seconds; links over short gaps are made first, and what they join says more of longer ones
_FIRST_GAP = 0.5
#: relative noise of boxes that is believed
_LEAST_NOISE, _LARGEST_NOISE = 0.01, 0.1
#: centres are a little more exact than heights
_CENTER_SHARE = 0.8


def link_tracks(
    tracks: MotTracks,
    frame_rate: float,
    image_size: tuple[int, int] | None,
    settings: LinkingSettings | None = None,
    features: ArrayLike | None = None,
    *,
    detections: MotDetections | None = None,
) -> MotTracks:
    """Link the tracks of one camera, leave out false ones, fill their gaps and smooth them.

    Args:
        tracks: what a tracker reported, scores as its detector gives them.
        frame_rate: frames per second.
        image_size: width and height, pixels; ``None``: as far as boxes reach.
        settings: ``None``: the defaults.
        features: (N, D) of the boxes, rows of NaN where there is none.
        detections: all detections, weak ones included: they confirm and correct boxes that are filled in.

    Returns:
        The tracks, ids from 1 in the order of the least id of each; boxes that nobody reported have score 0.

    Raises:
        InputError: a frame rate or image size that is not positive, an id twice in a frame, a box that is not finite or
            has no width or height, or another number of features than boxes.
    """
    settings = settings or LinkingSettings()
    _check(tracks, frame_rate, image_size, features)
    odds = score_log_odds(tracks.scores) if len(tracks) else np.zeros(0)
    return link_with_evidence(tracks, odds, frame_rate, image_size, settings, features, detections)


def link_with_evidence(
    tracks: MotTracks,
    log_odds: Array,
    frame_rate: float,
    image_size: tuple[int, int] | None,
    settings: LinkingSettings,
    features: ArrayLike | None = None,
    detections: MotDetections | None = None,
    doubtful: MotTracks | None = None,
) -> MotTracks:
    """Do the same as :func:`link_tracks` where (N,) log odds of a person are known for every box.

    ``doubtful`` boxes have the ids of ``tracks``. They say nothing of links and of who is true: sure boxes decide that.
    Then they are their tracks' in frames where these have no other.
    """
    if not len(tracks):
        return tracks
    frames = max(tracks.last_frame, detections.last_frame if detections is not None else 0)
    names, numbers = np.unique(tracks.ids, return_inverse=True)
    evidence = np.bincount(numbers, log_odds).astype(np.float64)
    looks = None if features is None else _summed_looks(numbers, features)
    tracklets = Tracklets.of(tracks)
    owners = np.arange(len(names))
    center, height = _noise(tracklets)
    motion = WalkingFilter(frame_rate, settings.acceleration, settings.growth, center, height)
    offsets = np.zeros((frames + 1, 2))
    if settings.camera_motion:
        offsets = camera_offsets(tracklets, motion, frames)
        tracklets = tracklets.moved(-offsets)
    area = image_size or _extent(tracks.boxes)
    gap = min(_FIRST_GAP, settings.link_seconds)
    while gap > 0:
        smoothed = _smoothed(motion, tracklets)
        labels = link_labels(smoothed, motion, frame_rate, area, gap, settings, _units(looks))
        _, numbers = np.unique(labels, return_inverse=True)
        evidence = np.bincount(numbers, evidence).astype(np.float64)
        looks = None if looks is None else _sums(numbers, looks)
        tracklets = tracklets.relabelled(labels)
        owners = numbers[owners]
        if gap >= settings.link_seconds:
            break
        gap = min(2 * gap, settings.link_seconds)
    true = _believed(tracklets, evidence, frame_rate, settings)
    tracklets = tracklets.selected(true[tracklets.tracks])
    if doubtful is not None and settings.doubtful_boxes:
        mine = owners[np.searchsorted(names, doubtful.ids)]
        more = Tracklets(mine, doubtful.frames, doubtful.boxes.astype(np.float64), doubtful.scores.astype(np.float64))
        tracklets = _completed(tracklets, more.selected(true[mine]).moved(-offsets))
    tracklets = tracklets.renumbered()
    if not tracklets.count:
        return MotTracks.from_arrays([], [], np.zeros((0, 4)))
    smoothed = _smoothed(motion, tracklets)
    whole = filled(tracklets, smoothed, motion, frame_rate, height, settings)
    if detections is not None:
        made = whole.selected(~_reported(whole, tracklets))
        boxes = detections.boxes - np.tile(offsets[detections.frames], 2)
        found = confirmed(made, tracklets, detections.frames, boxes, detections.scores, settings.confirm_iou)
        tracklets = tracklets.together(found)
        order = tracklets.order()
        tracklets = Tracklets(
            tracklets.tracks[order], tracklets.frames[order], tracklets.boxes[order], tracklets.scores[order]
        )
        smoothed = _smoothed(motion, tracklets)
        whole = filled(tracklets, smoothed, motion, frame_rate, height, settings)
    more = continued(smoothed, motion, frame_rate, frames, settings)
    whole = whole.together(without_occupied(more, whole, settings.occupied_iou)).moved(offsets)
    whole = whole.selected(_inside(whole, image_size))
    return MotTracks.from_arrays(whole.frames, whole.tracks + 1, whole.boxes, whole.scores)


def _check(
    tracks: MotTracks, frame_rate: float, image_size: tuple[int, int] | None, features: ArrayLike | None
) -> None:
    if not (math.isfinite(frame_rate) and frame_rate > 0):
        raise InputError(f"frame rate {frame_rate}; give the frames per second of the recording, more than 0")
    if image_size is not None and min(image_size) <= 0:
        raise InputError(f"image size {image_size[0]}x{image_size[1]}; give width and height in pixels, or None")
    if features is not None and len(np.asarray(features)) != len(tracks):
        raise InputError(
            f"{len(np.asarray(features))} features for {len(tracks)} boxes; give one row for each box, NaN for none"
        )
    if not len(tracks):
        return
    sizes = tracks.boxes[:, 2:] - tracks.boxes[:, :2]
    good = np.concatenate([np.isfinite(tracks.boxes), sizes > 0], axis=1).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(
            f"track {tracks.ids[row]} has a box without width or height, or not finite, in frame {tracks.frames[row]}; "
            "leave such boxes out"
        )
    keys, counts = np.unique(np.stack([tracks.frames, tracks.ids]), axis=1, return_counts=True)
    if counts.max() > 1:
        frame, number = keys[:, int(np.argmax(counts > 1))]
        raise InputError(f"id {number} appears twice in frame {frame}; ids are unique in a frame")


def _noise(tracklets: Tracklets) -> tuple[float, float]:
    """Return the noises of centres and heights, as shares of heights."""
    _, height = box_noise(tracklets)
    height = float(np.clip(np.nan_to_num(height, nan=0.03), _LEAST_NOISE, _LARGEST_NOISE))
    return _CENTER_SHARE * height, height


def _smoothed(motion: WalkingFilter, tracklets: Tracklets) -> SmoothedTracks:
    return smooth_tracks(motion, tracklets.tracks, tracklets.frames, tracklets.boxes)


def _believed(tracklets: Tracklets, evidence: Array, frame_rate: float, settings: LinkingSettings) -> NDArray[np.bool_]:
    """Return which tracks (N,) last long enough and are believed."""
    begins = np.searchsorted(tracklets.tracks, np.arange(tracklets.count))
    ends = np.append(begins[1:], len(tracklets.tracks)) - 1
    seconds = (tracklets.frames[ends] - tracklets.frames[begins] + 1) / frame_rate
    return np.asarray((evidence >= settings.least_evidence) & (seconds >= settings.least_seconds - 1e-9))


def _completed(tracklets: Tracklets, more: Tracklets) -> Tracklets:
    """Return the boxes and, of ``more``, one for each track and frame that has none: the likeliest."""
    more = more.selected(~_reported(more, tracklets))
    order = np.lexsort((-more.scores, more.frames, more.tracks))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(more.tracks[order]).astype(bool) | np.diff(more.frames[order]).astype(bool)
    chosen = np.zeros(len(order), bool)
    chosen[order[first]] = True
    return tracklets.together(more.selected(chosen))


def _reported(whole: Tracklets, seen: Tracklets) -> NDArray[np.bool_]:
    """Return which boxes of ``whole`` stand for one of ``seen``."""
    most = max(int(whole.frames.max(initial=0)), int(seen.frames.max(initial=0))) + 1
    return np.isin(whole.tracks * most + whole.frames, seen.tracks * most + seen.frames)


def _inside(whole: Tracklets, image_size: tuple[int, int] | None) -> NDArray[np.bool_]:
    """Return which boxes were reported or have their middle in the picture."""
    if image_size is None:
        return np.ones(len(whole.tracks), bool)
    x, y = ((whole.boxes[:, axis] + whole.boxes[:, axis + 2]) / 2 for axis in (0, 1))
    return (whole.scores != 0) | ((x >= 0) & (y >= 0) & (x < image_size[0]) & (y < image_size[1]))


def _extent(boxes: Array) -> tuple[float, float]:
    size = boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)
    return float(size[0]), float(size[1])


def _summed_looks(numbers: NDArray[np.int64], features: ArrayLike) -> Array:
    vectors = np.asarray(features, np.float64).reshape(len(numbers), -1)
    embedded = np.isfinite(vectors).all(axis=1, keepdims=True)
    return _sums(numbers, np.where(embedded, vectors, 0.0))


def _sums(numbers: NDArray[np.int64], vectors: Array) -> Array:
    sums = np.zeros((int(numbers.max(initial=-1)) + 1, vectors.shape[1]))
    np.add.at(sums, numbers, vectors)
    return sums


def _units(looks: Array | None) -> Array | None:
    """Return vectors of unit length, NaN where nothing was summed."""
    if looks is None:
        return None
    length = np.linalg.norm(looks, axis=1, keepdims=True)
    return np.divide(looks, length, out=np.full_like(looks, np.nan), where=length > 0)
