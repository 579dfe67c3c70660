"""Calibrations by file, whatever their format: the one door in front of the readers.

=====================================  ==============  ===================  ==========================================
format                                 recognised by   unit, when not said  first pixel's centre, when not said
=====================================  ==============  ===================  ==========================================
``calibration.json`` (ours, and lists  JSON            detected             (0.5, 0.5)
of cameras with P, or K, R and t)
entries of YAML (``cameras.yaml``)     YAML            detected             (0.5, 0.5)
OpenCV YAML and XML                    FileStorage     detected             (0, 0)
WILDTRACK's intrinsics, extrinsics     a folder, or    detected             (0, 0)
                                       ``extrinsics:``
Tsai XML (PETS 2009)                   <Intrinsic>     millimetres          (0.5, 0.5)
3×4 projection matrices                text            detected             (0.5, 0.5)
homographies (EPFL)                    text            metres               (0.5, 0.5)
=====================================  ==============  ===================  ==========================================

A detected unit comes from how high the camera is: below 50 metres, to 1500 centimetres, above that millimetres.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracker.errors import InputError, nearest_name_hint
from tracker.geometry.camera import Camera
from tracker.geometry.documents import parsed_json, parsed_yaml, read_text
from tracker.geometry.entries import camera_from_entry, has_calibration
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.opencv_files import FIRST_PIXEL_CENTRE, is_opencv_file, read_opencv_nodes
from tracker.geometry.text_matrices import read_text_matrices
from tracker.geometry.tsai import is_tsai, read_tsai
from tracker.geometry.units import ReadingOptions

__all__ = ["read_calibration"]

Cameras = dict[str, Camera | HomographyCamera]

_SUFFIXES = (".json", ".yaml", ".yml", ".xml", ".txt")
#: fields of a mapping that points to a file, beside those of ``ReadingOptions``
_FILE_FIELDS = ("file", "extrinsics", "camera")
_OPTION_FIELDS = ("image_size", "unit", "first_pixel_centre", "head_height", "image_to_floor")


def read_calibration(
    source: str | Path | Mapping[str, Any],
    name: str | None = None,
    *,
    folder: str | Path | None = None,
    image_size: tuple[int, int] | None = None,
    unit: str | float | None = None,
    first_pixel_centre: float | None = None,
    head_height: float | None = None,
    image_to_floor: bool | None = None,
) -> Cameras:
    """Return the cameras of a calibration by name, in the order of the file.

    Args:
        source: a file of any format above; a folder of such files (WILDTRACK's ``calibrations``, or one file a camera);
            or a mapping, as ``calibration:`` of ``cameras.yaml`` may hold: the fields of one camera (K, R, t, …), or
            ``file:`` with the names of the arguments below, ``extrinsics:`` (a second file) and ``camera:`` (which of
            several).
        name: return this camera only; a source with a single camera gives that one under this name.
        folder: what relative paths in a mapping are relative to.
        image_size: (width, height) pixels, for formats that do not say it.
        unit: "m", "cm", "mm", or metres per unit: before what the file says and what would be detected.
        first_pixel_centre: the coordinate which the file gives to the centre of its first pixel (OpenCV 0, Matlab 1).
        head_height: metres, of the plane of heads that an EPFL file has; left out: 1.75.
        image_to_floor: whether homographies map pixels to the floor; left out: yes, unless a file says otherwise.

    Raises:
        InputError: the file cannot be read or is malformed, says no image size, or has no camera of that name.
    """
    options = ReadingOptions(image_size, unit, first_pixel_centre, head_height, image_to_floor)
    if isinstance(source, Mapping):
        cameras = _from_mapping(source, Path(folder) if folder is not None else Path(), options, name)
        label = "calibration"
    else:
        cameras = _from_path(Path(source), options)
        label = str(source)
    return cameras if name is None else _only(cameras, name, label)


def _only(cameras: Cameras, name: str, label: str) -> Cameras:
    if name in cameras:
        return {name: cameras[name]}
    if len(cameras) == 1:
        return {name: replace(next(iter(cameras.values())), name=name)}
    raise InputError(f"{label}: no camera {name!r} in it: {nearest_name_hint(name, cameras)}")


def _from_mapping(mapping: Mapping[str, Any], folder: Path, options: ReadingOptions, name: str | None) -> Cameras:
    if "file" not in mapping:
        return _from_document(mapping, name or "camera", "calibration", options)
    for field in mapping:
        if field not in (*_FILE_FIELDS, *_OPTION_FIELDS):
            hint = nearest_name_hint(str(field), (*_FILE_FIELDS, *_OPTION_FIELDS))
            raise InputError(f"calibration: unknown field {str(field)!r}: {hint}")
    options = options.otherwise(**{field: mapping.get(field) for field in _OPTION_FIELDS})
    path = folder / Path(str(mapping["file"])).expanduser()
    if mapping.get("extrinsics") is not None:
        second = folder / Path(str(mapping["extrinsics"])).expanduser()
        cameras = _from_pair(path, second, name or path.stem, options)
    else:
        cameras = _from_path(path, options)
    return cameras if mapping.get("camera") is None else _only(cameras, str(mapping["camera"]), str(path))


def _from_path(path: Path, options: ReadingOptions) -> Cameras:
    if path.is_dir():
        return _from_folder(path, options)
    text = read_text(path, "calibration file")
    suffix = path.suffix.lower()
    head = text.lstrip("\ufeff \t\r\n")
    if is_opencv_file(text):
        nodes = read_opencv_nodes(text, str(path))
        return _from_document(nodes, path.stem, str(path), options.otherwise(first_pixel_centre=FIRST_PIXEL_CENTRE))
    if head.startswith("<"):
        return _from_xml(head, path, options)
    if suffix == ".json" or (head.startswith("{") and suffix not in (".yaml", ".yml")):
        if '"opencv-matrix"' in head:
            options = options.otherwise(first_pixel_centre=FIRST_PIXEL_CENTRE)
        return _from_document(parsed_json(head, path), path.stem, str(path), options)
    if suffix in (".yaml", ".yml"):
        return _from_document(parsed_yaml(head, path), path.stem, str(path), options)
    return dict(read_text_matrices(head, path.stem, str(path), options))


def _from_xml(text: str, path: Path, options: ReadingOptions) -> Cameras:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not valid XML ({error})") from None
    if is_tsai(root):
        return dict(read_tsai(root, path.stem, str(path), options))
    raise InputError(
        f"{path}: <{root.tag}> is no calibration known here; give OpenCV's <opencv_storage> or a Tsai <Camera> with "
        "<Geometry>, <Intrinsic> and <Extrinsic>"
    )


def _from_document(document: Any, stem: str, label: str, options: ReadingOptions) -> Cameras:
    """Return the cameras of nested lists and mappings: below ``cameras:``, by name, or one camera's own fields."""
    if isinstance(document, list):
        document = {"cameras": document}
    if not isinstance(document, Mapping):
        raise InputError(f"{label}: no calibration in it; write cameras: and for each its name, K, R and t")
    size = document.get("image_size")
    options = replace(options, image_size=options.image_size if size is None else size)
    options = options.otherwise(
        unit=document.get("units") or document.get("unit") or document.get("world_unit"),
        first_pixel_centre=document.get("first_pixel_centre"),
    )
    entries = document.get("cameras")
    if entries is None:
        named = {key: value for key, value in document.items() if isinstance(value, Mapping)}
        if has_calibration(document) or not named:
            return {stem: camera_from_entry(document, stem, label, options)}
        entries = named
    if isinstance(entries, Mapping):
        entries = [
            {"name": str(key), **value} if isinstance(value, Mapping) else value for key, value in entries.items()
        ]
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{label}: cameras: is empty or no list; write for each camera its name, K, R and t")
    cameras: Cameras = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            raise InputError(f"{label}: camera {number} is no mapping; write its name, K, R and t")
        name = str(entry.get("name") or f"camera{number}")
        if name in cameras:
            raise InputError(f"{label}: two cameras are called {name!r}; give each its own name")
        cameras[name] = camera_from_entry(entry, name, f"{label}: camera {name!r}", options)
    return cameras


def _from_pair(intrinsics: Path, extrinsics: Path, name: str, options: ReadingOptions) -> Cameras:
    nodes: dict[str, Any] = {}
    for path in (intrinsics, extrinsics):
        text = read_text(path, "calibration file")
        if not is_opencv_file(text):
            raise InputError(f"{path}: not a file of OpenCV's (YAML or XML), as intrinsics with extrinsics: must be")
        nodes |= read_opencv_nodes(text, str(path))
    options = options.otherwise(first_pixel_centre=FIRST_PIXEL_CENTRE)
    return {name: camera_from_entry(nodes, name, f"{intrinsics} with {extrinsics.name}", options)}


def _from_folder(folder: Path, options: ReadingOptions) -> Cameras:
    extrinsics = sorted(folder.glob("**/extr_*.xml"))
    cameras: Cameras = {}
    for path in extrinsics:
        name = path.stem.removeprefix("extr_")
        # "zero" goes with the undistorted images that the set consists of.
        candidates = sorted(folder.glob(f"**/intr_{name}.xml"), key=lambda file: "zero" not in file.parent.name)
        if not candidates:
            raise InputError(f"{folder}: {path.name} without intr_{name}.xml; put both files there")
        cameras |= _from_pair(candidates[0], path, name, options)
    if extrinsics:
        return cameras
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES):
        for name, camera in _from_path(path, options).items():
            if name in cameras:
                raise InputError(f"{folder}: two files have a camera {name!r}; give each its own name")
            cameras[name] = camera
    if not cameras:
        raise InputError(f"{folder}: no calibration files in it ({', '.join(_SUFFIXES)}); check the path")
    return cameras
