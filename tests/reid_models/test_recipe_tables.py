"""Settings and schedules of the published recipes against the papers' tables and the published learning rates."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from reid_models.architectures import mgn as mgn_module
from reid_models.architectures import osnet as osnet_module
from reid_models.architectures import robust_reid as robust_module
from reid_models.architectures import strong_baseline as baseline_module
from reid_models.registry import model_spec
from reid_models.training.architecture_search import SearchSettings
from reid_models.training.recipe import Recipe, read_recipe
from reid_models.training.schedules import learning_rate_factor
from reid_models.training.search_settings import SearchStage
from tests.reid_models.published_recipes import (
    LADDER,
    MGN_TABLE_5,
    OSNET_TABLE_5,
    ROBUST_TABLE_2,
    ROBUST_TABLE_3,
    recipes,
    written,
)


def learning_rates(recipe: Recipe) -> list[float]:
    lr = recipe.optimizer.lr
    return [lr * learning_rate_factor(recipe.schedule, epoch, recipe.epochs) for epoch in range(recipe.epochs)]


# ------------------------------------------------------------------------------------------------- the papers' tables


def test_rows_of_the_architectures_tables() -> None:
    for row, name in OSNET_TABLE_5.items():
        assert recipes()[name].model.options == osnet_module.TABLE_5[row], name
    for label, name in MGN_TABLE_5.items():
        found = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in recipes()[name].model.options.items()
        }
        assert found == mgn_module.TABLE_5[label], name
    defaults = {"last_stride": 1, "neck": "bnneck"}
    for label, name in LADDER.items():
        assert defaults | recipes()[name].model.options == defaults | baseline_module.TABLE_1[label], name
    columns = [(robust_module.TABLE_2[column], name) for column, name in ROBUST_TABLE_2.items()]
    columns += [(robust_module.TABLE_3[setup], name) for setup, names in ROBUST_TABLE_3.items() for name in names]
    for options, name in columns:
        settings = recipes()[name].model
        assert {"size": "1x"} | model_spec(settings.name).options | settings.options == options, name


def test_each_rung_of_the_ladder_changes_one_trick() -> None:
    def flat(value: Any, path: str = "") -> dict[str, Any]:
        if not isinstance(value, dict):
            return {path: value}
        return {key: one for part, inner in value.items() for key, one in flat(inner, f"{path}.{part}").items()}

    def settings(name: str) -> dict[str, Any]:
        return flat(recipes()[name].model_dump(exclude={"name", "paper", "target", "notes"}))

    changed = []
    names = list(LADDER.values())
    for before, after in itertools.pairwise(names):
        old, new = settings(before), settings(after)
        changed.append({key.split(".")[1] for key in old.keys() | new.keys() if old.get(key) != new.get(key)})
    assert changed == [{"schedule"}, {"augmentation"}, {"losses"}, {"model"}, {"model", "evaluation"}, {"losses"}]


def test_columns_of_robust_reid_differ_in_what_the_paper_marks() -> None:
    def triplet(name: str) -> dict[str, Any] | None:
        terms = [term for term in recipes()[name].losses if term.kind == "weighted_triplet"]
        return terms[0].options if terms else None

    soft = {"margin": None, "normalize": True}
    assert triplet("robust_reid_a") is None
    assert triplet("robust_reid_b") == {"margin": None, "normalize": False}
    assert triplet("robust_reid_d") == {"margin": 0.3, "normalize": True}
    assert all(triplet(f"robust_reid_{column}") == soft for column in "cefgh")
    for first, cycles, averaged in ROBUST_TABLE_3.values():
        plain, longer, swag = (recipes()[name] for name in (first, cycles, averaged))
        assert plain.epochs == 350 and plain.schedule.cycles is None and plain.averaging is None
        assert longer.epochs == swag.epochs == 875 and longer.schedule == swag.schedule
        assert longer.averaging is None and swag.averaging is not None and swag.averaging.kind == "swag"
        assert longer.schedule.cycles is not None and longer.schedule.cycles.length == swag.averaging.every == 35


def test_search_says_what_the_paper_says() -> None:
    recipe, defaults = recipes()["msinet_search"], SearchSettings()
    stage = recipe.search
    assert stage is not None
    assert (recipe.epochs, recipe.optimizer.lr, recipe.schedule) == (
        defaults.epochs,
        defaults.learning_rate,
        defaults.schedule,
    )
    assert stage.architecture_lr == defaults.architecture_learning_rate
    assert recipe.losses[0].options == {"temperature": stage.temperature, "momentum": stage.momentum}
    assert (stage.temperature, stage.momentum) == (defaults.temperature, defaults.memory_momentum)
    # The published code's, where the paper is silent, and the paper's start of the memories.
    assert (stage.architecture_betas, stage.architecture_weight_decay) == ((0.5, 0.999), 1e-3)
    assert (stage.train_only, stage.both, stage.shared_images) == (0.2, 0.4, "halved")
    assert stage.memory_start == defaults.memory_start == "centroids"
    assert (defaults.architecture_betas, defaults.architecture_weight_decay) == (
        stage.architecture_betas,
        stage.architecture_weight_decay,
    )
    assert written("msinet_search")["search"].keys() == SearchStage.model_fields.keys()


def test_spatial_alignment_is_told_the_row_twice_alike() -> None:
    modes = {None: "pos_neg", "separated": "pos_neg", "positive": "pos", "negative": "neg", "unified": "unified"}
    rows = [name for name, recipe in recipes().items() if recipe.model.name == "msinet_sam"]
    assert len(rows) == 9
    for name in rows:
        recipe = recipes()[name]
        (term,) = (term for term in recipe.losses if term.kind == "spatial_alignment")
        assert term.weight == 2 and term.options["mode"] == modes[recipe.model.options.get("spatial_alignment")], name


# ------------------------------------------------------------------------------------------------------- the schedules


@pytest.mark.data
@pytest.mark.parametrize(
    ("schedule", "names"),
    [
        ("strong_baseline", [name for rung, name in LADDER.items() if rung != "Baseline-S"]),
        ("msinet", ["msinet_scratch", "msinet", "msinet_sam", "msinet_veri776", "msinet_sam_vehicleid"]),
        ("osnet_x1_0_amsgrad", ["osnet_finetune", "osnet_x0_75", "osnet_ibn_cross_domain", "osnet_viper"]),
        ("osnet_x0_5_x0_25_amsgrad", ["osnet_x0_5", "osnet_x0_25"]),
        ("osnet_ain_cosine_100", ["osnet_ain_cross_domain"]),
        ("osnet_scratch_paper_sgd", [*OSNET_TABLE_5.values(), "osnet_mix4"]),
    ],
)
def test_learning_rates_are_the_published_ones(data_root: Path, schedule: str, names: list[str]) -> None:
    spec = json.loads((data_root / "fixtures" / "schedules.json").read_text())["schedules"][schedule]
    published = spec.get("values") or [lr for lr, count in spec["runs"] for _ in range(count)]
    for name in names:
        assert learning_rates(recipes()[name]) == pytest.approx(published, rel=1e-6, abs=1e-12), name


@pytest.mark.data
def test_learning_rates_of_robust_reid_with_swag(data_root: Path) -> None:
    """Within epochs, in the middle of each of 875; 15 cycles follow the 350 epochs that all columns have."""
    spec = json.loads((data_root / "fixtures" / "schedules.json").read_text())["schedules"]["kakusikun_robust"]
    for name in ("robust_reid_1x", "robust_reid_2x", "robust_reid_setup1_swag"):
        recipe = recipes()[name]
        assert recipe.epochs == spec["epochs"] and recipe.schedule.per_iteration
        ours = [recipe.optimizer.lr * learning_rate_factor(recipe.schedule, epoch + 0.51, 350) for epoch in range(875)]
        assert ours == pytest.approx(spec["values_mid_epoch"], rel=1e-3, abs=2e-6)


def test_learning_rates_without_a_fixture() -> None:
    def changes(name: str) -> list[tuple[int, float]]:
        rates = learning_rates(recipes()[name])
        return [(epoch, lr) for epoch, lr in enumerate(rates) if epoch == 0 or lr != rates[epoch - 1]]

    assert changes("mgn") == [(0, 0.01), (40, pytest.approx(1e-3)), (60, pytest.approx(1e-4))]
    assert changes("osnet_pa100k") == [(0, 0.065), (30, pytest.approx(6.5e-3)), (40, pytest.approx(6.5e-4))]
    assert [epoch for epoch, _ in changes("osnet_cifar10")] == [0, 60, 120, 160]
    assert changes("hacnn") == [(0, 0.03), (150, pytest.approx(3e-3)), (225, pytest.approx(3e-4))]
    first = learning_rates(recipes()["strong_baseline_rung1_standard"])
    assert first[:39] == [3.5e-4] * 39 and first[39] == pytest.approx(3.5e-5) and first[69] == pytest.approx(3.5e-6)


def test_swag_can_go_on_from_finished_weights() -> None:
    """The settings that the recipe's notes name leave the cycles alone, shifted to the start."""
    whole = recipes()["robust_reid_2x"]
    changes = ("epochs=525", "schedule.warm_up=null", "schedule.cycles.start=0", "averaging.start=0")
    assert all(change in " ".join(whole.notes.split()) for change in changes)
    stage = read_recipe("robust_reid_2x", changes)
    for time in (0.0, 17.5, 34.9, 35, 300, 524.9):
        ours = learning_rate_factor(stage.schedule, time, stage.epochs)
        assert ours == pytest.approx(learning_rate_factor(whole.schedule, 350 + time, 350))
