"""Where people were on the floor: collected on disk while a run goes, written at its end with final identities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tracker.floor.people import FloorPeople
from tracker.storage.atomic import atomic_path
from tracker.storage.spool import RecordSpool

__all__ = ["FLOOR_OBSERVATION", "FloorIdentityOf", "FloorSpool", "floor_extent", "floor_identities", "write_floor_csv"]

Array = NDArray[np.float64]

#: One person at one instant; ``frame`` is 0-based, ``cameras`` counts those that saw the person then.
FLOOR_OBSERVATION = np.dtype(
    [
        ("frame", "<i4"),
        ("time", "<f8"),
        ("track", "<i8"),
        ("place", "<f8", (2,)),
        ("height", "<f4"),
        ("cameras", "<u2"),
    ]
)

#: ``identity_of(tracks (N,) int64, times (N,) float64 seconds) -> (N,) int64``; below 1 means none.
FloorIdentityOf = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.int64]]

_HEADER = "time,frame,identity,track,x,y,height,cameras\n"


class FloorSpool(RecordSpool):
    """All observations of people on the floor in one temporary file, with bounded memory.

    Args:
        folder: where the temporary file is made; created if needed. Put it on the disk that takes the results.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder, FLOOR_OBSERVATION, "floor")

    def append(self, time: float, frame_index: int, people: FloorPeople) -> None:
        """Add where the confirmed people are at one instant, also those whom no camera sees; times never decrease.

        Args:
            time: seconds.
            frame_index: 0-based, of the instant's frame of the first camera that looked.
            people: of the instant.

        Raises:
            InputError: the disk is full or went away.
        """
        sure = np.flatnonzero(people.confirmed)
        self.add(
            len(sure),
            {
                "frame": frame_index, "time": time, "track": people.ids[sure], "place": people.positions[sure],
                "height": people.heights[sure], "cameras": people.cameras[sure],
            },
        )  # fmt: skip


def floor_extent(spool: FloorSpool) -> tuple[Array, Array] | None:
    """Return the lowest and the highest (2,) x and y, metres, at which a camera saw somebody; ``None``: nobody."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for records in spool.records():
        seen = records["place"][records["cameras"] > 0]
        low = np.minimum(low, seen.min(axis=0, initial=np.inf))
        high = np.maximum(high, seen.max(axis=0, initial=-np.inf))
    return (low, high) if np.isfinite(low).all() else None


def floor_identities(records: NDArray[np.void], identity_of: FloorIdentityOf) -> NDArray[np.int64]:
    """Return the identities (N,) of records (N,) of dtype :data:`FLOOR_OBSERVATION`; below 1 means none."""
    # Copies, since a field of packed records is not aligned.
    return identity_of(np.ascontiguousarray(records["track"]), np.ascontiguousarray(records["time"]))


def write_floor_csv(path: str | Path, spool: FloorSpool, identity_of: FloorIdentityOf) -> None:
    """Write every observation as a row of CSV under a header. The file appears complete or not at all.

    Its columns are time (seconds), frame (1-based), identity (empty when there is none), track, x, y and height
    (metres, three decimals) and cameras, how many saw the person at that instant.

    Args:
        path: the file to write.
        spool: the observations.
        identity_of: the final identity of each track at each time.
    """
    pattern = "{},{},{},{},{:.3f},{:.3f},{:.3f},{}\n"
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        file.write(_HEADER)
        for records in spool.records():
            # Adding nothing makes 0 of −0.
            x, y = np.round(records["place"], 3).T + 0.0
            rows = zip(
                np.round(records["time"], 6).tolist(),
                (records["frame"] + 1).tolist(),
                [identity if identity > 0 else "" for identity in floor_identities(records, identity_of).tolist()],
                records["track"].tolist(),
                x.tolist(),
                y.tolist(),
                records["height"].tolist(),
                records["cameras"].tolist(),
                strict=True,
            )
            file.write("".join([pattern.format(*row) for row in rows]))
