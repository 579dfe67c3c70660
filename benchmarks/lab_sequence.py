"""A sequence of calibrated cameras with its truth, laid out as LAB is kept here and as ``multicam simulate`` writes.

A sequence is a folder::

    cameras.yaml         the videos and their calibration; or, without it, cam1.mp4, … beside one calibration.json
    world.txt            frame, id, x, y: frames from 1, metres
    truth/NAME.txt       MOTChallenge text of each camera, where people are known in the images

One of the two truths is enough. ``truth_area: {x: [0, 6], y: [0, 5]}`` in ``cameras.yaml`` is the part of the floor in
which everybody is in ``world.txt``; without it the whole floor counts.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.cmc import floor_area
from benchmarks.lab_truth import read_world
from benchmarks.world_metrics import FloorArea, FloorTracks
from tracker.errors import InputError
from tracker.storage.mot_files import read_tracks
from tracker.video.cameras import CameraSettings, read_cameras

__all__ = ["LabSequence", "lab_sequence", "lab_sequences"]

_CAMERAS, _WORLD, _CALIBRATION = "cameras.yaml", "world.txt", "calibration.json"
_VIDEOS = "cam*.mp4"
_SEE = "see docs/lab.md"


@dataclass(frozen=True, slots=True, eq=False)
class LabSequence:
    """What the folder of a sequence holds.

    Args:
        name: of the folder.
        folder: where the files are.
        cameras: with absolute paths.
        area: where everybody is in ``world``; ``None``: wherever they are.
        world: where people were, metres; ``None`` where that is not known, or a camera is not calibrated.
        boxes: whether ``truth/NAME.txt`` says where people are in the images of all cameras.
    """

    name: str
    folder: Path
    cameras: tuple[CameraSettings, ...]
    area: FloorArea | None
    world: FloorTracks | None
    boxes: bool

    @property
    def evaluated(self) -> NDArray[np.int64]:
        """The frames that count on the floor, ascending: from 1, or where every n-th only is noted, these.

        They end with the last in which the truth has somebody.
        """
        assert self.world is not None
        noted = np.unique(self.world.frames)
        step = int(np.gcd.reduce(np.diff(noted))) if len(noted) > 1 else 1
        first = 1 if step == 1 else int(noted[0])
        return np.arange(first, int(noted[-1]) + 1, step)


def lab_sequences(root: str | Path) -> list[LabSequence]:
    """Read a sequence, or all in a folder: ``root``, or ``lab`` or ``data/lab`` in it.

    Raises:
        InputError: no such folder, no sequence in any of these, or one that cannot be used.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise InputError(f"no folder {root}; give the one that holds the data")
    candidates = [root, root / "lab", root / "data" / "lab"]
    for folder in candidates:
        if _has_truth(folder) or (folder / _CAMERAS).exists():
            return [lab_sequence(folder)]
        inside = [path for path in sorted(folder.glob("*/")) if _has_truth(path)]
        if inside:
            return [lab_sequence(path) for path in inside]
    raise InputError(
        f"no sequence in {root}, nor in {candidates[1]} or {candidates[2]}: no {_CAMERAS}, {_WORLD} or truth/NAME.txt, "
        f"here or one folder below; {_SEE}"
    )


def lab_sequence(folder: str | Path) -> LabSequence:
    """Read the sequence in ``folder``.

    Raises:
        InputError: no such folder, something is missing in it, or a file cannot be used; the message says which.
    """
    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"no folder {folder}; give the one that holds {_CAMERAS} and {_WORLD}")
    cameras = _cameras(folder)
    area = _area(folder / _CAMERAS)
    names = [camera.name for camera in cameras]
    there = [name for name in names if (folder / "truth" / f"{name}.txt").is_file()]
    if there and len(there) < len(names):
        missing = next(name for name in names if name not in there)
        raise InputError(f"no file {folder / 'truth' / missing}.txt, but one of {there[0]}; give that of every camera")
    world = read_world(folder / _WORLD) if (folder / _WORLD).exists() else None
    if world is None and not there:
        raise InputError(
            f"{folder} has no truth: neither {_WORLD} nor truth/{names[0]}.txt; {_SEE}, and "
            "python -m benchmarks.lab convert for positions in another form"
        )
    for name in there:
        for message in read_tracks(folder / "truth" / f"{name}.txt").warnings:
            warnings.warn(message, RuntimeWarning, stacklevel=2)
    bare = [camera.name for camera in cameras if camera.calibration is None]
    if world is not None and bare:
        problem = f"{folder}: no calibration of {', '.join(bare)}, which people on the floor need"
        if not there:
            raise InputError(f"{problem}; give calibration: of every camera in {_CAMERAS}, or one {_CALIBRATION}")
        warnings.warn(f"{problem}: scored in the images only", RuntimeWarning, stacklevel=2)
        world = None
    if world is not None and area is not None:
        world = world.inside(area)
        if not len(world):
            raise InputError(f"{folder / _WORLD} has nobody inside the area of {_CAMERAS}; check both")
    return LabSequence(folder.name, folder, cameras, area, world, bool(there))


def _has_truth(folder: Path) -> bool:
    return (folder / _WORLD).is_file() or any((folder / "truth").glob("*.txt"))


def _cameras(folder: Path) -> tuple[CameraSettings, ...]:
    if (folder / _CAMERAS).exists():
        return tuple(read_cameras(folder / _CAMERAS))
    videos = sorted(folder.glob(_VIDEOS), key=_number)
    if not videos:
        raise InputError(f"{folder} has no {_CAMERAS} and no videos cam1.mp4, …; {_SEE}")
    calibration = folder / _CALIBRATION
    if not calibration.exists() and (folder / _WORLD).exists():
        raise InputError(f"no file {calibration}: without {_CAMERAS} it must say where the cameras are; {_SEE}")
    return tuple(
        CameraSettings(name=path.stem, source=str(path), calibration=calibration if calibration.exists() else None)
        for path in videos
    )


def _number(path: Path) -> tuple[int, str]:
    """Return a key by which cam10 follows cam9."""
    digits = re.search(r"\d+$", path.stem)
    return (int(digits[0]) if digits else 0), path.stem


def _area(cameras: Path) -> FloorArea | None:
    """Return ``truth_area:`` of a ``cameras.yaml`` that could be read."""
    content: Any = yaml.safe_load(cameras.read_text(encoding="utf-8-sig")) if cameras.exists() else {}
    return floor_area(content, "truth_area", cameras) if "truth_area" in content else None
