"""What must be known about an embedder so that it is never fed wrong pixels nor compared by a wrong distance."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from reid_models.errors import InputError
from reid_models.names import nearest_name_hint

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "EmbeddingRecord", "read_record"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class EmbeddingRecord:
    """How crops become a network's input and how its output is compared.

    Args:
        input_size: (height, width) in pixels.
        mean: subtracted from channel values scaled to 0..1, in ``color_order``.
        std: divides after the subtraction, in ``color_order``.
        color_order: ``"RGB"`` or ``"BGR"``, the order of the network's input channels.
        interpolation: how crops are resized; ``"bilinear"`` is the only one published ReID networks use.
        distance: ``"cosine"`` or ``"euclidean"``, the one published figures are made with.
        default_threshold: cosine distance in 0..2 below which two crops are taken for one person until the video
            itself has shown a better value.

    Raises:
        InputError: a value is out of its range; the message names the field.
    """

    input_size: tuple[int, int] = (256, 128)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    color_order: str = "RGB"
    interpolation: str = "bilinear"
    distance: str = "cosine"
    default_threshold: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_size", _numbers("input_size", self.input_size, 2, int))
        object.__setattr__(self, "mean", _numbers("mean", self.mean, 3, float))
        object.__setattr__(self, "std", _numbers("std", self.std, 3, float))
        if min(self.input_size) < 1:
            raise InputError(f"input_size {list(self.input_size)} must be (height, width) of at least one pixel each")
        if min(self.std) <= 0:
            raise InputError(f"std {list(self.std)} must be positive in every channel")
        _one_of("color_order", self.color_order, ("RGB", "BGR"))
        _one_of("interpolation", self.interpolation, ("bilinear",))
        _one_of("distance", self.distance, ("cosine", "euclidean"))
        if not isinstance(self.default_threshold, (int, float)) or not 0 <= self.default_threshold <= 2:
            raise InputError(f"default_threshold {self.default_threshold!r} must be a cosine distance between 0 and 2")

    def updated(self, changes: Mapping[str, Any], source: str) -> EmbeddingRecord:
        """Return the record with ``changes`` (field → value) read from ``source``.

        Raises:
            InputError: an unknown field (the nearest is suggested) or a value that cannot be used.
        """
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise InputError(f"{source} has an unknown field {name!r}: {nearest_name_hint(str(name), known)}")
        try:
            return replace(self, **dict(changes))
        except InputError as error:
            raise InputError(f"{source}: {error}") from None


def read_record(path: Path, base: EmbeddingRecord) -> EmbeddingRecord:
    """Return ``base`` with the fields that the JSON object in ``path`` gives.

    Raises:
        InputError: no readable JSON object, an unknown field, or a value that cannot be used.
    """
    try:
        changes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"the embedder record {path} cannot be read: {error}") from None
    if not isinstance(changes, dict):
        raise InputError(f"the embedder record {path} holds no JSON object; give {{'input_size': [256, 128], …}}")
    return base.updated(changes, str(path))


def _one_of(field: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{field} {value!r} is not one of {', '.join(known)}")


def _numbers(field: str, values: Any, count: int, kind: type) -> tuple[Any, ...]:
    allowed = (int,) if kind is int else (int, float)
    usable = (
        isinstance(values, (list, tuple))
        and len(values) == count
        and all(isinstance(v, allowed) and not isinstance(v, bool) and math.isfinite(v) for v in values)
    )
    if not usable:
        raise InputError(f"{field} {values!r} must be {count} {'whole ' if kind is int else ''}numbers")
    return tuple(kind(value) for value in values)
