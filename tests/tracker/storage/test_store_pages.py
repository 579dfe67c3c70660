"""People of a store part by part, found by name or number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.tracker.storage.stores import DIMENSION, add_person, look, new_store, unit
from tracker.storage.track_store import TrackStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrackStore]:
    """Thirty people; the higher the number, the earlier they were seen; and one of whom only a look is known."""
    vectors = unit(np.random.default_rng(0), 4, DIMENSION)
    with new_store(tmp_path / "store.sqlite") as made:
        for number in range(1, 31):
            add_person(made, number, "hall", 1000.0 - 10 * number, vectors, seconds=2, jpeg=b"picture")
        made.put_looks([look(31, "hall", vectors[:1], [5000.0])])
        made.rename(12, "Ada Lovelace")
        made.rename(25, "ÄDA")
        made.rename(7, "100 % _")
        made.flush()
        yield made


def numbers(store: TrackStore, query: str, limit: int = 500, offset: int = 0) -> list[int]:
    total, people = store.people_page(query, limit, offset)
    assert offset or total == len(people) or len(people) == limit
    return [person.number for person in people]


def test_those_seen_last_come_first(store: TrackStore) -> None:
    assert numbers(store, "") == [*range(1, 31), 31], "of whom nothing was seen comes last"
    assert store.people_page("", 4, 0)[0] == 31
    pages = [numbers(store, "", 4, offset) for offset in range(0, 40, 4)]
    assert [number for page in pages for number in page] == numbers(store, "")
    assert numbers(store, "", 4, 1000) == []
    (whole,) = [person for person in store.people() if person.number == 12]
    assert store.people_page("12", 1, 0) == (1, [whole]), "all that is said of people elsewhere"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ada", [12]), ("LOVE", [12]), ("a l", [12]), ("äda", [25]), ("Äd", [25]), ("da", [12, 25]), ("%", [7]),
        ("_", [7]), ("100", [7]), ("12", [12]), ("3", [3, 30, 31]), ("2", [2, *range(20, 30)]), ("x", []), ("-1", []),
        ("'; DROP TABLE identities; --", []), ("\\", []), ("*", []),
    ],
)  # fmt: skip
def test_found_by_a_part_of_the_name_or_the_begin_of_the_number(
    store: TrackStore, query: str, found: list[int]
) -> None:
    assert numbers(store, query) == found
    assert numbers(store, f"  {query} ") == found


def test_the_best_crop_of_each(store: TrackStore) -> None:
    store.observe("hall", 5, 2000.0, (0, 0, 10, 20))
    store.tell("hall", 5, 2000.0, 5)
    store.add_crop("hall", 5, 2000.0, 0.9, b"better")
    store.flush()
    best = store.best_crops([5, 6, 31, 4711])
    assert set(best) == {5, 6}
    assert store.crop(best[5]) == b"better"
    assert best[6] == store.crops(6, limit=1)[0].number
