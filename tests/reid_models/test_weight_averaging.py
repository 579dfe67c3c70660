"""SWA, SWAG's Gaussian and the exponential average against NumPy; batch-norm statistics for them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_models.training.recipe import AveragingSettings
from reid_models.training.weight_averaging import WeightAverage, estimate_batch_norm


class Small(nn.Module):
    """Seven parameters in two tensors, and a batch norm with statistics of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2, bias=False)
        self.shift = nn.Parameter(torch.zeros(1))

    def vector(self) -> np.ndarray:
        return np.concatenate([p.detach().numpy().ravel().astype(np.float64) for p in self.parameters()])


def collected(settings: AveragingSettings, count: int, seed: int = 0) -> tuple[WeightAverage, np.ndarray, Small]:
    """Return an average of ``count`` random weights, these (count, 7), and the network."""
    generator = torch.Generator().manual_seed(seed)
    model, average, taken = Small(), WeightAverage(settings), []
    for _ in range(count):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 2 + 1)
        average.collect(model)
        taken.append(model.vector())
    return average, np.stack(taken), model


@pytest.mark.parametrize("kind", ["swa", "swag"])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_mean_is_that_of_the_collected_weights(kind: Any, count: int) -> None:
    average, taken, model = collected(AveragingSettings(kind=kind, start=0), count)
    average.apply_mean(model)
    assert average.collected == count
    assert model.vector() == pytest.approx(taken.mean(axis=0), abs=1e-6)


def test_the_exponential_average_forgets() -> None:
    average, taken, model = collected(AveragingSettings(kind="ema", start=0, decay=0.8), 6)
    expected = taken[0]
    for weights in taken[1:]:
        expected = 0.8 * expected + 0.2 * weights
    average.apply_mean(model)
    assert model.vector() == pytest.approx(expected, abs=1e-6)


def test_swag_holds_squares_and_the_last_deviations_from_the_running_mean() -> None:
    average, taken, _ = collected(AveragingSettings(kind="swag", start=0, rank=3), 8)
    state = average.state_dict()

    def flat(values: dict[str, Tensor]) -> np.ndarray:
        return np.concatenate([value.numpy().ravel() for value in values.values()])

    assert flat(state["square"]) == pytest.approx((taken**2).mean(axis=0), rel=1e-5)
    assert len(state["deviations"]) == 3
    for position, column in zip((5, 6, 7), state["deviations"], strict=True):
        # Maddox et al., Algorithm 1: the mean has taken the weights in already.
        assert flat(column) == pytest.approx(taken[position] - taken[: position + 1].mean(axis=0), abs=1e-5)


@pytest.mark.parametrize(("rank", "scale"), [(3, 1.0), (4, 0.5), (1, 1.0)])
def test_samples_have_swags_mean_and_covariance(rank: int, scale: float) -> None:
    """N(mean, ½ (diagonal + D Dᵀ / (K − 1))), estimated from 1,500 draws."""
    average, taken, model = collected(AveragingSettings(kind="swag", start=0, rank=rank), 6, seed=1)
    generator = torch.Generator().manual_seed(0)
    draws = []
    for _ in range(1500):
        average.apply_sample(model, generator, scale)
        draws.append(model.vector())
    mean = taken.mean(axis=0)
    covariance = np.diag((taken**2).mean(axis=0) - mean**2)
    means = np.cumsum(taken, axis=0) / np.arange(1, 7)[:, None]
    deviations = (taken - means)[-rank:].T
    if rank > 1:
        covariance = covariance + deviations @ deviations.T / (deviations.shape[1] - 1)
    covariance *= scale**2 / 2
    spread = np.sqrt(np.diag(covariance))
    assert np.abs(np.mean(draws, axis=0) - mean).max() < 0.1 * spread.max()
    found = np.cov(np.array(draws).T)
    assert np.abs(found - covariance).max() < 0.1 * covariance.max()


def test_samples_are_repeatable() -> None:
    average, _, model = collected(AveragingSettings(kind="swag", start=0), 4)
    drawn = []
    for seed in (3, 3, 4):
        average.apply_sample(model, torch.Generator().manual_seed(seed))
        drawn.append(model.vector())
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize("kind", ["swa", "swag", "ema"])
def test_a_saved_average_goes_on_as_if_it_had_not_been(kind: Any) -> None:
    settings = AveragingSettings(kind=kind, start=0, rank=2)
    whole, taken, model = collected(settings, 7)
    first, _, _ = collected(settings, 4)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = WeightAverage(settings)
    second.load_state_dict(torch.load(file, weights_only=True))
    for weights in taken[4:]:
        values = torch.from_numpy(weights).float().split([1, 6])
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), values, strict=True):
                parameter.copy_(value.view_as(parameter))
        second.collect(model)
    ours, theirs = second.state_dict(), whole.state_dict()
    assert ours["collected"] == theirs["collected"] == 7
    for part in ("mean", "square"):
        assert ours[part].keys() == theirs[part].keys()
        assert all(torch.equal(ours[part][name], theirs[part][name]) for name in theirs[part])
    for our_column, their_column in zip(ours["deviations"], theirs["deviations"], strict=True):
        assert all(torch.equal(our_column[name], their_column[name]) for name in their_column)


@pytest.mark.parametrize(
    ("start", "every", "expected"),
    [
        (0, 1, [1, 2, 3, 4, 5, 6, 7, 8]),
        (3, 1, [4, 5, 6, 7, 8]),
        (2, 3, [5, 8]),
        (0.5, 2.5, [1, 3, 6, 8]),
        (9, 1, []),
    ],
)
def test_when_weights_are_collected(start: float, every: float, expected: list[int]) -> None:
    average = WeightAverage(AveragingSettings(start=start, every=every))
    assert [epoch for epoch in range(1, 9) if average.is_due(epoch)] == expected


def test_robust_reids_weights_are_collected_at_the_end_of_each_cycle() -> None:
    average = WeightAverage(AveragingSettings(kind="swag", start=350, every=35))
    assert [epoch for epoch in range(1, 876) if average.is_due(epoch)] == [350 + 35 * cycle for cycle in range(1, 16)]


def test_batch_norm_is_estimated_as_the_plain_mean_over_batches() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(2), nn.BatchNorm1d(4, momentum=0.3)).eval()
    model[1].train()
    with torch.no_grad():
        model[1].running_mean.fill_(50)
    batches = [torch.randn(size, 3, 5, 2) * (1 + size) + size for size in (4, 6, 3)]
    before = [parameter.clone() for parameter in model.parameters()]
    expected = [(model[0](images).mean((0, 2, 3)), model[0](images).var((0, 2, 3))) for images in batches]
    estimate_batch_norm(model, iter(batches))
    torch.testing.assert_close(model[1].running_mean, torch.stack([mean for mean, _ in expected]).mean(0))
    torch.testing.assert_close(model[1].running_var, torch.stack([var for _, var in expected]).mean(0))
    # A layer behind it sees images normalised by their batch, as in training.
    behind = [nn.functional.batch_norm(model[0](images), None, None, model[1].weight, model[1].bias, training=True)
              for images in batches]  # fmt: skip
    torch.testing.assert_close(model[3].running_var, torch.stack([each.var((0, 2, 3)) for each in behind]).mean(0))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert [module.training for module in model] == [False, True, False, False]
    assert model[1].momentum == 0.1 and model[3].momentum == 0.3


def test_modes_and_momentum_return_when_an_image_cannot_be_had() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3)).eval()

    def broken() -> Any:
        yield torch.randn(4, 3, 2, 2)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        estimate_batch_norm(model, broken())
    assert not model[0].training and model[0].momentum == 0.1
