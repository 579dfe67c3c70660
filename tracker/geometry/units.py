"""What calibration files leave unsaid: units, image size, and where pixels begin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracker.errors import InputError, nearest_name_hint

__all__ = ["UNITS", "ReadingOptions", "detected_unit", "metres_per_unit"]

UNITS = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), 0.01),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), 0.001),
}

#: heights of a camera, in the file's unit, from which centimetres and millimetres are taken for granted: nobody hangs
#: a camera 50 m or higher, nor lower than 50 cm, nor (in centimetres) higher than 15 m
_FROM_CENTIMETRES, _FROM_MILLIMETRES = 50.0, 1500.0


@dataclass(frozen=True)
class ReadingOptions:
    """What the caller knows of a calibration file.

    Args:
        image_size: (width, height) pixels, for files that do not say it.
        unit: "m", "cm", "mm" or metres per unit; before what the file says and what would be detected.
        first_pixel_centre: the coordinate that the file gives to the centre of the first pixel: 0 in OpenCV's files, 1
            in Matlab's, 0.5 in ours and in any other file; before what the format is known for.
        head_height: metres above the floor of the plane of heads in a file of homographies.
        image_to_floor: whether homographies map pixels to the floor, as EPFL's do, or the floor to pixels.
    """

    image_size: tuple[int, int] | None = None
    unit: str | float | None = None
    first_pixel_centre: float | None = None
    head_height: float | None = None
    image_to_floor: bool | None = None

    def otherwise(self, **fallback: Any) -> ReadingOptions:
        """Return these options with those that are not given taken from ``fallback``."""
        missing = {
            field: value for field, value in fallback.items() if value is not None and getattr(self, field) is None
        }
        return replace(self, **missing)

    @property
    def shift(self) -> float:
        """Pixels to add to the file's coordinates."""
        return 0.5 - (0.5 if self.first_pixel_centre is None else self.first_pixel_centre)

    def size(self, label: str) -> tuple[int, int]:
        """Return the image's width and height.

        Raises:
            InputError: nobody said them, or they are no sizes.
        """
        if self.image_size is None:
            raise InputError(f"{label}: the calibration gives no image size; say image_size: [width, height]")
        try:
            width, height = (int(value) for value in self.image_size)
        except (TypeError, ValueError):
            raise InputError(f"{label}: image size {self.image_size!r}; give [width, height] in pixels") from None
        if min(width, height) < 1:
            raise InputError(f"{label}: image size {width}×{height}; give the width and height in pixels")
        return width, height


def metres_per_unit(unit: str | float, label: str) -> float:
    """Return how many metres a unit is, given by its name or as that number.

    Raises:
        InputError: an unknown name, or a number that is not positive and finite.
    """
    if isinstance(unit, str) and unit.strip().lower() in UNITS:
        return UNITS[unit.strip().lower()]
    try:
        metres = float(unit)
    except (TypeError, ValueError):
        raise InputError(f"{label}: unknown unit {unit!r}: {nearest_name_hint(str(unit), ['m', 'cm', 'mm'])}") from None
    if not (np.isfinite(metres) and metres > 0):
        raise InputError(f"{label}: a unit of {metres:g} metres; give m, cm, mm or how many metres a unit is")
    return metres


def detected_unit(camera_height: float) -> float:
    """Return metres per unit from how high a camera hangs in a file: below 50 metres, to 1500 centimetres, above mm."""
    height = abs(camera_height)
    return 1.0 if height < _FROM_CENTIMETRES else 0.01 if height < _FROM_MILLIMETRES else 0.001
