"""Every model's own recipe: the table is complete, what is changed is said, and the loss falls on real images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.recipe_steps import RECIPES, app, loss_of_first_steps, shortened, training_slice
from reid_models.errors import InputError
from reid_models.registry import list_models
from reid_models.training.recipe import read_recipe


@pytest.fixture
def small_market(tmp_path: Path) -> Path:
    """Four persons with four images and one with two, in the layout of Market-1501."""
    generator = np.random.default_rng(0)
    for folder in ("bounding_box_train", "bounding_box_test", "query"):
        (tmp_path / folder).mkdir()
    for person, count in ((3, 4), (5, 2), (6, 4), (8, 4), (9, 4)):
        for number in range(count):
            image = generator.integers(0, 256, (64, 32, 3), np.uint8)
            name = f"{person:04d}_c{number % 2 + 1}s1_{number:06d}_00.jpg"
            cv2.imwrite(str(tmp_path / "bounding_box_train" / name), image)
    for folder, camera in (("query", 1), ("bounding_box_test", 2)):
        cv2.imwrite(str(tmp_path / folder / f"0011_c{camera}s1_000000_00.jpg"), np.full((64, 32, 3), 90, np.uint8))
    return tmp_path


def test_every_model_has_a_recipe_that_builds_it():
    assert sorted(RECIPES) == list_models()
    for model, name in RECIPES.items():
        assert read_recipe(name).model.name == model


@pytest.mark.parametrize("name", sorted(RECIPES.values()))
def test_what_is_changed_is_all_that_differs(name):
    published, (short, changes) = read_recipe(name), shortened(name, 8)
    assert short.sampler.size == 8
    assert short.schedule.warm_up is None and short.classifier_only_epochs == 0
    assert short.model.initialization == "random"
    # What the changes name, put back, gives the published recipe.
    restored = short.model_copy(update={
        "sampler": published.sampler if any(change.startswith("sampler.") for change in changes) else short.sampler,
        "schedule": short.schedule.model_copy(update={"warm_up": published.schedule.warm_up})
        if "schedule.warm_up=null" in changes else short.schedule,
        "classifier_only_epochs": published.classifier_only_epochs
        if "classifier_only_epochs=0" in changes else short.classifier_only_epochs,
        "model": published.model if "model.initialization=random" in changes else short.model,
    })  # fmt: skip
    assert restored == published


@pytest.mark.parametrize("name", ["osnet_scratch", "msinet_scratch", "strong_baseline"])
def test_with_its_own_batch_a_recipe_is_left_alone(name):
    published = read_recipe(name)
    short, changes = shortened(name, published.sampler.size)
    assert changes == (["model.initialization=random"] if name == "strong_baseline" else [])
    assert (short.sampler, short.schedule) == (published.sampler, published.schedule)


def test_a_batch_of_four_has_two_images_of_two_persons():
    sampler = shortened("mgn", 4)[0].sampler
    assert (sampler.identities, sampler.images) == (2, 2)


def test_the_slice_has_the_first_persons_with_enough_images(small_market):
    data = training_slice("market1501", small_market, 3)
    persons = {int(path.name[:4]) for path in data.images}
    assert persons == {3, 6, 8}
    assert data.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert data.num_classes == 3
    with pytest.raises(InputError, match="has 4 persons with 4 training images"):
        training_slice("market1501", small_market, 5)


def test_too_few_steps_are_refused(small_market):
    data = training_slice("market1501", small_market, 4)
    with pytest.raises(InputError, match="9 steps are too few"):
        loss_of_first_steps("hacnn", data, steps=9, batch_size=8)


def test_the_row_counts_steps_and_weighs_terms(small_market, monkeypatch):
    monkeypatch.setitem(RECIPES, "osnet_x0_25", str(_recipe(small_market, lr=1e-3)))
    data = training_slice("market1501", small_market, 4)
    row = loss_of_first_steps("osnet_x0_25", data, steps=11, batch_size=8)
    assert len(row["losses"]) == 11 and row["stopped"] is None
    assert row["loss_first"] == pytest.approx(np.mean(row["losses"][:5]))
    assert row["loss_last"] == pytest.approx(np.mean(row["losses"][6:]))
    assert row["falls"] == (row["loss_last"] < row["loss_first"])
    # Three times the cross entropy of four persons, which begins near ln 4.
    assert 3 * 1.0 < row["losses"][0] < 3 * 2.2


def test_a_loss_that_is_no_longer_finite_has_not_fallen(small_market, monkeypatch):
    monkeypatch.setitem(RECIPES, "osnet_x0_25", str(_recipe(small_market, lr=1e30)))
    row = loss_of_first_steps("osnet_x0_25", training_slice("market1501", small_market, 4), steps=10, batch_size=8)
    assert not row["falls"]
    assert "no longer finite" in row["stopped"]


def test_the_command_fails_where_a_loss_does_not_fall(small_market, monkeypatch):
    monkeypatch.setitem(RECIPES, "osnet_x0_25", str(_recipe(small_market, lr=1e30)))
    arguments = ["--root", str(small_market), "--models", "osnet_x0_25", "--steps", "10", "--identities", "4"]
    result = CliRunner().invoke(app, [*arguments, "--json", str(small_market / "steps.json")])
    assert result.exit_code == 1
    assert "NO" in result.stdout
    assert (small_market / "steps.json").is_file()


def _recipe(folder: Path, lr: float) -> Path:
    path = folder / "small.yaml"
    path.write_text(
        "model: {name: osnet_x0_25}\ninput_size: [64, 32]\nsampler: {kind: random, batch_size: 8}\nepochs: 99\n"
        f"losses: [{{kind: cross_entropy, weight: 3}}]\noptimizer: {{kind: sgd, lr: {lr}}}\n"
    )
    return path


@pytest.mark.data
# MSINet and OSNet x1.0, which need their own batch of 64, would take three minutes each: benchmarks/results has them.
@pytest.mark.parametrize("model", ["osnet_x0_25", "hacnn", "strong_baseline_resnet50"])
def test_the_loss_falls_on_real_images(model, data_root):
    data = training_slice("market1501", data_root / "data" / "reid" / "cuhk03-pair1", 8)
    row = loss_of_first_steps(model, data, steps=30, batch_size=16 if model != "strong_baseline_resnet50" else 8)
    assert len(row["losses"]) == 30 and row["stopped"] is None
    assert row["loss_last"] < row["loss_first"]
    assert row["falls"]
