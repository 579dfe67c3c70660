"""Where people were on the floor: what is kept of an instant, and what the table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.floor.people import FloorPeople
from tracker.storage import spool as spools
from tracker.storage.floor_results import FLOOR_OBSERVATION, FloorSpool, floor_extent, write_floor_csv
from tracker.storage.spool import AscendingRecords


def people_at(
    places: list[tuple[float, float]], *, confirmed: list[bool] | None = None, **rows: list[int]
) -> FloorPeople:
    """People 1, 2, … at places; ``rows`` are their boxes, by camera."""
    count = len(places)
    return FloorPeople(
        np.arange(1, count + 1),
        np.array(places, np.float64).reshape(-1, 2),
        np.zeros((count, 2)),
        np.linspace(1.5, 1.8, count),
        np.zeros((count, 2, 2)),
        {name: np.array(values, np.int64) for name, values in rows.items()},
        np.ones(count, bool) if confirmed is None else np.array(confirmed),
    )


def identity_of(tracks: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Track 2 becomes person 7 after half a second; track 1 is nobody."""
    return np.where((tracks == 2) & (times >= 0.5), 7, 0)


def test_the_table_has_the_confirmed_people_with_those_whom_no_camera_sees(tmp_path: Path) -> None:
    with FloorSpool(tmp_path) as spool:
        spool.append(0.0, 0, people_at([(1.23456, -0.0001), (3, 4)], a=[0, 1], b=[-1, 0]))
        spool.append(0.25, 2, people_at([(1, 2)], a=[0], confirmed=[False]))
        spool.append(0.5, 4, people_at([(500123.4567, 0), (3.5, 4.25)], a=[-1, -1], b=[-1, 2]))
        spool.append(0.75, 6, people_at([]))
        spool.append(1.0, 8, people_at([(0, 0), (9, 9)], confirmed=[False, True], a=[0, -1]))
        write_floor_csv(tmp_path / "floor.csv", spool, identity_of)
        low, high = floor_extent(spool)  # type: ignore[misc]
    assert (tmp_path / "floor.csv").read_bytes().decode().split("\n") == [
        "time,frame,identity,track,x,y,height,cameras",
        "0.0,1,,1,1.235,0.000,1.500,1",
        "0.0,1,,2,3.000,4.000,1.800,2",
        "0.5,5,,1,500123.457,0.000,1.500,0",
        "0.5,5,7,2,3.500,4.250,1.800,1",
        "1.0,9,7,2,9.000,9.000,1.800,0",
        "",
    ]
    # Where nobody was seen is no place to fit a plan to.
    np.testing.assert_allclose([low, high], [[1.23456, -0.0001], [3.5, 4.25]])
    assert [path.name for path in tmp_path.iterdir()] == ["floor.csv"]


def test_nobody_is_a_table_without_rows(tmp_path: Path) -> None:
    with FloorSpool(tmp_path) as spool:
        spool.append(0.0, 0, people_at([]))
        write_floor_csv(tmp_path / "floor.csv", spool, identity_of)
        assert floor_extent(spool) is None
    assert (tmp_path / "floor.csv").read_text().count("\n") == 1


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_records_are_taken_instant_after_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(spools, "_BUFFERED_RECORDS", 3)
    with FloorSpool(tmp_path) as spool:
        for frame, count in enumerate([2, 0, 1, 4, 0]):
            spool.append(0.1 * frame, frame, people_at([(frame, person) for person in range(count)]))
        records = AscendingRecords(spool.records(size), FLOOR_OBSERVATION, "time")
        # The second instant with somebody is passed over.
        found = [records.at(time) for time in (0.0, 0.1, 0.1 * 3, 0.4, 0.5)]
    assert [part["track"].tolist() for part in found] == [[1, 2], [], [1, 2, 3, 4], [], []]
    assert found[2]["place"].tolist() == [[3, person] for person in range(4)]
