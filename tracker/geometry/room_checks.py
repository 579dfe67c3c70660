"""Is a calibration that of a camera which looks at a floor? What a person can repair is said at once."""

from __future__ import annotations

import numpy as np

from tracker.errors import InputError
from tracker.geometry.floor_camera import MAXIMUM_DISTANCE, FloorCamera

__all__ = ["check_room_camera"]

#: metres; nobody tracks people from higher up, but files in centimetres put every camera there
_HIGHEST = 100.0
_SAMPLES = 17


def check_room_camera(camera: FloorCamera, *, maximum_distance: float = MAXIMUM_DISTANCE) -> None:
    """Raise unless ``camera`` is above the floor z = 0 and sees some of it within ``maximum_distance`` metres.

    Raises:
        InputError: the camera is under the floor, impossibly high, or looks away; the message names it and the remedy.
    """
    height = float(camera.position[2])
    if not np.isfinite(camera.position).all():
        raise InputError(f"camera {camera.name}: its calibration puts it nowhere; calibrate it again")
    if height <= 0:
        raise InputError(
            f"camera {camera.name}: its calibration puts it {-height:.2f} m under the floor; world z must point up "
            "from the floor z = 0: check the world's axes and that rotation and translation map world to camera"
        )
    if height > _HIGHEST:
        raise InputError(
            f"camera {camera.name}: its calibration puts it {height:.0f} m above the floor; "
            "say in which unit the file is (unit: m, cm or mm)"
        )
    columns, rows = np.linspace(0, camera.width, _SAMPLES), np.linspace(0, camera.height, _SAMPLES)
    pixels = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    if not np.isfinite(camera.to_floor(pixels, maximum_distance=maximum_distance)).any():
        raise InputError(
            f"camera {camera.name}: its calibration makes it look away from the floor (none of its image shows floor "
            f"within {maximum_distance:g} m); check that the rotation maps world to camera"
        )
