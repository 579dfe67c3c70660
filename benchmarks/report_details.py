"""What pages and comparisons need of a report besides its rows: curves, switches, lengths and trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.correspondences import identity_switches
from benchmarks.metric_engines import combine_higher_order, higher_order_parts
from benchmarks.metrics import COMBINED, PairedFrames

__all__ = [
    "THRESHOLDS",
    "curves_of_parts",
    "higher_order_curves",
    "make_details",
    "sequence_length",
    "switch_records",
    "trajectory_record",
]

#: the localisation thresholds of HOTA
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
_CURVES = ("HOTA", "DetA", "AssA")
_MOST_TRACKS = 60
_MOST_POINTS = 200


def higher_order_curves(sequences: Mapping[str, PairedFrames]) -> dict[str, dict[str, list[float]]]:
    """Return sequence (and ``combined``) → HOTA, DetA, AssA → 19 values in percent, one for each threshold."""
    return curves_of_parts({name: higher_order_parts(paired) for name, paired in sequences.items()})


def curves_of_parts(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Return the same from what :func:`benchmarks.metric_engines.higher_order_parts` gave for each sequence."""
    every = {**parts, COMBINED: combine_higher_order(parts)}
    return {
        name: {curve: [round(100 * float(value), 4) for value in part[curve]] for curve in _CURVES}
        for name, part in every.items()
    }


def switch_records(paired: PairedFrames, threshold: float = 0.5) -> list[dict[str, int]]:
    """Return the identity switches of a sequence as ``{"frame", "truth", "from", "to"}``, as TrackEval counts them."""
    return [
        {"frame": switch.frame, "truth": switch.truth, "from": switch.previous, "to": switch.current}
        for switch in identity_switches(paired, threshold)
    ]


def sequence_length(frames: int, frame_rate: float | None) -> dict[str, Any]:
    """Return ``{"frames", "frame_rate"}``: how many frames, and how many a second, ``None`` where nobody says."""
    return {"frames": int(frames), "frame_rate": None if frame_rate is None else float(frame_rate)}


def trajectory_record(
    frames: ArrayLike,
    ids: ArrayLike,
    points: ArrayLike,
    *,
    image_size: tuple[int, int] | None = None,
    bounds: Sequence[float] | None = None,
    most_tracks: int = _MOST_TRACKS,
    most_points: int = _MOST_POINTS,
) -> dict[str, Any]:
    """Return the tracks of a sequence, thinned for drawing: the longest ones, and of each evenly spaced points.

    Args:
        frames: (N,) frame numbers, in any order.
        ids: (N,) track numbers.
        points: (N, 2) where they stood, in pixels or in metres.
        image_size: width and height in pixels, where the points are of a picture.
        bounds: ``x0, y0, x1, y1`` of the floor in metres, where they are of the floor.
        most_tracks: how many stay; of equally long ones those that began first.
        most_points: of each; its first and last point stay.
    """
    frame_array, id_array = np.asarray(frames, np.int64).reshape(-1), np.asarray(ids, np.int64).reshape(-1)
    point_array = np.asarray(points, np.float64).reshape(len(frame_array), 2)
    order = np.lexsort((frame_array, id_array))
    frame_array, id_array, point_array = frame_array[order], id_array[order], point_array[order]
    names, starts, counts = np.unique(id_array, return_index=True, return_counts=True)
    longest = np.lexsort((names, frame_array[starts], -counts))[:most_tracks]
    tracks = []
    for track in np.sort(longest).tolist():
        chosen = starts[track] + _spread(int(counts[track]), most_points)
        tracks.append(
            {
                "id": int(names[track]),
                "points": [
                    [frame, round(x, 2), round(y, 2)]
                    for frame, (x, y) in zip(frame_array[chosen].tolist(), point_array[chosen].tolist(), strict=True)
                ],
            }
        )
    return {
        "image_size": None if image_size is None else [int(side) for side in image_size],
        "bounds": None if bounds is None else [float(side) for side in bounds],
        "tracks": tracks,
    }


def make_details(
    *,
    curves: Mapping[str, Mapping[str, Any]],
    switches: Mapping[str, Mapping[str, Any]],
    lengths: Mapping[str, Any],
    trajectories: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return ``report["details"]``: each of curves, switches and trajectories by row name, then by sequence."""
    return {
        "thresholds": list(THRESHOLDS),
        "curves": {name: dict(found) for name, found in curves.items()},
        "switches": {name: dict(found) for name, found in switches.items()},
        "lengths": dict(lengths),
        "trajectories": {name: dict(found) for name, found in trajectories.items()},
    }


def _spread(count: int, most: int) -> np.ndarray:
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))
