"""Results of a run: what the spool keeps, and what the final files say."""

from __future__ import annotations

import csv
import errno
import json
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.errors import InputError
from tracker.storage import spool as spools
from tracker.storage.mot_files import read_tracks
from tracker.storage.results import (
    UNIDENTIFIED_OFFSET,
    ObservationSpool,
    identity_records,
    write_identities_json,
    write_mot,
    write_tracks_csv,
    write_tracks_jsonl,
)

CAMERAS = ['door "A", left', "Küche"]


def three_observations(spool: ObservationSpool) -> None:
    spool.append(0, 0, 0.0, [1], [[10, 20, 30.126, 60]], [0.87654321], [0])
    spool.append(1, 0, 0.01, [], np.zeros((0, 4)), [], [])
    spool.append(1, 3, 0.5, [1, 2], [[1, 2, 3, 4], [5.5, 6, 7, 8]], [0.5, 0.25], [0, 2])


def identity_of(camera: int, tracks: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Track 1 of camera 0 and track 2 of camera 1 are person 7; track 1 of camera 1 is nobody."""
    return np.where(tracks == (1 if camera == 0 else 2), 7, 0)


def test_json_lines(tmp_path: Path) -> None:
    with ObservationSpool(tmp_path) as spool:
        three_observations(spool)
        write_tracks_jsonl(tmp_path / "tracks.jsonl", spool, CAMERAS, identity_of)
    lines = (tmp_path / "tracks.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "camera": CAMERAS[0], "frame": 1, "time": 0.0, "identity": 7, "track": 1,
            "box": [10.0, 20.0, 30.13, 60.0], "score": 0.8765, "class": 0,
        },
        {
            "camera": CAMERAS[1], "frame": 4, "time": 0.5, "identity": None, "track": 1,
            "box": [1.0, 2.0, 3.0, 4.0], "score": 0.5, "class": 0,
        },
        {
            "camera": CAMERAS[1], "frame": 4, "time": 0.5, "identity": 7, "track": 2,
            "box": [5.5, 6.0, 7.0, 8.0], "score": 0.25, "class": 2,
        },
    ]  # fmt: skip


def test_csv_says_the_same_as_json_lines(tmp_path: Path) -> None:
    with ObservationSpool(tmp_path) as spool:
        three_observations(spool)
        write_tracks_jsonl(tmp_path / "tracks.jsonl", spool, CAMERAS, identity_of)
        write_tracks_csv(tmp_path / "tracks.csv", spool, CAMERAS, identity_of)
    with (tmp_path / "tracks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, line in zip(rows, (tmp_path / "tracks.jsonl").read_text().splitlines(), strict=True):
        said = json.loads(line)
        assert row.pop("camera") == said.pop("camera")
        assert (row.pop("identity") or None) == (None if said["identity"] is None else str(said["identity"]))
        del said["identity"]
        box = said.pop("box")
        assert [float(row.pop(corner)) for corner in ("x1", "y1", "x2", "y2")] == box
        assert {key: float(value) for key, value in row.items()} == {key: float(value) for key, value in said.items()}


def test_mot_text_has_identities_as_ids_and_keeps_tracks_without_one(tmp_path: Path) -> None:
    with ObservationSpool(tmp_path) as spool:
        three_observations(spool)
        write_mot(tmp_path / "b.txt", spool, 1, identity_of)
    found = read_tracks(tmp_path / "b.txt")
    np.testing.assert_array_equal(found.frames, [4, 4])
    np.testing.assert_array_equal(found.ids, [UNIDENTIFIED_OFFSET + 1, 7])
    np.testing.assert_allclose(found.boxes, [[1, 2, 3, 4], [5.5, 6, 7, 8]])


def test_identities(tmp_path: Path) -> None:
    with ObservationSpool(tmp_path) as spool:
        three_observations(spool)
        found = identity_records(spool, CAMERAS, identity_of, {7: "crops/7.jpg"})
    write_identities_json(tmp_path / "identities.json", found)
    assert json.loads((tmp_path / "identities.json").read_text(encoding="utf-8")) == [
        {
            "identity": 7, "cameras": CAMERAS, "first_time": 0.0, "last_time": 0.5, "observations": 2,
            "tracks": [{"camera": CAMERAS[0], "track": 1}, {"camera": CAMERAS[1], "track": 2}],
            "best_crop": "crops/7.jpg",
        }
    ]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=30),
    buffered=st.integers(1, 50),
    chunk=st.integers(1, 70),
)
def test_everything_appended_comes_back_in_order(
    tmp_path: Path, sizes: list[tuple[int, int]], buffered: int, chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spools, "_BUFFERED_RECORDS", buffered)
        with ObservationSpool(tmp_path) as spool:
            expected: list[tuple[int, int, int]] = []
            for frame, (camera, count) in enumerate(sizes):
                tracks = np.arange(count) + 1000 * frame
                spool.append(camera, frame, frame / 30, tracks, np.ones((count, 4)), np.ones(count), np.zeros(count))
                expected += [(camera, frame, track) for track in tracks.tolist()]
                if frame % 7 == 3:
                    assert sum(map(len, spool.chunks(size=chunk))) == len(expected)
            assert len(spool) == len(expected)
            for camera in (None, 0, 1, 2):
                got = [
                    tuple(record)
                    for part in spool.chunks(camera, size=chunk)
                    for record in part[["camera", "frame", "track"]].tolist()
                ]
                assert got == [row for row in expected if camera in (None, row[0])]


def test_spool_is_removed_also_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ObservationSpool(tmp_path) as spool:
        three_observations(spool)
        assert list(tmp_path.iterdir()) == [spool.path]
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_an_interrupted_file_is_not_left_behind(tmp_path: Path) -> None:
    def interrupted(camera: int, tracks: np.ndarray, times: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with ObservationSpool(tmp_path) as spool:
        three_observations(spool)
        for write in (write_tracks_jsonl, write_tracks_csv):
            with pytest.raises(KeyboardInterrupt):
                write(tmp_path / "tracks", spool, CAMERAS, interrupted)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_clear_line_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        """A disk that takes three bytes, then no more."""

        def __init__(self, file) -> None:
            self.file = file
            self.room = 3

        def write(self, content) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.room, taken = 0, self.room
            return self.file.write(content[:taken])

        def __getattr__(self, name: str):
            return getattr(self.file, name)

    with ObservationSpool(tmp_path) as spool:
        three_observations(spool)
        real = spool._file
        monkeypatch.setattr(spool, "_file", FullDisk(real))
        with pytest.raises(InputError, match="no space left"):
            list(spool.chunks())
        monkeypatch.setattr(spool, "_file", real)
        assert [record["track"].tolist() for record in spool.chunks()] == [[1, 1, 2]]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        ObservationSpool(tmp_path / "file" / "out")


def test_a_hundred_thousand_observations_in_two_seconds_and_little_memory(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def person(camera: int, tracks: np.ndarray, times: np.ndarray) -> np.ndarray:
        return tracks % 40 + 1

    with ObservationSpool(tmp_path) as spool:
        start = time.perf_counter()
        for frame in range(2500):
            corners = generator.uniform(0, 1000, (40, 2))
            boxes = np.hstack([corners, corners + 50])
            spool.append(frame % 4, frame // 4, frame / 30, np.arange(40), boxes, generator.random(40), np.zeros(40))
        durations = {"append": time.perf_counter() - start}
        for name, write in (("tracks.jsonl", write_tracks_jsonl), ("tracks.csv", write_tracks_csv)):
            start = time.perf_counter()
            write(tmp_path / name, spool, ["a", "b", "c", "d"], person)
            durations[name] = time.perf_counter() - start
        start = time.perf_counter()
        for camera in range(4):
            write_mot(tmp_path / f"{camera}.txt", spool, camera, person)
        durations["mot"] = time.perf_counter() - start
        assert max(durations.values()) < 2, durations
        assert (tmp_path / "tracks.jsonl").read_text().count("\n") == 100_000
        tracemalloc.start()
        for _ in range(2500):
            spool.append(0, 1, 0.0, np.arange(40), boxes, np.ones(40), np.zeros(40))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000_000
