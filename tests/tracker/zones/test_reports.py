from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import InputError
from tracker.zones.definitions import LineDefinition, ZoneDefinition, ZoneDefinitions
from tracker.zones.ledger import Crossing, Ending, Visit, joined_visits
from tracker.zones.reports import interval_counts, write_interval_counts, write_visits

HALL = ZoneDefinition(name="hall, north", polygon=((0, 0), (4, 0), (4, 3)))
DOOR = LineDefinition(name="door", camera="cam", start=(0.2, 0.5), end=(0.8, 0.5))
PLACES = ZoneDefinitions(zones=(HALL,), lines=(DOOR,))


def visit(entered: float, left: float, identity: int = 1, ending: Ending = "left") -> Visit:
    return Visit(HALL.name, "floor", identity, identity, entered, left, ending)


def test_counts_by_interval() -> None:
    visits = [visit(5, 15, 1), visit(10, 30, 2), visit(12, 25, 3, "open")]
    crossings = [Crossing("door", "cam", 1, 1, time, "forward") for time in (1.0, 10.0, 25.0)]
    crossings.append(Crossing("door", "cam", 2, 2, 11.0, "backward"))
    rows = interval_counts(PLACES, visits, crossings, interval=10, begin=0, end=25)
    assert [
        (row.begin, row.end, row.entered, row.left, row.occupancy_mean, row.occupancy_peak, row.dwell_mean)
        for row in rows
        if row.kind == "zone"
    ] == [(0, 10, 1, 0, 0.5, 2, None), (10, 20, 2, 1, 2.3, 3, 10.0), (20, 25, 0, 1, 2.0, 2, 20.0)]
    assert [(row.camera, row.begin, row.forward, row.backward) for row in rows if row.kind == "line"] == [
        ("cam", 0, 1, 0), ("cam", 10, 1, 1), ("cam", 20, 1, 0),
    ]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200)), max_size=12),
    st.sampled_from([7.0, 10.0, 60.0]),
)
def test_occupancy_is_that_of_counting_people_at_every_moment(spans: list[tuple[int, int]], interval: float) -> None:
    visits = [visit(begin / 10, (begin + length) / 10, number + 1) for number, (begin, length) in enumerate(spans)]
    visits.sort(key=lambda one: one.entered)
    rows = [
        row for row in interval_counts(PLACES, visits, [], interval=interval, begin=0, end=70) if row.kind == "zone"
    ]
    assert sum(row.entered or 0 for row in rows) == sum(row.left or 0 for row in rows) == len(visits)
    moments = np.arange(0, 70, 0.1) + 0.05
    inside = np.array([[one.entered < moment < one.left for one in visits] for moment in moments]).sum(axis=-1)
    for row in rows:
        within = (moments > row.begin) & (moments < row.end)
        mean = float(inside[within].mean()) if len(visits) else 0.0
        assert row.occupancy_mean == pytest.approx(mean, abs=2e-3)
        assert (row.occupancy_peak or 0) >= (int(inside[within].max()) if len(visits) else 0)
    dwell = sum((row.dwell_mean or 0) * (row.left or 0) for row in rows)
    assert dwell == pytest.approx(sum(one.seconds for one in visits), abs=0.05)


def test_stays_of_one_person_that_follow_each_other_are_one() -> None:
    visits = [visit(0, 5, 1, "lost"), visit(1, 2, 0), visit(2.5, 3, 0), visit(6, 9, 1, "open"), visit(20, 21, 1)]
    joined = joined_visits(visits, 2.0)
    assert [(one.identity, one.entered, one.left, one.ending) for one in joined] == [
        (1, 0, 9, "open"), (0, 1, 2, "left"), (0, 2.5, 3, "left"), (1, 20, 21, "left"),
    ]  # fmt: skip
    assert visits[0].left == 5, "those given stay as they are"


def test_intervals_that_cannot_be() -> None:
    for interval in (0, -1, float("nan")):
        with pytest.raises(InputError, match=r"the interval of counts is .*give seconds above 0"):
            interval_counts(PLACES, [], [], interval=interval, begin=0, end=10)
    with pytest.raises(InputError, match="give a longer one"):
        interval_counts(PLACES, [], [], interval=1e-3, begin=0, end=1e6)
    assert len(interval_counts(PLACES, [], [], interval=60, begin=5, end=5)) == 2, "a run of one frame has one row"


def test_tables(tmp_path: Path) -> None:
    visits = [visit(5, 15.1234567, 1), visit(6, 7, 0, "lost")]
    write_visits(tmp_path / "visits.csv", visits)
    rows = list(csv.DictReader((tmp_path / "visits.csv").open(encoding="utf-8")))
    assert rows[0] == {
        "zone": "hall, north", "view": "floor", "identity": "1", "track": "1", "entered": "5", "left": "15.123457",
        "seconds": "10.123457", "ending": "left",
    }  # fmt: skip
    assert (rows[1]["identity"], rows[1]["ending"]) == ("", "lost")
    counts = interval_counts(PLACES, visits, [], interval=60, begin=0, end=20)
    write_interval_counts(tmp_path / "zones.csv", counts)
    rows = list(csv.DictReader((tmp_path / "zones.csv").open(encoding="utf-8")))
    assert [(row["place"], row["kind"], row["camera"]) for row in rows] == [
        ("hall, north", "zone", ""), ("door", "line", "cam"),
    ]  # fmt: skip
    assert (rows[0]["entered"], rows[0]["forward"], rows[1]["entered"], rows[1]["forward"]) == ("2", "", "", "0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["visits.csv", "zones.csv"]
