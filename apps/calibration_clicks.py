"""What a person clicked in a browser: JSON into the text of a points file, and a fit into JSON for the page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.calibration_report import summary_lines
from apps.floor_grid import around_points, grid_parts, seen_floor
from tracker.errors import InputError
from tracker.geometry.estimate import Estimate
from tracker.geometry.point_pairs import PointPairs

__all__ = ["clicked_points", "fit_record", "points_record", "points_text"]

_NUMBERS = ("u", "v", "x", "y", "z")
_MOST_POINTS = 500
#: pixels of an image 720 high below which lines are not told apart, and every how many points of a line are sent
_LEAST_SPACING, _EVERY = 5.0, 4


def clicked_points(body: bytes) -> list[tuple[list[float], str]]:
    """Return (u, v, x, y, z) and the name of each of the points in a request.

    Args:
        body: JSON ``{"points": [{"u", "v", "x", "y", "z", "name"}, …]}``; pixels from the image's corner, metres.

    Raises:
        InputError: anything else.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InputError("the request is no JSON") from None
    points = document.get("points") if isinstance(document, Mapping) else None
    if not isinstance(points, list) or not all(isinstance(point, Mapping) for point in points):
        raise InputError("the request has no list of points")
    if len(points) > _MOST_POINTS:
        raise InputError(f"{len(points)} points; {_MOST_POINTS} are enough")
    result = []
    for number, point in enumerate(points, start=1):
        values = [point.get(field, 0.0 if field == "z" else None) for field in _NUMBERS]
        for field, value in zip(_NUMBERS, values):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
                raise InputError(f"point {number}: {field} is no finite number (u, v in pixels, x, y, z in metres)")
        # What would end the name in a line of the file.
        name = re.sub(r"[\s,;#\"']+", " ", str(point.get("name") or ""))[:60].strip()
        result.append(([float(value) for value in values], name or f"point {number}"))
    return result


def _refuse(word: str) -> None:
    raise ValueError(word)


def points_text(points: list[tuple[list[float], str]]) -> str:
    """Return a points file of the points, which reads back as the same numbers."""
    lines = [",".join([*(f"{value:.12g}" for value in values), name]) for values, name in points]
    return "\n".join([",".join([*_NUMBERS, "name"]), *lines]) + "\n"


def points_record(pairs: PointPairs) -> list[dict[str, Any]]:
    """Return pairs of a file as the page wants them; those that were only counted are counted anew."""
    rows = zip(np.column_stack([pairs.pixels, pairs.world]).tolist(), pairs.labels)
    counted = re.compile(r"(line|point) \d+")
    return [
        {**dict(zip(_NUMBERS, values)), "name": "" if counted.fullmatch(label) else label} for values, label in rows
    ]


def fit_record(estimate: Estimate, grid: float) -> dict[str, Any]:
    """Return what the page shows of an estimate: errors of the points, what is printed at the end, the floor's grid."""
    lines, warnings = [], list(estimate.warnings)
    camera = estimate.camera
    try:
        near = around_points(estimate, grid)
        spacing = _LEAST_SPACING * max(camera.height / 720, 0.5)
        for part in grid_parts(camera, seen_floor(camera, estimate, grid), near, grid, spacing):
            line = np.concatenate([part.line[:-1:_EVERY], part.line[-1:]])
            lines.append({"axis": part.axis, "near": part.near, "line": np.round(line, 1).tolist()})
    except InputError as error:
        warnings.append(str(error))
    return {
        "model": estimate.model,
        "summary": list(summary_lines(estimate)),
        "warnings": warnings,
        "points": [
            {"pixels": _finite(pixels), "metres": _finite(metres), "inlier": bool(inlier)}
            for pixels, metres, inlier in zip(estimate.errors, estimate.floor_errors, estimate.inliers)
        ],
        "grid": lines,
    }


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
