"""``multicam calibrate``: where a camera is and how it looks, from places on the floor and their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from apps.calibration_file import CalibrationFile
    from tracker.geometry.estimation import Estimate
    from tracker.geometry.point_pairs import PointPairs

__all__ = ["calibrate"]

_INPUT = "Input"
_MODEL = "Model"
_OUTPUT = "Output"

_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
#: the coordinate that a file gives to the centre of its first pixel
_PIXEL_CENTERS = {"corner": 0.5, "center": 0.0}


def calibrate(
    points: Annotated[
        Path,
        typer.Argument(
            help="Pairs, one a line: u,v,x,y[,z] (pixels, metres); or YAML, JSON with points:. With --browser: a .csv "
            "to be written."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The calibration.json that the camera is put into.", rich_help_panel=_OUTPUT
        ),
    ],
    image: Annotated[
        str | None, typer.Option(help="A picture of the camera, or its video.", rich_help_panel=_INPUT)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="The image's size in pixels, instead of --image.", rich_help_panel=_INPUT),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the camera; by default the image's.", rich_help_panel=_OUTPUT)
    ] = None,
    pixel_centers: Annotated[
        str,
        typer.Option(
            metavar="corner|center",
            help="Where the file's pixel (0, 0) is: the image's corner, or the centre of the first pixel.",
            rich_help_panel=_INPUT,
        ),
    ] = "corner",
    model: Annotated[
        str,
        typer.Option(
            metavar="auto|homography|pose",
            help="homography: the floor only; pose: heights too; auto: pose where the points determine it.",
            rich_help_panel=_MODEL,
        ),
    ] = "auto",
    intrinsics: Annotated[
        Path | None,
        typer.Option(help="A file with K and distortion, from calibrating the lens.", rich_help_panel=_MODEL),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Pixels within which a point agrees; 0.5 % of the image's longer side, 5 at least.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the floor's grid over the image, into this file.", rich_help_panel=_OUTPUT)
    ] = None,
    grid: Annotated[float, typer.Option(help="Metres between the picture's lines.", rich_help_panel=_OUTPUT)] = 1.0,
    browser: Annotated[
        bool,
        typer.Option(
            "--browser",
            help="Click the points in a page on this machine; those of a file that is there are shown.",
            rich_help_panel=_INPUT,
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(help="Of the page; 0: any that is free.", min=0, max=65535, rich_help_panel=_INPUT)
    ] = 0,
    no_open: Annotated[
        bool,
        typer.Option("--no-open", help="Only print the page's address; open no browser.", rich_help_panel=_INPUT),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace a camera of that name, the picture, and with --browser the points.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)] = False,
) -> None:
    """Calibrate a camera from places on the floor and the pixels where it sees them; see docs/calibration.md."""
    import numpy as np

    from apps.calibration_file import CalibrationFile
    from tracker.errors import InputError, nearest_name_hint
    from tracker.geometry.estimation import MODELS, estimate_camera
    from tracker.geometry.intrinsics import read_intrinsics
    from tracker.geometry.point_pairs import read_point_pairs
    from tracker.video.addresses import name_problem

    for option, given, known in (("--model", model, MODELS), ("--pixel-centers", pixel_centers, _PIXEL_CENTERS)):
        if given not in known:
            raise InputError(f"{option} is {given!r}: {nearest_name_hint(given, known)}")
    for option, value, unit in (("--threshold", threshold, "pixels"), ("--grid", grid, "metres")):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"{option} is {value:g}: give a positive number of {unit}")
    _check_browser(browser, points, image, pixel_centers, overwrite, port, no_open)
    called = _name_of(image) if name is None else name
    problem = name_problem(called)
    if problem is not None:
        raise InputError(f"--name {called!r} {problem}: choose another")
    read = None if browser else points
    inputs = [path for path in (read, intrinsics, None if image is None else Path(image)) if path is not None]
    if browser:
        _check_targets(points, None, [*inputs, *filter(None, [output, picture])], overwrite, "POINTS")
    _check_targets(output, picture, inputs, overwrite)
    file = CalibrationFile(output, called, overwrite=overwrite)
    view, (width, height) = _view(image, size)
    lens = None if intrinsics is None else read_intrinsics(intrinsics, called, width, height)

    def estimated(pairs: PointPairs) -> Estimate:
        return estimate_camera(pairs, width, height, name=called, model=model, intrinsics=lens, threshold=threshold)

    def written(estimate: Estimate) -> list[str]:
        return _write(file, estimate, picture, view, grid)

    if browser:
        assert view is not None
        from apps.calibration_browser import calibrate_in_browser

        estimate, names = calibrate_in_browser(
            points, view, called, estimated, written, grid=grid, port=port, opened=not no_open
        )  # fmt: skip
    else:
        pairs = read_point_pairs(points, first_pixel_centre=_PIXEL_CENTERS[pixel_centers])
        try:
            estimate = estimated(pairs)
        except InputError as error:
            raise InputError(f"{points}: {error}") from None
        names = written(estimate)
    if quiet:
        return
    _print_estimate(estimate)
    done = "replaced" if file.replaces else "added"
    print(f"{output}: {called} {done}; in it: {', '.join(names)}")
    if browser:
        print(points)
    if picture is not None:
        print(picture)


def _name_of(image: str | None) -> str:
    from tracker.video.addresses import safe_name

    return "camera" if image is None else safe_name(Path(image).stem)


def _check_browser(
    browser: bool, points: Path, image: str | None, pixel_centers: str, overwrite: bool, port: int, no_open: bool
) -> None:
    """Raise when clicking is impossible, or its options are given without it."""
    from tracker.errors import InputError

    if not browser:
        if port or no_open:
            raise InputError(f"{'--port' if port else '--no-open'} is of --browser: add it, or leave this out")
        return
    if image is None:
        raise InputError("--browser shows the camera's picture: give it, or its video, as --image FILE")
    if pixel_centers != "corner":
        raise InputError(f"--pixel-centers {pixel_centers}: clicks count from the image's corner; leave it out")
    if points.suffix.lower() not in (".csv", ".txt"):
        raise InputError(f"{points}: with --browser, give a file that ends in .csv or .txt for the points")
    if points.exists() and not overwrite:
        raise InputError(f"{points} exists: choose another, or add --overwrite to begin with its points and replace it")


def _write(
    file: CalibrationFile, estimate: Estimate, picture: Path | None, view: NDArray[np.uint8] | None, grid: float
) -> list[str]:
    """Write the calibration, and the picture if one is wanted; return the names of all cameras in the file."""
    from tracker.storage.atomic import atomic_path

    if picture is None:
        return file.write(estimate.camera, estimate.record())
    import cv2

    from apps.calibration_picture import draw_calibration

    drawn = cv2.imencode(picture.suffix, draw_calibration(view, estimate, grid))[1]
    names = file.write(estimate.camera, estimate.record())
    with atomic_path(picture) as temporary:
        temporary.write_bytes(drawn.tobytes())
    return names


def _check_targets(
    output: Path, picture: Path | None, inputs: list[Path], overwrite: bool, option: str = "--output"
) -> None:
    """Raise when a file that is to be written is one that is read, or a picture is there already."""
    from tracker.errors import InputError

    for label, path in ((option, output), ("--picture", picture)):
        if path is not None and path.exists() and any(other.exists() and path.samefile(other) for other in inputs):
            raise InputError(f"{label} {path} is read by this command and would be replaced: choose another file")
    if picture is None:
        return
    if picture.suffix.lower() not in _PICTURE_SUFFIXES:
        raise InputError(f"--picture {picture}: give a file that ends in {', '.join(_PICTURE_SUFFIXES)}")
    if picture.exists() and not overwrite:
        raise InputError(f"--picture {picture} exists: choose another, or add --overwrite")


def _view(image: str | None, size: str | None) -> tuple[NDArray[np.uint8] | None, tuple[int, int]]:
    """Return the picture, (H, W, 3) uint8 BGR, and its width and height.

    Raises:
        InputError: neither or both are given, or one of them cannot be read.
    """
    from apps.image_size import parse_size
    from tracker.errors import InputError

    if (image is None) == (size is None):
        raise InputError("give the camera's picture or video as --image FILE, or the size of its images as --size WxH")
    if size is not None:
        return None, parse_size(size)
    assert image is not None
    picture = _first_frame(image)
    return picture, (picture.shape[1], picture.shape[0])


def _first_frame(image: str) -> NDArray[np.uint8]:
    from tracker.errors import InputError
    from tracker.video.image_folder import IMAGE_SUFFIXES

    path = Path(image).expanduser()
    if path.suffix.lower() in IMAGE_SUFFIXES:
        import cv2
        import numpy as np

        from tracker.video.source_base import quiet_opencv

        quiet_opencv()
        try:
            found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            found = None
        except OSError as error:
            raise InputError(f"--image {path} cannot be read ({error.strerror}): check the path") from None
        if found is None:
            raise InputError(f"--image {path} cannot be decoded: copy it again, or give another picture or a video")
        return np.asarray(found, np.uint8)
    from tracker.video.cameras import CameraSettings
    from tracker.video.sources import open_source

    with open_source(CameraSettings(name="view", source=image), max_frames=1) as source:
        for frame in source:
            if frame.image is not None:
                return frame.image
    raise InputError(f"--image {image} has no frame that can be decoded: give a picture of the camera")


def _print_estimate(estimate: Estimate) -> None:
    """Print every point, then what the camera is and how well it fits."""
    from rich.console import Console

    from apps.calibration_report import points_table, summary_lines

    table = points_table(estimate)
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, console.measure(table).maximum))
    console.print(table)
    for line in summary_lines(estimate):
        console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)
    for warning in estimate.warnings:
        Console(stderr=True).print(f"Warning: {warning}", soft_wrap=True, markup=False, highlight=False)
