"""Writes to a database that are collected and committed together, soon."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tracker.storage.store_schema import store_error

__all__ = ["COMMIT_SECONDS", "BatchedWriter"]

#: What is handed over is in the file after this many seconds and the time of one commit.
COMMIT_SECONDS = 0.25
#: more than this many writes are not collected: who hands over more waits until they are in the file
_MOST_COLLECTED = 20_000

Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection], None]


class BatchedWriter:
    """Collects writes and commits them in a thread of its own, so that who hands them over does not wait for the disk.

    Every write is kept until it is in the file: one commit that fails (a full disk) is tried again with the next, and
    the failure is raised once by whoever hands over next.

    Args:
        path: the file, for errors.
        connection: in autocommit; it is the writer's from now on, and closed with it.
        tick: called about every ``COMMIT_SECONDS`` in the thread, and returns a write or ``None``.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, tick: Callable[[], Operation | None] | None = None
    ) -> None:
        self._path = path
        self._connection = connection
        self._tick = tick
        self._waiting: deque[Operation] = deque()
        # Guards the connection; whoever holds it may take from the queue.
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._failure: sqlite3.Error | None = None
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # A commit is on the disk when it returns: not even a power cut takes it back.
            connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            connection.close()
            raise store_error(path, error) from error
        self._thread = threading.Thread(target=self._commit_regularly, name="store", daemon=True)
        self._thread.start()

    def add(self, operation: Operation) -> None:
        """Hand over one write: a function of the connection, called in a transaction, perhaps more than once.

        Raises:
            InputError: the writes before it could not be committed; they and this one are tried again.
        """
        self._waiting.append(operation)
        if len(self._waiting) > _MOST_COLLECTED:
            self.flush()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise store_error(self._path, failure)

    def flush(self) -> None:
        """Return when all that was handed over is in the file.

        Raises:
            InputError: it cannot be written.
        """
        try:
            self._commit()
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Return what ``work`` returns: it sees all that was handed over, in one transaction of its own.

        Raises:
            InputError: the file cannot be read or written.
        """
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has ended the transaction already.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            return result

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection to this thread alone, outside a transaction; all that was handed over is in the file."""
        with self._lock:
            try:
                self._commit()
                yield self._connection
            except sqlite3.Error as error:
                raise store_error(self._path, error) from error

    def close(self) -> None:
        """Commit what is left and close the connection; does nothing the second time.

        Raises:
            InputError: the rest cannot be written.
        """
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join()
        try:
            self.flush()
        finally:
            with self._lock:
                # Alone, the file needs no others beside it, and can be read where nothing can be written.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA busy_timeout=0")
                    self._connection.execute("PRAGMA journal_mode=DELETE")
                self._connection.close()

    def _commit_regularly(self) -> None:
        while not self._stopping.wait(COMMIT_SECONDS):
            try:
                operation = self._tick() if self._tick is not None else None
                if operation is not None:
                    self._waiting.append(operation)
                self._commit()
            except sqlite3.Error as error:
                self._failure = error

    def _commit(self) -> None:
        with self._lock:
            count = len(self._waiting)
            if not count:
                return
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                # The queue grows meanwhile, at its other end.
                for operation in itertools.islice(self._waiting.copy(), count):
                    operation(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            for _ in range(count):
                self._waiting.popleft()
