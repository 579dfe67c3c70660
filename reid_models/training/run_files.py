"""What a training run leaves: checkpoints that resume exactly, the history as CSV and TensorBoard, final weights."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import ValidationError
from torch import nn

from reid_models.errors import InputError
from reid_models.records import EmbeddingRecord
from reid_models.training.recipe import Recipe

__all__ = ["RunFolder", "save_weights"]

#: what a recipe says of itself, and a resumed run may say otherwise
_DESCRIPTIVE = {"name", "paper", "target", "notes"}


class RunFolder:
    """The folder of one run.

    ``recipe.yaml`` (all settings), ``last.pt`` (to resume from), ``history.csv`` and TensorBoard files (one row an
    epoch), ``weights.pt`` (at the end).

    Args:
        path: created if need be.
        resume: go on with the run in it.
        overwrite: replace a run in it.

    Raises:
        InputError: the folder holds a run and neither was asked for, or there is nothing to resume.
    """

    def __init__(self, path: Path, *, resume: bool = False, overwrite: bool = False) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise InputError(f"the output {path} is a file: give a folder")
        if resume and not self.last.is_file():
            raise InputError(f"there is nothing to resume in {path}: it has no last.pt; leave --resume out to begin")
        # A run that was stopped before its first checkpoint leaves a recipe only: there is nothing to lose.
        if not resume and not overwrite and (self.last.exists() or self.weights.exists()):
            raise InputError(
                f"{path} holds a training run already: add --resume to go on with it, --overwrite to replace it, "
                "or give another --output"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"the output {path} cannot be made: {error.strerror or error}") from None

    @property
    def last(self) -> Path:
        """The checkpoint after the last finished epoch."""
        return self.path / "last.pt"

    @property
    def weights(self) -> Path:
        """The weights after the whole training."""
        return self.path / "weights.pt"

    def write_recipe(self, recipe: Recipe) -> None:
        """Begin a run: remove what an earlier one left, and write the recipe with all its defaults."""
        if (self.path / "recipe.yaml").exists():
            for name in ("last.pt", "weights.pt", "history.csv", "results.json", "results.md"):
                (self.path / name).unlink(missing_ok=True)
            for log in self.path.glob("events.out.tfevents.*"):
                log.unlink()
        content = recipe.model_dump(mode="json")
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
        _replace(self.path / "recipe.yaml", lambda target: target.write_text(text, encoding="utf-8"))

    def check_same_recipe(self, recipe: Recipe) -> None:
        """Check that a run is resumed by the recipe it was begun with.

        Raises:
            InputError: a setting differs; the first is named.
        """
        path = self.path / "recipe.yaml"
        try:
            before = Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
            raise InputError(f"{path} of the run to resume cannot be read: {error}") from None
        difference = _first_difference(
            before.model_dump(mode="json", exclude=_DESCRIPTIVE), recipe.model_dump(mode="json", exclude=_DESCRIPTIVE)
        )
        if difference is not None:
            key, found, wanted = difference
            raise InputError(
                f"the run in {self.path} was begun with {key} = {found}, not {wanted}: resume it with the same "
                "settings, or begin another with --output"
            )

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write ``last.pt`` so that an earlier one stays whole until the new one is."""
        _replace(self.last, lambda target: torch.save(dict(state), target))

    def load_checkpoint(self) -> dict[str, Any]:
        """Return what :meth:`save_checkpoint` wrote.

        Raises:
            InputError: the file is damaged.
        """
        try:
            state = torch.load(self.last, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever the unpickler makes of bytes that are no checkpoint
            raise InputError(f"the checkpoint {self.last} cannot be loaded ({type(error).__name__}): it is damaged; "
                             "begin again with --overwrite") from None  # fmt: skip
        if not isinstance(state, dict) or "epoch" not in state:
            raise InputError(f"{self.last} is no checkpoint of a training run")
        return state

    def append_history(self, row: Mapping[str, float]) -> None:
        """Append one epoch to ``history.csv``, in place of its row and all later ones if they are there already."""
        path = self.path / "history.csv"
        rows: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [old for old in csv.DictReader(file) if float(old["epoch"]) < row["epoch"]]
        rows.append({key: f"{value:.6g}" for key, value in row.items()})
        columns = list(dict.fromkeys(key for kept in rows for key in kept))

        def write(target: Path) -> None:
            with target.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)

        _replace(path, write)


def save_weights(
    path: Path,
    model: nn.Module,
    name: str,
    options: Mapping[str, Any],
    record: EmbeddingRecord,
    *,
    half: bool = False,
    with_classifiers: bool = False,
) -> None:
    """Write a network's weights with what is needed to use them; :func:`reid_models.load_checkpoint` reads the file.

    Args:
        path: file to write.
        model: the network; its classifiers are left out, they belong to the training identities.
        name: of the architecture.
        options: it was built with.
        record: how images go in.
        half: store floats in 16 bits.
        with_classifiers: keep them, for attributes and classes, which are what such a network is for.
    """
    state = {
        key: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in model.state_dict().items()
        if with_classifiers or not any(part.startswith("classifier") for part in key.split("."))
    }
    content = {
        "state_dict": state,
        "architecture": name,
        "options": dict(options),
        "record": {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(record).items()},
    }
    _replace(path, lambda target: torch.save(content, target))


def _first_difference(before: Any, now: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """Return the first setting that differs, such as ``optimizer.lr``, and its two values."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = [(name, before.get(name), now.get(name)) for name in dict.fromkeys([*now, *before])]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(str(number), *both) for number, both in enumerate(zip(before, now, strict=True))]
    else:
        return None if before == now else (key, before, now)
    differences = (_first_difference(old, new, f"{key}.{name}" if key else name) for name, old, new in pairs)
    return next((found for found in differences if found is not None), None)


def _replace(path: Path, write: Any) -> None:
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
