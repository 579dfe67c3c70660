"""Networks measured turn by turn: fair order, figures that follow from the times, and equal vectors on all sides."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import crop_speed, embedder_speed
from benchmarks.alternating import LEAST_REPEATS, Times, bars, measure_in_turn, ratio_to, time_figures
from benchmarks.crop_speed import OURS, OURS_BFLOAT16, USUAL, compare_crop_preparation, crops_of_sizes
from benchmarks.embedder_speed import compare_embedders, embedder_table
from benchmarks.network_sides import NetworkSide
from benchmarks.network_speed import _sizes, crops, embedders
from benchmarks.report import write_json
from benchmarks.report_files import read_report
from reid_models.registry import model_spec
from reid_models.runtimes.openvino_backend import processor_has_bfloat16
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
    report = json_text.loads((tmp_path / "c.json").read_text())
    rows = {(row["name"], row["implementation"]): row for row in report["rows"]}
    ours = rows["crops to vectors", OURS]
    assert ours["max_abs_difference"] < 1e-4 and ours["cosine"] > 0.999999 and ours["speed_ratio"] > 0
    assert [row["implementation"] for row in report["rows"] if "speed_target" in row] == [report["settings"]["chosen"]]
    assert (("crops to vectors", OURS_BFLOAT16) in rows) == processor_has_bfloat16()
    if processor_has_bfloat16():
        half = rows["crops to vectors", OURS_BFLOAT16]
        assert half["precision"] == "bfloat16" and 0.99 < half["cosine"] < 1
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
    with pytest.raises(InputError, match="unknown precision 'int4'"):
        compare_crop_preparation(precision="int4")
    assert _sizes("640x480, 64x32") == [(640, 480), (64, 32)]
    with pytest.raises(InputError, match="give WIDTHxHEIGHT"):
        _sizes("640")


def test_repeats_end_with_the_time_but_not_before_there_are_three() -> None:
    calls: list[str] = []
    sides = {"one": lambda: calls.append("one"), "two": lambda: calls.append("two")}
    times = measure_in_turn(sides, 9, seconds=0.0)
    assert {name: len(found.wall) for name, found in times.items()} == {"one": LEAST_REPEATS, "two": LEAST_REPEATS}
    assert len(measure_in_turn(sides, 2, seconds=0.0)["one"].wall) == 2
    assert len(measure_in_turn(sides, 9, seconds=3600.0)["one"].wall) == 9


def test_each_precision_is_named_and_compared_with_float32() -> None:
    runtimes = ["torch eager", "openvino float32", "openvino int8"]
    if processor_has_bfloat16():
        runtimes.append("openvino bfloat16")
    found = compare_embedders(["osnet_x0_25"], runtimes, [2], repeats=1, threads=1)
    rows = {row["implementation"]: row for row in found["rows"]}
    assert set(rows) == set(runtimes)
    for name, row in rows.items():
        assert row["precision"] == (name.split()[-1] if name.startswith("openvino") else "float32")
        assert row["repeats"] == 1 and row["crops_per_second"] == pytest.approx(2 / row["seconds"])
    assert rows["torch eager"]["cosine"] == pytest.approx(1.0, abs=1e-6)
    assert rows["openvino float32"]["cosine"] > 0.9999 > rows["openvino int8"]["cosine"] > 0.5
    header, lines = embedder_table(found["rows"])
    column = header.index("precision")
    assert [line[column] for line in lines] == [row["precision"] for row in found["rows"]]


def test_8_bits_are_measured_where_the_processor_adds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (False, True):
        monkeypatch.setattr(embedder_speed, "processor_has_int8_products", lambda value=has: value)
        assert ("openvino int8" in embedder_speed._checked_runtimes(None)) == has
        assert embedder_speed._checked_runtimes(["openvino int8"]) == ["openvino int8"]


def test_an_interrupted_run_goes_on_with_the_next_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def rows_of(name: str, settings: dict[str, Any], advance: Any) -> list[dict[str, Any]]:
        if name in broken:
            raise KeyboardInterrupt
        measured.append(name)
        times = {"torch eager": Times([1.0], [1.0])}
        return [{"name": name, "sequence": "batch 1", "implementation": "torch eager"}
                | time_figures(times, "torch eager", "torch eager")]  # fmt: skip

    monkeypatch.setattr(embedder_speed, "_rows_of_model", rows_of)
    json, broken = tmp_path / "e.json", {"osnet_x0_5"}
    given = {"models": "osnet_x0_25,osnet_x0_5,osnet_x1_0", "runtimes": "torch eager", "json": json, "quiet": True}
    with pytest.raises(KeyboardInterrupt):
        embedders(**given, markdown=tmp_path / "e.md")
    before = json.read_text()
    assert measured == ["osnet_x0_25"] and "osnet_x0_25" in (tmp_path / "e.md").read_text()
    broken = set()
    embedders(**given, resume=True)
    assert measured == ["osnet_x0_25", "osnet_x0_5", "osnet_x1_0"]
    report, first = read_report(json), json_text.loads(before)
    assert [row["name"] for row in report["rows"]] == measured
    assert report["settings"]["multiply_adds_per_second"] == first["settings"]["multiply_adds_per_second"]
    with pytest.raises(InputError, match=r"has repeats 5, and now it is 2: give the same options"):
        embedders(**given, repeats=2, resume=True)
    with pytest.raises(InputError, match="give the file"):
        embedders(models="osnet_x0_25", resume=True)
    content = report | {"machine": report["machine"] | {"processor": "another"}}
    write_json(json, content)
    with pytest.raises(InputError, match=r"another machine \(processor differs\)"):
        embedders(**given, resume=True)


def test_what_auto_chooses_is_held_against_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = {
        name: NetworkSide(lambda batch: np.eye(len(batch), 64, dtype=np.float32)) for name in (OURS, OURS_BFLOAT16)
    }
    record = model_spec("osnet_x0_25").record
    assert crop_speed._chosen(sides, "auto", record) == OURS_BFLOAT16
    assert crop_speed._chosen(sides, "float32", record) == OURS
    sides[OURS_BFLOAT16] = NetworkSide(lambda batch: 1 - np.eye(len(batch), 64, dtype=np.float32))
    assert crop_speed._chosen(sides, "auto", record) == OURS
    assert crop_speed._chosen(sides, "bfloat16", record) == OURS_BFLOAT16
    assert crop_speed._chosen({OURS: sides[OURS]}, "auto", record) == OURS
