"""The two-branch network with harmonious attention that HA-CNN and Robust-ReID are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_models.architectures.gem import Pooling, global_pooling
from reid_models.architectures.harmonious_attention import (
    REGIONS,
    HarmoniousAttention,
    convolution_norm,
    crop_regions,
)
from reid_models.architectures.layers import initialize_weights
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput

__all__ = ["REGION_SIZES", "FeatureNormalization", "HarmoniousAttentionNetwork", "check_option"]

FeatureNormalization = Literal["l2", "l2_features", "none", "batch_norm_neck"]

#: (height, width) of the regions that enter the local branch at each level, for 160×64 images
REGION_SIZES = ((24, 28), (12, 14), (6, 7))


class HarmoniousAttentionNetwork(nn.Module):
    """A global branch of three stages with soft attention, and a local branch on four regions at every level.

    At each level the regions are cut from what enters the global stage, and what the local branch made of them one
    level above is added. All regions share one block a level.

    In evaluation mode images (B, 3, H, W) → test embedding (B, 2 · feature_dimension): the global and the local vector,
    each L2-normalised (so the whole has length √2), compared by Euclidean or cosine distance alike. In training mode a
    :class:`ModelOutput` with logits (global, local) and features (global, local).

    Args:
        num_classes: identities; 0 builds no classifier.
        channels: of the stem and the three stages; those of stages are multiples of 16.
        stage: (in_channels, out_channels, level) → the stage, which halves the resolution.
        local_block: (in_channels, out_channels) → a block that halves the resolution.
        feature_dimension: length of the vector of each branch.
        pooling: before the FC layers of both branches.
        feature_normalization: what losses are given. ``"l2"``: logits and features of the L2-normalised vectors;
            ``"l2_features"``: features only; ``"none"``: neither; ``"batch_norm_neck"``: logits of batch-normalised
            vectors, features as they are (Luo et al., 2019).
        convolution_bias: as published HA-CNN has it; batch norm makes it idle.
        classifier_bias: bias of the classifiers.
        region_sizes: (height, width) of regions at each level, each half of the one before, rounded up.
        first_chained_level: the first level (1 or 2) that adds what the local branch made one level above.
        local_first: the embedding begins with the local vector.

    Raises:
        InputError: sizes or channels that do not fit together.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        channels: Sequence[int],
        stage: Callable[[int, int, int], nn.Module],
        local_block: Callable[[int, int], nn.Module],
        feature_dimension: int,
        pooling: Pooling,
        feature_normalization: FeatureNormalization,
        convolution_bias: bool,
        classifier_bias: bool,
        region_sizes: Sequence[tuple[int, int]] = REGION_SIZES,
        first_chained_level: int = 1,
        local_first: bool = False,
    ) -> None:
        super().__init__()
        _check_sizes(channels, region_sizes)
        self.region_sizes = [(height, width) for height, width in region_sizes]
        self.first_chained_level = first_chained_level
        self.feature_normalization = feature_normalization
        self.local_first = local_first
        levels = list(itertools.pairwise(channels))
        self.stem = convolution_norm(3, channels[0], 3, stride=2, bias=convolution_bias)
        self.stages = nn.ModuleList(stage(*widths, level) for level, widths in enumerate(levels))
        self.attentions = nn.ModuleList(HarmoniousAttention(width, bias=convolution_bias) for width in channels[1:])
        self.local_blocks = nn.ModuleList(local_block(*widths) for widths in levels)
        self.pool_global = global_pooling(pooling)
        self.pool_local = global_pooling(pooling)
        pooled = channels[-1] * (2 if pooling == "average_and_max" else 1)
        self.fc_global = _fully_connected(pooled, feature_dimension)
        self.fc_local = _fully_connected(pooled * REGIONS, feature_dimension)
        self.neck_global = self.neck_local = None
        if feature_normalization == "batch_norm_neck":
            self.neck_global, self.neck_local = _neck(feature_dimension), _neck(feature_dimension)
        self.classifier_global = self.classifier_local = None
        if num_classes:
            self.classifier_global = nn.Linear(feature_dimension, num_classes, bias=classifier_bias)
            self.classifier_local = nn.Linear(feature_dimension, num_classes, bias=classifier_bias)
        initialize_weights(self)
        for attention in self.attentions:
            attention.hard.reset_parameters()  # type: ignore[union-attr, operator]

    def feature_maps(self, images: Tensor) -> Tensor:
        """Return the last maps of the global branch (B, C, h, w), after attention, for activation maps."""
        maps: Tensor = self.stem(images)
        for stage, attention in zip(self.stages, self.attentions, strict=True):
            maps = stage(maps)
            maps = maps * attention(maps)[0]
        return maps

    def branch_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the global and the local vector, (B, feature_dimension) each, not normalised."""
        maps: Tensor = self.stem(images)
        local: Tensor | None = None
        levels = zip(self.stages, self.attentions, self.local_blocks, self.region_sizes, strict=True)
        for level, (stage, attention, block, size) in enumerate(levels):
            entering = maps
            maps = stage(entering)
            weights, translations = attention(maps)
            maps = maps * weights
            regions = crop_regions(entering, translations, size)
            if local is not None and level >= self.first_chained_level:
                regions = regions + local
            local = self._of_each_region(block, regions)
        assert local is not None
        pooled = self.pool_local(local.flatten(0, 1)).unflatten(0, (-1, REGIONS)).flatten(1)
        return self.fc_global(self.pool_global(maps)), self.fc_local(pooled)

    def _of_each_region(self, block: nn.Module, regions: Tensor) -> Tensor:
        """Apply ``block`` to regions (B, R, C, h, w)."""
        if self.training:
            # Batch norm takes the statistics of each region by itself, as in the published code.
            return torch.stack([block(region) for region in regions.unbind(1)], dim=1)
        together: Tensor = block(regions.flatten(0, 1))
        return together.unflatten(0, (-1, REGIONS))

    def forward(self, images: Tensor) -> Tensor | ModelOutput:
        vectors = self.branch_features(images)
        classified = vectors
        if self.neck_global is not None and self.neck_local is not None:
            classified = self.neck_global(vectors[0]), self.neck_local(vectors[1])
        normalized = F.normalize(classified[0]), F.normalize(classified[1])
        if not self.training:
            return torch.cat(normalized[::-1] if self.local_first else normalized, dim=1)
        if self.feature_normalization == "l2":
            classified = normalized
        features = normalized if self.feature_normalization in ("l2", "l2_features") else vectors
        logits: tuple[Tensor, ...] = ()
        if self.classifier_global is not None and self.classifier_local is not None:
            logits = self.classifier_global(classified[0]), self.classifier_local(classified[1])
        return ModelOutput(logits, features)


def _fully_connected(in_features: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_features, out_features), nn.BatchNorm1d(out_features), nn.ReLU(inplace=True))


def _neck(features: int) -> nn.BatchNorm1d:
    neck = nn.BatchNorm1d(features)
    neck.bias.requires_grad_(False)
    return neck


def _check_sizes(channels: Sequence[int], region_sizes: Sequence[tuple[int, int]]) -> None:
    if len(channels) != 4 or channels[0] < 2 or channels[0] % 2 or any(c < 16 or c % 16 for c in channels[1:]):
        raise InputError(
            f"channels {list(channels)} must be four numbers: an even one for the stem, then multiples of 16"
        )
    halved = [tuple((length + 1) // 2 for length in size) for size in region_sizes]
    if len(region_sizes) != 3 or halved[:-1] != [tuple(size) for size in region_sizes[1:]]:
        raise InputError(
            f"region_sizes {[tuple(size) for size in region_sizes]} must be three sizes, each half of the one before "
            "rounded up, such as (24, 28), (12, 14), (6, 7)"
        )


def check_option(network: str, option: str, value: object, known: Sequence[object]) -> None:
    """Raise :class:`InputError` unless ``value`` is one of ``known``."""
    if value not in known:
        raise InputError(f"the {network} option {option} = {value!r} is not one of {', '.join(map(str, known))}")
