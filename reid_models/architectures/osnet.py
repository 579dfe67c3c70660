"""OSNet: omni-scale features by streams of growing depth and one gate shared by all of them.

Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification", ICCV 2019 (OSNet, OSNet-IBN), and "Learning
Generalisable Omni-Scale Representations for Person Re-Identification", TPAMI 2021 (OSNet-AIN).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from reid_models.architectures.layers import ChannelGate, ConvolutionNorm, LiteConvolution, initialize_weights
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput

__all__ = ["TABLE_5", "OSNet", "OmniScaleBlock", "osnet"]

Fusion = Literal[
    "unified_gate", "separate_gates", "stream_wise_gate", "learned_fixed_gate", "addition", "concatenation"
]
BlockInstanceNorm = Literal["none", "after_addition", "inside_residual"]

#: The rows of Table 5 of the paper (model number → options). Row 3 does not state the common depth of its streams; 4 is
#: that of the primary model's deepest stream. Row 9, a single stream, is Fig. 4(a): it has no gate.
TABLE_5: dict[int, dict[str, Any]] = {
    1: {},
    2: {"convolution": "full"},
    3: {"stream_depth": 4},
    4: {"fusion": "concatenation"},
    5: {"fusion": "addition"},
    6: {"fusion": "separate_gates"},
    7: {"fusion": "stream_wise_gate"},
    8: {"fusion": "learned_fixed_gate"},
    9: {"num_streams": 1, "fusion": "addition"},
    10: {"num_streams": 2},
    11: {"num_streams": 3},
}

_AIN_PLACEMENT: tuple[tuple[BlockInstanceNorm, ...], ...] = (
    ("inside_residual", "inside_residual"),
    ("none", "inside_residual"),
    ("inside_residual", "none"),
)


class GatedFusion(nn.Module):
    """Sum of streams, each weighted by a gate computed from itself (Eq. 3).

    Args:
        channels: of every stream.
        num_streams: T.
        shared: one gate for all streams (unified) or one each (separate).
        stream_wise: one weight per stream instead of one per channel.
    """

    def __init__(
        self, channels: int, num_streams: int, *, shared: bool = True, stream_wise: bool = False, reduction: int = 16
    ) -> None:
        super().__init__()
        outputs = 1 if stream_wise else channels
        self.shared = shared
        if shared:
            self.gate = ChannelGate(channels, outputs=outputs, reduction=reduction)
        else:
            self.gates = nn.ModuleList(
                ChannelGate(channels, outputs=outputs, reduction=reduction) for _ in range(num_streams)
            )

    def weights(self, streams: Sequence[Tensor]) -> list[Tensor]:
        """Return the gate of each stream, (B, C, 1, 1) or (B, 1, 1, 1), in 0..1."""
        pooled = [stream.mean((2, 3), keepdim=True) for stream in streams]
        if self.shared:
            return list(self.gate(torch.cat(pooled)).chunk(len(streams)))
        return [gate(vector) for gate, vector in zip(self.gates, pooled, strict=True)]

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        first, *others = zip(streams, self.weights(streams), strict=True)
        fused = first[0] * first[1]
        for stream, weight in others:
            fused = fused + stream * weight
        return fused


class FixedFusion(nn.Module):
    """Sum of streams with channel weights that are learnt, then the same for every image (Table 5, row 8).

    The weights are unbounded and start at 1, so that training starts from plain addition.
    """

    def __init__(self, channels: int, num_streams: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_streams, channels, 1, 1))

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        fused = streams[0] * self.weight[0]
        for stream, weight in zip(streams[1:], self.weight[1:], strict=True):
            fused = fused + stream * weight
        return fused


class Addition(nn.Module):
    """Sum of streams (Eq. 2)."""

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        fused = streams[0]
        for stream in streams[1:]:
            fused = fused + stream
        return fused


class Concatenation(nn.Module):
    """Streams side by side, as Inception and ResNeXt do (Table 5, row 4)."""

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(streams), dim=1)


def _fusion(kind: Fusion, channels: int, num_streams: int, reduction: int) -> nn.Module:
    if kind == "unified_gate":
        return GatedFusion(channels, num_streams, reduction=reduction)
    if kind == "separate_gates":
        return GatedFusion(channels, num_streams, shared=False, reduction=reduction)
    if kind == "stream_wise_gate":
        return GatedFusion(channels, num_streams, stream_wise=True, reduction=reduction)
    if kind == "learned_fixed_gate":
        return FixedFusion(channels, num_streams)
    return Addition() if kind == "addition" else Concatenation()


class OmniScaleBlock(nn.Module):
    """The omni-scale residual bottleneck (Fig. 4b): y = ReLU(x + x̃), x̃ fused from T streams.

    (B, in_channels, H, W) → (B, out_channels, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        num_streams: int = 4,
        fusion: Fusion = "unified_gate",
        convolution: Literal["lite", "full"] = "lite",
        stream_depth: int | None = None,
        instance_norm: BlockInstanceNorm = "none",
        gate_reduction: int = 16,
    ) -> None:
        super().__init__()
        middle = out_channels // 4

        def layer() -> nn.Module:
            return LiteConvolution(middle, middle) if convolution == "lite" else ConvolutionNorm(middle, middle, 3)

        self.reduce = ConvolutionNorm(in_channels, middle)
        self.stream_depths = [stream_depth or scale for scale in range(1, num_streams + 1)]
        self.streams = nn.ModuleList(nn.Sequential(*(layer() for _ in range(depth))) for depth in self.stream_depths)
        self.fusion = _fusion(fusion, middle, num_streams, gate_reduction)
        fused = middle * num_streams if fusion == "concatenation" else middle
        inside = instance_norm == "inside_residual"
        self.expand = ConvolutionNorm(fused, out_channels, activation=False, norm="none" if inside else "batch")
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = ConvolutionNorm(in_channels, out_channels, activation=False)
        self.norm_inside = inside
        self.instance_norm: nn.Module = nn.Identity()
        if instance_norm != "none":
            self.instance_norm = nn.InstanceNorm2d(out_channels, affine=True)

    def forward(self, maps: Tensor) -> Tensor:
        reduced = self.reduce(maps)
        residual = self.expand(self.fusion([stream(reduced) for stream in self.streams]))
        if self.norm_inside:
            return torch.relu(self.instance_norm(residual) + self.shortcut(maps))
        return torch.relu(self.instance_norm(residual + self.shortcut(maps)))


class OSNet(nn.Module):
    """Omni-Scale Network (Table 1).

    In evaluation mode images (B, 3, H, W) → test embedding (B, feature_dimension): the activation after FC, batch norm
    and ReLU, not normalised; the published figures of OSNet and OSNet-IBN compare it by Euclidean distance, those of
    OSNet-AIN by cosine distance. In training mode a :class:`ModelOutput` with that activation as the one feature.

    Args:
        num_classes: identities; 0 builds no classifier.
        channels: of conv1 … conv4.
        blocks_per_stage: bottlenecks in conv2, conv3, conv4: (2, 2, 2), or (3, 8, 6) for CIFAR (Sec. 4.3).
        block_norms: instance norm of each block of each stage; ``None``: nowhere.
        stem_norm: ``"batch"``, or ``"instance"`` for IBN and AIN.
        feature_dimension: of the FC layer, which no width multiplier shrinks (footnote 3).
        small_images: a 3×3 stem that keeps the resolution, for 32×32 images. The paper leaves that stem open.
        block_options: passed to :class:`OmniScaleBlock`.
    """

    def __init__(
        self,
        *,
        num_classes: int = 0,
        channels: Sequence[int] = (64, 256, 384, 512),
        blocks_per_stage: Sequence[int] = (2, 2, 2),
        block_norms: Sequence[Sequence[BlockInstanceNorm]] | None = None,
        stem_norm: Literal["batch", "instance"] = "batch",
        feature_dimension: int = 512,
        small_images: bool = False,
        **block_options: Any,
    ) -> None:
        super().__init__()
        if small_images:
            self.conv1 = ConvolutionNorm(3, channels[0], 3, norm=stem_norm)
        else:
            self.conv1 = ConvolutionNorm(3, channels[0], 7, stride=2, norm=stem_norm)
        self.pool1: nn.Module = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        norms = block_norms or [["none"] * count for count in blocks_per_stage]

        def stage(number: int) -> nn.Sequential:
            incoming, outgoing = channels[number], channels[number + 1]
            return nn.Sequential(
                *(
                    OmniScaleBlock(incoming if index == 0 else outgoing, outgoing, instance_norm=norm, **block_options)
                    for index, norm in enumerate(norms[number])
                )
            )

        def transition(width: int) -> nn.Sequential:
            return nn.Sequential(ConvolutionNorm(width, width), nn.AvgPool2d(2, stride=2))

        self.conv2 = stage(0)
        first_block = self.conv2[0]
        assert isinstance(first_block, OmniScaleBlock)
        self._stream_depths = first_block.stream_depths
        self.transition2 = transition(channels[1])
        self.conv3 = stage(1)
        self.transition3 = transition(channels[2])
        self.conv4 = stage(2)
        self.conv5 = ConvolutionNorm(channels[3], channels[3])
        self.fc = nn.Sequential(
            nn.Linear(channels[3], feature_dimension), nn.BatchNorm1d(feature_dimension), nn.ReLU(inplace=True)
        )
        self.classifier = nn.Linear(feature_dimension, num_classes) if num_classes else None
        initialize_weights(self)

    def feature_maps(self, images: Tensor) -> Tensor:
        """Return the output of conv5 (B, C, H / 16, W / 16), which the paper's activation maps show (Fig. 6)."""
        maps = self.pool1(self.conv1(images))
        maps = self.transition2(self.conv2(maps))
        maps = self.transition3(self.conv3(maps))
        result: Tensor = self.conv5(self.conv4(maps))
        return result

    def forward(self, images: Tensor) -> Tensor | ModelOutput:
        feature: Tensor = self.fc(self.feature_maps(images).mean((2, 3)))
        if not self.training:
            return feature
        return ModelOutput(() if self.classifier is None else (self.classifier(feature),), (feature,))

    def published_key_layouts(self) -> dict[str, Callable[[str], str]]:
        """Return the namings of published checkpoints: each maps a key of this class to the published key."""
        return {"torchreid osnet": self._osnet_key, "torchreid osnet_ain": self._osnet_ain_key}

    def _osnet_key(self, key: str) -> str:
        def stream(match: re.Match[str]) -> str:
            # The first stream is a bare layer there, the others are sequences.
            letter, layer = "abcdefgh"[int(match[1])], match[2]
            alone = self._stream_depths[int(match[1])] == 1
            return f".conv2{letter}." if alone else f".conv2{letter}.{layer}."

        key = re.sub(r"\.streams\.(\d)\.(\d)\.", stream, key)
        key = re.sub(r"^transition2\.", f"conv2.{len(self.conv2)}.", key)
        return _layer_key(re.sub(r"^transition3\.", f"conv3.{len(self.conv3)}.", key))

    def _osnet_ain_key(self, key: str) -> str:
        key = re.sub(r"\.streams\.(\d)\.(\d)\.", r".conv2.\1.layers.\2.", key)
        return _layer_key(re.sub(r"^transition(\d)\.", r"pool\1.", key))


def _layer_key(key: str) -> str:
    for pattern, replacement in (
        (r"\.fusion\.gate\.reduce\.", ".gate.fc1."),
        (r"\.fusion\.gate\.expand\.", ".gate.fc2."),
        (r"^(conv\d\.\d+)\.reduce\.", r"\1.conv1."),
        (r"^(conv\d\.\d+)\.expand\.", r"\1.conv3."),
        (r"\.shortcut\.", ".downsample."),
        (r"\.instance_norm\.", ".IN."),
        (r"\.pointwise\.", ".conv1."),
        (r"\.depthwise\.", ".conv2."),
        (r"\.norm\.", ".bn."),
    ):
        key = re.sub(pattern, replacement, key)
    return key


def osnet(
    *,
    num_classes: int = 0,
    width: float = 1.0,
    instance_norm: Literal["none", "ibn", "ain"] = "none",
    num_streams: int = 4,
    fusion: Fusion = "unified_gate",
    convolution: Literal["lite", "full"] = "lite",
    stream_depth: int | None = None,
    gate_reduction: int = 16,
    blocks_per_stage: Sequence[int] = (2, 2, 2),
    feature_dimension: int = 512,
    small_images: bool = False,
) -> OSNet:
    """Build an OSNet; the options of the ablations are those of Table 5 (see :data:`TABLE_5`).

    Args:
        num_classes: identities; 0 builds no classifier.
        width: multiplier β of all channels but the FC layer's (Table 6).
        instance_norm: ``"ibn"`` (supplement D: conv1 and, after the addition, conv2) or ``"ain"`` (searched places).
        num_streams: T, 1 to 4.
        fusion: how streams are combined.
        convolution: ``"lite"`` 3×3 or ``"full"`` 3×3 layers.
        stream_depth: layers in every stream alike; ``None``: stream t has t layers.
        gate_reduction: of the gate's hidden layer.
        blocks_per_stage: bottlenecks in conv2, conv3 and conv4.
        feature_dimension: length of the embedding.
        small_images: the stem for 32×32 images.

    Raises:
        InputError: an option that is out of range.
    """
    _check("fusion", fusion, get_args(Fusion))
    _check("convolution", convolution, ("lite", "full"))
    _check("instance_norm", instance_norm, ("none", "ibn", "ain"))
    _check("num_streams", num_streams, (1, 2, 3, 4))
    if stream_depth is not None:
        _check("stream_depth", stream_depth, tuple(range(1, 9)))
    channels = [round(channel * width) for channel in (64, 256, 384, 512)]
    if min(channels) < 4 or any(channel % 4 for channel in channels):
        raise InputError(f"the OSNet width {width} gives channels {channels}; they must be multiples of 4")
    if len(blocks_per_stage) != 3 or min(blocks_per_stage) < 1:
        raise InputError(f"blocks_per_stage {list(blocks_per_stage)} must be three numbers of blocks, such as 2, 2, 2")
    norms: list[list[BlockInstanceNorm]] = [["none"] * count for count in blocks_per_stage]
    if instance_norm == "ibn":
        norms[0] = ["after_addition"] * blocks_per_stage[0]
    elif instance_norm == "ain":
        if tuple(blocks_per_stage) != (2, 2, 2):
            raise InputError("OSNet-AIN's placement of instance norm was searched for blocks_per_stage 2, 2, 2 only")
        norms = [list(stage) for stage in _AIN_PLACEMENT]
    return OSNet(
        num_classes=num_classes,
        channels=channels,
        blocks_per_stage=blocks_per_stage,
        block_norms=norms,
        stem_norm="batch" if instance_norm == "none" else "instance",
        feature_dimension=feature_dimension,
        small_images=small_images,
        num_streams=num_streams,
        fusion=fusion,
        convolution=convolution,
        stream_depth=stream_depth,
        gate_reduction=gate_reduction,
    )


def _check(option: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise InputError(f"the OSNet option {option} = {value!r} is not one of {', '.join(map(str, known))}")
