"""The ``multicam`` command."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from apps.align import align
from apps.calibrate import calibrate
from apps.compare import compare
from apps.demo_commands import demo, simulate
from apps.detector import app as detector_commands
from apps.evaluate import app as evaluate
from apps.interrupts import stoppable
from apps.live_command import live
from apps.reid import app as reid
from apps.search_command import search
from apps.store_commands import app as store_commands
from apps.tune import tune

__all__ = ["app", "main"]

app = typer.Typer(
    name="multicam",
    help="One identity per person across cameras: from videos to tracks, and proof of how well it works.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INPUT = "Input"
_MODELS = "Models"
_TRACKING = "Tracking and identities"
_OUTPUT = "Output"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"multicam {version('multicam-tracker')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


@app.command()
def track(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Videos, image folders (MOTChallenge too), webcam numbers, rtsp:// or http:// addresses, cameras.yaml."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.", rich_help_panel=_OUTPUT)],
    detector: Annotated[
        str,
        typer.Option(
            help="An ultralytics model (name or .pt), an .onnx, .xml or .torchscript file, or mot:PATH.",
            rich_help_panel=_MODELS,
        ),
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
            help="A model name, NAME:WEIGHTS, an .onnx file, color_histogram, or none.",
            rich_help_panel=_MODELS,
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
        str,
        typer.Option(
            help="What runs the networks: auto (PyTorch on a GPU, else OpenVINO), openvino, onnxruntime, torch.",
            rich_help_panel=_MODELS,
        ),
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            help="auto, float32, bfloat16, float16 (GPUs), or int8 with --calibration-images.", rich_help_panel=_MODELS
        ),
    ] = "auto",
    calibration_images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Pictures like those of the cameras, for int8.", rich_help_panel=_MODELS),
    ] = None,
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
    false_match_rate: Annotated[
        float,
        typer.Option(help="Share of different people that may be taken for one.", rich_help_panel=_TRACKING),
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
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="People known from earlier runs, if the file exists; whom this run knows is written to it.",
            rich_help_panel=_TRACKING,
        ),
    ] = None,
    floor: Annotated[
        str,
        typer.Option(
            help="auto: follow people on the floor if cameras.yaml has every camera's calibration; off: view by view.",
            rich_help_panel=_TRACKING,
        ),
    ] = "auto",
    look_again: Annotated[
        bool,
        typer.Option(
            "--look-again/--no-look-again",
            help="Recordings of calibrated cameras: go through the tracks once more, with what came later.",
            rich_help_panel=_TRACKING,
        ),
    ] = True,
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
            rich_help_panel=_TRACKING,
        ),
    ] = "1",
    overlap: Annotated[
        bool,
        typer.Option(
            "--overlap/--plain-order",
            help="Look at the next frames while these are tracked; the results are the same.",
            rich_help_panel=_TRACKING,
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
    seed: Annotated[int, typer.Option(help="Of everything random.", rich_help_panel=_TRACKING)] = 0,
) -> None:
    """Track people through one or many videos and give each person one identity across all cameras."""
    from apps.build import class_numbers
    from apps.settings import OutputSettings, TrackSettings
    from apps.validation import checked, detect_every_of, parse_options

    parameters = parse_options(tracker_option or [], "--tracker-option")
    if tracker_parameters is not None:
        from apps.tracker_file import tracker_of_run

        chosen = context.get_parameter_source("tracker")
        given = None if chosen is None or chosen.name == "DEFAULT" else tracker
        tracker, parameters, iou = tracker_of_run(tracker_parameters, given, parameters, iou)
    settings = checked(
        TrackSettings,
        sources=sources,
        detector=detector,
        confidence=confidence,
        iou=iou,
        image_size=image_size,
        classes=class_numbers(classes),
        device=device,
        half=half,
        runtime=runtime,
        precision=precision,
        calibration_images=calibration_images,
        embedder=embedder,
        embedder_weights=embedder_weights,
        offline=offline,
        stride=stride,
        max_frames=max_frames,
        seed=seed,
        overlap=overlap,
        look_again=look_again,
        gallery=gallery,
        pipeline={
            "tracker": tracker,
            "tracker_parameters": parameters,
            "identities": {"false_match_rate": false_match_rate, "views": views, "handover": handover},
            "floor": floor,
            "detect_every": detect_every_of(detect_every),
        },
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
    with stoppable():
        report = run_track(settings, outputs, console)
    if console is not None:
        from apps.summary import print_summary

        print_summary(report, Console())
    if report.interrupted:
        raise typer.Exit(130)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; what a person can mend is one line on standard error and exit code 2."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    try:
        code = app(args=arguments, standalone_mode=False)
    except KeyboardInterrupt:
        _fail("stopped.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ValueError as error:
        if type(error).__name__ != "InputError":
            raise
        _fail(str(error), 2)
    except ImportError as error:
        if "libGL" not in str(error) and "libgthread" not in str(error):
            raise
        _fail(f"OpenCV needs a system library ({error}): install it, on Debian: apt-get install libgl1 libglib2.0-0", 2)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{(error.strerror or str(error)).lower()}{where}", 2)
    except Exception as error:
        # Typer's own errors, which derive from click's or from a copy of them, as the version has it.
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.exit(2)
        from apps.usage import usage_problem

        _fail(usage_problem(error, sys.argv[1:] if arguments is None else arguments), 2)
    else:
        if isinstance(code, int) and code:
            sys.exit(code)


def _fail(message: str, code: int) -> NoReturn:
    with contextlib.suppress(BrokenPipeError):
        print(f"multicam: {' '.join(message.split())}", file=sys.stderr, flush=True)
    sys.exit(code)


app.command()(stoppable()(demo))
app.command()(stoppable()(simulate))
app.command()(stoppable()(calibrate))
app.command()(stoppable()(align))
app.command()(stoppable()(search))
app.command()(stoppable()(live))
app.command()(stoppable()(tune))
app.command()(stoppable()(compare))
app.add_typer(reid, name="reid")
app.add_typer(detector_commands, name="detector")
app.add_typer(evaluate, name="evaluate")
app.add_typer(store_commands, name="store")

if __name__ == "__main__":
    main()
