"""Trackers tried on MOTChallenge sequences without images: every sequence scored by itself, and combined as asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.metric_engines import (
    clear_and_identity_part,
    clear_and_identity_rows,
    combine_higher_order,
    engines_of,
    higher_order_parts,
    higher_order_row,
)
from benchmarks.metrics import pair_boxes
from benchmarks.mot_challenge import mot_sequences
from benchmarks.mot_input import MotTruth, counted_pair, detection_file, read_sequence_detections, read_truth
from benchmarks.mot_tracking import Preparation, prepared
from tracker.errors import InputError
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = [
    "FIGURES",
    "GROUPS",
    "SETS",
    "Figure",
    "Trial",
    "TrialScore",
    "combined",
    "engines",
    "group_rows",
    "load_trials",
    "score_tracks",
]

#: name → folder below the root, and whose detections
SETS: dict[str, tuple[str, str]] = {"MOT16 DPM": ("mot16", "dpm"), "MOT17 FRCNN": ("mot17-frcnn", "frcnn")}
_FIVE = ("02", "05", "09", "11", "13")
#: name → set and numbers of the sequences that are scored together
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "MOT16 DPM, 5 sequences": ("MOT16 DPM", _FIVE),
    "MOT16 DPM, 7 sequences": ("MOT16 DPM", ("02", "04", "05", "09", "10", "11", "13")),
    "MOT17 FRCNN, 5 sequences": ("MOT17 FRCNN", _FIVE),
}
_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that counts, and what is wanted of it: group, metric, and percent."""

    group: str
    metric: str
    target: float


FIGURES = (
    Figure("MOT16 DPM, 5 sequences", "MOTA", 30.5),
    Figure("MOT16 DPM, 5 sequences", "IDF1", 39.5),
    Figure("MOT16 DPM, 7 sequences", "HOTA", 34.0),
    Figure("MOT17 FRCNN, 5 sequences", "HOTA", 46.5),
    Figure("MOT17 FRCNN, 5 sequences", "IDF1", 54.5),
)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One sequence with one detector's boxes.

    Args:
        set_name: of :data:`SETS`.
        number: of the sequence, ``02``.
        truth: its ground truth.
        detections: its detections as they are in the file.
    """

    set_name: str
    number: str
    truth: MotTruth
    detections: MotDetections

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.truth.sequence.frame_rate

    def thinned(self, preparation: Preparation) -> MotDetections:
        """Return the detections as trackers get them that have no preparation of their own."""
        return prepared(self.detections, preparation)


@dataclass(frozen=True, slots=True)
class TrialScore:
    """What the engine says of one sequence, in its own form."""

    higher_order: Mapping[str, Any]
    clear: Any


def load_trials(root: str | Path, sets: Iterable[str] = tuple(SETS)) -> list[Trial]:
    """Return the sequences of ``sets`` below ``root``, in ``root/mot16`` and ``root/mot17-frcnn``.

    Raises:
        InputError: a folder or a sequence is missing, or a file cannot be used.
    """
    root = Path(root).expanduser()
    trials = []
    for name in sets:
        folder, detector = SETS[name]
        if not (root / folder).is_dir():
            raise InputError(f"{root / folder} is missing: --root is a folder that holds {name} as {folder}")
        sequences = {_number(one.name): one for one in mot_sequences(root / folder)}
        wanted = sorted({number for group, numbers in GROUPS.values() if group == name for number in numbers})
        for number in wanted:
            if number not in sequences:
                raise InputError(f"sequence {number} of {name} is missing in {root / folder}")
            truth = read_truth(sequences[number])
            given = detector if detector in sequences[number].detections else None
            found = read_sequence_detections(truth, detection_file(sequences[number], given))
            trials.append(Trial(name, number, truth, found))
    return trials


def score_tracks(trial: Trial, tracks: MotTracks) -> TrialScore:
    """Score a tracker's boxes by TrackEval after MOTChallenge's pre-processing."""
    paired = pair_boxes(*counted_pair(trial.truth, tracks))
    return TrialScore(higher_order_parts(paired), clear_and_identity_part(paired, _THRESHOLD, "trackeval"))


def combined(scores: Sequence[TrialScore]) -> dict[str, Any]:
    """Return all metrics of some sequences together; shares in percent."""
    whole = combine_higher_order({str(index): score.higher_order for index, score in enumerate(scores)})
    return higher_order_row(whole) | clear_and_identity_rows([score.clear for score in scores], "trackeval")[-1]


def group_rows(trials: Sequence[Trial], scores: Sequence[TrialScore]) -> dict[str, dict[str, Any]]:
    """Return group → metrics of those of its sequences that are there.

    Args:
        trials: sequences.
        scores: of each of them, in the same order.
    """
    rows = {}
    for group, (set_name, numbers) in GROUPS.items():
        mine = [
            score
            for trial, score in zip(trials, scores, strict=True)
            if trial.set_name == set_name and trial.number in numbers
        ]
        if mine:
            rows[group] = combined(mine)
    return rows


def engines() -> dict[str, str]:
    """Return metric → ``"package version"``."""
    return engines_of("trackeval")


def _number(name: str) -> str:
    return next((part for part in name.split("-") if part.isdigit()), name)
