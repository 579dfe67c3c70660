"""Training runs that take a second: a small OSNet, sixteen made-up images of four people, two batches an epoch."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from reid_models.training.recipe import Recipe
from reid_models.training.run import TrainingRun, build_model, create_accelerator, recipe_record, train
from reid_models.training.run_files import RunFolder
from reid_models.training.trainer import Trainer, TrainingData

SMALL = {"width": 0.25, "blocks_per_stage": [1, 1, 1], "num_streams": 1, "fusion": "addition", "feature_dimension": 16}
#: of eight images, per epoch
BATCHES = 2
TRIPLETS = {"kind": "batch_hard_triplet", "options": {"margin": 0.3}}
BY_IDENTITY = {"kind": "identity", "identities": 4, "images": 2, "camera_aware": True}


def made_up(size: tuple[int, int] = (32, 16)) -> TrainingData:
    """Return four images each of four people, each person of a colour, in two cameras."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 4)
    colours = generator.integers(0, 200, (4, 3))
    noise = generator.integers(0, 56, (16, *size, 3))
    images = (colours[labels][:, None, None] + noise).astype(np.uint8)
    return TrainingData(images, labels, 4, np.tile([1, 2], 8))


def as_files(folder: Path) -> TrainingData:
    """Return the same people as ``made_up``, from image files 00.png … 15.png."""
    data = made_up()
    assert isinstance(data.images, np.ndarray)
    paths = tuple(folder / f"{number:02d}.png" for number in range(len(data.images)))
    for path, image in zip(paths, data.images, strict=True):
        cv2.imwrite(str(path), image)
    return TrainingData(paths, data.labels, data.num_classes, data.cameras)


def recipe(**settings: Any) -> Recipe:
    """Return three epochs of cross entropy by SGD, but for ``settings``."""
    return Recipe.model_validate(
        {
            "name": "made_up",
            "model": {"name": "osnet_x0_25", "options": SMALL},
            "input_size": (32, 16),
            "sampler": {"kind": "random", "batch_size": 8},
            "losses": [{"kind": "cross_entropy"}],
            "optimizer": {"kind": "sgd", "lr": 0.05},
            "epochs": 3,
        }
        | settings
    )


def run(settings: Recipe, folder: Path, **options: Any) -> TrainingRun:
    """Train on the CPU by ``settings``; ``options`` are those of :func:`train`, the data and the precision."""
    data = options.pop("data", None) or made_up()
    accelerator = options.pop("accelerator", None) or create_accelerator("cpu", options.pop("precision", "no"))
    return train(settings, data, folder, accelerator=accelerator, **options)


def stopper(step: int) -> Callable[[], bool]:
    """Return what stops a run after its ``step``-th step."""
    steps = iter(range(1, 10**6))
    return lambda: next(steps) >= step


def same(a: Any, b: Any) -> bool:
    """Return whether two nested states are equal to the last bit."""
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def last(folder: Path) -> dict[str, Any]:
    """Return the checkpoint in a run's folder."""
    state: dict[str, Any] = torch.load(folder / "last.pt", weights_only=True)
    return state


def history(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a run's CSV file."""
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_times(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows without what no two runs share."""
    return [{key: row[key] for key in row if key not in ("seconds", "images_per_second")} for row in rows]


def trainer_of(settings: Recipe, folder: Path) -> Trainer:
    """Return a trainer on the CPU, to be looked at between epochs."""
    model = build_model(settings, 4)
    accelerator = create_accelerator("cpu")
    return Trainer(model, settings, made_up(), recipe_record(settings), RunFolder(folder), accelerator=accelerator)
