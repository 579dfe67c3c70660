"""Scores of a tracking run against the exact truth of a simulated room, per camera and over all cameras together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import (
    DISTRACTOR_CLASSES,
    mot_challenge_preprocessing,
    pair_boxes,
    score_sequences,
)
from tracker.storage.mot_files import MotTracks, read_tracks
from tracker.storage.results import UNIDENTIFIED_OFFSET

__all__ = ["ALL_CAMERAS", "RoomScores", "score_room"]

#: the name of the row in which a person must have one identity in all cameras
ALL_CAMERAS = "all cameras"


@dataclass(frozen=True, slots=True)
class RoomScores:
    """How well a run did.

    Args:
        rows: one for each camera, in order, then :data:`ALL_CAMERAS`; each with ``sequence`` and the metrics of
            ``benchmarks.metrics.score_sequences``.
        engines: metric → package and version that computed it.
        people: who could be seen in any camera.
        identities: numbers that the run gave to people.
    """

    rows: list[dict[str, Any]]
    engines: Mapping[str, str]
    people: int
    identities: int


def score_room(room: Path, results: Path, cameras: Sequence[str]) -> RoomScores:
    """Compare ``results/NAME.txt`` with ``room/truth/NAME.txt`` for each camera.

    A camera's row asks whether people keep their identity in its view. The last row asks for one identity per person
    everywhere: the frames of all cameras, one camera after the other, count as one sequence, in which each true person
    is matched with one identity. People hardly seen (mark 0 in the truth) are neither asked for nor held against those
    who find them.

    Args:
        room: folder of ``simulate_room``.
        results: folder of ``multicam track``.
        cameras: names.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    pairs = {name: _counted(read_tracks(room / "truth" / f"{name}.txt"), read_tracks(results / f"{name}.txt"))
             for name in cameras}  # fmt: skip
    truth = _one_sequence([truth for truth, _ in pairs.values()])
    found = _one_sequence([_told_apart(result, number) for number, (_, result) in enumerate(pairs.values())])
    scores = score_sequences({name: pair_boxes(*pair) for name, pair in pairs.items()})
    together = score_sequences({ALL_CAMERAS: pair_boxes(truth, found)})
    rows = [row for row in scores["rows"] if row["sequence"] in pairs]
    rows += [row for row in together["rows"] if row["sequence"] == ALL_CAMERAS]
    identified = np.concatenate([read_tracks(results / f"{name}.txt").ids for name in cameras])
    return RoomScores(
        rows=rows,
        engines=scores["engines"],
        people=len(np.unique(truth.ids)),
        identities=len(np.unique(identified[identified < UNIDENTIFIED_OFFSET])),
    )


def _counted(truth: MotTracks, results: MotTracks) -> tuple[MotTracks, MotTracks]:
    """Return what counts of both; who is hardly seen is treated as MOTChallenge treats its distractors."""
    classes = np.where(truth.scores == 0, DISTRACTOR_CLASSES[0], truth.classes)
    return mot_challenge_preprocessing(dataclasses.replace(truth, classes=classes), results)


def _told_apart(results: MotTracks, camera: int) -> MotTracks:
    """Return results whose tracks without identity have numbers that no other camera's have."""
    ids = results.ids + np.where(results.ids >= UNIDENTIFIED_OFFSET, camera * 10 * UNIDENTIFIED_OFFSET, 0)
    return dataclasses.replace(results, ids=ids)


def _one_sequence(parts: Sequence[MotTracks]) -> MotTracks:
    """Return the frames of all cameras, one camera after the other."""
    start, frames = 0, list[NDArray[np.int64]]()
    for part in parts:
        frames.append(part.frames + start)
        start += 10_000_000
    return MotTracks.from_arrays(
        np.concatenate(frames),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.boxes for part in parts]),
    )
