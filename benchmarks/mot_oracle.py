"""What perfect identities would reach on the same boxes: the room left to a tracker."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.metrics import iou_matrix
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = ["filled_gaps", "oracle_tracks"]


def oracle_tracks(truth: MotTracks, found: MotDetections, threshold: float = 0.5) -> MotTracks:
    """Return the detections that stand for somebody, each with the identity of whom it stands for.

    In each frame boxes are matched to the counted truth for the greatest overlap; boxes that match nobody are dropped.

    Args:
        truth: the ground truth that counts.
        found: detections, as a tracker gets them.
        threshold: least overlap of a match.
    """
    rows, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for frame in np.intersect1d(truth.frames, found.frames).tolist():
        first, last = np.searchsorted(truth.frames, (frame, frame + 1)).tolist()
        begin, end = np.searchsorted(found.frames, (frame, frame + 1)).tolist()
        overlap = iou_matrix(truth.boxes[first:last], found.boxes[begin:end])
        overlap[overlap < threshold] = 0
        people, boxes = linear_sum_assignment(overlap, maximize=True)
        good = overlap[people, boxes] > 0
        rows.append(begin + boxes[good])
        ids.append(truth.ids[first:last][people[good]])
    chosen = np.concatenate(rows)
    return MotTracks.from_arrays(found.frames[chosen], np.concatenate(ids), found.boxes[chosen], found.scores[chosen])


def filled_gaps(tracks: MotTracks, longest: int) -> MotTracks:
    """Return the tracks with boxes on straight lines between, where one is missing for at most ``longest`` frames."""
    frames, ids, boxes, scores = [tracks.frames], [tracks.ids], [tracks.boxes], [tracks.scores]
    for identity in np.unique(tracks.ids).tolist():
        rows = np.flatnonzero(tracks.ids == identity)
        for before, after in pairwise(rows.tolist()):
            gap = int(tracks.frames[after] - tracks.frames[before]) - 1
            if not 0 < gap <= longest:
                continue
            share = np.arange(1, gap + 1)[:, None] / (gap + 1)
            frames.append(tracks.frames[before] + np.arange(1, gap + 1))
            ids.append(np.full(gap, identity))
            boxes.append((1 - share) * tracks.boxes[before] + share * tracks.boxes[after])
            scores.append(np.full(gap, min(tracks.scores[before], tracks.scores[after])))
    return MotTracks.from_arrays(*(np.concatenate(part) for part in (frames, ids, boxes, scores)))
