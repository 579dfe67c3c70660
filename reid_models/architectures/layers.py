"""Layers that several architectures share: convolution with normalisation, lite 3×3, channel gate, initial weights."""

from __future__ import annotations

import contextlib
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = [
    "ChannelGate",
    "ConvolutionNorm",
    "LiteConvolution",
    "Normalization",
    "full_precision",
    "initialize_weights",
]

Normalization = Literal["batch", "instance", "none"]


def normalization(kind: Normalization, channels: int) -> nn.Module:
    """Return batch norm, affine instance norm without running statistics, or the identity."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


class ConvolutionNorm(nn.Module):
    """Convolution without bias, normalisation, and ReLU unless ``activation`` is false; "same" padding.

    (B, in_channels, H, W) → (B, out_channels, H / stride, W / stride).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        activation: bool = True,
        norm: Normalization = "batch",
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False)
        self.norm = normalization(norm, out_channels)
        self.activation = nn.ReLU(inplace=True) if activation else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.activation(self.norm(self.conv(maps)))
        return result


class LiteConvolution(nn.Module):
    """Lite 3×3 of OSNet (Fig. 3b): linear 1×1 first, then depthwise 3×3, batch norm, ReLU.

    (B, in_channels, H, W) → (B, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.depthwise = nn.Conv2d(out_channels, out_channels, 3, padding=1, groups=out_channels, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.activation(self.norm(self.depthwise(self.pointwise(maps))))
        return result


class ChannelGate(nn.Module):
    """The aggregation gate G of OSNet (Sec. 3.2): pooled channels → hidden ReLU layer → sigmoid weights.

    Takes globally average-pooled maps (B, channels, 1, 1) and returns weights (B, outputs, 1, 1) in 0..1, so that a
    caller with several streams can gate them in one call.
    """

    def __init__(self, channels: int, *, outputs: int | None = None, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels if outputs is None else outputs, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        return torch.sigmoid(self.expand(torch.relu(self.reduce(pooled))))


def initialize_weights(model: nn.Module) -> None:
    """Draw convolutions from He's normal distribution (fan out) and linear layers from N(0, 0.01); biases are zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def full_precision(values: Tensor) -> contextlib.AbstractContextManager[object]:
    """Return a context without autocast on the device of ``values``, for sums that overflow half precision."""
    if not torch.amp.is_autocast_available(values.device.type):
        # The meta device, on which parameters and multiply-adds are counted.
        return contextlib.nullcontext()
    return torch.autocast(values.device.type, enabled=False)
