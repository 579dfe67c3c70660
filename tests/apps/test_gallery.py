"""``--gallery FILE``: two runs that know the same people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.apps.command import Command, assert_consistent, assert_one_line, files_in, read_json, read_lines
from tests.apps.conftest import Studio
from tests.apps.scenes import CORRIDOR, HALL, Figure


def numbers(folder: Path, camera: str, figures: tuple[Figure, ...]) -> list[int | None]:
    """Return the identity that each figure has most often in a camera."""
    rows = [row for row in read_lines(folder / "tracks.jsonl") if row["camera"] == camera]
    found: list[int | None] = []
    for figure in figures:
        mine = []
        for row in rows:
            box = figure.box(row["frame"] - 1) or figure.box(row["frame"])
            if box is not None and abs(row["box"][0] - box[0]) < 12 and abs(row["box"][1] - box[1]) < 12:
                mine.append(row["identity"])
        found.append(max(set(mine), key=mine.count) if mine else None)
    return found


def arguments(studio: Studio, video: Path, output: Path, gallery: Path) -> list[object]:
    return ["track", video, "-o", output, "--detector", studio.detections, "--embedder", "color_histogram",
            "--gallery", gallery, "--no-video"]  # fmt: skip


def test_people_keep_their_numbers_from_run_to_run(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    gallery = tmp_path / "people.npz"
    first = multicam(*arguments(studio, studio.corridor, tmp_path / "first", gallery), "--quiet")
    assert first.code == 0, first.err
    before = numbers(tmp_path / "first", "corridor", CORRIDOR)
    assert sorted(number or 0 for number in before) == [1, 2, 3]
    second = multicam(*arguments(studio, studio.hall, tmp_path / "second", gallery))
    assert second.code == 0 and "3 people known from earlier runs" in second.err
    assert numbers(tmp_path / "second", "hall", HALL) == before[: len(HALL)]
    assert_consistent(tmp_path / "second", ["hall"], video=False)
    record = read_json(tmp_path / "second" / "run.json")
    assert (record["known_from_earlier_runs"], record["recalled_from_earlier_runs"]) == (3, 2)
    kinds = [event["kind"] for event in read_lines(tmp_path / "second" / "events.jsonl")]
    assert kinds.count("identity_recalled") == 2
    # A third run without anybody new leaves the gallery a gallery of three.
    with np.load(gallery) as stored:
        assert sorted(stored["numbers"].tolist()) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["none", "broken", "other", "folder", "nowhere"])
def test_a_gallery_that_cannot_be_used(multicam: Command, studio: Studio, tmp_path: Path, kind: str) -> None:
    gallery, more, words = tmp_path / "people.npz", [], "people.npz"
    if kind == "none":
        more, words = ["--embedder", "none"], "--embedder none does not look"
    elif kind == "broken":
        gallery.write_text("nonsense")
        words = "is no gallery of multicam"
    elif kind == "other":
        from tracker.cross_camera.earlier_runs import KnownPeople
        from tracker.cross_camera.gallery_file import EmbedderMark, write_gallery

        write_gallery(gallery, KnownPeople([], 1, {}), EmbedderMark("net:a", np.eye(4, 512, dtype=np.float32)))
        words = "made by the embedder net:a with vectors of 512"
    elif kind == "folder":
        gallery.mkdir()
        words = "it is a folder"
    else:
        gallery = tmp_path / "no" / "people.npz"
    before = files_in(tmp_path)
    assert_one_line(multicam(*arguments(studio, studio.hall, tmp_path / "out", gallery), *more), words)
    assert files_in(tmp_path) == before and not (tmp_path / "out").exists()


def test_a_run_without_frames_leaves_the_gallery(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    gallery = tmp_path / "people.npz"
    outcome = multicam("track", tmp_path / "missing.mp4", "-o", tmp_path / "out", "--embedder", "color_histogram",
                       "--gallery", gallery)  # fmt: skip
    assert outcome.code == 2 and not gallery.exists() and not list(tmp_path.iterdir())
