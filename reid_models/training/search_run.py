"""A whole architecture search by a recipe: data in, genotype out, resumable after every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from reid_models.architectures.genotypes import Genotype
from reid_models.architectures.msinet_search import msinet_search
from reid_models.data.loading import ImageStore, TrainingImages, epoch_loader
from reid_models.data.samplers import IdentityPlan
from reid_models.data.transforms import Augmenter
from reid_models.errors import InputError
from reid_models.training.architecture_search import (
    ArchitectureSearch,
    SearchReport,
    SearchSettings,
    search_architecture,
    split_identities,
)
from reid_models.training.recipe import Recipe
from reid_models.training.run import recipe_record
from reid_models.training.run_files import RunFolder
from reid_models.training.search_settings import SearchStage
from reid_models.training.trainer import TrainingData

__all__ = ["GENOTYPE_FILE", "SearchStopped", "run_architecture_search"]

GENOTYPE_FILE = "genotype.json"


class SearchStopped(Exception):
    """A person stopped the search; its last finished epoch is in the folder."""


def run_architecture_search(
    recipe: Recipe,
    data: TrainingData,
    output: Path,
    *,
    device: torch.device,
    workers: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    report: Callable[[SearchReport], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    begin: Callable[[], None] = lambda: None,
) -> Genotype:
    """Search by a recipe of the task "search" and write ``genotype.json``, ``history.csv`` and ``last.pt``.

    Args:
        recipe: its optimizer trains the weights, its ``search`` says the rest.
        data: images and identities.
        output: folder of the run.
        device: where to compute.
        workers: processes that prepare images.
        resume: go on with the run in ``output``, exactly.
        overwrite: replace the run in ``output``.
        report: told of every finished epoch.
        stop: asked before every batch.
        begin: called when everything has been found usable, before the first epoch.

    Raises:
        InputError: something given cannot be used, or a loss is no longer finite.
        SearchStopped: ``stop`` said so.
    """
    if recipe.task != "search":
        raise InputError(f"the recipe {recipe.name} trains a network: multicam reid train {recipe.name}")
    stage = recipe.search or SearchStage()
    torch.manual_seed(recipe.seed)
    model = msinet_search(**recipe.model.options).to(device)
    split = split_identities(
        data.labels,
        seed=recipe.seed,
        train_only=stage.train_only,
        both=stage.both,
        shared_images=stage.shared_images,
    )
    search = ArchitectureSearch(model, split.train_classes, split.validation_classes, _settings(recipe, stage))
    record = recipe_record(recipe)
    store = ImageStore(data.images, record.input_size)
    store.load()
    augmenter = Augmenter(recipe.augmentation, record, recipe.seed)
    images = TrainingImages(store, data.labels, augmenter)
    sampler = recipe.sampler
    sides = [
        (rows, labels, IdentityPlan(labels, sampler.identities, sampler.images, recipe.seed + side))
        for side, (rows, labels) in enumerate(
            ((split.train_rows, split.train_labels), (split.validation_rows, split.validation_labels))
        )
    ]

    # Only now: a folder that nothing is written to would be left behind.
    folder = RunFolder(output, resume=resume, overwrite=overwrite)
    if resume:
        folder.check_same_recipe(recipe)
        search.load_state_dict(folder.load_checkpoint())
    else:
        folder.write_recipe(recipe)
        (output / GENOTYPE_FILE).unlink(missing_ok=True)

    def batches(epoch: int) -> tuple[Iterable[tuple[Tensor, Tensor]], Iterable[tuple[Tensor, Tensor]]]:
        first, second = (
            _batches(images.of_rows(rows, labels), plan, epoch, workers, stop) for rows, labels, plan in sides
        )
        return first, second

    def finished(epoch: SearchReport, state: ArchitectureSearch) -> None:
        folder.append_history(
            {
                "epoch": float(epoch.epoch + 1),
                "learning_rate": epoch.learning_rate,
                "train_loss": epoch.train_loss,
                "validation_loss": epoch.validation_loss,
                "entropy": epoch.entropy,
            }
        )
        folder.save_checkpoint(state.state_dict())
        report(epoch)

    begin()
    return search_architecture(search, batches, on_epoch=finished, genotype_file=output / GENOTYPE_FILE)


def _batches(
    images: TrainingImages, plan: IdentityPlan, epoch: int, workers: int, stop: Callable[[], bool]
) -> Iterator[tuple[Tensor, Tensor]]:
    for batch, labels, _ in epoch_loader(images, plan, epoch, workers=workers):
        if stop():
            raise SearchStopped
        yield batch, labels


def _settings(recipe: Recipe, stage: SearchStage) -> SearchSettings:
    return SearchSettings(
        epochs=recipe.epochs,
        learning_rate=recipe.optimizer.lr,
        momentum=recipe.optimizer.momentum,
        weight_decay=recipe.optimizer.weight_decay,
        architecture_learning_rate=stage.architecture_lr,
        architecture_weight_decay=stage.architecture_weight_decay,
        architecture_betas=stage.architecture_betas,
        schedule=recipe.schedule,
        temperature=stage.temperature,
        memory_momentum=stage.momentum,
        memory_start=stage.memory_start,
    )
