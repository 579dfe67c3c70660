"""``multicam compare`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.command import Command, assert_one_line, files_in, read_json
from tests.benchmarks.test_comparison import report, tracker_rows


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """One as the folder of a report, the other as a file of figures."""
    (tmp_path / "before").mkdir()
    files = tmp_path / "before" / "report.json", tmp_path / "after.json"
    for path, figures in zip(files, ((10.5, 50.0, 61.0), (14.0, 52.0, 60.0))):
        path.write_text(json.dumps(report(*tracker_rows("ours", *figures))))
    return files[0].parent, files[1]


def test_what_is_printed_and_written(multicam: Command, runs: tuple[Path, Path], tmp_path: Path) -> None:
    out, figures = tmp_path / "out", tmp_path / "a.json"
    outcome = multicam("compare", *runs, "--report", out, "--json", figures, "--seed", 3)
    assert outcome.code == 0, outcome.err
    (line,) = (line for line in outcome.out.splitlines() if "HOTA" in line)
    assert "40.5" in line and "+1.5 [−1.0, +3.5]" in line
    assert "Differences from before: ours" in outcome.out and "after: ours" in outcome.out
    assert sorted(files_in(out)) == ["compare.html", "compare.json", "compare.md"]
    assert read_json(out / "compare.json") == read_json(figures)
    assert "+1.5 [−1.0, +3.5]" in (out / "compare.html").read_text()
    again = tmp_path / "again.json"
    assert multicam("compare", *runs, "--json", again, "--seed", 3, "--quiet").out == ""
    assert read_json(again)["differences"] == read_json(figures)["differences"]


def test_bad_input_is_one_line_and_nothing_is_written(
    multicam: Command, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    out = ("--report", tmp_path / "out")
    assert_one_line(multicam("compare", runs[0], *out), "only ours to compare", "give reports with two runs")
    assert_one_line(multicam("compare", runs[0], tmp_path / "none.json", *out), "no file", "none.json")
    (tmp_path / "text.json").write_text("figures")
    assert_one_line(multicam("compare", runs[0], tmp_path / "text.json", *out), "text.json is no JSON")
    assert_one_line(multicam("compare", *runs, "--draws", 3, *out), "--draws is 3; give 100 or more")
    other = tmp_path / "cmc.json"
    other.write_text(json.dumps(report(*tracker_rows("ours", 1.0), protocol="cmc")))
    assert_one_line(multicam("compare", runs[0], other, *out), "different protocols", "cmc.json")
    assert not (tmp_path / "out").exists()
