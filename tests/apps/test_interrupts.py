"""Ctrl-C in a process of its own: once to finish what there is, twice to stop at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import av
import pytest

from tests.apps.command import assert_consistent, ended, files_in, process, read_json
from tests.apps.conftest import Studio


def slow_analysis(begun: int, seconds: float) -> str:
    """Return what says "at work" at instant ``begun`` of an analysis and makes each take so long from then on."""
    return f"""
import time
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import MultiCameraPipeline
calls = []
def slowed(decide):
    def slow(pipeline, seen):
        calls.append(seen)
        if len(calls) == {begun}: print("at work", flush=True)
        if len(calls) >= {begun}: time.sleep({seconds})
        return decide(pipeline, seen)
    return slow
for kind in (MultiCameraPipeline, FloorPipeline): kind.decide = slowed(kind.decide)
"""


#: a slow machine: what is left of the analysis takes two seconds
SLOW_ANALYSIS = slow_analysis(25, 0.02)
#: the same for the videos, which are drawn after the analysis
SLOW_VIDEO = """
import time
from apps.rendering import Renderer
draw, drawn = Renderer.draw, []
def slow(renderer, *arguments):
    drawn.append(1)
    if len(drawn) == 5: print("drawing", flush=True)
    time.sleep(0.015)
    return draw(renderer, *arguments)
Renderer.draw = slow
"""

#: the embedder that loads no network: what these tests look at does not depend on it
COLORS = ("--embedder", "color_histogram")


def wait_for(stream: object, text: str) -> str:
    """Read lines until one has ``text``; return it."""
    for line in stream:  # type: ignore[attr-defined]
        if text in line:
            return str(line)
    raise AssertionError(f"it ended without {text!r}")


def arguments(studio: Studio, folder: Path, *more: object) -> tuple[object, ...]:
    return ("track", studio.corridor, studio.hall, "-o", folder, "--detector", studio.detections, *COLORS, *more)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_once_finishes_what_there_is(studio: Studio, tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "out"
    with ended(process(*arguments(studio, folder, "--mosaic", "--save-crops"), patch=SLOW_ANALYSIS)) as run:
        wait_for(run.stdout, "at work")
        run.send_signal(number)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 130
    assert "Interrupted: finishing what was done so far. Interrupt again to stop at once." in err.splitlines()
    assert "Traceback" not in err
    assert f"Results: {folder}" in out
    assert_consistent(folder, ["corridor", "hall"])
    record = read_json(folder / "run.json")
    assert record["interrupted"] is True
    assert 25 <= record["frames"] < 150
    for camera in record["cameras"]:
        with av.open(str(folder / f"{camera['name']}.mp4")) as container:
            assert sum(1 for _ in container.decode(video=0)) == camera["frames"] > 0
    with av.open(str(folder / "mosaic.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) >= max(camera["frames"] for camera in record["cameras"])


@pytest.mark.parametrize("existing", [False, True], ids=["new folder", "earlier results"])
def test_twice_leaves_everything_as_it_was(studio: Studio, finished: Path, tmp_path: Path, existing: bool) -> None:
    folder = tmp_path / "out"
    if existing:
        shutil.copytree(finished, folder)
    before = files_in(folder)
    with ended(
        process(*arguments(studio, folder, "--mosaic", "--save-crops", "--overwrite"), patch=SLOW_ANALYSIS + SLOW_VIDEO)
    ) as run:
        wait_for(run.stdout, "at work")
        run.send_signal(signal.SIGINT)
        wait_for(run.stderr, "Interrupt again to stop at once")
        wait_for(run.stdout, "drawing")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        assert run.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "multicam: stopped."
    assert files_in(folder) == before
    assert folder.exists() == existing


def test_while_the_videos_are_drawn_nothing_is_lost(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with ended(process(*arguments(studio, folder), patch=SLOW_VIDEO)) as run:
        wait_for(run.stdout, "drawing")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        assert run.returncode == 0, err
    assert "All frames are analysed: finishing the videos." in err
    assert_consistent(folder, ["corridor", "hall"])
    record = read_json(folder / "run.json")
    assert (record["interrupted"], record["frames"]) == (False, 180)


def test_before_the_first_frame_nothing_is_written(studio: Studio, tmp_path: Path) -> None:
    slow_start = """
import time
import apps.track
build = apps.track.build_pipeline
def slow(*arguments):
    print("loading", flush=True)
    time.sleep(30)
apps.track.build_pipeline = slow
"""
    with ended(process(*arguments(studio, tmp_path / "out"), patch=slow_start)) as run:
        wait_for(run.stdout, "loading")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        assert run.returncode == 130
    assert err == "multicam: stopped.\n"
    assert not (tmp_path / "out").exists()


def test_a_killed_run_leaves_earlier_results_and_is_cleared_by_the_next(
    studio: Studio, finished: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "out"))
    given = arguments(studio, folder, "--overwrite", "--no-video", "--quiet")
    with ended(process(*given, patch=SLOW_ANALYSIS)) as run:
        wait_for(run.stdout, "at work")
        run.kill()
        run.wait(timeout=30)
    left = files_in(folder)
    assert {name: content for name, content in left.items() if not name.startswith(".")} == files_in(finished)
    with ended(process(*given, stdout=subprocess.DEVNULL)) as run:
        assert run.wait(timeout=30) == 0
    assert_consistent(folder, ["corridor", "hall"], video=False)
