"""Scores against the truth of a room, on files small enough to count by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.console import run_command
from benchmarks.room import app
from benchmarks.room_scores import ALL_CAMERAS, RoomScores, score_room

FRAMES = 10


def line(frame: int, identity: int, left: int, *rest: float) -> str:
    return f"{frame},{identity},{left},20,40,100,{','.join(f'{value:g}' for value in rest)}\n"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """Two cameras that both see persons 1 and 2 for ten frames, and person 3 hidden but for a shoulder."""
    (tmp_path / "truth").mkdir()
    for name in ("a", "b"):
        lines = [
            line(frame, person, 200 * person, person != 3, 1, 0.1 if person == 3 else 1)
            for frame in range(1, FRAMES + 1)
            for person in (1, 2, 3)
        ]
        (tmp_path / "truth" / f"{name}.txt").write_text("".join(lines))
    return tmp_path


def scores(room: Path, **found: Iterable[tuple[int, int]]) -> RoomScores:
    """Score what says of each camera which id stands at which person's place, in every frame."""
    results = room / "results"
    results.mkdir()
    for name, places in found.items():
        lines = [line(f, identity, 200 * person, 1, -1, -1, -1) for f in range(1, FRAMES + 1)
                 for identity, person in places]  # fmt: skip
        (results / f"{name}.txt").write_text("".join(lines))
    return score_room(room, results, list(found))


def idf1(result: RoomScores) -> dict[str, float]:
    return {row["sequence"]: row["IDF1"] for row in result.rows}


def test_everything_right(room: Path) -> None:
    result = scores(room, a=[(7, 1), (8, 2)], b=[(7, 1), (8, 2)])
    assert [row["sequence"] for row in result.rows] == ["a", "b", ALL_CAMERAS]
    for row in result.rows:
        assert (row["MOTA"], row["IDF1"], row["IDSW"]) == (100, 100, 0)
        assert row["HOTA"] == pytest.approx(100)
    assert (result.people, result.identities) == (2, 2)
    assert result.rows[2]["TP"] == 4 * FRAMES


def test_each_camera_may_be_right_and_all_together_wrong(room: Path) -> None:
    """The second camera calls the two people by each other's number."""
    result = scores(room, a=[(7, 1), (8, 2)], b=[(8, 1), (7, 2)])
    assert idf1(result) == {"a": 100, "b": 100, ALL_CAMERAS: 50}
    assert result.rows[2]["MOTA"] == pytest.approx(100 * (1 - 2 / (4 * FRAMES))), "each changes its number once"


def test_a_person_with_two_numbers_is_half_right(room: Path) -> None:
    result = scores(room, a=[(7, 1), (8, 2)], b=[(9, 1), (8, 2)])
    assert idf1(result)[ALL_CAMERAS] == 75
    assert result.identities == 3


def test_tracks_without_identity_are_nobody_and_never_the_same_in_two_cameras(room: Path) -> None:
    result = scores(room, a=[(1_000_001, 1), (8, 2)], b=[(1_000_001, 1), (8, 2)])
    assert idf1(result) == {"a": 100, "b": 100, ALL_CAMERAS: 75}
    assert result.identities == 1


@pytest.mark.parametrize("found", [False, True])
def test_who_is_hardly_seen_may_be_found_or_not(room: Path, found: bool) -> None:
    places = [(7, 1), (8, 2), *([(9, 3)] if found else [])]
    result = scores(room, a=places, b=places)
    assert [(row["MOTA"], row["IDF1"]) for row in result.rows] == [(100, 100)] * 3
    assert result.people == 2


def test_a_box_around_nothing_and_a_missed_person_cost(room: Path) -> None:
    result = scores(room, a=[(7, 1), (5, 4)], b=[(7, 1), (8, 2)])
    first = result.rows[0]
    assert (first["FP"], first["FN"], first["MOTA"], first["IDF1"]) == (FRAMES, FRAMES, 0, 50)


def test_the_command_scores_runs_and_names_a_folder_without_truth(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores(room, a=[(7, 1), (8, 2)], b=[(8, 1), (7, 2)])
    report = tmp_path / "scores.json"
    run_command(app, ["scores", str(room / "results"), "--room", str(room), "--json", str(report)])
    rows = json.loads(report.read_text())["rows"]
    assert [(row["name"], row["sequence"]) for row in rows] == [("results", one) for one in ("a", "b", ALL_CAMERAS)]
    assert rows[0]["IDF1"] == 100 and rows[2]["IDF1"] == 50
    assert "2 for 2" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        run_command(app, ["scores", str(room / "results"), "--room", str(tmp_path / "elsewhere")])
    assert ended.value.code == 2
    assert "multicam simulate" in capsys.readouterr().err
