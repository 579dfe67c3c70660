"""Twins Contrastive Search on made-up identities: the alternating updates, the result, going on again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from reid_models import create_model
from reid_models.architectures.genotypes import INTERACTIONS, Genotype, read_genotype
from reid_models.architectures.msinet_search import MixedInteraction, MSINetSearch, msinet_search
from reid_models.complexity import count_parameters
from reid_models.errors import InputError
from reid_models.training.architecture_search import (
    ArchitectureSearch,
    SearchReport,
    SearchSettings,
    search_architecture,
    split_identities,
)
from reid_models.training.schedules import ScheduleSettings
from reid_models.training.search_run import GENOTYPE_FILE, run_architecture_search
from reid_models.training.search_settings import SearchStage
from reid_models.training.trainer import TrainingData
from tests.reid_models.training_runs import recipe

CHANNELS = (8, 16, 16, 32)
STAGE_AS_SETTINGS = {
    "architecture_lr": "architecture_learning_rate",
    "architecture_weight_decay": "architecture_weight_decay",
    "architecture_betas": "architecture_betas",
    "temperature": "temperature",
    "momentum": "memory_momentum",
    "memory_start": "memory_start",
}
SIZE = (32, 16)
IDENTITIES = 10
#: the paper's settings with the learning rates of a search that lasts seconds, and an Adam that is calmer at those
QUICK = SearchSettings(
    epochs=8,
    learning_rate=0.005,
    architecture_learning_rate=0.02,
    architecture_weight_decay=0,
    architecture_betas=(0.9, 0.999),
    schedule=ScheduleSettings(kind="constant"),
)


def figures(seed: int = 0, images_each: int = 8) -> tuple[Tensor, np.ndarray]:
    """Return images (N, 3, H, W) of figures in two colours of their own, moved and lit at random, and identities."""
    generator = np.random.default_rng(seed)
    colors = np.random.default_rng(99).uniform(-1.5, 1.5, (IDENTITIES, 2, 3)).astype(np.float32)
    images, labels = [], []
    for identity in range(IDENTITIES):
        for _ in range(images_each):
            image = generator.normal(0, 0.05, (3, *SIZE)).astype(np.float32)
            top, left = generator.integers(0, 3), generator.integers(2, 5)
            for part, color in enumerate(colors[identity]):
                rows = slice(top + 14 * part, top + 14 * part + 14)
                image[:, rows, left : left + 10] += generator.uniform(0.8, 1.2) * color[:, None, None]
            images.append(image)
            labels.append(identity)
    return torch.from_numpy(np.stack(images)), np.array(labels)


def batches_of(epoch: int, sides: tuple[tuple[Tensor, Tensor], ...]) -> tuple[list[tuple[Tensor, Tensor]], ...]:
    """Return four batches for each side, of two images of each of its identities, drawn by the epoch's number."""
    result = []
    for number, (images, labels) in enumerate(sides):
        generator = torch.Generator().manual_seed(1000 * number + epoch)
        rows_of = [(labels == label).nonzero().flatten() for label in range(int(labels.max()) + 1)]
        drawn = torch.stack([rows[torch.randperm(len(rows), generator=generator)] for rows in rows_of])
        result.append([(images[rows.flatten()], labels[rows.flatten()]) for rows in drawn.split(2, dim=1)])
    return tuple(result)


class Toy:
    """A fresh search on the figures; two of them are alike."""

    def __init__(self, settings: SearchSettings = QUICK) -> None:
        images, labels = figures()
        # Sides of whole identities: the batches are drawn from as many images of each.
        split = split_identities(labels, seed=1, shared_images="all")
        self.sides = (
            (images[split.train_rows], torch.from_numpy(split.train_labels)),
            (images[split.validation_rows], torch.from_numpy(split.validation_labels)),
        )
        torch.manual_seed(0)
        self.model = msinet_search(channels=CHANNELS)
        self.search = ArchitectureSearch(self.model, split.train_classes, split.validation_classes, settings)

    def batches(self, epoch: int) -> tuple[list[tuple[Tensor, Tensor]], ...]:
        return batches_of(epoch, self.sides)

    def run(self, genotype_file: Path | None = None, stop_after: int | None = None) -> list[SearchReport]:
        reports: list[SearchReport] = []

        def on_epoch(report: SearchReport, search: ArchitectureSearch) -> None:
            reports.append(report)
            if stop_after is not None and len(reports) == stop_after:
                raise KeyboardInterrupt

        try:
            search_architecture(self.search, self.batches, on_epoch=on_epoch, genotype_file=genotype_file)
        except KeyboardInterrupt:
            assert stop_after is not None
        return reports


def test_the_search_learns_and_its_genotype_builds_a_network(tmp_path: Path) -> None:
    # Calm enough to learn whatever way the processor rounds: at more than twice the rate some did not.
    toy = Toy(QUICK.model_copy(update={"learning_rate": 0.002}))
    reports = toy.run(tmp_path / "found.json")
    assert [report.epoch for report in reports] == list(range(8))
    assert reports[0].iterations == 4
    moved = [float(parameter.detach().abs().max()) for parameter in toy.model.architecture_parameters()]
    assert min(moved) > 0.01
    assert reports[-1].train_loss < 0.5 * reports[0].train_loss
    assert reports[-1].validation_loss < 0.5 * reports[0].validation_loss
    assert reports[-1].entropy < reports[0].entropy < math.log(4)
    genotype = read_genotype(tmp_path / "found.json")
    assert genotype == toy.search.genotype() == reports[-1].genotype
    weights = toy.model.interaction_weights()
    assert [INTERACTIONS[int(row.argmax())] for row in weights] == list(genotype.interactions)
    network = create_model("msinet", genotype=tmp_path / "found.json", channels=CHANNELS, num_classes=3)
    assert network(torch.randn(4, 3, *SIZE)).logits[0].shape == (4, 3)
    assert network.eval()(torch.randn(1, 3, *SIZE)).shape == (1, 32 + 16)


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"epochs": 2})
    whole = Toy(settings)
    expected = whole.run()
    first = Toy(settings)
    reports = first.run(stop_after=1)
    torch.save(first.search.state_dict(), tmp_path / "search.pt")
    second = Toy(settings)
    second.search.load_state_dict(torch.load(tmp_path / "search.pt", weights_only=True))
    reports += second.run()
    assert reports == expected and second.search.epoch == 2
    ours, theirs = second.search.state_dict(), whole.search.state_dict()
    for part in ("model", "train_memory", "validation_memory"):
        assert all(torch.equal(ours[part][key], theirs[part][key]) for key in theirs[part])
    untrained = Toy(settings).model.state_dict()
    assert not torch.equal(ours["model"]["stem.conv.weight"], untrained["stem.conv.weight"])


def copies(parameters: list[torch.nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def test_each_side_moves_only_its_parameters() -> None:
    toy = Toy()
    (train, *_), (validation, *_) = toy.batches(0)
    toy.search.initialize_memories([train], [validation])
    weights, architecture = toy.model.weight_parameters(), toy.model.architecture_parameters()
    assert len(weights) + 12 == sum(parameter.requires_grad for parameter in toy.model.parameters())
    states = [(copies(weights), copies(architecture))]
    for optimizer in (toy.search.weight_optimizer, toy.search.architecture_optimizer):
        optimizer.register_step_post_hook(lambda *_: states.append((copies(weights), copies(architecture))))
    toy.search.step(train, validation)
    (weights0, architecture0), (weights1, architecture1), (weights2, architecture2) = states
    assert any(not torch.equal(a, b) for a, b in zip(weights0, weights1, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(architecture0, architecture1, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(weights1, weights2, strict=True))
    assert all(not torch.equal(a, b) for a, b in zip(architecture1, architecture2, strict=True))


def test_each_side_has_its_memory() -> None:
    toy = Toy()
    (train, *_), (validation, *_) = toy.batches(0)
    toy.search.step((train[0][:6], train[1][:6]), (validation[0][4:8], validation[1][4:8]))
    for memory, classes, seen in ((toy.search.train_memory, 6, [0, 1, 2]), (toy.search.validation_memory, 8, [2, 3])):
        assert memory.features.shape == (classes, 32)
        lengths = memory.features.norm(dim=1)
        torch.testing.assert_close(lengths[seen], torch.ones(len(seen)))
        assert lengths.nonzero().flatten().tolist() == seen


def test_memories_start_as_centroids() -> None:
    toy = Toy()
    images, labels = toy.sides[0]
    toy.search.initialize_memories([(images, labels)], [])
    with torch.no_grad():
        features = torch.nn.functional.normalize(toy.model.train()(images))
    for row in range(6):
        expected = torch.nn.functional.normalize(features[labels == row].mean(0), dim=0)
        torch.testing.assert_close(toy.search.train_memory.features[row], expected)
    assert not toy.search.validation_memory.features.any()


def test_the_mixture_is_equation_1() -> None:
    torch.manual_seed(2)
    mixture = MixedInteraction(16)
    with torch.no_grad():
        mixture.architecture.copy_(torch.tensor([0.3, -1.0, 2.0, 0.5]))
        mixture.operations[3].proportion.fill_(0.4)
    first, second = torch.randn(2, 16, 4, 3), torch.randn(2, 16, 4, 3)
    share = torch.tensor([0.3, -1.0, 2.0, 0.5]).exp()
    share = share / share.sum()
    results = [operation(first, second) for operation in mixture.operations]
    for branch, mixed in enumerate(mixture(first, second)):
        expected = sum((s * result[branch] for s, result in zip(share, results, strict=True)), torch.zeros(()))
        torch.testing.assert_close(mixed, expected)


def test_the_search_network_has_every_interaction_everywhere() -> None:
    model = msinet_search(channels=CHANNELS)
    assert len(model.mixtures()) == 12
    assert model.interaction_weights().shape == (12, 4) and torch.all(model.interaction_weights() == 0.25)
    assert model.entropy() == pytest.approx(math.log(4))
    assert model(torch.randn(2, 3, *SIZE)).shape == model.eval()(torch.randn(2, 3, *SIZE)).shape == (2, 32)
    with_side = msinet_search(channels=CHANNELS, side_feature=True, embedding="before_neck")
    assert with_side(torch.randn(2, 3, *SIZE)).shape == (2, 48)
    with torch.no_grad():
        for position, (mixture, name) in enumerate(zip(model.mixtures(), (*INTERACTIONS,) * 3, strict=True)):
            mixture.architecture[INTERACTIONS.index(name)] = 1.0 + position
    assert model.genotype() == Genotype((*INTERACTIONS,) * 3)
    with torch.device("meta"):
        assert isinstance(msinet_search(), MSINetSearch)
    # The positions are in the network's order: one that is decided computes what MSINet of that genotype computes.
    network = create_model("msinet", genotype=model.genotype(), channels=CHANNELS, side_feature=False)
    assert count_parameters(model) > count_parameters(network)
    with torch.no_grad():
        for mixture, name in zip(model.mixtures(), network_interactions(network), strict=True):
            mixture.architecture.fill_(-1e4)
            mixture.architecture[INTERACTIONS.index(name)] = 0.0
    state = {}
    for key in network.state_dict():
        for number in (1, 2):
            if f".interaction{number}." in key:
                name = "channel_gate" if ".gate." in key else "cross_attention"
                mark = f".interaction{number}."
                state[key] = model.state_dict()[key.replace(mark, f"{mark}operations.{INTERACTIONS.index(name)}.")]
        state.setdefault(key, model.state_dict().get(key))
    network.load_state_dict(state)
    images = torch.randn(2, 3, *SIZE)
    network.embedding = "after_neck"
    torch.testing.assert_close(model.eval()(images), network.eval()(images))


def network_interactions(network: torch.nn.Module) -> Iterator[str]:
    names = {"NoInteraction": "none", "Exchange": "exchange", "SharedChannelGate": "channel_gate"}
    for name, module in network.named_modules():
        if name.endswith((".interaction1", ".interaction2")):
            yield names.get(type(module).__name__, "cross_attention")


def test_learning_rates_follow_the_papers_schedule() -> None:
    toy = Toy(SearchSettings())
    settings = toy.search.settings
    assert (settings.epochs, settings.learning_rate, settings.architecture_learning_rate) == (350, 0.025, 0.002)
    batches = [[(images[:2], labels[:2])] for images, labels in toy.sides]
    for epoch, factor in ((0, 0.01), (5, 0.505), (149, 1.0), (150, 0.1), (349, 0.001)):
        toy.search.epoch = epoch
        report = toy.search.run_epoch(*batches)
        assert report.learning_rate == pytest.approx(0.025 * factor)
        assert report.architecture_learning_rate == pytest.approx(0.002 * factor)


def test_the_architectures_optimizer_is_adam_as_published() -> None:
    toy = Toy(SearchSettings(schedule=ScheduleSettings(kind="constant")))
    (train, *_), (validation, *_) = toy.batches(0)
    toy.search.initialize_memories([train], [validation])
    parameters = toy.model.architecture_parameters()
    moments = [torch.zeros_like(parameter) for parameter in parameters]
    squares = [torch.zeros_like(parameter) for parameter in parameters]
    for step in (1, 2):
        before = copies(parameters)
        toy.search.step(train, validation)
        for parameter, old, moment, square in zip(parameters, before, moments, squares, strict=True):
            assert parameter.grad is not None
            gradient = parameter.grad + 1e-3 * old
            moment.mul_(0.5).add_(0.5 * gradient)
            square.mul_(0.999).add_(0.001 * gradient**2)
            moved = moment / (1 - 0.5**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
            torch.testing.assert_close(parameter.detach(), old - 0.002 * moved)
    plain = Toy(SearchSettings(architecture_betas=(0.9, 0.99), architecture_weight_decay=0)).search
    (group,) = plain.architecture_optimizer.param_groups
    assert group["betas"] == (0.9, 0.99) and group["weight_decay"] == 0


@pytest.mark.parametrize("start", ["centroids", "zeros"])
def test_memories_start_as_the_settings_say(start: Literal["centroids", "zeros"]) -> None:
    toy = Toy(QUICK.model_copy(update={"epochs": 1, "memory_start": start}))
    began: list[Tensor] = []

    def batches(epoch: int) -> tuple[Iterator[tuple[Tensor, Tensor]], ...]:
        return tuple(watched(side) for side in toy.batches(epoch))

    def watched(side: list[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        began.append(toy.search.train_memory.features.clone())
        yield from side

    search_architecture(toy.search, batches)
    # Sides are begun with once for the centroids and once for the epoch.
    assert len(began) == (4 if start == "centroids" else 2)
    lengths = began[-2].norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((6,), 1.0 if start == "centroids" else 0.0))


SEARCH = {
    "shared_images": "all",
    "architecture_lr": 0.01,
    "architecture_weight_decay": 0.02,
    "architecture_betas": [0.3, 0.9],
    "temperature": 0.1,
    "momentum": 0.4,
    "memory_start": "zeros",
}


@pytest.mark.parametrize("stage", [{}, SEARCH])
def test_a_search_by_recipe_is_what_the_recipe_says(stage: dict[str, Any], tmp_path: Path) -> None:
    settings = recipe(
        task="search",
        model={"name": "msinet", "options": {"channels": CHANNELS}},
        sampler={"kind": "identity", "identities": 2, "images": 2},
        losses=[{"kind": "cluster_memory"}],
        epochs=1,
        search=stage,
    )
    images = figures()[0].mul(40).add(100).clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy()
    data = TrainingData(images, figures()[1], IDENTITIES)
    reports: list[SearchReport] = []
    found = run_architecture_search(settings, data, tmp_path, device=torch.device("cpu"), report=reports.append)
    assert found == read_genotype(tmp_path / GENOTYPE_FILE)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    wanted = SearchStage.model_validate(stage)
    assert {name: saved["settings"][ours] for name, ours in STAGE_AS_SETTINGS.items()} == {
        name: value for name, value in wanted.model_dump(mode="json").items() if name in STAGE_AS_SETTINGS
    }
    (group,) = saved["architecture_optimizer"]["param_groups"]
    assert (group["betas"], group["weight_decay"]) == (wanted.architecture_betas, wanted.architecture_weight_decay)
    # Six identities to train, four of them shared, of eight images each, in batches of four.
    assert reports[0].iterations == (12 if stage else 8)


def test_batches_that_cannot_be_used_are_refused() -> None:
    toy = Toy()
    (train, *_), (validation, *_) = toy.batches(0)
    for batch, message in (
        ((train[0][:1], train[1][:1]), "at least two"),
        ((train[0], train[1][:-1]), "as many labels as images"),
        ((train[0], train[1] + 1), "do not fit a memory of 6 identities"),
    ):
        with pytest.raises(InputError, match=message):
            toy.search.step(batch, validation)
    with pytest.raises(InputError, match="no pair of batches"):
        toy.search.run_epoch([], [validation])
    broken = train[0].clone()
    broken[3] = float("nan")
    weights = [parameter.detach().clone() for parameter in toy.model.parameters()]
    memory = toy.search.train_memory.features.clone()
    with pytest.raises(InputError, match="training loss became nan in epoch 0"):
        toy.search.step((broken, train[1]), validation)
    assert all(torch.equal(a, b) for a, b in zip(weights, toy.model.parameters(), strict=True))
    assert torch.equal(memory, toy.search.train_memory.features)


def test_a_state_of_something_else_is_refused() -> None:
    toy = Toy()
    state = toy.search.state_dict()
    with pytest.raises(InputError, match="not that of an architecture search"):
        toy.search.load_state_dict({"model": {}})
    with pytest.raises(InputError, match=r"had temperature = 0\.05, not 0\.1"):
        Toy(QUICK.model_copy(update={"temperature": 0.1})).search.load_state_dict(state)
    longer = Toy(QUICK.model_copy(update={"epochs": 6})).search
    longer.load_state_dict(state)
    with pytest.raises(InputError, match="another network"):
        ArchitectureSearch(msinet_search(channels=(8, 16, 16, 16)), 6, 8, QUICK).load_state_dict(state)
    with pytest.raises(InputError, match="another number of identities"):
        ArchitectureSearch(msinet_search(channels=CHANNELS), 5, 8, QUICK).load_state_dict(state)
