"""``python -m benchmarks.detector_training``: train the person detector that comes with the package.

A nano network of ultralytics, from random weights, on images that ``python -m benchmarks.room detector-set`` renders;
then an ONNX file with weights in 16 bits, which needs no ultralytics to run.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.console import run_command
from benchmarks.half_precision import halve_weights
from tracker.detectors.yolo import import_ultralytics
from tracker.errors import InputError

__all__ = ["app", "export_detector", "main", "train_detector"]

app = typer.Typer(add_completion=False)

#: instead of that of ultralytics, which names the folder of the data
_DESCRIPTION = "Person detector of python -m benchmarks.detector_training"


def train_detector(
    data: Path,
    run: Path,
    *,
    network: str = "yolo11n.yaml",
    epochs: int = 30,
    image_size: int = 384,
    batch_size: int = 16,
    seed: int = 0,
    resume: bool = False,
    settings: dict[str, Any] | None = None,
) -> Path:
    """Train a detector of ultralytics from random weights on the CPU and return its best checkpoint.

    Args:
        data: ``data.yaml`` of a set in ultralytics' layout.
        run: folder of the run: curves, checkpoints after every epoch.
        network: architecture, a file name of ultralytics; ``data`` decides the number of classes.
        epochs: passes over the training images.
        image_size: longer side of the network's input, pixels.
        batch_size: images a step.
        seed: of weights and augmentation.
        resume: go on from the last checkpoint in ``run``.
        settings: further ones of ultralytics, which win.

    Raises:
        InputError: no such data set, or nothing to resume.
    """
    if not data.is_file():
        raise InputError(f"no data set at {data}: write one with python -m benchmarks.room detector-set")
    last = run / "weights" / "last.pt"
    if resume and not last.is_file():
        raise InputError(f"nothing to resume in {run}: leave out --resume")
    ultralytics = import_ultralytics()
    # ultralytics' default of 0 workers on the CPU would draw images while the network waits; and its nominal batch of
    # 64 would make one step of many batches, too few in a training as short as this.
    chosen: dict[str, Any] = {
        "data": str(data.resolve()), "epochs": epochs, "imgsz": image_size, "batch": batch_size, "seed": seed,
        "device": "cpu", "workers": 1, "cache": "ram", "amp": False, "pretrained": False,
        "nbs": batch_size, "optimizer": "AdamW", "lr0": 0.002 * (batch_size / 32) ** 0.5, "lrf": 0.02, "cos_lr": True,
        "warmup_epochs": 1.0, "weight_decay": 0.0005,
        "close_mosaic": max(1, epochs // 4), "mosaic": 0.5, "scale": 0.4, "translate": 0.1, "fliplr": 0.5,
        "hsv_h": 0.02, "hsv_s": 0.5, "hsv_v": 0.4, "plots": False, "project": str(run.resolve().parent),
        "name": run.name, "exist_ok": True, **(settings or {}),
    }  # fmt: skip
    model = ultralytics.YOLO(str(last) if resume else network)
    model.train(**({"resume": True} if resume else chosen))
    return run / "weights" / "best.pt"


def export_detector(checkpoint: Path, output: Path, *, height: int, width: int) -> int:
    """Write a trained detector as ONNX with 16-bit weights; return the bytes.

    Args:
        checkpoint: ``.pt`` of ultralytics.
        output: ONNX file to write.
        height, width: of the network's input, multiples of 32.
    """
    ultralytics = import_ultralytics()
    made = Path(
        ultralytics.YOLO(str(checkpoint)).export(
            format="onnx", imgsz=(height, width), opset=17, simplify=False, dynamic=False, device="cpu"
        )
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    halve_weights(made, description=_DESCRIPTION)
    shutil.move(made, output)
    return output.stat().st_size


@app.command()
def _command(
    data: Annotated[Path, typer.Option(help="data.yaml of `python -m benchmarks.room detector-set`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
    run: Annotated[Path, typer.Option(help="Folder for curves and checkpoints.")] = Path("runs/room_detector"),
    network: Annotated[str, typer.Option(help="Architecture of ultralytics.")] = "yolo11n.yaml",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 30,
    image_size: Annotated[int, typer.Option(min=96, help="Longer side of the input, pixels.")] = 384,
    input_size: Annotated[
        int | None, typer.Option(min=96, help="Longer side of the ONNX file's input (default: of the training's).")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images a step.")] = 16,
    seed: Annotated[int, typer.Option(help="Of weights and augmentation.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
) -> None:
    """Train a person detector on rendered rooms and write it as ONNX."""
    best = train_detector(
        data, run, network=network, epochs=epochs, image_size=image_size, batch_size=batch, seed=seed, resume=resume
    )
    width, height = (-(-side // 32) * 32 for side in (input_size or image_size, (input_size or image_size) * 3 // 4))
    size = export_detector(best, output, height=height, width=width)
    print(f"{output}: {size / 1e6:.2f} MB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app, arguments, interrupted="interrupted; go on with --resume from the last finished epoch")


if __name__ == "__main__":
    main()
