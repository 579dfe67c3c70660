"""One camera from named numbers: an entry of a ``calibration.json``, of ``cameras.yaml``, or an OpenCV file's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tracker.errors import InputError
from tracker.geometry.camera import Camera
from tracker.geometry.homography import HomographyCamera
from tracker.geometry.projection_matrix import decompose_projection
from tracker.geometry.units import ReadingOptions, detected_unit, metres_per_unit

__all__ = ["camera_from_entry", "camera_from_homographies", "camera_from_parts", "has_calibration"]

Array = NDArray[np.float64]

#: spellings of a field, compared in lower case without _, - and spaces
_SPELLINGS = {
    "intrinsics": ("k", "cameramatrix", "intrinsics", "intrinsic", "intrinsicmatrix", "mtx"),
    "distortion": ("distortion", "distortioncoefficients", "distcoeffs", "distortioncoeffs", "dist", "d"),
    "rotation": ("r", "rotation", "rotationmatrix", "rmat", "rvec", "rotationvector"),
    "translation": ("t", "translation", "tvec", "translationvector"),
    "position": ("position", "centre", "center", "cameraposition"),
    "projection": ("p", "projection", "projectionmatrix", "cameraprojectionmatrix"),
    "homography": ("homography", "h", "ground", "groundhomography", "groundplanehomography", "homographymatrix"),
    "head": ("head", "headhomography", "headplanehomography"),
    "head_row": ("headrow", "headplaneheightincameraview"),
    "head_height": ("headheight",),
    "maps": ("maps",),
    "width": ("width", "imagewidth"),
    "height": ("height", "imageheight"),
    "image_size": ("imagesize", "size"),
    "unit": ("unit", "units", "worldunit"),
    "first_pixel_centre": ("firstpixelcentre", "firstpixelcenter"),
}
_FIELD_OF = {spelling: field for field, spellings in _SPELLINGS.items() for spelling in spellings}


def has_calibration(entry: Mapping[str, Any]) -> bool:
    """Return whether a mapping has fields of a calibration itself, rather than cameras that have them."""
    return not {"intrinsics", "projection", "homography"}.isdisjoint(_known_fields(entry))


def camera_from_entry(
    entry: Mapping[str, Any], name: str, label: str, options: ReadingOptions
) -> Camera | HomographyCamera:
    """Return the camera that an entry describes.

    Understood are K with R (or a rotation vector) and t (or the camera's position) and distortion; a 3×4 projection
    matrix P; a homography of the floor, with or without one of a plane of heads. Fields may be spelt as usual
    (``K``, ``camera_matrix``, ``intrinsics``, …); fields that say nothing of these are not looked at. When an entry has
    both K, R, t and P, the former are taken.

    Args:
        entry: field → value.
        name: of the camera.
        label: what to call the entry in errors.
        options: what the caller knows beside it.

    Raises:
        InputError: a field is missing, has the wrong shape, or holds something that is no number.
    """
    fields = _known_fields(entry)
    size = fields.get("image_size")
    if size is None and "width" in fields and "height" in fields:
        size = (fields["width"], fields["height"])
    # The size that an entry states is that of its calibration; the caller's only fills a gap.
    options = replace(options, image_size=options.image_size if size is None else size).otherwise(
        unit=fields.get("unit"),
        first_pixel_centre=_number(fields, "first_pixel_centre", label),
        head_height=_number(fields, "head_height", label),
        image_to_floor=_direction(fields, label),
    )
    if "intrinsics" in fields and "rotation" in fields and ("translation" in fields or "position" in fields):
        rotation = _rotation(fields["rotation"], label)
        if "translation" in fields:
            translation = _matrix(fields["translation"], (3,), f"{label}: t")
        else:
            translation = np.asarray(-rotation @ _matrix(fields["position"], (3,), f"{label}: position"), np.float64)
        distortion = _vector(fields.get("distortion", ()), f"{label}: distortion")
        intrinsics = _matrix(fields["intrinsics"], (3, 3), f"{label}: K")
        return camera_from_parts(name, label, intrinsics, distortion, rotation, translation, options)
    if "projection" in fields:
        intrinsics, rotation, translation = decompose_projection(
            _matrix(fields["projection"], (3, 4), f"{label}: P"), f"{label}: P"
        )
        distortion = _vector(fields.get("distortion", ()), f"{label}: distortion")
        return camera_from_parts(name, label, intrinsics, distortion, rotation, translation, options)
    if "homography" in fields:
        ground = _matrix(fields["homography"], (3, 3), f"{label}: homography")
        head = _matrix(fields["head"], (3, 3), f"{label}: head homography") if "head" in fields else None
        return camera_from_homographies(name, label, ground, head, _number(fields, "head_row", label), options)
    found = ", ".join(str(field) for field in entry) or "nothing"
    raise InputError(
        f"{label}: no calibration in it (it has {found}); give K, R and t, or P (3×4), or homography (3×3)"
    )


def camera_from_parts(
    name: str,
    label: str,
    intrinsics: Array,
    distortion: Array,
    rotation: Array,
    translation: Array,
    options: ReadingOptions,
) -> Camera:
    """Return a camera from a file's K, distortion, R and t: its pixels and units become ours.

    A unit that nobody states is detected from how high the camera hangs (``detected_unit``).
    """
    width, height = options.size(label)
    if options.unit is None:
        metres = detected_unit(float(-(rotation.T @ translation)[2]))
    else:
        metres = metres_per_unit(options.unit, label)
    shifted = np.array([[1, 0, options.shift], [0, 1, options.shift], [0, 0, 1]]) @ intrinsics
    try:
        return Camera(name, width, height, shifted, distortion, rotation, translation * metres)
    except InputError as error:
        raise InputError(f"{label}: {str(error).removeprefix(f'camera {name}: ')}") from None


def camera_from_homographies(
    name: str, label: str, ground: Array, head: Array | None, head_row: float | None, options: ReadingOptions
) -> HomographyCamera:
    """Return a camera from a file's homographies, which map pixels to the floor unless the options say otherwise.

    Args:
        name: of the camera.
        label: what to call it in errors.
        ground: (3, 3) of the floor.
        head: (3, 3) of the plane of heads, if known.
        head_row: instead of it, where the camera hangs as high as heads: the image's row in which all heads are.
        options: floor units are metres unless they say otherwise.
    """
    width, height = options.size(label)
    metres = 1.0 if options.unit is None else metres_per_unit(options.unit, label)
    to_pixels = np.array([[1, 0, options.shift], [0, 1, options.shift], [0, 0, 1]])
    from_metres = np.diag([1 / metres, 1 / metres, 1.0])

    def ours(matrix: Array, field: str) -> Array:
        if options.image_to_floor in (None, True):
            if not abs(np.linalg.det(matrix)) > 1e-14 * np.prod(np.linalg.norm(matrix, axis=0)):
                raise InputError(
                    f"{label}: its {field} homography is singular; give at least four points of which no three are on "
                    "one line"
                )
            matrix = np.asarray(np.linalg.inv(matrix), np.float64)
        return to_pixels @ matrix @ from_metres

    floor = ours(ground, "ground")
    heads = None if head is None else ours(head, "head")
    if heads is None and head_row is not None:
        heads = np.stack([floor[0], (head_row + options.shift) * floor[2], floor[2]])
    head_height = 1.75 if options.head_height is None else options.head_height
    try:
        return HomographyCamera(name, width, height, floor, heads, head_height)
    except InputError as error:
        raise InputError(f"{label}: {str(error).removeprefix(f'camera {name}: ')}") from None


def _known_fields(entry: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in entry.items():
        field = _FIELD_OF.get(str(key).lower().replace("_", "").replace("-", "").replace(" ", ""))
        if field is not None and value is not None:
            fields.setdefault(field, value)
    return fields


def _direction(fields: Mapping[str, Any], label: str) -> bool | None:
    maps = fields.get("maps")
    if maps is None:
        return None
    directions = {"image to floor": True, "floor to image": False}
    if str(maps).lower() not in directions:
        raise InputError(f"{label}: maps: {maps!r}; write 'image to floor' or 'floor to image'")
    return directions[str(maps).lower()]


def _number(fields: Mapping[str, Any], field: str, label: str) -> float | None:
    if field not in fields:
        return None
    try:
        value = float(fields[field])
    except (TypeError, ValueError):
        raise InputError(f"{label}: {field} is {fields[field]!r}; give a number") from None
    if not np.isfinite(value):
        raise InputError(f"{label}: {field} is {value}; give a finite number")
    return value


def _vector(value: Any, label: str) -> Array:
    """Return numbers of any nesting as a flat array; OpenCV's matrix nodes in JSON are understood."""
    if isinstance(value, Mapping) and "data" in value:
        value = value["data"]
    try:
        array = np.asarray(value, np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(f"{label} is not a list of numbers") from None
    if not np.isfinite(array).all():
        raise InputError(f"{label} is not finite; calibrate the camera again")
    return array


def _matrix(value: Any, shape: tuple[int, ...], label: str) -> Array:
    flat = _vector(value, label)
    if flat.size != np.prod(shape):
        wanted = "×".join(str(length) for length in shape)
        raise InputError(f"{label} has {flat.size} numbers; give {wanted}")
    return flat.reshape(shape)


def _rotation(value: Any, label: str) -> Array:
    flat = _vector(value, f"{label}: R")
    if flat.size == 3:
        return np.asarray(Rotation.from_rotvec(flat).as_matrix())
    return _matrix(flat, (3, 3), f"{label}: R")
