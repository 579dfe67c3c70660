"""Ground truth, detections and results of MOTChallenge sequences, read so that what is odd is named.

What can be put right without a guess is (order, frames counted from 0), with a warning; the rest is refused.
"""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.metrics import DISTRACTOR_CLASSES, PEDESTRIAN_CLASS, mot_challenge_preprocessing
from benchmarks.mot_challenge import MotSequence, existing_text
from tracker.errors import InputError
from tracker.storage.mot_files import MotDetections, MotTracks, read_detections, read_tracks

__all__ = [
    "MotTruth",
    "counted_pair",
    "detection_file",
    "read_results",
    "read_sequence_detections",
    "read_truth",
    "result_files",
]

#: columns of ground truth: MOT16 and later; MOT15 (world coordinates or -1 behind the mark)
_WITH_CLASSES, _WITHOUT_CLASSES = 9, (7, 10)
#: MOT20 has crowds behind vehicles
_MOT20_DISTRACTORS = (*DISTRACTOR_CLASSES, 6)


@dataclass(frozen=True, slots=True, eq=False)
class MotTruth:
    """The ground truth of a sequence.

    Args:
        sequence: which.
        tracks: all rows, those that do not count too.
        length: number of frames: what ``seqinfo.ini`` says, or the last frame that has a box.
    """

    sequence: MotSequence
    tracks: MotTracks
    length: int


def read_truth(sequence: MotSequence) -> MotTruth:
    """Read the ground truth of a sequence.

    Raises:
        InputError: it cannot be read, has other columns than MOTChallenge's, is of detections, has an id twice in a
            frame, goes beyond the length of the sequence, or nothing in it counts.
    """
    path = sequence.truth
    tracks = read_tracks(path, shifts_frame_zero=True)
    columns = _columns(path)
    if columns and columns != _WITH_CLASSES and columns not in _WITHOUT_CLASSES:
        raise InputError(
            f"{path}: {columns} columns; ground truth has 9 (frame,id,left,top,width,height,mark,class,visibility) "
            "or, without classes as in MOT15, 7 or 10"
        )
    # Ground truth is handed out by person, not by frame.
    _warn(message for message in tracks.warnings if "not sorted" not in message)
    if len(tracks) and (tracks.ids < 0).all():
        raise InputError(f"{path}: every id is {tracks.ids[0]}, so these are detections; give the ground truth")
    _check_unique(tracks, path)
    _check_length(tracks.frames, sequence, path)
    counted = (tracks.scores != 0) & ((tracks.classes == PEDESTRIAN_CLASS) | (tracks.classes < 0))
    if len(tracks) and not counted.any():
        raise InputError(f"{path}: no box counts (mark not 0 and class 1, a pedestrian); is it the ground truth?")
    return MotTruth(sequence, tracks, sequence.length or max(tracks.last_frame, 1))


def counted_pair(truth: MotTruth, results: MotTracks) -> tuple[MotTracks, MotTracks]:
    """Return truth and results as the official code counts them for that data set."""
    distractors = _MOT20_DISTRACTORS if truth.sequence.is_mot20 else DISTRACTOR_CLASSES
    return mot_challenge_preprocessing(truth.tracks, results, distractor_classes=distractors)


def detection_file(sequence: MotSequence, given: str | None, *, of_several: bool = False) -> Path:
    """Return where the detections of a sequence are.

    Args:
        sequence: whose.
        given: a name of those that come with it (``dpm``, ``frcnn``, …); a file; a folder with ``SEQ.txt`` or
            ``SEQ/det/det.txt``; a path with ``{sequence}`` in it; ``None``: its own.
        of_several: whether other sequences are evaluated too, which one file cannot serve.

    Raises:
        InputError: there are none.
    """
    there = sequence.detections
    if given is None:
        if "det" in there or len(there) == 1:
            return there["det"] if "det" in there else next(iter(there.values()))
        remedy = f"choose one with --detections: {', '.join(there)}" if there else "give them with --detections PATH"
        raise InputError(f"{sequence.name} has {'several' if there else 'no'} detections: {remedy}")
    if given.lower() in there:
        return there[given.lower()]
    path = Path(given.replace("{sequence}", sequence.name)).expanduser()
    if path.is_file():
        if of_several and "{sequence}" not in given:
            raise InputError(
                f"--detections {given} is one file, but several sequences are evaluated: give a folder with SEQ.txt "
                "of each, a path with {sequence} in it, or one of them with --sequences"
            )
        return path
    stems = [path / sequence.name, path / sequence.name / "det" / "det", path / sequence.name / "det"]
    for stem in stems:
        found = existing_text(stem)
        if found is not None:
            return found
    if path.is_dir():
        raise InputError(f"--detections {given} has none of {sequence.name}: looked for {stems[0]}.txt (.gz too)")
    known = f"there are {', '.join(there)}, or " if there else ""
    raise InputError(f"--detections {given}: {sequence.name} has none called so: {known}give a file or a folder")


def read_sequence_detections(truth: MotTruth, path: Path) -> MotDetections:
    """Read detections; those beyond the end of the sequence are left out with a warning.

    Raises:
        InputError: the file cannot be read.
    """
    found = read_detections(path, shifts_frame_zero=True)
    _warn(found.warnings)
    inside = found.frames <= truth.length
    if inside.all():
        return found
    _warn([f"{path}: {int((~inside).sum())} boxes beyond the {truth.length} frames of the sequence were left out"])
    return MotDetections(found.frames[inside], found.boxes[inside], found.scores[inside], found.source_rows[inside])


def result_files(folder: str | Path, sequences: Sequence[MotSequence]) -> Mapping[str, Path]:
    """Return sequence → file of ready results: ``DIR/SEQ.txt``, or ``DIR/data/SEQ.txt`` as TrackEval has them.

    Raises:
        InputError: no such folder, or a sequence without results. What has no ground truth is warned of.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"--results {folder} is no folder: give one with SEQ.txt of each sequence")
    if (folder / "data").is_dir() and existing_text(folder / sequences[0].name) is None:
        folder = folder / "data"
    files = {one.name: existing_text(folder / one.name) for one in sequences}
    missing = [name for name, path in files.items() if path is None]
    if missing:
        raise InputError(
            f"--results {folder} has no {missing[0]}.txt" + (f" (nor {len(missing) - 1} others)" * (len(missing) > 1))
            + ": every sequence needs its results, an empty file where nobody was found; "
            "or choose those that have some with --sequences"
        )  # fmt: skip
    return {name: path for name, path in files.items() if path is not None}


def read_results(truth: MotTruth, path: Path) -> MotTracks:
    """Read ready results of a sequence.

    Raises:
        InputError: the file cannot be read, has an id twice in a frame, is of detections, or goes beyond the sequence.
    """
    tracks = read_tracks(path, shifts_frame_zero=True)
    _warn(tracks.warnings)
    if len(tracks) > 1 and (tracks.ids == -1).all():
        raise InputError(f"{path}: every id is -1, so these are detections; give a tracker's results")
    _check_unique(tracks, path)
    _check_length(tracks.frames, truth.sequence, path)
    return tracks


def _columns(path: Path) -> int:
    """Return how many columns the first line of a file has that could be read; 0 of an empty one."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return next((len(line.split(",")) for line in file if line.strip()), 0)


def _check_unique(tracks: MotTracks, path: Path) -> None:
    keys, counts = np.unique(np.stack([tracks.frames, tracks.ids]), axis=1, return_counts=True)
    if len(counts) and counts.max() > 1:
        frame, identity = keys[:, int(np.argmax(counts > 1))].tolist()
        raise InputError(
            f"{path}: id {identity} appears {int(counts.max())} times in frame {frame}; an id is of one box in a "
            "frame: correct the file"
        )


def _check_length(frames: np.ndarray, sequence: MotSequence, path: Path) -> None:
    if sequence.length is not None and len(frames) and frames[-1] > sequence.length:
        raise InputError(
            f"{path}: frame {int(frames[-1])} in a sequence of {sequence.length} frames; is it of {sequence.name}, "
            "and does it count frames from 1?"
        )


def _warn(messages: Iterable[str]) -> None:
    for message in messages:
        warnings.warn(message, RuntimeWarning, stacklevel=3)
