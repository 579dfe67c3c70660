"""MOTChallenge text: values, round trips, and one clear line for each thing that can be wrong."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracker.errors import InputError
from tracker.storage.mot_files import read_detections, read_tracks, write_tracks

GOOD = "1,-1,11,21,30.5,60.25,0.9\n1,-1,101,21,30,60,0.4\n3,-1,12.5,22,31,61,0.8\n"


def written(folder: Path, text: str, name: str = "det.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_detections_are_0_based_corners_by_frame(tmp_path: Path) -> None:
    found = read_detections(written(tmp_path, GOOD))
    assert found.warnings == ()
    assert found.last_frame == 3
    assert len(found) == 3
    first = found.for_frame(1)
    np.testing.assert_array_equal(first.boxes, [[10, 20, 40.5, 80.25], [100, 20, 130, 80]])
    np.testing.assert_allclose(first.scores, [0.9, 0.4])
    assert first.boxes.dtype == np.float32
    assert len(found.for_frame(2)) == 0
    assert len(found.for_frame(4)) == 0
    np.testing.assert_array_equal(found.for_frame(3).boxes, [[11.5, 21, 42.5, 82]])


def test_pixels_may_start_at_0(tmp_path: Path) -> None:
    found = read_detections(written(tmp_path, GOOD), first_pixel=0)
    np.testing.assert_array_equal(found.boxes[0], [11, 21, 41.5, 81.25])


def test_compressed_windows_and_blank_lines_read_the_same(tmp_path: Path) -> None:
    plain = read_detections(written(tmp_path, GOOD))
    packed = tmp_path / "det.txt.gz"
    packed.write_bytes(gzip.compress(GOOD.encode()))
    windows = tmp_path / "windows.txt"
    windows.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n\r\n").encode())
    for path in (packed, windows):
        found = read_detections(path)
        assert found.boxes.tobytes() == plain.boxes.tobytes()
        assert found.frames.tobytes() == plain.frames.tobytes()


def test_unsorted_frames_are_sorted_with_a_warning_and_keep_their_source_row(tmp_path: Path) -> None:
    found = read_detections(written(tmp_path, "2,-1,1,1,5,5,.2\n1,-1,1,1,5,5,.3\n2,-1,1,1,5,5,.4\n1,-1,1,1,5,5,.5\n"))
    np.testing.assert_array_equal(found.frames, [1, 1, 2, 2])
    np.testing.assert_allclose(found.scores, [0.3, 0.5, 0.2, 0.4])
    np.testing.assert_array_equal(found.source_rows, [1, 3, 0, 2])
    assert len(found.warnings) == 1
    assert "not sorted by frame" in found.warnings[0]


def test_boxes_without_size_are_left_out_of_detections_but_counted_in_tracks(tmp_path: Path) -> None:
    path = written(tmp_path, "1,7,1,1,5,5,.2\n\n2,7,1,1,0,5,.3\n3,7,1,1,5,-2,.4\n")
    found = read_detections(path)
    np.testing.assert_array_equal(found.frames, [1])
    assert "2 boxes without width or height were left out, the first on line 3" in found.warnings[0]
    tracks = read_tracks(path)
    assert len(tracks) == 3
    assert "first on line 3" in tracks.warnings[0]


@pytest.mark.parametrize("read", [read_detections, read_tracks])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,-1,1,1,5,5,.2\n1,-1,1,1,5,5\n", "line 2: 6 columns where the lines before have 7"),
        ("1,-1,1,1,5\n", "line 1: 5 columns"),
        ("1,-1,1,1,5,5,.2\n\n2,-1,1,one,5,5,.2\n", "line 3: 'one' is not a number"),
        ("1 -1 1 1 5 5 .2\n", "line 1: '1 -1 1 1 5 5 .2' is not a number"),
        ("frame,id,x,y,w,h,score\n1,-1,1,1,5,5,.2\n", "line 1: 'frame' is not a number"),
        ("1,-1,1,1,5,5,.2\n0,-1,1,1,5,5,.2\n", "line 2: frame 0; MOTChallenge counts frames from 1"),
        ("1.5,-1,1,1,5,5,.2\n", "line 1: frame 1.5 is not a whole number"),
        ("1,-1,1,1,5,5,.2\n2,-1,nan,1,5,5,.2\n", "line 2: left is nan"),
        ("1,-1,1,1,inf,5,.2\n", "line 1: width is inf"),
        ("1,-1,1,1,5,5,nan\n", "line 1: score is nan"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, read, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    binary = tmp_path / "video.mp4"
    binary.write_bytes(bytes(range(256)))
    broken = tmp_path / "det.txt.gz"
    broken.write_bytes(gzip.compress(GOOD.encode())[:-12])
    for path, message in (
        (tmp_path / "absent.txt", "no such file"),
        (tmp_path, "is a folder"),
        (binary, "is not text"),
        (broken, "cannot be decompressed"),
    ):
        with pytest.raises(InputError, match=message):
            read_detections(path)
    with pytest.raises(InputError, match=r"id 1\.5 is not a whole number"):
        read_tracks(written(tmp_path, "1,1.5,1,1,5,5,.2\n"))


@pytest.mark.parametrize("name", ["det.txt", "det.txt.gz"])
def test_empty_file_means_no_detections_and_warns(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    found = read_detections(path)
    assert (len(found), found.last_frame, len(found.for_frame(1))) == (0, 0, 0)
    assert "is empty" in found.warnings[0]
    assert "is empty" in read_tracks(path).warnings[0]


def test_ground_truth_columns(tmp_path: Path) -> None:
    truth = read_tracks(written(tmp_path, "1,3,912,484,97,109,0,7,0.25\n2,3,912,484,97,109,1,1,1\n"))
    np.testing.assert_array_equal(truth.classes, [7, 1])
    np.testing.assert_array_equal(truth.scores, [0, 1])
    np.testing.assert_array_equal(truth.visibility, [0.25, 1])
    np.testing.assert_array_equal(truth.boxes[0], [911, 483, 1008, 592])
    older = read_tracks(written(tmp_path, "1,3,912,484,97,109,1,4.4852,5.5,0\n"))
    np.testing.assert_array_equal(older.classes, [-1])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), count=st.integers(0, 30), first_pixel=st.sampled_from([0, 1]))
def test_what_is_written_is_read_again(tmp_path: Path, data: st.DataObject, count: int, first_pixel: int) -> None:
    hundredths = arrays.arrays(np.int64, (count, 4), elements=st.integers(1, 400_000))
    corners = data.draw(hundredths)
    boxes = np.concatenate([corners[:, :2] - 100_000, corners[:, :2] - 100_000 + corners[:, 2:]], axis=1) / 100
    frames = data.draw(arrays.arrays(np.int64, count, elements=st.integers(1, 50)))
    ids = data.draw(arrays.arrays(np.int64, count, elements=st.integers(1, 10**9), unique=True))
    scores = data.draw(arrays.arrays(np.int64, count, elements=st.integers(0, 1000))) / 1000
    path = tmp_path / "results.txt"
    write_tracks(path, frames, ids, boxes, scores, first_pixel=first_pixel)
    found = read_tracks(path, first_pixel=first_pixel)
    order = np.lexsort((ids, frames))
    np.testing.assert_array_equal(found.frames, frames[order])
    np.testing.assert_array_equal(found.ids, ids[order])
    np.testing.assert_allclose(found.boxes, boxes[order], atol=1e-9)
    np.testing.assert_allclose(found.scores, scores[order])
    content = path.read_bytes()
    write_tracks(path, found.frames, found.ids, found.boxes, found.scores, first_pixel=first_pixel)
    assert path.read_bytes() == content


def test_official_form(tmp_path: Path) -> None:
    path = tmp_path / "results.txt"
    write_tracks(path, [2, 1], [7, 9], [[0, 0, 10, 20], [99.5, 49.25, 130, 80]], [0.5, 1])
    assert path.read_text() == "1,9,100.50,50.25,30.50,30.75,1,-1,-1,-1\n2,7,1.00,1.00,10.00,20.00,0.5,-1,-1,-1\n"
    with pytest.raises(InputError, match="frame 0"):
        write_tracks(path, [0], [1], [[0, 0, 1, 1]])
    assert path.read_text().startswith("1,9")


def test_forty_thousand_lines_are_read_in_a_moment(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frames = np.sort(generator.integers(1, 1000, 40_000))
    corners = generator.uniform(0, 1000, (40_000, 2))
    path = tmp_path / "det.txt"
    write_tracks(path, frames, np.arange(40_000), np.hstack([corners, corners + 50]), generator.random(40_000))
    durations, plain = [], []
    for _ in range(5):
        start = time.perf_counter()
        found = read_detections(path)
        durations.append(time.perf_counter() - start)
        start = time.perf_counter()
        rows = [[float(field) for field in line.split(",")] for line in path.read_text().splitlines()]
        plain.append(time.perf_counter() - start)
    assert len(found) == len(rows) == 40_000
    # Checked and sorted, they take about half as long as the numbers alone, one by one.
    assert min(durations) < 2 * min(plain)


@pytest.mark.data
def test_official_detections_have_their_known_counts(data_root: Path) -> None:
    known = {"02": 7267, "04": 39437, "05": 4333, "09": 5976, "10": 8832, "11": 8590, "13": 5355}
    folder = data_root / "data" / "mot16"
    for sequence, count in known.items():
        found = read_detections(folder / "det-dpm" / f"MOT16-{sequence}.txt.gz")
        assert len(found) == count
        assert found.warnings == ()
    truth = [read_tracks(folder / "gt" / f"MOT16-{sequence}.txt.gz") for sequence in known]
    assert sum(int(((part.classes == 1) & (part.scores == 1)).sum()) for part in truth) == 110_407
