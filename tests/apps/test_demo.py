"""``multicam demo`` and ``multicam simulate`` on scenes of two seconds and less."""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from apps.viewer import open_file
from benchmarks.room_scores import ALL_CAMERAS
from tests.apps.command import Command, assert_consistent, assert_one_line, call, ended, files_in, process, read_json
from tests.apps.test_interrupts import COLORS, slow_analysis, wait_for
from tracker.storage.mot_files import read_tracks

EMBEDDER = "osnet_x0_25:room"
SCENE = ("--seed", 3, "--seconds", 2, "--cameras", 2, "--people", 4, "--at-once", 4, "--workers", 1)
BRIEF = ("--seconds", 0.4, "--cameras", 1, "--people", 2, "--workers", 1)
#: another scene, of nine frames, and nothing that loads a network, for what does not depend on them
OTHER_SCENE = ("--seed", 4, "--seconds", 0.6, "--cameras", 2, "--people", 4, "--at-once", 4, "--workers", 1)
NO_NETWORKS = ("--detector", "simulated", *COLORS)
#: says when the fourth of nine frames is tracked; the others take two seconds
SLOW_ANALYSIS = slow_analysis(4, 0.35)
#: says when the rendering has begun, and then goes on slowly
SLOW_ROOM = """
import time
from benchmarks.simulation.render import CameraRenderer
render, drawn = CameraRenderer.render, []
def slow(*arguments, **options):
    drawn.append(1)
    if len(drawn) == 3: print("rendering", flush=True)
    if len(drawn) >= 3: time.sleep(0.2)
    return render(*arguments, **options)
CameraRenderer.render = slow
"""


@dataclass(frozen=True)
class Shown:
    """A finished demonstration and what it printed."""

    folder: Path
    out: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setenv("COLUMNS", "100")
        assert call("demo", "-o", folder, *SCENE, "--detector", "simulated") == 0
    return Shown(folder, out.getvalue())


def test_it_leaves_the_room_the_tracks_and_the_scores(shown: Shown) -> None:
    assert sorted(path.name for path in shown.folder.iterdir()) == ["room", "scores.json", "track"]
    assert sorted(name for name in files_in(shown.folder / "room")) == [
        "calibration.json", "cam1.mp4", "cam2.mp4", "cameras.yaml", "detections/cam1.txt", "detections/cam2.txt",
        "truth/cam1.txt", "truth/cam2.txt", "world.txt",
    ]  # fmt: skip
    assert_consistent(shown.folder / "track", ["cam1", "cam2"])
    record = read_json(shown.folder / "track" / "run.json")
    assert record["embedder"].startswith(f"{EMBEDDER} (")
    assert record["crops_embedded"] > 20, "identities come from the pixels"
    assert record["settings"]["sources"] == [str(shown.folder / "room" / "cameras.yaml")]
    assert {"mosaic.mp4", "contact_sheet.jpg", "floor.csv", "floor.png", "detections/cam1.txt"} <= set(record["files"])
    assert record["outputs"]["floor_plan"] is True


def test_the_last_line_says_where_the_video_of_all_cameras_is(shown: Shown) -> None:
    path = Path(shown.out.splitlines()[-1])
    assert path == shown.folder / "track" / "mosaic.mp4"
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


def record_of(shown: Shown) -> dict[str, object]:
    return dict(read_json(shown.folder / "track" / "run.json"))


def test_the_scores_rest_on_the_truth(shown: Shown) -> None:
    report = read_json(shown.folder / "scores.json")
    assert set(report) == {"protocol", "settings", "machine", "rows"}
    settings = report["settings"]
    assert (settings["seed"], settings["seconds"], settings["people"], settings["frames"]) == (3, 2, 4, 30)
    rows = {(row["name"], row["sequence"]): row for row in report["rows"]}
    assert list(rows) == [(name, sequence) for name in (EMBEDDER, "none") for sequence in ("cam1", "cam2", ALL_CAMERAS)]
    for name in (EMBEDDER, "none"):
        together = rows[name, ALL_CAMERAS]
        for camera in ("cam1", "cam2"):
            truth = read_tracks(shown.folder / "room" / "truth" / f"{camera}.txt")
            row = rows[name, camera]
            assert row["TP"] + row["FN"] == (truth.scores > 0).sum()
            assert row["MOTA"] > 60
        assert together["TP"] == rows[name, "cam1"]["TP"] + rows[name, "cam2"]["TP"]
        assert together["people"] == together["GT"] == 3
    found = {entry["identity"] for entry in read_json(shown.folder / "track" / "identities.json")}
    assert rows[EMBEDDER, ALL_CAMERAS]["identities"] == len(found)
    # The cameras are calibrated: even without an embedder, most people have one number in both.
    assert rows["none", ALL_CAMERAS]["identities"] >= rows["none", ALL_CAMERAS]["people"]
    assert rows["none", ALL_CAMERAS]["IDF1"] > 70
    assert record_of(shown)["tracker"] == "floor"


def test_the_table_shows_the_scores(shown: Shown) -> None:
    rows = read_json(shown.folder / "scores.json")["rows"]
    lines = {line.split("  ")[0].strip(): line for line in shown.out.splitlines()}
    assert EMBEDDER in shown.out and "motion alone" in shown.out
    for sequence in ("cam1", "cam2", ALL_CAMERAS):
        figures = [f"{row[metric]:.1f}" for row in rows if row["sequence"] == sequence
                   for metric in ("MOTA", "IDF1", "HOTA")]  # fmt: skip
        assert lines[sequence].removeprefix(sequence).split() == figures
    people, identities = rows[2]["people"], rows[2]["identities"]
    assert f"{people} people were seen; identities found: {identities} with {EMBEDDER}" in shown.out


def test_by_default_a_network_looks_at_the_pixels(multicam: Command, tmp_path: Path) -> None:
    assert multicam("demo", "-o", tmp_path / "out", *SCENE, "--quiet").code == 0
    record = read_json(tmp_path / "out" / "track" / "run.json")
    assert record["detector"].startswith("yolo11n_room.onnx (")
    rows = {(row["name"], row["sequence"]): row for row in read_json(tmp_path / "out" / "scores.json")["rows"]}
    # In the first camera everybody is seen whole; the second looks down on two who are cut off by its lower edge.
    assert rows[EMBEDDER, "cam1"]["MOTA"] > 90
    assert rows[EMBEDDER, ALL_CAMERAS]["MOTA"] > 60


def test_by_motion_alone_there_is_nothing_to_compare_with(multicam: Command, tmp_path: Path) -> None:
    outcome = multicam("demo", "-o", tmp_path / "out", *BRIEF, "--embedder", "none", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    rows = read_json(tmp_path / "out" / "scores.json")["rows"]
    assert [(row["name"], row["sequence"]) for row in rows] == [("none", "cam1"), ("none", ALL_CAMERAS)]


def test_an_existing_folder_needs_overwrite_which_replaces_only_what_is_ours(multicam: Command, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert call("simulate", "-o", folder, "--seconds", 0.3, "--cameras", 2, "--workers", 1, "--quiet") == 0
    (folder / "notes.txt").write_text("mine")
    before = files_in(folder)
    for command in (("simulate",), ("demo", *NO_NETWORKS)):
        assert_one_line(multicam(*command, "-o", folder, *BRIEF), f"{folder} is not empty", "--overwrite")
    assert files_in(folder) == before
    assert multicam("simulate", "-o", folder, *BRIEF, "--overwrite", "--quiet").code == 0
    assert sorted(files_in(folder)) == [
        "calibration.json", "cam1.mp4", "cameras.yaml", "detections/cam1.txt", "notes.txt", "truth/cam1.txt",
        "world.txt",
    ]  # fmt: skip
    assert (folder / "notes.txt").read_text() == "mine"


def test_what_simulate_says_tracks_the_room(multicam: Command, tmp_path: Path) -> None:
    room, tracks = tmp_path / "a room", tmp_path / "tracks"
    outcome = multicam("simulate", "-o", room, "--minutes", 0.01, "--cameras", 1, "--people", 2, "--workers", 1)
    assert outcome.code == 0
    first, last = outcome.out.splitlines()
    assert "1 camera, 9 frames each" in first
    command = shlex.split(last.removeprefix("Track them: multicam "))
    command[command.index("DIR")] = str(tracks)
    assert multicam(*command, "--quiet").code == 0
    assert_consistent(tracks, ["cam1"])


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("demo", "--seconds", 0), ("0 seconds", "between 0.2 and 7200")),
        (("demo", "--seconds", "nan"), ("nan seconds", "between 0.2")),
        (("demo", "--people", 500), ("500 people", "between 1 and 200")),
        (("demo", "--people", 9, "--at-once", 9), ("9 people at once do not fit", "between 1 and 7")),
        (("demo", "--cameras", 5), ("5 cameras", "give 1 to 4")),
        (("demo", "--seed", -1), ("-1", "0 or more")),
        (("demo", "--embedder", "colour_histogram"), ("colour_histogram", "color_histogram")),
        (("demo", "--seconds", "long"), ("--seconds is 'long'",)),
        (("simulate", "--seconds", 5, "--minutes", 1), ("--seconds 5 and --minutes 1", "one of them")),
        (("simulate", "--minutes", 0), ("0 seconds", "between 0.2")),
        (("simulate", "--workers", 0), ("0 processes", "at least 1")),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_one_line(
    multicam: Command, tmp_path: Path, arguments: tuple[object, ...], fragments: tuple[str, ...]
) -> None:
    more = NO_NETWORKS if arguments[0] == "demo" and "--embedder" not in arguments else ()
    assert_one_line(multicam(*arguments, *more, "-o", tmp_path / "out"), *fragments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [("demo", *NO_NETWORKS), ("simulate",)], ids=["demo", "simulate"])
def test_output_that_cannot_be_written_is_one_line(multicam: Command, tmp_path: Path, command: tuple[str, ...]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert_one_line(multicam(*command, "-o", blocked, *BRIEF), f"{blocked} is a file")
    assert_one_line(multicam(*command, "-o", blocked / "inside", *BRIEF), str(blocked))


@pytest.mark.parametrize(
    ("number", "existing"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["Ctrl-C", "terminate"]
)
def test_stopped_while_rendering_everything_is_as_it_was(
    shown: Shown, tmp_path: Path, number: signal.Signals, existing: bool
) -> None:
    folder = shown.folder if existing else tmp_path / "new"
    before = files_in(folder)
    with ended(process("demo", "-o", folder, *OTHER_SCENE, *NO_NETWORKS, "--overwrite", patch=SLOW_ROOM)) as run:
        wait_for(run.stdout, "rendering")
        run.send_signal(number)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 130
    assert err.splitlines()[-1] == "multicam: stopped." and "Traceback" not in err
    assert out == ""
    assert files_in(folder) == before
    assert folder.exists() == existing


def test_stopped_while_tracking_what_is_left_belongs_together(shown: Shown, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shown.folder, tmp_path / "out"))
    with ended(process("demo", "-o", folder, *OTHER_SCENE, *NO_NETWORKS, "--overwrite", patch=SLOW_ANALYSIS)) as run:
        wait_for(run.stdout, "at work")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 130, err
    assert "Interrupted: finishing what was done so far." in err and "Traceback" not in err
    assert out.splitlines()[-1] == f"Interrupted: no scores; what was done is in {folder}"
    assert sorted(path.name for path in folder.iterdir()) == ["room", "track"]
    assert read_tracks(folder / "room" / "truth" / "cam2.txt").last_frame == 9, "the earlier room had 30"
    assert_consistent(folder / "track", ["cam1", "cam2"])
    assert read_json(folder / "track" / "run.json")["interrupted"] is True


def test_stopped_for_good_while_tracking_the_room_is_left(shown: Shown, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shown.folder, tmp_path / "out"))
    slow_videos = "import time\nfrom apps.rendering import Renderer\ndraw = Renderer.draw\n" \
        "def slow(*a):\n    time.sleep(0.5)\n    return draw(*a)\nRenderer.draw = slow\n"  # fmt: skip
    given = ("demo", "-o", folder, *OTHER_SCENE, *NO_NETWORKS, "--overwrite")
    with ended(process(*given, patch=SLOW_ANALYSIS + slow_videos)) as run:
        wait_for(run.stdout, "at work")
        run.send_signal(signal.SIGINT)
        wait_for(run.stderr, "Interrupt again to stop at once")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        assert run.returncode == 130
    assert err.splitlines()[-1] == "multicam: stopped." and "Traceback" not in err
    assert [path.name for path in folder.iterdir()] == ["room"], "tracks and scores of another room would mislead"


def test_without_a_display_nothing_is_opened(
    multicam: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(subprocess, "Popen", None)
    outcome = multicam("demo", "-o", tmp_path / "out", *BRIEF, *NO_NETWORKS, "--open")
    assert outcome.code == 0
    assert outcome.err.splitlines()[-1] == "There is no display to open the video on."
    assert outcome.out.splitlines()[-1] == str(tmp_path / "out" / "track" / "mosaic.mp4")


def test_with_a_display_the_systems_viewer_gets_the_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer, seen = tmp_path / "xdg-open", tmp_path / "seen"
    viewer.write_text(f'#!/bin/sh\nprintf %s "$1" > "{seen}.new" && mv "{seen}.new" "{seen}"\n')
    viewer.chmod(0o755)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    assert open_file(Path("a video.mp4"))
    assert started[0].wait(timeout=10) == 0
    assert seen.read_text() == str(tmp_path / "a video.mp4")
