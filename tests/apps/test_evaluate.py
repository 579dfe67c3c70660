"""``multicam evaluate cmc`` and ``wildtrack`` on made-up folders of a few frames."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import floor_protocols
from benchmarks.cmc import cmc_sequence, cmc_truth
from benchmarks.floor_protocols import FloorRun
from benchmarks.floor_scenes import FloorScene
from tests.apps.command import ROOT, Command, assert_one_line, ended, environment, files_in, process, read_json
from tests.apps.test_command_line import HEAVY
from tests.apps.test_interrupts import wait_for
from tests.benchmarks.test_floor_protocols import write_cmc, write_wildtrack

FILES = ["report.json", "report.md", "run.json"]
#: says when tracking has begun, and then goes on slowly
SLOW_TRACKING = """
import time
from tracker.floor.tracker import FloorTracker
update, calls = FloorTracker.update, []
def slow(*arguments):
    calls.append(1)
    if len(calls) == 2: print("tracking", flush=True)
    time.sleep(0.05 if len(calls) < 2 else 30)
    return update(*arguments)
FloorTracker.update = slow
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has ``cmc``, of whose sequences the last has no truth, and ``wildtrack``."""
    root = tmp_path_factory.mktemp("data")
    write_cmc(root / "cmc" / "CMC1", 12)
    write_cmc(root / "cmc" / "CMC2", 5)
    write_cmc(root / "cmc" / "CMC4", 5, truth=False)
    write_wildtrack(root / "wildtrack", 4)
    return root


@pytest.fixture(autouse=True)
def no_data_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MULTICAM_DATA", raising=False)


@pytest.fixture
def perfect(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A tracker that needs no time and makes no mistake; returns with which options it was called."""
    calls: list[dict[str, Any]] = []

    def track(scene: FloorScene, settings: Any, **options: Any) -> FloorRun:
        calls.append({"scene": scene, "settings": settings, **options})
        return FloorRun(scene.truth, len(scene.frames), 1.0, 0)

    monkeypatch.setattr(floor_protocols, "track_scene", track)
    return calls


def test_what_cmc_prints_and_writes(multicam: Command, root: Path, tmp_path: Path) -> None:
    folder, json = tmp_path / "out", tmp_path / "figures" / "cmc.json"
    outcome = multicam(
        "evaluate", "cmc", "--root", root, "--sequence", "CMC1", "--runs", 1, "-o", folder, "--json", json
    )
    assert outcome.code == 0, outcome.err
    assert sorted(files_in(folder)) == sorted([*FILES, "tracks/CMC1.txt"]) == read_json(folder / "run.json")["files"]
    report = read_json(folder / "report.json")
    assert report == read_json(json)
    assert list(report) == ["protocol", "settings", "machine", "rows"] and report["protocol"] == "cmc"
    settings = report["settings"]
    assert (settings["detections"], settings["sequences"], settings["runs"]) == ("frcnn", ["CMC1"], 1)
    assert (settings["gates"], settings["jitter_pixels"]) == ([1.0, 0.5], 0)
    assert settings["evaluated_frames"] == {"CMC1": [1, 12]}
    ours, published = report["rows"]
    assert (ours["name"], ours["sequence"], ours["violations"]) == ("multicam", "CMC1", 0)
    assert ours["MOTA@1m"] > 90 and ours["IDF1@0.5m"] > 90
    assert (published["name"], published["MOTA@1m"]) == ("published estimates", 100)
    shown = [f"{ours[name]:.1f}" for name in ("MOTA@1m", "IDF1@1m", "HOTA@1m", "MOTA@0.5m")]
    for text, bar in ((outcome.out, "│"), ((folder / "report.md").read_text(), "|")):
        (line,) = (line for line in text.splitlines() if "CMC1, multicam" in line)
        assert [cell.strip() for cell in line.split(bar)][2:6] == shown
        assert "Detections: frcnn. 1 run on the boxes as they are, looked at again from the end." in text


def test_tracks_are_metres(multicam: Command, root: Path, tmp_path: Path, perfect: list[Any]) -> None:
    folder = tmp_path / "out"
    assert multicam("evaluate", "cmc", "--root", root / "cmc", "-o", folder, "--quiet").code == 0
    truth = cmc_truth(cmc_sequence(root / "cmc" / "CMC2"))
    lines = (folder / "tracks" / "CMC2.txt").read_text().splitlines()
    assert lines[:2] == ["1,7,1.625,0.900", "1,9,6.375,2.500"]
    assert len(lines) == len(truth)


def test_by_default_six_runs_of_all_that_have_a_truth(
    multicam: Command, root: Path, tmp_path: Path, perfect: list[dict[str, Any]]
) -> None:
    outcome = multicam("evaluate", "cmc", "--root", root, "--json", tmp_path / "a.json")
    assert outcome.code == 0
    assert [(call["scene"].name, call["jitter_seed"]) for call in perfect] == [
        (name, seed) for seed in range(6) for name in ("CMC1", "CMC2")
    ]
    assert {call["jitter_pixels"] for call in perfect} == {0.1}
    rows = read_json(tmp_path / "a.json")["rows"]
    assert [(row["sequence"], row["name"]) for row in rows] == [
        (sequence, name) for sequence in ("CMC1", "CMC2", "combined") for name in ("multicam", "published estimates")
    ]
    assert rows[0]["spread"]["IDF1@1m"] == [100, 100]
    assert "Mean of 6 runs with 0.1 pixels of noise on the boxes" in outcome.out
    assert outcome.out.count("lowest to highest") == 3
    perfect.clear()
    given = ("--sequences", "CMC2,CMC1", "--runs", 2, "--seed", 5, "--jitter", 0.3, "--gate", 0.25)
    assert multicam("evaluate", "cmc", "--root", root, *given, "--json", tmp_path / "b.json").code == 0
    assert [(call["scene"].name, call["jitter_seed"]) for call in perfect[:2]] == [("CMC2", 5), ("CMC1", 5)]
    assert {call["jitter_pixels"] for call in perfect} == {0.3}
    row = read_json(tmp_path / "b.json")["rows"][0]
    assert row["MOTA@0.25m"] == 100 and "MOTA@1m" not in row


def test_settings_reach_the_tracker(
    multicam: Command, root: Path, tmp_path: Path, perfect: list[dict[str, Any]]
) -> None:
    given = ("--setting", "rounds=2", "--setting", "learn_detectors=off", "--runs", 1, "--json", tmp_path / "a.json")
    assert multicam("evaluate", "cmc", "--root", root, "--sequence", "CMC1", *given).code == 0
    (call,) = perfect
    assert (call["settings"].rounds, call["settings"].learn_detectors) == (2, False)
    assert read_json(tmp_path / "a.json")["settings"]["tracker"]["rounds"] == 2


def test_wildtrack_by_level_and_by_file(
    multicam: Command, root: Path, tmp_path: Path, perfect: list[dict[str, Any]]
) -> None:
    assert multicam("evaluate", "wildtrack", "--root", root, "-o", tmp_path / "all").code == 0
    report = read_json(tmp_path / "all" / "report.json")
    assert [(row["sequence"], row["name"]) for row in report["rows"]] == [
        (level, name) for level in ("easy", "medium", "hard") for name in ("multicam", "oracle identities")
    ]
    assert [call["jitter_seed"] for call in perfect] == [None] * 3
    assert {"tracks/easy.txt", "tracks/hard.txt"} <= set(files_in(tmp_path / "all"))
    perfect.clear()
    # A file and the level that means it are one.
    path = root / "wildtrack" / "simulated-hard.csv.gz"
    given = ("--detections", path, "--detections", "hard", "--frames", "1-2", "--json", tmp_path / "one.json")
    outcome = multicam("evaluate", "wildtrack", "--root", root / "wildtrack", *given, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert [call["scene"].frames for call in perfect] == [[1, 2]]
    report = read_json(tmp_path / "one.json")
    assert report["protocol"] == "wildtrack" and report["settings"]["evaluated_frames"] == {"hard": [1, 2]}


def test_the_environment_may_say_where_the_data_are(
    multicam: Command, root: Path, perfect: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTICAM_DATA", str(root))
    assert multicam("evaluate", "cmc", "--sequence", "CMC2", "--runs", 1).code == 0


def test_an_earlier_run_is_replaced_only_if_asked(
    multicam: Command, root: Path, tmp_path: Path, perfect: list[Any]
) -> None:
    folder = tmp_path / "out"
    command = ("evaluate", "cmc", "--root", root, "--runs", 1, "-o", folder)
    assert multicam(*command).code == 0
    (folder / "notes.txt").write_text("mine")
    before = files_in(folder)
    assert_one_line(multicam(*command, "--sequence", "CMC1"), f"{folder} is not empty", "--overwrite")
    assert files_in(folder) == before
    assert multicam(*command, "--sequence", "CMC1", "--overwrite").code == 0
    assert sorted(files_in(folder)) == sorted([*FILES, "notes.txt", "tracks/CMC1.txt"])


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("cmc",), ("missing option '--root'", "multicam evaluate cmc --help")),
        (("cmc", "--root", "{root}/nowhere"), ("no folder", "nowhere")),
        (("cmc", "--root", "{root}/wildtrack"), ("no CMC sequence with its truth", "give the folder that has it")),
        (("cmc", "--root", "{root}", "--sequence", "CMC3"), ("no CMC sequence", "CMC3", "Known: CMC1, CMC2, CMC4")),
        (("cmc", "--root", "{root}", "--sequence", "CMC4"), ("CMC4 has no ground truth",)),
        (("cmc", "--root", "{root}", "--detections", "fairmott"), ("'fairmott'", "did you mean 'fairmot'")),
        (("cmc", "--root", "{root}", "--detections", "fairmot"), ("no fairmot detections", "there are: frcnn")),
        (("cmc", "--root", "{root}", "--gate", "0"), ("the gate is 0 m", "above 0")),
        (("cmc", "--root", "{root}", "--gate", "wide"), ("--gate is 'wide'",)),
        (("cmc", "--root", "{root}", "--runs", "0"), ("0 runs", "give 1")),
        (("cmc", "--root", "{root}", "--jitter", "0"), ("jitter of 0", "all the same")),
        (("cmc", "--root", "{root}", "--setting", "rouns=2"), ("--setting rouns", "did you mean 'rounds'")),
        (("cmc", "--root", "{root}", "--setting", "rounds"), ("--setting 'rounds' is not NAME=VALUE",)),
        (("cmc", "--root", "{root}", "--setting", "rounds=0"), ("--setting rounds is 0: it must be greater",)),
        (("cmc", "--root", "{root}", "--setting", "person_height=9"), ("--setting person_height is 9: it must",)),
        (("wildtrack", "--root", "{root}/cmc"), ("no WILDTRACK truth",)),
        (("wildtrack", "--root", "{root}", "--detections", "eazy"), ("no detections eazy", "simulated-easy.csv.gz")),
        (("wildtrack", "--root", "{root}", "--frames", "0-9"), ("frames 0-9 are asked for", "within 0-3")),
        (("wildtrack", "--root", "{root}", "--frames", "3"), ("frames '3' are no range",)),
        (("wildtrack", "--root", "{root}", "--gate", "-1"), ("the gate is -1 m",)),
        (("wildtrack", "--root", "{root}", "--runs", "0"), ("0 runs",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_one_line(
    multicam: Command, root: Path, tmp_path: Path, arguments: tuple[str, ...], fragments: tuple[str, ...]
) -> None:
    given = [argument.format(root=root) for argument in arguments]
    assert_one_line(multicam("evaluate", *given, "-o", tmp_path / "out"), *fragments)
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_written_are_said_before_anything_is_tracked(
    multicam: Command, root: Path, tmp_path: Path, perfect: list[Any]
) -> None:
    (tmp_path / "file").write_text("")
    for given in (("-o", tmp_path / "file"), ("--json", tmp_path), ("--json", tmp_path / "file" / "a.json")):
        assert_one_line(multicam("evaluate", "cmc", "--root", root, *given), str(tmp_path))
    assert perfect == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_stopped_nothing_is_written(root: Path, tmp_path: Path, number: signal.Signals) -> None:
    given = ("evaluate", "cmc", "--root", root, "--runs", 1, "-o", tmp_path / "out", "--json", tmp_path / "a.json")
    with ended(process(*given, patch=SLOW_TRACKING)) as run:
        wait_for(run.stdout, "tracking")
        run.send_signal(number)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 130
    assert err.splitlines()[-1] == "multicam: stopped." and "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [[], ["cmc"], ["wildtrack"], ["mot16"]], ids=" ".join)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\nfrom apps.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('LOADED', *(name for name in {HEAVY} if name in sys.modules))"
    )
    arguments = [sys.executable, "-c", code, "evaluate", *command, "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment(), cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert done.stderr == ""
    if command in (["cmc"], ["wildtrack"]):
        for option in ("--root", "--detections", "--gate", "--runs", "--setting", "--output", "--overwrite", "--json"):
            assert option in done.stdout
