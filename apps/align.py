"""``multicam align``: a camera's calibration and clock from people's own tracks, beside calibrated cameras."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from apps.align_inputs import CameraTracks
    from tracker.geometry.alignment import Alignment
    from tracker.geometry.camera import Camera
    from tracker.geometry.floor_camera import FloorCamera
    from tracker.geometry.people_tracks import FloorPaths

__all__ = ["align"]

_INPUT = "Input"
_MODEL = "Model"
_OUTPUT = "Output"

Bars = Callable[[str], Callable[[int, int], None]]


def align(
    tracks: Annotated[
        list[Path],
        typer.Option(
            "--tracks", help="Folder of a run, or MOTChallenge text NAME.txt; repeatable.", rich_help_panel=_INPUT
        ),
    ],
    name: Annotated[str | None, typer.Argument(help="The camera to align; left out with --clocks.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="The calibrated cameras that see the same floor.", rich_help_panel=_INPUT)
    ] = None,
    floor: Annotated[
        Path | None,
        typer.Option(
            help="People's paths, lines frame,id,x,y in metres, instead of --calibration.", rich_help_panel=_INPUT
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="The images' size, where no run.json says it.", rich_help_panel=_INPUT),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Frames a second, where no run.json says it.", rich_help_panel=_INPUT)
    ] = None,
    floor_rate: Annotated[
        float | None, typer.Option(help="Frames a second of --floor; by default --rate.", rich_help_panel=_INPUT)
    ] = None,
    offset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SECONDS",
            help="Add to a calibrated camera's times, as --clocks says; repeatable.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    clocks: Annotated[
        bool,
        typer.Option(
            "--clocks", help="Tell the calibrated cameras' clocks, against the first.", rich_help_panel=_MODEL
        ),
    ] = False,
    offset_range: Annotated[
        float, typer.Option("--range", help="Seconds that clocks may differ, either way.", rich_help_panel=_MODEL)
    ] = 5.0,
    model: Annotated[
        str,
        typer.Option(
            metavar="pose|homography",
            help="pose: heights too; homography: the floor only, whatever the principal point.",
            rich_help_panel=_MODEL,
        ),
    ] = "pose",
    intrinsics: Annotated[
        Path | None,
        typer.Option(help="A file with K and distortion, from calibrating the lens.", rich_help_panel=_MODEL),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The calibration.json that the camera is put into.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a camera of that name.", rich_help_panel=_OUTPUT)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)] = False,
) -> None:
    """Calibrate a camera, and tell clocks, from people who walk about; see docs/calibration.md."""
    from apps.align_inputs import read_camera_tracks
    from benchmarks.console import StepBars
    from tracker.errors import InputError
    from tracker.geometry.readers import read_calibration

    if (calibration is None) == (floor is None):
        raise InputError("give the calibrated cameras as --calibration FILE, or people's paths as --floor FILE")
    for option, value in (("--rate", rate), ("--floor-rate", floor_rate)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{option} is {value:g}: give a positive number of frames a second")
    known = {} if calibration is None else read_calibration(calibration)
    offsets = _offsets(offset or [])
    # Bars are for who watches: they are gone at the end, and leave an empty line in a log.
    with StepBars(quiet or not sys.stderr.isatty()) as bars:
        if clocks:
            if name is not None or output is not None or intrinsics is not None or calibration is None:
                raise InputError(
                    "--clocks tells the clocks of --calibration's cameras: give no camera, no --output, no "
                    "--intrinsics and no --floor"
                )
            found = read_camera_tracks(tracks, list(known), rate, offsets)
            _tell_clocks(known, found, offset_range, bars.of, quiet)
            return
        if name is None or output is None:
            raise InputError("give the camera's name and --output FILE; or --clocks, to tell clocks only")
        others = [other for other in known if other != name]
        found = read_camera_tracks(tracks, [name, *others], rate, offsets)
        result = _align(
            name, found, {other: known[other] for other in others}, floor, floor_rate or rate, size, model, intrinsics,
            offset_range, output, overwrite, bars.of,
        )  # fmt: skip
    if not quiet:
        _print_alignment(result, output, found[name])


def _align(
    name: str,
    found: Mapping[str, CameraTracks],
    known: Mapping[str, FloorCamera],
    floor: Path | None,
    floor_rate: float | None,
    size: str | None,
    model: str,
    intrinsics: Path | None,
    offset_range: float,
    output: Path,
    overwrite: bool,
    bars: Bars,
) -> Alignment:
    from apps.align_inputs import read_floor
    from apps.calibration_file import CalibrationFile
    from apps.image_size import parse_size
    from tracker.errors import InputError, nearest_name_hint
    from tracker.geometry.alignment import align_camera
    from tracker.geometry.camera import Camera
    from tracker.geometry.homography import HomographyCamera
    from tracker.geometry.intrinsics import read_intrinsics
    from tracker.video.addresses import name_problem

    problem = name_problem(name)
    if problem is not None:
        raise InputError(f"camera {name!r} {problem}: choose another name")
    for path in (floor, intrinsics, *(tracks.path for tracks in found.values())):
        if path is not None and output.exists() and path.exists() and output.samefile(path):
            raise InputError(f"--output {output} is read by this command and would be replaced: choose another file")
    file = CalibrationFile(output, name, overwrite=overwrite)
    if name not in found:
        raise InputError(f"--tracks: no tracks of camera {name!r} ({name}.txt): {nearest_name_hint(name, found)}")
    mine = found[name]
    shape = parse_size(size) if size is not None else mine.size
    if shape is None:
        raise InputError(f"nothing says the size of camera {name}'s images: give --size WxH")
    lens: Camera | None = None if intrinsics is None else read_intrinsics(intrinsics, name, *shape)
    if floor is not None:
        paths = read_floor(floor, floor_rate)
    else:
        paths = _paths(known, {other: found[other] for other in found if other != name}, bars)
    result = align_camera(
        paths, mine.boxes(shape), name=name, model=model, intrinsics=lens, offset_range=offset_range,
        advance=bars("align"),
    )  # fmt: skip
    assert isinstance(result.camera, (Camera, HomographyCamera))
    record = {**result.record(), "start_offset": mine.start_offset + result.offset}
    file.write(result.camera, record)
    return result


def _paths(known: Mapping[str, FloorCamera], found: Mapping[str, CameraTracks], bars: Bars) -> FloorPaths:
    """Return the paths of the people that the calibrated cameras saw together."""
    from tracker.errors import InputError
    from tracker.floor.recorded import floor_paths

    if not found:
        raise InputError(
            f"--tracks: no tracks of a calibrated camera ({', '.join(known) or 'there is none'}); name each file after "
            "its camera, NAME.txt"
        )
    cameras = {name: _sized(known[name], tracks.size) for name, tracks in found.items()}
    frames = {name: tracks.frames() for name, tracks in found.items()}
    return floor_paths(cameras, frames, advance=bars("people on the floor"))


def _sized(camera: FloorCamera, size: tuple[int, int] | None) -> FloorCamera:
    return camera if size is None or size == (camera.width, camera.height) else camera.resized(*size)


def _offsets(texts: Sequence[str]) -> dict[str, float]:
    from tracker.errors import InputError

    result = {}
    for text in texts:
        name, equals, seconds = text.partition("=")
        try:
            value = float(seconds)
        except ValueError:
            value = math.nan
        if not name or not equals or not math.isfinite(value):
            raise InputError(f"--offset {text!r} is not NAME=SECONDS: write for example --offset cam2=0.37")
        result[name] = value
    return result


def _tell_clocks(
    known: Mapping[str, FloorCamera], found: Mapping[str, CameraTracks], offset_range: float, bars: Bars, quiet: bool
) -> None:
    """Print what is to be added to every camera's times so that they go as the first's."""
    from tracker.errors import InputError
    from tracker.geometry.alignment import align_clock

    names = [name for name in known if name in found]
    if len(names) < 2:
        raise InputError("--tracks: give the tracks of two calibrated cameras or more, NAME.txt each")
    first = names[0]
    paths = _paths(known, {first: found[first]}, bars)
    lines = [f"{first}: start_offset {found[first].start_offset:.3f}; the others go by it"]
    for name in names[1:]:
        camera = _sized(known[name], found[name].size)
        boxes = found[name].boxes((camera.width, camera.height))
        result = align_clock(paths, boxes, camera, offset_range=offset_range, advance=bars(f"clock of {name}"))
        lines.append(f"{name}: {_clock(result, found[name])}; {_matched(result)}")
    if not quiet:
        print("\n".join(lines))


def _clock(result: Alignment, tracks: CameraTracks) -> str:
    late = f"{abs(result.offset):.3f} s {'added to' if result.offset >= 0 else 'taken off'} its times"
    return f"start_offset {tracks.start_offset + result.offset:.3f} ± {result.deviations.offset:.3f} ({late})"


def _matched(result: Alignment) -> str:
    return f"{result.people_matched} people matched, {result.explained} of {result.looks} looks explained"


def _print_alignment(result: Alignment, output: Path, tracks: CameraTracks) -> None:
    from tracker.geometry.camera import Camera

    camera, deviations = result.camera, result.deviations
    other = f", {result.runner_up:.2f} for the next best answer" if result.runner_up else ""
    print(f"{_matched(result)}; agreement {result.score:.2f}{other}.")
    print(
        f"RMS of what agrees: feet {result.feet_rms:.1f} pixels, heads {result.head_rms:.1f} pixels, "
        f"{100 * result.floor_rms:.0f} cm on the floor."
    )
    print(f"Clock: {_clock(result, tracks)}; write start_offset into cameras.yaml.")
    (x, y, z), (across, along, up) = camera.position, deviations.position
    if isinstance(camera, Camera):
        focal = float(camera.intrinsics[0, 0])
        length = f"{focal:.1f} ± {focal * deviations.focal:.1f}" if deviations.focal else f"{focal:.1f}, as given,"
        print(
            f"{camera.name}: x {x:.2f} ± {across:.2f}, y {y:.2f} ± {along:.2f}, {z:.2f} ± {up:.2f} m above the floor; "
            f"focal length {length} pixels."
        )
    else:
        print(f"{camera.name}: about x {x:.2f}, y {y:.2f}, {z:.2f} m above the floor; heights are a guess.")
    print(f"{output}: {camera.name} written.")
