"""``multicam reid evaluate`` refuses people, weights and options that it cannot use, each in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_models.registry import create_model
from tests.apps.command import Command, assert_one_line
from tests.apps.reid_people import SMALL, images_of, rename, write_attributes, write_people, write_weights

#: the small network in options of the command
OPTIONS = [part for name, value in SMALL.items() for part in ("--model-option", f"{name}={value}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``people`` and ``weights.pt``; only to be read."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_people(folder / "people")
    write_weights(folder / "weights.pt")
    return folder


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """The people again, to be spoilt."""
    return Path(shutil.copytree(folder / "people", tmp_path / "spoilt"))


def cut_short(root: Path) -> None:
    path = images_of(root)[2]
    path.write_bytes(path.read_bytes()[:-300])


def no_image(root: Path) -> None:
    images_of(root, "bounding_box_test")[0].write_bytes(b"no image")


def no_matches(root: Path) -> None:
    rename(root, "bounding_box_test", lambda path: f"09{path.name[2:]}")


def only_junk(root: Path) -> None:
    rename(root, "bounding_box_test", lambda path: f"-1{path.name[4:]}")


def no_gallery(root: Path) -> None:
    for path in images_of(root, "bounding_box_test"):
        path.unlink()


def no_queries(root: Path) -> None:
    shutil.rmtree(root / "query")


def odd_name(root: Path) -> None:
    images_of(root)[0].rename(root / "query" / "someone.png")


SPOILT = {
    "cut short": (cut_short, ("0005_c2s1_", "is broken", "cut short", "mend or remove it", "--skip-broken")),
    "no image": (no_image, ("bounding_box_test", "is not an image", "--skip-broken")),
    "no matches": (no_matches, ("none of the 24 queries of spoilt has a true match", "check identities and cameras")),
    "only junk": (only_junk, ("the 12 gallery images of spoilt are all junk",)),
    "empty gallery": (no_gallery, ("bounding_box_test", "holds no images")),
    "no queries": (no_queries, ("spoilt", "query")),
    "odd name": (odd_name, ("1 file names", "PID_cCAMsX", "someone.png")),
}


@pytest.mark.parametrize("name", SPOILT)
def test_people_that_cannot_be_used(multicam: Command, folder: Path, copied: Path, name: str) -> None:
    spoil, fragments = SPOILT[name]
    spoil(copied)
    assert_one_line(
        multicam("reid", "evaluate", folder / "weights.pt", "--data", "folder", "--root", copied), *fragments
    )


def weights_with(folder: Path, change: Callable[[str, torch.Tensor], None]) -> Path:
    return write_weights(folder / "spoilt.pt", change=change)


def not_numbers(folder: Path) -> Path:
    """A weight that is no number."""
    return weights_with(folder, lambda name, value: value.fill_(np.nan) if name == "conv1.conv.weight" else value)


def overflowing(folder: Path) -> Path:
    """Weights that are numbers, and embeddings that are none."""
    return weights_with(folder, lambda name, value: value.fill_(1e30) if name.endswith("norm.weight") else value)


def text(folder: Path) -> Path:
    (folder / "text.pt").write_text("no checkpoint")
    return folder / "text.pt"


def cut_checkpoint(folder: Path) -> Path:
    path = write_weights(folder / "cut.pt")
    path.write_bytes(path.read_bytes()[:3000])
    return path


def no_weights(folder: Path) -> Path:
    torch.save({"epoch": 3, "score": 0.5}, folder / "scores.pt")
    return folder / "scores.pt"


def evil(folder: Path) -> Path:
    """A pickle that would run a program."""
    (folder / "evil.pt").write_bytes(b"cos\nsystem\n(S'touch " + str(folder / "ran").encode() + b"'\ntR.")
    return folder / "evil.pt"


MODELS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "not a number": (not_numbers, ("spoilt.pt holds values that are not finite in conv1.conv.weight",)),
    "embeddings not finite": (overflowing, ("values that are not finite for 0005_c1s1_", "weights are broken")),
    "text": (text, ("text.pt cannot be loaded", "no PyTorch checkpoint", "torch.save")),
    "cut short": (cut_checkpoint, ("cut.pt cannot be loaded", "damaged")),
    "no weights": (no_weights, ("scores.pt holds no weights", "state dict")),
    "runs code": (evil, ("evil.pt cannot be loaded", "no PyTorch checkpoint")),
    "missing": (lambda folder: folder / "missing.pt", ("missing.pt does not exist",)),
    "missing by name": (lambda _: "osnet_x0_25:missing.pt", ("the checkpoint missing.pt does not exist",)),
    "missing export": (lambda folder: folder / "missing.onnx", ("missing.onnx does not exist",)),
    "a folder": (lambda folder: folder, ("is a folder",)),
    "unknown name": (lambda _: "osnet_x0_24", ("unknown ReID model 'osnet_x0_24'", "did you mean 'osnet_x0_25'?")),
    "unknown weights": (lambda _: "osnet_x1_0:msmt", ("unknown weights 'msmt' of osnet_x1_0", "'msmt17'")),
    "no weights at all": (lambda _: "hacnn", ("hacnn was given no weights", "--weights FILE")),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_that_cannot_be_used(multicam: Command, folder: Path, tmp_path: Path, name: str) -> None:
    make, fragments = MODELS[name]
    given = ("--data", "folder", "--root", folder / "people", "--offline", "--threads", 1)
    assert_one_line(multicam("reid", "evaluate", make(tmp_path), *given), *fragments)
    assert not (tmp_path / "ran").exists()


OPTIONS_REFUSED: list[tuple[tuple[object, ...], tuple[str, ...]]] = [
    (("--input-size", "32"), ("--input-size 32", "HEIGHTxWIDTH", "256x128")),
    (("--input-size", "8x8"), ("--input-size 8x8", "at least 16")),
    (("--input-size", "wide"), ("--input-size wide", "256x128")),
    (("--distance", "manhattan"), ("--distance manhattan is not one of euclidean, cosine",)),
    (("--multi-query", "mean"), ("--multi-query mean is not one of average, max",)),
    (("--device", "cuda"), ("--device cuda", "no GPU", "--device cpu")),
    (("--device", "tpu"), ("--device tpu is not one of",)),
    (("--weights", "more.pt"), ("is a checkpoint itself", "leave --weights more.pt out")),
    (("--model-option", "pooling"), ("--model-option pooling", "NAME=VALUE")),
    (("--model-option", "num_streams=[1"), ("--model-option num_streams=[1", "no YAML")),
    (("--model-option", "num_stream=1"), ("no option 'num_stream'", "did you mean 'num_streams'?")),
    (("--model-option", "num_streams=1"), ("weights.pt does not fit this OSNet",)),
    (("--data", "folder", "--data", "folder", "--root", "."), ("3 --data but 2 --root",)),
    (("--data", "markt1501", "--root", "."), ("unknown data set 'markt1501'", "did you mean 'market1501'?")),
    (("--data", "market1501", "--root", "nowhere"), ("nowhere does not exist",)),
    (("--data", "pa100k", "--root", "."), ("attributes or classes are evaluated one at a time",)),
    (("--threads", 0), ("--threads is '0'", "greater than or equal to 1")),
    (("--seed", "x"), ("--seed is 'x'", "valid integer")),
    (("--flipp",), ("no such option: --flipp",)),
]


@pytest.mark.parametrize(("options", "fragments"), OPTIONS_REFUSED, ids=lambda value: " ".join(map(str, value)))
def test_options(multicam: Command, folder: Path, options: tuple[object, ...], fragments: tuple[str, ...]) -> None:
    if "cuda" in options and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    root = ("--data", "folder", "--root", folder / "people")
    assert_one_line(multicam("reid", "evaluate", folder / "weights.pt", *root, *options), *fragments)


def test_without_data(multicam: Command, folder: Path) -> None:
    for given in ((), ("--data", "folder"), ("--root", folder / "people")):
        assert_one_line(
            multicam("reid", "evaluate", folder / "weights.pt", *given), "no data", "--data NAME --root DIR"
        )
    assert_one_line(multicam("reid", "evaluate"), "missing argument 'model'")


def test_attributes_need_a_classifier_and_no_ranking(multicam: Command, folder: Path, tmp_path: Path) -> None:
    root = write_attributes(tmp_path / "data")
    data = ("--data", "pa100k", "--root", root)
    outcome = multicam("reid", "evaluate", folder / "weights.pt", *data)
    assert_one_line(outcome, "weights.pt holds no classifier of 3 classes or attributes")
    for given in (("--flip",), ("--re-ranking",), ("--multi-query", "max"), ("--distance", "cosine")):
        outcome = multicam("reid", "evaluate", folder / "weights.pt", *data, *given)
        assert_one_line(outcome, f"{given[0]} is for rankings, and pa100k has none")
    broken = root / "data" / "000021.png"
    broken.write_bytes(broken.read_bytes()[:-100])
    torch.manual_seed(0)
    model = create_model("osnet_x0_25", num_classes=3, **SMALL)
    torch.save(model.state_dict(), tmp_path / "classifier.pt")
    given = ("osnet_x0_25", "--weights", tmp_path / "classifier.pt", *OPTIONS, "--input-size", "32x16", *data)
    assert_one_line(multicam("reid", "evaluate", *given), "000021.png is broken", "--skip-broken")
    outcome = multicam("reid", "evaluate", *given, "--skip-broken")
    assert outcome.code == 0 and outcome.err == "1 broken images are left out: 000021.png\n"
    assert_one_line(multicam("reid", "evaluate", "e.onnx", *data), "e.onnx is an exported network", "checkpoint")
