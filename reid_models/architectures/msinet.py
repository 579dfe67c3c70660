"""MSINet: two branches of unlike receptive fields that interact in searched ways.

Gu et al., "MSINet: Twins Contrastive Search of Multi-Scale Interaction for Object ReID", CVPR 2023.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from reid_models.architectures.genotypes import Genotype, read_genotype
from reid_models.architectures.interactions import interaction
from reid_models.architectures.layers import ConvolutionNorm, LiteConvolution, initialize_weights
from reid_models.architectures.spatial_alignment import Alignment, AlignmentPositions, AlignModule
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput

__all__ = ["MSINet", "MultiScaleCell", "Neck", "msinet", "network_options"]

Embedding = Literal["before_neck", "after_neck"]
Fusion = Literal["sum", "minus", "multiply"]
#: Makes the interaction at a position (0 to 11) between branches of some channels.
InteractionFactory = Callable[[int, int], nn.Module]


class MultiScaleCell(nn.Module):
    """A cell (Fig. 2): two branches with one interaction in the middle and one before they are fused.

    (B, in_channels, H, W) → (B, out_channels, H, W).

    Args:
        in_channels: of the maps.
        out_channels: of the result; the branches have a quarter of them.
        interactions: the two interactions, see :mod:`reid_models.architectures.interactions`.
        scale_ratio: ρ, lite 3×3 layers in the second branch for one in the first.
        fusion: of the branches: sum, or as Fig. 5 (c) the first minus the second, or their product.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        interactions: tuple[nn.Module, nn.Module],
        *,
        scale_ratio: int = 3,
        fusion: Fusion = "sum",
    ) -> None:
        super().__init__()
        middle = out_channels // 4
        depths = (1, scale_ratio)

        def branches() -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(*(LiteConvolution(middle, middle) for _ in range(depth))) for depth in depths
            )

        self.reduce = nn.ModuleList(ConvolutionNorm(in_channels, middle) for _ in depths)
        self.scales1 = branches()
        self.interaction1 = interactions[0]
        self.scales2 = branches()
        self.interaction2 = interactions[1]
        self.expand = nn.ModuleList(ConvolutionNorm(middle, out_channels, activation=False) for _ in depths)
        self.fusion = fusion
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = ConvolutionNorm(in_channels, out_channels, activation=False)

    def forward(self, maps: Tensor) -> Tensor:
        pair: Sequence[Tensor] = [reduce(maps) for reduce in self.reduce]
        for scales, interact in ((self.scales1, self.interaction1), (self.scales2, self.interaction2)):
            pair = interact(*(scale(branch) for scale, branch in zip(scales, pair, strict=True)))
        first, second = (expand(branch) for expand, branch in zip(self.expand, pair, strict=True))
        if self.fusion == "sum":
            fused = first + second
        else:
            fused = first - second if self.fusion == "minus" else first * second
        return torch.relu(fused + self.shortcut(maps))


class Neck(nn.Module):
    """Linear layer without bias and batch norm with its bias frozen at zero: (B, D) → (B, D)."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, dimension, bias=False)
        self.norm = nn.BatchNorm1d(dimension)
        self.norm.bias.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.norm(self.linear(features)))


class MSINet(nn.Module):
    """Multi-Scale Interaction Network (Fig. 2).

    In evaluation mode images (B, 3, H, W) → test embedding: the pooled main feature (512), followed by the side feature
    (256), not normalised; the published figures compare it after L2 normalisation. In training mode a
    :class:`ModelOutput`: features (main, side), before the neck, which the triplet loss takes after L2 normalisation;
    logits (main, side), from after the neck; maps (alignment scores,) with spatial alignment, see :class:`AlignModule`.

    Args:
        interactions: makes the module at a position, from (position 0 to 11, channels of a branch).
        num_classes: identities; 0 builds no classifier.
        channels: of the stem and the three stages; a multiple of 4 each.
        spatial_alignment: which row of Table 5 the scores are for; ``None``: none. Training alone computes them: the
            embedding and what it costs stay the same.
        alignment_positions: see :class:`AlignModule`.
        side_feature: add the published model's second feature, which the paper does not mention: the maps after the
            second down-sampling, by 1×1 convolution to 128 channels, pooled over the top and the bottom half.
        embedding: ``"before_neck"`` as the published figures, or ``"after_neck"``.
        cell_options: passed to :class:`MultiScaleCell`.
    """

    #: Classifier keys of published files hold one of these.
    published_classifier_parts = ("classifier",)
    #: Keys, ours and published, with one of these prefixes do not reach the embedding: a file may have or lack them.
    training_only_prefixes = ("alignment.", "align_module.")

    def __init__(
        self,
        interactions: InteractionFactory,
        *,
        num_classes: int = 0,
        channels: Sequence[int] = (64, 256, 384, 512),
        spatial_alignment: Alignment | None = None,
        alignment_positions: AlignmentPositions = "other",
        side_feature: bool = True,
        embedding: Embedding = "before_neck",
        **cell_options: Any,
    ) -> None:
        super().__init__()
        self.stem = ConvolutionNorm(3, channels[0], 7, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

        def stage(number: int) -> nn.Sequential:
            width = channels[number]
            positions = range(4 * number - 4, 4 * number, 2)
            cells = []
            for incoming, position in zip((channels[number - 1], width), positions, strict=True):
                pair = (interactions(position, width // 4), interactions(position + 1, width // 4))
                cells.append(MultiScaleCell(incoming, width, pair, **cell_options))
            return nn.Sequential(*cells)

        def transition(width: int) -> nn.Sequential:
            return nn.Sequential(ConvolutionNorm(width, width), nn.AvgPool2d(2, stride=2))

        self.stage1 = stage(1)
        self.transition1 = transition(channels[1])
        self.stage2 = stage(2)
        self.transition2 = transition(channels[2])
        self.stage3 = stage(3)
        self.neck = Neck(channels[3])
        self.classifier = nn.Linear(channels[3], num_classes) if num_classes else None
        self.side: nn.Conv2d | None = None
        self.classifier_side: nn.Linear | None = None
        if side_feature:
            side = channels[3] // 4
            self.side = nn.Conv2d(channels[2], side, 1)
            self.neck_side = Neck(2 * side)
            self.classifier_side = nn.Linear(2 * side, num_classes) if num_classes else None
        self.embedding = embedding
        self.spatial_alignment = spatial_alignment
        self.alignment: AlignModule | None = None
        if spatial_alignment is not None:
            self.alignment = AlignModule(
                channels[3],
                position_attention=spatial_alignment == "attention",
                positions=alignment_positions,
            )
        initialize_weights(self)

    def feature_maps(self, images: Tensor) -> Tensor:
        """Return the last maps (B, C, H / 16, W / 16)."""
        return self.embed(images)[0]

    def forward(self, images: Tensor) -> Tensor | ModelOutput:
        maps, features, necked = self.embed(images)
        if not self.training:
            return torch.cat(features if self.embedding == "before_neck" else necked, dim=1)
        classifiers = (self.classifier, self.classifier_side)
        logits = [classifier(feature) for classifier, feature in zip(classifiers, necked) if classifier is not None]
        scores = () if self.alignment is None else (self.alignment(maps),)
        return ModelOutput(tuple(logits), tuple(features), scores)

    def embed(self, images: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Return the last maps (B, C, H / 16, W / 16), and the features (main, side) before and after their necks."""
        side_maps = self.transition1(self.stage1(self.pool(self.stem(images))))
        side_maps = self.transition2(self.stage2(side_maps))
        maps: Tensor = self.stage3(side_maps)
        features = [maps.mean((2, 3))]
        # Published counts of multiply-adds hold the necks, 0.03 % of the work, though the embedding needs none.
        necked = [self.neck(features[0])]
        if self.side is not None:
            features.append(_pooled_halves(self.side(side_maps)))
            necked.append(self.neck_side(features[1]))
        return maps, features, necked

    def training_cost_view(self) -> nn.Module:
        """Return a module that shares the weights and computes in evaluation mode what training computes too.

        ``count_multiply_adds(model, size)`` is the cost of an embedding; ``count_multiply_adds(
        model.training_cost_view(), size)`` adds spatial alignment: 1,093,479,936 and 1,101,868,544 for MSINet-SAM at
        256×128. Classifiers are left out of both, as everywhere.
        """
        return _TrainingCostView(self)

    def published_key_layouts(self) -> dict[str, Callable[[str], str]]:
        """Return the naming of published checkpoints: it maps a key of this class to the published key."""
        return {"msinet": _published_key}


def _pooled_halves(maps: Tensor) -> Tensor:
    """Return the means over the top and the bottom half; the middle row of an odd height belongs to both."""
    height = maps.shape[2]
    halves = (maps[:, :, : (height + 1) // 2], maps[:, :, height // 2 :])
    return torch.cat([half.mean((2, 3)) for half in halves], dim=1)


class _TrainingCostView(nn.Module):
    def __init__(self, network: MSINet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps, features, necked = self.network.embed(images)
        scores = () if self.network.alignment is None else (self.network.alignment(maps),)
        return (*features, *necked, *scores)


def _published_key(key: str) -> str:
    def layer(match: re.Match[str]) -> str:
        # The branch of one layer is a bare layer there, the other a sequence.
        number, branch, index = int(match[1]) + 1, int(match[2]), match[3]
        return f".conv{number}a." if branch == 0 else f".conv{number}b.{index}."

    key = re.sub(r"^stage(\d)\.(\d)\.", lambda m: f"cells.{3 * int(m[1]) - 3 + int(m[2])}.", key)
    key = re.sub(r"^transition(\d)\.", lambda m: f"cells.{3 * int(m[1]) - 1}.", key)
    key = re.sub(r"\.scales(\d)\.(\d)\.(\d)\.", layer, key)
    key = re.sub(r"\.reduce\.([01])\.", lambda m: f".conv1{'ab'[int(m[1])]}.", key)
    key = re.sub(r"\.expand\.([01])\.", lambda m: f".conv4{'ab'[int(m[1])]}.", key)
    for pattern, replacement in (
        (r"\.interaction1\.", "._op2."),
        (r"\.interaction2\.", "._op3."),
        (r"\.gate\.reduce\.", ".fc1."),
        (r"\.gate\.expand\.", ".fc2."),
        (r"\.proportion$", ".gamma"),
        (r"\.shortcut\.", ".downsample."),
        (r"\.pointwise\.", ".conv1."),
        (r"\.depthwise\.", ".conv2."),
        (r"^neck\.linear\.", "fc."),
        (r"^neck\.norm\.", "head."),
        (r"^neck_side\.linear\.", "f_fc."),
        (r"^neck_side\.norm\.", "f_head."),
        (r"^side\.", "f_conv."),
        (r"^classifier_side\.", "f_classifier."),
        (r"^alignment\.position_attention\.(query|key)\.", r"align_module.pos_pam.\1_conv."),
        (r"^stem\.", "conv1."),
        (r"\.norm\.", ".bn."),
    ):
        key = re.sub(pattern, replacement, key)
    return key


def network_options(
    *,
    channels: Sequence[int] = (64, 256, 384, 512),
    spatial_alignment: bool | Alignment = False,
    alignment_positions: AlignmentPositions = "other",
    side_feature: bool = True,
    embedding: Embedding = "before_neck",
    scale_ratio: int = 3,
    fusion: Fusion = "sum",
) -> dict[str, Any]:
    """Return checked options of :class:`MSINet`; see :func:`msinet` for what they mean.

    Raises:
        InputError: an option that is out of range.
    """
    rows = get_args(Alignment)
    if not isinstance(spatial_alignment, bool):
        _check("spatial_alignment", spatial_alignment, ("True", "False", *rows))
        alignment: Alignment | None = spatial_alignment
    else:
        alignment = "attention" if spatial_alignment else None
    _check("alignment_positions", alignment_positions, get_args(AlignmentPositions))
    _check("embedding", embedding, get_args(Embedding))
    _check("fusion", fusion, get_args(Fusion))
    if isinstance(scale_ratio, bool) or not isinstance(scale_ratio, int) or not 1 <= scale_ratio <= 8:
        raise InputError(f"the MSINet option scale_ratio = {scale_ratio!r} must be a whole number from 1 to 8")
    widths = list(channels)
    usable = all(isinstance(width, int) and width > 0 and width % 4 == 0 for width in widths)
    if len(widths) != 4 or not usable:
        raise InputError(f"the MSINet option channels = {widths} must be four positive multiples of 4")
    return {
        "channels": tuple(widths),
        "spatial_alignment": alignment,
        "alignment_positions": alignment_positions,
        "side_feature": bool(side_feature),
        "embedding": embedding,
        "scale_ratio": scale_ratio,
        "fusion": fusion,
    }


def _check(option: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"the MSINet option {option} = {value!r} is not one of {', '.join(known)}")


def msinet(
    *,
    num_classes: int = 0,
    genotype: str | os.PathLike[str] | Genotype = "searched",
    spatial_alignment: bool | Alignment = False,
    alignment_positions: AlignmentPositions = "other",
    side_feature: bool = True,
    embedding: Embedding = "before_neck",
    scale_ratio: int = 3,
    fusion: Fusion = "sum",
    channels: Sequence[int] = (64, 256, 384, 512),
) -> MSINet:
    """Build an MSINet.

    Args:
        num_classes: identities; 0 builds no classifier.
        genotype: ``"searched"`` (Table 1), 12 letters such as ``"GGEGAGGNGAEA"``, a JSON file that a search wrote, or a
            :class:`Genotype`: :meth:`Genotype.uniform` and :meth:`Genotype.random` are the rows of Fig. 5 (b).
        spatial_alignment: ``True`` or ``"attention"`` for MSINet-SAM (positive pairs aligned with the position
            attention, "PAM-Self"), or another row of Table 5: ``"positive"`` or ``"negative"`` pairs only, all pairs
            ``"unified"``, or both kinds ``"separated"``. The loss is told the row too; the network leaves the position
            attention away where the row has none.
        alignment_positions: of the scores: ``"other"`` as the published code or ``"own"`` as Eq. 7, see
            :class:`AlignModule`.
        side_feature: the published model's second feature; without it the embedding is the main feature alone.
        embedding: ``"before_neck"`` for the published figures, ``"after_neck"`` (published code: ``test_transfer``).
        scale_ratio: ρ of Fig. 5 (d), 1 to 8.
        fusion: of the branches, Fig. 5 (c).
        channels: of the stem and the three stages.

    Raises:
        InputError: an option that is out of range, or no such genotype.
    """
    chosen = read_genotype(genotype)
    options = network_options(
        channels=channels,
        spatial_alignment=spatial_alignment,
        alignment_positions=alignment_positions,
        side_feature=side_feature,
        embedding=embedding,
        scale_ratio=scale_ratio,
        fusion=fusion,
    )

    def make(position: int, width: int) -> nn.Module:
        return interaction(chosen.interactions[position], width)

    return MSINet(make, num_classes=num_classes, **options)
