"""Metrics on the floor, in metres, and in the pictures of all cameras together.

On the floor a result may stand for a person up to ``gate`` metres away (the gate itself included); CLEAR and identity
metrics come from motmetrics, or from TrackEval if asked for, and HOTA from TrackEval with the similarity
``max(0, 1 - distance / gate)``. Every figure that depends on the gate says so: ``MOTA@1m``, ``IDF1@0.5m``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics import pair_boxes, pair_points, score_sequences
from benchmarks.room_scores import ALL_CAMERAS
from tracker.errors import InputError
from tracker.storage.mot_files import MotTracks

__all__ = ["GATES", "FloorArea", "FloorTracks", "image_scores", "score_floor", "world_scores"]

#: metres; figures without a gate in their name are those of the first
GATES = (1.0, 0.5)

_SHARES = ("MOTA", "IDF1", "IDP", "IDR", "Rcll", "Prcn")
_COUNTS = ("IDSW", "FP", "FN", "TP")
_HIGHER_ORDER = ("HOTA", "DetA", "AssA")


@dataclass(frozen=True, slots=True)
class FloorArea:
    """A rectangle of the floor, its edges included.

    Args:
        x: from and to, metres.
        y: from and to, metres.

    Raises:
        InputError: an edge is not finite, or an interval ends before it begins.
    """

    x: tuple[float, float]
    y: tuple[float, float]

    def __post_init__(self) -> None:
        for axis, (low, high) in (("x", self.x), ("y", self.y)):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise InputError(f"the floor area's {axis} goes from {low} to {high}; give two metres, the lower first")

    def contains(self, positions: NDArray[np.floating[Any]], margin: float = 0.0) -> NDArray[np.bool_]:
        """Return (N,) whether each of the positions (N, 2) lies inside or at most ``margin`` metres beyond an edge."""
        inside = np.ones(len(positions), bool)
        for values, (low, high) in zip(positions.T, (self.x, self.y)):
            inside &= (values >= low - margin) & (values <= high + margin)
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class FloorTracks:
    """Where people are on the floor, one row for each person and frame, in any order.

    Args:
        frames: (N,) frame numbers; stored as int64.
        ids: (N,) identities; int64.
        positions: (N, 2) metres; float64.

    Raises:
        InputError: lengths differ, a number is not whole or not finite, or an id is twice in one frame: no one is in
            two places, and whichever were dropped, a figure would hide it.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    positions: NDArray[np.float64]

    def __init__(self, frames: ArrayLike, ids: ArrayLike, positions: ArrayLike) -> None:
        places = np.asarray(positions, np.float64)
        if places.size == 0:
            places = places.reshape(0, 2)
        if places.ndim != 2 or places.shape[1] != 2:
            raise InputError(f"floor positions have shape {places.shape}; give (N, 2): x, y in metres")
        numbers = [_whole(frames, "frame"), _whole(ids, "id")]
        if len({len(places), *map(len, numbers)}) > 1:
            raise InputError(
                f"{len(places)} floor positions come with {len(numbers[0])} frames and {len(numbers[1])} ids; "
                "give one of each per position"
            )
        finite = np.isfinite(places).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise InputError(
                f"floor position {row} (frame {numbers[0][row]}, id {numbers[1][row]}) is "
                f"{places[row].tolist()}; leave out who is nowhere"
            )
        keys, counts = np.unique(np.stack(numbers), axis=1, return_counts=True)
        if len(counts) and counts.max() > 1:
            frame, identity = keys[:, int(np.argmax(counts > 1))].tolist()
            raise InputError(f"id {identity} is in two places in frame {frame}; ids are unique in a frame")
        for name, value in (("frames", numbers[0]), ("ids", numbers[1]), ("positions", places)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, selection: Any) -> FloorTracks:
        """Return the rows that a mask, an array of different indices or a slice selects."""
        return FloorTracks(self.frames[selection], self.ids[selection], self.positions[selection])

    def between(self, first: int, last: int) -> FloorTracks:
        """Return the rows of the frames ``first`` to ``last``, both included."""
        return self[(self.frames >= first) & (self.frames <= last)]

    def inside(self, area: FloorArea, margin: float = 0.0) -> FloorTracks:
        """Return the rows inside the area or at most ``margin`` metres beyond an edge of it."""
        return self[area.contains(self.positions, margin)]


def world_scores(
    truth: FloorTracks,
    results: FloorTracks,
    *,
    gate: float,
    frame_range: tuple[int, int] | None = None,
    engine: Literal["motmetrics", "trackeval"] = "motmetrics",
) -> dict[str, Any]:
    """Return the figures of one sequence at one gate.

    Args:
        truth: where people were.
        results: where a tracker said they were.
        gate: metres up to which a result may stand for a person.
        frame_range: first and last frame that count, on both sides; left out: all that either has.
        engine: who computes all but HOTA, DetA and AssA.

    Returns:
        ``GT``: people, and with the gate in their names (``MOTA@1m``): MOTA, IDF1, IDP, IDR, Rcll, Prcn, HOTA, DetA and
        AssA in percent (HOTA's are means over the thresholds 0.05, 0.1, … 0.95); MOTP, the mean distance of matches in
        metres; IDSW, FP, FN and TP as numbers, these under their bare names too. What has no value (nobody to find, no
        match) is ``None``. Also ``engines``: name → ``"package version"`` that made the figure.

    Raises:
        InputError: a gate that is not above 0, or a range that ends before it begins.
    """
    ranges = None if frame_range is None else {"": frame_range}
    scored = score_floor({"": (truth, results)}, gates=(gate,), frame_ranges=ranges, engine=engine)
    figures = {name: value for name, value in scored["rows"][0].items() if name != "sequence"}
    return figures | {"engines": scored["engines"]}


def score_floor(
    sequences: Mapping[str, tuple[FloorTracks, FloorTracks]],
    *,
    gates: Sequence[float] = GATES,
    frame_ranges: Mapping[str, tuple[int, int]] | None = None,
    engine: Literal["motmetrics", "trackeval"] = "motmetrics",
) -> dict[str, Any]:
    """Return the figures of each sequence and of all together, at every gate.

    Args:
        sequences: name → truth and results.
        gates: metres up to which a result may stand for a person.
        frame_ranges: sequence → first and last frame that count, on both sides; left out: all that either has.
        engine: who computes all but HOTA, DetA and AssA.

    Returns:
        ``rows``: one for each sequence, then ``combined`` (counts summed, shares made from the sums), each with
        ``sequence``, the figures of :func:`world_scores` for all gates, and IDSW, FP, FN and TP at the first gate
        under their bare names too; ``engines``: name → ``"package version"``.

    Raises:
        InputError: no sequence or one called ``combined``, no gate or one that is not above 0, or a range that ends
            before it begins.
    """
    if not gates:
        raise InputError("no gate given; give metres up to which a result may stand for a person, for example 1")
    for gate in gates:
        if not (math.isfinite(gate) and gate > 0):
            raise InputError(f"the gate is {gate} m; give metres above 0")
    counted = {name: _restricted(pair, name, frame_ranges or {}) for name, pair in sequences.items()}
    # A match needs a similarity of 0.5, so CLEAR is computed with one that reaches 0 at twice the gate: the gate itself
    # still matches. HOTA's reaches 0 at the gate.
    scored = {
        reach: score_sequences(
            {name: pair_points(*pair, zero_distance=reach) for name, pair in counted.items()}, 0.5, engine=engine
        )
        for reach in dict.fromkeys(reach for gate in gates for reach in (gate, 2 * gate))
    }
    rows: list[dict[str, Any]] = []
    engines: dict[str, str] = {}
    for index in range(len(counted) + 1):
        row: dict[str, Any] = {}
        for gate in gates:
            clear, hota = scored[2 * gate], scored[gate]
            row |= {"sequence": clear["rows"][index]["sequence"], "GT": clear["rows"][index]["GT"]}
            row |= _with_gate(clear["rows"][index], hota["rows"][index], gate)
            engines |= {f"{name}@{gate:g}m": hota["engines"][name] for name in _HIGHER_ORDER}
            engines |= {f"{name}@{gate:g}m": clear["engines"][name] for name in (*_SHARES, "MOTP", *_COUNTS)}
        rows.append(row | {name: row[f"{name}@{gates[0]:g}m"] for name in _COUNTS})
    first = scored[2 * gates[0]]["engines"]
    return {"rows": rows, "engines": engines | {name: first[name] for name in ("GT", *_COUNTS)}}


def image_scores(truth: Mapping[str, MotTracks], results: Mapping[str, MotTracks]) -> dict[str, Any]:
    """Return the metrics of boxes whose ids are global, per camera and over all cameras together.

    The last row asks for one identity per person everywhere (multi-camera IDF1): the frames of all cameras, one camera
    after the other, count as one sequence, so that a person is matched with one identity in all of them.

    Args:
        truth: camera → boxes; all of them count.
        results: camera → what a tracker reported; a camera that is missing reported nothing.

    Returns:
        ``rows``: one for each camera of the truth, then ``benchmarks.room_scores.ALL_CAMERAS``, each with ``sequence``
        and the metrics of ``benchmarks.metrics.score_sequences``; ``engines``: metric → ``"package version"``.

    Raises:
        InputError: no camera, results of one that the truth does not know, or an id twice in a frame of a camera.
    """
    unknown = sorted(results.keys() - truth.keys())
    if unknown:
        raise InputError(
            f"results of camera {unknown[0]!r}, of which there is no truth; cameras with truth: {', '.join(truth)}"
        )
    found = {name: results.get(name, MotTracks.from_arrays([], [], [])) for name in truth}
    scored = score_sequences({name: pair_boxes(truth[name], found[name]) for name in truth})
    frames = np.concatenate([part.frames for side in (truth, found) for part in side.values()])
    stride = int(np.ptp(frames)) + 1 if len(frames) else 1
    true_people, identities = (_one_after_another(list(side.values()), stride) for side in (truth, found))
    together = score_sequences({ALL_CAMERAS: pair_boxes(true_people, identities)})
    return {"rows": [*scored["rows"][:-1], together["rows"][0]], "engines": scored["engines"]}


def _whole(values: ArrayLike, name: str) -> NDArray[np.int64]:
    array = np.asarray(values).reshape(-1)
    if array.size and array.dtype.kind not in "iu":
        numbers = array.astype(np.float64)
        whole = np.isfinite(numbers) & (numbers == np.floor(numbers))
        if not whole.all():
            raise InputError(f"{name} {numbers[int(np.argmin(whole))]:g} of floor tracks is not a whole number")
    return array.astype(np.int64)


def _restricted(
    pair: tuple[FloorTracks, FloorTracks], name: str, frame_ranges: Mapping[str, tuple[int, int]]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    sides: Sequence[FloorTracks] = pair
    if name in frame_ranges:
        first, last = frame_ranges[name]
        if last < first:
            raise InputError(f"the frames {first} to {last} of {name or 'the sequence'}: give the first one first")
        sides = [side.between(first, last) for side in pair]
    return [(side.frames, side.ids, side.positions) for side in sides]


def _with_gate(clear: Mapping[str, Any], hota: Mapping[str, Any], gate: float) -> dict[str, Any]:
    # Without a match the engines give a mean similarity of 0 or none at all; there is no mean distance.
    distance = 2 * gate * (1 - clear["MOTP"] / 100) if clear["TP"] else None
    figures = {name: clear[name] for name in (*_SHARES, *_COUNTS)} | {name: hota[name] for name in _HIGHER_ORDER}
    return {f"{name}@{gate:g}m": value for name, value in (figures | {"MOTP": distance}).items()}


def _one_after_another(parts: Sequence[MotTracks], stride: int) -> MotTracks:
    return MotTracks.from_arrays(
        np.concatenate([part.frames + number * stride for number, part in enumerate(parts)]),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.boxes for part in parts]),
    )
