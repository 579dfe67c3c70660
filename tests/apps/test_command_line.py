"""The command itself: help, silence, pipes, and what it says while it works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from apps.commands import COMMANDS, LazyCommands
from reid_models.runtimes.openvino_backend import processor_has_bfloat16
from tests.apps.command import ROOT, Command, assert_consistent, ended, environment, process, read_json, read_lines
from tests.apps.conftest import Studio
from tests.apps.scenes import CORRIDOR, write_sequence

HEAVY = ("torch", "torchvision", "ultralytics", "cv2", "av", "openvino", "onnxruntime", "onnx", "scipy", "numpy")


@pytest.mark.parametrize("arguments", [["--help"], ["track", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom apps.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('LOADED', *(name for name in {HEAVY} if name in sys.modules))"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert done.stderr == ""


def test_the_overview_imports_no_command() -> None:
    modules = sorted({entry.module for entry in COMMANDS.values()})
    code = (
        "import sys\nfrom apps.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('LOADED', *(name for name in {[*modules, 'rich', 'pydantic', 'yaml']} if name in sys.modules))"
    )

    def said(*arguments: str) -> list[str]:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT, check=True)
        return done.stdout.splitlines()

    *overview, loaded = said("--help")
    assert loaded == "LOADED"
    for name, entry in COMMANDS.items():
        assert f"{name} {entry.help}" in " ".join(" ".join(overview).split())
    loaded = said("search", "--help")[-1]
    assert [word for word in loaded.split() if word.startswith("apps.")] == ["apps.search_command"]


def test_the_overview_says_what_the_commands_say_of_themselves() -> None:
    commands = LazyCommands()
    assert list(commands) == list(COMMANDS) and len(commands) == len(COMMANDS)
    assert commands.get("trak") is None and "trak" not in commands and "track" in commands
    for name, entry in COMMANDS.items():
        assert commands[name].name == name
        assert " ".join(commands[name].help.split("\n\n")[0].split()) == entry.help


def test_help_names_every_command_and_option(multicam: Command) -> None:
    outcome = multicam("--help")
    assert outcome.code == 0 and "track" in outcome.out
    outcome = multicam("track", "-h")
    assert outcome.code == 0 and outcome.err == ""
    for option in (
        "--output", "--detector", "--confidence", "--image-size", "--classes", "--embedder", "--embedder-weights",
        "--device", "--half", "--tracker", "--tracker-option", "--false-match-rate", "--stride", "--max-frames",
        "--mosaic", "--floor-plan", "--no-floor-plan", "--trails", "--save-crops", "--save-detections", "--overwrite",
        "--show", "--quiet", "--seed",
    ):  # fmt: skip
        assert option in outcome.out


def test_without_arguments_there_is_help(multicam: Command) -> None:
    outcome = multicam()
    assert "Usage" in outcome.out + outcome.err and "track" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


def test_the_version_is_that_of_the_package(multicam: Command) -> None:
    from importlib.metadata import version

    assert multicam("--version").out == f"multicam {version('multicam-tracker')}\n"


def test_quiet_prints_nothing_not_even_warnings(multicam: Command, tmp_path: Path) -> None:
    sequence = write_sequence(tmp_path / "scene", CORRIDOR, 6)
    (sequence / "seqinfo.ini").unlink()
    arguments = ("track", sequence, "-o", tmp_path / "out", "--detector", f"mot:{sequence}")
    outcome = multicam(*arguments, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert len(read_json(tmp_path / "out" / "run.json")["warnings"]) == 1, "but they are kept"
    assert "Warning: " in multicam(*arguments, "--overwrite").err


def test_what_a_run_says(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "[bold]out"
    arguments = ("-o", folder, "--detector", studio.detections)
    outcome = multicam("track", studio.corridor, studio.hall, *arguments, "--no-video")
    assert outcome.code == 0
    first, models, store, second = outcome.out.splitlines()
    # These weights keep their vectors in bfloat16, which auto therefore chooses where there is one.
    precision = "bfloat16" if processor_has_bfloat16() else "float32"
    assert models.startswith("Run by: ") and f"osnet_x0_25:default (openvino {precision})" in models
    assert store.startswith("Store: ") and store.endswith(" MB, for multicam search and multicam store.")
    assert first.startswith("3 identities, 2 of them in several cameras; 180 frames of 2 cameras in ")
    assert first.endswith("frames/s).")
    assert second == f"Results: {folder}"
    lines = outcome.err.splitlines()
    assert [line.split()[:2] for line in lines] == [["track", "corridor"], ["track", "hall"]]
    assert all("frames/s" in line for line in lines)
    outcome = multicam("track", studio.corridor, *arguments, "--overwrite", "--no-video", "--max-frames", 20)
    assert outcome.out.startswith("2 identities; 20 frames of 1 camera in ")


def test_without_an_embedder_identities_across_cameras_are_not_attempted(
    multicam: Command, studio: Studio, tmp_path: Path
) -> None:
    arguments = ("--detector", studio.detections, "--embedder", "none", "--no-video")
    outcome = multicam("track", studio.corridor, studio.hall, "-o", tmp_path / "two", *arguments)
    assert outcome.code == 0
    said = [line for line in outcome.err.splitlines() if "identities across cameras are not attempted" in line]
    assert len(said) == 1
    assert_consistent(tmp_path / "two", ["corridor", "hall"], video=False)
    record = read_json(tmp_path / "two" / "run.json")
    assert record["identities_across_cameras"].startswith("not attempted")
    assert (record["embedder"], record["threshold"], record["crops_embedded"]) == (None, None, 0)
    assert record["identities_in_several_cameras"] == 0
    # Every box has a number all the same, and no number is in two cameras.
    rows = read_lines(tmp_path / "two" / "tracks.jsonl")
    cameras: dict[int, set[str]] = {}
    for row in rows:
        cameras.setdefault(row["identity"], set()).add(row["camera"])
    assert None not in cameras and all(len(names) == 1 for names in cameras.values())
    outcome = multicam("track", studio.corridor, "-o", tmp_path / "one", *arguments)
    assert outcome.code == 0 and "not attempted" not in outcome.err, "one camera has no others"
    assert_consistent(tmp_path / "one", ["corridor"], video=False)


def test_a_reader_that_goes_away_breaks_nothing(studio: Studio, tmp_path: Path) -> None:
    given = ("track", studio.corridor, "-o", tmp_path / "out", "--detector", studio.detections, "--no-video")
    with ended(process(*given)) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.close()
        err = run.stderr.read()
        assert run.wait(timeout=30) in (0, 1)
        run.stdout = None
    assert "Traceback" not in err and "Exception ignored" not in err
    assert_consistent(tmp_path / "out", ["corridor"], video=False)


@pytest.mark.parametrize("arguments", [("track", "--help"), ("--version",)], ids=" ".join)
def test_help_into_a_closed_pipe(arguments: tuple[str, ...]) -> None:
    with ended(process(*arguments)) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.close()
        err = run.stderr.read()
        assert run.wait(timeout=30) in (0, 1)
        run.stdout = None
    assert err == ""


def test_a_defect_of_ours_is_not_hidden(multicam: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a person can mend is one line; anything else keeps its traceback."""
    import apps.track

    def broken(*arguments: object) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr(apps.track, "run_track", broken)
    with pytest.raises(ValueError, match="broadcast"):
        multicam("track", "a.mp4", "-o", tmp_path / "out")
