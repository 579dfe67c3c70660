"""Parts of a store for a page that shows them: people by name or number, those seen last first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tracker.storage.store_records import Person, people

__all__ = ["best_crops", "people_page"]


def people_page(connection: sqlite3.Connection, query: str, limit: int, offset: int) -> tuple[int, list[Person]]:
    """Return how many people there are that a query is about, and a part of them, those seen last first.

    Args:
        connection: to the store.
        query: part of a name, whatever its case, or how a number begins; empty: everybody.
        limit: people, at most.
        offset: of these, how many come before the part.
    """
    query = " ".join(query.split()).casefold()
    # SQLite itself knows upper and lower case of ASCII only.
    connection.create_function("casefolded", 1, lambda name: str(name).casefold(), deterministic=True)
    rows = connection.execute(
        "SELECT i.number FROM identities i LEFT JOIN sightings s ON s.identity = i.number "
        "WHERE :query = '' OR substr(CAST(i.number AS TEXT), 1, length(:query)) = :query "
        "OR (i.name IS NOT NULL AND instr(casefolded(i.name), :query) > 0) "
        "GROUP BY i.number ORDER BY max(s.end) DESC NULLS LAST, i.number DESC",
        {"query": query},
    ).fetchall()
    chosen = [int(row[0]) for row in rows[offset : offset + limit]]
    if not chosen:
        return len(rows), []
    marks = ", ".join("?" * len(chosen))
    found = {person.number: person for person in people(connection, f"i.number IN ({marks})", chosen)}
    # Somebody may be gone between the two questions.
    return len(rows), [found[number] for number in chosen if number in found]


def best_crops(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """Return the number of the best crop of each identity that has one."""
    found = {}
    for number in numbers:
        row = connection.execute(
            "SELECT k.id FROM crops k JOIN sightings s ON k.sighting = s.id WHERE s.identity = ? "
            "ORDER BY k.quality DESC, k.time, k.id LIMIT 1",
            (number,),
        ).fetchone()
        if row is not None:
            found[number] = int(row[0])
    return found
