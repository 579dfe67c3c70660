"""How people looked, as rows of a store: their vectors in half precision, and whom the next run shall know.

Functions here run inside a transaction; times are seconds since 1970.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.earlier_runs import LONG_AGO, KnownIdentity, KnownPeople
from tracker.storage.store_sightings import ERASED, camera_number, keep_next_number, resolved

__all__ = [
    "Look",
    "fold_looks",
    "known_people",
    "put_camera_means",
    "put_known_people",
    "put_looks",
    "remake_look",
]

#: half precision moves a vector of length 1 by less than a thousandth
_VECTOR = np.dtype("<f2")
_TOTAL = np.dtype("<f4")


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How one identity of a run looked in one camera, as the run knows it now."""

    identity: int
    camera: str
    #: (D,) weighted sum of its crops' vectors
    total: NDArray[np.float64]
    weight: float
    count: int
    #: (K, D) vectors of some crops, and when these were seen (K,), seconds of the run's clock
    vectors: NDArray[np.float32]
    times: NDArray[np.float64]

    @classmethod
    def of(cls, identity: int, camera: str, summary: AppearanceSummary) -> Look:
        """Return what a summary that has seen a crop says now."""
        total = summary.total
        assert total is not None
        return cls(identity, camera, total, summary.weight, summary.count, summary.prototypes, summary.times)


def put_looks(
    connection: sqlite3.Connection,
    run: int,
    origin: float,
    looks: Iterable[Look],
    gone: Sequence[tuple[int, str | None]] = (),
) -> None:
    """Replace what a run has said of how people look; ``gone`` are looks (identity, camera or all) that are no more."""
    for number, name in gone:
        connection.execute(
            "DELETE FROM looks WHERE run = ? AND source = ? AND (? IS NULL OR camera = ?)",
            (run, number, name, None if name is None else camera_number(connection, name)),
        )
    for look in looks:
        camera = camera_number(connection, look.camera)
        connection.execute(
            "DELETE FROM looks WHERE run = ? AND source = ? AND camera = ?", (run, look.identity, camera)
        )
        identity = resolved(connection, look.identity)
        if identity != ERASED:
            # A vector of unknown age counts as old as the run.
            times = np.maximum(look.times, 0.0) + origin
            _insert(connection, run, look.identity, camera, identity, look, times)


def _insert(
    connection: sqlite3.Connection,
    run: int,
    source: int,
    camera: int,
    identity: int,
    look: Look | AppearanceSummary,
    times: NDArray[np.float64],
) -> None:
    total = look.total
    assert total is not None
    vectors = look.vectors if isinstance(look, Look) else look.prototypes
    number = connection.execute(
        "INSERT INTO looks (run, source, camera, identity, weight, count, total) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (run, source, camera, identity, look.weight, look.count, total.astype(_TOTAL).tobytes()),
    ).lastrowid
    connection.executemany(
        "INSERT INTO vectors (look, time, vector) VALUES (?, ?, ?)",
        [(number, float(time), vector.astype(_VECTOR).tobytes()) for time, vector in zip(times, vectors)],
    )


def _summary(connection: sqlite3.Connection, look: int, since: float) -> AppearanceSummary:
    """Return a look as a summary, whose times count from ``since``."""
    total, weight, count = connection.execute("SELECT total, weight, count FROM looks WHERE id = ?", (look,)).fetchone()
    rows = connection.execute("SELECT time, vector FROM vectors WHERE look = ? ORDER BY time, id", (look,)).fetchall()
    dimension = len(total) // _TOTAL.itemsize
    vectors = np.frombuffer(b"".join(row[1] for row in rows), _VECTOR).reshape(-1, dimension)
    return AppearanceSummary.restored(
        np.frombuffer(total, _TOTAL), weight, count, vectors.astype(np.float32), [row[0] - since for row in rows]
    )


def remake_look(connection: sqlite3.Connection, look: int) -> None:
    """Let a look rest on the vectors it still has: its weight is shared out among them; without any it goes."""
    summary = _summary(connection, look, 0.0)
    left = len(summary.prototypes)
    if not left:
        connection.execute("DELETE FROM looks WHERE id = ?", (look,))
        return
    total = summary.prototypes.astype(np.float64).sum(axis=0) * (summary.weight / left)
    connection.execute("UPDATE looks SET total = ? WHERE id = ?", (total.astype(_TOTAL).tobytes(), look))


def fold_looks(connection: sqlite3.Connection) -> None:
    """Make one look of those that earlier runs had of one identity in one camera: no run shall make the file grow.

    Of two that a person has made one the looks stay apart, each under the number that it had (``source``).
    """
    groups = connection.execute(
        "SELECT identity, source, camera, max(run) FROM looks GROUP BY identity, source, camera HAVING count(*) > 1"
    ).fetchall()
    for identity, source, camera, run in groups:
        numbers = [
            row[0]
            for row in connection.execute(
                "SELECT id FROM looks WHERE identity = ? AND source = ? AND camera = ? ORDER BY run, id",
                (identity, source, camera),
            )
        ]
        folded = AppearanceSummary()
        for number in numbers:
            folded.absorb(_summary(connection, number, 0.0))
            connection.execute("DELETE FROM looks WHERE id = ?", (number,))
        _insert(connection, run, source, camera, identity, folded, folded.times)


def known_people(connection: sqlite3.Connection, now: float, limit: int | None) -> KnownPeople:
    """Return whom a run that begins ``now`` shall know, as ``--gallery`` would have it.

    A vector's age goes along, hidden in its time: ``LONG_AGO`` less the seconds since then.

    Args:
        connection: of the store.
        now: seconds since 1970.
        limit: at most so many people, those seen last; ``None``: all.
    """
    rows = connection.execute(
        "SELECT i.number, max(coalesce((SELECT max(end) FROM sightings s WHERE s.identity = i.number), 0), "
        "  (SELECT max(v.time) FROM vectors v JOIN looks l ON v.look = l.id WHERE l.identity = i.number)) AS seen "
        "FROM identities i WHERE seen IS NOT NULL ORDER BY seen DESC, i.number LIMIT ?",
        (-1 if limit is None else limit,),
    ).fetchall()
    identities, outward = [], {}
    for number, seen in sorted(rows):
        # Whom a person has made one with another still looks as before.
        views: dict[int, dict[str, AppearanceSummary]] = {number: {}}
        looks = connection.execute(
            "SELECT l.id, c.name, coalesce(r.number, l.identity) FROM looks l JOIN cameras c ON l.camera = c.id "
            "LEFT JOIN retired r ON r.number = l.source AND r.became = l.identity WHERE l.identity = ? ORDER BY l.id",
            (number,),
        ).fetchall()
        for look, camera, inward in looks:
            mine = views.setdefault(inward, {})
            mine.setdefault(camera, AppearanceSummary()).absorb(_summary(connection, look, now - LONG_AGO))
        for inward, mine in sorted(views.items()):
            if mine or inward == number:
                identities.append(KnownIdentity(inward, max(0.0, now - seen), mine))
                outward[inward] = number
    means = {
        name: np.frombuffer(mean, _TOTAL).astype(np.float32)
        for name, mean in connection.execute("SELECT name, mean FROM cameras WHERE mean IS NOT NULL ORDER BY name")
    }
    row = connection.execute("SELECT value FROM facts WHERE name = 'next_number'").fetchone()
    return KnownPeople(identities, 1 if row is None else int(row[0]), means, outward)


def put_known_people(
    connection: sqlite3.Connection, run: int, origin: float, people: KnownPeople, loaded: float, known: set[int]
) -> None:
    """Replace the looks of ``people``, and of those ``known`` before, by what a run that has ended knows.

    Args:
        connection: of the store.
        run: that says so.
        origin: what the run's time 0 stands for.
        people: with vectors of this run, and of earlier ones as :func:`known_people` gave them.
        loaded: when it did, the ``now`` it was given.
        known: the identities that it gave.
    """
    for number in known | {one.number for one in people.identities}:
        connection.execute("DELETE FROM looks WHERE identity = ?", (number,))
    for person in people.identities:
        identity = resolved(connection, person.number)
        for name, summary in sorted(person.views.items()):
            if identity != ERASED:
                times = np.where(
                    summary.times < LONG_AGO / 2, summary.times - LONG_AGO + loaded, summary.times + origin
                )
                _insert(connection, run, person.number, camera_number(connection, name), identity, summary, times)
    put_camera_means(connection, people.camera_means)
    keep_next_number(connection, people.next_number)


def put_camera_means(connection: sqlite3.Connection, means: Mapping[str, NDArray[np.float32]]) -> None:
    """Keep the mean look (D,) of each camera, for embedders whose vectors carry the camera's own colours."""
    for name, mean in means.items():
        number = camera_number(connection, name)
        connection.execute("UPDATE cameras SET mean = ? WHERE id = ?", (mean.astype(_TOTAL).tobytes(), number))
