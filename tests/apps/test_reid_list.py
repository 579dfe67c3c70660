"""``multicam reid list``: what there is, counted and complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from apps.reid_list import print_models
from reid_models.data.datasets import list_datasets
from reid_models.registry import list_models
from reid_models.training.recipe import list_recipes, read_recipe
from reid_models.weights import list_weights
from tests.apps.command import ROOT, Command, assert_one_line, environment, read_json

#: parameters and multiply-adds of the published code where there is some, and of the papers' descriptions otherwise
COUNTS = {
    "hacnn": (2_929_112, 543_994_538),
    "mgn_resnet50": (68_807_744, 11_884_822_528),
    "msinet": (2_328_035, 1_093_479_936),
    "msinet_sam": (2_393_699, 1_093_479_936),
    "osnet_ain_x1_0": (2_169_508, 978_875_392),
    "osnet_ibn_x1_0": (2_170_532, 978_875_392),
    "osnet_x0_25": (201_864, 82_314_880),
    "osnet_x0_5": (630_034, 272_899_328),
    "osnet_x0_75": (1_285_754, 571_752_192),
    "osnet_x1_0": (2_169_508, 978_875_392),
    "robust_reid_1x": (2_910_596, 682_665_130),
    "robust_reid_2x": (5_759_834, 1_621_772_618),
    "strong_baseline_resnet50": (23_512_128, 4_053_270_528),
}
HEAVY = {"torch", "torchvision", "numpy", "cv2", "accelerate", "yaml", "scipy", "onnxruntime"}


def cells(out: str) -> list[list[str]]:
    """The rows of a printed table, its heading first."""
    return [[cell.strip() for cell in line.strip("│┃").split("│")] for line in out.splitlines() if line[:1] in "│┃"]


def test_models_with_their_counts(multicam: Command, tmp_path: Path) -> None:
    outcome = multicam("reid", "list", "--json", tmp_path / "new" / "models.json")
    assert (outcome.code, outcome.err) == (0, "")
    report = read_json(tmp_path / "new" / "models.json")
    assert sorted(report) == ["machine", "protocol", "rows", "settings"] and report["protocol"] == "reid list"
    rows = {row["name"]: row for row in report["rows"]}
    assert {name: (row["parameters"], row["multiply_adds"]) for name, row in rows.items()} == COUNTS
    assert list(rows) == list_models() == sorted(COUNTS)
    assert rows["mgn_resnet50"] | {"paper": ""} == {
        "name": "mgn_resnet50", "input": "384×128", "parameters": 68_807_744, "multiply_adds": 11_884_822_528,
        "embedding": 2048, "distance": "cosine", "paper": "",
    }  # fmt: skip
    # Printed as people read numbers.
    printed = {row[0]: row[1:] for row in cells(outcome.out)}
    for name, (parameters, multiply_adds) in COUNTS.items():
        assert printed[name][1:3] == [f"{parameters:,}", f"{multiply_adds:,}"]


@pytest.mark.parametrize(
    ("width", "hidden"), [(80, "paper: in a wider terminal, or with --json"), (120, None)], ids=["narrow", "wide"]
)
def test_no_number_is_cut_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, hidden: str | None
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_models("osnet_*x1_0", None)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= width
    (row,) = [row for row in cells("\n".join(lines)) if row[0] == "osnet_x1_0"]
    assert row[:5] == ["osnet_x1_0", "256×128", "2,169,508", "978,875,392", "512"]
    assert (lines[-1] if not lines[-1].startswith("└") else None) == hidden


def test_every_set_of_weights(multicam: Command, tmp_path: Path) -> None:
    outcome = multicam("reid", "list", "--weights", "--json", tmp_path / "weights.json")
    assert (outcome.code, outcome.err) == (0, "")
    rows = read_json(tmp_path / "weights.json")["rows"]
    assert {(row["model"], row["name"]) for row in rows} == {(each.model, each.name) for each in list_weights()}
    assert all(row["source"] and row["licence"] and row["training_data"] for row in rows)
    outcome = multicam("reid", "list", "osnet_ain*", "--weights")
    assert {row[0] for row in cells(outcome.out)[1:]} - {""} == {"osnet_ain_x1_0"}


def test_every_recipe_with_its_target(multicam: Command, tmp_path: Path) -> None:
    outcome = multicam("reid", "list", "osnet_*", "--recipes", "--json", tmp_path / "recipes.json")
    assert (outcome.code, outcome.err) == (0, "")
    rows = {row["name"]: row for row in read_json(tmp_path / "recipes.json")["rows"]}
    assert sorted(rows) == [name for name in list_recipes() if name.startswith("osnet_")]
    recipe = read_recipe("osnet_scratch")
    assert rows["osnet_scratch"] == {
        "name": "osnet_scratch", "model": "osnet_x1_0", "data": "market1501", "epochs": 350,
        "target": ", ".join(f"{metric} {value:g}" for metric, value in recipe.target.items()), "paper": recipe.paper,
    }  # fmt: skip
    assert "rank1 93.6" in rows["osnet_scratch"]["target"]


def test_every_data_set_with_its_options(multicam: Command) -> None:
    rows = {row[0]: row[1:] for row in cells(multicam("reid", "list", "--datasets").out)[1:]}
    assert sorted(rows) == sorted(list_datasets())
    assert rows["cuhk03"] == ["identity", "CUHK03, new and classic protocol", "protocol=new, images=detected, split=0"]
    assert rows["cifar10"][0] == "classes" and rows["pa100k"][0] == "attributes"
    some = cells(multicam("reid", "list", "c*", "--datasets").out)[1:]
    assert [row[0] for row in some] == ["cuhk01", "cuhk03", "cifar10", "cifar100"]


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("osnet_x0_24",), ("no model matches 'osnet_x0_24'", "did you mean 'osnet_x0_25'?")),
        (("osnt*", "--weights"), ("no model with weights matches 'osnt*'", "osnet_x1_0")),
        (("hacnn", "--weights"), ("no model with weights matches 'hacnn'",)),
        (("osnet_scrtch", "--recipes"), ("no recipe matches", "did you mean 'osnet_scratch'?")),
        (("market1502", "--datasets"), ("no data set matches", "did you mean 'market1501'?")),
        (("--weights", "--recipes"), ("--weights, --recipes and --datasets", "give one of them")),
        (("--wieghts",), ("no such option: --wieghts",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_does_not_exist(multicam: Command, arguments: tuple[str, ...], fragments: tuple[str, ...]) -> None:
    assert_one_line(multicam("reid", "list", *arguments), *fragments)


def test_help_imports_neither_torch_nor_numpy() -> None:
    """One process asks for all helps, since each would start one of its own."""
    commands = ["list", "train", "evaluate", "export", "search-architecture"]
    code = f"""
import sys
from apps.cli import main
for arguments in [["--help"], ["reid", "--help"], *(["reid", name, "--help"] for name in {commands})]:
    try: main(arguments)
    except SystemExit as end: assert not end.code, (arguments, end.code)
    print("END OF", *arguments)
print("LOADED", *sorted({HEAVY} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), cwd=ROOT, check=True
    )
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "LOADED"
    pages = done.stdout.split("END OF")
    assert all(command in pages[1] for command in commands)
    for page, options in zip(
        pages[2:],
        [
            ("--weights", "--recipes", "--datasets", "--json"),
            ("--data", "--root", "--set", "--epochs-scale", "--pretrained", "--resume", "--overwrite", "--skip-broken",
             "--seed", "--device", "--precision", "--workers", "--threads", "--no-evaluate", "--offline"),
            ("--weights", "--flip", "--re-ranking", "--multi-query", "--input-size", "--distance", "--visualize",
             "--json", "--markdown", "--skip-broken"),
            ("--output", "--weights", "--model-option", "--untrained", "--overwrite"),
            ("--set", "--epochs-scale", "--resume", "--overwrite", "--device"),
        ],
        strict=False,
    ):  # fmt: skip
        for option in options:
            assert option in page, option
