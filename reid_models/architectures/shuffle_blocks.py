"""Shuffle-A and Shuffle-B of Robust-ReID (Fig. 5), after ShuffleNetV2 (Ma et al., ECCV 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid_models.architectures.harmonious_attention import convolution_norm

__all__ = ["ShuffleA", "ShuffleB", "shuffled_halves"]


def shuffled_halves(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the even and the odd channels of (B, C, H, W), each (B, C / 2, H, W).

    ShuffleNetV2 shuffles channels at the end of a block and splits them in the middle at the start of the next one.
    Doing both here is the same function up to the order of channels, which all layers around are free to learn.
    """
    even, odd = maps.unflatten(1, (-1, 2)).unbind(2)
    return even, odd


def _main_branch(
    in_channels: int, out_channels: int, middle: int, kernel_size: int, stride: int, bias: bool
) -> nn.Sequential:
    return nn.Sequential(
        convolution_norm(in_channels, middle, bias=bias),
        convolution_norm(middle, middle, kernel_size, stride=stride, groups=middle, bias=bias, activation=False),
        convolution_norm(middle, out_channels, bias=bias),
    )


class ShuffleA(nn.Module):
    """Half of the channels passes, the other half goes through 1×1, depthwise 3×3, 1×1: (B, C, H, W) → the same shape.

    Args:
        channels: C, even.
        kernel_size: of the depthwise layer; a public re-implementation has 1.
        bias: of the convolutions; batch norm makes it idle.
    """

    def __init__(self, channels: int, *, kernel_size: int = 3, bias: bool = False) -> None:
        super().__init__()
        self.main = _main_branch(channels // 2, channels // 2, channels // 2, kernel_size, 1, bias)

    def forward(self, maps: Tensor) -> Tensor:
        kept, changed = shuffled_halves(maps)
        return torch.cat([kept, self.main(changed)], dim=1)


class ShuffleB(nn.Module):
    """Both branches are convolved, so that channels may grow and the resolution halve.

    (B, in_channels, H, W) → (B, out_channels, H / stride, W / stride). One branch is depthwise 3×3, 1×1; the other
    1×1, depthwise 3×3, 1×1.

    Args:
        in_channels: even.
        out_channels: even.
        stride: of the depthwise layers.
        halves: each branch takes one half of the channels, the first keeps its number and does without convolutions
            at stride 1 (a public re-implementation). Otherwise both branches take all channels and give half of the
            output each, as in ShuffleNetV2.
        bias: of the convolutions; batch norm makes it idle.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, halves: bool = False, bias: bool = False
    ) -> None:
        super().__init__()
        taken = in_channels // 2 if halves else in_channels
        projected = taken if halves else out_channels // 2
        self.halves = halves
        self.main = _main_branch(taken, out_channels - projected, out_channels // 2, 3, stride, bias)
        self.projection = nn.Sequential()
        if stride > 1 or not halves:
            self.projection.extend(
                [
                    convolution_norm(taken, taken, 3, stride=stride, groups=taken, bias=bias, activation=False),
                    convolution_norm(taken, projected, bias=bias),
                ]
            )

    def forward(self, maps: Tensor) -> Tensor:
        first, second = shuffled_halves(maps) if self.halves else (maps, maps)
        return torch.cat([self.projection(first), self.main(second)], dim=1)
