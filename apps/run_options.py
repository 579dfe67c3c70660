"""The options that ``multicam track`` and ``multicam live`` share: which models, and how people are followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.network_options import MODELS, NetworkOptions

__all__ = ["TRACKING", "ModelOptions", "TrackingOptions", "run_values"]

#: where options of tracking stand in a command's help
TRACKING = "Tracking and identities"


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What finds people and what tells them apart; a group of options (see :mod:`apps.option_groups`)."""

    detector: Annotated[
        str,
        typer.Option(
            help="An ultralytics model (name or .pt), an .onnx, .xml or .torchscript file; of recordings also "
            "mot:PATH.",
            rich_help_panel=MODELS,
        ),
    ] = "yolo26n.pt"
    confidence: Annotated[
        float | None,
        typer.Option("--confidence", "--conf", help="Lowest detector score used.", rich_help_panel=MODELS),
    ] = None
    iou: Annotated[
        float | None, typer.Option(help="Overlap from which boxes are duplicates.", rich_help_panel=MODELS)
    ] = None
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", "--imgsz", help="Detector input size in pixels.", rich_help_panel=MODELS),
    ] = None
    classes: Annotated[
        str, typer.Option(help="Classes to track, by name or number, with commas; or 'all'.", rich_help_panel=MODELS)
    ] = "person"
    embedder: Annotated[
        str,
        typer.Option(
            help="A model name, NAME:WEIGHTS, an .onnx file, color_histogram, or none.", rich_help_panel=MODELS
        ),
    ] = "osnet_x0_25"
    embedder_weights: Annotated[
        Path | None, typer.Option(help="Checkpoint of the embedder.", rich_help_panel=MODELS)
    ] = None
    offline: Annotated[
        bool, typer.Option("--offline", help="Never download models or weights.", rich_help_panel=MODELS)
    ] = False
    half: Annotated[
        bool, typer.Option("--half", help="16-bit precision where the device has it.", rich_help_panel=MODELS)
    ] = False


@dataclass(frozen=True, slots=True)
class TrackingOptions:
    """How people are followed and told apart; a group of options (see :mod:`apps.option_groups`)."""

    tracker: Annotated[
        str,
        typer.Option(help="bytetrack, multicam, botsort, ocsort, deepsort, sort or motdt.", rich_help_panel=TRACKING),
    ] = "bytetrack"
    tracker_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A setting of the tracker; repeatable.", rich_help_panel=TRACKING),
    ] = None
    tracker_parameters: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="YAML of a tracker and its parameters, as tune writes it.", rich_help_panel=TRACKING
        ),
    ] = None
    false_match_rate: Annotated[
        float, typer.Option(help="Share of different people that may be taken for one.", rich_help_panel=TRACKING)
    ] = 0.01
    views: Annotated[
        str,
        typer.Option(
            help="auto: views may overlap, and learn how; separate: nobody is in two views at once.",
            rich_help_panel=TRACKING,
        ),
    ] = "auto"
    handover: Annotated[
        str,
        typer.Option(
            help="auto: learn how long people take between views, and use it as evidence; off: do not.",
            rich_help_panel=TRACKING,
        ),
    ] = "auto"
    floor: Annotated[
        str,
        typer.Option(
            help="auto: follow people on the floor if cameras.yaml has every camera's calibration; off: view by view.",
            rich_help_panel=TRACKING,
        ),
    ] = "auto"


def run_values(
    context: typer.Context,
    models: ModelOptions,
    networks: NetworkOptions,
    tracking: TrackingOptions,
    *,
    identities: Mapping[str, Any] | None = None,
    pipeline: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what :class:`apps.settings.ModelSettings` takes, but for the sources.

    Args:
        context: of the command: says whether ``--tracker`` was given.
        models: as given.
        networks: as given.
        tracking: as given.
        identities: further settings of identities across cameras.
        pipeline: further settings of the pipeline.

    Raises:
        InputError: an option that cannot be read, or a file of parameters that cannot be used.
    """
    from apps.build import class_numbers
    from apps.validation import parse_options

    tracker, iou = tracking.tracker, models.iou
    parameters = parse_options(tracking.tracker_option or [], "--tracker-option")
    if tracking.tracker_parameters is not None:
        from apps.tracker_file import tracker_of_run

        chosen = context.get_parameter_source("tracker")
        given = None if chosen is None or chosen.name == "DEFAULT" else tracker
        tracker, parameters, iou = tracker_of_run(tracking.tracker_parameters, given, parameters, iou)
    return {
        **asdict(models),
        **networks.settings().model_dump(),
        "iou": iou,
        "classes": class_numbers(models.classes),
        "pipeline": {
            "tracker": tracker,
            "tracker_parameters": parameters,
            "identities": {
                "false_match_rate": tracking.false_match_rate,
                "views": tracking.views,
                "handover": tracking.handover,
                **(identities or {}),
            },
            "floor": tracking.floor,
            **(pipeline or {}),
        },
    }
