"""Tables of pages come from the results, and whatever stands in their place is replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import results_tables
from tests.benchmarks.report_examples import example

STREET = "| street, sort | 30.2 | -12.5 | 40.0 | 3 | 5 | 7 |"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    report = {key: value for key, value in example().items() if key != "details"}
    (tmp_path / "benchmarks" / "results" / "mot16.json").write_text(json.dumps(report))
    (tmp_path / "README.md").write_text("# Title\n\n<!-- results:mot16 -->\nby hand\n<!-- /results -->\n\nend\n")
    (tmp_path / "docs" / "a.md").write_text("    <!-- results:none -->\n\nno table here\n")
    return tmp_path


def run(*arguments: object) -> int:
    try:
        results_tables.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_tables_are_replaced_and_then_stay(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--root", checkout, "--check") == 1
    assert "by hand" in (checkout / "README.md").read_text()
    assert run("--root", checkout) == 0
    text = (checkout / "README.md").read_text()
    assert STREET in text.split("\n")
    assert text.startswith("# Title\n\n<!-- results:mot16 -->\n|") and text.endswith("|\n<!-- /results -->\n\nend\n")
    assert "by hand" not in text and "| street, ours & more |" in text
    capsys.readouterr()
    assert run("--root", checkout) == run("--root", checkout, "--check") == 0
    assert (checkout / "README.md").read_text() == text
    assert capsys.readouterr().out.splitlines() == ["all tables are what the results say"] * 2


def test_one_sequence_and_some_figures(checkout: Path) -> None:
    page = checkout / "docs" / "a.md"
    page.write_text(
        "<!-- results:mot16:combined:IDF1,TP -->\n<!-- /results -->\n<!-- results:mot16:*:TP -->\n<!-- /results -->"
    )
    assert run("--root", checkout) == 0
    lines = page.read_text().splitlines()
    assert lines[1:4] == ["|  | IDF1 | TP |", "| :-- | --: | --: |", "| sort | 55.0 | 90 |"]
    assert lines[6] == "|  | TP |" and lines[8] == "| street, sort | 50 |"


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ("<!-- results:mot16 -->\nno end", "line 1: <!-- results:mot16 --> has no end; add a line <!-- /results -->"),
        (
            "\n<!-- results:mot16 -->\n<!-- results:mot16 -->\n<!-- /results -->",
            "line 2: <!-- results:mot16 --> has no",
        ),
        ("<!-- results:mot61 -->\n<!-- /results -->", "line 1: no file"),
        ("<!-- results:mot16:streets -->\n<!-- /results -->", "no sequence streets: did you mean 'street'?"),
        ("<!-- results:mot16:street:HOTAA -->\n<!-- /results -->", "no figure HOTAA"),
    ],
)
def test_marks_that_cannot_be_filled_are_named_and_nothing_is_changed(
    checkout: Path, capsys: pytest.CaptureFixture[str], marks: str, said: str
) -> None:
    (checkout / "docs" / "a.md").write_text(marks)
    assert run("--root", checkout) == 2
    assert said in capsys.readouterr().err
    assert (checkout / "docs" / "a.md").read_text() == marks
    assert "by hand" in (checkout / "README.md").read_text()
