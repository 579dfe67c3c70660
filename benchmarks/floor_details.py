"""What the page of a report shows of people on the floor: curves, switches and ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.metrics import COMBINED, PairedFrames, pair_points
from benchmarks.report_details import (
    higher_order_curves,
    make_details,
    sequence_length,
    switch_records,
    trajectory_record,
)
from benchmarks.world_metrics import FloorArea, FloorTracks

__all__ = ["FloorSequence", "floor_details"]


@dataclass(frozen=True, slots=True, eq=False)
class FloorSequence:
    """One sequence and all that was said of it.

    Args:
        truth: where people were, in the frames that count.
        tracks: name of a row → where its tracker says they were, likewise.
        frames: the last frame that counts.
        frame_rate: frames per second; ``None``: not known.
        area: the part of the floor that counts; ``None``: wherever people are.
    """

    truth: FloorTracks
    tracks: Mapping[str, FloorTracks]
    frames: int
    frame_rate: float | None
    area: FloorArea | None


def floor_details(
    sequences: Mapping[str, FloorSequence],
    gate: float,
    *,
    combine: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return ``details`` of a report, as ``benchmarks.report_details.make_details`` makes them.

    Args:
        sequences: name → truth and tracks.
        gate: metres up to which a result may stand for a person.
        combine: whether there is a row of all sequences together; a name that is not in all has none.
        progress: called with how many names and sequences are done, and with all of them.
    """
    names = list(dict.fromkeys(name for sequence in sequences.values() for name in sequence.tracks))
    total, done = sum(len(sequence.tracks) for sequence in sequences.values()), 0
    curves: dict[str, dict[str, Any]] = {}
    switches: dict[str, dict[str, Any]] = {name: {} for name in names}
    ways: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name in names:
        paired: dict[str, PairedFrames] = {}
        for key, sequence in sequences.items():
            if name not in sequence.tracks:
                continue
            found = sequence.tracks[name]
            paired[key] = _paired(sequence.truth, found, gate)
            # A match needs a similarity of 0.5; the gate itself still matches.
            switches[name][key] = switch_records(_paired(sequence.truth, found, 2 * gate))
            bounds = _bounds(sequence, found)
            ways[name][key] = trajectory_record(found.frames, found.ids, found.positions, bounds=bounds)
            done += 1
            if progress is not None:
                progress(done, total)
        curves[name] = higher_order_curves(paired)
        if not combine or len(paired) < len(sequences):
            del curves[name][COMBINED]
    lengths = {key: sequence_length(sequence.frames, sequence.frame_rate) for key, sequence in sequences.items()}
    return make_details(curves=curves, switches=switches, lengths=lengths, trajectories=ways)


def _paired(truth: FloorTracks, found: FloorTracks, reach: float) -> PairedFrames:
    sides = [(side.frames, side.ids, side.positions) for side in (truth, found)]
    return pair_points(sides[0], sides[1], zero_distance=reach)


def _bounds(sequence: FloorSequence, found: FloorTracks) -> list[float]:
    """Return ``x0, y0, x1, y1`` of the area, or of all that is known."""
    if sequence.area is not None:
        (x0, x1), (y0, y1) = sequence.area.x, sequence.area.y
        return [x0, y0, x1, y1]
    places = np.concatenate([sequence.truth.positions, found.positions])
    if not len(places):
        return [0.0, 0.0, 1.0, 1.0]
    return [*places.min(axis=0).tolist(), *places.max(axis=0).tolist()]
