"""``floor.csv`` and ``floor.png``: where people were on the floor."""

from __future__ import annotations

from collections.abc import Collection

from apps.floor_area import floor_area
from apps.floor_picture import draw_floor_picture
from apps.output_folder import OutputFolder
from tracker.geometry.floor_camera import FloorCamera
from tracker.storage.atomic import atomic_path
from tracker.storage.floor_results import (
    FloorIdentityOf,
    FloorSpool,
    floor_extent,
    floor_identities,
    write_floor_csv,
)

__all__ = ["write_floor_results"]


def write_floor_results(
    folder: OutputFolder, cameras: Collection[FloorCamera], spool: FloorSpool, identity_of: FloorIdentityOf
) -> None:
    """Write where people were as a table and as a picture.

    Args:
        folder: takes the files.
        cameras: shown in the picture.
        spool: where people were.
        identity_of: the final identity of each track at each time.
    """
    import cv2

    write_floor_csv(folder.file("floor.csv"), spool, identity_of)
    area = floor_area(cameras, floor_extent(spool))
    observed = ((records, floor_identities(records, identity_of)) for records in spool.records())
    picture = draw_floor_picture(cameras, area, observed)
    with atomic_path(folder.file("floor.png")) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
