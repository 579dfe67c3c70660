"""MSINet's Spatial Alignment Module: where the images of a batch answer to each other (Sec. 3.3)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from reid_models.architectures.layers import full_precision

__all__ = ["AlignModule", "Alignment", "AlignmentPositions"]

#: Rows of Table 5: which pairs of images are aligned, and with what.
Alignment = Literal["positive", "negative", "unified", "separated", "attention"]
#: Whose positions entry [i, j] of the scores runs over: those of image j (published code) or of image i (Eq. 7).
AlignmentPositions = Literal["other", "own"]


class PositionAttention(nn.Module):
    """The position activation module (PAM): how strongly each position answers to the one it resembles most.

    (B, C, H, W) → (B, H · W): the maximum over key positions of query · key, both 1×1 convolutions to C / 8 channels;
    neither scaled nor normalised, because the loss compares directions only.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, max(1, channels // 8), 1)
        self.key = nn.Conv2d(channels, max(1, channels // 8), 1)

    def forward(self, maps: Tensor) -> Tensor:
        queries, keys = self.query(maps).flatten(2), self.key(maps).flatten(2)
        with full_precision(maps):
            return (queries.float().transpose(1, 2) @ keys.float()).max(dim=2).values


class AlignModule(nn.Module):
    """Correlation activations of every pair of images of a batch (Eq. 7), and the positions' own activation.

    (B, channels, H, W) → float32 (B, B, H · W), or (B + 1, B, H · W) with position attention, whose row comes last:
    â of Eq. 8. Eq. 7 defines a(i, j): at each position of image i, the largest correlation with any position of image
    j. Entry [i, j] of the published code, which made the published figures, is a(j, i): the loss for image i then
    compares its â with activations at the positions of image j.

    Args:
        channels: of the maps.
        position_attention: append the row â, which positive pairs are aligned with ("PAM-Self" of Table 5).
        positions: ``"other"`` as the published code, entry [i, j] = a(j, i), or ``"own"`` as Eq. 7, a(i, j).
    """

    def __init__(
        self, channels: int, *, position_attention: bool = True, positions: AlignmentPositions = "other"
    ) -> None:
        super().__init__()
        self.position_attention = PositionAttention(channels) if position_attention else None
        self.positions = positions

    def forward(self, maps: Tensor) -> Tensor:
        # Sums over hundreds of channels of squared activations leave the range of half precision.
        with full_precision(maps):
            positions = maps.flatten(2).float()
            # One image against all at a time, and max, which keeps indices only (amax would keep its input): memory
            # grows with B · (H · W)² instead of (B · H · W)².
            scores = torch.stack([(image.t() @ positions).max(dim=2).values for image in positions])
        if self.positions == "other":
            scores = scores.transpose(0, 1)
        if self.position_attention is None:
            return scores
        return torch.cat([scores, self.position_attention(maps)[None]])
