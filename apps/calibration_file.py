"""A ``calibration.json`` to which cameras are added one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import InputError
from tracker.geometry.camera import Camera
from tracker.geometry.documents import parsed_document, read_text
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.readers import read_calibration
from tracker.storage.atomic import atomic_path

__all__ = ["CalibrationFile"]

_HEADING = {
    "units": "metres",
    "world": "x and y on the floor, z up; a pixel (i, j) covers [i, i+1) x [j, j+1)",
}


class CalibrationFile:
    """A calibration file with one camera to be added; creating it only looks.

    Args:
        path: of the file, which need not exist and ends in ``.json``.
        name: of the camera.
        overwrite: replace a camera of that name.

    Raises:
        InputError: the file is no list of cameras, or has one of that name and ``overwrite`` is off.
    """

    def __init__(self, path: Path, name: str, *, overwrite: bool = False) -> None:
        self.path = path
        self._name = name
        if path.suffix.lower() != ".json":
            raise InputError(f"--output {path}: give a file that ends in .json")
        if path.is_dir():
            raise InputError(f"--output {path} is a folder: give a file, {path / 'calibration.json'}")
        self._document: dict[str, Any] = {**_HEADING, "cameras": []}
        if path.exists():
            self._document = _existing(path)
        #: whether a camera of that name is there already
        self.replaces = any(entry.get("name") == name for entry in self._document["cameras"])
        if self.replaces and not overwrite:
            raise InputError(f"{path} has a camera {name!r}: choose another --name, or add --overwrite to replace it")

    def write(self, camera: Camera | HomographyCamera, record: dict[str, Any]) -> list[str]:
        """Put the camera into the file, which appears complete or stays as it was; return the names of all in it.

        Args:
            camera: called by the name.
            record: how it was estimated; kept as the camera's ``estimation``, which nobody reads again.

        Raises:
            InputError: the file cannot be written, or counts in other units or pixels than metres and ours.
        """
        entry = {**camera.calibration(), "estimation": record}
        entries = [old for old in self._document["cameras"] if old.get("name") != self._name]
        document = {**self._document, "cameras": [*entries, entry]}
        cameras = read_calibration(document)
        again = cameras[self._name].calibration()
        same = all(
            np.allclose(again[field], value, rtol=1e-6, atol=1e-9)
            for field, value in camera.calibration().items()
            if not isinstance(value, str)
        )
        if not same:
            raise InputError(
                f"{self.path} counts in other units or pixels than metres from the image's corner: choose another file"
            )
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return list(cameras)


def _existing(path: Path) -> dict[str, Any]:
    """Return the document of a file that was written before, whatever else is in it.

    Raises:
        InputError: it is no calibration that can be added to.
    """
    document = parsed_document(read_text(path, "calibration file"), path)
    entries = document.get("cameras") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path} has no list of cameras to which one could be added: choose another file")
    if entries:
        read_calibration(path)
    return dict(document)
