"""Detectors that are a file of this package, by name."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SHIPPED_DETECTORS", "shipped_detector"]

_FOLDER = Path(__file__).parent / "pretrained"
#: name → file; their model cards are in ``pretrained/README.md``
SHIPPED_DETECTORS = {"yolo11n_room": "yolo11n_room.onnx"}


def shipped_detector(name: str) -> Path | None:
    """Return the file of the shipped detector called ``name``, or ``None`` when none is."""
    file = SHIPPED_DETECTORS.get(name)
    return None if file is None else _FOLDER / file
