"""``multicam detector``: detectors for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.interrupts import stoppable

__all__ = ["app"]

app = typer.Typer(
    help="Detectors: export them for other runtimes.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    pass


@app.command()
@stoppable()
def export(
    detector: Annotated[str, typer.Argument(help="An ultralytics model (name or .pt), or an .onnx file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .onnx, .xml (OpenVINO) or .torchscript.")
    ],
    image_size: Annotated[int, typer.Option("--image-size", "--imgsz", help="Input size in pixels.")] = 640,
    precision: Annotated[str, typer.Option(help="float32, or int8 fitted to --calibration-images.")] = "float32",
    calibration_images: Annotated[
        Path | None, typer.Option(help="Folder with pictures like those of the cameras, for int8.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Never download the model.")] = False,
) -> None:
    """Export a detector, checked against PyTorch on the same pictures before the file is kept."""
    from apps.detector_export import DetectorExportRequest, run_export

    run_export(DetectorExportRequest(detector, output, image_size, precision, calibration_images, overwrite, offline))
