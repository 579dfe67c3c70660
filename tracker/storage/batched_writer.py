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

from tracker.errors import InputError
from tracker.storage.store_schema import store_error

__all__ = ["COMMIT_SECONDS", "BatchedWriter"]

#: What is handed over is in the file after this many seconds and the time of one commit.
COMMIT_SECONDS = 0.25
#: more than this many writes are not collected: who hands over more waits until they are in the file
_MOST_COLLECTED = 20_000
#: seconds between two attempts while commits fail
_LONGEST_PAUSE = 4.0

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
        on_failure: called in the thread with a commit's failure, which then nobody raises. While commits fail and too
            many writes wait, further ones are dropped: a run for which to go on matters more than to be complete.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        tick: Callable[[], Operation | None] | None = None,
        on_failure: Callable[[InputError], None] | None = None,
    ) -> None:
        self._path = path
        self._connection = connection
        self._tick = tick
        self._on_failure = on_failure
        self._failing = False
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
        if self._failing and self._on_failure is not None and len(self._waiting) >= _MOST_COLLECTED:
            return
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
        pause = COMMIT_SECONDS
        while not self._stopping.wait(pause):
            try:
                operation = self._tick() if self._tick is not None else None
                if operation is not None:
                    self._waiting.append(operation)
                self._commit()
                self._failing, pause = False, COMMIT_SECONDS
            except Exception as error:
                if self._on_failure is None and not isinstance(error, sqlite3.Error):
                    raise
                # Trying all that waits again and again would take the time of those who have better to do.
                self._failing, pause = True, min(2 * pause, _LONGEST_PAUSE)
                if self._on_failure is not None:
                    self._on_failure(_as_input_error(self._path, error))
                elif isinstance(error, sqlite3.Error):
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
                for place, operation in enumerate(itertools.islice(self._waiting.copy(), count)):
                    try:
                        operation(connection)
                    except Exception as error:
                        if self._on_failure is not None and _is_its_own_fault(error):
                            # It would fail again and again, and nothing after it would ever be written.
                            del self._waiting[place]
                        raise
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            for _ in range(count):
                self._waiting.popleft()


def _is_its_own_fault(error: Exception) -> bool:
    """Return whether a write cannot be done whatever the disk says."""
    disk = sqlite3.OperationalError
    return not isinstance(error, disk) and type(error) is not sqlite3.DatabaseError


def _as_input_error(path: Path, error: Exception) -> InputError:
    if isinstance(error, sqlite3.Error) and not _is_its_own_fault(error):
        return store_error(path, error)
    words = " ".join(str(error).split())
    return InputError(f"something could not be written into the store {path} and was left out ({words})")
