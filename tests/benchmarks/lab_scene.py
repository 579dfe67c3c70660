"""A LAB-like sequence of two walkers, small enough to count by hand, and runs on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

FRAMES = 10
#: the first walks along x, the second stands; metres
PLACES: dict[int, Callable[[int], tuple[float, float]]] = {
    1: lambda frame: (1.0 + 0.1 * frame, 1.0),
    2: lambda frame: (4.0, 4.0),
}
AREA = "truth_area: {x: [0, 6], y: [0, 5]}\n"
CAMERA = {"width": 640, "height": 480, "K": [[500, 0, 320], [0, 500, 240], [0, 0, 1]], "R": [0, 0, 0], "t": [0, 0, 3]}
HEADER = "time,frame,identity,track,x,y,height,cameras\n"

#: identity as written (may be empty), track, x, y
Result = tuple[str, int, float, float]


def write_sequence(folder: Path, *, boxes: bool = True, world: bool = True, area: str = AREA) -> Path:
    """Write two calibrated cameras whose videos are never opened, and the truth asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = [f"- {{name: {name}, source: {name}.mp4, calibration: {json.dumps(CAMERA)}}}\n" for name in ("a", "b")]
    (folder / "cameras.yaml").write_text("cameras:\n" + "".join(entries) + area)
    if world:
        (folder / "world.txt").write_text(world_text())
    for name in ("a", "b") if boxes else ():
        (folder / "truth").mkdir(exist_ok=True)
        lines = [f"{box_line(frame, person, person)},1,1,1\n" for frame in range(1, FRAMES + 1) for person in PLACES]
        (folder / "truth" / f"{name}.txt").write_text("".join(lines))
    return folder


def world_text() -> str:
    return "".join(
        f"{frame},{person},{place(frame)[0]:.2f},{place(frame)[1]:.2f},0.5\n"
        for frame in range(1, FRAMES + 1)
        for person, place in PLACES.items()
    )


def box_line(frame: int, identity: int, person: int) -> str:
    return f"{frame},{identity},{200 * person},20,40,100"


def write_run(
    folder: Path,
    results: Callable[[int], list[Result]],
    identity_of: Callable[[int, int], int] = lambda person, frame: 10 * person,
) -> Path:
    """Write what a run of ``multicam track`` leaves: positions, and the true boxes with identities of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{frame / 15:.3f},{frame},{identity},{track},{x:.3f},{y:.3f},1.75,a b\n"
        for frame in range(1, FRAMES + 1)
        for identity, track, x, y in results(frame)
    ]
    (folder / "floor.csv").write_text(HEADER + "".join(rows))
    for name in ("a", "b"):
        lines = [
            f"{box_line(frame, identity_of(person, frame), person)},1,-1,-1,-1\n"
            for frame in range(1, FRAMES + 1)
            for person in PLACES
        ]
        (folder / f"{name}.txt").write_text("".join(lines))
    record = {"seconds": 2.0, "cameras": [{"name": "a", "frames": FRAMES}, {"name": "b", "frames": FRAMES - 1}]}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def truly(frame: int) -> list[Result]:
    """What a run without a mistake says."""
    return [(str(10 * person), person, *place(frame)) for person, place in PLACES.items()]
