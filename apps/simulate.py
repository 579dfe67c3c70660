"""``multicam simulate``: a room with known truth as videos, for trying out and measuring what tracks people."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apps.interrupts import StopRequest
from apps.output_folder import OutputFolder
from apps.progress import CameraProgress
from tracker.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.simulation import Simulation

__all__ = ["RoomSettings", "render_room", "run_simulate"]

#: what an earlier simulation, maybe of more cameras, has in its folder
_ROOM_FILES = ("cam[1-9].mp4", "truth/cam[1-9].txt", "detections/cam[1-9].txt", "corridor[1-9].mp4",
               "truth/corridor[1-9].txt", "detections/corridor[1-9].txt", "world.txt", "calibration.json",
               "cameras.yaml")  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What to simulate; see ``benchmarks.simulation.simulate_room``, which checks it."""

    seed: int
    seconds: float
    cameras: int
    people: int
    at_once: int | None = None
    workers: int | None = None
    corridor_cameras: int = 0


def run_simulate(
    settings: RoomSettings, output: Path, *, overwrite: bool = False, console: Console | None = None
) -> Simulation:
    """Write a simulated room into ``output``: everything at the end, or nothing.

    Raises:
        InputError: a setting is out of its range, or the folder cannot be used.
        KeyboardInterrupt: interrupted; the folder is as it was.
    """
    with StopRequest(at_once=True) as stop, OutputFolder(output, overwrite=overwrite) as folder:
        return render_room(folder, "", settings, stop, console)


def render_room(
    folder: OutputFolder, place: str, settings: RoomSettings, stop: StopRequest, console: Console | None
) -> Simulation:
    """Render the room out of sight, then put its files into the folder ``place`` of ``folder``.

    Args:
        folder: entered already.
        place: relative; ``""`` is the folder itself.
        settings: what to simulate.
        stop: keeps an interrupt from coming between the files of an earlier room and those of this one.
        console: where progress is shown; ``None``: nowhere.
    """
    from benchmarks.simulation import simulate_room

    hidden, target = folder.staging / place, folder.path / place
    with contextlib.ExitStack() as stack:
        progress: CameraProgress | None = None

        def report(done: int, total: int) -> None:
            nonlocal progress
            if progress is None:
                # Nothing is shown of what is refused before it begins.
                progress = stack.enter_context(CameraProgress("render", {"room": total}, console))
            progress.reach("room", done)

        try:
            simulation = simulate_room(hidden, **dataclasses.asdict(settings), progress=report)
        except InputError as error:
            raise InputError(folder.shown(str(error))) from None
    for path in sorted(hidden.rglob("*")):
        if path.is_file():
            folder.file(str(path.relative_to(folder.staging)))
    with stop.shielded():
        for path in [path for pattern in _ROOM_FILES for path in target.glob(pattern)]:
            if path.is_file():
                path.unlink()
        folder.publish()
    return dataclasses.replace(simulation, folder=target)
