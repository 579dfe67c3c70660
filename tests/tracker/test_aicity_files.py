"""The AI City Challenge's text: read, refused with the line that is wrong, and written with places on the floor."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.tracker.test_floor_results import people_at
from tracker.errors import InputError
from tracker.storage.aicity_files import camera_numbers, read_aicity, write_aicity
from tracker.storage.floor_results import FloorSpool
from tracker.storage.results import ObservationSpool


def test_a_line_is_camera_id_frame_box_and_place(tmp_path: Path) -> None:
    text = "42 7 0 10 20 30 40 1.5 -2.25\n\n1 3 5 0 0 9.5 8 0 1e1\n"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("a.txt", "a.txt.gz"):
        rows = read_aicity(tmp_path / name)
        assert (rows.cameras.tolist(), rows.ids.tolist(), rows.frames.tolist()) == ([42, 1], [7, 3], [0, 5])
        assert rows.boxes.tolist() == [[10, 20, 40, 60], [0, 0, 9.5, 8]]
        assert rows.positions.tolist() == [[1.5, -2.25], [0, 10]]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n")
    assert len(read_aicity(tmp_path / "a.txt")) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 1 0 0 0 5 5 1 1\n1 1 1 0 0 5 5\n", "line 2: 7 columns"),
        ("1,1,0,0,0,5,5,1,1\n", "line 1: 1 columns (this one has commas)"),
        ("\n1 1 0 0 0 5 5 one 1\n", "line 2: 'one' is not a number"),
        ("1 1 0 0 0 5 5 nan 1\n", "line 1: x is nan"),
        ("\n1 1 -1 0 0 5 5 1 1\n", "line 2: frame -1 is no whole number from 0"),
        ("1 1.5 1 0 0 5 5 1 1\n", "line 1: id 1.5 is no whole number from 0"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match="line ") as error:
        read_aicity(tmp_path / "a.txt")
    assert said in str(error.value)


def test_missing_file_and_broken_gzip(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_aicity(tmp_path / "none.txt")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"1 1 0 0 0 5 5 1 1\n" * 50)[:-9])
    with pytest.raises(InputError, match="cannot be decompressed"):
        read_aicity(tmp_path / "b.gz")


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["camera_0361", "c042"], [361, 42]),
        (["door", "cam7"], [1, 2]),
        (["a/cam1", "b/cam1"], [1, 2]),
    ],
)
def test_numbers_of_cameras(names: list[str], numbers: list[int]) -> None:
    assert list(camera_numbers(names).values()) == numbers


def identity_of(tracks: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Track 2 becomes person 7 after half a second; track 1 is nobody."""
    return np.where((tracks == 2) & (times >= 0.5), 7, 0)


def test_each_box_has_the_place_of_its_instant(tmp_path: Path) -> None:
    with FloorSpool(tmp_path) as floor, ObservationSpool(tmp_path) as spool:
        floor.append(0.0, 0, people_at([(1.23456, -0.00001), (3, 4)], a=[0, 1], b=[-1, 0]))
        floor.append(0.5, 5, people_at([(1, 2), (3.5, 4.25)], a=[0, -1], confirmed=[False, True]))
        boxes = [[10.4, 20.6, 30.5, 60], [5, 6, 7, 8]]
        spool.append(0, 0, 0.0, [1, 2], boxes, [1, 1], [0, 0])
        # The second camera is a little late: it belongs to the same instant.
        spool.append(1, 3, 0.04, [2], boxes[1:], [1], [0])
        spool.append(0, 5, 0.5, [1], boxes[:1], [1], [0])
        spool.append(1, 8, 0.54, [2], [[0, 0, 0.2, 0.2]], [1], [0])
        write_aicity(tmp_path / "aicity.txt", spool, floor, [42, 3], identity_of)
    assert (tmp_path / "aicity.txt").read_text().splitlines() == [
        "42 1000001 0 10 21 20 39 1.2346 0.0000",
        "42 1000002 0 5 6 2 2 3.0000 4.0000",
        "3 1000002 3 5 6 2 2 3.0000 4.0000",
        # Track 1 is not sure at 0.5 s: its place is not known.
        "3 7 8 0 0 1 1 3.5000 4.2500",
    ]


def test_long_runs_are_joined_piece_by_piece(tmp_path: Path) -> None:
    instants = 5000
    with FloorSpool(tmp_path) as floor, ObservationSpool(tmp_path) as spool:
        for number in range(instants):
            places = [(float(number), 0.0), (0.0, float(number)), (1.0, 1.0)]
            floor.append(number / 10, number, people_at(places, a=[0, 1, -1]))
            spool.append(0, number, number / 10 + 0.01, [2, 1], [[0, 0, 2, 2]] * 2, [1, 1], [0, 0])
        write_aicity(tmp_path / "aicity.txt", spool, floor, [1], lambda tracks, times: tracks)
    rows = read_aicity(tmp_path / "aicity.txt")
    assert len(rows) == 2 * instants
    np.testing.assert_array_equal(rows.positions[1::2, 0], np.arange(instants))
    np.testing.assert_array_equal(rows.positions[::2, 1], np.arange(instants))


def test_nobody_on_the_floor_is_an_empty_file(tmp_path: Path) -> None:
    with FloorSpool(tmp_path) as floor, ObservationSpool(tmp_path) as spool:
        spool.append(0, 0, 0.0, [1], [[0, 0, 2, 2]], [1], [0])
        write_aicity(tmp_path / "aicity.txt", spool, floor, [1], identity_of)
    assert (tmp_path / "aicity.txt").read_bytes() == b""
