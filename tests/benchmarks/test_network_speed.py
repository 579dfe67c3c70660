"""Networks measured turn by turn: fair order, figures that follow from the times, and equal vectors on all sides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.alternating import Times, bars, measure_in_turn, ratio_to, time_figures
from benchmarks.embedder_speed import OURS, USUAL, compare_crop_preparation, compare_embedders, crops_of_sizes
from benchmarks.network_speed import _sizes, crops
from tracker.errors import InputError


def test_every_second_repeat_goes_backwards() -> None:
    order: list[str] = []
    sides = {name: (lambda name=name: order.append(name)) for name in "abc"}
    times = measure_in_turn(sides, 2)
    assert "".join(order) == "abc" + "abc" + "cba"  # the first round is not measured
    assert all(len(found.wall) == len(found.processor) == 2 for found in times.values())


def test_figures_follow_from_the_times() -> None:
    times = {"usual": Times([4.0, 6.0, 8.0], [2.0, 2.0, 2.0]), "ours": Times([1.0, 2.0, 4.0], [0.5, 1.0, 0.5])}
    assert ratio_to(times["usual"].wall, times["ours"].wall) == 3.0
    figures = time_figures(times, "ours", "usual", per=2)
    assert (figures["seconds"], figures["seconds_lowest"], figures["seconds_highest"]) == (1.0, 0.5, 2.0)
    assert (figures["speed_ratio"], figures["processor_ratio"]) == (3.0, 4.0)
    assert "speed_ratio" not in time_figures(times, "usual", "usual")
    lines = bars({"ours": 1.0, "usual": 3.0}, "ms").splitlines()
    assert lines[1].count("█") == 10 and lines[2].count("█") == 30 and lines[2].endswith("3.0 ms")


def test_crops_have_different_sizes_and_the_same_every_time() -> None:
    first, second = crops_of_sizes(8, 1), crops_of_sizes(8, 1)
    assert len({crop.shape for crop in first}) == 8
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)


def test_bytes_into_the_network_give_the_same_vectors(tmp_path: Path) -> None:
    crops("osnet_x0_25", 2, repeats=1, threads=1, json=tmp_path / "c.json", markdown=tmp_path / "c.md", quiet=True)
    report = json.loads((tmp_path / "c.json").read_text())
    rows = {(row["name"], row["implementation"]): row for row in report["rows"]}
    ours = rows["crops to vectors", OURS]
    assert ours["max_abs_difference"] < 1e-4 and ours["speed_target"] == 5 and ours["speed_ratio"] > 0
    # torchvision's filter is another, the crops are the same people
    assert 1e-6 < rows["crops to vectors", USUAL]["max_abs_difference"] < 0.2
    assert "█" in (tmp_path / "c.md").read_text() and report["machine"]["versions"]["openvino"]


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="unknown runtime 'tensorrt'"):
        compare_embedders(["osnet_x0_25"], ["tensorrt"])
    with pytest.raises(ValueError, match="unknown ReID model"):
        compare_embedders(["osnet"])
    with pytest.raises(InputError, match="at least 1"):
        compare_embedders(["osnet_x0_25"], batches=[0])
    with pytest.raises(InputError, match="at least 1"):
        compare_crop_preparation(crops=0)
    assert _sizes("640x480, 64x32") == [(640, 480), (64, 32)]
    with pytest.raises(InputError, match="give WIDTHxHEIGHT"):
        _sizes("640")
