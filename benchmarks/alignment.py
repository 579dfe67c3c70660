"""How well a camera is aligned by people's own tracks, in the simulated room, whose cameras and clocks are known.

``python -m benchmarks.alignment --seed 1 --seed 2`` leaves out one camera of the room after another: the others'
boxes, as a detector would make them, give paths on the floor; the camera's own boxes, followed by ByteTrack and with a
clock that is wrong, are aligned to them. No pictures are drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.report import make_report, write_json
from benchmarks.simulation.cameras import corner_cameras
from benchmarks.simulation.scene import Scene, make_scene
from benchmarks.simulation.simulate import render_camera
from benchmarks.simulation.truth import detections_from_truth
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.recorded import floor_paths
from tracker.geometry.alignment import Alignment, align_camera, align_clock
from tracker.geometry.camera import Camera
from tracker.geometry.people_tracks import BoxTracks
from tracker.geometry.readers import read_calibration
from tracker.single_camera.recorded import followed_boxes

__all__ = ["Error", "alignment_rows", "camera_errors", "main"]

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]
Frames = dict[float, Detections]

#: the floor is compared at places so many metres apart
_LATTICE = 0.25

app = typer.Typer(add_completion=False, help=__doc__)

#: metres, degrees, metres: position, direction, and root mean square over the floor that both cameras see
Error = tuple[float, float, float]


def camera_errors(found: Camera, truth: Camera, width: float, depth: float) -> Error:
    """Return by how much a camera is wrong: position (m), direction (degrees) and the floor in its view (RMS, m).

    Args:
        found: the camera.
        truth: how it is.
        width, depth: of the room, metres.
    """
    axes = np.arange(0, width, _LATTICE), np.arange(0, depth, _LATTICE)
    places = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    points = np.column_stack([places, np.zeros(len(places))])
    seen = truth.visible(points)
    off = found.to_floor(truth.project(points[seen])[0], maximum_distance=np.inf) - places[seen]
    angle = np.degrees(np.arccos(np.clip(found.rotation[2] @ truth.rotation[2], -1, 1)))
    distance = float(np.linalg.norm(found.position - truth.position))
    return distance, float(angle), float(np.sqrt((off**2).sum(axis=1).mean()))


def alignment_rows(
    *,
    seed: int = 1,
    seconds: float = 60.0,
    people: int = 6,
    frame_rate: float = 15.0,
    clock: float = 0.37,
    offset_range: float = 5.0,
    only: Sequence[str] = (),
    bars: Callable[[str], Progress] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each camera that is left out.

    Args:
        seed: of the scene; also of the imitated detector.
        seconds: duration of the scene.
        people: who may come.
        frame_rate: frames a second of all cameras.
        clock: seconds by which the camera's clock is behind.
        offset_range: seconds that are looked for either way.
        only: names of the cameras to leave out; all without any.
        bars: what → what to call with finished and all steps.

    Raises:
        InputError: a value is out of its range, or no camera is called so.
    """
    scene = make_scene(seed=seed, seconds=seconds, people=people, frame_rate=frame_rate)
    views = corner_cameras(scene.room.width, scene.room.depth)
    cameras = read_calibration({"units": "metres", "cameras": [view.calibration() for view in views]})
    chosen = list(only) or list(cameras)
    unknown = next((name for name in chosen if name not in cameras), None)
    if unknown is not None:
        raise InputError(f"no camera {unknown!r} in the room; give one of {', '.join(cameras)}")
    seen = _frames(scene, views, seed, None if bars is None else bars(f"seed {seed}: who is seen"))
    for name in chosen:
        progress = None if bars is None else bars(f"seed {seed}: paths without {name}")
        others = {other: camera for other, camera in cameras.items() if other != name}
        paths = floor_paths(others, {other: seen[other] for other in others}, advance=progress)
        truth = cameras[name]
        assert isinstance(truth, Camera)
        tracks = _followed(seen[name], clock, frame_rate, truth)
        row: dict[str, Any] = {"name": name, "sequence": f"seed {seed}"}
        try:
            found = align_camera(
                paths, tracks, name=name, offset_range=offset_range,
                advance=None if bars is None else bars(f"seed {seed}: align {name}"),
            )  # fmt: skip
            row |= _figures(found, truth, clock, scene)
            alone = align_clock(paths, tracks, truth, offset_range=offset_range)
            row["known_camera_clock_error"] = alone.offset - clock
        except InputError as error:
            row["refused"] = str(error)
        yield row


def _figures(found: Alignment, truth: Camera, clock: float, scene: Scene) -> dict[str, Any]:
    assert isinstance(found.camera, Camera)
    position, direction, floor = camera_errors(found.camera, truth, scene.room.width, scene.room.depth)
    return {
        "position_error": position,
        "direction_error": direction,
        "focal_error": float(found.camera.intrinsics[0, 0] / truth.intrinsics[0, 0] - 1),
        "floor_error": floor,
        "clock_error": found.offset - clock,
        **found.record(),
    }


def _frames(scene: Scene, views: Sequence[Any], seed: int, progress: Progress | None) -> dict[str, Frames]:
    """Return what an imitated detector finds in each camera, by time."""
    done, total = 0, scene.frames * len(views)
    result = {}
    for number, view in enumerate(views):
        sightings = []
        for _, seen, _ in render_camera(scene, view, picture=False):
            sightings.append(seen)
            done += 1
            if progress is not None:
                progress(done, total)
        found = detections_from_truth(sightings, (view.width, view.height), seed=seed + number)
        result[view.name] = {frame / scene.frame_rate: boxes for frame, boxes in enumerate(found)}
    return result


def _followed(frames: Mapping[float, Detections], clock: float, frame_rate: float, camera: Camera) -> BoxTracks:
    """Return the camera's boxes, followed, by a clock that shows ``clock`` seconds too little."""
    tracks = followed_boxes(frames, frame_rate, camera.width, camera.height)
    return dataclasses.replace(tracks, times=tracks.times - clock)


@app.command()
def _command(
    seed: Annotated[list[int] | None, typer.Option(help="Of a room; repeatable (default: 1).")] = None,
    seconds: Annotated[float, typer.Option(help="Duration of each room.")] = 60.0,
    people: Annotated[int, typer.Option(help="Who may come.")] = 6,
    rate: Annotated[float, typer.Option(help="Frames a second.")] = 15.0,
    clock: Annotated[float, typer.Option(help="Seconds by which the left-out camera's clock is behind.")] = 0.37,
    offset_range: Annotated[float, typer.Option("--range", help="Seconds looked for, either way.")] = 5.0,
    camera: Annotated[list[str] | None, typer.Option(help="Leave out only this one; repeatable.")] = None,
    output: Annotated[Path | None, typer.Option("--json", "-o", help="Write the figures here.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bars.")] = False,
) -> None:
    """Leave out one camera after another of simulated rooms, align it, and say how far it is off."""
    rows: list[dict[str, Any]] = []
    with StepBars(quiet) as bars:
        for number in seed or [1]:
            rows += alignment_rows(
                seed=number, seconds=seconds, people=people, frame_rate=rate, clock=clock, offset_range=offset_range,
                only=camera or (), bars=bars.of,
            )  # fmt: skip
    header = ("camera", "position cm", "direction °", "focal %", "floor cm", "clock ms", "clock alone ms", "agreement",
              "next best", "looks")  # fmt: skip
    refused = [f"{row['sequence']}: {row['refused']}" for row in rows if "refused" in row]
    title = f"Left-out cameras, {seconds:g} s at {rate:g} frames/s, clock {clock:g} s"
    print_table(title, header, [_cells(row) for row in rows], "\n".join(refused) or "None was refused.")
    if output is not None:
        settings = {"seconds": seconds, "people": people, "frame_rate": rate, "clock": clock, "range": offset_range}
        write_json(output, make_report("alignment", settings, rows))


def _cells(row: Mapping[str, Any]) -> list[str]:
    label = f"{row['sequence']}, {row['name']}"
    if "refused" in row and "score" not in row:
        return [label, "refused", *[""] * 8]
    alone = row.get("known_camera_clock_error")
    return [
        label, f"{100 * row['position_error']:.1f}", f"{row['direction_error']:.2f}",
        f"{100 * row['focal_error']:+.1f}", f"{100 * row['floor_error']:.1f}", f"{1000 * row['clock_error']:+.0f}",
        "" if alone is None else f"{1000 * alone:+.0f}", f"{row['score']:.2f}", f"{row['runner_up']:.2f}",
        f"{row['explained']} of {row['looks']}",
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app, arguments)


if __name__ == "__main__":
    main()
