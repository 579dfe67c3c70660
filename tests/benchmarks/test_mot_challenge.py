"""Layouts of MOTChallenge folders, and files that are odd: named, put right with a warning, or refused."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks.mot_challenge import MotSequence, chosen_sequences, mot_sequences, of_detector
from benchmarks.mot_input import (
    counted_pair,
    detection_file,
    read_results,
    read_sequence_detections,
    read_truth,
    result_files,
)
from tests.benchmarks.mot_scene import FRAMES, RATE, gt_lines, walkers, write_flat, write_lines, write_sequence
from tracker.errors import InputError
from tracker.storage.mot_files import MotTracks


def result_lines(first_frame: int = 1) -> list[str]:
    return [
        f"{frame + first_frame - 1},{one},{','.join(map(str, box))},1,-1,-1,-1"
        for frame in range(1, FRAMES + 1)
        for one, box in walkers(frame)
    ]


@pytest.fixture
def sequence(tmp_path: Path) -> MotSequence:
    return mot_sequences(write_sequence(tmp_path / "MOT16-02"))[0]


def test_both_layouts_say_the_same(tmp_path: Path) -> None:
    write_sequence(tmp_path / "a" / "train" / "MOT16-02", seed=0)
    write_sequence(tmp_path / "a" / "train" / "MOT16-04", seed=1, images=True)
    write_flat(tmp_path / "b" / "data" / "mot16", ["MOT16-02", "MOT16-04"])
    one, other = mot_sequences(tmp_path / "a"), mot_sequences(tmp_path / "b")
    assert [s.name for s in one] == [s.name for s in other] == ["MOT16-02", "MOT16-04"]
    assert [s.images is not None for s in (*one, *other)] == [False, True, False, False]
    for first, second in zip(one, other, strict=True):
        assert (first.frame_rate, first.length, first.image_size) == (RATE, FRAMES, (640, 480))
        assert (second.frame_rate, second.length, second.image_size) == (RATE, FRAMES, (640, 480))
        for given in (None, "dpm"):
            found = [
                read_sequence_detections(read_truth(s), detection_file(s, given, of_several=True))
                for s in (first, second)
            ]
            np.testing.assert_array_equal(found[0].boxes, found[1].boxes)
            assert len(found[0]) > 2 * FRAMES
    assert mot_sequences(tmp_path / "a" / "train" / "MOT16-04")[0].name == "MOT16-04"


def test_sequences_by_number_and_mot17s_copies(tmp_path: Path) -> None:
    names = [f"MOT17-{number}-{kind}" for number in ("02", "04") for kind in ("DPM", "FRCNN", "SDP")]
    for name in names:
        write_sequence(tmp_path / name)
    every = mot_sequences(tmp_path)
    assert [one.name for one in chosen_sequences(every, ["02"])] == names[:3]
    assert [one.name for one in of_detector(every, "frcnn")] == ["MOT17-02-FRCNN", "MOT17-04-FRCNN"]
    assert [one.name for one in of_detector(every, "boxes/")] == names
    assert "frcnn" in of_detector(every, "frcnn")[0].detections
    with pytest.raises(InputError, match=r"no sequence 'MOT17-2': .*Known: MOT17-02-DPM"):
        chosen_sequences(every, ["MOT17-2"])


def test_what_has_no_truth_is_named(tmp_path: Path) -> None:
    write_sequence(tmp_path / "MOT16-02")
    (write_sequence(tmp_path / "MOT16-01") / "gt" / "gt.txt").unlink()
    with pytest.warns(RuntimeWarning, match=r"left out: MOT16-01"):
        assert [one.name for one in mot_sequences(tmp_path)] == ["MOT16-02"]
    with pytest.raises(InputError, match="does not exist"):
        mot_sequences(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no MOTChallenge sequence .* SEQ/gt/gt.txt"):
        mot_sequences(tmp_path / "empty")


def test_without_seqinfo_the_truth_says_how_long(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "MOT16-02")
    (folder / "seqinfo.ini").unlink()
    with pytest.warns(RuntimeWarning, match="30 frames per second assumed"):
        sequence = mot_sequences(folder)[0]
    assert (sequence.length, read_truth(sequence).length) == (None, FRAMES)


@pytest.mark.parametrize("columns", [7, 9, 10])
def test_truth_with_and_without_classes(tmp_path: Path, columns: int) -> None:
    truth = read_truth(mot_sequences(write_sequence(tmp_path / "S", columns=columns))[0])
    counted, kept = counted_pair(truth, MotTracks.from_arrays([1], [1], [[500, 300, 540, 400]]))
    assert len(counted) == 3 * FRAMES
    assert len(kept) == (0 if columns == 9 else 1)


def test_mot20_has_one_more_distractor(tmp_path: Path) -> None:
    lines = [line.replace(",0,8,1.0", ",0,6,1.0") for line in gt_lines()]
    result = MotTracks.from_arrays([1], [1], [[500, 300, 540, 400]])
    for name, left in (("MOT20-01", 0), ("MOT16-02", 1)):
        folder = write_sequence(tmp_path / name)
        write_lines(folder / "gt" / "gt.txt", lines)
        assert len(counted_pair(read_truth(mot_sequences(folder)[0]), result)[1]) == left


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [line + ",7" * 5 for line in lines], r"14 columns; ground truth has 9"),
        (lambda lines: [line.rpartition(",")[0] for line in lines], r"8 columns"),
        (lambda lines: [*lines, lines[0]], r"id 1 appears 2 times in frame 1"),
        (lambda lines: [*lines, "31,1,5,5,9,9,1,1,1"], r"frame 31 in a sequence of 30 frames"),
        (lambda lines: ["1,-1,5,5,9,9,1,-1,-1,-1"], r"these are detections"),
        (lambda lines: [line.replace(",1,1,1.0", ",0,1,1.0") for line in lines], r"no box counts"),
        (lambda lines: [line.replace(",", " ") for line in lines], r"line 1: .* is not a number"),
        (lambda lines: ["-1,1,5,5,9,9,1,1,1"], r"frame -1"),
    ],
)
def test_truth_that_is_refused(sequence: MotSequence, change, message: str) -> None:
    write_lines(sequence.truth, change(gt_lines()))
    with pytest.raises(InputError, match=message) as caught:
        read_truth(sequence)
    assert str(sequence.truth) in str(caught.value)


def test_frames_from_zero_are_put_right_with_a_warning(sequence: MotSequence, tmp_path: Path) -> None:
    truth = read_truth(sequence)
    path = write_lines(tmp_path / "r" / "MOT16-02.txt", result_lines(first_frame=0))
    with pytest.warns(RuntimeWarning, match="counts frames from 0; 1 was added"):
        results = read_results(truth, path)
    np.testing.assert_array_equal(results.frames, np.repeat(np.arange(1, FRAMES + 1), 3))
    write_lines(path, [*result_lines(), "0,7,5,5,9,9,1,-1,-1,-1"])
    with pytest.warns(RuntimeWarning), pytest.raises(InputError, match="frame 31 in a sequence of 30"):
        read_results(truth, path)


def test_results_out_of_order_empty_and_twice(sequence: MotSequence, tmp_path: Path) -> None:
    truth = read_truth(sequence)
    path = write_lines(tmp_path / "r" / "MOT16-02.txt", result_lines()[::-1])
    with pytest.warns(RuntimeWarning, match="not sorted by frame"):
        assert (np.diff(read_results(truth, path).frames) >= 0).all()
    write_lines(path, [])
    with pytest.warns(RuntimeWarning, match="is empty"):
        assert len(read_results(truth, path)) == 0
    write_lines(path, sorted([*result_lines(), result_lines()[40]], key=lambda line: int(line.split(",")[0])))
    with pytest.raises(InputError, match=r"MOT16-02.txt: id 2 appears 2 times in frame 14"):
        read_results(truth, path)
    write_lines(path, ["1,-1,5,5,9,9,1,-1,-1,-1", "2,-1,5,5,9,9,1,-1,-1,-1"])
    with pytest.raises(InputError, match="these are detections"):
        read_results(truth, path)


def test_results_of_every_sequence_are_wanted(tmp_path: Path) -> None:
    for name in ("MOT16-02", "MOT16-04"):
        write_sequence(tmp_path / "gt" / name)
    sequences = mot_sequences(tmp_path / "gt")
    write_lines(tmp_path / "mine" / "data" / "MOT16-02.txt.gz", result_lines())
    with pytest.raises(InputError, match=r"has no MOT16-04.txt: every sequence needs"):
        result_files(tmp_path / "mine", sequences)
    assert list(result_files(tmp_path / "mine", sequences[:1])) == ["MOT16-02"]
    with pytest.raises(InputError, match="is no folder"):
        result_files(tmp_path / "other", sequences)


def test_where_detections_may_lie(sequence: MotSequence, tmp_path: Path) -> None:
    own = sequence.detections["det"]
    flat = write_lines(tmp_path / "boxes" / "MOT16-02.txt", ["1,-1,5,5,9,9,1"])
    nested = write_lines(tmp_path / "nested" / "MOT16-02" / "det" / "det.txt.gz", ["1,-1,5,5,9,9,1"])
    assert detection_file(sequence, None) == detection_file(sequence, "DPM") == own
    assert detection_file(sequence, str(tmp_path / "boxes")) == flat
    assert detection_file(sequence, str(tmp_path / "nested")) == nested
    assert detection_file(sequence, str(tmp_path / "boxes" / "{sequence}.txt"), of_several=True) == flat
    assert detection_file(sequence, str(flat)) == flat
    with pytest.raises(InputError, match="one file, but several sequences"):
        detection_file(sequence, str(flat), of_several=True)
    with pytest.raises(InputError, match="none called so: there are det, dpm"):
        detection_file(sequence, "frcnn")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="has none of MOT16-02"):
        detection_file(sequence, str(tmp_path / "none"))
    own.unlink()
    again = mot_sequences(tmp_path / "MOT16-02")[0]
    with pytest.raises(InputError, match="has no detections: give them with --detections PATH"):
        detection_file(again, None)


def test_detections_beyond_the_end_are_left_out(sequence: MotSequence, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.txt", ["31,-1,5,5,9,9,1", "2,-1,5,5,9,9,0.5", "1,-1,5,5,9,9,0.25"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = read_sequence_detections(read_truth(sequence), path)
    assert [found.frames.tolist(), found.scores.tolist(), found.source_rows.tolist()] == [[1, 2], [0.25, 0.5], [2, 1]]
    text = " ".join(str(warning.message) for warning in caught)
    assert "not sorted" in text and "1 boxes beyond the 30 frames" in text
