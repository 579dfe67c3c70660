"""Harmonious attention: soft weights for every value of a map, and the regions that the local branch looks at.

Li et al., "Harmonious Attention Network for Person Re-Identification", CVPR 2018, Sec. 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid_models.architectures.layers import ConvolutionNorm

__all__ = ["REGIONS", "HarmoniousAttention", "convolution_norm", "crop_regions"]

#: local regions of every image
REGIONS = 4
_REGION_HEIGHT = 0.25


def convolution_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    activation: bool = True,
) -> ConvolutionNorm:
    """Return a :class:`ConvolutionNorm` whose convolution may have groups and a bias."""
    layer = ConvolutionNorm(in_channels, out_channels, kernel_size, stride=stride, activation=activation)
    if groups > 1 or bias:
        layer.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=bias
        )
    return layer


class SpatialAttention(nn.Module):
    """Mean over channels, 3×3 at half resolution, resized back, 1×1: (B, C, H, W) → (B, 1, H, W) (Sec. 3.1.I.1)."""

    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.reduce = convolution_norm(1, 1, 3, stride=2, bias=bias)
        self.scale = convolution_norm(1, 1, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        small = self.reduce(maps.mean(1, keepdim=True))
        rows = _resize_weights(small.shape[2], maps.shape[2], maps.device).to(maps.dtype)
        columns = _resize_weights(small.shape[3], maps.shape[3], maps.device).to(maps.dtype)
        result: Tensor = self.scale(rows @ small @ columns.T)
        return result


class ChannelAttention(nn.Module):
    """Squeeze and excitation: (B, C, H, W) → (B, C, 1, 1) (Sec. 3.1.I.2)."""

    def __init__(self, channels: int, *, bias: bool, reduction: int = 16) -> None:
        super().__init__()
        self.reduce = convolution_norm(channels, channels // reduction, bias=bias)
        self.expand = convolution_norm(channels // reduction, channels, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.expand(self.reduce(maps.mean((2, 3), keepdim=True)))
        return result


class SoftAttention(nn.Module):
    """Weights in 0..1 for every value: sigmoid of a 1×1 layer on spatial × channel attention (Sec. 3.1.I)."""

    def __init__(self, channels: int, *, bias: bool) -> None:
        super().__init__()
        self.spatial = SpatialAttention(bias=bias)
        self.channel = ChannelAttention(channels, bias=bias)
        self.mix = convolution_norm(channels, channels, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.sigmoid(self.mix(self.spatial(maps) * self.channel(maps)))


class HardAttention(nn.Module):
    """Where the regions lie: (B, C, H, W) → (B, 4, 2), each (x, y) of a centre in −1..1 (Sec. 3.1.II).

    Only the translation is learned; the size is fixed (the whole width, a quarter of the height). Training starts from
    four regions one below the other, the same for every image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, REGIONS * 2)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Put the regions where training starts from."""
        self.fc.weight.zero_()
        self.fc.bias.copy_(torch.tensor([0, -0.75, 0, -0.25, 0, 0.25, 0, 0.75]))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.tanh(self.fc(maps.mean((2, 3)))).unflatten(1, (REGIONS, 2))


class HarmoniousAttention(nn.Module):
    """Soft and hard attention of one level: maps (B, C, H, W) → weights (B, C, H, W), translations (B, 4, 2)."""

    def __init__(self, channels: int, *, bias: bool) -> None:
        super().__init__()
        self.soft = SoftAttention(channels, bias=bias)
        self.hard = HardAttention(channels)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        return self.soft(maps), self.hard(maps)


def crop_regions(maps: Tensor, translations: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut the regions out of ``maps`` and resize them, differentiably in both arguments.

    The published code samples an affine grid at the resolution of ``maps`` and resizes the result, both bilinear with
    aligned corners, zeros outside. Without rotation that is a product of a matrix for the rows and one for the columns:
    the same numbers, but cheaper, deterministic on GPUs, and plain matrix products for every exporter.

    Args:
        maps: (B, C, H, W).
        translations: (B, R, 2), the centres (x, y); −1 and 1 are the centres of the outermost pixels.
        size: (h, w) of a resized region.

    Returns:
        (B, R, C, h, w).
    """
    height, width = maps.shape[2:]
    rows = _crop_weights(translations[..., 1], _REGION_HEIGHT, height, size[0]).to(maps.dtype)
    columns = _crop_weights(translations[..., 0], 1.0, width, size[1]).to(maps.dtype)
    strips = rows.flatten(1, 2) @ maps.transpose(1, 2).flatten(2)
    strips = strips.unflatten(2, maps.shape[1::2]).unflatten(1, (REGIONS, size[0])).flatten(2, 3)
    return (strips @ columns.transpose(2, 3)).unflatten(2, (size[0], maps.shape[1])).transpose(2, 3)


def _crop_weights(centers: Tensor, extent: float, length: int, out_length: int) -> Tensor:
    """Return the weight of each of ``length`` pixels in each of ``out_length`` samples: (B, R, out_length, length)."""
    steps = torch.linspace(-1, 1, length, device=centers.device)
    positions = (centers.float().unsqueeze(-1) + (steps * extent + 1)) * ((length - 1) / 2)
    return _resize_weights(length, out_length, centers.device) @ _linear_weights(positions, length)


def _resize_weights(length: int, out_length: int, device: torch.device) -> Tensor:
    """Return linear interpolation with aligned corners as a matrix (out_length, length)."""
    return _linear_weights(torch.linspace(0, length - 1, out_length, device=device), length)


def _linear_weights(positions: Tensor, length: int) -> Tensor:
    """Return what each of ``length`` pixels contributes at ``positions`` (…,) in pixels: (…, length)."""
    pixels = torch.arange(length, device=positions.device, dtype=positions.dtype)
    return torch.relu(1 - (positions.unsqueeze(-1) - pixels).abs())
