"""``multicam reid evaluate``, and the evaluation that a training run ends with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from apps.reid_data import counting

if TYPE_CHECKING:
    from torch import nn

    from reid_models.training.data import LoadedData
    from reid_models.training.recipe import Recipe
    from reid_models.training.run import TrainingRun

__all__ = ["EvaluateRequest", "evaluate_after_training", "evaluator_while_training", "run_evaluate"]


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """The options of the command, in its order."""

    model: str
    weights: str | None
    data: tuple[str, ...]
    roots: tuple[Path, ...]
    distance: str | None
    flip: bool
    re_ranking: bool
    multi_query: str | None
    input_size: str | None
    model_options: tuple[str, ...]
    output: Path | None
    visualize: bool
    overwrite: bool
    json: Path | None
    markdown: Path | None
    device: str
    threads: int | None
    seed: int
    skip_broken: bool
    offline: bool
    quiet: bool


def run_evaluate(request: EvaluateRequest) -> None:
    """Evaluate on every data set named, print a table and write what was asked for.

    Raises:
        InputError: something given cannot be used.
    """
    from reid_models.data.datasets import dataset_spec, parse_datasets
    from reid_models.errors import InputError

    if not request.data or not request.roots:
        raise InputError("no data: add --data NAME --root DIR")
    if request.visualize and request.output is None:
        raise InputError("--visualize draws pictures: say where with --output DIR")
    if request.threads is not None:
        import torch

        torch.set_num_threads(request.threads)
    requests = parse_datasets("+".join(request.data), request.roots[0]) if len(request.roots) == 1 else [
        one for name, root in zip(request.data, request.roots, strict=False) for one in parse_datasets(name, root)
    ]  # fmt: skip
    if len(request.roots) not in (1, len(request.data)):
        raise InputError(f"{len(request.data)} --data but {len(request.roots)} --root: give one, or one for each")
    kinds = set()
    for one in requests:
        try:
            kinds.add(dataset_spec(one.name).kind)
        except InputError:
            kinds.add("identity")
    console = None if request.quiet else Console(stderr=True)
    if kinds == {"identity"}:
        from apps.reid_ranking import rank_data_sets

        rows = rank_data_sets(request, requests, console)
    elif len(requests) == 1:
        from apps.reid_classes import evaluate_classes

        rows = evaluate_classes(request, requests[0], console)
    else:
        raise InputError("data sets of attributes or classes are evaluated one at a time")
    settings = {
        "model": request.model,
        "weights": request.weights,
        "model_options": list(request.model_options),
        "data": list(request.data),
        "input_size": request.input_size,
        "distance": request.distance,
        "flip": request.flip,
        "multi_query": request.multi_query,
        "re_ranking": request.re_ranking,
        "skip_broken": request.skip_broken,
        "seed": request.seed,
    }
    write_results(rows, settings, request.json, request.markdown)


def evaluator_while_training(loaded: LoadedData, recipe: Recipe) -> Callable[[nn.Module], dict[str, float]] | None:
    """Return what gives rank-1 and mAP of each identity set in the middle of a run; ``None`` if there is none."""
    if not loaded.identity_sets or not recipe.evaluation.every:
        return None
    from apps.reid_ranking import ranked_rows
    from reid_models.evaluation.evaluate import embed_data
    from reid_models.training.run import recipe_record

    record = recipe_record(recipe)

    def evaluate(model: nn.Module) -> dict[str, float]:
        figures: dict[str, float] = {}
        for data in loaded.identity_sets:
            (found,) = ranked_rows(recipe.name, embed_data(model, data, record), recipe.evaluation.distance)
            figures |= {f"{data.name}_{metric}": found[metric] for metric in ("rank1", "mAP")}
        return figures

    return evaluate


def evaluate_after_training(
    run: TrainingRun, loaded: LoadedData, recipe: Recipe, output: Path, epochs_scale: float, console: Console | None
) -> None:
    """Print the figures of a finished run beside the published ones, and write ``results.json`` and ``results.md``.

    Data sets without test images give none.
    """
    from apps.reid_ranking import ranked_rows
    from reid_models.evaluation.evaluate import embed_data

    rows: list[dict[str, Any]] = []
    label = recipe.name if epochs_scale == 1 else f"{recipe.name}, schedule × {epochs_scale:g}"
    for data in loaded.identity_sets:
        with counting(f"embedding {data.name}", console) as progress:
            embedded = embed_data(run.network, data, run.record, flip=recipe.evaluation.flip, progress=progress)
        rows += ranked_rows(label, embedded, recipe.evaluation.distance, re_ranking=recipe.evaluation.re_ranking)
        rows += _sampled(run, data, label, recipe, console)
    if loaded.attributes is not None or loaded.classes is not None:
        from apps.reid_classes import figures_of_classes

        rows = figures_of_classes(label, run.network, run.record, loaded.attributes, loaded.classes, console)
    if not rows:
        return
    if console is not None:
        print_rows(rows, console)
        if recipe.target:
            target = ", ".join(f"{metric} {value:g}" for metric, value in recipe.target.items())
            console.print(f"Published ({escape(recipe.paper)}): {target}", highlight=False, soft_wrap=True)
    settings = {"recipe": recipe.model_dump(mode="json"), "epochs_scale": epochs_scale}
    write_results(rows, settings, output / "results.json", output / "results.md")


def _sampled(run: TrainingRun, data: Any, label: str, recipe: Recipe, console: Console | None) -> list[dict[str, Any]]:
    """Return the figures of Bayesian model averaging: embeddings of networks drawn from SWAG's Gaussian, averaged."""
    averaging = recipe.averaging
    if averaging is None or averaging.kind != "swag" or not averaging.samples:
        return []
    import numpy as np

    from apps.reid_ranking import ranked_rows
    from reid_models.evaluation.evaluate import Embedded, embed_data

    total: list[Any] = [0.0, 0.0]
    for number in range(averaging.samples):
        run.trainer.sample(number)
        with counting(f"sample {number + 1} of {averaging.samples} on {data.name}", console) as progress:
            one = embed_data(run.network, data, run.record, flip=recipe.evaluation.flip, progress=progress)
        for place, vectors in enumerate((one.query, one.gallery)):
            total[place] = total[place] + vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    run.trainer.finish()
    averaged = Embedded(data, *(np.asarray(part, np.float32) for part in total))
    return ranked_rows(f"{label}, {averaging.samples} SWAG samples", averaged, "cosine")


def print_rows(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Print figures as a table, one row each."""
    from rich.table import Table

    table = Table()
    metrics = [key for key in rows[0] if isinstance(rows[0][key], float)]
    table.add_column("", overflow="fold")
    table.add_column("data")
    for metric in metrics:
        table.add_column(metric, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(escape(row["name"]), escape(row["sequence"]), *(f"{row[metric]:.1f}" for metric in metrics))
    # Where the output is no terminal, nothing says how wide it is.
    (console if console.is_terminal else Console(file=console.file, width=200)).print(table)


def write_results(
    rows: Sequence[dict[str, Any]], settings: dict[str, Any], json: Path | None, markdown: Path | None
) -> None:
    """Write figures in the shape that everything that measures has."""
    from benchmarks.report import make_report, markdown_table, write_json, write_markdown

    if json is not None:
        write_json(json, make_report("reid evaluate", settings, rows))
    if markdown is not None:
        metrics = [key for key in rows[0] if isinstance(rows[0][key], float)]
        lines = [[row["name"], row["sequence"], *(f"{row[metric]:.1f}" for metric in metrics)] for row in rows]
        write_markdown(markdown, markdown_table(["", "data", *metrics], lines))
