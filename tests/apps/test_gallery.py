"""``--gallery FILE``: two runs that know the same people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.apps.command import Command, assert_consistent, assert_one_line, files_in, read_json, read_lines
from tests.apps.conftest import Studio
from tests.apps.scenes import CORRIDOR, HALL, Figure
from tracker.storage.store_reader import StoreReader


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


def test_a_store_is_a_gallery(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    """The store that a run left: who comes back keeps the number, and the store learns how they look there."""
    more = ["--detector", studio.detections, "--embedder", "color_histogram", "--no-video", "--quiet"]
    assert multicam("track", studio.corridor, "-o", tmp_path / "first", *more).code == 0
    store = tmp_path / "first" / "store.sqlite"
    before = numbers(tmp_path / "first", "corridor", CORRIDOR)
    assert multicam("track", studio.hall, "-o", tmp_path / "second", *more, "--gallery", store).code == 0
    assert numbers(tmp_path / "second", "hall", HALL) == before[: len(HALL)]
    record = read_json(tmp_path / "second" / "run.json")
    assert (record["known_from_earlier_runs"], record["recalled_from_earlier_runs"]) == (3, 2)
    with StoreReader(store) as reader:
        found = reader.vectors()
        names = reader.camera_names()
        # Sightings and crops of the second run are in its own store.
        assert [person.cameras for person in reader.people()] == [["corridor"]] * 3
    seen = {(int(one), names[int(camera)]) for one, camera in zip(found.identities, found.cameras)}
    assert seen == {(n, "corridor") for n in (1, 2, 3)} | {(n, "hall") for n in before[: len(HALL)]}
    # A third run recalls them again, and the ages of looks have come along.
    assert multicam("track", studio.hall, "-o", tmp_path / "third", *more, "--gallery", store).code == 0
    assert numbers(tmp_path / "third", "hall", HALL) == before[: len(HALL)]
    with StoreReader(store) as reader:
        corridor = next(number for number, name in reader.camera_names().items() if name == "corridor")
        later = reader.vectors()
        assert np.sort(later.times[later.cameras == corridor]) == pytest.approx(
            np.sort(found.times[found.cameras == corridor]), abs=1e-3
        )
    with StoreReader(tmp_path / "second" / "store.sqlite") as reader:
        assert {person.number for person in reader.people()} == set(before[: len(HALL)])
        # Numbers that were given and taken back are not used again, either.
        opened = [event["identity"] for event in read_lines(tmp_path / "second" / "events.jsonl")
                  if event["kind"] == "identity_opened"]  # fmt: skip
        assert reader.stats().next_number == max([3, *opened]) + 1
