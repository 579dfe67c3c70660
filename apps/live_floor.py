"""The floor of a live run with calibrated cameras: what a plan of it shows, and where somebody went."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from apps.floor_area import floor_area, viewing_direction
from tracker.geometry.floor_camera import FloorCamera
from tracker.storage.store_reader import StoreReader

__all__ = ["floor_description", "floor_path"]

#: instants that are taken for one, seconds; and points of a path, at most
_SAME_SECONDS, _MOST_POINTS = 1.0, 2000
#: pixels above the lower border of the image within which feet are cut off
_CUT_OFF = 2.0


def floor_description(cameras: Collection[FloorCamera]) -> dict[str, Any]:
    """Return the part of the floor that the cameras see, and where they stand, in metres, ready for JSON."""
    area = floor_area(cameras)
    described = []
    for camera in cameras:
        direction = viewing_direction(camera)
        described.append({
            "name": camera.name,
            "position": [round(float(value), 3) for value in camera.position[:2]],
            "direction": None if direction is None else [round(float(value), 4) for value in direction],
        })  # fmt: skip
    bounds = [*area.low.tolist(), *area.high.tolist()]
    return {"bounds": [round(value, 3) for value in bounds], "cameras": described}


def floor_path(
    store: StoreReader, cameras: Mapping[str, FloorCamera], identity: int, since: float
) -> list[list[float]]:
    """Return where an identity was on the floor: ``[time, x, y]`` by seconds since 1970 and metres, thinned.

    It is where the feet of the stored boxes are, the middle of the lower side, averaged over the cameras that saw them
    in one second; boxes that end at the lower border of the image say nothing.

    Raises:
        InputError: the identity is not in the store.
    """
    times, places = [np.zeros(0)], [np.zeros((0, 2))]
    store.person(identity)
    for sighting in store.sightings(identity):
        camera = cameras.get(sighting.camera)
        if camera is None or sighting.end < since:
            continue
        when, boxes = store.path_of(sighting.number)
        whole = (when >= since) & (boxes[:, 3] < camera.height - _CUT_OFF)
        feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])[whole]
        floor = camera.to_floor(feet) if len(feet) else np.zeros((0, 2))
        known = np.isfinite(floor).all(axis=1)
        times.append(when[whole][known])
        places.append(floor[known])
    all_times, all_places = np.concatenate(times), np.concatenate(places)
    if not len(all_times):
        return []
    _, rows = np.unique(np.floor(all_times / _SAME_SECONDS), return_inverse=True)
    counts = np.bincount(rows)
    columns = [all_times, *all_places.T]
    means = np.column_stack([np.bincount(rows, column) / counts for column in columns])
    if len(means) > _MOST_POINTS:
        means = means[np.linspace(0, len(means) - 1, _MOST_POINTS).round().astype(int)]
    return [[round(float(time), 3), round(float(x), 3), round(float(y), 3)] for time, x, y in means]
