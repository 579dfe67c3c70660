"""Metrics: cases small enough to count by hand, and the published answers of both official tools."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import (
    clear_and_identity,
    higher_order,
    iou_matrix,
    mot_challenge_preprocessing,
    pair_boxes,
    pair_points,
    score_sequences,
)
from tracker.errors import InputError
from tracker.storage.mot_files import MotTracks, read_tracks

ENGINES = ["motmetrics", "trackeval"]
LEFT, RIGHT, FAR = [0, 0, 10, 20], [100, 0, 110, 20], [500, 500, 510, 520]


def tracks(*rows: tuple[int, int, list[float]]) -> MotTracks:
    return MotTracks.from_arrays(
        [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows], float).reshape(-1, 4)
    )


NONE = tracks()
TWO_PEOPLE = tracks(*[(frame, person, box) for frame in range(1, 11) for person, box in ((1, LEFT), (2, RIGHT))])


def test_overlap_of_boxes_by_hand() -> None:
    first = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 0, 10], [5, 5, 2, 9]], float)
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 0, 10]], float)
    np.testing.assert_allclose(
        iou_matrix(first, second), [[1, 1 / 3, 0, 0], [1, 1 / 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    )
    assert iou_matrix(np.zeros((0, 4)), second).shape == (0, 4)


@pytest.mark.parametrize("engine", ENGINES)
def test_perfect_results(engine) -> None:
    scored = clear_and_identity(TWO_PEOPLE, TWO_PEOPLE, engine=engine)
    assert [scored[name] for name in ("MOTA", "MOTP", "IDF1", "IDP", "IDR")] == [100] * 5
    assert [scored[name] for name in ("IDSW", "FP", "FN", "ML", "MT", "GT")] == [0, 0, 0, 0, 2, 2]
    assert all(text.startswith(engine) for text in scored["engines"].values())
    hota = higher_order(TWO_PEOPLE, TWO_PEOPLE)
    assert [hota[name] for name in ("HOTA", "DetA", "AssA", "LocA")] == [100] * 4
    assert hota["engines"]["HOTA"].startswith("trackeval")


@pytest.mark.parametrize("engine", ENGINES)
def test_one_switch_half_way(engine) -> None:
    """Person 1 is called 7 for five frames, then 8: one switch; either name covers half, so IDF1 is 15 of 20."""
    results = tracks(
        *[(frame, 7 if frame <= 5 else 8, LEFT) for frame in range(1, 11)],
        *[(frame, 9, RIGHT) for frame in range(1, 11)],
    )
    scored = clear_and_identity(TWO_PEOPLE, results, engine=engine)
    assert (scored["IDSW"], scored["FP"], scored["FN"]) == (1, 0, 0)
    assert scored["MOTA"] == pytest.approx(100 * (1 - 1 / 20))
    assert scored["IDF1"] == pytest.approx(100 * 15 / 20)
    # Person 1's halves each cover 5 of 10 boxes of the union, person 2 all: (10 * 0.5 + 10 * 1) / 20.
    hota = higher_order(TWO_PEOPLE, results)
    assert hota["AssA"] == pytest.approx(75)
    assert hota["DetA"] == pytest.approx(100)
    assert hota["HOTA"] == pytest.approx(100 * math.sqrt(0.75))


@pytest.mark.parametrize("engine", ENGINES)
def test_misses_and_false_alarms(engine) -> None:
    """Person 2 is found in one frame of ten, and three boxes are where nobody is."""
    results = tracks(
        *[(frame, 1, LEFT) for frame in range(1, 11)], (4, 2, RIGHT), *[(frame, 3, FAR) for frame in (1, 2, 12)]
    )
    scored = clear_and_identity(TWO_PEOPLE, results, engine=engine)
    assert (scored["TP"], scored["FN"], scored["FP"], scored["IDSW"]) == (11, 9, 3, 0)
    assert (scored["MT"], scored["PT"], scored["ML"]) == (1, 0, 1)
    assert scored["MOTA"] == pytest.approx(100 * (1 - 12 / 20))
    assert scored["Rcll"] == pytest.approx(55)
    assert scored["Prcn"] == pytest.approx(100 * 11 / 14)
    assert scored["IDF1"] == pytest.approx(100 * 2 * 11 / (20 + 14))


@pytest.mark.parametrize("engine", ENGINES)
def test_threshold_and_mean_overlap(engine) -> None:
    """Shifted by a quarter of the width the overlap is 7.5 / 12.5 = 0.6."""
    results = tracks(*[(frame, 1, [2.5, 0, 12.5, 20]) for frame in range(1, 11)])
    truth = tracks(*[(frame, 1, LEFT) for frame in range(1, 11)])
    scored = clear_and_identity(truth, results, engine=engine)
    assert scored["MOTA"] == 100
    assert scored["MOTP"] == pytest.approx(60)
    assert clear_and_identity(truth, results, 0.7, engine=engine)["MOTA"] == pytest.approx(-100)
    assert higher_order(truth, results)["HOTA"] == pytest.approx(100 * 12 / 19)


def test_engines_differ_where_they_are_known_to() -> None:
    """After a gap motmetrics takes up the correspondence it knew; the official code takes the nearest box."""
    near = [1, 0, 11, 20]
    truth = tracks((1, 1, LEFT), (2, 1, LEFT), (3, 1, LEFT))
    results = tracks((1, 5, LEFT), (2, 9, FAR), (3, 5, near), (3, 6, LEFT))
    assert clear_and_identity(truth, results, engine="motmetrics")["IDSW"] == 0
    assert clear_and_identity(truth, results, engine="trackeval")["IDSW"] == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_found_and_nothing_there(engine) -> None:
    found_none = clear_and_identity(TWO_PEOPLE, NONE, engine=engine)
    assert (found_none["FN"], found_none["FP"], found_none["ML"]) == (20, 0, 2)
    assert found_none["MOTA"] == found_none["IDF1"] == 0
    nobody = clear_and_identity(NONE, TWO_PEOPLE, engine=engine)
    assert (nobody["FN"], nobody["FP"], nobody["GT"]) == (0, 20, 0)
    nothing = clear_and_identity(NONE, NONE, engine=engine)
    assert (nothing["FN"], nothing["FP"]) == (0, 0)
    json.dumps([found_none, nobody, nothing, higher_order(NONE, NONE), higher_order(TWO_PEOPLE, NONE)], allow_nan=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_combined_sums_counts_and_makes_shares_from_the_sums(engine) -> None:
    half = tracks(*[(frame, 1, LEFT) for frame in range(1, 11)])
    short = tracks((1, 1, LEFT), (2, 1, LEFT))
    scored = score_sequences(
        {"a": pair_boxes(TWO_PEOPLE, half), "b": pair_boxes(short, short), "c": pair_boxes(short, NONE)}, engine=engine
    )
    assert [row["sequence"] for row in scored["rows"]] == ["a", "b", "c", "combined"]
    whole = scored["rows"][-1]
    assert (whole["TP"], whole["FN"], whole["FP"], whole["GT"]) == (12, 12, 0, 4)
    assert whole["MOTA"] == pytest.approx(50)
    assert whole["IDF1"] == pytest.approx(100 * 24 / 36)
    assert whole["DetA"] == pytest.approx(50)
    assert whole["MOTP"] == pytest.approx(100)
    assert set(scored["engines"]) == set(whole) - {"sequence"}
    assert scored["engines"]["HOTA"].startswith("trackeval")
    assert scored["engines"]["IDF1"].startswith(engine)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 6), people=st.integers(1, 5))
def test_names_and_order_of_rows_do_not_matter(seed: int, frames: int, people: int) -> None:
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 60, (frames * people, 2))
    truth = MotTracks.from_arrays(
        np.repeat(np.arange(1, frames + 1), people),
        np.tile(np.arange(people), frames),
        np.hstack([corners, corners + 30]),
    )
    kept = generator.random(len(truth)) < 0.8
    boxes = truth.boxes + generator.normal(0, 4, truth.boxes.shape)
    results = MotTracks.from_arrays(truth.frames[kept], truth.ids[kept], boxes[kept])
    order = generator.permutation(len(results))
    renamed = MotTracks.from_arrays(results.frames[order], 1000 - 7 * results.ids[order], results.boxes[order])
    for engine in ENGINES:
        one, other = (clear_and_identity(truth, side, engine=engine) for side in (results, renamed))
        assert one.pop("engines") == other.pop("engines")
        assert one == pytest.approx(other)
    one, other = higher_order(truth, results), higher_order(truth, renamed)
    assert {name: one[name] for name in ("HOTA", "DetA")} == pytest.approx({n: other[n] for n in ("HOTA", "DetA")})


def test_points_match_up_to_half_of_the_zero_distance() -> None:
    frames, ids = np.array([1, 2, 3]), np.array([1, 1, 1])
    truth = np.zeros((3, 2))
    results = np.array([[0.3, 0.4], [0, 0.99], [0, 1.01]])
    paired = pair_points((frames, ids, truth), (frames, ids, results), zero_distance=2.0)
    np.testing.assert_allclose(np.concatenate(paired.similarities).ravel(), [0.75, 0.505, 0.495])
    row = score_sequences({"room": paired})["rows"][0]
    assert (row["TP"], row["FN"], row["FP"]) == (2, 1, 1)


def test_an_id_twice_in_a_frame_and_reserved_names_are_refused() -> None:
    twice = tracks((1, 3, LEFT), (2, 3, LEFT), (2, 3, RIGHT))
    with pytest.raises(InputError, match="results: id 3 appears twice in frame 2"):
        pair_boxes(TWO_PEOPLE, twice)
    with pytest.raises(InputError, match="ground truth: id 3"):
        pair_boxes(twice, TWO_PEOPLE)
    assert len(pair_boxes(TWO_PEOPLE, twice, frames=[1]).frames) == 1
    with pytest.raises(InputError, match="no sequence"):
        score_sequences({})
    with pytest.raises(InputError, match="combined"):
        score_sequences({"combined": pair_boxes(TWO_PEOPLE, TWO_PEOPLE)})


def test_preprocessing_removes_results_on_distractors_and_truth_that_does_not_count(tmp_path: Path) -> None:
    truth = tmp_path / "gt.txt"
    truth.write_text(
        "1,1,1,1,10,20,1,1,1\n"  # a pedestrian
        "1,2,101,1,10,20,0,1,1\n"  # a pedestrian that does not count
        "1,3,201,1,10,20,0,8,1\n"  # a distractor
        "1,4,301,1,10,20,1,3,1\n"  # a car
    )
    found = tracks(*[(1, person, [left, 0, left + 10, 20]) for person, left in ((1, 0), (2, 100), (3, 200), (4, 300))])
    counted, kept = mot_challenge_preprocessing(read_tracks(truth), found)
    np.testing.assert_array_equal(counted.ids, [1])
    np.testing.assert_array_equal(kept.ids, [1, 2, 4])


def fixture_pair(folder: Path, truth: str, results: str) -> tuple[MotTracks, MotTracks]:
    def existing(name: str) -> Path:
        path = folder / name
        return path if path.exists() else path.with_name(path.name + ".gz")

    return mot_challenge_preprocessing(read_tracks(existing(truth)), read_tracks(existing(results)))


@pytest.mark.data
def test_trackevals_own_answers_on_mot17(data_root: Path) -> None:
    folder = data_root / "data"
    with (folder / "metric-fixtures/mot17-trackeval/expected_pedestrian_detailed.csv").open() as file:
        expected = {row["seq"]: row for row in csv.DictReader(file)}
    pairs = {
        name: pair_boxes(
            *fixture_pair(folder, f"mot17-frcnn/gt/{name}.txt", f"metric-fixtures/mot17-trackeval/tracker/{name}.txt")
        )
        for name in expected
    }
    shares = {name: f"{name}___AUC" for name in ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr")}
    shares |= {name: name for name in ("MOTA", "MOTP", "IDF1", "IDP", "IDR")} | {"Rcll": "CLR_Re", "Prcn": "CLR_Pr"}
    counts = {"IDSW": "IDSW", "FP": "CLR_FP", "FN": "CLR_FN", "MT": "MT", "PT": "PT", "ML": "ML", "GT": "GT_IDs"}
    rows = score_sequences(pairs, engine="trackeval")["rows"]
    assert len(rows) == 4
    for row in rows[:-1]:
        known = expected[row["sequence"]]
        for name, column in shares.items():
            assert row[name] == pytest.approx(100 * float(known[column]), abs=1e-4), (row["sequence"], name)
        for name, column in counts.items():
            assert row[name] == int(float(known[column])), (row["sequence"], name)


@pytest.mark.data
def test_the_devkits_answers_on_mot15(data_root: Path) -> None:
    """The MATLAB kit and TrackEval agree but for one switch each in two sequences (README of the fixtures)."""
    folder = data_root / "data/metric-fixtures/mot15-devkit"
    names = sorted(path.stem.removeprefix("eval_") for path in (folder / "expected").glob("eval_*.txt"))
    assert len(names) == 11
    pairs = {name: pair_boxes(*fixture_pair(folder, f"gt/{name}.txt", f"tracker/{name}.txt")) for name in names}
    columns = [
        "IDF1",
        "IDP",
        "IDR",
        "Rcll",
        "Prcn",
        "FAR",
        "GT",
        "MT",
        "PT",
        "ML",
        "FP",
        "FN",
        "IDSW",
        "FM",
        "MOTA",
        "MOTP",
        "MOTAL",
    ]
    more_switches = {"ETH-Bahnhof": 1, "PETS09-S2L1": 1, "combined": 2}
    for row in score_sequences(pairs, engine="trackeval")["rows"]:
        name = row["sequence"]
        text = (folder / "expected" / ("eval.txt" if name == "combined" else f"eval_{name}.txt")).read_text()
        known = dict(zip(columns, map(float, text.split(",")), strict=True))
        for metric in ("FP", "FN", "GT"):
            assert row[metric] == known[metric], (name, metric)
        for metric in ("IDF1", "IDP", "IDR", "Rcll", "Prcn"):
            assert row[metric] == pytest.approx(known[metric], rel=1e-4), (name, metric)
        assert row["IDSW"] == known["IDSW"] + more_switches.get(name, 0), name
        if name not in more_switches:
            assert row["MOTA"] == pytest.approx(known["MOTA"], rel=1e-4), name
        if name == "combined":
            assert row["MOTA"] == pytest.approx(26.844, abs=5e-4)


@pytest.mark.data
@pytest.mark.parametrize("engine", ENGINES)
def test_py_motmetrics_answers_on_tud(data_root: Path, engine) -> None:
    folder = data_root / "data/metric-fixtures/tud"
    for name, mota, idf1, hota in (("TUD-Campus", 52.6, 55.8, 39.1), ("TUD-Stadtmitte", 56.4, 64.5, 39.8)):
        truth, results = fixture_pair(folder, f"{name}/gt.txt", f"{name}/test.txt")
        scored = clear_and_identity(truth, results, engine=engine)
        assert scored["MOTA"] == pytest.approx(mota, abs=0.05)
        assert scored["IDF1"] == pytest.approx(idf1, abs=0.05)
        assert higher_order(truth, results)["HOTA"] == pytest.approx(hota, abs=0.05)
