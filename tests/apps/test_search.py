"""``multicam search`` in the store that ``multicam track`` leaves."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.apps.command import Command, assert_consistent, assert_one_line, call, files_in, read_json
from tests.apps.conftest import Studio
from tests.apps.scenes import CORRIDOR, picture
from tracker.storage.store_reader import StoreReader


@pytest.fixture(scope="module")
def run(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a store."""
    folder = tmp_path_factory.mktemp("stored") / "out"
    code = call(
        "track", studio.corridor, studio.hall, "-o", folder, "--detector", studio.detections, "--embedder",
        "color_histogram", "--no-video", "--quiet",
    )  # fmt: skip
    assert code == 0
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Somebody of the corridor, as another picture shows them."""
    figure = CORRIDOR[0]
    image = picture([figure], figure.first + 5, (192, 144))
    left, top, width, height = (round(value) for value in figure.box(figure.first + 5) or (0, 0, 0, 0))
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), cv2.GaussianBlur(image[top : top + height, left : left + width], (3, 3), 0))
    return path


def identity_of(folder: Path, camera: str, box: tuple[float, float, float, float], frame: int) -> int:
    rows = (folder / f"{camera}.txt").read_text().splitlines()
    fields = [list(map(float, row.split(","))) for row in rows]
    near = [row for row in fields if row[0] == frame and abs(row[2] - 1 - box[0]) < 8 and abs(row[3] - 1 - box[1]) < 8]
    assert len(near) == 1
    return int(near[0][1])


def test_the_store_of_a_run_says_what_its_other_files_say(run: Path) -> None:
    assert_consistent(run, ["corridor", "hall"], video=False)
    assert "store.sqlite" in read_json(run / "run.json")["files"]
    entries = read_json(run / "identities.json")
    with StoreReader(run / "store.sqlite") as store:
        people = store.people()
        assert [person.number for person in people] == [entry["identity"] for entry in entries]
        for person, entry in zip(people, entries, strict=True):
            assert person.cameras == sorted(entry["cameras"])
            sightings = store.sightings(person.number)
            origin = sightings[0].origin
            assert {one.clock for one in sightings} == {"video"}
            assert min(one.start for one in sightings) - origin == pytest.approx(entry["first_time"], abs=1e-4)
            assert max(one.end for one in sightings) - origin == pytest.approx(entry["last_time"], abs=1e-4)
            assert {(one.camera, one.track) for one in sightings} == {
                (track["camera"], track["track"]) for track in entry["tracks"]
            }
            assert all(len(store.path_of(one.number)[0]) for one in sightings)
            crop = store.crop(store.crops(person.number)[0].number)
            assert crop is not None
            assert cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR).shape[0] > 30
        known = store.embedder()
        assert known is not None and known.spec == "color_histogram" and known.threshold is None


def test_a_photo_finds_its_person(multicam: Command, run: Path, photo: Path, tmp_path: Path) -> None:
    sheet, answers = tmp_path / "sheet.png", tmp_path / "answers.json"
    outcome = multicam("search", photo, "--store", run, "-o", sheet, "--json", answers, "--top", 2)
    assert outcome.code == 0, outcome.err
    (answer,) = read_json(answers)
    first, second = answer["matches"]
    figure = CORRIDOR[0]
    expected = identity_of(run, "corridor", figure.box(figure.first + 10) or (0, 0, 0, 0), figure.first + 11)
    assert first["identity"] == expected and first["score"] > second["score"] > 0
    assert first["score"] > 0.9
    entry = next(entry for entry in read_json(run / "identities.json") if entry["identity"] == expected)
    assert entry["first_time"] - 0.01 <= first["video_seconds"] <= entry["last_time"] + 0.01
    assert first["cameras"] == sorted(entry["cameras"]) and first["camera"] in entry["cameras"]
    assert f"{first['score']:.3f}" in outcome.out and str(sheet) in outcome.out.replace("\n", "")
    # The query is on the sheet, and beside it a crop of the same clothes.
    image = cv2.imread(str(sheet))
    top = np.array(figure.clothes[0])
    same = np.abs(image.astype(int) - top).max(axis=2) < 60
    halves = np.flatnonzero(same.any(axis=0))
    assert halves.min() < 96 and ((halves > 110) & (halves < 220)).any()
    before = files_in(tmp_path)
    again = multicam("search", photo, "--store", run, "-o", sheet, "--json", answers)
    assert_one_line(again, "answers.json is there already", "--overwrite")
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("nothing", "cannot be read (No such file or directory)"),
        ("text", "is no picture that can be read"),
        ("folder", "is a folder: give the pictures in it"),
        ("store", "there is no store"),
        ("embedder", "with other weights, whose vectors say nothing"),
        ("sheet", "must be a PNG"),
        ("none", "was written with --embedder none"),
        ("boxes", "knows no photos: give a model"),
    ],
)
def test_what_cannot_be_searched(
    multicam: Command, studio: Studio, run: Path, photo: Path, tmp_path: Path, change: str, words: str
) -> None:
    given: list[object] = [photo, "--store", run, "-o", tmp_path / "sheet.png"]
    if change == "nothing":
        given[0] = tmp_path / "other.png"
    elif change == "text":
        photo.write_text("no picture")
    elif change == "folder":
        given[0] = tmp_path
    elif change == "store":
        given[2] = tmp_path
    elif change == "embedder":
        given[2] = tmp_path / "store.sqlite"
        shutil.copy(run / "store.sqlite", given[2])
        with sqlite3.connect(given[2]) as connection:
            connection.execute("UPDATE facts SET value = zeroblob(length(value)) WHERE name = 'embedder_mark'")
    elif change == "sheet":
        given[4] = tmp_path / "sheet.jpg"
    elif change == "none":
        given[2] = tmp_path / "motion"
        assert call("track", studio.hall, "-o", given[2], "--detector", studio.detections, "--embedder", "none",
                    "--no-video", "--quiet") == 0  # fmt: skip
    else:
        given += ["--detector", studio.detections]
    before = files_in(tmp_path)
    assert_one_line(multicam("search", *given), words)
    assert files_in(tmp_path) == before


def test_no_store_is_written_where_none_is_wanted(studio: Studio, tmp_path: Path) -> None:
    code = call("track", studio.hall, "-o", tmp_path, "--detector", studio.detections, "--embedder", "none",
                "--no-video", "--no-store", "--quiet")  # fmt: skip
    assert code == 0 and "store.sqlite" not in files_in(tmp_path)
    assert_consistent(tmp_path, ["hall"], video=False)
