"""Results of a run: observations collected on disk while it goes, files written at its end.

Identities may be corrected until the last frame, so nothing final can be written before. Observations are therefore
appended to one temporary file as fixed-size records, which needs no memory however long the run, and the final files
are made from it in one pass each, with the identities known by then.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.storage.atomic import atomic_path
from tracker.storage.mot_files import format_lines
from tracker.storage.spool import RecordSpool

__all__ = [
    "OBSERVATION",
    "UNIDENTIFIED_OFFSET",
    "IdentityOf",
    "IdentityRecord",
    "ObservationSpool",
    "identity_records",
    "write_detections",
    "write_identities_json",
    "write_mot",
    "write_tracks_csv",
    "write_tracks_jsonl",
]

#: One observation: a track's box in one frame of one camera (``frame`` is 0-based, as in ``Frame.index``).
OBSERVATION = np.dtype(
    [
        ("camera", "<u2"),
        ("frame", "<i4"),
        ("time", "<f8"),
        ("track", "<i8"),
        ("box", "<f4", (4,)),
        ("score", "<f4"),
        ("class", "<i2"),
    ]
)

#: In MOTChallenge text, which knows no "none", a track without identity gets this number plus its track number.
UNIDENTIFIED_OFFSET = 1_000_000

#: ``identity_of(camera_index, tracks (N,) int64, times (N,) float64 seconds) -> (N,) int64``; below 1 means none.
IdentityOf = Callable[[int, NDArray[np.int64], NDArray[np.float64]], NDArray[np.int64]]

_COLUMNS = ("camera", "frame", "time", "identity", "track", "x1", "y1", "x2", "y2", "score", "class")


class ObservationSpool(RecordSpool):
    """All observations of a run in one temporary file, with bounded memory.

    Args:
        folder: where the temporary file is made; created if needed. Put it on the disk that takes the results.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder, OBSERVATION, "observations")

    def append(
        self,
        camera: int,
        frame_index: int,
        time: float,
        tracks: ArrayLike,
        boxes: ArrayLike,
        scores: ArrayLike,
        classes: ArrayLike,
    ) -> None:
        """Add what one frame of one camera showed.

        Args:
            camera: index of the camera in the run's list of cameras.
            frame_index: 0-based frame number (``Frame.index``).
            time: seconds.
            tracks: (N,) track numbers.
            boxes: (N, 4) ``x1, y1, x2, y2`` pixels.
            scores: (N,) confidence.
            classes: (N,) class numbers.

        Raises:
            InputError: the disk is full or went away.
        """
        self.add(
            len(np.asarray(tracks)),
            {
                "camera": camera, "frame": frame_index, "time": time, "track": tracks, "box": boxes, "score": scores,
                "class": classes,
            },
        )  # fmt: skip

    def chunks(self, camera: int | None = None, size: int = 65_536) -> Iterator[NDArray[np.void]]:
        """Yield the observations in the order they came, as arrays of dtype :data:`OBSERVATION`.

        Args:
            camera: only those of one camera (its index).
            size: most records read at once.
        """
        for records in self.records(size):
            chosen = records if camera is None else records[records["camera"] == camera]
            if len(chosen):
                yield chosen


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """What ``identities.json`` says of one person.

    Args:
        identity: its number.
        cameras: names of the cameras that saw it, in the run's order.
        first_time: seconds of the first observation.
        last_time: seconds of the last.
        observations: how many boxes it has.
        tracks: its tracks as ``{"camera": name, "track": number}``.
        best_crop: path of its best crop, relative to the file, or ``None``.
    """

    identity: int
    cameras: list[str]
    first_time: float
    last_time: float
    observations: int
    tracks: list[dict[str, Any]] = field(default_factory=list)
    best_crop: str | None = None


def write_tracks_jsonl(
    path: str | Path, spool: ObservationSpool, cameras: Sequence[str], identity_of: IdentityOf
) -> None:
    """Write one JSON object a line for every observation.

    Its keys are camera (name), frame (1-based), time (seconds), identity (``null`` when there is none), track,
    box ``[x1, y1, x2, y2]`` in pixels counted from 0, score and class. The file appears complete or not at all.

    Args:
        path: the file to write.
        spool: the observations.
        cameras: names, by camera index.
        identity_of: the final identity of each track at each time.
    """
    names = [json.dumps(name, ensure_ascii=False) for name in cameras]
    pattern = (
        '{{"camera": {}, "frame": {}, "time": {}, "identity": {}, "track": {}, '
        '"box": [{}, {}, {}, {}], "score": {}, "class": {}}}\n'
    )
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for rows in _rows(spool, names, identity_of, none="null"):
            file.write("".join([pattern.format(*row) for row in rows]))


def write_tracks_csv(
    path: str | Path, spool: ObservationSpool, cameras: Sequence[str], identity_of: IdentityOf
) -> None:
    """Write every observation as a row of CSV under a header, the box in four columns, no identity as an empty field.

    Arguments as for :func:`write_tracks_jsonl`.
    """
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(_COLUMNS) + "\n")
        pattern = ",".join(["{}"] * len(_COLUMNS)) + "\n"
        for rows in _rows(spool, [_csv_field(name) for name in cameras], identity_of, none=""):
            file.write("".join([pattern.format(*row) for row in rows]))


def write_mot(path: str | Path, spool: ObservationSpool, camera: int, identity_of: IdentityOf) -> None:
    """Write one camera's observations as MOTChallenge text with the identity as id and frames counted from 1.

    A track without identity is written as :data:`UNIDENTIFIED_OFFSET` plus its own number, so that it stays one id.

    Args:
        path: the file to write.
        spool: the observations.
        camera: index of the camera.
        identity_of: the final identity of each track at each time.
    """
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        for records in spool.chunks(camera):
            identities = _identities(records, identity_of)
            ids = np.where(identities > 0, identities, UNIDENTIFIED_OFFSET + records["track"])
            file.write("".join(format_lines(records["frame"] + 1, ids, records["box"], records["score"])))


def write_detections(path: str | Path, spool: ObservationSpool, camera: int) -> None:
    """Write one camera's detections as MOTChallenge ``det.txt``: ids −1, frames counted from 1.

    Args:
        path: the file to write.
        spool: the detections, with −1 for their tracks.
        camera: index of the camera.
    """
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        for records in spool.chunks(camera):
            file.write("".join(format_lines(records["frame"] + 1, records["track"], records["box"], records["score"])))


def identity_records(
    spool: ObservationSpool,
    cameras: Sequence[str],
    identity_of: IdentityOf,
    best_crops: Mapping[int, str] | None = None,
) -> list[IdentityRecord]:
    """Return what ``identities.json`` holds, in ascending order of identity.

    Args:
        spool: the observations.
        cameras: names, by camera index.
        identity_of: the final identity of each track at each time.
        best_crops: identity → path of its best crop.
    """
    spans: dict[int, list[Any]] = {}
    tracks: dict[int, set[tuple[int, int]]] = {}
    for records in spool.chunks():
        identities = _identities(records, identity_of)
        named = identities > 0
        records, identities = records[named], identities[named]
        keys = np.stack([identities, records["camera"].astype(np.int64), records["track"]], axis=1)
        for identity, camera, track in np.unique(keys, axis=0).tolist():
            tracks.setdefault(identity, set()).add((camera, track))
        unique, inverse, counts = np.unique(identities, return_inverse=True, return_counts=True)
        first, last = np.full(len(unique), np.inf), np.full(len(unique), -np.inf)
        np.minimum.at(first, inverse, records["time"])
        np.maximum.at(last, inverse, records["time"])
        for identity, count, begin, end in zip(
            unique.tolist(), counts.tolist(), first.tolist(), last.tolist(), strict=True
        ):
            span = spans.setdefault(identity, [begin, end, 0])
            span[:] = [min(span[0], begin), max(span[1], end), span[2] + count]
    found = []
    for identity in sorted(spans):
        first_time, last_time, count = spans[identity]
        pairs = sorted(tracks[identity])
        found.append(
            IdentityRecord(
                identity=identity,
                cameras=[cameras[camera] for camera in sorted({camera for camera, _ in pairs})],
                first_time=round(first_time, 6),
                last_time=round(last_time, 6),
                observations=count,
                tracks=[{"camera": cameras[camera], "track": track} for camera, track in pairs],
                best_crop=(best_crops or {}).get(identity),
            )
        )
    return found


def write_identities_json(path: str | Path, records: Sequence[IdentityRecord]) -> None:
    """Write ``identities.json``: a list with one object for each person. It appears complete or not at all."""
    with atomic_path(Path(path)) as temporary:
        content = json.dumps([asdict(record) for record in records], indent=2, ensure_ascii=False)
        temporary.write_text(content + "\n", encoding="utf-8")


def _identities(records: NDArray[np.void], identity_of: IdentityOf) -> NDArray[np.int64]:
    identities = np.zeros(len(records), np.int64)
    for camera in np.unique(records["camera"]).tolist():
        rows = np.flatnonzero(records["camera"] == camera)
        # Copies, since a field of packed records is not aligned, which slows whatever the caller does with it.
        tracks = np.ascontiguousarray(records["track"][rows])
        identities[rows] = identity_of(camera, tracks, np.ascontiguousarray(records["time"][rows]))
    return identities


def _rows(
    spool: ObservationSpool, names: Sequence[str], identity_of: IdentityOf, *, none: str
) -> Iterator[Iterator[tuple[Any, ...]]]:
    for records in spool.chunks():
        identities = _identities(records, identity_of)
        boxes = np.round(records["box"].astype(np.float64), 2).T
        yield zip(
            [names[camera] for camera in records["camera"].tolist()],
            (records["frame"] + 1).tolist(),
            np.round(records["time"], 6).tolist(),
            [identity if identity > 0 else none for identity in identities.tolist()],
            records["track"].tolist(),
            *(column.tolist() for column in boxes),
            np.round(records["score"].astype(np.float64), 4).tolist(),
            records["class"].tolist(),
            strict=True,
        )


def _csv_field(text: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([text])
    return line.getvalue()
