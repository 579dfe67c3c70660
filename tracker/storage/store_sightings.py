"""Where tracks were and who they were said to be, as rows of a store.

A *sighting* is a stretch of a track during which it was one person. Where it begins and ends follows from what was
told: an event about a track holds from its ``since`` on, until the next ``since`` that was ever told of that track.

Functions here run inside a transaction; times are seconds since 1970.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

__all__ = [
    "ERASED",
    "EVERY_CAMERA",
    "MOST_CROPS",
    "NOBODY",
    "add_crop",
    "camera_number",
    "cut",
    "keep_next_number",
    "observe",
    "resolved",
    "tell",
    "trim_crops",
]

#: in ``told.identity``
NOBODY, ERASED = 0, -1
#: in ``told.camera``: what is said of a track on the floor holds in every camera
EVERY_CAMERA = 0
#: crops kept of one identity in one camera
MOST_CROPS = 24


def camera_number(connection: sqlite3.Connection, name: str) -> int:
    """Return the number of a camera, which it gets when it is new."""
    row = connection.execute("SELECT id FROM cameras WHERE name = ?", (name,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO cameras (name) VALUES (?)", (name,)).lastrowid or 0)
    return int(row[0])


def resolved(connection: sqlite3.Connection, identity: int) -> int:
    """Return the number that a run's identity has in the store now, :data:`ERASED` for one that was erased."""
    if identity <= 0:
        return NOBODY
    row = connection.execute("SELECT became FROM retired WHERE number = ?", (identity,)).fetchone()
    if row is not None:
        return ERASED if row[0] is None else int(row[0])
    connection.execute("INSERT OR IGNORE INTO identities (number) VALUES (?)", (identity,))
    keep_next_number(connection, identity + 1)
    return identity


def keep_next_number(connection: sqlite3.Connection, number: int) -> None:
    """Note that identities below ``number`` have been used."""
    connection.execute(
        "INSERT INTO facts VALUES ('next_number', ?) "
        "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (number,),
    )


def observe(
    connection: sqlite3.Connection, run: int, camera: int, track: int, time: float, box: Sequence[float]
) -> None:
    """Add where a track was at one time; ``box`` is x1, y1, x2, y2 in pixels, kept to whole ones."""
    who = _told_at(connection, run, camera, track, time)
    if who == ERASED:
        return
    identity = who or None
    row = connection.execute(
        "SELECT id, identity FROM sightings WHERE run = ? AND camera = ? AND track = ? AND start <= ? "
        "ORDER BY start DESC LIMIT 1",
        (run, camera, track, time),
    ).fetchone()
    if row is None or row[1] != identity:
        number = connection.execute(
            "INSERT INTO sightings (run, camera, track, start, end, identity) VALUES (?, ?, ?, ?, ?, ?)",
            (run, camera, track, time, time, identity),
        ).lastrowid
    else:
        number = row[0]
        connection.execute("UPDATE sightings SET end = max(end, ?) WHERE id = ?", (time, number))
    connection.execute(
        "INSERT OR REPLACE INTO boxes VALUES (?, ?, ?, ?, ?, ?)", (number, time, *(round(float(v)) for v in box))
    )


def tell(connection: sqlite3.Connection, run: int, camera: int, track: int, since: float, identity: int) -> None:
    """Note that a track of a camera (or of :data:`EVERY_CAMERA`) is ``identity`` from ``since`` on; 0: nobody."""
    who = resolved(connection, identity)
    connection.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?)", (run, camera, track, since, who))
    (until,) = connection.execute(
        "SELECT min(since) FROM told WHERE run = ? AND camera = ? AND track = ? AND since > ?",
        (run, camera, track, since),
    ).fetchone()
    until = math.inf if until is None else until
    places = "" if camera == EVERY_CAMERA else "AND camera = :camera"
    rows = connection.execute(
        f"SELECT id, camera, start, end FROM sightings WHERE run = :run {places} AND track = :track "
        "AND end >= :since AND start < :until",
        {"run": run, "camera": camera, "track": track, "since": since, "until": until},
    ).fetchall()
    for number, place, start, end in rows:
        if start < since:
            number = cut(connection, number, since)
        if end >= until:
            cut(connection, number, until)
        if who == ERASED:
            connection.execute("DELETE FROM sightings WHERE id = ?", (number,))
            continue
        connection.execute("UPDATE sightings SET identity = ? WHERE id = ?", (who or None, number))
        if who:
            trim_crops(connection, who, place)


def add_crop(
    connection: sqlite3.Connection, run: int, camera: int, track: int, time: float, quality: float, jpeg: bytes
) -> None:
    """Add a crop of a track that was observed by then; of too many of one person and camera the least useful goes."""
    if _told_at(connection, run, camera, track, time) == ERASED:
        return
    row = connection.execute(
        "SELECT id, identity FROM sightings WHERE run = ? AND camera = ? AND track = ? AND start <= ? "
        "ORDER BY start DESC LIMIT 1",
        (run, camera, track, time),
    ).fetchone()
    if row is None:
        return
    connection.execute(
        "INSERT INTO crops (sighting, time, quality, jpeg) VALUES (?, ?, ?, ?)", (row[0], time, quality, jpeg)
    )
    if row[1] is None:
        _trim(connection, "c.sighting = ?", (row[0],))
    else:
        trim_crops(connection, row[1], camera)


def cut(connection: sqlite3.Connection, sighting: int, time: float) -> int:
    """Cut a sighting in two at a time inside it and return the number of the later one."""
    later = connection.execute(
        "INSERT INTO sightings (run, camera, track, start, end, identity) "
        "SELECT run, camera, track, ?, end, identity FROM sightings WHERE id = ?",
        (time, sighting),
    ).lastrowid
    assert later is not None
    for table in ("boxes", "crops"):
        connection.execute(f"UPDATE {table} SET sighting = ? WHERE sighting = ? AND time >= ?", (later, sighting, time))
    connection.execute(
        "UPDATE sightings SET end = max(start, coalesce((SELECT max(time) FROM boxes WHERE sighting = ?), start)) "
        "WHERE id = ?",
        (sighting, sighting),
    )
    return later


def trim_crops(connection: sqlite3.Connection, identity: int, camera: int) -> None:
    """Keep :data:`MOST_CROPS` crops of an identity in a camera, good ones and spread over the time."""
    _trim(
        connection,
        "c.sighting IN (SELECT id FROM sightings WHERE identity = ? AND camera = ?)",
        (identity, camera),
    )


def _trim(connection: sqlite3.Connection, which: str, values: tuple[int, ...]) -> None:
    rows = connection.execute(
        f"SELECT c.id, c.time, c.quality FROM crops c WHERE {which} ORDER BY c.time, c.id", values
    ).fetchall()
    while len(rows) > MOST_CROPS:
        # Of the two nearest in time, the worse.
        first = min(range(len(rows) - 1), key=lambda place: rows[place + 1][1] - rows[place][1])
        gone = first if rows[first][2] < rows[first + 1][2] else first + 1
        connection.execute("DELETE FROM crops WHERE id = ?", (rows.pop(gone)[0],))


def _told_at(connection: sqlite3.Connection, run: int, camera: int, track: int, time: float) -> int:
    row = connection.execute(
        "SELECT identity FROM told WHERE run = ? AND camera IN (?, ?) AND track = ? AND since <= ? "
        "ORDER BY since DESC, camera DESC LIMIT 1",
        (run, EVERY_CAMERA, camera, track, time),
    ).fetchone()
    return NOBODY if row is None else int(row[0])
