"""Global pooling: average, max, their concatenation, and the generalised mean between them (GeM)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["GeneralizedMeanPooling", "GlobalPooling", "Pooling", "global_pooling"]

Pooling = Literal["gem", "fixed_gem", "average", "max", "average_and_max"]


class GeneralizedMeanPooling(nn.Module):
    """GeM (Radenović et al., TPAMI 2018): the mean of x^p over all positions, to the power 1 / p.

    p = 1 is the average and p → ∞ the maximum. (B, C, H, W) → (B, C). Values below ``minimum`` count as ``minimum``.

    Args:
        exponent: p, or where training starts from.
        trainable: p is one parameter shared by all channels, else a constant.
        minimum: keeps powers and their derivatives finite at zero.
    """

    def __init__(self, exponent: float = 3.0, *, trainable: bool = True, minimum: float = 1e-6) -> None:
        super().__init__()
        self.exponent: Tensor | float = nn.Parameter(torch.tensor([exponent])) if trainable else exponent
        self.minimum = minimum

    def forward(self, maps: Tensor) -> Tensor:
        # Half precision has no room for minimum^p.
        powers = maps.float().clamp(min=self.minimum).pow(self.exponent)
        return powers.mean((2, 3)).pow(1 / self.exponent).to(maps.dtype)


class GlobalPooling(nn.Module):
    """Average, maximum, or both side by side: (B, C, H, W) → (B, C), or (B, 2 · C) for both."""

    def __init__(self, *, average: bool = False, maximum: bool = False) -> None:
        super().__init__()
        self.average = average
        self.maximum = maximum

    def forward(self, maps: Tensor) -> Tensor:
        pooled = [maps.mean((2, 3))] if self.average else []
        return torch.cat([*pooled, maps.amax((2, 3))], dim=1) if self.maximum else pooled[0]


def global_pooling(kind: Pooling) -> nn.Module:
    """Return the pooling called ``kind``; only ``"average_and_max"`` changes the number of channels (doubles it)."""
    if kind in ("gem", "fixed_gem"):
        return GeneralizedMeanPooling(trainable=kind == "gem")
    return GlobalPooling(average=kind.startswith("average"), maximum=kind.endswith("max"))
