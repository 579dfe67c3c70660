"""A store: who was seen where and when, how they looked, and pictures of them, in one SQLite file.

Made for a process that runs for weeks: writes are handed over and committed a few times a second, so that after a kill
at any moment the file opens and nothing older than a second is missing. Others may read meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sqlite3
import time as clock
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.earlier_runs import KnownPeople
from tracker.cross_camera.gallery_file import check_same_embedder
from tracker.errors import InputError
from tracker.storage import store_edits
from tracker.storage.batched_writer import BatchedWriter
from tracker.storage.store_edits import Purged
from tracker.storage.store_looks import Look, fold_looks, put_camera_means, put_known_people, put_looks
from tracker.storage.store_reader import EmbedderRecord, StoreReader
from tracker.storage.store_schema import open_database
from tracker.storage.store_sightings import EVERY_CAMERA, add_crop, camera_number, keep_next_number, observe, tell

__all__ = ["EmbedderRecord", "TrackStore"]

#: a run of another computer that said nothing for longer than this has ended somehow
_SILENT_SECONDS = 10.0
_HEARTBEAT_SECONDS = 2.0
#: sightings or looks, and pages of the file, that are taken away at once
_PURGE_PIECE, _PURGE_PAGES = 200, 256
#: how long emptying the log waits for those who read
_READERS_MILLISECONDS = 1000

Result = TypeVar("Result")


class TrackStore(StoreReader):
    """Identities, their looks, sightings and crops in one file.

    Times handed over are those of the run's own clock, times read are seconds since 1970; :meth:`begin_run` says how
    the two go together. Use it from one thread, or several one after another.

    Args:
        path: the file.
        create: make the file when it is missing.
        on_failure: told of writes that could not be committed, in place of an error for who hands over the next; they
            are tried again.

    Raises:
        InputError: the file is missing, no store, of a newer multicam, or cannot be opened.
    """

    def __init__(
        self, path: str | Path, *, create: bool = False, on_failure: Callable[[InputError], None] | None = None
    ) -> None:
        self.path = Path(path).expanduser()
        self._run: int | None = None
        self._origin = 0.0
        self._beat = 0.0
        self._writer = BatchedWriter(self.path, open_database(self.path, create=create), self._heartbeat, on_failure)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            with contextlib.suppress(InputError):
                self.close()

    # What a run writes

    def begin_run(self, origin: float, *, clock_kind: str) -> None:
        """Begin to write what a run sees.

        Args:
            origin: seconds since 1970 that time 0 of the run stands for.
            clock_kind: ``"wall"``, or ``"video"`` if times are those of recordings.

        Raises:
            InputError: another process is writing a run.
        """

        def begin(connection: sqlite3.Connection) -> int:
            self._check_alone(connection)
            connection.execute("UPDATE runs SET ended = heartbeat WHERE ended IS NULL")
            fold_looks(connection)
            return connection.execute(
                "INSERT INTO runs (origin, clock, process, host, heartbeat) VALUES (?, ?, ?, ?, ?)",
                (origin, clock_kind, os.getpid(), platform.node(), clock.time()),
            ).lastrowid or 0  # fmt: skip

        self._run, self._origin = self._edit(begin), origin
        self._beat = clock.monotonic()

    def observe(self, camera: str, track: int, time: float, box: Sequence[float] | NDArray[np.floating]) -> None:
        """Hand over where a track was: ``time`` in seconds of the run, ``box`` (4,) x1, y1, x2, y2 in pixels."""
        run, values, when = self._running(), [float(value) for value in box], time + self._origin
        self._add(lambda connection: observe(connection, run, camera_number(connection, camera), track, when, values))

    def tell(self, camera: str | None, track: int, since: float, identity: int) -> None:
        """Hand over who a track is from ``since`` on, 0 for nobody; ``camera`` is ``None`` for a track on the floor."""
        run, when = self._running(), since + self._origin

        def write(connection: sqlite3.Connection) -> None:
            place = EVERY_CAMERA if camera is None else camera_number(connection, camera)
            tell(connection, run, place, track, when, identity)

        self._add(write)

    def add_crop(self, camera: str, track: int, time: float, quality: float, jpeg: bytes) -> None:
        """Hand over a crop of a track that has been observed; of each identity and camera a bounded number is kept."""
        run, when = self._running(), time + self._origin
        self._add(
            lambda connection: add_crop(
                connection, run, camera_number(connection, camera), track, when, float(quality), jpeg
            )
        )

    def put_looks(self, looks: Sequence[Look], gone: Sequence[tuple[int, str | None]] = ()) -> None:
        """Hand over how people look, in place of what the run said of them before.

        Args:
            looks: of one identity in one camera each.
            gone: identities and cameras (``None``: all) of looks that turned out to be of others.
        """
        run, origin = self._running(), self._origin
        self._add(lambda connection: put_looks(connection, run, origin, looks, gone))

    def merged(self, number: int, into: int) -> None:
        """Hand over that the run found two of its identities to be one person."""

        def write(connection: sqlite3.Connection) -> None:
            # By hand, or by an earlier settlement, it may have happened before.
            known = {row[0] for row in connection.execute(
                "SELECT number FROM identities WHERE number IN (?, ?)", (number, into)
            )}  # fmt: skip
            if known == {number, into}:
                store_edits.merge_identities(connection, number, into)

        self._add(write)

    def put_people(self, people: KnownPeople, loaded: float, known: Collection[int]) -> None:
        """Hand over whom the run knows at its end, in place of the looks of ``people`` and of those ``known`` before.

        Args:
            people: with vectors of this run, and of earlier ones as :meth:`known_people` gave them.
            loaded: when it did, the ``now`` it was given.
            known: the identities that it gave.
        """
        run, origin, replaced = self._running(), self._origin, set(known)
        self._add(lambda connection: put_known_people(connection, run, origin, people, loaded, replaced))

    def put_means(self, camera_means: Mapping[str, NDArray[np.float32]], next_number: int) -> None:
        """Hand over each camera's mean look (D,), and the first number that was never used."""

        def write(connection: sqlite3.Connection) -> None:
            put_camera_means(connection, camera_means)
            keep_next_number(connection, next_number)

        self._add(write)

    def set_embedder(self, record: EmbedderRecord) -> None:
        """Note what makes the vectors, or its threshold anew.

        Raises:
            InputError: another embedder has made those that are there.
        """
        earlier = self.embedder()
        if earlier is not None:
            remedy = f"use that embedder, or another store for {record.mark.name}"
            check_same_embedder(f"store {self.path}", earlier.mark, record.mark, remedy)
        facts = {
            "embedder": record.mark.name,
            "embedder_spec": record.spec,
            "embedder_weights": record.weights,
            "embedder_shape": json.dumps(record.mark.vectors.shape),
            "embedder_mark": record.mark.vectors.astype("<f4").tobytes(),
            "threshold": record.threshold,
        }
        replace = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
        self._edit(lambda connection: connection.executemany(replace, facts.items()))

    def flush(self) -> None:
        """Return when all that was handed over is in the file."""
        self._writer.flush()

    def end_run(self) -> None:
        """Say that the run has ended well; what is nobody's is forgotten."""
        run = self._running()

        def end(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE runs SET ended = ? WHERE id = ?", (clock.time(), run))
            connection.execute("DELETE FROM sightings WHERE run = ? AND identity IS NULL", (run,))
            connection.execute("DELETE FROM told WHERE run = ?", (run,))

        self._edit(end)
        self._run = None

    def close(self) -> None:
        """Commit what is left and close the file; does nothing the second time."""
        self._writer.close()

    # What a person changes

    def rename(self, number: int, name: str | None) -> None:
        """Give an identity a name, or take it away."""
        self._edit(lambda connection: store_edits.rename(connection, number, name))

    def merge(self, number: int, into: int) -> None:
        """Make ``number`` the same person as ``into``; what a run says of ``number`` goes to ``into`` from now on."""
        self._edit(lambda connection: store_edits.merge_identities(connection, number, into))

    def split_off(self, number: int, camera: str, start: float, end: float, *, new: int | None = None) -> int:
        """Make what was seen of an identity in one camera in start ≤ time ≤ end a new identity; return its number.

        Args:
            number: the identity.
            camera: name.
            start: seconds since 1970.
            end: seconds since 1970.
            new: its number, when a run goes on, which alone knows what is free; ``None``: the store's next.

        Raises:
            InputError: it was not seen there then, or another process is writing a run.
        """

        def split(connection: sqlite3.Connection) -> int:
            self._check_alone(connection)
            return store_edits.split_off(connection, number, camera, start, end, new)

        return self._edit(split)

    def erase(self, numbers: int | Sequence[int]) -> bool:
        """Erase identities wholly: crops, vectors, sightings, names; nothing is left of them in the file.

        Returns:
            whether the bytes are gone already; ``False`` while another process reads what was there before: then they
            go when it has ended, with the next erasure or when the store is closed.
        """
        chosen = [numbers] if isinstance(numbers, int) else list(numbers)

        def erase(connection: sqlite3.Connection) -> None:
            for number in chosen:
                store_edits.erase_identity(connection, number)

        self._edit(erase)
        return self._let_go()

    def purge(self, before: float, *, pause: float = 0.0, stopped: Callable[[], bool] = lambda: False) -> Purged:
        """Take away all that is of a time before ``before`` (seconds since 1970), and give its space back.

        It is done a little at a time, so that a run that goes on writes in between.

        Args:
            before: seconds since 1970.
            pause: seconds between two pieces.
            stopped: asked between two pieces whether to leave the rest for another time.
        """
        purged, more = Purged(0, 0, 0, 0), True
        while more and not stopped():
            part, more = self._edit(lambda connection: store_edits.purge_piece(connection, before, _PURGE_PIECE))
            purged += part
            clock.sleep(pause)
        while not stopped() and self._give_back(_PURGE_PAGES):
            clock.sleep(pause)
        self._let_go()
        return purged

    def _give_back(self, pages: int) -> bool:
        """Give some free pages back to the system; return whether there are more."""
        with self._writer.connection() as connection:
            connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
            return bool(connection.execute("PRAGMA freelist_count").fetchone()[0])

    def _let_go(self) -> bool:
        """Give free pages back to the system, and empty the log, which still has what was there before."""
        with self._writer.connection() as connection:
            connection.execute("PRAGMA incremental_vacuum").fetchall()
            # Who reads for long does not hold up a run that goes on.
            (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
            connection.execute(f"PRAGMA busy_timeout={_READERS_MILLISECONDS}")
            try:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.execute(f"PRAGMA busy_timeout={patience}")
        return not busy

    def _heartbeat(self) -> Callable[[sqlite3.Connection], None] | None:
        """Return a write that says that the run goes on, from time to time."""
        run, now = self._run, clock.monotonic()
        if run is None or now - self._beat < _HEARTBEAT_SECONDS:
            return None
        self._beat = now

        def beat(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE runs SET heartbeat = ? WHERE id = ? AND ended IS NULL", (clock.time(), run))

        return beat

    def _check_alone(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT process, host FROM runs WHERE ended IS NULL AND heartbeat > ? AND id IS NOT ?",
            (clock.time() - _SILENT_SECONDS, self._run),
        ).fetchall()
        for process, host in rows:
            if host != platform.node() or (process != os.getpid() and _is_running(process)):
                raise InputError(f"store {self.path} is being written by process {process}: wait until it has ended")

    def _running(self) -> int:
        if self._run is None:
            raise ValueError("begin_run comes before anything is written")
        return self._run

    def _add(self, operation: Callable[[sqlite3.Connection], None]) -> None:
        self._writer.add(operation)

    def _edit(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return self._writer.run(work)

    def _connection(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return self._writer.connection()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
