"""Runs side by side: pooled figures against the engines', intervals against all draws there can be, and refusals."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.comparison import compare_runs, difference_table, format_difference, runs_of
from benchmarks.metrics import pair_boxes, score_sequences
from benchmarks.report_pages.comparison_page import comparison_markdown, comparison_page
from benchmarks.resampling import aggregation, paired_difference
from tests.benchmarks.report_examples import MACHINE, row
from tests.benchmarks.test_report_files import Checked, picture
from tracker.errors import InputError
from tracker.storage.mot_files import MotTracks

POOLED = ("MOTA", "IDF1", "IDP", "IDR", "Rcll", "Prcn")


def report(*rows: dict[str, Any], protocol: str = "mot16", **settings: Any) -> dict[str, Any]:
    return {"protocol": protocol, "settings": settings, "machine": MACHINE, "rows": list(rows)}


def tracker_rows(name: str, *figures: float, key: str = "HOTA") -> list[dict[str, Any]]:
    return [row(name, f"s{number}", **{key: value}) for number, value in enumerate(figures)]


def random_rows(seed: int) -> list[dict[str, Any]]:
    """Rows of three sequences and all together, from motmetrics, on boxes that jump about."""
    random = np.random.default_rng(seed)
    sequences = {}
    for number, frames in enumerate((6, 12, 20)):
        truth_frames, people = np.repeat(np.arange(1, frames + 1), 3), np.tile([1, 2, 3], frames)
        corners = np.column_stack([people * 20.0, truth_frames * 2.0])
        boxes = np.hstack([corners, corners + np.array([10, 20])])
        kept = random.random(len(boxes)) < 0.8
        ids = np.where(random.random(len(boxes)) < 0.1, people + 10, people)
        moved = boxes + random.normal(0, 2, (len(boxes), 1))
        found = MotTracks.from_arrays(truth_frames[kept], ids[kept], moved[kept])
        sequences[f"s{number}"] = pair_boxes(MotTracks.from_arrays(truth_frames, people, boxes), found)
    rows: list[dict[str, Any]] = score_sequences(sequences)["rows"]
    return rows


def test_pooled_figures_are_those_of_the_engine() -> None:
    *first, whole_first = random_rows(1)
    *second, whole_second = random_rows(2)
    for figure in POOLED:
        assert aggregation(figure, first) == "pooled"
        one = paired_difference(figure, second, first, draws=100)
        assert one.reference == pytest.approx(whole_first[figure], abs=1e-9)
        assert one.value == pytest.approx(whole_second[figure], abs=1e-9)
        mean = np.mean([each[figure] for each in first])
        assert abs(mean - whole_first[figure]) > 1e-3, "the example tells pooled from mean"


def test_how_figures_are_put_together() -> None:
    rows = [
        row("a", "s", **{"MOTA@1m": 1.0, "TP@1m": 1, "FN@1m": 1, "FP@1m": 1, "IDSW@1m": 1, "MOTA": 1.0, "HOTA": 2.0})
    ]
    kinds = {figure: aggregation(figure, rows) for figure in ("MOTA@1m", "MOTA", "HOTA", "FP@1m", "Prcn@1m")}
    assert kinds == {"MOTA@1m": "pooled", "MOTA": "mean", "HOTA": "mean", "FP@1m": "sum", "Prcn@1m": "pooled"}


@pytest.mark.parametrize("figure", ["HOTA", "MOTA"])
def test_intervals_are_those_of_all_possible_draws(figure: str) -> None:
    first, second = random_rows(3)[:-1], random_rows(4)[:-1]
    exact = []
    for draw in itertools.product(range(3), repeat=3):
        ends = []
        for rows in (second, first):
            drawn = [rows[index] for index in draw]
            total = {key: sum(each[key] for each in drawn) for key in ("TP", "FN", "FP", "IDSW", "HOTA")}
            mota = 100 * (1 - (total["FN"] + total["FP"] + total["IDSW"]) / (total["TP"] + total["FN"]))
            ends.append(mota if figure == "MOTA" else total["HOTA"] / 3)
        exact.append(ends[0] - ends[1])
    one = paired_difference(figure, second, first, draws=20_000, confidence=80.0)
    # Quantiles of the 27 draws are steps; those of the bootstrap lie on them.
    low, high = np.quantile(exact, [0.1, 0.9], method="inverted_cdf")
    assert (one.low, one.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_pairs_are_drawn_together_and_draws_are_seeded() -> None:
    first, second = tracker_rows("a", 10, 50, 90), tracker_rows("b", 12, 52, 92)
    same = paired_difference("HOTA", second, first, draws=500)
    assert (same.difference, same.low, same.high) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))
    other = tracker_rows("b", 30, 40, 95)
    # Two draws only, so that their ends depend on what was drawn.
    ends = [paired_difference("HOTA", other, first, draws=2, seed=seed) for seed in (1, 1, 2)]
    assert ends[0] == ends[1] != ends[2]


def test_one_sequence_has_no_interval() -> None:
    one = paired_difference("HOTA", tracker_rows("b", 12), tracker_rows("a", 10))
    assert (one.difference, one.low, one.high) == (2, None, None)


def test_a_comparison_is_a_report_with_differences() -> None:
    whole = [row("a", "combined", HOTA=31.0), row("b", "combined", HOTA=35.0)]
    runs = runs_of([(Path("x.json"), report(*tracker_rows("a", 10, 50), *tracker_rows("b", 14, 52), *whole))])
    compared = compare_runs(runs, draws=200)
    assert compared["protocol"] == "compare" and compared["settings"]["reference"] == "a"
    assert [(one["name"], one["sequence"]) for one in compared["rows"]] == [
        ("a", "s0"), ("a", "s1"), ("a", "combined"), ("b", "s0"), ("b", "s1"), ("b", "combined"),
    ]  # fmt: skip
    (one,) = compared["differences"]
    assert (one["figure"], one["how"], one["sequences"]) == ("HOTA", "mean", ["s0", "s1"])
    assert (one["reference"], one["value"], one["difference"]) == (30, 33, 3)
    assert (one["low"], one["high"]) == (2, 4)
    assert difference_table(compared) == (
        ["Figure", "Over sequences", "a", "b"], [["HOTA", "mean", "30.0", "+3.0 [+2.0, +4.0]"]],
    )  # fmt: skip
    json.dumps(compared, allow_nan=False)


def test_differences_are_shown_with_sign_and_digits() -> None:
    one = {"figure": "FP", "difference": -3.0, "low": -4.5, "high": 0.0}
    assert format_difference(one) == "−3 [−4, +0]"
    assert format_difference(one | {"figure": "MOTP@1m", "low": None}) == "−3.000"
    assert format_difference(one | {"figure": "HOTA"}) == "−3.0 [−4.5, +0.0]"


def test_the_same_name_in_two_reports_is_told_apart_by_the_file() -> None:
    one, two = report(*tracker_rows("ours", 1, 2)), report(*tracker_rows("ours", 3, 4), *tracker_rows("/m/sort", 3, 4))
    runs = runs_of([(Path("old/report.json"), one), (Path("new.json"), two)])
    assert [run.label for run in runs] == ["old: ours", "new: ours", "sort"]
    assert [run.label for run in runs_of([(Path("a.json"), one), (Path("b.json"), two)], ["ours"])] == [
        "a: ours", "b: ours",
    ]  # fmt: skip


def test_what_cannot_be_compared_is_refused() -> None:
    one, other_protocol = report(*tracker_rows("a", 1, 2)), report(*tracker_rows("b", 1), protocol="cmc")
    cases = [
        ([one, other_protocol], (), (), "0.json is of mot16 and 1.json is of cmc"),
        ([one, one | {"rows": [row("b", "street", HOTA=1.0)]}], (), (), "no sequence in common: street and s0, s1"),
        ([one, report(*tracker_rows("b", 1, 2, key="mAP"))], (), (), "no figure in common"),
        ([one], (), (), "only a to compare"),
        ([one, report(*tracker_rows("b", 1, 2))], ("c",), (), "--name c is in no report: .*Known: a, b"),
        ([one, report(*tracker_rows("b", 1, 2))], (), ("HOTAA",), "--figure HOTAA is not in all rows of b and a"),
    ]  # fmt: skip
    for reports, names, figures, said in cases:
        with pytest.raises(InputError, match=said):
            compare_runs(runs_of([(Path(f"{n}.json"), r) for n, r in enumerate(reports)], names), figures=figures)
    with pytest.raises(InputError, match="two runs are called x: a"):
        runs_of([(Path("x.json"), one), (Path("x.json"), one)])
    runs = runs_of([(Path("x.json"), report(*tracker_rows("a", 1), *tracker_rows("b", 1)))])
    for option in ({"draws": 10}, {"confidence": 100.0}, {"confidence": float("nan")}):
        with pytest.raises(InputError, match=f"--{next(iter(option))} is"):
            compare_runs(runs, **option)


def test_other_sequences_and_another_truth_are_said() -> None:
    first = [row("a", "s0", TP=5, FN=5), row("a", "s1", TP=5, FN=5)]
    second = [row("b", "s0", TP=5, FN=6), row("b", "s2", TP=5, FN=5)]
    with pytest.warns(RuntimeWarning) as caught:
        compared = compare_runs(runs_of([(Path("x.json"), report(*first, *second))]), draws=100)
    assert [str(warning.message) for warning in caught] == [
        "b and a: 2 sequences are in one only; differences leave them out",
        "s0: b was measured against 11 true boxes or places, a against 10: other frames or another truth",
    ]
    assert {tuple(one["sequences"]) for one in compared["differences"]} == {("s0",)}


def test_settings_that_differ_are_named() -> None:
    reports = [report(*tracker_rows("a", 1, 2), gate=0.5, same=1), report(*tracker_rows("b", 1, 2), gate=0.7, same=1)]
    compared = compare_runs(runs_of([(Path(f"{n}.json"), one) for n, one in enumerate(reports)]), draws=100)
    assert compared["settings"]["settings_that_differ"] == {"a": {"gate": "0.5"}, "b": {"gate": "0.7"}}


def test_the_page_shows_differences_where_they_are() -> None:
    rows = [*tracker_rows("a<", 10, 50), *tracker_rows("b", 14, 52)]
    compared = compare_runs(runs_of([(Path("x.json"), report(*rows))]), draws=200)
    page = comparison_page(compared)
    checked = Checked(page)
    assert "http" not in page and "Differences from a<" in "".join(checked.text)
    found = picture(page, "Difference in HOTA. b: +3.0 [+2.0, +4.0]")
    (dot,) = found.iter("circle")
    left, right = (float(part.split()[0]) for part in (found.findall("g/path")[0].get("d") or "")[1:].split("M")[1:3])
    assert float(dot.get("cx") or 0) == pytest.approx((left + right) / 2, abs=0.1)
    text = comparison_markdown(compared)
    assert "| HOTA | mean | 30.0 | +3.0 [+2.0, +4.0] |" in text and "| s0, b | 14 |" in text
