"""The recipes that come with the library: which there are, and that their networks and losses fit together."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch

from reid_models import create_model, list_models
from reid_models.architectures.harmonious_network import HarmoniousAttentionNetwork
from reid_models.architectures.msinet_search import msinet_search
from reid_models.complexity import count_parameters
from reid_models.data.datasets import dataset_spec, parse_datasets
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput
from reid_models.training.objective import Objective
from reid_models.training.optimizers import create_optimizer
from reid_models.training.recipe import Recipe, list_recipes, read_recipe
from reid_models.training.schedules import learning_rate_factor
from tests.reid_models.published_recipes import LADDER, NO_FIGURE, OURS, PUBLISHED, recipes, written


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
        for name in ("osnet_scratch", "osnet_finetune", "strong_baseline")
    }
    assert [type(optimizer).__name__ for optimizer in found.values()] == ["SGD", "Adam", "Adam"]
    assert found["osnet_finetune"].defaults["amsgrad"] and not found["strong_baseline"].defaults["amsgrad"]
    assert found["osnet_scratch"].defaults["momentum"] == 0.9


def test_cifar_networks_have_the_printed_size() -> None:
    """Table 8 prints 2.2 and 4.6 million parameters for 78 and 210 layers."""
    for name, printed in (("osnet_cifar10", 2.2), ("osnet_cifar100_deep", 4.6)):
        settings = recipes()[name].model
        _, parameters = network_of(settings.name, json.dumps(settings.options))
        assert parameters / 1e6 == pytest.approx(printed, abs=0.06), name


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
