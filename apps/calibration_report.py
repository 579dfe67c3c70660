"""What a person is told of an estimated camera."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.table import Table
from rich.text import Text

from tracker.geometry.camera import Camera
from tracker.geometry.estimate import Estimate

__all__ = ["points_table", "summary_lines"]


def points_table(estimate: Estimate) -> Table:
    """Return a table of all points: where they are, and how far the camera is off in the image and on the floor."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for heading in ("", "point", "u", "v", "x", "y", "z", "pixels off", "cm off", ""):
        table.add_column(heading, justify="left" if heading == "point" else "right", no_wrap=True)
    pairs = estimate.pairs
    rows = zip(pairs.labels, pairs.pixels, pairs.world, estimate.errors, estimate.floor_errors, estimate.inliers)
    for number, (label, pixel, place, error, metres, inlier) in enumerate(rows, start=1):
        cells = [
            str(number),
            label,
            *(f"{value:.1f}" for value in pixel),
            *(f"{value:.2f}" for value in place),
            f"{error:.2f}" if np.isfinite(error) else "behind",
            f"{100 * metres:.1f}" if np.isfinite(metres) else "nowhere",
            "in" if inlier else "out",
        ]
        table.add_row(*(Text(cell) for cell in cells), style=None if inlier else "red")
    return table


def summary_lines(estimate: Estimate) -> Iterator[str]:
    """Yield how well the camera fits, then what it is, one thing a line."""
    if estimate.reason:
        yield f"Model: {estimate.model}; {estimate.reason}."
    else:
        yield f"Model: {estimate.model}."
    agreeing, count = int(estimate.inliers.sum()), len(estimate.pairs)
    yield (
        f"{agreeing} of {count} points agree within {estimate.threshold:g} pixels; "
        f"RMS {_size(estimate.rms, estimate.floor_rms)}."
    )
    left_out = estimate.leave_one_out_rms
    if left_out is None:
        yield "Leave-one-out: the points are too few or too much on one line; add some to learn how good this is."
    else:
        yield (
            f"Leave-one-out RMS {_size(left_out, estimate.leave_one_out_floor_rms)}: "
            "what to expect at other points between these."
        )
    yield _camera(estimate)


def _size(pixels: float, metres: float | None) -> str:
    return f"{pixels:.2f} pixels" + ("" if metres is None else f", {100 * metres:.1f} cm on the floor")


def _camera(estimate: Estimate) -> str:
    camera = estimate.camera
    x, y, height = (float(value) for value in camera.position)
    if not isinstance(camera, Camera) or estimate.position_deviation is None:
        return (
            f"{camera.name}: about x {x:.2f}, y {y:.2f}, {height:.2f} m above the floor, if its pixels are square and "
            "its principal point is central; the floor is sure, heights are a guess."
        )
    across, along, up = estimate.position_deviation
    text = (
        f"{camera.name}: x {x:.2f} ± {across:.2f}, y {y:.2f} ± {along:.2f}, {height:.2f} ± {up:.2f} m above the floor"
    )
    focal = float(camera.intrinsics[0, 0])
    if estimate.focal_deviation is None:
        return f"{text}; focal length {focal:.1f} pixels, as given."
    text += f"; focal length {focal:.1f} ± {focal * estimate.focal_deviation:.1f} pixels"
    k1 = float(camera.distortion[0])
    return f"{text}, distortion k1 {k1:.3f}." if k1 else f"{text}, no distortion."
