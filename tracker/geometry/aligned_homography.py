"""The homography of the floor from boxes whose people are known: for images whose principal point is not central."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.geometry.camera import Camera
from tracker.geometry.consensus import find_consensus
from tracker.geometry.floor_homography import FloorHomography
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.people_tracks import BoxTracks
from tracker.geometry.point_pairs import PointPairs
from tracker.geometry.view_guesses import PERSON_HEIGHT

__all__ = ["aligned_homography"]

Array = NDArray[np.float64]

#: share of the boxes' median height within which feet agree, and pixels at least
_SHARE, _LEAST = 0.12, 5.0
#: feet with which a homography is worth something
_FEWEST = 20


def aligned_homography(camera: Camera, tracks: BoxTracks, places: Array) -> HomographyCamera:
    """Return the homography camera that fits the boxes' lower sides best, where most agree.

    Args:
        camera: as it was aligned, to start from; its distortion must be none.
        tracks: N boxes.
        places: (N, 2) where their people were, metres.

    Raises:
        InputError: too few boxes end at the feet, or they determine no homography.
    """
    feet = ~tracks.sides_cut[:, [0, 2, 3]].any(axis=1)
    boxes, middles = tracks.boxes[feet], places[feet]
    if len(boxes) < _FEWEST:
        raise InputError(f"camera {camera.name}: {len(boxes)} boxes that end at the feet are too few for a homography")
    # People lean outwards in a picture, and shoes are nearer than the feet's middle: as much as in the pose's boxes.
    floor = np.column_stack([middles, np.zeros(len(middles))])
    shift = camera.project(floor)[0] - _lower_middles(camera.person_box(middles[:, 0], middles[:, 1], PERSON_HEIGHT))
    usable = np.isfinite(shift).all(axis=1)
    labels = tuple(f"box {number}" for number in range(1, int(usable.sum()) + 1))
    pairs = PointPairs((_lower_middles(boxes) + shift)[usable], floor[usable], labels)
    model = FloorHomography(pairs, camera.width, camera.height)
    start = camera.intrinsics @ np.column_stack([camera.rotation[:, :2], camera.translation])
    threshold = max(_LEAST, _SHARE * float(np.median(boxes[:, 3] - boxes[:, 1])))
    found = find_consensus(model, [start, *model.candidates(0)], threshold)
    if found is None or found.inliers.sum() < _FEWEST:
        raise InputError(f"camera {camera.name}: its boxes' feet determine no homography; choose the model pose")
    return model.camera(found.candidate, camera.name)


def _lower_middles(boxes: Array) -> Array:
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
