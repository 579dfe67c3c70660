"""``multicam reid train``: a recipe, its data, and what is written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from apps.interrupts import StopRequest

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["TrainRequest", "run_train"]


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """The options of the command, in its order."""

    recipe: str
    data: tuple[str, ...]
    roots: tuple[Path, ...]
    test_data: tuple[str, ...]
    test_roots: tuple[Path, ...]
    output: Path | None
    changes: tuple[str, ...]
    epochs_scale: float
    seed: int | None
    pretrained: Path | None
    resume: bool
    overwrite: bool
    device: str
    precision: str
    workers: int | None
    threads: int | None
    cache: bool | None
    evaluate: bool
    skip_broken: bool
    offline: bool
    quiet: bool


def run_train(request: TrainRequest) -> bool:
    """Train, evaluate and say where the results lie; returns whether it was interrupted.

    Raises:
        InputError: something given cannot be used.
    """
    from reid_models.errors import InputError
    from reid_models.training.recipe import read_recipe

    console = None if request.quiet else Console(stderr=True)
    changes = [*request.changes, *(() if request.seed is None else (f"seed={request.seed}",))]
    recipe = read_recipe(request.recipe, changes).scaled(request.epochs_scale)
    if recipe.task == "search":
        raise InputError(f"the recipe {recipe.name} is an architecture search: multicam reid search-architecture")
    if not request.roots:
        raise InputError("no data: add --root DIR, the folder that holds the data set")
    import torch

    if request.threads is not None:
        torch.set_num_threads(request.threads)
    from apps.reid_data import load_with_progress, print_warnings
    from reid_models.training.memory import keep_freed_memory
    from reid_models.training.run import create_accelerator, train
    from reid_models.training.run_files import RunFolder
    from reid_models.training.training_data import num_training_classes

    accelerator = create_accelerator(request.device, request.precision)
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    console = console if accelerator.is_main_process else None
    output = request.output or Path("runs") / recipe.name
    if output.exists() or request.resume:
        # Before the images are looked at, which takes minutes.
        RunFolder(output, resume=request.resume, overwrite=request.overwrite)
    loaded = load_with_progress(
        recipe, request.data, request.roots, request.skip_broken, console, request.test_data, request.test_roots,
        evaluate=request.evaluate or recipe.evaluation.every > 0,
    )  # fmt: skip

    def begin() -> None:
        if console is None:
            return
        print_warnings(loaded.warnings, console)
        data = loaded.training
        kind = "attributes" if recipe.task == "attributes" else "classes"
        made_up = num_training_classes(data, recipe) - data.num_classes
        composites = f" and {made_up} composites" if made_up else ""
        scale = f", schedule × {request.epochs_scale:g}" if request.epochs_scale != 1 else ""
        console.print(
            f"{recipe.name}: {recipe.model.name}, {len(data.labels)} images, {data.num_classes} {kind}{composites}, "
            f"{recipe.epochs} epoch{'' if recipe.epochs == 1 else 's'}{scale}, on {accelerator.device}, "
            f"seed {recipe.seed}",
            highlight=False,
            soft_wrap=True,
        )

    from apps.reid_evaluate import evaluate_after_training, evaluator_while_training

    with StopRequest() as stop:
        run = train(
            recipe,
            loaded.training,
            output,
            accelerator=accelerator,
            workers=_workers(request.workers, accelerator.device.type),
            cache=request.cache,
            resume=request.resume,
            overwrite=request.overwrite,
            pretrained=request.pretrained,
            offline=request.offline,
            console=console,
            evaluate=evaluator_while_training(loaded, recipe),
            stop=lambda: _any_process(accelerator, stop.requested),
            begin=begin,
        )
    if run.interrupted:
        if console is not None:
            again = f" Go on with --output {escape(str(output))} --resume." if run.epochs else ""
            console.print(
                f"Stopped after epoch {run.epochs} of {recipe.epochs}.{again}", highlight=False, soft_wrap=True
            )
        return True
    if request.evaluate and accelerator.is_main_process:
        evaluate_after_training(run, loaded, recipe, output, request.epochs_scale, console)
    if console is not None:
        console.print(f"Weights: {escape(str(output / 'weights.pt'))}", highlight=False, soft_wrap=True)
    return False


def _any_process(accelerator: Accelerator, wanted: bool) -> bool:
    """Return whether one of the processes is to stop: then all do, for the others would wait for it."""
    if accelerator.num_processes == 1:
        return wanted
    if wanted:
        accelerator.set_trigger()
    return bool(accelerator.check_trigger())


def _workers(wanted: int | None, device: str) -> int:
    if wanted is not None:
        return wanted
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # On the CPU the network needs the cores itself: one process keeps batches ready.
    return min(8, max(1, cores - 1)) if device != "cpu" else 1
