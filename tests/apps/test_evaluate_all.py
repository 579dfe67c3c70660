"""``multicam evaluate all`` on made-up data of a few frames, with a tracker that makes no mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.evaluate_all import found_data
from benchmarks import floor_protocols
from benchmarks.floor_protocols import FloorRun
from benchmarks.floor_scenes import FloorScene
from tests.apps.command import Command, assert_one_line, files_in, read_json
from tests.benchmarks.test_floor_protocols import write_cmc, write_wildtrack

MOT = ["mot16", "mot16-offline", "mot17-frcnn", "mot17-frcnn-offline"]


@pytest.fixture(autouse=True)
def perfect(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A tracker that needs no time; returns with which options it was called."""
    monkeypatch.delenv("MULTICAM_DATA", raising=False)
    calls: list[dict[str, Any]] = []

    def track(scene: FloorScene, settings: Any, **options: Any) -> FloorRun:
        calls.append({"name": scene.name, "frames": scene.frames, **options})
        return FloorRun(scene.truth, len(scene.frames), 1.0, 0)

    monkeypatch.setattr(floor_protocols, "track_scene", track)
    return calls


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """CMC and the square in ``data``, files of the AI City Challenge beside it."""
    root = tmp_path / "somewhere"
    write_cmc(root / "data" / "cmc" / "CMC1", 6)
    write_cmc(root / "data" / "cmc" / "CMC2", 5)
    write_wildtrack(root / "data" / "wildtrack", 14)
    (root / "aicity").mkdir()
    for name in ("ground_truth", "results"):
        (root / "aicity" / f"{name}.txt").write_text("1 1 0 0 0 9 20 3 5\n1 1 1 0 0 9 20 3 6\n")
    (root / "aicity" / "scenes.json").write_text('[{"scene_name": "hall", "camera_ids": [1]}]')
    return root


def test_what_is_there_and_what_is_missing(root: Path) -> None:
    found, missing = found_data(root)
    assert [(protocol.name, str(place.relative_to(root))) for protocol, place in found] == [
        ("cmc", "data/cmc"), ("wildtrack", "data/wildtrack"), ("aicity", "aicity"),
    ]  # fmt: skip
    assert [protocol.name for protocol in missing] == [*MOT, "lab", "reid"]
    for kind in ("query", "bounding_box_test"):
        (root / "reid" / "shop" / kind).mkdir(parents=True)
    (root / "reid" / "half" / "query").mkdir(parents=True)
    (root / "MOT16" / "train" / "MOT16-02" / "gt").mkdir(parents=True)
    (root / "MOT16" / "train" / "MOT16-02" / "gt" / "gt.txt").write_text("")
    found, missing = found_data(root)
    assert {protocol.name for protocol, _ in found} >= {"reid-shop", *MOT[:2]}
    assert [protocol.name for protocol in missing] == [*MOT[2:], "lab"]
    assert {protocol.name: place for protocol, place in found}["mot16"] == root / "MOT16" / "train"


def test_each_protocol_has_its_files(
    multicam: Command, root: Path, tmp_path: Path, perfect: list[dict[str, Any]]
) -> None:
    out = tmp_path / "results"
    outcome = multicam("evaluate", "all", "--root", root, "-o", out)
    assert outcome.code == 0, outcome.err
    names = ("aicity", "cmc", "wildtrack")
    assert sorted(files_in(out)) == sorted(f"{name}.{kind}" for name in names for kind in ("json", "md"))
    for name in names:
        report = read_json(out / f"{name}.json")
        assert report["protocol"] == name and report["rows"]
        assert str(root) not in json.dumps(report) and str(root) not in (out / f"{name}.md").read_text()
    assert read_json(out / "cmc.json")["settings"]["root"] == "DIR/data/cmc"
    assert len([call for call in perfect if call["name"] == "CMC1"]) == 6
    assert "mot16: no data, looked for MOT16/train and MOT16 and mot16 and data/mot16 in" in outcome.err
    assert "Written to" in outcome.err and "CMC2, multicam" in outcome.out


def test_quick_takes_a_part_and_spares_the_full_figures(
    multicam: Command, root: Path, tmp_path: Path, perfect: list[dict[str, Any]]
) -> None:
    assert_one_line(multicam("evaluate", "all", "--root", root, "--quick"), "--quick would replace", "give --output")
    out = tmp_path / "results"
    assert multicam("evaluate", "all", "--root", root, "--quick", "-o", out, "--quiet").code == 0
    assert [(call["name"], len(call["frames"])) for call in perfect] == [("CMC1", 6), ("easy", 10)]
    assert read_json(out / "wildtrack.json")["settings"]["subset"] is True


def test_one_that_fails_does_not_keep_the_others(multicam: Command, root: Path, tmp_path: Path) -> None:
    (root / "aicity" / "results.txt").write_text("1,1,0\n")
    out = tmp_path / "results"
    outcome = multicam("evaluate", "all", "--root", root, "-o", out, "--only", "aicity", "--only", "cmc", "--quiet")
    assert_one_line(outcome, "could not be evaluated: aicity")
    assert sorted(files_in(out)) == ["cmc.json", "cmc.md"]
    told = multicam("evaluate", "all", "--root", root, "-o", out, "--only", "aicity")
    assert "aicity: " in told.err and "results.txt, line 1: 1 columns" in told.err.replace("\n", " ")


def test_bad_input_is_one_line(multicam: Command, root: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "results")
    assert_one_line(multicam("evaluate", "all", "--root", tmp_path / "none", *out), "no folder")
    (tmp_path / "empty").mkdir()
    assert_one_line(multicam("evaluate", "all", "--root", tmp_path / "empty", *out), "no data of any protocol", "cmc")
    assert_one_line(multicam("evaluate", "all", "--root", root, "--only", "lab", *out), "--only lab: no data of it")
    assert_one_line(multicam("evaluate", "all", "--root", root, "--only", "cmcc", *out), "did you mean 'cmc'")
    assert not (tmp_path / "results").exists()


def test_what_runs_networks_is_passed_on_to_protocols_that_have_them(
    multicam: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apps.cli

    (root / "lab").mkdir()
    (root / "lab" / "cameras.yaml").write_text("cameras: []\n")
    command, inner = apps.cli.app, []

    def spy(given: list[str] | None = None, **options: Any) -> Any:
        if given is None:
            return command(**options)
        inner.append(given)
        return 2

    monkeypatch.setattr(apps.cli, "app", spy)
    given = ("evaluate", "all", "--root", root, "-o", tmp_path / "out", "--only", "lab", "--only", "cmc", "--quiet")
    assert_one_line(multicam(*given, "--runtime", "onnxruntime", "--device", "cpu"), "could not be evaluated: cmc, lab")
    cmc, lab = inner
    assert "--runtime" not in cmc and "--device" not in cmc
    assert lab[lab.index("--runtime") + 1] == "onnxruntime" and lab[lab.index("--device") + 1] == "cpu"
    assert "--precision" not in lab
