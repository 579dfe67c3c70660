"""``python -m benchmarks.recipe_steps --root DIR``: does every model learn by its own recipe, from its first steps on?

Each model takes a few training steps of its published recipe on a slice of a real data set, on the CPU, through the
trainer that ``multicam reid train`` uses. The loss has fallen when the mean of the last five steps is below that of the
first five. Everything is the recipe's own but for what :func:`shortened` lists.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.console import print_table, run_command
from reid_models.errors import InputError
from reid_models.registry import list_models, model_spec
from reid_models.training.progress import TrainingProgress
from reid_models.training.recipe import Recipe, read_recipe
from reid_models.training.run_files import RunFolder

if TYPE_CHECKING:
    from torch import Tensor

    from reid_models.training.trainer import TrainingData

__all__ = ["RECIPES", "app", "loss_of_first_steps", "main", "measure", "shortened", "training_slice"]

#: The recipe that makes the model's published figure; from scratch where the paper has one that begins there.
RECIPES = {
    "hacnn": "hacnn",
    "mgn_resnet50": "mgn",
    "msinet": "msinet_scratch",
    "msinet_sam": "msinet_sam",
    "osnet_ain_x1_0": "osnet_ain_cross_domain",
    "osnet_ibn_x1_0": "osnet_ibn_cross_domain",
    "osnet_x0_25": "osnet_x0_25",
    "osnet_x0_5": "osnet_x0_5",
    "osnet_x0_75": "osnet_x0_75",
    "osnet_x1_0": "osnet_scratch",
    "robust_reid_1x": "robust_reid_1x",
    "robust_reid_2x": "robust_reid_2x",
    "strong_baseline_resnet50": "strong_baseline",
}
#: steps whose mean is compared
_COMPARED = 5
#: SGD from random weights at 0.065, which batches of 8 do not bear: the loss rises; and softmax of vectors of length 1,
#: whose loss falls by less in 30 steps than it differs between batches that small
_NEED_THEIR_BATCH = ("msinet", "msinet_sam", "osnet_x1_0", "robust_reid_1x", "robust_reid_2x")
#: who begin at a learning rate of 0, and in 30 steps do not leave its neighbourhood
_START_WARM = ("robust_reid_1x", "robust_reid_2x")
#: images of one identity in a batch of P×K
_IMAGES = 4

app = typer.Typer(add_completion=False)


class _StepLosses(TrainingProgress):
    """Shows nothing and keeps the total loss, learning rate and time of every step."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(None)
        self._weights = [term.weight for term in recipe.losses]
        self.losses: list[float] = []
        self.times: list[float] = []
        self.rate = 0.0

    def step(self, epoch: int, done: int, batches: int, terms: Mapping[str, Tensor], rate: float, speed: float) -> None:
        values = (float(value) for value in terms.values())
        self.losses.append(sum(weight * value for weight, value in zip(self._weights, values, strict=True)))
        self.times.append(time.perf_counter())
        self.rate = rate


class _NothingKept(RunFolder):
    """A run's folder without checkpoints, which for the largest networks cost as much time as some steps."""

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        pass


def shortened(name: str, batch_size: int) -> tuple[Recipe, list[str]]:
    """Return the recipe fit for a few steps on a small machine, and what was changed, in ``--set``'s words.

    - The batch is smaller, unless the recipe's own is asked for.
    - With a smaller batch, or where it begins at 0, warm-up is left out, since it spans more steps than are taken:
      they are taken at the learning rate it leads to. Likewise all layers learn from the start where the recipe begins
      with classifiers alone.
    - Weights are random, since ImageNet's would have to be downloaded.

    Args:
        name: of the recipe.
        batch_size: images; with P×K batches a multiple of 2, with four images of an identity, or two in a batch of 4.
    """
    published = read_recipe(name)
    changes = []
    if published.sampler.size > batch_size:
        if published.sampler.kind == "random":
            changes.append(f"sampler.batch_size={batch_size}")
        else:
            images = min(_IMAGES, batch_size // 2)
            changes += [f"sampler.identities={batch_size // images}", f"sampler.images={images}"]
    too_long = published.sampler.size > batch_size or published.model.name in _START_WARM
    if published.schedule.warm_up is not None and too_long:
        changes.append("schedule.warm_up=null")
    if published.classifier_only_epochs:
        changes.append("classifier_only_epochs=0")
    if published.model.initialization != "random":
        changes.append("model.initialization=random")
    return read_recipe(name, changes), changes


def training_slice(data: str, root: Path, identities: int) -> TrainingData:
    """Return all training images of the first ``identities`` persons of a data set who have at least four.

    Raises:
        InputError: the data set is not there, or has fewer such persons.
    """
    import numpy as np

    from reid_models.data.datasets import read_datasets
    from reid_models.training.trainer import TrainingData

    (found,) = read_datasets([data], [root])
    persons, counts = np.unique(found.train.ids[found.train.ids > 0], return_counts=True)
    chosen = persons[counts >= _IMAGES][:identities]
    if len(chosen) < identities:
        raise InputError(
            f"{data} at {root} has {len(chosen)} persons with {_IMAGES} training images: lower --identities"
        )
    rows = found.train[np.isin(found.train.ids, chosen)]
    return TrainingData(rows.paths, rows.training_labels(), identities, rows.cameras)


def loss_of_first_steps(model: str, data: TrainingData, *, steps: int, batch_size: int) -> dict[str, Any]:
    """Train a model by its recipe for some steps and return a row of the report.

    Args:
        model: name of the model.
        data: what it is trained on.
        steps: at least ten, so that the first five and the last five are different ones.
        batch_size: images, see :func:`shortened`.

    Returns:
        ``name``, ``recipe``, ``changes``, ``input_size``, ``batch``, ``learning_rate``, ``losses`` (of each step),
        ``loss_first`` and ``loss_last`` (means of five), ``images_per_second``, ``falls``, and ``stopped``: why there
        are fewer steps, or ``None``.

    Raises:
        InputError: the recipe cannot be run on the data.
    """
    if steps < 2 * _COMPARED:
        raise InputError(
            f"{steps} steps are too few to compare the first and last {_COMPARED}: at least ten are needed"
        )
    from reid_models.training.run import build_model, create_accelerator, recipe_record
    from reid_models.training.trainer import Trainer

    recipe, changes = shortened(RECIPES[model], batch_size)
    record = recipe_record(recipe)
    taken = _StepLosses(recipe)
    stopped = None
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            build_model(recipe, data.num_classes),
            recipe,
            data,
            record,
            _NothingKept(Path(folder)),
            accelerator=create_accelerator("cpu"),
            cache=True,
            progress=taken,
        )
        try:
            for _ in trainer.run(stop=lambda: len(taken.losses) >= steps):
                if len(taken.losses) >= steps:
                    break
        except InputError as error:
            # A loss that is no longer finite is a finding about this model, and others are still to be looked at.
            if not taken.losses:
                raise
            stopped = str(error)
    losses = taken.losses[:steps]
    first, last = (sum(part) / len(part) for part in (losses[:_COMPARED], losses[-_COMPARED:]))
    # The first step also decodes images and chooses convolution algorithms.
    seconds = taken.times[len(losses) - 1] - taken.times[0]
    return {
        "name": model,
        "recipe": recipe.name,
        "changes": changes,
        "input_size": list(record.input_size),
        "batch": recipe.sampler.size,
        "learning_rate": taken.rate,
        "losses": losses,
        "loss_first": first,
        "loss_last": last,
        "images_per_second": (len(losses) - 1) * recipe.sampler.size / seconds if seconds else None,
        "falls": stopped is None and math.isfinite(last) and last < first,
        "stopped": stopped,
    }


def measure(
    models: Sequence[str],
    data: TrainingData,
    *,
    steps: int,
    batch_size: int | None = None,
    tell: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """Return a row of :func:`loss_of_first_steps` for each model.

    Args:
        models: names.
        data: what they are trained on.
        steps: see :func:`loss_of_first_steps`.
        batch_size: images; ``None``: 16, 8 or 4, the fewer the more multiply-adds an image costs the model; but the
            recipe's own for those that do not learn from less.
        tell: told of each row as soon as it is there.
    """
    rows = []
    for name in models:
        row = loss_of_first_steps(name, data, steps=steps, batch_size=batch_size or _affordable_batch(name))
        tell(row)
        rows.append(row)
    return rows


def _affordable_batch(model: str) -> int:
    if model in _NEED_THEIR_BATCH:
        return read_recipe(RECIPES[model]).sampler.size
    from reid_models.complexity import count_multiply_adds
    from reid_models.registry import create_model

    cost = count_multiply_adds(create_model(model), model_spec(model).record.input_size)
    return 16 if cost < 0.75e9 else 8 if cost < 8e9 else 4


def _names(text: str | None) -> list[str]:
    if text is None:
        return list_models()
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        model_spec(name)
    return list(dict.fromkeys(names)) or list_models()


def _line(row: Mapping[str, Any]) -> list[str]:
    height, width = row["input_size"]
    speed = row["images_per_second"]
    return [
        row["name"],
        row["recipe"],
        f"{height}×{width}",
        str(row["batch"]),
        f"{row['loss_first']:.3f}",
        f"{row['loss_last']:.3f}",
        f"{speed:.1f}" if speed else "",
        "yes" if row["falls"] else "NO",
    ]


_HEADER = ["model", "recipe", "input", "batch", "loss, first 5", "loss, last 5", "images/s", "falls"]


def _notes(report: Mapping[str, Any]) -> str:
    settings, machine = report["settings"], report["machine"]
    changed = ", ".join(
        f"`{change}` ({', '.join(names)})" for change, names in _models_by_change(report["rows"]).items()
    )
    return (
        f"{settings['steps']} steps on {settings['images']} images of {settings['identities']} persons of "
        f"{settings['data']} ({settings['folder']}). Changed in the published recipes, besides the batch: "
        f"{changed or 'nothing'}. Where warm-up is left out, steps are taken at the learning rate it leads to. "
        f"{machine['processor']}, {machine['threads'].get('torch')} thread(s), "
        f"torch {machine['versions'].get('torch')}."
    )


def _models_by_change(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for row in rows:
        for change in row["changes"]:
            if not change.startswith("sampler."):
                result.setdefault(change, []).append(row["name"])
    return result


@app.command()
def _command(
    root: Annotated[Path, typer.Option(help="Folder of the data set.")],
    data: Annotated[str, typer.Option(help="Data set, as of `multicam reid train --data`.")] = "market1501",
    models: Annotated[str | None, typer.Option(help="Names, separated by commas [default: all].")] = None,
    steps: Annotated[int, typer.Option(min=2 * _COMPARED, help="Training steps of each model.")] = 30,
    identities: Annotated[int, typer.Option(min=4, help="Persons of the slice.")] = 16,
    batch: Annotated[int | None, typer.Option(min=4, help="Images [default: 4, 8, 16 or the recipe's own].")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of PyTorch [default: all].")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the table alone.")] = False,
) -> None:
    """Train every model by its own recipe for a few steps on a slice of real data: does its loss fall?"""
    import torch
    from rich.console import Console

    from benchmarks.report import make_report, markdown_table, write_json, write_markdown
    from reid_models.training.memory import keep_freed_memory

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    names = _names(models)
    chosen = training_slice(data, root, identities)
    progress = Console(stderr=True, quiet=quiet)

    def tell(row: dict[str, Any]) -> None:
        progress.print("  ".join(_line(row)), highlight=False, soft_wrap=True)
        if row["stopped"]:
            progress.print(f"{row['name']}: {row['stopped']}", highlight=False, markup=False, soft_wrap=True)

    rows = measure(names, chosen, steps=steps, batch_size=batch, tell=tell)
    settings = {
        "data": data,
        "folder": root.resolve().name,
        "identities": identities,
        "images": len(chosen.labels),
        "steps": steps,
    }
    report = make_report("recipe steps", settings, [{"sequence": data, **row} for row in rows])
    lines = [_line(row) for row in rows]
    print_table("First steps of every model's own recipe", _HEADER, lines, _notes(report))
    if json is not None:
        write_json(json, report)
    if markdown is not None:
        write_markdown(markdown, markdown_table(_HEADER, lines) + "\n" + _notes(report))
    if not all(row["falls"] for row in rows):
        raise typer.Exit(1)


def main() -> None:
    """Run the command, see :func:`benchmarks.console.run_command`; a loss that does not fall is exit code 1."""
    run_command(app)


if __name__ == "__main__":
    main()
