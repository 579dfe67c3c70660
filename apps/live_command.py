"""The options of ``multicam live``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["live"]

_PAGE = "Page"
_STORAGE = "Storage and events"
_INPUT = "Input"
_MODELS = "Models"
_TRACKING = "Tracking and identities"


def live(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(help="Webcam numbers, rtsp:// or http:// addresses, videos, cameras.yaml."),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0: any.", rich_help_panel=_PAGE)] = 8080,
    address: Annotated[
        str,
        typer.Option(
            help="Where the page is served; any but this computer's own needs a token.", rich_help_panel=_PAGE
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            help="What everybody who asks must know; made and printed where one is needed.",
            envvar="MULTICAM_TOKEN",
            show_envvar=True,
            rich_help_panel=_PAGE,
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.", rich_help_panel=_PAGE)] = False,
    store: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="People, sightings and crops; goes on where it ended.", rich_help_panel=_STORAGE
        ),
    ] = Path("multicam-live.sqlite"),
    keep_days: Annotated[float, typer.Option(help="What is older leaves the store.", rich_help_panel=_STORAGE)] = 30.0,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON lines that every event is appended to.", rich_help_panel=_STORAGE),
    ] = None,
    zones: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Zones and lines, also as drawn in the page; by default zones.json beside the store.",
            rich_help_panel=_STORAGE,
        ),
    ] = None,
    blur_faces: Annotated[
        bool, typer.Option("--blur-faces", help="Hide heads in all that is shown and stored.", rich_help_panel=_STORAGE)
    ] = False,
    blur_people: Annotated[
        bool,
        typer.Option(
            "--blur-people", help="Hide whole people in all that is shown and stored.", rich_help_panel=_STORAGE
        ),
    ] = False,
    realtime: Annotated[
        bool,
        typer.Option(
            "--realtime/--no-realtime",
            help="Recordings play at their own speed, or as fast as it goes.",
            rich_help_panel=_INPUT,
        ),
    ] = True,
    loop: Annotated[bool, typer.Option("--loop", help="Recordings begin again.", rich_help_panel=_INPUT)] = False,
    max_rate: Annotated[
        float,
        typer.Option(
            help="Pictures a second of each camera that are looked at, at most; 0: all.", rich_help_panel=_INPUT
        ),
    ] = 15.0,
    detector: Annotated[
        str, typer.Option(help="An ultralytics model (name or .pt), or an .onnx file.", rich_help_panel=_MODELS)
    ] = "yolo26n.pt",
    confidence: Annotated[
        float | None,
        typer.Option("--confidence", "--conf", help="Lowest detector score used.", rich_help_panel=_MODELS),
    ] = None,
    iou: Annotated[
        float | None, typer.Option(help="Overlap from which boxes are duplicates.", rich_help_panel=_MODELS)
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", "--imgsz", help="Detector input size in pixels.", rich_help_panel=_MODELS),
    ] = None,
    classes: Annotated[
        str, typer.Option(help="Classes to track, by name or number, with commas; or 'all'.", rich_help_panel=_MODELS)
    ] = "person",
    embedder: Annotated[
        str,
        typer.Option(
            help="A model name, NAME:WEIGHTS, an .onnx file, color_histogram, or none.", rich_help_panel=_MODELS
        ),
    ] = "osnet_x0_25",
    embedder_weights: Annotated[
        Path | None, typer.Option(help="Checkpoint of the embedder.", rich_help_panel=_MODELS)
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never download models or weights.", rich_help_panel=_MODELS)
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:0, …", rich_help_panel=_MODELS)] = "auto",
    half: Annotated[
        bool, typer.Option("--half", help="16-bit precision where the device has it.", rich_help_panel=_MODELS)
    ] = False,
    runtime: Annotated[
        str, typer.Option(help="For ONNX files: auto, openvino, onnxruntime.", rich_help_panel=_MODELS)
    ] = "auto",
    tracker: Annotated[
        str,
        typer.Option(help="bytetrack, multicam, botsort, ocsort, deepsort, sort or motdt.", rich_help_panel=_TRACKING),
    ] = "bytetrack",
    tracker_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A setting of the tracker; repeatable.", rich_help_panel=_TRACKING),
    ] = None,
    tracker_parameters: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="YAML of a tracker and its parameters, as tune writes it.", rich_help_panel=_TRACKING
        ),
    ] = None,
    embedding: Annotated[
        str,
        typer.Option(
            help="where-needed: embed crops that may change a decision; every: all that are fit.",
            rich_help_panel=_TRACKING,
        ),
    ] = "where-needed",
    false_match_rate: Annotated[
        float, typer.Option(help="Share of different people that may be taken for one.", rich_help_panel=_TRACKING)
    ] = 0.01,
    views: Annotated[
        str,
        typer.Option(
            help="auto: views may overlap, and learn how; separate: nobody is in two views at once.",
            rich_help_panel=_TRACKING,
        ),
    ] = "auto",
    handover: Annotated[
        str,
        typer.Option(
            help="auto: learn how long people take between views, and use it as evidence; off: do not.",
            rich_help_panel=_TRACKING,
        ),
    ] = "auto",
    floor: Annotated[
        str,
        typer.Option(
            help="auto: follow people on the floor if cameras.yaml has every camera's calibration; off: view by view.",
            rich_help_panel=_TRACKING,
        ),
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Show live cameras in a browser, with one identity for each person across all of them."""
    from rich.console import Console

    from apps.build import class_numbers
    from apps.live_settings import LiveSettings
    from apps.validation import checked, parse_options
    from tracker.cross_camera.identity_settings import LONG_RUN
    from tracker.errors import InputError

    if embedding not in ("where-needed", "every"):
        raise InputError(f"--embedding is {embedding!r}: give where-needed or every")
    parameters = parse_options(tracker_option or [], "--tracker-option")
    if tracker_parameters is not None:
        from apps.tracker_file import tracker_of_run

        chosen = context.get_parameter_source("tracker")
        given = None if chosen is None or chosen.name == "DEFAULT" else tracker
        tracker, parameters, iou = tracker_of_run(tracker_parameters, given, parameters, iou)
    settings = checked(
        LiveSettings,
        sources=sources,
        detector=detector,
        confidence=confidence,
        iou=iou,
        image_size=image_size,
        classes=class_numbers(classes),
        device=device,
        half=half,
        runtime=runtime,
        embedder=embedder,
        embedder_weights=embedder_weights,
        offline=offline,
        realtime=realtime,
        loop=loop,
        max_rate=max_rate,
        store=store,
        keep_days=keep_days,
        events=events,
        zones=zones,
        blur_faces=blur_faces,
        blur_people=blur_people,
        pipeline={
            "tracker": tracker,
            "tracker_parameters": parameters,
            "embedding": {"rule": embedding},
            "identities": {
                "false_match_rate": false_match_rate, "views": views, "handover": handover, **LONG_RUN,
            },
            "floor": floor,
        },
    )  # fmt: skip
    from apps.live import run_live

    console = None if quiet else Console(stderr=True)
    run_live(settings, address=address, port=port, token=token, open_browser=open_, console=console)
