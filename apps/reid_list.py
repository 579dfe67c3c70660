"""``multicam reid list``: models, weights, recipes and data sets as tables."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["print_datasets", "print_models", "print_recipes", "print_weights"]

#: characters of a column of text that is folded, at least
_FOLDED = 16


def print_models(pattern: str, json: Path | None) -> None:
    """Print the models that match, with parameters and multiply-adds counted on a network that holds no memory."""
    import torch

    from reid_models.complexity import count_multiply_adds, count_parameters
    from reid_models.registry import create_model, list_models, model_spec

    rows = []
    for name in _matching(list_models(), pattern, "model"):
        spec = model_spec(name)
        with torch.device("meta"):
            model = create_model(name)
        rows.append(
            {
                "name": name,
                "input": "×".join(map(str, spec.record.input_size)),
                "parameters": count_parameters(model),
                "multiply_adds": count_multiply_adds(model, spec.record.input_size),
                "embedding": spec.embedding_dimension,
                "distance": spec.record.distance,
                "paper": spec.paper.split(",")[0],
            }
        )
    _print(rows, ["name", "input", "parameters", "multiply_adds", "embedding", "distance", "paper"])
    _write(json, "reid list", rows)


def print_weights(pattern: str, json: Path | None) -> None:
    """Print the weights that can be had by name, of the models that match."""
    from reid_models.weights import weights_table

    table = weights_table()
    models = _matching(sorted({row["model"] for row in table}), pattern, "model with weights")
    rows = [row for row in table if row["model"] in models]
    _print(rows, list(rows[0]))
    _write(json, "reid list --weights", rows)


def print_recipes(pattern: str, json: Path | None) -> None:
    """Print the recipes that match, with the figures they are to reach."""
    from reid_models.training.recipe import list_recipes, read_recipe

    rows = []
    for name in _matching(list_recipes(), pattern, "recipe"):
        recipe = read_recipe(name)
        target = ", ".join(f"{metric} {value:g}" for metric, value in recipe.target.items())
        rows.append(
            {
                "name": name,
                "model": recipe.model.name,
                "data": recipe.dataset,
                "epochs": recipe.epochs,
                "target": target,
                "paper": recipe.paper,
            }
        )
    _print(rows, ["name", "model", "data", "epochs", "target", "paper"])
    _write(json, "reid list --recipes", rows)


def print_datasets(pattern: str, json: Path | None) -> None:
    """Print the data sets that match, with the options of their readers."""
    from reid_models.data.datasets import dataset_spec, list_datasets

    rows = []
    for name in _matching(list_datasets(), pattern, "data set"):
        spec = dataset_spec(name)
        options = ", ".join(f"{option}={value}" for option, value in spec.options().items())
        rows.append({"name": name, "kind": spec.kind, "what": spec.title, "options": options})
    _print(rows, ["name", "kind", "what", "options"])
    _write(json, "reid list --datasets", rows)


def _matching(names: Sequence[str], pattern: str, what: str) -> list[str]:
    from reid_models.errors import InputError
    from reid_models.names import nearest_name_hint

    found = fnmatch.filter(names, pattern)
    if not found:
        raise InputError(f"no {what} matches {pattern!r}: {nearest_name_hint(pattern, names)}")
    return found


def _print(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    widths = _column_widths(rows, columns, console.width)
    table = Table()
    for column, width in widths.items():
        numeric = isinstance(rows[0][column], (int, float))
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold", width=width)
    for row in rows:
        table.add_row(*(_shown(row.get(column)) for column in widths))
    console.print(table)
    hidden = ", ".join(column.replace("_", " ") for column in columns[len(widths) :])
    if hidden:
        console.print(f"{hidden}: in a wider terminal, or with --json", highlight=False)


def _column_widths(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], total: int) -> dict[str, int]:
    """Return how wide each column is; the last ones are left out where names and numbers would be cut."""
    texts = {column: [*column.split("_"), *(_shown(row[column]) for row in rows)] for column in columns}
    wanted = {column: max(map(len, texts[column])) for column in columns}
    widths = dict(wanted)
    for column in columns[1:]:
        if not isinstance(rows[0][column], (int, float)):
            widths[column] = min(_FOLDED, max(len(word) for text in texts[column] for word in text.split()))
    while len(widths) > 1 and sum(widths.values()) + 3 * len(widths) + 1 > total:
        widths.popitem()
    # What is left goes to the texts that are folded, a character each in turn.
    free = total - sum(widths.values()) - 3 * len(widths) - 1
    while free > 0 and (narrow := [column for column in widths if widths[column] < wanted[column]]):
        for column in narrow[:free]:
            widths[column] += 1
        free -= len(narrow[:free])
    return widths


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _write(json: Path | None, protocol: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if json is not None:
        from benchmarks.report import make_report, write_json

        write_json(json, make_report(protocol, {}, rows))
