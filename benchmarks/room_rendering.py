"""How fast the simulated room is rendered, beside how fast it happens."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.simulation.simulate import simulate_room
from tracker.errors import InputError

__all__ = ["RENDERING_TARGET", "rendering_rows"]

#: times real time
RENDERING_TARGET = 1.0

Progress = Callable[[int, int], None]


def rendering_rows(
    *,
    seconds: float = 20.0,
    cameras: int = 4,
    workers: int = 2,
    seed: int = 0,
    repeats: int = 1,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each repeat of simulating, rendering and encoding a room, from nothing to finished videos.

    Args:
        seconds: duration of the scene.
        cameras: 1 to 4.
        workers: processes that render.
        seed: of the scene.
        repeats: how often it is measured, at least once.
        progress: called with the number of finished and of all camera frames of a repeat.

    Returns:
        Rows with ``frames`` of all cameras, ``seconds`` on the clock, ``frames_per_second``, ``times_real_time`` and
        ``target``.

    Raises:
        InputError: a value is out of its range.
    """
    if not 1 <= repeats <= 100:
        raise InputError(f"{repeats} repeats; give between 1 and 100")
    rows = []
    for number in range(repeats):
        with tempfile.TemporaryDirectory(prefix="multicam-room-") as folder:
            started = time.perf_counter()
            made = simulate_room(
                folder, seed=seed, seconds=seconds, cameras=cameras, workers=workers, progress=progress
            )
            taken = time.perf_counter() - started
        frames = made.frames * len(made.cameras)
        rows.append(
            {
                "name": f"{len(made.cameras)} cameras",
                "sequence": f"repeat {number + 1}",
                "frames": frames,
                "seconds": taken,
                "frames_per_second": frames / taken,
                "times_real_time": made.frames / made.frame_rate / taken,
                "target": RENDERING_TARGET,
            }
        )
    return rows
