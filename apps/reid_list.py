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
    widths = {column: _least_width(rows, column, column == columns[0]) for column in columns}
    shown = list(columns)
    # Names and numbers that are cut are useless: on a narrow terminal the last columns go.
    while len(shown) > 1 and sum(widths[column] + 3 for column in shown) >= console.width:
        shown.pop()
    table = Table()
    for column in shown:
        numeric = isinstance(rows[0][column], (int, float))
        table.add_column(
            column.replace("_", " "),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=numeric or column == columns[0],
            min_width=widths[column],
        )
    for row in rows:
        table.add_row(*(_shown(row.get(column)) for column in shown))
    console.print(table)
    hidden = columns[len(shown) :]
    if hidden:
        names = ", ".join(name.replace("_", " ") for name in hidden)
        console.print(f"{names}: in a wider terminal, or with --json", highlight=False)


def _least_width(rows: Sequence[Mapping[str, Any]], column: str, whole: bool) -> int:
    """Return how many characters a column needs: those of its numbers, or of its longest word where text is folded."""
    texts = [_shown(row[column]) for row in rows]
    heading = max(map(len, column.split("_")))
    if whole or isinstance(rows[0][column], (int, float)):
        return max(heading, *map(len, texts))
    words = (word for text in texts for word in text.split())
    return max(heading, min(_FOLDED, max(map(len, words), default=1)))


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
