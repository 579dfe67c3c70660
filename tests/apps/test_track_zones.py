"""``multicam track --zones``: who entered, stayed and crossed, with final identities."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.command import Command, assert_consistent, assert_one_line, files_in, read_csv, read_json, read_lines
from tests.apps.conftest import Studio
from tests.apps.test_floor import BARE, room

__all__ = ["room"]

#: only who walks to the right has the feet in it; purple does not get as far as the line
ZONES = """
zones:
  - {name: middle, camera: corridor, polygon: [[0.3, 0.55], [0.6, 0.55], [0.6, 0.75], [0.3, 0.75]]}
lines:
  - {name: door, camera: corridor, from: [0.5, 0.98], to: [0.5, 0.4]}
"""


@pytest.fixture
def zones(tmp_path: Path) -> Path:
    path = tmp_path / "zones.yaml"
    path.write_text(ZONES)
    return path


def test_visits_and_crossings_of_a_run(multicam: Command, studio: Studio, zones: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = multicam("track", studio.corridor, studio.hall, "-o", out, "--detector", studio.detections, "--embedder",
                       "color_histogram", "--no-video", "--zones", zones, "--zone-interval", 2, "--quiet")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert_consistent(out, ["corridor", "hall"], video=False)
    rows = read_lines(out / "tracks.jsonl")
    red = {row["identity"] for row in rows if row["camera"] == "corridor" and abs(row["box"][3] - 94) < 3}
    assert len(red) == 1
    (visit,) = read_csv(out / "visits.csv")
    assert (visit["zone"], visit["view"], visit["ending"]) == ("middle", "corridor", "left")
    assert {int(visit["identity"])} == red
    # 23 + 4 pixels a frame, from 57.6 to 115.2 pixels and the margin
    assert float(visit["entered"]) == pytest.approx(0.9, abs=0.11)
    assert float(visit["left"]) == pytest.approx(2.4, abs=0.11)
    counts = read_csv(out / "zones.csv")
    assert [float(row["end"]) for row in counts if row["place"] == "door"][:3] == [2, 4, 6]
    assert sum(int(row["entered"]) for row in counts if row["place"] == "middle") == 1
    assert [sum(int(row[way]) for row in counts if row["place"] == "door") for way in ("forward", "backward")] == [1, 1]
    told = [event for event in read_lines(out / "events.jsonl") if "place" in event]
    assert sorted((event["kind"], event["place"], event.get("direction")) for event in told) == [
        ("line_crossed", "door", "backward"), ("line_crossed", "door", "forward"), ("zone_entered", "middle", None),
        ("zone_left", "middle", None),
    ]  # fmt: skip
    assert read_json(out / "run.json")["outputs"]["zone_interval"] == 2


def test_zones_on_the_floor_of_calibrated_cameras(room: Path, multicam: Command, tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    everywhere = [[-20, -20], [20, -20], [20, 20], [-20, 20]]
    path.write_text(json.dumps({"zones": [{"name": "room", "polygon": everywhere}]}))
    out = tmp_path / "out"
    outcome = multicam("track", room / "cameras.yaml", "-o", out, *BARE, "--detector", f"mot:{room / 'detections'}",
                       "--zones", path)  # fmt: skip
    assert outcome.code == 0, outcome.err
    there: dict[str, list[float]] = {}
    for row in read_csv(out / "floor.csv"):
        there.setdefault(row["identity"], []).append(float(row["time"]))
    visits = read_csv(out / "visits.csv")
    assert there and {row["identity"]: (float(row["entered"]), float(row["left"])) for row in visits} == {
        identity: pytest.approx((min(times), max(times)), abs=1e-5) for identity, times in there.items()
    }
    assert {(row["view"], row["ending"]) for row in visits} == {("floor", "open")}
    (count,) = read_csv(out / "zones.csv")
    assert (count["camera"], int(count["entered"]), int(count["left"])) == ("", len(there), 0)
    assert 0 < float(count["occupancy_mean"]) <= int(count["occupancy_peak"]) == len(there)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (ZONES.replace("corridor", "corridr"), [], "no camera is called 'corridr': did you mean 'corridor'"),
        (ZONES.replace("camera: corridor, ", ""), [], "lies on the floor, but people are followed view by view"),
        ("zones: 3", [], "zones: is no list"),
        (ZONES, ["--zone-interval", "0"], "--zone-interval is 0.0: "),
        (ZONES, ["--zone-interval", "nan"], "--zone-interval is nan: "),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    multicam: Command, studio: Studio, tmp_path: Path, text: str, options: list[str], words: str
) -> None:
    path = tmp_path / "zones.yaml"
    path.write_text(text)
    before = files_in(tmp_path)
    outcome = multicam("track", studio.corridor, "-o", tmp_path / "out", "--detector", studio.detections, "--embedder",
                       "none", "--zones", path, *options)  # fmt: skip
    assert_one_line(outcome, words)
    assert files_in(tmp_path) == before


def test_the_file_of_zones_is_not_replaced_by_results(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "zones.csv").write_text(json.dumps({"zones": [], "lines": []}))
    path = out / "zones.csv"
    path.write_text(ZONES)
    outcome = multicam("track", studio.corridor, "-o", out, "--detector", studio.detections, "--embedder", "none",
                       "--zones", path, "--overwrite")  # fmt: skip
    assert_one_line(outcome, "is read by this run and would be replaced by its results")
    assert path.read_text() == ZONES
