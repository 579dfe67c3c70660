"""Results are never lost by accident and never half there."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apps.output_folder import OutputFolder
from tests.apps.command import (
    ROOT,
    Command,
    Outcome,
    assert_consistent,
    assert_one_line,
    call,
    environment,
    files_in,
    read_json,
)
from tests.apps.conftest import Studio
from tests.apps.scenes import CORRIDOR, write_scene
from tracker.errors import InputError

#: a full disk, without one: files of this process may not grow beyond a size
_LIMIT = resource.RLIMIT_FSIZE

#: the embedder that loads no network: what these tests look at does not depend on it
COLORS = ("--embedder", "color_histogram")


def test_an_output_folder_with_files_is_refused(multicam: Command, finished: Path, studio: Studio) -> None:
    before = files_in(finished)
    outcome = multicam("track", studio.corridor, "-o", finished, "--detector", studio.detections, *COLORS)
    assert_one_line(outcome, str(finished), "is not empty", "--overwrite")
    assert files_in(finished) == before


def test_overwrite_leaves_only_what_the_new_run_wrote_and_what_was_never_ours(
    multicam: Command, finished: Path, studio: Studio, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "out"))
    (folder / "notes.txt").write_text("mine")
    someone = min(path.name for path in (folder / "crops").iterdir())
    (folder / "crops" / someone / "kept.txt").write_text("mine too")
    outcome = multicam("track", studio.hall, "-o", folder, "--detector", studio.detections, *COLORS, "--overwrite")
    assert outcome.code == 0
    ours = [
        "events.jsonl",
        "hall.mp4",
        "hall.txt",
        "identities.json",
        "run.json",
        "store.sqlite",
        "tracks.csv",
        "tracks.jsonl",
    ]
    assert sorted(files_in(folder)) == sorted([*ours, "notes.txt", f"crops/{someone}/kept.txt"])
    assert sorted(path.name for path in (folder / "crops").iterdir()) == [someone], "no empty folders"
    assert read_json(folder / "run.json")["files"] == ours


def test_a_record_that_points_elsewhere_deletes_nothing(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    names = ["../precious.txt", "link/precious.txt", str(tmp_path / "precious.txt"), "..", "", 3]
    (folder / "run.json").write_text(json.dumps({"files": names}))
    outcome = multicam(
        "track", studio.hall, "-o", folder, "--detector", studio.detections, *COLORS, "--overwrite", "--no-video"
    )
    assert outcome.code == 0
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"files": 3}', '{"files": null}', "\x00"])
def test_a_record_that_cannot_be_read_is_no_hindrance(
    multicam: Command, studio: Studio, tmp_path: Path, record: str
) -> None:
    (tmp_path / "run.json").write_text(record)
    arguments = (
        "-o",
        tmp_path,
        "--detector",
        studio.detections,
        *COLORS,
        "--overwrite",
        "--no-video",
        "--max-frames",
        3,
    )
    assert multicam("track", studio.hall, *arguments).code == 0
    assert_consistent(tmp_path, ["hall"], video=False)


@pytest.mark.parametrize("name", ["scene.mp4", "./scene.mp4", "link.mp4"])
def test_the_source_itself_is_never_overwritten(multicam: Command, tmp_path: Path, name: str) -> None:
    """The annotated video would have the name of the video it is made from."""
    video = write_scene(tmp_path, "scene", CORRIDOR, 4)
    (tmp_path / "link.mp4").symlink_to(video)
    before = files_in(tmp_path)
    outcome = multicam("track", tmp_path / name, "-o", tmp_path, "--detector", f"mot:{tmp_path}/det", "--overwrite")
    assert_one_line(outcome, name.removeprefix("./"), "read by this run", "choose another output folder")
    assert files_in(tmp_path) == before


def test_detections_are_never_overwritten_by_tracks(multicam: Command, tmp_path: Path) -> None:
    video = write_scene(tmp_path, "scene", CORRIDOR, 4)
    folder = tmp_path / "det"
    before = files_in(folder)
    for given in (folder, folder / "scene.txt", folder / "{camera}.txt"):
        outcome = multicam(
            "track", video, "-o", folder, "--detector", f"mot:{given}", *COLORS, "--overwrite", "--no-video"
        )
        assert_one_line(outcome, str(folder / "scene.txt"), "choose another output folder")
    assert files_in(folder) == before


def test_a_source_among_the_results_of_an_earlier_run_survives_the_clearing(
    multicam: Command, studio: Studio, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    arguments = ("-o", folder, "--detector", studio.detections, *COLORS, "--overwrite")
    assert multicam("track", studio.hall, *arguments).code == 0
    content = (folder / "hall.mp4").read_bytes()
    (tmp_path / "cameras.yaml").write_text("cameras: [{name: corridor, source: out/hall.mp4}]")
    assert multicam("track", tmp_path / "cameras.yaml", *arguments).code == 0
    assert (folder / "hall.mp4").read_bytes() == content
    assert not (folder / "hall.txt").exists()


def test_a_result_that_cannot_have_its_name_shows_before_the_work(
    multicam: Command, studio: Studio, tmp_path: Path
) -> None:
    (tmp_path / "tracks.csv").mkdir()
    arguments = ("track", studio.hall, "-o", tmp_path, "--detector", studio.detections, *COLORS, "--overwrite")
    assert_one_line(multicam(*arguments), str(tmp_path / "tracks.csv"), "is a folder")
    (tmp_path / "tracks.csv").rmdir()
    (tmp_path / "crops").write_text("a file")
    assert_one_line(multicam(*arguments, "--save-crops"), str(tmp_path / "crops"), "not a folder")
    assert list(files_in(tmp_path)) == ["crops"]


def test_output_is_a_file(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    arguments = ("--detector", studio.detections, *COLORS, "--overwrite")
    assert_one_line(multicam("track", studio.hall, "-o", tmp_path / "out", *arguments), str(tmp_path / "out"), "file")
    below = tmp_path / "out" / "deeper"
    assert_one_line(multicam("track", studio.hall, "-o", below, *arguments), str(below), "choose another output folder")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_that_may_not_be_written_to(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    before = {path: path.stat().st_mode for path in [tmp_path, *tmp_path.parents]}
    folder.chmod(0o555)
    arguments = ("--detector", studio.detections, *COLORS, "--no-video", "--quiet")
    # Everything is imported and readable before rights are given up, wherever the code and the scene lie.
    assert multicam("track", studio.hall, "-o", tmp_path / "first", *arguments).code == 0
    root = os.geteuid() == 0
    opened = [path for path in (studio.folder, *studio.folder.parents) if root and not path.stat().st_mode & 0o001]
    opened += [path for path in before if root and path not in opened and not path.stat().st_mode & 0o001]
    modes = {path: path.stat().st_mode for path in opened}
    try:
        for path in opened:
            path.chmod(0o755)
        if root:
            os.seteuid(65534)
        for target in (folder, folder / "out"):
            outcome = multicam("track", studio.hall, "-o", target, *arguments)
            assert_one_line(outcome, str(target), "permission denied", "choose a folder you may write to")
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode & 0o7777)
    assert files_in(folder) == {}


@pytest.fixture(scope="module")
def sizes(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How large the files of a run with crops are."""
    folder = tmp_path_factory.mktemp("sizes")
    arguments = ("--detector", studio.detections, "--embedder", "color_histogram", "--save-crops", "--quiet")
    assert call("track", studio.corridor, studio.hall, "-o", folder, *arguments) == 0
    return {name: len(content) for name, content in files_in(folder).items()}


@pytest.mark.parametrize("existing", [False, True], ids=["new folder", "earlier results"])
@pytest.mark.parametrize("name", ["tracks.jsonl", "corridor.txt", "hall.mp4", "contact_sheet.jpg", "run.json"])
def test_no_space_for_one_file_leaves_everything_as_it_was(
    multicam: Command, studio: Studio, finished: Path, sizes: dict[str, int], tmp_path: Path, name: str, existing: bool
) -> None:
    folder = tmp_path / "out"
    if existing:
        shutil.copytree(finished, folder)
    before = files_in(folder)
    everything = resource.getrlimit(_LIMIT)
    # run.json holds times, whose length varies.
    resource.setrlimit(_LIMIT, (sizes[name] - 50, everything[1]))
    try:
        outcome = multicam(
            "track", studio.corridor, studio.hall, "-o", folder, "--detector", studio.detections,
            "--embedder", "color_histogram", "--save-crops", "--quiet", "--overwrite",
        )  # fmt: skip
    finally:
        resource.setrlimit(_LIMIT, everything)
    assert_one_line(outcome, f"multicam: cannot write {folder}", "choose another output folder")
    assert ".partial" not in outcome.err
    assert files_in(folder) == before
    assert folder.exists() == existing


def test_a_disk_that_is_full(studio: Studio, tmp_path: Path) -> None:
    """A real file system of a few pages, in a mount namespace of its own."""
    mount = tmp_path / "small"
    mount.mkdir()
    enter = ["unshare", "--map-root-user", "--mount", "--user", "sh", "-c"]
    prepare = f'mount -t tmpfs -o size=64k none "{mount}"'
    if shutil.which("unshare") is None or subprocess.run([*enter, prepare], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    # What is on the small disk is seen from inside only.
    script = f'{prepare}; "$@"; code=$?; ls -A "{mount}" >&2; exit $code'
    command = [
        sys.executable,
        "-m",
        "apps",
        "track",
        studio.hall,
        "-o",
        mount / "out",
        "--detector",
        studio.detections,
        *COLORS,
    ]
    done = subprocess.run(
        [*enter, script, "sh", *(str(part) for part in command), "--quiet"],
        capture_output=True, text=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert_one_line(
        Outcome(done.returncode, done.stdout, done.stderr), str(mount / "out"), "no space left", "free some"
    )


def test_a_run_that_breaks_off_keeps_earlier_results_and_saves_new_work(
    multicam: Command, finished: Path, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker.pipeline import MultiCameraPipeline

    decide, calls = MultiCameraPipeline.decide, []

    def break_off(pipeline: MultiCameraPipeline, seen: object) -> object:
        calls.append(seen)
        if len(calls) > 30:
            raise InputError("the embedder gave up: give it a rest")
        return decide(pipeline, seen)  # type: ignore[arg-type]

    monkeypatch.setattr(MultiCameraPipeline, "decide", break_off)
    earlier = Path(shutil.copytree(finished, tmp_path / "earlier"))
    arguments = ("track", studio.corridor, studio.hall, "--detector", studio.detections, *COLORS, "--quiet")
    assert_one_line(multicam(*arguments, "-o", earlier, "--overwrite"), "the embedder gave up: give it a rest")
    assert files_in(earlier) == files_in(finished)
    calls.clear()
    new = tmp_path / "new"
    assert_one_line(multicam(*arguments, "-o", new), "the embedder gave up: give it a rest", f"is in {new}")
    assert_consistent(new, ["corridor", "hall"])
    record = read_json(new / "run.json")
    assert record["failure"] == "the embedder gave up: give it a rest"
    assert 30 <= record["frames"] <= 60


def test_two_runs_into_one_folder_at_once(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out") as folder:
        folder.file("tracks.csv").write_text("of the first run")
        outcome = multicam("track", studio.hall, "-o", tmp_path / "out", "--detector", studio.detections, *COLORS)
        assert_one_line(outcome, "another run is writing to", str(tmp_path / "out"))
        folder.publish()
    assert {name: content.decode() for name, content in files_in(tmp_path / "out").items()} == {
        "tracks.csv": "of the first run"
    }


def test_what_a_killed_run_left_is_cleared(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    left = tmp_path / "out" / ".multicam.partial" / "crops"
    left.mkdir(parents=True)
    (left / "1.jpg").write_bytes(b"half")
    arguments = ("-o", tmp_path / "out", "--detector", studio.detections, *COLORS, "--no-video", "--max-frames", 5)
    assert multicam("track", studio.hall, *arguments).code == 0, "hidden leftovers are no results"
    assert_consistent(tmp_path / "out", ["hall"], video=False)


def test_folders_above_are_made_and_unmade(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "c"
    assert_one_line(multicam("track", studio.hall, "-o", target, "--detector", f"mot:{studio.folder}/det/corridor.csv"))
    bad = tmp_path / "hall.txt"
    bad.write_text("1,-1,nan,2,3,4,0.9\n")
    assert_one_line(multicam("track", studio.hall, "-o", target, "--detector", f"mot:{bad}"), str(bad), "line 1")
    assert not (tmp_path / "a").exists()
