"""``multicam reid train`` refuses what it cannot use in one line, before the work and without a trace."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.apps.command import Command, Outcome, assert_one_line, call, files_in
from tests.apps.reid_people import QUICK, images_of, rename, write_people

RECIPE = "osnet_x0_25_default"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up people; only to be read."""
    return write_people(tmp_path_factory.mktemp("data") / "people")


@pytest.fixture
def copied(people: Path, tmp_path: Path) -> Path:
    """The people again, to be spoilt."""
    return Path(shutil.copytree(people, tmp_path / "spoilt"))


def arguments(root: Path, folder: Path, *more: object) -> tuple[object, ...]:
    return ("reid", "train", RECIPE, "--data", "folder", "--root", root, "-o", folder, *QUICK, *more)


def refused(multicam: Command, folder: Path, given: tuple[object, ...], *fragments: str) -> None:
    """Assert that a run is refused in one line and leaves nothing."""
    assert_one_line(multicam(*given), *fragments)
    assert not folder.exists()


def spoil(path: Path, content: bytes | None = None) -> None:
    """Cut an image short, or replace it."""
    path.write_bytes(path.read_bytes()[:-300] if content is None else content)


def test_broken_images_are_named_before_the_work(multicam: Command, copied: Path, tmp_path: Path) -> None:
    corrupt, truncated = images_of(copied, "bounding_box_train")[1:3]
    spoil(corrupt, b"no image")
    spoil(truncated)
    folder = tmp_path / "out"
    refused(multicam, folder, arguments(copied, folder), str(corrupt), "broken", "and 1 more", "--skip-broken")
    outcome = multicam(*arguments(copied, folder, "--skip-broken", "--no-evaluate"))
    lines = outcome.err.splitlines()
    assert outcome.code == 0
    assert lines[0] == f"2 broken images are left out: {corrupt.name}, {truncated.name}"
    assert "22 images, 4 classes" in lines[1]


def test_broken_test_images_are_not_found_after_the_training(multicam: Command, copied: Path, tmp_path: Path) -> None:
    query = images_of(copied)[0]
    spoil(query)
    folder = tmp_path / "out"
    refused(multicam, folder, arguments(copied, folder), str(query), "cut short", "--skip-broken")
    outcome = multicam(*arguments(copied, folder, "--skip-broken"))
    assert outcome.code == 0 and outcome.err.splitlines()[0] == f"1 broken images are left out: {query.name}"
    # Where nothing is evaluated, nobody looks.
    assert multicam(*arguments(copied, tmp_path / "b", "--no-evaluate", "--quiet")).code == 0


def test_people_with_fewer_images_than_a_batch_takes(multicam: Command, copied: Path, tmp_path: Path) -> None:
    for path in images_of(copied, "bounding_box_train")[:3]:
        path.unlink()
    given = ("--set", "sampler={kind: identity, identities: 2, images: 4}", "--no-evaluate")
    outcome = multicam(*arguments(copied, tmp_path / "out", *given))
    assert outcome.code == 0
    assert outcome.err.splitlines()[0] == (
        "1 of 4 identities have fewer than 4 images (1): some of their images are drawn more than once in a batch"
    )


def test_test_sets_that_nothing_can_be_ranked_in(multicam: Command, people: Path, copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    rename(copied, "query", lambda path: f"09{path.name[2:]}")
    refused(multicam, folder, arguments(copied, folder), "none of the 24 queries of spoilt has a true match")
    for path in images_of(copied, "bounding_box_test"):
        path.unlink()
    refused(multicam, folder, arguments(copied, folder), str(copied / "bounding_box_test"), "holds no images")
    lone = Path(shutil.copytree(people, tmp_path / "lone"))
    images_of(lone)[0].rename(lone / "query" / "0999_c1s1_000000_00.png")
    outcome = multicam(*arguments(lone, folder))
    assert outcome.code == 0
    assert outcome.err.splitlines()[0] == "1 queries of lone have no true match and are left out"


def test_a_loss_that_is_no_number_keeps_the_last_good_epoch(multicam: Command, people: Path, tmp_path: Path) -> None:
    """The first epoch learns nothing and is kept; in the second the rate explodes."""
    folder = tmp_path / "out"
    sudden = ("--set", "optimizer={kind: sgd, lr: 1.0e-30}", "--set", "epochs=2", "--set",
              "schedule={kind: steps, milestones: [1], gamma: 1.0e+60, per_iteration: false}")  # fmt: skip
    outcome = multicam(*arguments(people, folder, *sudden))
    assert (outcome.code, outcome.out) == (2, "") and "Traceback" not in outcome.err
    message = outcome.err.splitlines()[-1]
    assert message.startswith("multicam: ") and "no longer finite in epoch 2, batch 2 (" in message
    assert "s1_" in message and ".png" in message, "the batch is named"
    assert "lower optimizer.lr" in message and f"{folder / 'last.pt'} of epoch 1 is kept" in message
    state = torch.load(folder / "last.pt", weights_only=True)
    assert state["epoch"] == 1 and all(value.isfinite().all() for value in state["model"].values())
    assert not (folder / "weights.pt").exists()


REFUSED: list[tuple[tuple[object, ...], tuple[str, ...]]] = [
    (("--set", "nonsense"), ("--set nonsense", "KEY=VALUE")),
    (("--set", "=3"), ("--set =3", "KEY=VALUE")),
    (("--set", "optimizr.lr=1"), ("unknown key 'optimizr'", "did you mean 'optimizer'?")),
    (("--set", "optimizer.lrr=1"), ("unknown key 'optimizer.lrr'", "did you mean 'lr'?")),
    (("--set", "optimizer.lr=fast"), ("optimizer.lr = 'fast'", "valid number")),
    (("--set", "optimizer.lr=-1"), ("optimizer.lr = -1", "greater than 0")),
    (("--set", "optimizer.lr=[1"), ("--set optimizer.lr=[1", "no YAML")),
    (("--set", "losses.7.weight=2"), ("losses.7.weight", "below 1")),
    (("--set", "losses.0.kind=triplet"), ("losses.0.kind = 'triplet'", "'batch_hard_triplet'")),
    (("--set", "losses.0.options.smoothing=1"), ("no option 'smoothing'", "did you mean 'label_smoothing'?")),
    (("--set", "model.name=osnet_x0_24"), ("unknown ReID model 'osnet_x0_24'", "did you mean 'osnet_x0_25'?")),
    (("--set", "model.options.num_stream=1"), ("no option 'num_stream'", "did you mean 'num_streams'?")),
    (("--set", "task=search"), ("architecture search", "multicam reid search-architecture")),
    (("--seed", -1), ("seed = -1",)),
    (("--epochs-scale", 0), ("--epochs-scale 0", "positive number")),
    (("--epochs-scale", "nan"), ("--epochs-scale nan", "positive number")),
    (("--epochs-scale", "half"), ("--epochs-scale is 'half'", "valid number")),
    (("--resume",), ("nothing to resume", "leave --resume out")),
    (("--pretrained", "missing.pt"), ("the checkpoint missing.pt does not exist",)),
    (("--device", "cuda"), ("--device cuda", "no GPU", "--device cpu")),
    (("--device", "gpu"), ("--device gpu is not one of", "cpu, cuda")),
    (("--precision", "half"), ("--precision half is not one of no, bf16, fp16",)),
    (("--precision", "fp16"), ("--precision fp16 needs a GPU", "bf16")),
    (("--workers", -1), ("--workers is '-1'", "greater than or equal to 0")),
    (("--data", "markt1501"), ("unknown data set 'markt1501'", "did you mean 'market1501'?")),
    (("--data", "pa100k"), ("pa100k holds attributes, not identities",)),
    (("--root", "elsewhere", "--data", "market1501"), ("elsewhere",)),
]  # fmt: skip


@pytest.mark.parametrize(("options", "fragments"), REFUSED, ids=lambda value: " ".join(map(str, value)))
def test_options(
    multicam: Command,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[object, ...],
    fragments: tuple[str, ...],
) -> None:
    if "cuda" in options and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.chdir(tmp_path)
    refused(multicam, tmp_path / "out", arguments(people, tmp_path / "out", *options), *fragments)
    assert not list(tmp_path.iterdir())


def test_recipes_and_roots(multicam: Command, people: Path, tmp_path: Path) -> None:
    def attempt(*given: Any) -> Outcome:
        return multicam("reid", "train", *given, "-o", tmp_path / "out")

    data = ("--data", "folder", "--root", people)
    assert_one_line(attempt("osnet_scrtch", *data), "unknown recipe 'osnet_scrtch'", "did you mean 'osnet_scratch'?")
    assert_one_line(attempt("missing.yaml", *data), "missing.yaml does not exist")
    assert_one_line(attempt(RECIPE), "no data", "--root DIR")
    assert_one_line(attempt(RECIPE, "--root", tmp_path / "nowhere"), "nowhere does not exist", "cuhk01")
    assert_one_line(attempt("msinet_search", *data), "msinet_search", "multicam reid search-architecture")
    assert_one_line(attempt("osnet_pa100k", *data), "folder holds identities, not attributes")
    (tmp_path / "mine.yaml").write_text("extends: osnet_scratch\noptimiser: {lr: 1}\n")
    assert_one_line(attempt(tmp_path / "mine.yaml", *data), "unknown key 'optimiser'", "did you mean 'optimizer'?")
    (tmp_path / "text.pt").write_text("no checkpoint")
    given = arguments(people, tmp_path / "out", "--pretrained", tmp_path / "text.pt")
    refused(multicam, tmp_path / "out", given, "text.pt cannot be loaded", "torch.save")
    (tmp_path / "file").touch()
    assert_one_line(multicam(*arguments(people, tmp_path / "file")), "is a file: give a folder")


def test_a_damaged_checkpoint_is_not_resumed(multicam: Command, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert call(*arguments(people, folder, "--no-evaluate", "--quiet")) == 0
    (folder / "last.pt").write_bytes((folder / "last.pt").read_bytes()[:5000])
    before = files_in(folder)
    given = arguments(people, folder, "--resume", "--quiet")
    assert_one_line(multicam(*given), "last.pt", "damaged", "--overwrite")
    assert files_in(folder) == before
