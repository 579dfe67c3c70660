"""A whole training run: network, data and recipe in; weights, history and figures out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.state import PartialState
from torch import nn

from reid_models.errors import InputError
from reid_models.records import EmbeddingRecord
from reid_models.registry import create_model, model_spec
from reid_models.training.progress import TrainingProgress
from reid_models.training.recipe import Recipe
from reid_models.training.run_files import RunFolder, save_weights
from reid_models.training.trainer import EpochReport, Trainer, TrainingData
from reid_models.training.training_data import num_training_classes

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TrainingRun", "build_model", "create_accelerator", "portable_options", "recipe_record", "train"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRun:
    """How a run ended.

    Args:
        network: trained as far as it came.
        record: how images go into it.
        epochs: finished.
        interrupted: it was stopped before the recipe's last epoch.
        trainer: for SWAG's samples.
    """

    network: nn.Module
    record: EmbeddingRecord
    epochs: int
    interrupted: bool
    trainer: Trainer


def create_accelerator(device: str = "auto", precision: str = "no") -> Accelerator:
    """Return accelerate's engine for ``device``; several GPUs or machines come from ``accelerate launch``.

    Args:
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        precision: ``"no"`` (float32), ``"bf16"`` or ``"fp16"``.

    Raises:
        InputError: there is no such device or precision.
    """
    if precision not in ("no", "bf16", "fp16"):
        raise InputError(f"--precision {precision} is not one of no, bf16, fp16")
    cuda = re.fullmatch(r"cuda(?::(\d+))?", device)
    if cuda is not None:
        if not torch.cuda.is_available():
            raise InputError(f"--device {device}: PyTorch sees no GPU here; use --device cpu")
        number = int(cuda[1] or 0)
        if number >= torch.cuda.device_count():
            raise InputError(f"--device {device}: there are {torch.cuda.device_count()} GPUs, numbered from 0")
        torch.cuda.set_device(number)
    elif device == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device mps: PyTorch sees no Apple GPU here; use --device cpu")
    elif device not in ("auto", "cpu", "mps"):
        raise InputError(f"--device {device} is not one of auto, cpu, cuda, cuda:N, mps")
    if precision == "fp16" and (device == "cpu" or not torch.cuda.is_available()):
        raise InputError("--precision fp16 needs a GPU; on the CPU use no, or bf16 where the processor has it")
    if PartialState._shared_state and PartialState().distributed_type.value == "NO":
        # One process may train twice, on another device or with another precision.
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device == "cpu", mixed_precision=precision)


def recipe_record(recipe: Recipe) -> EmbeddingRecord:
    """Return how images go into the network that the recipe trains."""
    changes: dict[str, object] = {"distance": recipe.evaluation.distance}
    if recipe.input_size is not None:
        changes["input_size"] = tuple(recipe.input_size)
    return model_spec(recipe.model.name).record.updated(changes, f"the recipe {recipe.name}")


def portable_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return architectural options as they are written beside weights: with a genotype's letters in place of its file.

    Weights are copied to where that file is not.

    Raises:
        InputError: the genotype cannot be read.
    """
    genotype = options.get("genotype")
    if not isinstance(genotype, str) or not genotype.lower().endswith(".json"):
        return dict(options)
    from reid_models.architectures.genotypes import read_genotype

    return {**options, "genotype": str(read_genotype(genotype))}


def build_model(
    recipe: Recipe, num_classes: int, pretrained: Path | None = None, *, offline: bool = False
) -> nn.Module:
    """Return the recipe's network with its initial weights.

    Args:
        recipe: names them: random, ImageNet's, or other weights.
        num_classes: to train for.
        pretrained: file instead of what would be downloaded.
        offline: never download.

    Raises:
        InputError: the weights cannot be had or do not fit.
    """
    torch.manual_seed(recipe.seed)
    settings = recipe.model
    model = create_model(settings.name, num_classes=num_classes, **settings.options)
    if settings.initialization == "random" and pretrained is None:
        return model
    from reid_models.training.initialization import initialize

    initialize(model, settings.name, settings.initialization, pretrained, offline=offline)
    return model


def train(
    recipe: Recipe,
    data: TrainingData,
    output: Path,
    *,
    accelerator: Accelerator | None = None,
    workers: int = 0,
    cache: bool | None = None,
    resume: bool = False,
    overwrite: bool = False,
    pretrained: Path | None = None,
    offline: bool = False,
    console: Console | None = None,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[EpochReport], None] = lambda _: None,
    begin: Callable[[], None] = lambda: None,
) -> TrainingRun:
    """Train by a recipe and write the folder that :class:`reid_models.training.run_files.RunFolder` describes.

    Args:
        recipe: settings, already scaled.
        data: images and labels.
        output: folder of the run.
        accelerator: from :func:`create_accelerator`.
        workers: processes that prepare images.
        cache: keep decoded images in memory; ``None``: if they fit.
        resume: go on with the run in ``output``.
        overwrite: replace the run in ``output``.
        pretrained: file with initial weights.
        offline: never download initial weights.
        console: where progress is shown; ``None``: nowhere.
        evaluate: see :class:`Trainer`.
        stop: asked after every step; when true the run ends with its last finished epoch.
        report: told of every finished epoch.
        begin: called when everything has been found usable, before the first epoch.

    Raises:
        InputError: something given cannot be used, or the loss is no longer finite.
    """
    record = recipe_record(recipe)
    classes = num_training_classes(data, recipe)
    if resume:
        # Initial weights, which may not be had any more, are those of the checkpoint.
        model = create_model(recipe.model.name, num_classes=classes, **recipe.model.options)
    else:
        model = build_model(recipe, classes, pretrained, offline=offline)
    is_new = not output.exists()
    folder = RunFolder(output, resume=resume, overwrite=overwrite)
    accelerator = accelerator or Accelerator()
    main = accelerator.is_main_process
    with TrainingProgress(console if main else None, output if main else None) as progress:
        try:
            trainer = Trainer(
                model,
                recipe,
                data,
                record,
                folder,
                accelerator=accelerator,
                workers=workers,
                cache=cache,
                progress=progress,
                evaluate=evaluate,
            )
        except InputError:
            # Nothing is in it yet.
            if is_new:
                with contextlib.suppress(OSError):
                    output.rmdir()
            raise
        if resume:
            trainer.resume()
        begin()
        for epoch in trainer.run(stop):
            report(epoch)
        interrupted = trainer.epoch < recipe.epochs
        if not interrupted:
            trainer.finish()
    # Precision belongs to training: from here on, the network computes what its weights compute when loaded.
    network: nn.Module = accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    if not interrupted and main:
        save_weights(
            folder.weights,
            network,
            recipe.model.name,
            portable_options(recipe.model.options),
            record,
            with_classifiers=recipe.task != "reid",
        )
    return TrainingRun(network, record, trainer.epoch, interrupted, trainer)
