"""The intrinsics of a camera from a file that need not say where the camera is: what calibrating a lens gives.

OpenCV's YAML and XML (``camera_matrix``, ``distortion_coefficients``), JSON and YAML with K and distortion under any
of their usual names, and this project's ``calibration.json`` are understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import InputError, nearest_name_hint
from tracker.geometry.camera import Camera
from tracker.geometry.documents import parsed_document, read_text
from tracker.geometry.entries import camera_from_entry, has_calibration
from tracker.geometry.opencv_files import FIRST_PIXEL_CENTRE, is_opencv_file, read_opencv_nodes
from tracker.geometry.units import ReadingOptions

__all__ = ["read_intrinsics"]


def read_intrinsics(path: str | Path, name: str, width: int, height: int) -> Camera:
    """Return a camera with the intrinsics of a file, for images of ``width`` × ``height``; its pose means nothing.

    Intrinsics of images of another size but the same shape are scaled. A file that does not say a size is taken to be
    for images of this one.

    Args:
        path: the file.
        name: which camera of several to take; of one alone it is only what it is called.
        width, height: of the image, pixels.

    Raises:
        InputError: the file cannot be read, has no intrinsics, not those of this camera, or of images of another shape.
    """
    text = read_text(path, "intrinsics file")
    options = ReadingOptions(image_size=(width, height))
    if is_opencv_file(text):
        document: Any = read_opencv_nodes(text, str(path))
        options = options.otherwise(first_pixel_centre=FIRST_PIXEL_CENTRE)
    else:
        document = parsed_document(text, path)
    entry = _entry(document, name, path)
    if not has_calibration(entry):
        raise InputError(f"{path}: no intrinsics in it; write camera_matrix and distortion_coefficients, or K")
    # Of two fields that mean the same the first is taken, so the file's own pose, if it has one, is not looked at.
    entry = {"R": np.eye(3).tolist(), "t": [0.0, 0.0, 0.0], **{k: v for k, v in entry.items() if k not in ("R", "t")}}
    camera = camera_from_entry(entry, name, str(path), options)
    if not isinstance(camera, Camera):
        raise InputError(f"{path}: no intrinsics in it; give K (3×3, in pixels) and distortion")
    if (camera.width, camera.height) == (width, height):
        return camera
    try:
        return camera.resized(width, height)
    except InputError:
        raise InputError(
            f"{path}: intrinsics of images of {camera.width}×{camera.height}, but the image is {width}×{height}, which "
            "has another shape; calibrate the lens with images of this camera's own size"
        ) from None


def _entry(document: Any, name: str, path: str | Path) -> Mapping[str, Any]:
    """Return the fields of one camera, whose size may stand above a list of cameras."""
    if isinstance(document, Mapping) and "cameras" in document:
        entries = document["cameras"]
        if isinstance(entries, Mapping):
            entries = [{"name": key, **value} for key, value in entries.items() if isinstance(value, Mapping)]
        cameras = {
            str(entry.get("name")): entry
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, Mapping)
        }
        if name not in cameras and len(cameras) != 1:
            raise InputError(f"{path}: no camera {name!r} in it: {nearest_name_hint(name, cameras)}")
        return cameras[name] if name in cameras else next(iter(cameras.values()))
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: no intrinsics in it; write camera_matrix and distortion_coefficients, or K")
    return document
