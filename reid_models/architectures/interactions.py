"""What the two branches of an MSINet cell can tell each other (Sec. 3.2).

Every interaction takes the maps of both branches, each (B, C, H, W), and returns two of the same shape.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from reid_models.architectures.genotypes import InteractionName
from reid_models.architectures.layers import ChannelGate, full_precision

__all__ = ["CrossAttention", "Exchange", "NoInteraction", "SharedChannelGate", "interaction"]


class NoInteraction(nn.Module):
    """(x1, x2) → (x1, x2)."""

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return first, second


class Exchange(nn.Module):
    """(x1, x2) → (x2, x1), the strongest interaction."""

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return second, first


class SharedChannelGate(nn.Module):
    """(x1, x2) → (G(x1) · x1, G(x2) · x2), G of Eq. 4 with one set of weights for both branches."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = ChannelGate(channels)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return self._gated(first), self._gated(second)

    def _gated(self, maps: Tensor) -> Tensor:
        return maps * cast(Tensor, self.gate(maps.mean((2, 3), keepdim=True)))


class CrossAttention(nn.Module):
    """Channel attention whose keys are exchanged between the branches.

    With x̃ (C × N, N = H · W positions) the attention of the first branch is softmax(max − E) over the last axis of its
    correlation E = x̃1 x̃2ᵀ (C × C), and x1 → x1 + γ · attention · x̃1; the second branch likewise with E = x̃2 x̃1ᵀ. The
    learnt proportion γ is common to both and starts at 0, so that the network starts without interaction.
    """

    def __init__(self) -> None:
        super().__init__()
        self.proportion = nn.Parameter(torch.zeros(1))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return self._attended(first, second), self._attended(second, first)

    def _attended(self, query: Tensor, key: Tensor) -> Tensor:
        # Sums over all positions overflow half precision.
        with full_precision(query):
            values = query.flatten(2).float()
            energy = values @ key.flatten(2).float().transpose(1, 2)
            # Softmax does not change when a constant (the maximum of the row) is added.
            attended = (torch.softmax(-energy, dim=-1) @ values).view_as(query)
            return query + (self.proportion.float() * attended).to(query.dtype)


def interaction(name: InteractionName, channels: int) -> nn.Module:
    """Return the interaction called ``name`` between branches of ``channels`` channels."""
    if name == "channel_gate":
        return SharedChannelGate(channels)
    if name == "cross_attention":
        return CrossAttention()
    return Exchange() if name == "exchange" else NoInteraction()
