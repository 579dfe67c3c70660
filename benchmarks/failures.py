"""Failure atlas: the worst identity switches and misses of a sequence, and the costs that led there.

A switch is the worse the longer the person was followed on both sides of it, a miss the longer it lasts. For trackers
that run here, the boxes that they predicted for the frame are recorded before each update, so that the cost of the
right pairing stands beside that of the chosen one. For ready results the last reported boxes take their place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondences import Switch, identity_switches, match_frames
from benchmarks.metrics import PairedFrames, iou_matrix, pair_boxes
from benchmarks.mot_input import MotTruth, counted_pair
from benchmarks.predictions import Box, Costs, PredictionRecorder, rounded_box
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = ["Failure", "worst_failures"]

#: least overlap of a box that stands for a person
_MATCH = 0.5


@dataclass(frozen=True, slots=True)
class Failure:
    """One identity switch, or one stretch of frames in which a person is missed.

    Args:
        kind: ``switch`` or ``miss``.
        frame: number of the frame of the switch, or of the first that is missed.
        last_frame: the last that is missed; of a switch the last with the name before.
        time: seconds from the first frame of the sequence.
        truth: id of the person.
        frames: how much is at stake: for a switch the frames with the name before or, if fewer, with the name after;
            for a miss how many it lasts.
        box: where the person truly is, and
        box_frame: in which frame: the switch's, or the middle one of a miss.
        detection: the nearest detection, and its score; ``None`` where none overlaps.
        detection_overlap: its IoU with the person.
        right: costs of the track that followed the person before; ``None`` where it was gone.
        chosen: costs of the track that took over; ``None`` for a new one, and for misses.
        reason: one sentence.
    """

    kind: str
    frame: int
    last_frame: int
    time: float
    truth: int
    frames: int
    box: Box
    box_frame: int
    detection: Box | None
    detection_score: float | None
    detection_overlap: float
    right: Costs | None
    chosen: Costs | None
    reason: str


def worst_failures(
    truth: MotTruth,
    tracks: MotTracks,
    recorder: PredictionRecorder | None,
    detections: MotDetections | None,
    count: int,
) -> list[Failure]:
    """Return the worst ``count`` switches and the worst ``count`` misses of a sequence, each kind worst first.

    Args:
        truth: of the sequence.
        tracks: what was reported.
        recorder: what the tracker expected; ``None`` where none ran here.
        detections: what the tracker was given; ``None`` where nobody knows.
        count: how many of each kind.
    """
    counted, kept = counted_pair(truth, tracks)
    paired = pair_boxes(counted, kept)
    look = _Look(truth, counted, kept, recorder, detections)
    followed = _followed_frames(paired)
    switches = [(min(_around(followed, switch)), switch) for switch in identity_switches(paired)]
    switches.sort(key=lambda pair: (-pair[0], pair[1].frame, pair[1].truth))
    misses = sorted(_missed_stretches(paired), key=lambda stretch: (-len(stretch[1]), stretch[1][0], stretch[0]))
    return [
        *(look.at_switch(switch, weight) for weight, switch in switches[:count]),
        *(look.at_miss(person, frames) for person, frames in misses[:count]),
    ]


class _Look:
    """Looks up what lay where in a frame."""

    def __init__(
        self,
        truth: MotTruth,
        counted: MotTracks,
        kept: MotTracks,
        recorder: PredictionRecorder | None,
        detections: MotDetections | None,
    ) -> None:
        self._rate = truth.sequence.frame_rate
        self._truth, self._results = counted, kept
        self._recorder, self._detections = recorder, detections

    def at_switch(self, switch: Switch, weight: int) -> Failure:
        box = _box_of(self._truth, switch.frame, switch.truth)
        result = _box_of(self._results, switch.frame, switch.current)
        assert box is not None and result is not None
        index, detection, score = self._detection(switch.frame, result)
        paired_with = result if detection is None else detection
        right = self._costs(switch.frame, switch.previous, paired_with, index)
        chosen = self._costs(switch.frame, switch.current, paired_with, index)
        return Failure(
            "switch", switch.frame, switch.previous_frame, (switch.frame - 1) / self._rate, switch.truth, weight,
            rounded_box(box), switch.frame, None if detection is None else rounded_box(detection), score,
            0.0 if detection is None else round(_overlap(box, detection), 3), right, chosen,
            _why_switched(switch, right, chosen),
        )  # fmt: skip

    def at_miss(self, person: int, frames: Sequence[int]) -> Failure:
        middle = frames[len(frames) // 2]
        box = _box_of(self._truth, middle, person)
        assert box is not None
        index, detection, score = self._detection(middle, box)
        overlaps = [self._best_overlap(frame, person) for frame in frames]
        found = sum(overlap >= _MATCH for overlap in overlaps)
        last = _last_result(self._truth, self._results, person, frames[0])
        right = None if last is None else self._costs(middle, last, box, index)
        if self._detections is None:
            reason = "no result on the person"
        elif not found:
            reason = f"detected in none of {len(frames)} frames"
        else:
            reason = f"detected in {found} of {len(frames)} frames, not reported"
        return Failure(
            "miss", frames[0], frames[-1], (frames[0] - 1) / self._rate, person, len(frames), rounded_box(box),
            middle, None if detection is None else rounded_box(detection), score,
            0.0 if detection is None else round(_overlap(box, detection), 3), right, None, reason,
        )  # fmt: skip

    def _best_overlap(self, frame: int, person: int) -> float:
        box = _box_of(self._truth, frame, person)
        assert box is not None
        detection = self._detection(frame, box)[1]
        return 0.0 if detection is None else _overlap(box, detection)

    def _detection(self, frame: int, box: NDArray[np.float64]) -> tuple[int, NDArray[np.float64] | None, float | None]:
        """Return row, box and score of the detection that overlaps ``box`` most; nothing where none does."""
        if self._detections is None:
            return -1, None, None
        first, last = np.searchsorted(self._detections.frames, (frame, frame + 1)).tolist()
        if first == last:
            return -1, None, None
        overlap = iou_matrix(box, self._detections.boxes[first:last])[0]
        best = int(overlap.argmax())
        if overlap[best] <= 0:
            return -1, None, None
        place = first + best
        return best, self._detections.boxes[place].astype(np.float64), round(float(self._detections.scores[place]), 4)

    def _costs(self, frame: int, track: int, box: NDArray[np.float64], detection: int) -> Costs | None:
        """Return what it costs to pair a track with ``box``, which is row ``detection`` of the frame, -1 for none."""
        if self._recorder is not None:
            return self._recorder.costs(frame, track, box, detection)
        rows = np.flatnonzero((self._results.ids == track) & (self._results.frames < frame))
        if not len(rows):
            return None
        where = self._results.boxes[rows[-1]]
        return Costs(track, rounded_box(where), round(1 - _overlap(where, box), 4), None, None, False)


def _why_switched(switch: Switch, right: Costs | None, chosen: Costs | None) -> str:
    gap = switch.frame - switch.previous_frame - 1
    away = f", {gap} frames unmatched before" if gap else ""
    if right is None:
        return f"track {switch.previous} was gone{away}"
    if chosen is None:
        return f"a new track beside track {switch.previous}{away}"
    nearer = "lay nearer" if chosen.overlap <= right.overlap else f"was taken, {switch.previous} lay nearer"
    return f"track {switch.current} {nearer}{away}"


def _followed_frames(paired: PairedFrames) -> dict[tuple[int, int], list[int]]:
    """Return (person, result), as named in the files → frames in which one stands for the other."""
    followed: dict[tuple[int, int], list[int]] = defaultdict(list)
    assert paired.truth_names is not None and paired.result_names is not None
    for position, matches in enumerate(match_frames(paired)):
        people = paired.truth_names[paired.truth_ids[position][matches.truth_rows]]
        results = paired.result_names[paired.result_ids[position][matches.result_rows]]
        for pair in zip(people.tolist(), results.tolist(), strict=True):
            followed[pair].append(matches.frame)
    return followed


def _around(followed: dict[tuple[int, int], list[int]], switch: Switch) -> tuple[int, int]:
    before = sum(frame < switch.frame for frame in followed[switch.truth, switch.previous])
    after = sum(frame >= switch.frame for frame in followed[switch.truth, switch.current])
    return before, after


def _missed_stretches(paired: PairedFrames) -> list[tuple[int, list[int]]]:
    """Return each person and the frames of a stretch in which they are there and nothing stands for them."""
    open_: dict[int, list[int]] = {}
    stretches: list[tuple[int, list[int]]] = []
    assert paired.truth_names is not None
    for position, matches in enumerate(match_frames(paired)):
        ids = paired.truth_ids[position]
        missed = np.ones(len(ids), bool)
        missed[matches.truth_rows] = False
        for person, is_missed in zip(paired.truth_names[ids].tolist(), missed.tolist(), strict=True):
            if is_missed:
                open_.setdefault(person, []).append(matches.frame)
            elif person in open_:
                stretches.append((person, open_.pop(person)))
    return [*stretches, *open_.items()]


def _last_result(truth: MotTracks, results: MotTracks, person: int, frame: int) -> int | None:
    """Return the result on a person in the frame before, if there is one."""
    box = _box_of(truth, frame - 1, person)
    first, last = np.searchsorted(results.frames, (frame - 1, frame)).tolist()
    if box is None or first == last:
        return None
    overlap = iou_matrix(box, results.boxes[first:last])[0]
    best = int(overlap.argmax())
    return int(results.ids[first + best]) if overlap[best] >= _MATCH else None


def _box_of(tracks: MotTracks, frame: int, identity: int) -> NDArray[np.float64] | None:
    first, last = np.searchsorted(tracks.frames, (frame, frame + 1)).tolist()
    rows = first + np.flatnonzero(tracks.ids[first:last] == identity)
    return tracks.boxes[rows[0]] if len(rows) else None


def _overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(iou_matrix(first, second)[0, 0])
