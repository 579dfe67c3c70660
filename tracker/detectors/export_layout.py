"""Recognises what kind of detector an exported network is, from its shapes and from what the exporter wrote."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tracker.detectors.class_names import COCO_CLASS_NAMES
from tracker.errors import InputError

__all__ = ["EXPECTED", "Layout", "recognise", "stored_image_size"]

#: what users are told when a network is none of them
EXPECTED = (
    "a detector is expected with one output: YOLOX (1, cells, 5 + classes), "
    "ultralytics (1, 4 + classes, cells) or end-to-end (1, boxes, 6)"
)

#: strides of the grids of known models, the usual ones first
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))


class Layout(NamedTuple):
    """How a detector's output is arranged.

    Attributes:
        kind: ``"yolox"``, ``"yolo"`` or ``"end-to-end"``.
        strides: pixels per cell of each grid; empty for ``"end-to-end"``.
        class_names: class number → name; empty when nothing tells.
        class_count: number of classes, ``None`` when nothing tells.
    """

    kind: str
    strides: tuple[int, ...]
    class_names: dict[int, str]
    class_count: int | None


def recognise(
    name: str,
    image_size: tuple[int, int],
    output_shapes: Sequence[tuple[int, ...]],
    metadata: Mapping[str, str],
) -> Layout:
    """Return the layout of a network.

    Args:
        name: the file's name, for messages.
        image_size: height and width of the network's input in pixels.
        output_shapes: shape of every output for one image.
        metadata: what the exporter wrote into the file; ultralytics writes ``task`` and ``names``.

    Raises:
        InputError: the network is of another task; the message says what its graph looks like.
    """
    task = metadata.get("task", "detect")
    if task != "detect":
        raise InputError(f"{name} was exported for the task {task!r}; {EXPECTED}")
    if len(output_shapes) != 1 or len(output_shapes[0]) != 3:
        raise InputError(f"{name} {_description(image_size, output_shapes)}; {EXPECTED}")
    _, rows, columns = output_shapes[0]
    names = _stored_names(metadata)
    for strides in _STRIDES:
        cells = sum((image_size[0] // stride) * (image_size[1] // stride) for stride in strides)
        if rows == cells and columns > 5 and 4 + len(names) != columns:
            return _layout("yolox", strides, columns - 5, names)
        if columns == cells and rows > 4:
            return _layout("yolo", strides, rows - 4, names)
    if columns == 6:
        return _layout("end-to-end", (), len(names) or None, names)
    raise InputError(f"{name} {_description(image_size, output_shapes)}; {EXPECTED}")


def stored_image_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Return (height, width) that ultralytics wrote into an export, ``None`` when there is none."""
    value = _literal(metadata.get("imgsz", ""))
    if isinstance(value, int):
        value = [value, value]
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(side, int) for side in value):
        return value[0], value[1]
    return None


def _layout(kind: str, strides: tuple[int, ...], count: int | None, names: dict[int, str]) -> Layout:
    if not names and count is not None:
        names = dict(COCO_CLASS_NAMES) if count == len(COCO_CLASS_NAMES) else {n: f"class_{n}" for n in range(count)}
    return Layout(kind, strides, names, count)


def _stored_names(metadata: Mapping[str, str]) -> dict[int, str]:
    value = _literal(metadata.get("names", ""))
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    return {number: str(name) for number, name in value.items() if isinstance(number, int)}


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _description(image_size: tuple[int, int], shapes: Sequence[tuple[int, ...]]) -> str:
    listed = ", ".join(str(tuple(shape)) for shape in shapes[:4]) + (", …" if len(shapes) > 4 else "")
    gives = f"takes {image_size[0]}×{image_size[1]} images and gives {listed}"
    if len(shapes) == 1 and len(shapes[0]) in (1, 2):
        return f"is a classifier or an embedder, no detector: it {gives}"
    if len(shapes) > 1 and any(len(shape) == 4 for shape in shapes):
        return f"looks like a segmentation network: it {gives}"
    return f"is no detector that can be recognised: it {gives}"
