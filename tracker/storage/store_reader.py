"""What can be asked of a store."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.earlier_runs import KnownPeople
from tracker.cross_camera.gallery_file import EmbedderMark, check_same_embedder
from tracker.errors import InputError
from tracker.storage import store_edits, store_pages, store_records
from tracker.storage.store_looks import known_people
from tracker.storage.store_records import CropRecord, Person, Sighting, StoredVectors, StoreStats, StoreSummary
from tracker.storage.store_schema import open_database, store_error
from tracker.storage.store_search import LARGEST_PRODUCT, VectorHit, best_matches

__all__ = ["EmbedderRecord", "StoreReader"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class EmbedderRecord:
    """What made a store's vectors: how a person names it, and what it is recognised by.

    ``threshold`` is the cosine distance below which the last run took two looks for one person.
    """

    spec: str
    weights: str | None
    mark: EmbedderMark
    threshold: float | None = None


class StoreReader:
    """Identities, their looks, sightings and crops in one file, to look at while others may write.

    Times are seconds since 1970.

    Args:
        path: the file.

    Raises:
        InputError: the file is missing, no store, of a newer multicam, or cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._reader = open_database(self.path, read_only=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; does nothing the second time."""
        self._reader.close()

    def people(self) -> list[Person]:
        """Return all identities, in ascending order."""
        return self._read(store_records.people)

    def person(self, number: int) -> Person:
        """Return one identity.

        Raises:
            InputError: it is not there: it never was, was erased, or is another now.
        """

        def read(connection: sqlite3.Connection) -> Person:
            store_edits.check_identity(connection, number)
            return store_records.people(connection, "i.number = ?", (number,))[0]

        return self._read(read)

    def people_page(self, query: str, limit: int, offset: int = 0) -> tuple[int, list[Person]]:
        """Return how many people a name or number is about, and ``limit`` of them, those seen last first."""
        return self._read(lambda connection: store_pages.people_page(connection, query, limit, offset))

    def best_crops(self, numbers: Sequence[int]) -> dict[int, int]:
        """Return the number of the best crop of each identity that has one."""
        return self._read(lambda connection: store_pages.best_crops(connection, numbers))

    def names(self) -> dict[int, str]:
        """Return the names that people have given, by identity."""
        question = "SELECT number, name FROM identities WHERE name IS NOT NULL"
        return self._read(lambda connection: dict(connection.execute(question).fetchall()))

    def sightings(self, number: int) -> list[Sighting]:
        """Return when and where an identity was seen, in ascending order of time."""
        return self._read(lambda connection: store_records.sightings(connection, number))

    def path_of(self, sighting: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return times (N,) and boxes (N, 4) x1, y1, x2, y2 of a sighting, thinned, in ascending order of time."""
        rows = self._read(
            lambda connection: connection.execute(
                "SELECT time, x1, y1, x2, y2 FROM boxes WHERE sighting = ? ORDER BY time", (sighting,)
            ).fetchall()
        )
        return np.array([row[0] for row in rows], float), np.array([row[1:] for row in rows], np.int64).reshape(-1, 4)

    def crops(self, number: int, *, camera: str | None = None, limit: int | None = None) -> list[CropRecord]:
        """Return an identity's crops, of one camera or of all, the best first."""
        return self._read(lambda connection: store_records.crops(connection, number, camera, limit))

    def crop(self, number: int) -> bytes | None:
        """Return the JPEG bytes of a crop, ``None`` if it is not there (any more)."""
        row = self._read(
            lambda connection: connection.execute("SELECT jpeg FROM crops WHERE id = ?", (number,)).fetchone()
        )
        return None if row is None else bytes(row[0])

    def search(self, queries: NDArray[np.float32], top: int) -> list[list[VectorHit]]:
        """Return for each query (Q, D), L2-normalised, the ``top`` identities most like it, the best first.

        Exact: one matrix product up to :data:`LARGEST_PRODUCT` vectors, several beyond, with the best so far.

        Raises:
            InputError: the queries are not of the store's length.
        """
        record = self.embedder()
        if record is None or queries.shape[1] != record.mark.dimension:
            there = "no vectors" if record is None else f"vectors of {record.mark.dimension}"
            raise InputError(f"store {self.path} has {there}, the query is one of {queries.shape[1]}: use its embedder")
        dimension = record.mark.dimension

        def read(connection: sqlite3.Connection) -> list[list[VectorHit]]:
            return best_matches(queries, store_records.vectors(connection, LARGEST_PRODUCT, dimension), top)

        return self._read(read)

    def vectors(self) -> StoredVectors:
        """Return all vectors at once."""
        record = self.embedder()
        dimension = 0 if record is None else record.mark.dimension
        parts = self._read(lambda connection: list(store_records.vectors(connection, LARGEST_PRODUCT, dimension)))
        if not parts:
            none = np.zeros(0, np.int64)
            return StoredVectors(np.zeros((0, dimension), np.float32), none, none, np.zeros(0))
        return StoredVectors(
            np.concatenate([part.vectors for part in parts]), np.concatenate([part.identities for part in parts]),
            np.concatenate([part.cameras for part in parts]), np.concatenate([part.times for part in parts]),
        )  # fmt: skip

    def camera_names(self) -> dict[int, str]:
        """Return the names of cameras by their numbers in the store."""
        return self._read(lambda connection: dict(connection.execute("SELECT id, name FROM cameras").fetchall()))

    def embedder(self) -> EmbedderRecord | None:
        """Return what made the vectors, ``None`` if nothing ever did."""
        facts: dict[str, Any] = self._read(
            lambda connection: dict(connection.execute("SELECT name, value FROM facts").fetchall())
        )
        if "embedder" not in facts:
            return None
        shape = json.loads(facts["embedder_shape"])
        vectors = np.frombuffer(facts["embedder_mark"], "<f4").reshape(shape).astype(np.float32)
        return EmbedderRecord(
            facts["embedder_spec"], facts["embedder_weights"], EmbedderMark(facts["embedder"], vectors),
            facts["threshold"],
        )  # fmt: skip

    def known_people(self, mark: EmbedderMark, now: float, *, limit: int | None = None) -> KnownPeople:
        """Return whom a run that begins ``now`` (seconds since 1970) shall know: at most ``limit``, seen last.

        Raises:
            InputError: another embedder than that of ``mark`` made the vectors.
        """
        record = self.embedder()
        if record is not None:
            remedy = f"use that embedder, or another store for {mark.name}"
            check_same_embedder(f"store {self.path}", record.mark, mark, remedy)
        return self._read(lambda connection: known_people(connection, now, limit))

    def stats(self) -> StoreStats:
        """Return how much the store holds; all of it is counted."""
        size = self._bytes()
        return self._read(lambda connection: store_records.stats(connection, size))

    def summary(self) -> StoreSummary:
        """Return the little of ``stats`` that is found at once, however large the store is."""
        size = self._bytes()
        return self._read(lambda connection: store_records.summary(connection, size))

    def _bytes(self) -> int:
        parts = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def _read(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._connection() as connection:
            return question(connection)

    def _connection(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return _with_clear_errors(self.path, self._reader)


@contextlib.contextmanager
def _with_clear_errors(path: Path, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except sqlite3.Error as error:
        raise store_error(path, error) from error
