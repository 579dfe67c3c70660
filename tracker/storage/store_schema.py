"""The tables of a store, and how its file is opened, made and brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tracker.errors import InputError
from tracker.storage.atomic import output_error

__all__ = ["MIGRATIONS", "is_store", "open_database", "store_error"]

#: in the file's header, so that a store is told from any other database: "mcst"
_APPLICATION = 0x6D637374
#: how long one process waits for another that is writing
_BUSY_SECONDS = 10.0

#: Statements by the version that they lead to: the file's version is how many of these groups it has seen. A later
#: version is one group more; those that were released never change.
MIGRATIONS: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
        # Times in the store are seconds since 1970; origin is what the run's own time 0 stands for.
        """CREATE TABLE runs (id INTEGER PRIMARY KEY, origin REAL NOT NULL, clock TEXT NOT NULL,
           process INTEGER, host TEXT, heartbeat REAL, ended REAL)""",
        "CREATE TABLE cameras (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, mean BLOB)",
        "CREATE TABLE identities (number INTEGER PRIMARY KEY, name TEXT)",
        # Numbers that are not used any more: of somebody erased (became NULL), or another number of the same person.
        "CREATE TABLE retired (number INTEGER PRIMARY KEY, became INTEGER)",
        # Who a track was said to be, from `since` on: 0 nobody, -1 somebody erased.
        """CREATE TABLE told (run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, camera INTEGER NOT NULL,
           track INTEGER NOT NULL, since REAL NOT NULL, identity INTEGER NOT NULL,
           PRIMARY KEY (run, camera, track, since)) WITHOUT ROWID""",
        "CREATE INDEX told_identity ON told (identity)",
        # A stretch of a track during which it was one person; identity NULL while nobody has said who.
        """CREATE TABLE sightings (id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs,
           camera INTEGER NOT NULL REFERENCES cameras, track INTEGER NOT NULL, start REAL NOT NULL, end REAL NOT NULL,
           identity INTEGER REFERENCES identities ON DELETE CASCADE)""",
        "CREATE INDEX sightings_track ON sightings (run, camera, track, start)",
        "CREATE INDEX sightings_identity ON sightings (identity, start)",
        "CREATE INDEX sightings_end ON sightings (end)",
        """CREATE TABLE boxes (sighting INTEGER NOT NULL REFERENCES sightings ON DELETE CASCADE, time REAL NOT NULL,
           x1 INTEGER NOT NULL, y1 INTEGER NOT NULL, x2 INTEGER NOT NULL, y2 INTEGER NOT NULL,
           PRIMARY KEY (sighting, time)) WITHOUT ROWID""",
        """CREATE TABLE crops (id INTEGER PRIMARY KEY AUTOINCREMENT,
           sighting INTEGER NOT NULL REFERENCES sightings ON DELETE CASCADE, time REAL NOT NULL, quality REAL NOT NULL,
           jpeg BLOB NOT NULL)""",
        "CREATE INDEX crops_sighting ON crops (sighting, time)",
        # How somebody looked in one camera of one run, which called them `source`; the vectors are some of the crops'.
        """CREATE TABLE looks (id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, source INTEGER NOT NULL,
           camera INTEGER NOT NULL REFERENCES cameras, identity INTEGER NOT NULL REFERENCES identities
           ON DELETE CASCADE, weight REAL NOT NULL, count INTEGER NOT NULL, total BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX looks_source ON looks (run, source, camera)",
        "CREATE INDEX looks_identity ON looks (identity, camera)",
        """CREATE TABLE vectors (id INTEGER PRIMARY KEY, look INTEGER NOT NULL REFERENCES looks ON DELETE CASCADE,
           time REAL NOT NULL, vector BLOB NOT NULL)""",
        "CREATE INDEX vectors_look ON vectors (look)",
        "CREATE INDEX vectors_time ON vectors (time)",
    ),
)


def is_store(path: Path) -> bool:
    """Return whether a file is a store, by its first bytes."""
    try:
        with path.open("rb") as file:
            header = file.read(72)
    except OSError:
        return False
    return header.startswith(b"SQLite format 3\0") and header[68:72] == _APPLICATION.to_bytes(4, "big")


def open_database(path: Path, *, read_only: bool = False, create: bool = False) -> sqlite3.Connection:
    """Return a connection to a store, in autocommit, for use by any thread (one at a time).

    Args:
        path: the file.
        read_only: nothing is written, and nothing need be writable.
        create: a file that is missing is made; its folder must be there.

    Raises:
        InputError: there is no such file, it is no store, a newer multicam's, or cannot be opened.
    """
    if path.is_dir():
        raise InputError(f"store {path} is a folder: give the file, for example {path / 'store.sqlite'}")
    if not path.is_file() and not create:
        raise InputError(f"there is no store {path}: give the store.sqlite that multicam track left in its folder")
    try:
        if create and not path.exists():
            path.touch()
        connection = _connection(path, read_only=read_only)
    except OSError as error:
        raise output_error(path, error) from error
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    try:
        version = _version(connection, path, fresh=create)
        if version > len(MIGRATIONS):
            raise InputError(
                f"store {path} is of version {version}, and this multicam knows versions up to {len(MIGRATIONS)}: "
                "use the multicam that wrote it, or a newer one"
            )
        if version < len(MIGRATIONS):
            if read_only:
                connection.close()
                open_database(path).close()
                return open_database(path, read_only=True)
            _migrate(connection, version)
    except sqlite3.Error as error:
        connection.close()
        raise store_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def store_error(path: Path, error: sqlite3.Error) -> InputError:
    """Return the one-line error for what SQLite said of a store, with a remedy."""
    text = str(error)
    if "full" in text:
        return InputError(f"cannot write the store {path}: no space left on the device: free some")
    if "locked" in text or "busy" in text:
        return InputError(f"store {path} is being written by another process: wait until it has ended")
    if "readonly" in text or "read-only" in text:
        return InputError(f"cannot write the store {path}: permission denied: give one that you may write to")
    if isinstance(error, sqlite3.OperationalError) and "disk I/O" not in text and "no such" not in text:
        return InputError(f"store {path} cannot be opened ({text}): check the file and its folder")
    return InputError(f"store {path} is no store of multicam, or a broken one ({text}): give another file")


def _connection(path: Path, *, read_only: bool) -> sqlite3.Connection:
    name = path.absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
    connection = sqlite3.connect(
        name, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    # A store may be somebody else's: no function of its schema is run, nothing broken is trusted.
    for pragma in ("trusted_schema=OFF", "foreign_keys=ON", "secure_delete=ON", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {pragma}")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


def _version(connection: sqlite3.Connection, path: Path, *, fresh: bool) -> int:
    """Return the version of the file, 0 for an empty one that may become a store."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION:
        if tables or application or not fresh:
            raise InputError(f"{path} is no store of multicam: give the store.sqlite of a run")
        return 0
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the file to the newest version, wholly or not at all."""
    if version == 0:
        # Only before the first table: pages that are free can then be given back to the system.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it meanwhile.
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={_APPLICATION}")
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
