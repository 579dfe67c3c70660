"""The recipes of the published experiments: settings, schedules, networks and losses against papers and fixtures."""

from __future__ import annotations

import itertools
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from reid_models import create_model, list_models
from reid_models.architectures import mgn as mgn_module
from reid_models.architectures import osnet as osnet_module
from reid_models.architectures import robust_reid as robust_module
from reid_models.architectures import strong_baseline as baseline_module
from reid_models.architectures.harmonious_network import HarmoniousAttentionNetwork
from reid_models.architectures.msinet_search import msinet_search
from reid_models.complexity import count_parameters
from reid_models.data.datasets import dataset_spec, parse_datasets
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput
from reid_models.registry import model_spec
from reid_models.training.architecture_search import SearchSettings
from reid_models.training.objective import Objective
from reid_models.training.optimizers import create_optimizer
from reid_models.training.recipe import Recipe, list_recipes, read_recipe
from reid_models.training.schedules import learning_rate_factor

#: ours, which no paper has a figure for
OURS = {"osnet_x0_25_default", "osnet_x0_25_default_finetune"}
#: a published stage whose figure is that of the next stage
NO_FIGURE = OURS | {"osnet_mix4"}

OSNET_TABLE_5 = {
    1: "osnet_scratch",
    2: "osnet_ablation_full_convolution",
    3: "osnet_ablation_same_depth",
    4: "osnet_ablation_concatenation",
    5: "osnet_ablation_addition",
    6: "osnet_ablation_separate_gates",
    7: "osnet_ablation_stream_wise_gate",
    8: "osnet_ablation_fixed_gates",
    9: "osnet_ablation_1_stream",
    10: "osnet_ablation_2_streams",
    11: "osnet_ablation_3_streams",
}
LADDER = {
    "Baseline-S": "strong_baseline_rung1_standard",
    "+warmup": "strong_baseline_rung2_warm_up",
    "+REA": "strong_baseline_rung3_erasing",
    "+LS": "strong_baseline_rung4_label_smoothing",
    "+stride=1": "strong_baseline_rung5_stride",
    "+BNNeck": "strong_baseline_rung6_bnneck",
    "+center loss": "strong_baseline",
}
MGN_TABLE_5 = {
    "ResNet-50": "mgn_ablation_resnet50",
    "ResNet-101": "mgn_ablation_resnet101",
    "ResNet-50+TP": "mgn_ablation_resnet50_triplet",
    "Global (Branch)": "mgn_ablation_global_branch",
    "Part-2 (Single)": "mgn_ablation_part2_single",
    "Part-2 (Branch)": "mgn_ablation_part2_branch",
    "Part-3 (Single)": "mgn_ablation_part3_single",
    "Part-3 (Branch)": "mgn_ablation_part3_branch",
    "MGN w/o Part-3": "mgn_ablation_without_part3",
    "MGN w/ Part-4": "mgn_ablation_with_part4",
    "MGN (Part2+4)": "mgn_ablation_part2_part4",
    "MGN (Part3+4)": "mgn_ablation_part3_part4",
    "MGN w/o TP": "mgn_ablation_no_triplet",
    "MGN": "mgn",
}
ROBUST_TABLE_2 = {**{column: f"robust_reid_{column}" for column in "abcdefgh"}, "Robust-ReID": "robust_reid_2x"}
ROBUST_TABLE_3 = {
    1: ("robust_reid_setup1", "robust_reid_setup1_cycles", "robust_reid_setup1_swag"),
    2: ("robust_reid_f", "robust_reid_setup2_cycles", "robust_reid_g"),
    3: ("robust_reid_h", "robust_reid_setup3_cycles", "robust_reid_2x"),
}
OTHERS = {
    *("osnet_finetune", "osnet_x0_75", "osnet_x0_5", "osnet_x0_25", "osnet_mix4", "osnet_viper", "osnet_grid"),
    *("osnet_ibn_cross_domain", "osnet_ain_cross_domain", "osnet_pa100k"),
    *(f"osnet_cifar{count}{kind}" for count in (10, 100) for kind in ("", "_deep", "_1_stream", "_addition")),
    *("strong_baseline_re_ranking", "strong_baseline_cross_domain", "mgn_re_ranking", "hacnn", "robust_reid_1x"),
    *("msinet_scratch", "msinet", "msinet_sam", "msinet_cross_domain", "msinet_sam_cross_domain", "msinet_search"),
    *("msinet_veri776", "msinet_vehicleid", "msinet_sam_veri776", "msinet_sam_vehicleid"),
    *("msinet_veri776_to_vehicleid", "msinet_sam_veri776_to_vehicleid"),
    *(f"msinet_sam_ablation_{row}" for row in ("positive", "negative", "unified", "separated")),
}
PUBLISHED = {
    *OSNET_TABLE_5.values(),
    *LADDER.values(),
    *MGN_TABLE_5.values(),
    *ROBUST_TABLE_2.values(),
    *(name for row in ROBUST_TABLE_3.values() for name in row),
    *OTHERS,
}


@cache
def recipes() -> dict[str, Recipe]:
    return {name: read_recipe(name) for name in list_recipes()}


def written(name: str) -> dict[str, Any]:
    """Return what a recipe's own file says."""
    content: dict[str, Any] = yaml.safe_load(
        (resources.files("reid_models.recipes") / f"{name}.yaml").read_text("utf-8")
    )
    return content


@cache
def network_of(model: str, options: str) -> tuple[ModelOutput, int]:
    """Return what a network for four classes gives for two small images while it is trained, and its parameters."""
    torch.manual_seed(0)
    network = create_model(model, num_classes=4, **json.loads(options))
    size = (160, 64) if isinstance(network, HarmoniousAttentionNetwork) else (48, 32)
    with torch.no_grad():
        output = network.train()(torch.rand(2, 3, *size))
    assert isinstance(output, ModelOutput)
    return output, count_parameters(network)


def training_output(recipe: Recipe, images: int) -> ModelOutput:
    """Return random values in the shapes of the recipe's network, for ``images``; ResNets are the smallest ones."""
    settings = recipe.model
    if recipe.task == "search":
        embedding = msinet_search(**settings.options)(torch.rand(2, 3, 48, 32))
        sample = ModelOutput((), (embedding,))
    else:
        small = {"backbone": "resnet18"} if settings.name.endswith("resnet50") else {}
        sample, _ = network_of(settings.name, json.dumps({**settings.options, **small}))
    generator = torch.Generator().manual_seed(0)

    def values(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator).requires_grad_()

    return ModelOutput(
        tuple(values(images, each.shape[1]) for each in sample.logits),
        tuple(values(images, each.shape[1]) for each in sample.features),
        tuple(values(images + each.shape[0] - 2, images, each.shape[2]) for each in sample.maps),
    )


def learning_rates(recipe: Recipe) -> list[float]:
    lr = recipe.optimizer.lr
    return [lr * learning_rate_factor(recipe.schedule, epoch, recipe.epochs) for epoch in range(recipe.epochs)]


# ------------------------------------------------------------------------------------------------------------ the set


def test_every_published_experiment_has_its_recipe_and_nothing_else_is_there() -> None:
    assert set(list_recipes()) - OURS == PUBLISHED


def test_every_model_has_a_recipe() -> None:
    assert {recipe.model.name for recipe in recipes().values()} == set(list_models())


def test_every_recipe_names_its_table_and_figure_itself() -> None:
    """Neither is inherited: a recipe that extends another one must not claim its figures."""
    for name in set(list_recipes()) - OURS:
        own, recipe = written(name), recipes()[name]
        assert own["paper"] == recipe.paper and "20" in recipe.paper, name
        assert recipe.notes.strip(), name
        if name not in NO_FIGURE:
            assert own["target"] == recipe.target and recipe.target, name
            assert all(0 < figure < 100 for figure in recipe.target.values()), name


def test_figures_are_those_of_the_tables() -> None:
    """Rank-1 and mAP as the project's facts page has them."""
    expected = {
        **{"osnet_scratch": (93.6, 81.0), "osnet_finetune": (94.8, 84.9), "osnet_x0_75": (94.5, 84.1)},
        **{"osnet_x0_5": (93.4, 82.6), "osnet_x0_25": (92.2, 77.8)},
        **{"mgn": (95.7, 86.9), "mgn_re_ranking": (96.6, 94.2), "hacnn": (91.2, 75.7)},
        **{"robust_reid_1x": (95.8, 88.7), "robust_reid_2x": (96.2, 89.7)},
        **{"msinet_scratch": (94.6, 87.0), "msinet": (95.3, 89.6), "msinet_sam": (95.5, 89.9)},
        **{"msinet_cross_domain": (74.9, 46.2), "msinet_sam_cross_domain": (76.3, 48.4)},
        "strong_baseline_re_ranking": (95.4, 94.2),
    }
    rungs = ((87.7, 74.0), (88.7, 75.2), (91.3, 79.3), (91.4, 80.3), (92.0, 81.7), (94.1, 85.7), (94.5, 85.9))
    expected |= dict(zip(LADDER.values(), rungs, strict=True))
    columns = (
        (93.2, 82.0),
        (94.5, 85.7),
        (94.9, 86.6),
        (95.1, 87.1),
        (95.3, 87.9),
        (95.4, 87.3),
        (95.8, 88.7),
        (95.7, 88.1),
    )
    expected |= {f"robust_reid_{column}": figures for column, figures in zip("abcdefgh", columns, strict=True)}
    for name, figures in expected.items():
        target = recipes()[name].target
        assert (target["rank1"], target["mAP"]) == figures, name


def test_data_sets_exist_and_suit_the_task() -> None:
    kinds = {"reid": "identity", "search": "identity", "classification": "classes", "attributes": "attributes"}
    for name, recipe in recipes().items():
        for text in filter(None, (recipe.dataset, recipe.test_dataset)):
            for request in parse_datasets(text, "."):
                spec = dataset_spec(request.name)
                assert spec.kind == kinds[recipe.task], name
                assert set(request.options) <= {*spec.options(), "all_images"}, name


# ------------------------------------------------------------------------------------------------ networks and losses


@pytest.mark.parametrize("name", sorted(PUBLISHED | OURS))
def test_network_and_objective_build_and_every_loss_learns(name: str) -> None:
    """The losses take what the network returns, and give gradients to all of it that they are computed on."""
    recipe = recipes()[name]
    output = training_output(recipe, images=8)
    attributes = recipe.task == "attributes"
    objective = Objective(recipe.losses, output, 4, torch.full((4,), 0.3) if attributes else None)
    labels = torch.arange(8) // 2
    loss, terms = objective(output, torch.eye(4)[labels] if attributes else labels)
    assert torch.isfinite(loss) and len(terms) == len(recipe.losses)
    parts = [term.weight * terms[key] for term, key in zip(recipe.losses, objective.names, strict=True)]
    assert float(sum(parts)) == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    inputs = {"cross_entropy": output.logits, "weighted_multi_label": output.logits, "spatial_alignment": output.maps}
    for term in recipe.losses:
        values = inputs.get(term.kind, output.features)
        assert values and all(value.grad is not None and value.grad.isfinite().all() for value in values)
        assert term.kind == "cluster_memory" or any(value.grad is not None and value.grad.any() for value in values)


def test_an_optimizer_for_each_kind() -> None:
    model = torch.nn.Linear(2, 2)
    found = {
        name: create_optimizer(model, recipes()[name].optimizer)
        for name in ("osnet_scratch", "osnet_finetune", "hacnn")
    }
    assert [type(optimizer).__name__ for optimizer in found.values()] == ["SGD", "Adam", "Adam"]
    assert found["osnet_finetune"].defaults["amsgrad"] and not found["hacnn"].defaults["amsgrad"]
    assert found["osnet_scratch"].defaults["momentum"] == 0.9


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


def test_cifar_networks_have_the_printed_size() -> None:
    """Table 8 prints 2.2 and 4.6 million parameters for 78 and 210 layers."""
    for name, printed in (("osnet_cifar10", 2.2), ("osnet_cifar100_deep", 4.6)):
        settings = recipes()[name].model
        _, parameters = network_of(settings.name, json.dumps(settings.options))
        assert parameters / 1e6 == pytest.approx(printed, abs=0.06), name


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
    assert changes("hacnn") == [(0, 5e-4)]
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


# ---------------------------------------------------------------------------------------------- changes and mistakes


@pytest.mark.parametrize("name", sorted(PUBLISHED | OURS))
def test_a_shorter_recipe_has_the_same_shape(name: str) -> None:
    whole = recipes()[name]
    short = whole.scaled(0.1)
    assert short.epochs == round(whole.epochs / 10)
    assert short.classifier_only_epochs == round(whole.classifier_only_epochs / 10)
    assert (
        short.model_copy(
            update={
                key: getattr(whole, key)
                for key in ("epochs", "classifier_only_epochs", "schedule", "averaging", "resolutions")
            }
        )
        == whole
    )
    before = whole.schedule.first_epoch
    for share in (0.02, 0.2, 0.33, 0.5, 0.7, 0.9, 0.99):
        moment = share * whole.epochs
        long = learning_rate_factor(whole.schedule, moment - before, whole.epochs)
        assert learning_rate_factor(short.schedule, moment / 10 - before, whole.epochs / 10) == pytest.approx(long)
    if whole.averaging is not None:
        assert short.averaging is not None
        assert (short.averaging.start, short.averaging.every) == (pytest.approx(35), pytest.approx(3.5))


def test_settings_from_the_command_line() -> None:
    changes = (
        "optimizer.lr=1e-3",
        "losses.0.options.label_smoothing=0",
        "augmentation.erasing=null",
        "input_size=[192,96]",
    )
    recipe = read_recipe("osnet_finetune", changes)
    assert recipe.optimizer.lr == 0.001 and recipe.losses[0].options == {"label_smoothing": 0}
    assert recipe.augmentation.erasing is None and recipe.input_size == (192, 96)
    assert recipe.schedule == recipes()["osnet_finetune"].schedule


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimiser.lr=0.1", "unknown key 'optimiser': did you mean 'optimizer'"),
        ("optimizer.learning_rate=0.1", "unknown key 'optimizer.learning_rate'"),
        ("schedule.milestone=[3]", "did you mean 'milestones'"),
        ("augmentation.erasing.probabilty=0.5", "did you mean 'probability'"),
        ("optimizer.lr=-1", "optimizer.lr = -1"),
        ("sampler.kind=identities", "sampler.kind"),
        ("losses.7.weight=1", "a number below 1"),
        ("epochs", "KEY=VALUE"),
    ],
)
def test_settings_that_cannot_be(change: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_recipe("osnet_finetune", (change,))
    text = str(caught.value)
    assert message.lower() in text.lower() and "\n" not in text


def test_a_file_of_ones_own_extends_a_published_recipe(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: strong_baseline\nepochs: 60\nmodel: {options: {backbone: resnet18}}\n", "utf-8")
    recipe = read_recipe(str(mine))
    assert (recipe.name, recipe.epochs, recipe.model.options["backbone"]) == ("mine", 60, "resnet18")
    assert recipe.model.options["neck"] == "bnneck" and recipe.losses == recipes()["strong_baseline"].losses


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("extends: strong_baseline\nepoch: 3\n", "did you mean 'epochs'"),
        ("extends: strong_basline\n", "did you mean 'strong_baseline'"),
        ("extends: mine\n", "extends itself"),
        ("- a\n- b\n", "holds no settings"),
        ("epochs: [\n", "cannot be read"),
        ("model: {name: msinet}\n", "is missing"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(content, "utf-8")
    with pytest.raises(InputError) as caught:
        read_recipe(str(mine))
    assert message.lower() in str(caught.value).lower()


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="msinet_scratch"):
        read_recipe("msinet_scrach")


@pytest.mark.parametrize("factor", [0, -1, float("nan")])
def test_a_factor_that_shortens_nothing(factor: float) -> None:
    with pytest.raises(InputError, match="positive"):
        recipes()["mgn"].scaled(factor)
