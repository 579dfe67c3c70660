"""The commands around the simulated room: ``multicam demo`` and ``multicam simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.network_options import MODELS, NetworkOptions
from apps.option_groups import with_option_groups

__all__ = ["demo", "simulate"]

_SCENE = "Room"
_OUTPUT = "Output"

_Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.", rich_help_panel=_OUTPUT)]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the results of an earlier run.", rich_help_panel=_OUTPUT)
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)]
_Seed = Annotated[int, typer.Option(help="Of people, walks and sensor noise.", rich_help_panel=_SCENE)]
_Cameras = Annotated[int, typer.Option(help="In the corners of the room, 1 to 4.", rich_help_panel=_SCENE)]
_People = Annotated[int, typer.Option(help="Who may come, 1 to 200.", rich_help_panel=_SCENE)]
_AtOnce = Annotated[
    int | None, typer.Option(help="How many may be inside together, at most 7.", rich_help_panel=_SCENE)
]
_Workers = Annotated[
    int | None, typer.Option(help="Processes that render; by default one per core.", rich_help_panel=_SCENE)
]


@with_option_groups
def demo(
    output: _Output,
    # Five people, who walk, meet, and sit on the sofa and at the table.
    seed: _Seed = 2,
    seconds: Annotated[float, typer.Option(help="Duration of the scene.", rich_help_panel=_SCENE)] = 30.0,
    cameras: _Cameras = 4,
    people: _People = 8,
    at_once: _AtOnce = None,
    workers: _Workers = None,
    detector: Annotated[
        str,
        typer.Option(help="As for track; simulated: boxes made from the truth, with errors.", rich_help_panel=MODELS),
    ] = "yolo11n_room",
    embedder: Annotated[
        str,
        typer.Option(
            help="A model name, NAME:WEIGHTS, an .onnx file, color_histogram, or none.",
            rich_help_panel=MODELS,
        ),
    ] = "osnet_x0_25:room",
    embedder_weights: Annotated[
        Path | None, typer.Option(help="Checkpoint of the embedder.", rich_help_panel=MODELS)
    ] = None,
    *,
    networks: NetworkOptions,
    show: Annotated[
        bool, typer.Option("--open", help="Open the mosaic in the system's viewer.", rich_help_panel=_OUTPUT)
    ] = False,
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Simulate a room, track the people in its videos, and score that against the exact truth."""
    from rich.console import Console

    from apps.demo import DemoSettings, print_scores, run_demo
    from apps.simulate import RoomSettings

    settings = DemoSettings(
        RoomSettings(seed, seconds, cameras, people, at_once, workers), detector, embedder, embedder_weights,
        networks.settings(),
    )  # fmt: skip
    report = run_demo(settings, output, overwrite=overwrite, console=None if quiet else Console(stderr=True))
    if report.interrupted:
        if not quiet:
            print(f"Interrupted: no scores; what was done is in {report.folder}")
        raise typer.Exit(130)
    if not quiet:
        from apps.summary import run_by

        print_scores(report.scores, Console())
        print(run_by(report.models))
    if show:
        from apps.viewer import open_file

        if not open_file(report.mosaic):
            typer.echo("There is no display to open the video on.", err=True)
    if not quiet:
        print(report.mosaic)


def simulate(
    output: _Output,
    seed: _Seed = 0,
    seconds: Annotated[
        float | None, typer.Option(help="Duration of the scene; 20 by default.", rich_help_panel=_SCENE)
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="The same in minutes.", rich_help_panel=_SCENE)] = None,
    cameras: _Cameras = 4,
    corridor_cameras: Annotated[
        int,
        typer.Option(
            help="In the corridor behind the door, 0 to 2; they share no view with others.", rich_help_panel=_SCENE
        ),
    ] = 0,
    people: _People = 6,
    at_once: _AtOnce = None,
    workers: _Workers = None,
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Write videos of a simulated room, with detections, calibration and the exact truth."""
    from rich.console import Console

    from apps.simulate import RoomSettings, run_simulate
    from tracker.errors import InputError

    if seconds is not None and minutes is not None:
        raise InputError(f"--seconds {seconds:g} and --minutes {minutes:g} both say how long: give one of them")
    duration = 60 * minutes if minutes is not None else 20.0 if seconds is None else seconds
    settings = RoomSettings(seed, duration, cameras, people, at_once, workers, corridor_cameras)
    result = run_simulate(settings, output, overwrite=overwrite, console=None if quiet else Console(stderr=True))
    if not quiet:
        import shlex

        people_seen = "1 person" if len(result.identities) == 1 else f"{len(result.identities)} people"
        views = "1 camera" if len(result.cameras) == 1 else f"{len(result.cameras)} cameras"
        print(f"{people_seen}, {views}, {result.frames} frames each, in {result.seconds:.1f} s.")
        detections = f"mot:{result.folder / 'detections'}"
        command = ["multicam", "track", str(result.cameras_file), "--detector", detections, "--output", "DIR"]
        print(f"Track them: {shlex.join(command)}")
