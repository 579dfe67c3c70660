"""What a person changes in a store by hand, and what its retention takes away.

Functions here run inside a transaction; times are seconds since 1970. Wrong requests raise ``InputError``.
"""

from __future__ import annotations

import sqlite3
import time as clock
from dataclasses import dataclass

from tracker.errors import InputError
from tracker.storage.store_looks import remake_look
from tracker.storage.store_sightings import ERASED, EVERY_CAMERA, cut, resolved, trim_crops

__all__ = ["Purged", "check_identity", "erase_identity", "merge_identities", "purge_piece", "rename", "split_off"]

#: a sighting of a run that goes on and was extended so lately is of somebody who may still be there
_GOING_ON_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Purged:
    """How much went: whole identities, sightings, crops and vectors."""

    identities: int
    sightings: int
    crops: int
    vectors: int

    def __add__(self, other: Purged) -> Purged:
        return Purged(
            self.identities + other.identities, self.sightings + other.sightings, self.crops + other.crops,
            self.vectors + other.vectors,
        )  # fmt: skip


def check_identity(connection: sqlite3.Connection, number: int) -> None:
    """Check that an identity is there.

    Raises:
        InputError: nobody had the number, it was erased, or has become another.
    """
    if connection.execute("SELECT 1 FROM identities WHERE number = ?", (number,)).fetchone() is not None:
        return
    row = connection.execute("SELECT became FROM retired WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise InputError(f"identity {number} is not in the store: multicam store stats lists those that are")
    if row[0] is None:
        raise InputError(f"identity {number} was erased or is older than what is kept: give another")
    raise InputError(f"identity {number} has become identity {row[0]}: give that number")


def rename(connection: sqlite3.Connection, number: int, name: str | None) -> None:
    """Give an identity a name, of at most 100 letters; ``None`` or nothing takes it away."""
    check_identity(connection, number)
    name = " ".join((name or "").split()) or None
    if name is not None and (len(name) > 100 or not name.isprintable()):
        raise InputError(f"the name {name[:20]!r}… of identity {number} is not at most 100 letters: give a shorter one")
    connection.execute("UPDATE identities SET name = ? WHERE number = ?", (name, number))


def merge_identities(connection: sqlite3.Connection, number: int, into: int) -> None:
    """Make ``number`` the same person as ``into``, whose number stays; what runs say of ``number`` goes there, too."""
    if number == into:
        raise InputError(f"identity {number} cannot be made one with itself: give two numbers")
    check_identity(connection, number)
    check_identity(connection, into)
    for table in ("sightings", "told", "looks"):
        connection.execute(f"UPDATE {table} SET identity = ? WHERE identity = ?", (into, number))
    connection.execute("UPDATE retired SET became = ? WHERE became = ?", (into, number))
    connection.execute("INSERT INTO retired VALUES (?, ?)", (number, into))
    connection.execute(
        "UPDATE identities SET name = coalesce(name, (SELECT name FROM identities WHERE number = ?)) WHERE number = ?",
        (number, into),
    )
    connection.execute("DELETE FROM identities WHERE number = ?", (number,))
    cameras = connection.execute("SELECT DISTINCT camera FROM sightings WHERE identity = ?", (into,)).fetchall()
    for (camera,) in cameras:
        trim_crops(connection, into, camera)


def split_off(
    connection: sqlite3.Connection, number: int, camera: str, start: float, end: float, new: int | None
) -> int:
    """Make what was seen of an identity in one camera in start ≤ time ≤ end a new identity; return its number.

    Args:
        connection: of the store.
        number: the identity.
        camera: name.
        start: seconds since 1970.
        end: seconds since 1970.
        new: a number that a run which goes on has set aside; ``None``: the store's next.
    """
    check_identity(connection, number)
    rows = connection.execute(
        "SELECT s.id, s.run, s.camera, s.track, s.start FROM sightings s JOIN cameras c ON s.camera = c.id "
        "WHERE s.identity = ? AND c.name = ? AND s.start <= ? AND s.end >= ?",
        (number, camera, end, start),
    ).fetchall()
    if not rows:
        raise InputError(f"identity {number} was not seen in camera {camera!r} then: choose a time of its sightings")
    if new is None:
        (new,) = connection.execute("SELECT value FROM facts WHERE name = 'next_number'").fetchone()
    taken = connection.execute(
        "SELECT 1 FROM identities WHERE number = :n UNION ALL SELECT 1 FROM retired WHERE number = :n", {"n": new}
    ).fetchone()
    if taken is not None:
        raise InputError(f"identity {new} was there before: numbers are not used again")
    assert new is not None
    resolved(connection, new)
    for sighting, run, place, track, first in rows:
        # What is said of a track on the floor holds in all cameras, of which only this one is meant.
        since = max(first, start)
        if first < start:
            sighting = cut(connection, sighting, start)
        after = connection.execute(
            "SELECT min(time) FROM boxes WHERE sighting = ? AND time > ?", (sighting, end)
        ).fetchone()[0]
        if after is not None:
            cut(connection, sighting, after)
            _tell(connection, run, place, track, after, number)
        _tell(connection, run, place, track, since, new)
        connection.execute("UPDATE sightings SET identity = ? WHERE id = ?", (new, sighting))
    _move_vectors(connection, number, camera, start, end, new)
    return int(new)


def _tell(connection: sqlite3.Connection, run: int, camera: int, track: int, since: float, identity: int) -> None:
    connection.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?)", (run, camera, track, since, identity))


def _move_vectors(connection: sqlite3.Connection, number: int, camera: str, start: float, end: float, new: int) -> None:
    looks = connection.execute(
        "SELECT l.id, l.run, l.camera, l.weight, l.count, l.total, count(v.id) FROM looks l "
        "JOIN cameras c ON l.camera = c.id JOIN vectors v ON v.look = l.id AND v.time BETWEEN ? AND ? "
        "WHERE l.identity = ? AND c.name = ? GROUP BY l.id",
        (start, end, number, camera),
    ).fetchall()
    moved: dict[int, int] = {}
    for look, run, place, weight, count, total, part in looks:
        (whole,) = connection.execute("SELECT count(*) FROM vectors WHERE look = ?", (look,)).fetchone()
        share = part / whole
        if run not in moved:
            moved[run] = connection.execute(
                "INSERT INTO looks (run, source, camera, identity, weight, count, total) VALUES (?, ?, ?, ?, 0, 0, ?)",
                (run, new, place, new, total),
            ).lastrowid or 0  # fmt: skip
        connection.execute(
            "UPDATE looks SET weight = weight + ?, count = count + ? WHERE id = ?",
            (weight * share, max(1, round(count * share)), moved[run]),
        )
        connection.execute(
            "UPDATE vectors SET look = ? WHERE look = ? AND time BETWEEN ? AND ?", (moved[run], look, start, end)
        )
        connection.execute(
            "UPDATE looks SET weight = ?, count = ? WHERE id = ?",
            (weight * (1 - share), max(1, round(count * (1 - share))), look),
        )
        remake_look(connection, look)
    for look in moved.values():
        remake_look(connection, look)


def erase_identity(connection: sqlite3.Connection, number: int) -> None:
    """Erase an identity wholly: crops, vectors, sightings, its name. What a run still says of it is not kept either."""
    check_identity(connection, number)
    # A track that may still be there is remembered as somebody's of whom nothing is kept.
    connection.execute(
        "UPDATE told SET identity = ? WHERE identity = ? AND run IN (SELECT id FROM runs WHERE ended IS NULL) AND "
        "(camera = ? OR EXISTS (SELECT 1 FROM sightings s WHERE s.run = told.run AND s.camera = told.camera "
        " AND s.track = told.track AND s.end > ?))",
        (ERASED, number, EVERY_CAMERA, _latest(connection) - _GOING_ON_SECONDS),
    )
    connection.execute("DELETE FROM told WHERE identity = ?", (number,))
    _retire(connection, number)


def _retire(connection: sqlite3.Connection, number: int) -> None:
    # Sightings, boxes, crops, looks and vectors go with it.
    connection.execute("DELETE FROM identities WHERE number = ?", (number,))
    connection.execute("UPDATE retired SET became = NULL WHERE became = ?", (number,))
    connection.execute("INSERT INTO retired VALUES (?, NULL)", (number,))


def _latest(connection: sqlite3.Connection) -> float:
    (latest,) = connection.execute("SELECT max(end) FROM sightings").fetchone()
    return clock.time() if latest is None else float(latest)


def purge_piece(connection: sqlite3.Connection, before: float, most: int) -> tuple[Purged, bool]:
    """Take away a little of what is of a time before ``before``; return how much, and whether there may be more.

    The last piece takes identities of whom then nothing is left.

    Args:
        connection: of the store.
        before: seconds since 1970.
        most: sightings or looks of one piece.
    """
    old = [row[0] for row in connection.execute("SELECT id FROM sightings WHERE end < ? LIMIT ?", (before, most))]
    if old:
        crops = 0
        for number in old:
            crops += connection.execute("SELECT count(*) FROM crops WHERE sighting = ?", (number,)).fetchone()[0]
            connection.execute("DELETE FROM sightings WHERE id = ?", (number,))
        return Purged(0, len(old), crops, 0), True
    looks = connection.execute("SELECT DISTINCT look FROM vectors WHERE time < ? LIMIT ?", (before, most)).fetchall()
    if looks:
        vectors = 0
        for (look,) in looks:
            vectors += connection.execute("DELETE FROM vectors WHERE look = ? AND time < ?", (look, before)).rowcount
            remake_look(connection, look)
        return Purged(0, 0, 0, vectors), True
    # What began before and goes on: its older part.
    crops = 0
    for (number,) in connection.execute("SELECT id FROM sightings WHERE start < ?", (before,)).fetchall():
        connection.execute("DELETE FROM boxes WHERE sighting = ? AND time < ?", (number, before))
        crops += connection.execute("DELETE FROM crops WHERE sighting = ? AND time < ?", (number, before)).rowcount
    connection.execute("UPDATE sightings SET start = ? WHERE start < ?", (before, before))
    # What was told of tracks that are gone: a run that goes on may have told long ago of somebody in view.
    connection.execute(
        "DELETE FROM told WHERE since < ? AND NOT EXISTS (SELECT 1 FROM sightings s WHERE s.run = told.run "
        "AND s.track = told.track AND (s.camera = told.camera OR told.camera = ?))",
        (before, EVERY_CAMERA),
    )
    people = connection.execute(
        "DELETE FROM identities WHERE NOT EXISTS (SELECT 1 FROM sightings s WHERE s.identity = number) "
        "AND NOT EXISTS (SELECT 1 FROM looks l WHERE l.identity = number)"
    ).rowcount
    return Purged(people, 0, crops, 0), False
