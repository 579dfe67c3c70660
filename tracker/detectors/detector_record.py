"""How an exported detector is fed: what its kind is trained on, unless a JSON file beside it says otherwise."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid_models.runtimes import PixelInput
from tracker.errors import InputError, nearest_name_hint

__all__ = ["DetectorRecord", "read_detector_record", "sidecar_of"]

_FIELDS = ("input_size", "mean", "std", "color_order", "names", "task", "kind")


@dataclass(frozen=True, slots=True)
class DetectorRecord:
    """What is written beside an exported detector.

    Attributes:
        mean, std: of channel values scaled to 0 … 1, in ``color_order``; the network gets (value - mean) / std.
        color_order: ``"RGB"`` or ``"BGR"``.
        input_size: (height, width) it was exported for; ``None``: what the graph says.
        names: class number → name; empty: what the file says.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    color_order: str = "RGB"
    input_size: tuple[int, int] | None = None
    names: tuple[tuple[int, str], ...] = ()

    @staticmethod
    def of_kind(kind: str) -> DetectorRecord:
        """Return how a kind of detector is trained: YOLOX with BGR 0 … 255, ultralytics' with RGB 0 … 1."""
        unscaled = (1 / 255, 1 / 255, 1 / 255)
        return DetectorRecord(std=unscaled, color_order="BGR") if kind == "yolox" else DetectorRecord()

    @property
    def pixels(self) -> PixelInput:
        """How bytes become the network's input."""
        return PixelInput.of_shares(self.mean, self.std, red_first=self.color_order == "RGB")

    def as_json(self, kind: str) -> dict[str, Any]:
        """Return what :func:`read_detector_record` reads back."""
        return {
            "task": "detect",
            "kind": kind,
            "input_size": None if self.input_size is None else list(self.input_size),
            "mean": list(self.mean),
            "std": list(self.std),
            "color_order": self.color_order,
            "names": {str(number): name for number, name in self.names},
        }


def sidecar_of(path: Path) -> Path:
    """Return the JSON file beside a network file."""
    return path.with_suffix(".json")


def read_detector_record(path: Path, kind: str) -> DetectorRecord:
    """Return how the detector in ``path`` is fed.

    Raises:
        InputError: the JSON file beside it cannot be used; the field is named.
    """
    record, sidecar = DetectorRecord.of_kind(kind), sidecar_of(path)
    if not sidecar.is_file():
        return record
    try:
        given = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the detector record {sidecar} cannot be read: {error}") from None
    if not isinstance(given, dict):
        raise InputError(f"the detector record {sidecar} holds no JSON object; give {{'color_order': 'RGB', …}}")
    for name in given:
        if name not in _FIELDS:
            raise InputError(f"{sidecar} has an unknown field {name!r}: {nearest_name_hint(name, _FIELDS)}")
    order = given.get("color_order", record.color_order)
    if order not in ("RGB", "BGR"):
        raise InputError(f"{sidecar}: color_order {order!r} is not RGB or BGR")
    size = given.get("input_size")
    if size is not None:
        height, width = _numbers(sidecar, "input_size", size, 2)
        size = (int(height), int(width))
    names = given.get("names") or {}
    if not isinstance(names, dict) or not all(str(number).isdigit() for number in names):
        raise InputError(f"{sidecar}: names must be an object of class numbers and names, such as {{'0': 'person'}}")
    std = _numbers(sidecar, "std", given.get("std", record.std), 3)
    if min(std) <= 0:
        raise InputError(f"{sidecar}: std {std} must be positive in every channel")
    return DetectorRecord(
        mean=_numbers(sidecar, "mean", given.get("mean", record.mean), 3),
        std=std,
        color_order=order,
        input_size=size,
        names=tuple(sorted((int(number), str(name)) for number, name in names.items())),
    )


def _numbers(sidecar: Path, field: str, values: Any, count: int) -> Any:
    usable = isinstance(values, (list, tuple)) and len(values) == count
    if not usable or not all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in values
    ):
        raise InputError(f"{sidecar}: {field} {values!r} must be {count} numbers")
    return tuple(float(value) for value in values)
