"""The options of ``multicam track``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.network_options import NetworkOptions
from apps.option_groups import with_option_groups
from apps.run_options import TRACKING, ModelOptions, TrackingOptions, run_values

__all__ = ["track"]

_INPUT = "Input"
_OUTPUT = "Output"


@with_option_groups
def track(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Videos, image folders (MOTChallenge too), webcam numbers, rtsp:// or http:// addresses, cameras.yaml."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.", rich_help_panel=_OUTPUT)],
    *,
    models: ModelOptions,
    networks: NetworkOptions,
    tracking: TrackingOptions,
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="People known from earlier runs, if the file exists; whom this run knows is written to it.",
            rich_help_panel=TRACKING,
        ),
    ] = None,
    look_again: Annotated[
        bool,
        typer.Option(
            "--look-again",
            help="Recordings of calibrated cameras: go through the tracks once more, with what came later (an "
            "experiment: better in some rooms, worse in others).",
            rich_help_panel=TRACKING,
        ),
    ] = False,
    stride: Annotated[
        int, typer.Option("--stride", "--vid-stride", help="Use every n-th frame.", rich_help_panel=_INPUT)
    ] = 1,
    max_frames: Annotated[
        int | None, typer.Option(help="Frames of each source, at most.", rich_help_panel=_INPUT)
    ] = None,
    detect_every: Annotated[
        str,
        typer.Option(
            metavar="K|auto",
            help="Detect in every K-th frame of a camera and bridge the others; auto: where somebody is in doubt.",
            rich_help_panel=TRACKING,
        ),
    ] = "1",
    overlap: Annotated[
        bool,
        typer.Option(
            "--overlap/--plain-order",
            help="Look at the next frames while these are tracked; the results are the same.",
            rich_help_panel=TRACKING,
        ),
    ] = True,
    video: Annotated[
        bool, typer.Option("--video/--no-video", help="Write an annotated video per camera.", rich_help_panel=_OUTPUT)
    ] = True,
    mosaic: Annotated[
        bool, typer.Option("--mosaic", help="Write mosaic.mp4: all cameras in one.", rich_help_panel=_OUTPUT)
    ] = False,
    floor_plan: Annotated[
        bool,
        typer.Option(
            "--floor-plan/--no-floor-plan",
            help="With calibrated cameras: the floor from above as one more tile of the mosaic.",
            rich_help_panel=_OUTPUT,
        ),
    ] = True,
    trails: Annotated[
        bool,
        typer.Option("--trails", "--show-trajectories", help="Draw where people came from.", rich_help_panel=_OUTPUT),
    ] = False,
    save_crops: Annotated[
        bool,
        typer.Option(
            "--save-crops", help="Save crops of every identity, and a contact sheet.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    save_detections: Annotated[
        bool,
        typer.Option(
            "--save-detections",
            help="Save what the detector finds; --detector mot:DIR/detections then tracks without it.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    zones: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Zones and counting lines (JSON or YAML): count who enters, stays and crosses, in zones.csv and "
            "visits.csv.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    zone_interval: Annotated[
        float, typer.Option(help="Seconds that a row of zones.csv counts.", rich_help_panel=_OUTPUT)
    ] = 60.0,
    blur_faces: Annotated[
        bool, typer.Option("--blur-faces", help="Hide heads in videos and crops.", rich_help_panel=_OUTPUT)
    ] = False,
    blur_people: Annotated[
        bool, typer.Option("--blur-people", help="Hide whole people in videos and crops.", rich_help_panel=_OUTPUT)
    ] = False,
    store: Annotated[
        bool,
        typer.Option(
            "--store/--no-store",
            help="Write store.sqlite: people, their looks, sightings and crops, for search.",
            rich_help_panel=_OUTPUT,
        ),
    ] = True,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Write the results in this form, too; aicity: aicity.txt with places on the floor, for calibrated "
            "cameras.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run.", rich_help_panel=_OUTPUT)
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Show a window (q ends).", rich_help_panel=_OUTPUT)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)] = False,
    seed: Annotated[int, typer.Option(help="Of everything random.", rich_help_panel=TRACKING)] = 0,
) -> None:
    """Track people through one or many videos and give each person one identity across all cameras."""
    from apps.settings import OutputSettings, TrackSettings
    from apps.validation import checked, detect_every_of

    settings = checked(
        TrackSettings,
        sources=sources,
        stride=stride,
        max_frames=max_frames,
        seed=seed,
        overlap=overlap,
        look_again=look_again,
        gallery=gallery,
        **run_values(context, models, networks, tracking, pipeline={"detect_every": detect_every_of(detect_every)}),
    )
    outputs = checked(
        OutputSettings, folder=output, overwrite=overwrite, video=video, mosaic=mosaic, floor_plan=floor_plan,
        trails=trails, save_crops=save_crops, save_detections=save_detections, store=store, format=format_,
        blur_faces=blur_faces, blur_people=blur_people, zones=zones, zone_interval=zone_interval, show=show,
        quiet=quiet,
    )  # fmt: skip
    from rich.console import Console

    from apps.track import run_track

    console = None if quiet else Console(stderr=True)
    report = run_track(settings, outputs, console)
    if console is not None:
        from apps.summary import print_summary

        print_summary(report, Console())
    if report.interrupted:
        raise typer.Exit(130)
