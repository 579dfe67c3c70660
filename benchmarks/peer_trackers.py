"""Trackers of three libraries on one sequence, with the settings that make them most alike to ours.

ultralytics is installed with this package. boxmot and roboflow's ``trackers`` are not: what they ask of other packages
(older OpenCV, filterpy before 2) does not go together with ours. They are measured in an environment of their own, into
which this package's environment is linked; docs/trackers.md says how.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.mot_tracking import frames_of
from benchmarks.peers import PEERS, AssociationSettings, UltralyticsTracker
from tracker.detections import Detections
from tracker.errors import InputError, nearest_name_hint
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = ["LIBRARIES", "equal_parameters", "library_version", "peer_tracks"]

#: library → its trackers that we have, too
LIBRARIES: dict[str, tuple[str, ...]] = {
    "ultralytics": PEERS,
    "boxmot": ("bytetrack", "ocsort", "botsort"),
    "roboflow": ("sort", "bytetrack", "ocsort", "botsort"),
}
#: what is installed
_PACKAGES = {"ultralytics": "ultralytics", "boxmot": "boxmot", "roboflow": "trackers"}
#: SORT's own: detections, matches, and matches in a row before a track is reported
_SORT_CONFIDENCE, _SORT_IOU, _SORT_HITS = 0.5, 0.3, 3
_DIRECTION_FRAMES = 3

#: (N, 6) float: x1, y1, x2, y2, track, score
Rows = NDArray[np.floating[Any]]


class _Peer(Protocol):
    """A tracker of a library."""

    def __call__(self, found: Detections) -> Rows:
        """Take in a frame and return what is reported."""
        ...


def equal_parameters(
    name: str, settings: AssociationSettings, frame_rate: float, library: str = "ultralytics"
) -> dict[str, Any]:
    """Return the parameters with which our tracker ``name`` does what a library's does with ``settings``.

    Where a library has no setting of its own for something, ours takes what the library does.
    """
    lost = settings.lost_frames / frame_rate
    if name in ("bytetrack", "botsort"):
        # boxmot's ByteTrack starts tracks from the confidence of the first association
        at_once = library == "boxmot" and name == "bytetrack"
        return {
            "high_confidence": settings.high,
            "low_confidence": settings.low,
            "new_track_confidence": settings.high if at_once else settings.new,
            "first_match_cost": settings.match,
            "lost_track_seconds": lost,
        }
    if name == "ocsort":
        # All three report a track from its second detection on when told to, and again as soon as it is found again.
        # Only ultralytics' has a threshold of its own for new tracks, and reports what the filter makes of boxes.
        return {
            "new_track_confidence": settings.new if library == "ultralytics" else None,
            "reports_observations": library != "ultralytics",
            "minimum_confidence": settings.high,
            "minimum_iou": 1.0 - settings.match,
            "minimum_hits": 1,
            "lost_track_seconds": lost,
            "direction_seconds": _DIRECTION_FRAMES / frame_rate,
        }
    return {}


def library_version(library: str) -> str:
    """Return ``"name version"`` of an installed library.

    Raises:
        InputError: an unknown library, or it is not installed.
    """
    if library not in LIBRARIES:
        raise InputError(f"--library {library} is unknown: {nearest_name_hint(library, LIBRARIES)}")
    try:
        return f"{_PACKAGES[library]} {version(_PACKAGES[library])}"
    except PackageNotFoundError as error:
        raise _missing(library, error) from None


def peer_tracks(
    name: str, settings: AssociationSettings, found: MotDetections, length: int, library: str = "ultralytics"
) -> MotTracks:
    """Return what a library's tracker makes of the detections of a sequence of ``length`` frames.

    Raises:
        InputError: an unknown library or tracker, or the library is not installed.
    """
    library_version(library)
    if name not in LIBRARIES[library]:
        raise InputError(f"{library} has no {name!r}: {nearest_name_hint(name, LIBRARIES[library])}")
    peer = _CREATE[library](name, settings)
    tables = [np.zeros((0, 7))]
    for frame, detections, _ in frames_of(found, length):
        rows = peer(detections)
        tables.append(np.column_stack([np.full(len(rows), frame), rows]))
    table = np.concatenate(tables)
    return MotTracks.from_arrays(table[:, 0], table[:, 5], table[:, 1:5], table[:, 6])


def _ultralytics(name: str, settings: AssociationSettings) -> _Peer:
    peer = UltralyticsTracker(name, settings)
    return lambda found: peer.update(peer.prepare(found)).reshape(-1, 8)[:, :6]


def _boxmot(name: str, settings: AssociationSettings) -> _Peer:
    try:
        from boxmot import BotSort, ByteTrack, OcSort  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise _missing("boxmot", error) from None
    # It says how it was created, each time.
    logging.getLogger("boxmot").setLevel(logging.WARNING)
    if name == "bytetrack":
        tracker = ByteTrack(
            min_conf=settings.low,
            track_thresh=settings.high,
            match_thresh=settings.match,
            track_buffer=settings.lost_frames,
        )
    elif name == "botsort":
        tracker = BotSort(
            track_high_thresh=settings.high,
            track_low_thresh=settings.low,
            new_track_thresh=settings.new,
            match_thresh=settings.match,
            track_buffer=settings.lost_frames,
            fuse_first_associate=True,
            use_cmc=False,
            use_embeddings=False,
        )
    else:
        tracker = OcSort(
            det_thresh=settings.high,
            iou_threshold=1.0 - settings.match,
            max_age=settings.lost_frames,
            min_hits=1,
            delta_t=_DIRECTION_FRAMES,
            inertia=0.2,
            use_byte=False,
        )

    def update(found: Detections) -> Rows:
        table = np.column_stack([found.boxes, found.scores, found.classes]).astype(np.float32)
        return np.asarray(tracker.update(table), np.float64).reshape(-1, 8)[:, :6]

    return update


def _roboflow(name: str, settings: AssociationSettings) -> _Peer:
    try:
        import supervision  # type: ignore[import-not-found,unused-ignore]
        import trackers  # type: ignore[import-not-found,unused-ignore]
        from trackers.utils.state_representations import (  # type: ignore[import-not-found,unused-ignore]
            XCYCSRStateEstimator,
        )
    except ImportError as error:
        raise _missing("roboflow", error) from None
    # At 30 frames/s its buffer of lost tracks is in frames, as ours is here.
    common: dict[str, Any] = {"frame_rate": 30.0, "lost_track_buffer": settings.lost_frames}
    least = 0.0
    if name == "sort":
        # It matches detections below its threshold, too; SORT does not.
        least = _SORT_CONFIDENCE
        tracker = trackers.SORTTracker(
            frame_rate=30.0,
            lost_track_buffer=1,
            track_activation_threshold=_SORT_CONFIDENCE,
            minimum_consecutive_frames=_SORT_HITS,
            minimum_iou_threshold=_SORT_IOU,
            state_estimator_class=XCYCSRStateEstimator,
        )
    elif name == "bytetrack":
        least = settings.low
        tracker = trackers.ByteTrackTracker(
            high_conf_det_threshold=settings.high,
            track_activation_threshold=settings.new,
            minimum_iou_threshold=1.0 - settings.match,
            minimum_consecutive_frames=2,
            **common,
        )
    elif name == "botsort":
        tracker = trackers.BoTSORTTracker(
            high_conf_det_threshold=settings.high,
            track_activation_threshold=settings.new,
            minimum_iou_threshold_first_assoc=1.0 - settings.match,
            minimum_consecutive_frames=2,
            enable_cmc=False,
            **common,
        )
    else:
        tracker = trackers.OCSORTTracker(
            high_conf_det_threshold=settings.high,
            minimum_iou_threshold=1.0 - settings.match,
            minimum_consecutive_frames=1,
            direction_consistency_weight=0.2,
            delta_t=_DIRECTION_FRAMES,
            **common,
        )

    def update(found: Detections) -> Rows:
        found = found[found.scores >= least]
        given = supervision.Detections(
            xyxy=found.boxes.astype(np.float64),
            confidence=found.scores.astype(np.float64),
            class_id=found.classes.astype(int),
        )
        reported = tracker.update(given)
        table = np.column_stack([reported.xyxy, reported.tracker_id, reported.confidence])
        return np.asarray(table[reported.tracker_id >= 0], np.float64).reshape(-1, 6)

    return update


_CREATE: Mapping[str, Callable[[str, AssociationSettings], _Peer]] = {
    "ultralytics": _ultralytics,
    "boxmot": _boxmot,
    "roboflow": _roboflow,
}


def _missing(library: str, error: Exception) -> InputError:
    return InputError(
        f"--library {library} cannot be used ({error}); install {_PACKAGES[library]} in an environment of its own, as "
        "docs/trackers.md says"
    )
