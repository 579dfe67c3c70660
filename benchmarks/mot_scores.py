"""Trackers scored on MOTChallenge sequences: one job for each tracker and sequence, rows from all of them.

Jobs carry all they need, so that they can be done in other processes, and every row says which engine made what.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.correspondences import Switch, identity_switches
from benchmarks.failures import Failure, worst_failures
from benchmarks.metric_engines import (
    clear_and_identity_part,
    clear_and_identity_rows,
    combine_higher_order,
    engine_version,
    higher_order_parts,
    higher_order_row,
)
from benchmarks.metrics import COMBINED, PairedFrames, pair_boxes
from benchmarks.mot_input import MotTruth, counted_pair
from benchmarks.mot_oracle import filled_gaps, oracle_tracks
from benchmarks.mot_tracking import Scene, TrackerChoice, follow, frames_of
from benchmarks.predictions import PredictionRecorder
from tracker.linking import link_tracks, track_offline
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = [
    "ORACLES",
    "MotJob",
    "MotOutcome",
    "SequenceScore",
    "do_job",
    "paired_sequence",
    "rows_of",
    "score_pairs",
    "track_and_score",
]

#: row name → greatest gap that is filled, in frames
ORACLES = {"oracle": 0, "oracle with gaps filled": 20}
#: figures of the official code that may differ from motmetrics', which come first
_BESIDE = ("MOTA", "IDF1", "IDSW", "MT", "ML")
_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class SequenceScore:
    """What the engines say of one sequence, each in its own form.

    Args:
        higher_order: TrackEval's HOTA.
        motmetrics: CLEAR and identity by motmetrics.
        trackeval: the same by TrackEval.
        switches: every identity switch.
        seconds: how long all this took.
    """

    higher_order: Mapping[str, Any]
    motmetrics: Any
    trackeval: Any
    switches: Sequence[Switch]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class MotJob:
    """One row's work on one sequence.

    Args:
        name: of the row.
        truth: of the sequence.
        tracker: who follows; ``None``: an oracle, or ready results.
        detections: what it is given, prepared.
        results: ready results, to be scored only.
        offline: link the tracks with the whole sequence known.
        failures: how many of the worst switches, and of the worst misses, to list.
        oracle_gap: greatest gap, in frames, that an oracle fills.
    """

    name: str
    truth: MotTruth
    tracker: TrackerChoice | None = None
    detections: MotDetections | None = None
    results: MotTracks | None = None
    offline: bool = False
    failures: int = 0
    oracle_gap: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class MotOutcome:
    """What came of a job.

    Args:
        name: of the row.
        sequence: of the sequence.
        score: what the engines say.
        tracks: what the tracker reported.
        frames: of the sequence.
        association_seconds: of the tracker alone; ``None`` where none ran.
        linking_seconds: of linking afterwards; ``None`` where none ran.
        failures: the worst of them, worst first, as far as the job asks.
    """

    name: str
    sequence: str
    score: SequenceScore
    tracks: MotTracks
    frames: int
    association_seconds: float | None = None
    linking_seconds: float | None = None
    failures: Sequence[Failure] = ()


def do_job(job: MotJob) -> MotOutcome:
    """Track, or take what is there, and score it."""
    if job.results is not None:
        return _outcome(job, job.results)
    assert job.detections is not None
    if job.tracker is None:
        counted = counted_pair(job.truth, MotTracks.from_arrays([], [], np.zeros((0, 4))))[0]
        oracle = oracle_tracks(counted, job.detections)
        return _outcome(job, filled_gaps(oracle, job.oracle_gap))
    if job.offline:
        return _tracked_offline(job, job.tracker, job.detections)
    return track_and_score(job, frames_of(job.detections, job.truth.length))


def track_and_score(job: MotJob, scenes: Iterable[Scene]) -> MotOutcome:
    """Run the job's tracker over ``scenes``, each frame with its detections, features and image, and score it."""
    assert job.tracker is not None
    recorder = PredictionRecorder() if job.failures else None
    followed = follow(scenes, job.tracker.create(job.truth.sequence.frame_rate), recorder)
    tracks, linking = followed.tracks, None
    if job.offline:
        tracks, linking = linked_offline(job.truth, tracks)
    return _outcome(job, tracks, followed.seconds, linking, recorder)


def score_pairs(paired: PairedFrames, begun: float | None = None) -> SequenceScore:
    """Return what both engines say of a sequence; ``begun``: when the work did, by ``time.perf_counter``."""
    begun = time.perf_counter() if begun is None else begun
    return SequenceScore(
        higher_order_parts(paired),
        clear_and_identity_part(paired, _THRESHOLD, "motmetrics"),
        clear_and_identity_part(paired, _THRESHOLD, "trackeval"),
        identity_switches(paired, _THRESHOLD),
        time.perf_counter() - begun,
    )


def paired_sequence(truth: MotTruth, results: MotTracks) -> PairedFrames:
    """Return what counts of truth and results, frame by frame."""
    return pair_boxes(*counted_pair(truth, results))


def rows_of(outcomes: Sequence[MotOutcome]) -> list[dict[str, Any]]:
    """Return the rows of one name: one for each sequence, in order, and ``combined``.

    CLEAR and identity figures are motmetrics'; those that TrackEval counts by the official rules stand beside them,
    ``MOTA (TrackEval)`` and so on. HOTA and what belongs to it are TrackEval's.
    """
    parts = {outcome.sequence: outcome.score for outcome in outcomes}
    hota = {name: score.higher_order for name, score in parts.items()}
    wholes = [*hota.values(), combine_higher_order(hota)]
    ours = clear_and_identity_rows([score.motmetrics for score in parts.values()], "motmetrics")
    official = clear_and_identity_rows([score.trackeval for score in parts.values()], "trackeval")
    engines = (
        f"{', '.join(higher_order_row(wholes[0]))}, … (TrackEval): {engine_version('trackeval')}; the others: "
        + (engine_version("motmetrics"))
    )
    rows = []
    for index, name in enumerate([*parts, COMBINED]):
        these = outcomes if name == COMBINED else [outcomes[index]]
        rows.append(
            {"name": outcomes[0].name, "sequence": name}
            | higher_order_row(wholes[index])
            | ours[index]
            | {f"{figure} (TrackEval)": official[index][figure] for figure in _BESIDE}
            | {"frames": sum(outcome.frames for outcome in these)}
            | _times(these)
            | {"engines": engines}
        )
    return rows


def linked_offline(truth: MotTruth, tracks: MotTracks) -> tuple[MotTracks, float]:
    """Link the tracks of a whole sequence, and say how long it took."""
    begun = time.perf_counter()
    linked = link_tracks(tracks, truth.sequence.frame_rate, truth.sequence.image_size)
    return linked, time.perf_counter() - begun


def _tracked_offline(job: MotJob, tracker: TrackerChoice, detections: MotDetections) -> MotOutcome:
    """Track with all boxes of the sequence known from the start: these are judged by the scene before any tracker."""
    sequence = job.truth.sequence
    begun = time.perf_counter()
    tracks = track_offline(
        detections, sequence.frame_rate, sequence.image_size, tracker=tracker.name, parameters=dict(tracker.parameters)
    )
    return _outcome(job, tracks, None, time.perf_counter() - begun)


def _outcome(
    job: MotJob,
    tracks: MotTracks,
    association: float | None = None,
    linking: float | None = None,
    recorder: PredictionRecorder | None = None,
) -> MotOutcome:
    begun = time.perf_counter()
    paired = paired_sequence(job.truth, tracks)
    score = score_pairs(paired, begun)
    failures = worst_failures(job.truth, tracks, recorder, job.detections, job.failures) if job.failures else []
    name = job.truth.sequence.name
    return MotOutcome(job.name, name, score, tracks, job.truth.length, association, linking, failures)


def _times(outcomes: Sequence[MotOutcome]) -> dict[str, float | None]:
    association = [outcome.association_seconds for outcome in outcomes if outcome.association_seconds is not None]
    linking = [outcome.linking_seconds for outcome in outcomes if outcome.linking_seconds is not None]
    frames = sum(outcome.frames for outcome in outcomes)
    return {
        "association_seconds": round(sum(association), 3) if association else None,
        "association_ms_per_frame": round(1000 * sum(association) / frames, 4) if association and frames else None,
        "linking_seconds": round(sum(linking), 3) if linking else None,
        "metric_seconds": round(sum(outcome.score.seconds for outcome in outcomes), 3),
    }
