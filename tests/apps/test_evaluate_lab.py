"""``multicam evaluate lab`` on a simulated room of a second; the positions of its runs are those of the truth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from apps import lab_runs
from apps.lab_runs import file_name
from apps.run_record import RunReport
from apps.settings import TrackSettings
from apps.track import run_track
from tests.apps.command import ROOT, Command, assert_one_line, call, environment, files_in, read_json
from tests.apps.test_command_line import HEAVY
from tests.benchmarks.lab_scene import HEADER, write_sequence

ROOM = ("--simulate", 3, "--minutes", 0.02, "--people", 4, "--at-once", 4, "--workers", 1)
MOTION = ("--embedder", "none", "--detections", "own")
NAME = "seed3-0.02min"


@dataclass
class Runs:
    """What was tracked with which settings. It is tracked by the truth, unless ``really``."""

    settings: list[TrackSettings] = field(default_factory=list)
    really: bool = False
    interrupted: bool = False

    def track(self, settings: TrackSettings, outputs: Any, console: Any = None) -> RunReport:
        """Write a run in which people were where they truly were; with an embedder 0.7 m nearer to the middle."""
        self.settings.append(settings)
        folder: Path = outputs.folder
        room = Path(settings.sources[0]).parents[2] / "rooms" / NAME
        if self.really:
            run_track(settings, outputs, console)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            for path in (room / "truth").iterdir():
                (folder / path.name).write_text(path.read_text())
            (folder / "run.json").write_text('{"seconds": 2, "cameras": [{"frames": 17}, {"frames": 18}]}')
        rows = []
        for line in (room / "world.txt").read_text().splitlines():
            frame, identity, x, y = line.split(",")[:4]
            aside = 0.7 * settings.attempts_identities * (1 if float(x) < 3 else -1)
            rows.append(f"0,{frame},{identity},{identity},{float(x) + aside},{y},1.7,cam1\n")
        (folder / "floor.csv").write_text(HEADER + "".join(rows))
        return RunReport(folder, 1, 1, {}, 2.0, 0.0, 0.0, self.interrupted, ["a warning"])


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.delenv("MULTICAM_DATA", raising=False)
    found = Runs()
    monkeypatch.setattr(lab_runs, "run_track", found.track)
    return found


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the room has been evaluated by motion alone already."""
    folder = tmp_path_factory.mktemp("lab") / "work"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab_runs, "run_track", Runs(really=True).track)
        assert call("evaluate", "lab", *ROOM, *MOTION, "--work", folder, "--quiet") == 0
    yield folder


def test_what_it_prints_and_writes(multicam: Command, work: Path, tmp_path: Path, runs: Runs) -> None:
    folder, json, page = tmp_path / "out", tmp_path / "lab.json", tmp_path / "page"
    given = ("--work", work, "-o", folder, "--json", json, "--report", page)
    outcome = multicam("evaluate", "lab", *ROOM, *MOTION, *given)
    assert outcome.code == 0, outcome.err
    files = ["report.json", "report.md", "run.json", f"tracks/{NAME}/none.txt"]
    assert sorted(files_in(folder)) == files == read_json(folder / "run.json")["files"]
    report = read_json(json)
    assert report == read_json(folder / "report.json") and report["protocol"] == "lab"
    row, *paper = report["rows"]
    assert (row["name"], row["sequence"], row["frames"]) == ("motion alone", NAME, 18)
    assert (row["MOTA@1m"], row["IDF1@0.5m"], row["FP"]) == (100, 100, 0)
    assert row["MOTA@images"] > 20 and row["people"] == row["identities"] > 0
    details = read_json(page / "report.json")["details"]
    curve = details["curves"]["motion alone"][NAME]["HOTA"]
    assert sum(curve) / len(curve) == pytest.approx(row["HOTA@1m"], abs=0.01)
    assert details["trajectories"]["motion alone"][NAME]["bounds"] == [0, 0, 6, 5]
    assert "Ways of" in (page / "report.html").read_text()
    assert [one["IDF1"] for one in paper] == [57.1, 65.7, 78.9, 79.6, 89.1]
    settings = report["settings"]
    assert (settings["detections"], settings["embedders"], settings["gates"]) == ("own", ["none"], [1, 0.5])
    assert settings["areas"] == {NAME: {"x": [0, 6], "y": [0, 5]}}
    assert settings["simulated"][0]["seconds"] == pytest.approx(1.2)
    for text in (outcome.out, (folder / "report.md").read_text()):
        assert f"{NAME}, motion alone" in text and "paper, real LAB: no ReID" in text
        assert "All rows of a sequence have the same boxes: detections own." in text
    # The room and the run of an earlier evaluation were used again.
    assert runs.settings == []
    assert "rendered before" in outcome.err and "tracked by motion alone before" in outcome.err


def test_what_was_made_from_something_else_is_made_again(
    multicam: Command, work: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("evaluate", "lab", *ROOM, *MOTION, "--work", work, "--quiet")
    video = work / "rooms" / NAME / "cam1.mp4"
    before = video.stat().st_mtime_ns
    assert multicam(*command, "--setting", "rounds=2").code == 0
    (settings,) = runs.settings
    assert settings.pipeline.floor_settings.rounds == 2
    monkeypatch.setattr(lab_runs, "code_fingerprint", lambda: "changed")
    for _ in range(2):
        assert multicam(*command, "--setting", "rounds=2").code == 0
    assert len(runs.settings) == 2, "once more for the changed code, and not twice"
    assert video.stat().st_mtime_ns == before


def test_detected_once_and_tracked_with_each_embedder(
    multicam: Command, work: Path, tmp_path: Path, runs: Runs
) -> None:
    boxes = work / "rooms" / NAME / "detections"
    embedders = ("--embedder", "color_histogram", "--embedder", "none", "--embedder", "color_histogram")
    given = (*ROOM, "--work", work, "--detector", f"mot:{boxes}", *embedders, "--json", tmp_path / "a.json", "--quiet")
    assert multicam("evaluate", "lab", *given, "-o", tmp_path / "out").code == 0
    assert f"{NAME}, with color_histogram: a warning" in read_json(tmp_path / "out" / "run.json")["warnings"]
    assert [settings.embedder for settings in runs.settings] == ["none", "color_histogram"]
    (detections,) = {settings.detector.removeprefix("mot:") for settings in runs.settings}
    for camera in ("cam1", "cam4"):
        found, original = ((Path(folder) / f"{camera}.txt").read_text() for folder in (detections, boxes))
        assert len(found.splitlines()) == len(original.splitlines()) > 0
    motion, histogram = read_json(tmp_path / "a.json")["rows"][:2]
    assert (motion["name"], histogram["name"]) == ("motion alone", "color_histogram")
    assert (motion["MOTA@0.5m"], histogram["MOTA@1m"], histogram["MOTP@1m"]) == (100, 100, pytest.approx(0.7, abs=1e-3))
    assert histogram["MOTA@0.5m"] < 0 and histogram["IDF1@images"] == 100
    # Another runtime is another result, and again it is made once.
    kept = read_json(work / "runs" / NAME / "detections" / f"{file_name(f'mot:{boxes}')}.json")
    for _ in range(2):
        assert multicam("evaluate", "lab", *given, "--runtime", "onnxruntime").code == 0
    assert [settings.runtime for settings in runs.settings] == ["auto", "auto", "onnxruntime", "onnxruntime"]
    assert read_json(tmp_path / "a.json")["settings"]["runtime"] == "onnxruntime"
    again = read_json(work / "runs" / NAME / "detections" / f"{file_name(f'mot:{boxes}')}.json")
    assert {name for name in kept if kept[name] != again[name]} == {"runtime"}


def test_interrupted_nothing_is_written_and_the_run_is_not_used_again(
    multicam: Command, work: Path, tmp_path: Path, runs: Runs
) -> None:
    runs.interrupted = True
    command = ("evaluate", "lab", *ROOM, *MOTION, "--setting", "rounds=3", "--work", work, "-o", tmp_path / "out")
    outcome = multicam(*command)
    assert outcome.code == 130 and outcome.err.splitlines()[-1] == "multicam: stopped."
    assert not (tmp_path / "out").exists()
    runs.interrupted = False
    assert multicam(*command).code == 0
    assert len(runs.settings) == 2


def test_without_a_folder_for_it_nothing_is_left(
    multicam: Command, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    outcome = multicam("evaluate", "lab", "--root", work / "rooms" / NAME, "--detections", tmp_path / "none")
    assert_one_line(outcome, "no detections", "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ((), ("of --root DIR and --simulate SEED none is given",)),
        (("--root", "{root}", "--simulate", "3"), ("both is given",)),
        (("--simulate", "100000"), ("seed 100000 is not one of the test seeds",)),
        (("--simulate", "3", "--gate", "0"), ("the gate is 0 m",)),
        (("--simulate", "3", "--setting", "rouns=2"), ("--setting rouns", "did you mean 'rounds'")),
        (("--simulate", "3", "--embedder", "osnet_x0_26"), ("osnet_x0_26",)),
        (("--simulate", "3", "--embedder", "none", "--detector", "mot:{root}/none"), ("none do not exist",)),
        (("--simulate", "3", "--detector", "a.onnx", "--detections", "own"), ("both say where boxes come from",)),
        (("--simulate", "3", "--embedder", "none", "--detections", "own", "--minutes", "0"), ("simulation of 0 seco",)),
        (("--root", "{root}/nowhere"), ("no folder", "nowhere")),
        (("--root", "{root}/first/truth"), ("no sequence in",)),
        (("--root", "{root}/first", "--detections", "own"), ("no folder", "detections", "give --detector")),
        (("--root", "{root}", "--detections", "{root}/first"), ("2 sequences, but", "no folder first")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_one_line(
    multicam: Command, tmp_path: Path, arguments: tuple[str, ...], fragments: tuple[str, ...], runs: Runs
) -> None:
    for name in ("first", "second"):
        write_sequence(tmp_path / "data" / name)
    given = [argument.format(root=tmp_path / "data") for argument in arguments]
    assert_one_line(multicam("evaluate", "lab", *given, "-o", tmp_path / "out"), *fragments)
    assert not (tmp_path / "out").exists() and runs.settings == []


def test_the_environment_says_where_data_are_only_if_no_room_is_asked_for(
    multicam: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTICAM_DATA", "/nowhere")
    assert multicam("evaluate", "lab", *ROOM, *MOTION, "--work", work, "--quiet").code == 0
    assert_one_line(multicam("evaluate", "lab"), "no folder /nowhere")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom apps.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('LOADED', *(name for name in {HEAVY} if name in sys.modules))"
    )
    command = [sys.executable, "-c", code, "evaluate", "lab", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED" and done.stderr == ""
    for option in ("--root", "--simulate", "--work", "--detections", "--embedder", "--gate", "--output", "--overwrite"):
        assert option in done.stdout
