"""Boxes that were recorded, of cameras that are calibrated, to people's paths on the floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.settings import FloorSettings
from tracker.floor.tracker import FloorTracker
from tracker.floor.trajectories import FloorTrajectories
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.people_tracks import FloorPaths
from tracker.geometry.room_checks import check_room_camera

__all__ = ["floor_paths"]

#: seconds that frames of one camera must be apart to be looked at; paths are smooth, and more costs only time
_LEAST_INTERVAL = 0.12
#: seconds over which somebody who is not seen is taken to go straight on
_GAP_SECONDS = 1.0


def floor_paths(
    cameras: Mapping[str, FloorCamera],
    frames: Mapping[str, Mapping[float, Detections]],
    settings: FloorSettings | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> FloorPaths:
    """Return the paths that the floor tracker makes of recorded boxes, looked at again with what came later.

    Boxes below ``settings.confidence`` are left out, and so are frames that follow another of their camera closely.

    Args:
        cameras: name → calibrated camera.
        frames: name → time in seconds → boxes; frames without boxes count as looks at nobody.
        settings: of the floor tracker; ``None``: by default.
        advance: called with the number of finished and of all steps.

    Raises:
        InputError: no camera, one that sees no floor, or frames of a camera that is not among them.
    """
    chosen = settings or FloorSettings()
    for camera in cameras.values():
        check_room_camera(camera)
    tracker = FloorTracker(cameras, chosen, remember=True)
    instants: dict[float, dict[str, Detections]] = {}
    for name, looks in frames.items():
        if name not in cameras:
            raise InputError(f"boxes of camera {name!r}, which is not among {', '.join(cameras)}")
        last = -np.inf
        for time in sorted(looks):
            if time - last >= _LEAST_INTERVAL:
                last, found = time, looks[time]
                instants.setdefault(round(time, 4), {})[name] = found[found.scores >= chosen.confidence]
    times = sorted(instants)
    done, steps = 0, 3 * len(times)

    def step() -> None:
        nonlocal done
        done += 1
        if advance is not None:
            advance(min(done, steps), steps)

    for time in times:
        tracker.update(instants[time], time)
        step()
    usual = float(np.median(np.diff(times))) if len(times) > 1 else _GAP_SECONDS
    trajectories = FloorTrajectories(longest_gap=max(1, round(_GAP_SECONDS / usual)))
    for number, people in enumerate(tracker.refined(step)):
        trajectories.add(number, people)
    numbers, ids, positions = trajectories.finished()
    return FloorPaths(np.array(times)[numbers] if len(numbers) else np.zeros(0), ids, positions)
