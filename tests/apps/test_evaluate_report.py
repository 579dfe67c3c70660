"""``--report DIR`` of ``multicam evaluate cmc``, ``wildtrack`` and ``lab``: a page beside the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import floor_protocols
from benchmarks.floor_protocols import FloorRun
from benchmarks.floor_scenes import FloorScene
from benchmarks.report_files import REPORT_FILES
from tests.apps.command import Command, assert_one_line, files_in, read_json
from tests.benchmarks.test_floor_protocols import write_cmc, write_wildtrack


@pytest.fixture(autouse=True)
def perfect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker that needs no time, and swaps the first two people half way."""
    monkeypatch.delenv("MULTICAM_DATA", raising=False)

    def track(scene: FloorScene, settings: Any, **options: Any) -> FloorRun:
        truth = scene.truth
        first, second = sorted(set(truth.ids.tolist()))[:2]
        late = truth.frames > (truth.frames.min() + truth.frames.max()) / 2
        ids = truth.ids.copy()
        ids[late & (truth.ids == first)], ids[late & (truth.ids == second)] = second, first
        return FloorRun(type(truth)(truth.frames, ids, truth.positions), len(scene.frames), 1.0, 0)

    monkeypatch.setattr(floor_protocols, "track_scene", track)


def test_cmc_writes_a_page_with_curves_switches_and_ways(multicam: Command, tmp_path: Path) -> None:
    write_cmc(tmp_path / "cmc" / "CMC1", 12)
    write_cmc(tmp_path / "cmc" / "CMC2", 5)
    out, figures = tmp_path / "report", tmp_path / "a.json"
    given = ("--root", tmp_path / "cmc", "--runs", 1, "--report", out, "--json", figures, "--quiet")
    assert multicam("evaluate", "cmc", *given).code == 0
    assert sorted(files_in(out)) == sorted(REPORT_FILES)
    report = read_json(out / "report.json")
    details = report.pop("details")
    assert report == read_json(figures)
    rows = {(row["sequence"], row["name"]): row for row in report["rows"]}
    for (sequence, name), row in rows.items():
        for metric in ("HOTA", "DetA", "AssA"):
            values = details["curves"][name][sequence][metric]
            assert sum(values) / len(values) == pytest.approx(row[f"{metric}@1m"], abs=0.01)
        if sequence != "combined":
            assert len(details["switches"][name][sequence]) == row["IDSW@1m"]
    assert rows["CMC1", "multicam"]["IDSW@1m"] == 2
    assert details["lengths"]["CMC1"]["frames"] == 12
    ways = details["trajectories"]["multicam"]["CMC1"]
    assert ways["image_size"] is None and len(ways["bounds"]) == 4 and len(ways["tracks"]) == 2
    page = (out / "report.html").read_text()
    assert "Identity switches in CMC1 over time. Their number: multicam: 2; published estimates: 0" in page


def test_wildtrack_too(multicam: Command, tmp_path: Path) -> None:
    write_wildtrack(tmp_path / "wildtrack", 4)
    out = tmp_path / "report"
    given = ("--root", tmp_path / "wildtrack", "--detections", "easy", "--report", out)
    assert multicam("evaluate", "wildtrack", *given, "--quiet").code == 0
    details = read_json(out / "report.json")["details"]
    # One sequence: there is no row of all together, and no curve of it.
    assert list(details["curves"]["multicam"]) == ["easy"]
    assert list(details["trajectories"]) == ["multicam", "oracle identities"]


@pytest.mark.parametrize("command", [("cmc",), ("wildtrack",), ("lab", "--simulate", "0")])
def test_a_folder_that_cannot_be_is_refused_first(multicam: Command, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    root = ("--root", tmp_path / "none") if command[0] != "lab" else ()
    outcome = multicam("evaluate", *command, *root, "--report", tmp_path / "file", "--quiet")
    assert_one_line(outcome, str(tmp_path / "file"))
