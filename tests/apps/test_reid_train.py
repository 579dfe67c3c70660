"""``multicam reid train``: what a run leaves, how it goes on, and what it refuses."""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from reid_models.checkpoints import load_checkpoint
from reid_models.registry import create_model
from tests.apps.command import Command, Outcome, assert_one_line, call, ended, files_in, process, read_csv, read_json
from tests.apps.reid_people import (
    QUICK,
    SIZE,
    SMALL,
    write_attributes,
    write_classes,
    write_cuhk03,
    write_people,
    write_vehicles,
)

RECIPE = "osnet_x0_25_default"
FILES = ["history.csv", "last.pt", "recipe.yaml", "results.json", "results.md", "weights.pt"]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up people; only to be read."""
    return write_people(tmp_path_factory.mktemp("data") / "people")


@pytest.fixture(scope="module")
def trained(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of two epochs; only to be read."""
    folder = tmp_path_factory.mktemp("runs") / "two"
    assert call(*arguments(people, folder, "--set", "epochs=2", "--quiet")) == 0
    return folder


@pytest.fixture
def copied(people: Path, tmp_path: Path) -> Path:
    """The people again, to be spoilt."""
    return Path(shutil.copytree(people, tmp_path / "spoilt"))


def arguments(
    root: Path, folder: Path, *more: object, recipe: str = RECIPE, data: str = "folder"
) -> tuple[object, ...]:
    return ("reid", "train", recipe, "--data", data, "--root", root, "-o", folder, *QUICK, *more)


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(path, weights_only=True)["state_dict"])


def refused(multicam: Command, folder: Path, given: tuple[object, ...], *fragments: str) -> None:
    """Assert that a run is refused in one line and leaves nothing."""
    assert_one_line(multicam(*given), *fragments)
    assert not folder.exists()


def test_what_a_run_leaves(trained: Path) -> None:
    names = sorted(files_in(trained))
    assert [name for name in names if not name.startswith("events.out.tfevents.")] == FILES
    assert len(names) == len(FILES) + 1
    recipe = yaml.safe_load((trained / "recipe.yaml").read_text())
    assert (recipe["epochs"], recipe["sampler"]["batch_size"], recipe["input_size"]) == (2, 8, list(SIZE))
    assert recipe["model"] == {"name": "osnet_x0_25", "options": SMALL, "initialization": "random"}
    history = read_csv(trained / "history.csv")
    assert [row["epoch"] for row in history] == ["1", "2"]
    # About the logarithm of four, for six steps teach little; that networks learn is shown in test_learning.py.
    assert [float(row["cross_entropy"]) for row in history] == pytest.approx([math.log(4)] * 2, abs=0.5)
    report = read_json(trained / "results.json")
    assert report["protocol"] == "reid evaluate" and report["settings"]["recipe"] == recipe
    (row,) = report["rows"]
    assert (row["name"], row["sequence"]) == (RECIPE, "people")
    assert sorted(row) == sorted(["name", "sequence", "rank1", "rank5", "rank10", "mAP", "mINP"])
    line = (trained / "results.md").read_text().splitlines()[-1]
    assert line == f"| {RECIPE} | people | " + " | ".join(
        f"{row[metric]:.1f}" for metric in ("rank1", "rank5", "rank10", "mAP", "mINP")
    ) + " |"  # fmt: skip


def test_tensorboard_reads_the_history(trained: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained)).Reload()
    history = read_csv(trained / "history.csv")
    for name in ("cross_entropy", "learning_rate"):
        assert [event.step for event in events.Scalars(name)] == [1, 2]
        values = [event.value for event in events.Scalars(name)]
        assert values == pytest.approx([float(row[name]) for row in history], rel=1e-5)


def test_the_weights_say_what_they_are_of(multicam: Command, people: Path, trained: Path) -> None:
    """Evaluated by their file alone, they give the figures that the run ended with."""
    model = create_model("osnet_x0_25", **SMALL)
    assert load_checkpoint(model, trained / "weights.pt").ignored == ()
    table = trained.parent / "figures.json"
    given = ("--data", "folder", "--root", people, "--json", table, "--threads", 1)
    assert multicam("reid", "evaluate", trained / "weights.pt", *given).code == 0
    (again,), (ours,) = read_json(table)["rows"], read_json(trained / "results.json")["rows"]
    assert again | {"name": ""} == ours | {"name": ""}


def test_what_a_run_says(multicam: Command, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "[bold]out"
    options = ("--epochs-scale", 0.05, "--set", "epochs=44", "--set", "composites={}", "--seed", 3)
    outcome = multicam(*arguments(people, folder, *options))
    assert (outcome.code, outcome.out) == (0, "")
    lines = outcome.err.splitlines()
    data = "24 images, 4 classes and 4 composites"
    assert lines[0] == f"{RECIPE}: osnet_x0_25, {data}, 2 epochs, schedule × 0.05, on cpu, seed 3"
    assert lines[1].startswith("epoch 1/2: learning rate ") and "cross entropy" in lines[1]
    assert lines[2].startswith("epoch 2/2: ") and "images per second" in lines[2]
    assert f"│ {RECIPE}, schedule × 0.05 │ people │" in outcome.err
    assert lines[-1] == f"Weights: {folder / 'weights.pt'}"
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    # Every milestone is as much shorter as the whole.
    assert (recipe["epochs"], recipe["schedule"]["warm_up"]["epochs"], recipe["seed"]) == (2, 0.05, 3)
    published = multicam(*arguments(people, tmp_path / "b", "--set", "target={mAP: 84.9}", "--set", "paper='A [3]'"))
    assert published.err.splitlines()[-2] == "Published (A [3]): mAP 84.9"


def test_the_same_again_is_the_same_to_the_byte(multicam: Command, people: Path, trained: Path, tmp_path: Path) -> None:
    assert multicam(*arguments(people, tmp_path / "a", "--set", "epochs=2", "--quiet")) == Outcome(0, "", "")
    for name in ("weights.pt", "results.md"):
        assert (tmp_path / "a" / name).read_bytes() == (trained / name).read_bytes()
    other = tensors(trained / "weights.pt")
    assert multicam(*arguments(people, tmp_path / "b", "--set", "epochs=2", "--seed", 1, "--quiet")).code == 0
    ours = tensors(tmp_path / "b" / "weights.pt")
    assert ours.keys() == other.keys() and any(not torch.equal(ours[key], other[key]) for key in ours)


#: the process interrupts itself, as Ctrl-C does, in the second batch of the second epoch
INTERRUPT = """
import os, signal
from reid_models.training.trainer import Trainer
step, calls = Trainer._step, []
def counted(*arguments):
    calls.append(1)
    if len(calls) == 5: os.kill(os.getpid(), signal.SIGINT)
    return step(*arguments)
Trainer._step = counted
"""


def test_interrupted_and_resumed_is_as_uninterrupted(
    multicam: Command, people: Path, trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    given = arguments(people, folder, "--set", "epochs=2")
    with ended(process(*given, patch=INTERRUPT)) as run:
        out, err = run.communicate(timeout=120)
    assert (run.returncode, out) == (130, ""), err
    assert err.splitlines()[-1] == f"Stopped after epoch 1 of 2. Go on with --output {folder} --resume."
    assert not (folder / "weights.pt").exists() and (folder / "last.pt").exists()
    assert [row["epoch"] for row in read_csv(folder / "history.csv")] == ["1"]
    # Without --resume, and with other settings, it is not touched.
    before = files_in(folder)
    assert_one_line(multicam(*given), str(folder), "holds a training run already", "--resume", "--overwrite")
    outcome = multicam(*given, "--set", "optimizer.lr=0.5", "--resume")
    assert outcome.code == 2 and "begun with optimizer.lr = 0.002, not 0.5" in outcome.err
    assert files_in(folder) == before
    assert multicam(*given, "--resume").code == 0
    assert (folder / "weights.pt").read_bytes() == (trained / "weights.pt").read_bytes()
    ours, theirs = (torch.load(path / "last.pt", weights_only=True) for path in (folder, trained))
    assert ours["epoch"] == theirs["epoch"] == 2
    torch.testing.assert_close(ours["optimizer"], theirs["optimizer"], rtol=0, atol=0)
    assert (folder / "results.md").read_bytes() == (trained / "results.md").read_bytes()
    assert [row["cross_entropy"] for row in read_csv(folder / "history.csv")] == [
        row["cross_entropy"] for row in read_csv(trained / "history.csv")
    ]


def test_ctrl_c_before_the_first_epoch(
    multicam: Command, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apps.reid_data

    monkeypatch.setattr(apps.reid_data, "load_with_progress", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    # Where the tests run in the background of a shell, interrupts are ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outcome = multicam(*arguments(people, tmp_path / "out"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome == Outcome(130, "", "multicam: stopped.\n")
    assert not (tmp_path / "out").exists()


def test_a_second_run_is_refused_and_replaces_only_when_told(
    multicam: Command, people: Path, trained: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "out"))
    before = files_in(folder)
    assert_one_line(multicam(*arguments(people, folder)), str(folder), "already", "--resume", "--overwrite", "--output")
    # Before the data are looked at, which may take minutes.
    assert_one_line(multicam(*arguments(tmp_path / "none", folder)), "already")
    assert files_in(folder) == before
    # What cannot be run does not replace either.
    assert_one_line(
        multicam(*arguments(people, folder, "--overwrite", "--pretrained", "no.pt")), "no.pt does not exist"
    )
    assert files_in(folder) == before
    assert multicam(*arguments(people, folder, "--overwrite", "--quiet", "--no-evaluate")).code == 0
    assert [row["epoch"] for row in read_csv(folder / "history.csv")] == ["1"]
    names = files_in(folder)
    assert "results.json" not in names and len([name for name in names if name.startswith("events.")]) == 1


def test_a_finished_run_may_be_resumed_too(multicam: Command, people: Path, trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "out"))
    (folder / "weights.pt").unlink()
    (folder / "results.md").unlink()
    assert multicam(*arguments(people, folder, "--set", "epochs=2", "--resume", "--quiet")).code == 0
    for name in ("weights.pt", "results.md", "history.csv"):
        assert (folder / name).read_bytes() == (trained / name).read_bytes()


def test_training_goes_on_from_weights(multicam: Command, people: Path, trained: Path, tmp_path: Path) -> None:
    """With a learning rate of nothing, what comes out is what went in, batch-norm statistics aside."""
    given = arguments(people, tmp_path / "out", "--pretrained", trained / "weights.pt", "--set", "optimizer.lr=1e-30")
    assert multicam(*given, "--quiet").code == 0
    before, after = tensors(trained / "weights.pt"), tensors(tmp_path / "out" / "weights.pt")
    for key in before:
        if "running" not in key and "num_batches" not in key:
            torch.testing.assert_close(after[key], before[key], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("write", "data", "recipe", "metrics"),
    [
        (write_attributes, "pa100k", "osnet_pa100k", ["mA", "accuracy", "precision", "recall", "F1"]),
        (write_classes, "cifar10", "osnet_cifar10", ["top1_error", "top5_error"]),
        (write_vehicles, "vehicleid", RECIPE, ["rank1", "rank5", "rank10", "mAP", "mINP"]),
        (write_cuhk03, "cuhk03:protocol=classic", RECIPE, ["rank1", "rank5", "rank10", "mAP", "mINP"]),
    ],
    ids=["attributes", "classes", "vehicles", "cuhk03 classic"],
)
def test_other_tasks_and_protocols(
    multicam: Command,
    tmp_path: Path,
    write: Callable[[Path], Path],
    data: str,
    recipe: str,
    metrics: list[str],
) -> None:
    """A run ends with the figures that its weights give when they are evaluated alone."""
    root, folder = write(tmp_path / "data"), tmp_path / "out"
    outcome = multicam(*arguments(root, folder, recipe=recipe, data=data))
    assert outcome.code == 0, outcome.err
    (ours,) = read_json(folder / "results.json")["rows"]
    assert [key for key in ours if key not in ("name", "sequence")] == metrics
    given = ("--data", data, "--root", root, "--json", tmp_path / "figures.json", "--threads", 1)
    assert multicam("reid", "evaluate", folder / "weights.pt", *given, "--quiet").code == 0
    (again,) = read_json(tmp_path / "figures.json")["rows"]
    assert again | {"name": ""} == ours | {"name": ""}
