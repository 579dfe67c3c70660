"""Which result stands for which person in each frame, as MOTChallenge's own code has it, and where that changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.metrics import PairedFrames

__all__ = ["FrameMatches", "Switch", "identity_switches", "match_frames"]

#: more than any sum of similarities: a correspondence of the frame before is kept whenever it may be
_CONTINUED = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class FrameMatches:
    """The matches of one frame.

    Args:
        frame: its number.
        truth_rows: (K,) int64 rows of the frame's ground truth.
        result_rows: (K,) int64 rows of the frame's results, one for each.
        switched: (K,) bool, where the person was last matched to another result.
        before: (K,) int64 counted id of the result that the person was matched to last, -1 where to none.
        before_frames: (K,) int64 number of the frame in which that was, -1 likewise.
    """

    frame: int
    truth_rows: NDArray[np.int64]
    result_rows: NDArray[np.int64]
    switched: NDArray[np.bool_]
    before: NDArray[np.int64]
    before_frames: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Switch:
    """A person who is called otherwise than before, by the ids that the files give.

    Args:
        frame: number of the frame with the new name.
        truth: id of the person.
        previous: id of the result that stood for the person before.
        current: id of the result that does now.
        previous_frame: number of the last frame in which ``previous`` did.
    """

    frame: int
    truth: int
    previous: int
    current: int
    previous_frame: int


def match_frames(paired: PairedFrames, threshold: float = 0.5) -> Iterator[FrameMatches]:
    """Match each frame by the rules of the official code (CLEAR, Bernardin and Stiefelhagen 2008).

    What was matched in the frame before stays so while the pair is similar enough; the rest is matched for the greatest
    sum of similarities. A switch is a person whose result is another than the last one, however long ago.

    Args:
        paired: truth and results of one sequence.
        threshold: least similarity of a match.
    """
    people = 1 + max((int(ids.max()) for ids in paired.truth_ids if len(ids)), default=-1)
    last, last_frame = np.full(people, -1, np.int64), np.full(people, -1, np.int64)
    continued = np.full(people, -1, np.int64)
    for frame, truth_ids, result_ids, similarity in zip(
        paired.frames.tolist(), paired.truth_ids, paired.result_ids, paired.similarities, strict=True
    ):
        if not similarity.size:
            # A frame in which one side is empty is passed over there, and does not end what was continued.
            none = np.zeros(0, np.int64)
            yield FrameMatches(frame, none, none, np.zeros(0, bool), none, none)
            continue
        score = _CONTINUED * (result_ids[None, :] == continued[truth_ids][:, None]) + similarity
        score[similarity < threshold - np.finfo(float).eps] = 0
        rows, columns = linear_sum_assignment(score, maximize=True)
        good = score[rows, columns] > np.finfo(float).eps
        rows, columns = rows[good].astype(np.int64), columns[good].astype(np.int64)
        matched, results = truth_ids[rows], result_ids[columns]
        before = last[matched]
        yield FrameMatches(frame, rows, columns, (before >= 0) & (before != results), before, last_frame[matched])
        last[matched], last_frame[matched] = results, frame
        continued[:] = -1
        continued[matched] = results


def identity_switches(paired: PairedFrames, threshold: float = 0.5) -> list[Switch]:
    """Return all identity switches of a sequence, as many as TrackEval's ``IDSW`` counts; arguments as above."""
    switches = []
    for position, matches in enumerate(match_frames(paired, threshold)):
        for index in np.flatnonzero(matches.switched).tolist():
            truth = paired.truth_ids[position][matches.truth_rows[index]]
            result = paired.result_ids[position][matches.result_rows[index]]
            switches.append(
                Switch(
                    matches.frame,
                    _name(paired.truth_names, truth),
                    _name(paired.result_names, matches.before[index]),
                    _name(paired.result_names, result),
                    int(matches.before_frames[index]),
                )
            )
    return switches


def _name(names: NDArray[np.int64] | None, counted: int) -> int:
    return int(counted if names is None else names[counted])
