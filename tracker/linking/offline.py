"""A whole sequence tracked with all its detections known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.association.suppression import non_maximum_suppression
from tracker.detections import Detections
from tracker.linking.linking import link_with_evidence
from tracker.linking.scene_geometry import are_margins, learn_scene, score_log_odds
from tracker.linking.settings import LinkingSettings
from tracker.single_camera import create_tracker
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = ["Tracked", "judged", "track_offline", "tracklets_of"]

#: probabilities are kept within, so that one box decides nothing
_LEAST, _LARGEST = 0.02, 0.98
#: parameters of trackers whose tracks are judged when all of them is known
_JUDGED_LATER: dict[str, dict[str, Any]] = {"multicam": {"reports_unconfirmed": True}}


def track_offline(
    detections: MotDetections,
    frame_rate: float,
    image_size: tuple[int, int] | None,
    settings: LinkingSettings | None = None,
    *,
    tracker: str = "multicam",
    features: NDArray[np.floating[Any]] | None = None,
    parameters: dict[str, Any] | None = None,
) -> MotTracks:
    """Track one camera's people with all detections known: judge these by the scene, track, link.

    Args:
        detections: of all frames, weak ones and repeated ones included, scores as the detector gives them.
        frame_rate: frames per second.
        image_size: width and height, pixels; ``None``: as far as boxes reach.
        settings: ``None``: the defaults.
        tracker: name of the tracker that makes the tracklets.
        features: (N, D) of the detections, rows of NaN where there is none.
        parameters: the tracker's own.

    Returns:
        Tracks as of :func:`link_tracks`; scores are probabilities, 0 where nothing was detected.

    Raises:
        InputError: as :func:`link_tracks`; unknown tracker or parameters.
    """
    settings = settings or LinkingSettings()
    found = tracklets_of(detections, frame_rate, settings, tracker=tracker, features=features, parameters=parameters)
    return link_with_evidence(
        found.tracks,
        found.log_odds,
        frame_rate,
        image_size,
        settings,
        found.features,
        found.detections,
        found.doubtful,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What a tracker made of judged detections.

    Args:
        tracks: N boxes of tracklets, as detected; scores are probabilities.
        log_odds: (N,) of a person.
        features: (N, D) or ``None``.
        detections: those that remained, scores probabilities.
        doubtful: boxes that the same tracks had while their tracker did not believe in them.
    """

    tracks: MotTracks
    log_odds: NDArray[np.float64]
    features: NDArray[np.floating[Any]] | None
    detections: MotDetections
    doubtful: MotTracks


def tracklets_of(
    detections: MotDetections,
    frame_rate: float,
    settings: LinkingSettings,
    *,
    tracker: str = "multicam",
    features: NDArray[np.floating[Any]] | None = None,
    parameters: dict[str, Any] | None = None,
) -> Tracked:
    """Return what :func:`track_offline` links; arguments as there."""
    kept, chosen = judged(detections, frame_rate, settings)
    following = create_tracker(tracker, frame_rate=frame_rate, **_JUDGED_LATER.get(tracker, {}) | (parameters or {}))
    frames, ids, rows, sure = [], [], [], []
    for frame in range(1, detections.last_frame + 1):
        first, last = np.searchsorted(kept.frames, (frame, frame + 1)).tolist()
        vectors = None if features is None else np.asarray(features[chosen[first:last]], np.float32)
        found = Detections(kept.boxes[first:last], kept.scores[first:last], features=vectors)
        reported = following.update(found, time=frame / frame_rate)
        # where a tracker only expects somebody, what is known later says more
        seen = reported.detection_indices >= 0
        frames.append(np.full(int(seen.sum()), frame))
        ids.append(reported.ids[seen])
        rows.append(first + reported.detection_indices[seen])
        sure.append(np.isin(reported.ids[seen], following.believed_ids))
    none = [np.zeros(0, np.int64)]
    moments, numbers, picked = (np.concatenate(parts or none) for parts in (frames, ids, rows))
    believed = np.concatenate(sure) if sure else np.zeros(0, bool)
    # who was never believed is nobody
    doubted = ~believed & np.isin(numbers, numbers[believed])
    tracks, doubtful = (
        MotTracks.from_arrays(moments[which], numbers[which], kept.boxes[picked[which]], kept.scores[picked[which]])
        for which in (believed, doubted)
    )
    picked = picked[believed]
    probabilities = np.clip(tracks.scores, _LEAST, _LARGEST)
    odds = np.log(probabilities) - np.log1p(-probabilities)
    return Tracked(tracks, odds, None if features is None else features[chosen[picked]], kept, doubtful)


def judged(
    detections: MotDetections, frame_rate: float, settings: LinkingSettings
) -> tuple[MotDetections, NDArray[np.intp]]:
    """Return the detections that remain, their scores probabilities, and their rows in ``detections``."""
    odds = score_log_odds(detections.scores)
    if settings.scene_geometry:
        probabilities = learn_scene(detections.frames / frame_rate, detections.boxes, odds).probabilities
    else:
        probabilities = 1 / (1 + np.exp(-odds))
    limit = settings.margin_suppression_iou if are_margins(detections.scores) else settings.suppression_iou
    kept = probabilities >= settings.least_probability
    bounds = np.searchsorted(detections.frames, np.arange(1, detections.last_frame + 2)).tolist()
    for first, last in pairwise(bounds):
        kept[first:last] &= non_maximum_suppression(detections.boxes[first:last].T, probabilities[first:last], limit)
    rows = np.flatnonzero(kept)
    return replace(
        detections,
        frames=detections.frames[rows],
        boxes=detections.boxes[rows],
        scores=probabilities[rows].astype(np.float32),
        source_rows=detections.source_rows[rows],
    ), rows
