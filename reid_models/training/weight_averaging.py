"""Averages of weights over training: SWA, SWAG's Gaussian, exponential; and batch-norm statistics for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from reid_models.training.recipe import AveragingSettings

__all__ = ["WeightAverage", "estimate_batch_norm"]


class WeightAverage:
    """The running average of a network's parameters, and SWAG's covariance around it.

    SWA (Izmailov et al. 2018) is the mean of the collected weights. SWAG (Maddox et al. 2019) takes them for samples of
    N(mean, ½ (diagonal + D Dᵀ / (K − 1))) with the squared moments' diagonal and the last K deviations D, from which
    networks are drawn for Bayesian model averaging (Robust-ReID, Sec. 3.5).

    Args:
        settings: kind, rank and decay.
    """

    def __init__(self, settings: AveragingSettings) -> None:
        self.settings = settings
        self.collected = 0
        self._mean: dict[str, Tensor] = {}
        self._square: dict[str, Tensor] = {}
        self._deviations: list[dict[str, Tensor]] = []

    def is_due(self, epoch: int) -> bool:
        """Return whether weights are to be collected when ``epoch``, counted from 1, is finished."""

        def due_until(finished: int) -> int:
            return math.floor((finished - self.settings.start) / self.settings.every + 1e-9)

        return epoch > self.settings.start and due_until(epoch) > due_until(epoch - 1)

    @torch.no_grad()
    def collect(self, model: nn.Module) -> None:
        """Take the weights of ``model`` in."""
        count = self.collected
        weight = 1 / (count + 1)
        if self.settings.kind == "ema":
            weight = 1.0 if count == 0 else 1 - self.settings.decay
        swag = self.settings.kind == "swag"
        deviation = {}
        for name, parameter in model.named_parameters():
            value = parameter.detach().float().cpu()
            if count == 0:
                self._mean[name] = value.clone()
            else:
                self._mean[name] += weight * (value - self._mean[name])
            if swag:
                square = value.square()
                self._square[name] = (
                    square if count == 0 else self._square[name] + weight * (square - self._square[name])
                )
                deviation[name] = value - self._mean[name]
        if swag:
            self._deviations = [*self._deviations, deviation][-self.settings.rank :]
        self.collected += 1

    @torch.no_grad()
    def apply_mean(self, model: nn.Module) -> None:
        """Give ``model`` the mean weights; its batch-norm statistics must then be estimated again."""
        for name, parameter in model.named_parameters():
            parameter.copy_(self._mean[name])

    @torch.no_grad()
    def apply_sample(self, model: nn.Module, generator: torch.Generator, scale: float = 1.0) -> None:
        """Give ``model`` weights drawn from SWAG's Gaussian, with deviations times ``scale``."""
        columns = len(self._deviations)
        # One coefficient per column for the whole network: that is what makes the low-rank part a covariance.
        coefficients = torch.randn(columns, generator=generator)
        for name, parameter in model.named_parameters():
            mean = self._mean[name]
            variance = (self._square[name] - mean.square()).clamp_min(0)
            drawn = variance.sqrt() * torch.randn(mean.shape, generator=generator)
            if columns > 1:
                stacked = torch.stack([deviation[name] for deviation in self._deviations])
                drawn = drawn + torch.tensordot(coefficients, stacked, dims=1) / (columns - 1) ** 0.5
            parameter.copy_(mean + scale * drawn / 2**0.5)

    def state_dict(self) -> dict[str, Any]:
        """Return everything, for a checkpoint."""
        return {
            "collected": self.collected,
            "mean": self._mean,
            "square": self._square,
            "deviations": self._deviations,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore :meth:`state_dict`."""
        self.collected = state["collected"]
        self._mean, self._square, self._deviations = state["mean"], state["square"], list(state["deviations"])


@torch.no_grad()
def estimate_batch_norm(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Estimate all batch-norm statistics again as the plain mean over ``batches`` of images (B, 3, H, W)."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in model.modules()]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    try:
        for images in batches:
            model(images)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
