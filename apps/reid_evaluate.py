"""``multicam reid evaluate``, and the evaluation that a training run ends with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from apps.reid_data import counting

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn

    from reid_models.training.data import LoadedData
    from reid_models.training.recipe import Recipe
    from reid_models.training.run import TrainingRun

__all__ = ["evaluate_after_training", "evaluator_while_training"]


def evaluator_while_training(loaded: LoadedData, recipe: Recipe) -> Callable[[nn.Module], dict[str, float]] | None:
    """Return what gives rank-1 and mAP of each identity set in the middle of a run; ``None`` if there is none."""
    if not loaded.identity_sets or not recipe.evaluation.every:
        return None
    from reid_models.evaluation.evaluate import embed_data, rank
    from reid_models.training.run import recipe_record

    record = recipe_record(recipe)

    def evaluate(model: nn.Module) -> dict[str, float]:
        figures: dict[str, float] = {}
        for data in loaded.identity_sets:
            found = rank(embed_data(model, data, record), recipe.evaluation.distance).percentages()
            figures |= {f"{data.name}_{metric}": found[metric] for metric in ("rank1", "mAP")}
        return figures

    return evaluate


def evaluate_after_training(
    run: TrainingRun, loaded: LoadedData, recipe: Recipe, output: Path, epochs_scale: float, console: Console | None
) -> None:
    """Print and write the figures of a finished run."""
    from reid_models.evaluation.evaluate import embed_data, rank

    for data in loaded.identity_sets:
        with counting(f"embedding {data.name}", console) as progress:
            embedded = embed_data(run.network, data, run.record, flip=recipe.evaluation.flip, progress=progress)
        print(data.name, rank(embedded, recipe.evaluation.distance).percentages())
