"""The network that a ``multicam reid`` command names, with its weights and how images go in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from reid_models.records import EmbeddingRecord

__all__ = ["NamedModel", "load_named_model", "parse_input_size"]


@dataclass(frozen=True, slots=True, eq=False)
class NamedModel:
    """A network in evaluation mode; ``label`` says which weights it has."""

    network: nn.Module
    name: str
    label: str
    record: EmbeddingRecord
    options: dict[str, Any]


def load_named_model(
    model: str,
    weights: str | None,
    options: Sequence[str] = (),
    *,
    num_classes: int = 0,
    untrained: bool = False,
    offline: bool = False,
) -> NamedModel:
    """Return the network for ``NAME``, ``NAME:WEIGHTS`` or a checkpoint file.

    A checkpoint that our trainer wrote says itself which architecture it is of, with which options and which input.

    Args:
        model: what the command's first argument says.
        weights: file, or name of published weights.
        options: ``NAME=VALUE`` of the architecture.
        num_classes: for weights with a classifier that is to be used (attributes, classes).
        untrained: allow random weights.
        offline: never download.

    Raises:
        InputError: unknown name, no weights, or weights that do not fit.
    """
    from reid_models.checkpoints import load_checkpoint, read_description, read_state_dict, recognize_architecture
    from reid_models.errors import InputError
    from reid_models.registry import create_model, list_models, model_spec
    from reid_models.runtimes import EXPORT_SUFFIXES
    from reid_models.weights import resolve_weights, shipped_weights

    name, _, given = model.partition(":")
    if model.lower().endswith(EXPORT_SUFFIXES):
        raise InputError(
            f"{model} is an exported network, not PyTorch's: give the checkpoint that it was exported from"
        )
    if name not in list_models() and (Path(model).exists() or (not given and _looks_like_a_file(model))):
        if weights is not None:
            raise InputError(f"{model} is a checkpoint itself: leave --weights {weights} out, or name its architecture")
        described = read_description(Path(model))
        found = described.get("architecture") or recognize_architecture(read_state_dict(Path(model)))
        if not isinstance(found, str):
            raise InputError(f"{model} is a checkpoint of no architecture known here: {', '.join(list_models())}")
        name, given, weights = found, "", model
    if given and weights is not None:
        raise InputError(f"{model} names weights already: leave --weights {weights} out")
    shipped = shipped_weights(name) if name in list_models() and not untrained else None
    weights = weights or given or (None if shipped is None else shipped.name)
    record = model_spec(name).record
    chosen = parsed_options(options)
    if weights is None:
        if not untrained:
            raise InputError(
                f"{name} was given no weights, and an untrained network shows nothing: add --weights FILE, or "
                f"{name}:NAME with one of multicam reid list --weights"
            )
        network = create_model(name, num_classes=num_classes, **chosen)
        return NamedModel(network.eval(), name, f"{name} untrained", record, chosen)
    path, published = resolve_weights(name, weights, offline=offline or None)
    if published is not None:
        record = published.embedding_record(record)
    else:
        described = read_description(path)
        if described.get("architecture") == name:
            chosen = {**described.get("options", {}), **chosen}
        if isinstance(described.get("record"), dict):
            record = record.updated(described["record"], path.name)
    network = create_model(name, num_classes=num_classes, **chosen)
    ignored = load_checkpoint(network, path).ignored
    if num_classes and any(key in network.state_dict() for key in ignored if "classifier" in key):
        raise InputError(
            f"{weights} holds no classifier of {num_classes} classes or attributes: give weights that were trained on "
            "this data set"
        )
    label = f"{name} {path.name}" if published is None else f"{name}:{weights}"
    return NamedModel(network.eval(), name, label, record, chosen)


def parse_input_size(text: str | None) -> tuple[int, int] | None:
    """Return (height, width) of ``--input-size HEIGHTxWIDTH``.

    Raises:
        InputError: it is of another form, or smaller than 16 pixels.
    """
    from reid_models.errors import InputError

    if text is None:
        return None
    height, _, width = text.lower().replace("×", "x").partition("x")
    if not (height.isdigit() and width.isdigit() and min(int(height), int(width)) >= 16):
        raise InputError(f"--input-size {text}: give HEIGHTxWIDTH in pixels, both at least 16, such as 256x128")
    return int(height), int(width)


def _looks_like_a_file(model: str) -> bool:
    path = Path(model)
    return len(path.parts) > 1 or path.suffix.lower() in (".pt", ".pth", ".tar", ".ckpt", ".bin")


def parsed_options(options: Sequence[str], flag: str = "--model-option") -> dict[str, Any]:
    """Return NAME=VALUE pairs; values are YAML.

    Raises:
        InputError: no such pair; named with ``flag``.
    """
    import yaml

    from reid_models.errors import InputError

    parsed = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise InputError(f"{flag} {option}: give NAME=VALUE, such as pooling=average")
        try:
            parsed[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"{flag} {option}: the value is no YAML") from None
    if "genotype" not in parsed:
        return parsed
    from reid_models.training.run import portable_options

    return portable_options(parsed)
