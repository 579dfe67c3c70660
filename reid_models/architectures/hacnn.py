"""HA-CNN: harmonious attention on small inception stages, trained from scratch on 160×64 images.

Li et al., "Harmonious Attention Network for Person Re-Identification", CVPR 2018.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from reid_models.architectures.gem import Pooling
from reid_models.architectures.harmonious_attention import convolution_norm
from reid_models.architectures.harmonious_network import (
    FeatureNormalization,
    HarmoniousAttentionNetwork,
    check_option,
)

__all__ = ["HACNN", "InceptionA", "InceptionB", "attention_key", "hacnn"]


class _Inception(nn.Module):
    """Streams side by side on the same input."""

    def __init__(self, *streams: nn.Sequential) -> None:
        super().__init__()
        self.streams = nn.ModuleList(streams)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([stream(maps) for stream in self.streams], dim=1)


class InceptionA(_Inception):
    """Three streams of 1×1, 3×3 and one of average pooling, 1×1, a quarter of the channels each.

    (B, in_channels, H, W) → (B, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        quarter = out_channels // 4
        super().__init__(
            *(
                nn.Sequential(
                    convolution_norm(in_channels, quarter, bias=bias), convolution_norm(quarter, quarter, 3, bias=bias)
                )
                for _ in range(3)
            ),
            nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), convolution_norm(in_channels, quarter, bias=bias)),
        )


class InceptionB(_Inception):
    """1×1, 3×3; 1×1, 3×3, 3×3 (a quarter of the channels each); max pooling, 1×1 (half): all at stride 2.

    (B, in_channels, H, W) → (B, out_channels, H / 2, W / 2).
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        quarter = out_channels // 4
        super().__init__(
            nn.Sequential(
                convolution_norm(in_channels, quarter, bias=bias),
                convolution_norm(quarter, quarter, 3, stride=2, bias=bias),
            ),
            nn.Sequential(
                convolution_norm(in_channels, quarter, bias=bias),
                convolution_norm(quarter, quarter, 3, bias=bias),
                convolution_norm(quarter, quarter, 3, stride=2, bias=bias),
            ),
            nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1), convolution_norm(in_channels, 2 * quarter, bias=bias)),
        )


class HACNN(HarmoniousAttentionNetwork):
    """HA-CNN as published in torchreid; see :class:`HarmoniousAttentionNetwork` for what goes in and out."""

    def published_key_layouts(self) -> dict[str, Callable[[str], str]]:
        """Return the namings of published checkpoints: each maps a key of this class to the published key."""
        return {"torchreid hacnn": _torchreid_key}


def _torchreid_key(key: str) -> str:
    def counted_from_one(name: str) -> Callable[[re.Match[str]], str]:
        return lambda match: f"{name}{int(match[1]) + 1}."

    for pattern, name in (
        (r"^stages\.(\d)\.", "inception"),
        (r"^attentions\.(\d)\.", "ha"),
        (r"^local_blocks\.(\d)\.", "local_conv"),
        (r"streams\.(\d)\.", "stream"),
    ):
        key = re.sub(pattern, counted_from_one(name), key)
    return attention_key(re.sub(r"^stem\.", "conv.", key))


def attention_key(key: str) -> str:
    """Return ``key`` with the published names of the layers inside harmonious attention and of batch norms."""
    for pattern, replacement in (
        (r"\.soft\.spatial\.reduce\.", ".soft_attn.spatial_attn.conv1."),
        (r"\.soft\.spatial\.scale\.", ".soft_attn.spatial_attn.conv2."),
        (r"\.soft\.channel\.reduce\.", ".soft_attn.channel_attn.conv1."),
        (r"\.soft\.channel\.expand\.", ".soft_attn.channel_attn.conv2."),
        (r"\.soft\.mix\.", ".soft_attn.conv."),
        (r"\.hard\.", ".hard_attn."),
        (r"\.norm\.", ".bn."),
    ):
        key = re.sub(pattern, replacement, key)
    return key


def hacnn(
    *,
    num_classes: int = 0,
    channels: Sequence[int] = (32, 128, 256, 384),
    feature_dimension: int = 512,
    pooling: Pooling = "average",
    feature_normalization: FeatureNormalization = "none",
    convolution_bias: bool = True,
    classifier_bias: bool = True,
) -> HACNN:
    """Build HA-CNN; the defaults are the published network, the options what Robust-ReID changed.

    Args:
        num_classes: identities; 0 builds no classifiers.
        channels: of the stem and the three stages.
        feature_dimension: of each branch; the embedding has twice that.
        pooling: ``"average"`` as published, or one of Robust-ReID's.
        feature_normalization: of what the losses take while training, see :class:`HarmoniousAttentionNetwork`.
        convolution_bias: as published; batch norm makes it idle.
        classifier_bias: as published; column a of Robust-ReID's Table 2 is this network without it.

    Raises:
        InputError: an option that is out of range.
    """
    check_option("HA-CNN", "pooling", pooling, get_args(Pooling))
    check_option("HA-CNN", "feature_normalization", feature_normalization, get_args(FeatureNormalization))

    def stage(in_channels: int, out_channels: int, _level: int) -> nn.Module:
        return nn.Sequential(
            InceptionA(in_channels, out_channels, bias=convolution_bias),
            InceptionB(out_channels, out_channels, bias=convolution_bias),
        )

    return HACNN(
        num_classes=num_classes,
        channels=channels,
        stage=stage,
        local_block=lambda incoming, outgoing: InceptionB(incoming, outgoing, bias=convolution_bias),
        feature_dimension=feature_dimension,
        pooling=pooling,
        feature_normalization=feature_normalization,
        convolution_bias=convolution_bias,
        classifier_bias=classifier_bias,
    )
