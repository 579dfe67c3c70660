"""Tracking metrics through the field's own engines: motmetrics (CLEAR, identity) and TrackEval (HOTA, or all of them).

Both engines are handed arrays: per frame the ids of truth and results and how similar each pair is. So one code path
serves boxes in the picture and points on the floor, and no files are written in between. The engines differ in
identity switches (motmetrics keeps a correspondence across any gap, the official code from the frame before only), so
every report says which engine made which figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.metric_engines import (
    Engine,
    clear_and_identity_part,
    clear_and_identity_rows,
    combine_higher_order,
    engine_version,
    engines_of,
    higher_order_parts,
    higher_order_row,
)
from tracker.errors import InputError
from tracker.storage.mot_files import MotTracks

__all__ = [
    "COMBINED",
    "DISTRACTOR_CLASSES",
    "PEDESTRIAN_CLASS",
    "PairedFrames",
    "clear_and_identity",
    "higher_order",
    "iou_matrix",
    "mot_challenge_preprocessing",
    "pair_boxes",
    "pair_points",
    "score_sequences",
]

#: the name of the row over all sequences
COMBINED = "combined"
PEDESTRIAN_CLASS = 1
#: person on a vehicle, static person, distractor, reflection
DISTRACTOR_CLASSES = (2, 7, 8, 12)


@dataclass(frozen=True, slots=True, eq=False)
class PairedFrames:
    """Truth and results of one sequence, frame by frame, and how similar each pair is.

    Args:
        frames: (F,) int64 frame numbers, ascending.
        truth_ids: F arrays (n,) int64, counted from 0 without gaps over the sequence.
        result_ids: F arrays (m,) int64, likewise.
        similarities: F arrays (n, m) float64 from 0 to 1.
        truth_names: int64, the id that each counted one was given as; ``None``: the counted ones are the given ones.
        result_names: likewise.
    """

    frames: NDArray[np.int64]
    truth_ids: list[NDArray[np.int64]]
    result_ids: list[NDArray[np.int64]]
    similarities: list[NDArray[np.float64]]
    truth_names: NDArray[np.int64] | None = None
    result_names: NDArray[np.int64] | None = None

    def for_trackeval(self) -> dict[str, Any]:
        """Return the dictionary that TrackEval's metric classes take."""
        return {
            "num_timesteps": len(self.frames),
            "num_gt_dets": sum(map(len, self.truth_ids)),
            "num_tracker_dets": sum(map(len, self.result_ids)),
            "num_gt_ids": 1 + max((int(ids.max()) for ids in self.truth_ids if len(ids)), default=-1),
            "num_tracker_ids": 1 + max((int(ids.max()) for ids in self.result_ids if len(ids)), default=-1),
            "gt_ids": self.truth_ids,
            "tracker_ids": self.result_ids,
            "similarity_scores": self.similarities,
        }


def iou_matrix(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the (N, M) float64 intersection over union of boxes (N, 4) and (M, 4), ``x1, y1, x2, y2``."""
    left, top, right, bottom = (column[:, None] for column in np.asarray(first, np.float64).reshape(-1, 4).T)
    left_2, top_2, right_2, bottom_2 = np.asarray(second, np.float64).reshape(-1, 4).T
    width = np.minimum(right, right_2) - np.maximum(left, left_2)
    height = np.minimum(bottom, bottom_2) - np.maximum(top, top_2)
    common = np.maximum(width, 0) * np.maximum(height, 0)
    union = (right - left) * (bottom - top) + (right_2 - left_2) * (bottom_2 - top_2) - common
    return np.divide(common, union, out=np.zeros_like(common), where=(common > 0) & (union > 0))


def pair_boxes(truth: MotTracks, results: MotTracks, frames: Iterable[int] | None = None) -> PairedFrames:
    """Pair boxes of the picture by intersection over union.

    Args:
        truth: ground truth; everything in it counts (see :func:`mot_challenge_preprocessing`).
        results: what a tracker reported.
        frames: the frames to count; left out: all in which either has a box.

    Raises:
        InputError: an id appears twice in one frame.
    """
    return _pair(
        (truth.frames, truth.ids, truth.boxes), (results.frames, results.ids, results.boxes), frames, iou_matrix
    )


def pair_points(
    truth: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]], NDArray[np.floating[Any]]],
    results: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]], NDArray[np.floating[Any]]],
    *,
    zero_distance: float,
    frames: Iterable[int] | None = None,
) -> PairedFrames:
    """Pair points of the floor by ``max(0, 1 - distance / zero_distance)``.

    With the threshold of 0.5 that :func:`score_sequences` uses, points up to half of ``zero_distance`` apart match: for
    ``MOTA@1m`` give 2 m.

    Args:
        truth: frames (N,), ids (N,), positions (N, 2 or 3) in metres.
        results: likewise.
        zero_distance: metres at which nothing is left of the similarity.
        frames: the frames to count; left out: all in which either has a point.

    Raises:
        InputError: an id appears twice in one frame.
    """

    def similarity(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
        distance = np.linalg.norm(first[:, None, :] - second[None, :, :], axis=2)
        return np.maximum(0.0, 1.0 - distance / zero_distance)

    return _pair(truth, results, frames, similarity)


def mot_challenge_preprocessing(
    truth: MotTracks,
    results: MotTracks,
    iou_threshold: float = 0.5,
    distractor_classes: Iterable[int] = DISTRACTOR_CLASSES,
) -> tuple[MotTracks, MotTracks]:
    """Return truth and results as MOTChallenge counts them.

    In each frame the results are matched to all ground truth (IoU of at least the threshold, Hungarian); those matched
    to a distractor (classes 2, 7, 8 and 12; in MOT20 6, too) are removed, since finding one is neither right nor
    wrong. Then of the ground truth remain the pedestrians (class 1) whose mark is not 0. Ground truth without
    classes (MOT15) has no distractors, and all of it with a mark other than 0 counts.
    """
    from scipy.optimize import linear_sum_assignment

    with_classes = bool((truth.classes >= 0).any())
    counted = truth.scores != 0
    if not with_classes:
        return truth[counted], results
    distractor = np.isin(truth.classes, list(distractor_classes))
    kept = np.ones(len(results), bool)
    for frame in np.intersect1d(truth.frames[distractor], results.frames).tolist():
        truth_rows, result_rows = _rows_of(truth.frames, frame), _rows_of(results.frames, frame)
        overlap = iou_matrix(truth.boxes[truth_rows], results.boxes[result_rows])
        overlap[overlap < iou_threshold - np.finfo(float).eps] = 0
        matched_truth, matched_result = linear_sum_assignment(overlap, maximize=True)
        removed = (overlap[matched_truth, matched_result] > 0) & distractor[truth_rows][matched_truth]
        kept[result_rows.start + matched_result[removed]] = False
    return truth[counted & (truth.classes == PEDESTRIAN_CLASS)], results[kept]


def clear_and_identity(
    truth: MotTracks,
    results: MotTracks,
    iou_threshold: float = 0.5,
    *,
    engine: Engine = "motmetrics",
    frames: Iterable[int] | None = None,
) -> dict[str, Any]:
    """Return CLEAR and identity metrics of one sequence of boxes.

    Args:
        truth: ground truth; all of it counts.
        results: what a tracker reported.
        iou_threshold: least overlap of a match.
        engine: who computes.
        frames: the frames to count; left out: all in which either has a box.

    Returns:
        MOTA, MOTP (mean overlap of matches), IDF1, IDP, IDR, Rcll and Prcn in percent; IDSW, FP, FN, TP, MT, PT, ML and
        GT (people) as numbers; ``engines``: metric → ``"package version"``.
    """
    paired = {"": pair_boxes(truth, results, frames)}
    row = _clear_and_identity(paired, iou_threshold, engine)[0]
    return row | {"engines": dict.fromkeys(row, engine_version(engine))}


def higher_order(truth: MotTracks, results: MotTracks, *, frames: Iterable[int] | None = None) -> dict[str, Any]:
    """Return HOTA, DetA, AssA, LocA, DetRe, DetPr, AssRe and AssPr of one sequence of boxes in percent, and engines.

    Means over the localisation thresholds 0.05, 0.1, … 0.95 (Luiten et al., IJCV 2021, equation 12), by TrackEval.
    """
    row = _higher_order({"": pair_boxes(truth, results, frames)})[0]
    return row | {"engines": dict.fromkeys(row, engine_version("trackeval"))}


def score_sequences(
    sequences: Mapping[str, PairedFrames], threshold: float = 0.5, *, engine: Engine = "motmetrics"
) -> dict[str, Any]:
    """Return all metrics of each sequence and of all together.

    Args:
        sequences: name → paired frames.
        threshold: least similarity of a match for CLEAR and identity metrics (HOTA goes through all).
        engine: who computes CLEAR and identity metrics; HOTA is always TrackEval's.

    Returns:
        ``rows``: one for each sequence in the order given, then one named ``combined`` (counts summed and shares made
        from the sums, as the official tools do), each with ``sequence`` and the metrics of :func:`clear_and_identity`
        and :func:`higher_order`; ``engines``: metric → ``"package version"``.

    Raises:
        InputError: no sequence, or one called ``combined``.
    """
    if not sequences:
        raise InputError("no sequence to evaluate")
    if COMBINED in sequences:
        raise InputError(f"a sequence is called {COMBINED!r}, the name of the row over all; rename it")
    rows = [
        {"sequence": name} | hota | clear
        for name, hota, clear in zip(
            [*sequences, COMBINED],
            _higher_order(sequences),
            _clear_and_identity(sequences, threshold, engine),
            strict=True,
        )
    ]
    return {"rows": rows, "engines": engines_of(engine)}


def _rows_of(frames: NDArray[np.int64], frame: int) -> slice:
    first, last = np.searchsorted(frames, (frame, frame + 1)).tolist()
    return slice(first, last)


def _pair(
    truth: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    results: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    frames: Iterable[int] | None,
    similarity: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]],
) -> PairedFrames:
    numbers = np.unique(np.concatenate([truth[0], results[0]]) if frames is None else np.array(list(frames), np.int64))
    sides = [_by_frame(side, numbers, name) for side, name in ((truth, "ground truth"), (results, "results"))]
    (truth_ids, truth_places, truth_names), (result_ids, result_places, result_names) = sides
    similarities = [similarity(*places) for places in zip(truth_places, result_places, strict=True)]
    return PairedFrames(numbers.astype(np.int64), truth_ids, result_ids, similarities, truth_names, result_names)


def _by_frame(
    side: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], numbers: NDArray[Any], name: str
) -> tuple[list[NDArray[np.int64]], list[NDArray[Any]], NDArray[np.int64]]:
    frames, ids, places = side
    order = np.argsort(frames, kind="stable")
    order = order[np.isin(frames[order], numbers)]
    frames, ids, places = frames[order], ids[order], places[order]
    names, labels = np.unique(ids, return_inverse=True)
    keys, counts = np.unique(np.stack([frames, labels]), axis=1, return_counts=True)
    if len(counts) and counts.max() > 1:
        frame, label = keys[:, int(np.argmax(counts > 1))]
        raise InputError(f"{name}: id {names[label]} appears twice in frame {frame}; ids are unique in a frame")
    bounds = np.searchsorted(frames, numbers, side="left"), np.searchsorted(frames, numbers, side="right")
    slices = [slice(first, last) for first, last in zip(*(bound.tolist() for bound in bounds), strict=True)]
    labels = labels.astype(np.int64)
    return [labels[part] for part in slices], [places[part] for part in slices], names.astype(np.int64)


def _higher_order(sequences: Mapping[str, PairedFrames]) -> list[dict[str, float]]:
    """Return a row for each sequence and one for all, in percent."""
    parts = {name: higher_order_parts(paired) for name, paired in sequences.items()}
    return [higher_order_row(part) for part in (*parts.values(), combine_higher_order(parts))]


def _clear_and_identity(
    sequences: Mapping[str, PairedFrames], threshold: float, engine: Engine
) -> list[dict[str, Any]]:
    parts = [clear_and_identity_part(paired, threshold, engine) for paired in sequences.values()]
    return clear_and_identity_rows(parts, engine)
