"""What a store says, as small records; and the questions that give them. Times are seconds since 1970."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import normalised

__all__ = [
    "CropRecord",
    "Person",
    "Sighting",
    "StoreStats",
    "StoreSummary",
    "StoredVectors",
    "crops",
    "people",
    "sightings",
    "stats",
    "summary",
    "vectors",
]

_VECTOR = np.dtype("<f2")
#: rows taken from the database at once
_ROWS = 2048


@dataclass(frozen=True, slots=True)
class Person:
    """An identity: its number, its name if somebody gave it one, when and where it was seen, how much is kept of it."""

    number: int
    name: str | None
    first_seen: float | None
    last_seen: float | None
    cameras: list[str]
    sightings: int
    crops: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A stretch of a track during which it was one person.

    ``origin`` is what time 0 of its run stands for; ``clock`` is ``"video"`` if the run read recordings, and so knows
    times within them, and ``"wall"`` if it saw what happened as it happened.
    """

    number: int
    camera: str
    track: int
    start: float
    end: float
    origin: float
    clock: str


@dataclass(frozen=True, slots=True)
class CropRecord:
    """A crop of an identity, without its picture."""

    number: int
    identity: int
    camera: str
    time: float
    quality: float


@dataclass(frozen=True, slots=True, eq=False)
class StoredVectors:
    """Vectors (N, D), whose they are (N,), in which camera (N,) and when (N,) they were seen."""

    vectors: NDArray[np.float32]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    times: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StoreStats:
    """How much a store holds."""

    people: int
    sightings: int
    #: of nobody who is known
    nameless_sightings: int
    boxes: int
    crops: int
    crop_bytes: int
    vectors: int
    cameras: list[str]
    first_time: float | None
    last_time: float | None
    next_number: int
    embedder: str | None
    file_bytes: int


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """How many people and vectors a store holds, the first number that was never used, and its size."""

    people: int
    vectors: int
    next_number: int
    file_bytes: int


def people(connection: sqlite3.Connection, numbers: str = "", values: Sequence[int] = ()) -> list[Person]:
    """Return identities in ascending order; ``numbers`` is a condition on ``i.number``."""
    cameras: dict[int, list[str]] = {}
    where = f"WHERE {numbers}" if numbers else ""
    rows = connection.execute(
        "SELECT i.number, c.name FROM identities i JOIN sightings s ON s.identity = i.number "
        f"JOIN cameras c ON c.id = s.camera {where} GROUP BY i.number, c.name ORDER BY i.number, c.name",
        values,
    )
    for number, camera in rows:
        cameras.setdefault(number, []).append(camera)
    rows = connection.execute(
        "SELECT i.number, i.name, min(s.start), max(s.end), count(s.id), "
        "(SELECT count(*) FROM crops k JOIN sightings t ON k.sighting = t.id WHERE t.identity = i.number) "
        f"FROM identities i LEFT JOIN sightings s ON s.identity = i.number {where} GROUP BY i.number ORDER BY i.number",
        values,
    )
    return [
        Person(number, name, first, last, cameras.get(number, []), count, crops)
        for number, name, first, last, count, crops in rows
    ]


def sightings(connection: sqlite3.Connection, identity: int) -> list[Sighting]:
    """Return when and where an identity was seen, in ascending order of time."""
    rows = connection.execute(
        "SELECT s.id, c.name, s.track, s.start, s.end, r.origin, r.clock FROM sightings s "
        "JOIN cameras c ON c.id = s.camera JOIN runs r ON r.id = s.run WHERE s.identity = ? ORDER BY s.start, s.id",
        (identity,),
    )
    return [Sighting(*row) for row in rows]


def crops(connection: sqlite3.Connection, identity: int, camera: str | None, limit: int | None) -> list[CropRecord]:
    """Return an identity's crops, the best first."""
    rows = connection.execute(
        "SELECT k.id, s.identity, c.name, k.time, k.quality FROM crops k JOIN sightings s ON k.sighting = s.id "
        "JOIN cameras c ON c.id = s.camera WHERE s.identity = ? AND (? IS NULL OR c.name = ?) "
        "ORDER BY k.quality DESC, k.time, k.id LIMIT ?",
        (identity, camera, camera, -1 if limit is None else limit),
    )
    return [CropRecord(*row) for row in rows]


def vectors(connection: sqlite3.Connection, size: int, dimension: int) -> Iterator[StoredVectors]:
    """Yield all vectors in batches of at most ``size``, without holding more than one batch in memory."""
    (left,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
    cursor = connection.execute(
        "SELECT v.vector, l.identity, l.camera, v.time FROM vectors v JOIN looks l ON v.look = l.id ORDER BY v.id"
    )
    rows = cursor.fetchmany(min(_ROWS, size))
    while rows:
        # Somebody may add some between the count and the reading.
        count = min(size, max(left, len(rows)))
        batch = np.empty((count, dimension), np.float32)
        identities, cameras, times = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
        filled = 0
        while rows and filled + len(rows) <= count:
            part = slice(filled, filled + len(rows))
            flat = np.frombuffer(b"".join(row[0] for row in rows), _VECTOR).reshape(len(rows), dimension)
            batch[part] = normalised(flat.astype(np.float32))
            identities[part] = [row[1] for row in rows]
            cameras[part] = [row[2] for row in rows]
            times[part] = [row[3] for row in rows]
            filled += len(rows)
            rows = cursor.fetchmany(min(_ROWS, size - filled if filled < size else size))
        left -= filled
        yield StoredVectors(batch[:filled], identities[:filled], cameras[:filled], times[:filled])


def stats(connection: sqlite3.Connection, file_bytes: int) -> StoreStats:
    """Return how much there is."""

    def one(question: str) -> tuple[int, ...]:
        return tuple(connection.execute(question).fetchone())

    facts = dict(connection.execute("SELECT name, value FROM facts WHERE name IN ('next_number', 'embedder')"))
    crop_count, crop_bytes = one("SELECT count(*), coalesce(sum(length(jpeg)), 0) FROM crops")
    count, nameless = one("SELECT count(*), count(*) - count(identity) FROM sightings")
    first, last = one("SELECT min(start), max(end) FROM sightings")
    return StoreStats(
        people=one("SELECT count(*) FROM identities")[0],
        sightings=count,
        nameless_sightings=nameless,
        boxes=one("SELECT count(*) FROM boxes")[0],
        crops=crop_count,
        crop_bytes=crop_bytes,
        vectors=one("SELECT count(*) FROM vectors")[0],
        cameras=[row[0] for row in connection.execute("SELECT name FROM cameras ORDER BY name")],
        first_time=first,
        last_time=last,
        next_number=int(facts.get("next_number", 1)),
        embedder=facts.get("embedder"),
        file_bytes=file_bytes,
    )


def summary(connection: sqlite3.Connection, file_bytes: int) -> StoreSummary:
    """Return the figures that need no look at sightings, boxes and crops."""
    people_count, vector_count = (
        int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in ("identities", "vectors")
    )
    row = connection.execute("SELECT value FROM facts WHERE name = 'next_number'").fetchone()
    return StoreSummary(people_count, vector_count, 1 if row is None else int(row[0]), file_bytes)
