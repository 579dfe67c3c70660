"""``multicam calibrate --browser``: points are clicked in a page, and saved as if they had come from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.calibration_clicks import fit_record, points_record
from apps.calibration_server import CalibrationServer, open_page
from tracker.geometry.estimate import Estimate
from tracker.geometry.point_pairs import PointPairs, parse_point_pairs, read_point_pairs
from tracker.storage.atomic import atomic_path

__all__ = ["calibrate_in_browser"]

_QUALITY = 95


def calibrate_in_browser(
    points: Path,
    view: NDArray[np.uint8],
    name: str,
    estimated: Callable[[PointPairs], Estimate],
    written: Callable[[Estimate], list[str]],
    *,
    grid: float = 1.0,
    port: int = 0,
    opened: bool = True,
) -> tuple[Estimate, list[str]]:
    """Serve the page until a person saves; return what was estimated and the cameras that the calibration then has.

    Args:
        points: the points file; what it holds already is shown, and replaced by what is saved.
        view: (H, W, 3) uint8 BGR.
        name: of the camera.
        estimated: what is estimated of pairs; InputError: the page shows it.
        written: writes the calibration; InputError: the page shows it, and the points file stays as it was.
        grid: metres between the lines that are shown.
        port: of the page; 0: any that is free.
        opened: try to open a browser.

    Raises:
        InputError: the points file cannot be read, or the port cannot be had.
        KeyboardInterrupt: interrupted; what was being written is written.
    """
    saved: list[tuple[Estimate, list[str]]] = []

    def fit(text: str) -> dict[str, Any]:
        return fit_record(estimated(parse_point_pairs(text, "clicks")), grid)

    def save(text: str) -> str:
        estimate = estimated(parse_point_pairs(text, "clicks"))
        with atomic_path(points) as temporary:
            temporary.write_text(text, encoding="utf-8")
            names = written(estimate)
        saved.append((estimate, names))
        return f"Saved {points.name} and the calibration of {name}."

    start = {
        "name": name,
        "width": view.shape[1],
        "height": view.shape[0],
        "points": points_record(read_point_pairs(points)) if points.exists() else [],
    }
    image = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    server = CalibrationServer(image, start, fit, save, port)
    print(f"Click the points at {server.url} (Ctrl-C ends without saving)", flush=True)
    if opened:
        open_page(server.url)
    server.run()
    return saved[0]
