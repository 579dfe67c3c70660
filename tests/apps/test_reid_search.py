"""``multicam reid search-architecture``: a genotype that a network is built and trained from."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from reid_models.architectures.genotypes import read_genotype
from reid_models.checkpoints import read_description
from reid_models.training.architecture_search import ArchitectureSearch, SearchReport
from tests.apps.command import Command, assert_one_line, call, files_in, read_csv
from tests.apps.reid_people import SIZE, write_people

CHANNELS = "model.options.channels=[4, 8, 8, 16]"
QUICK = (
    "--set", CHANNELS, "--set", f"input_size={list(SIZE)}", "--set", "sampler.identities=2", "--set",
    "sampler.images=2", "--workers", 0, "--threads", 1, "--device", "cpu",
)  # fmt: skip
#: so that something is decided in two epochs
BOLD = ("--set", "epochs=2", "--set", "search.architecture_lr=0.5", "--set", "schedule={warm_up: null}")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("data") / "people")


def arguments(root: Path, folder: Path, *more: object) -> tuple[object, ...]:
    data = ("--data", "folder", "--root", root, "-o", folder)
    return ("reid", "search-architecture", *data, *QUICK, *BOLD, *more)


@pytest.fixture(scope="module")
def searched(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished search; only to be read."""
    folder = tmp_path_factory.mktemp("runs") / "search"
    assert call(*arguments(people, folder, "--quiet")) == 0
    return folder


def test_what_a_search_leaves(searched: Path) -> None:
    assert sorted(files_in(searched)) == ["genotype.json", "history.csv", "last.pt", "recipe.yaml"]
    history = read_csv(searched / "history.csv")
    assert [row["epoch"] for row in history] == ["1", "2"]
    # log 4 at the start: the architecture parameters have moved, and go on moving.
    entropies = [float(row["entropy"]) for row in history]
    assert 1.386 > entropies[0] > entropies[1]
    state = torch.load(searched / "last.pt", weights_only=True)
    assert state["epoch"] == 2
    assert len(read_genotype(searched / "genotype.json").interactions) == 12
    recipe = yaml.safe_load((searched / "recipe.yaml").read_text())
    assert recipe["task"] == "search" and recipe["search"]["architecture_lr"] == 0.5


def test_a_network_is_trained_from_the_genotype(
    multicam: Command, people: Path, searched: Path, tmp_path: Path
) -> None:
    """Its weights need the genotype's file no more."""
    genotype = tmp_path / "genotype.json"
    shutil.copy(searched / "genotype.json", genotype)
    given = ("reid", "train", "msinet_scratch", "--data", "folder", "--root", people, "-o", tmp_path / "out", *QUICK,
             "--set", "epochs=1", "--set", f"model.options.genotype={genotype}", "--no-evaluate")  # fmt: skip
    assert multicam(*given).code == 0
    genotype.unlink()
    letters = str(read_genotype(searched / "genotype.json"))
    assert read_description(tmp_path / "out" / "weights.pt")["options"]["genotype"] == letters
    data = ("--data", "folder", "--root", people, "--threads", 1)
    assert multicam("reid", "evaluate", tmp_path / "out" / "weights.pt", *data).code == 0


def test_what_a_search_says(multicam: Command, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "[bold]out"
    outcome = multicam(*arguments(people, folder, "--epochs-scale", 0.5))
    assert (outcome.code, outcome.out) == (0, "")
    lines = outcome.err.splitlines()
    assert lines[0] == "msinet_search: 24 images, 4 identities, 1 epoch, on cpu, seed 0"
    assert lines[1].startswith("epoch 1/1: train loss ") and "validation loss" in lines[1] and "entropy" in lines[1]
    letters = str(read_genotype(folder / "genotype.json"))
    assert lines[2] == f"{letters}  ({folder / 'genotype.json'})"
    assert lines[3].startswith("Train it: multicam reid train msinet_scratch --set model.options.genotype=")
    assert len(lines) == 4


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Interrupt this process, as Ctrl-C does, at the beginning of an epoch."""
    run_epoch = ArchitectureSearch.run_epoch

    def interrupted(search: ArchitectureSearch, *batches: Any) -> SearchReport:
        if search.epoch == epoch:
            signal.raise_signal(signal.SIGINT)
        return run_epoch(search, *batches)

    monkeypatch.setattr(ArchitectureSearch, "run_epoch", interrupted)


def test_interrupted_and_resumed_is_as_uninterrupted(
    multicam: Command, people: Path, searched: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    given = arguments(people, folder)
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, 1)
        outcome = multicam(*given)
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == f"Stopped. Go on with --output {folder} --resume."
    assert sorted(files_in(folder)) == ["history.csv", "last.pt", "recipe.yaml"]
    before = files_in(folder)
    assert_one_line(multicam(*given), "holds a training run already", "--resume", "--overwrite")
    assert_one_line(multicam(*given, "--resume", "--set", "seed=1", "--quiet"), "begun with seed = 0, not 1")
    assert files_in(folder) == before
    assert multicam(*given, "--resume", "--quiet").code == 0
    for name in ("genotype.json", "history.csv"):
        assert (folder / name).read_bytes() == (searched / name).read_bytes()
    ours, theirs = (torch.load(path / "last.pt", weights_only=True) for path in (folder, searched))
    assert ours.keys() == theirs.keys()
    for part in ("model", "train_memory", "validation_memory", "weight_optimizer", "architecture_optimizer"):
        torch.testing.assert_close(ours[part], theirs[part], rtol=0, atol=0)


def test_stopped_at_once_there_is_nothing_to_resume(
    multicam: Command, people: Path, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the genotype of the run before it left, which belongs to other settings."""
    folder = Path(shutil.copytree(searched, tmp_path / "out"))
    interrupt(monkeypatch, 0)
    outcome = multicam(*arguments(people, folder, "--overwrite"))
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, "Stopped.")
    assert sorted(files_in(folder)) == ["recipe.yaml"]


def test_what_cannot_be_searched(multicam: Command, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    given = arguments(people, folder)
    for options, fragments in {
        ("--resume",): ("nothing to resume", "leave --resume out"),
        ("--set", "model.options.channels=[8]"): ("channels = [8]", "four positive multiples of 4"),
        ("--set", "search.train_onli=0.1"): ("unknown key 'search.train_onli'", "did you mean 'train_only'?"),
        ("--set", "search.both=2"): ("search.both = 2", "less than or equal to 1"),
        ("--set", "nonsense"): ("--set nonsense", "KEY=VALUE"),
        ("--epochs-scale", 0): ("--epochs-scale 0", "positive number"),
        ("--device", "tpu"): ("--device tpu is not one of",),
        ("--root", "nowhere", "--data", "folder"): ("nowhere does not exist",),
    }.items():
        assert_one_line(multicam(*given, *options), *fragments)
        assert not folder.exists()
    outcome = multicam("reid", "search-architecture", "osnet_scratch", "--data", "folder", "--root", people)
    assert_one_line(outcome, "osnet_scratch trains a network", "multicam reid train osnet_scratch")
    assert_one_line(multicam("reid", "search-architecture"), "no data", "--root DIR")
    outcome = multicam("reid", "search-architecture", "msinet_serch", "--root", people)
    assert_one_line(outcome, "unknown recipe 'msinet_serch'", "did you mean 'msinet_search'?")


def test_a_loss_that_is_no_number(multicam: Command, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    outcome = multicam(*arguments(people, folder, "--set", "optimizer.lr=1e30", "--quiet"))
    assert_one_line(outcome, "loss became", "epoch 0 of the search", "smaller learning rates")
