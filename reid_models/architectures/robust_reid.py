"""Robust-ReID: HA-CNN with shuffle blocks, generalised-mean pooling and L2-normalised features, in two sizes.

Lawen et al., "Attention Network Robustification for Person ReID" (also: "Compact Network Training for Person ReID",
ICMR 2020).

What Table 1 leaves open is read as follows. Shuffle-B is ShuffleNetV2's: both branches take all channels and give half
of the output each. Then 1× has 2.91 million parameters (printed: 2.9) and 2× has 5.76 million (printed: 6.4, which is
not met). Convolutions and linear layers alone make 0.683 and 1.622 billion multiply-adds (printed: 0.72 and 1.68
"FLOPs"). The paper does not say what it counts: one more per value for a convolution's bias and for ReLU, and two for
batch norm, give 0.72 and 1.68, but that count was chosen because it fits, and by default the network has no such bias.
Readings tried for the size, none of which meets 2.9 and 6.4 together: Shuffle-B on halves of the input, other widths
inside both blocks, full 3×3 layers in Shuffle-B, local blocks of their own for every region, classifiers counted, more
linear layers in each branch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from torch import nn

from reid_models.architectures.gem import Pooling
from reid_models.architectures.hacnn import InceptionA, InceptionB, attention_key
from reid_models.architectures.harmonious_network import (
    REGION_SIZES,
    FeatureNormalization,
    HarmoniousAttentionNetwork,
    check_option,
)
from reid_models.architectures.shuffle_blocks import ShuffleA, ShuffleB
from reid_models.errors import InputError

__all__ = ["LAYOUTS", "TABLE_1", "TABLE_2", "TABLE_3", "RobustReID", "robust_reid"]

#: The two columns of Table 1: channels, Shuffle-A blocks of each stage, width of the FC layers.
TABLE_1: dict[str, dict[str, Any]] = {
    "1x": {"channels": (32, 128, 256, 384), "stage_repeats": (7, 10, 7), "feature_dimension": 512},
    "2x": {"channels": (36, 240, 320, 480), "stage_repeats": (8, 11, 8), "feature_dimension": 960},
}

_A = {"blocks": "inception", "pooling": "average"}
#: The architecture of each column of the ablation (Table 2). "HA-CNN", the baseline, has classifiers with bias; it and
#: column a are read as trained without a metric loss, because the row "soft triplet" is empty there.
TABLE_2: dict[str, dict[str, Any]] = {
    "HA-CNN": {"size": "1x", **_A, "feature_normalization": "none", "classifier_bias": True},
    "a": {"size": "1x", **_A, "feature_normalization": "none"},
    "b": {"size": "2x", "feature_normalization": "none"},
    "c": {"size": "2x", "blocks": "inception"},
    "d": {"size": "2x"},  # no soft margin: a matter of the loss
    "e": {"size": "2x", "pooling": "average"},
    "f": {"size": "1x"},
    "g": {"size": "1x"},  # f and then SWAG
    "h": {"size": "2x"},
    "Robust-ReID": {"size": "2x"},  # h and then SWAG
}

#: The architecture of the three setups on which schedules and SWAG are compared (Table 3).
TABLE_3: dict[int, dict[str, Any]] = {1: {"size": "1x", **_A}, 2: TABLE_2["f"], 3: TABLE_2["h"]}

#: What each layout fixes unless an option says otherwise: the paper's, and that of the one public re-implementation
#: (kakusikun/deep-learning-works). The latter starts to add local maps at the last level, so its first local block and
#: first hard attention reach no output; ``first_chained_level=1`` chains all levels as HA-CNN does.
LAYOUTS: dict[str, dict[str, Any]] = {
    "paper": {
        "pooling": "gem",
        "feature_normalization": "l2",
        "first_chained_level": 1,
        "shuffle_a_kernel_size": 3,
        "shuffle_b_halves": False,
        "local_first": False,
    },
    "kakusikun": {
        "pooling": "fixed_gem",
        "feature_normalization": "l2_features",
        "first_chained_level": 2,
        "shuffle_a_kernel_size": 1,
        "shuffle_b_halves": True,
        "local_first": True,
    },
}

Downsampling = Literal["stage_end", "stage_start"]


class RobustReID(HarmoniousAttentionNetwork):
    """Robust-ReID (Table 1, Fig. 4); see :class:`HarmoniousAttentionNetwork` for what goes in and out."""

    #: parts of the keys that the classifiers of published checkpoints have
    published_classifier_parts = ("local_head", "global_head")

    def published_key_layouts(self) -> dict[str, Callable[[str], str]]:
        """Return the namings of published checkpoints: each maps a key of this class to the published key."""
        return {"kakusikun robust_hacnn": _kakusikun_key}


def _kakusikun_key(key: str) -> str:
    for pattern, replacement in (
        (r"^stem\.", "backbone.conv."),
        (r"^stages\.(\d+)\.(\d+)\.", r"backbone.stages.\1.\2.block."),
        (r"^local_blocks\.(\d)\.", r"local_branch.local.\1.block."),
        (r"\.block\.main\.", ".block.branch_main."),
        (r"\.block\.projection\.", ".block.branch_proj."),
        (r"^attentions\.", "backbone.has."),
        (r"^fc_global\.", "backbone.global_fc."),
        (r"^fc_local\.", "local_branch.local_fc."),
        (r"^classifier_(global|local)\.", r"\1_head.id_fc."),
    ):
        key = re.sub(pattern, replacement, key)
    return attention_key(key)


def robust_reid(
    *,
    num_classes: int = 0,
    size: Literal["1x", "2x"] = "1x",
    layout: Literal["paper", "kakusikun"] = "paper",
    blocks: Literal["shuffle", "inception"] = "shuffle",
    pooling: Pooling | None = None,
    feature_normalization: FeatureNormalization | None = None,
    downsampling: Downsampling = "stage_end",
    channels: Sequence[int] | None = None,
    stage_repeats: Sequence[int] | None = None,
    feature_dimension: int | None = None,
    region_sizes: Sequence[tuple[int, int]] = REGION_SIZES,
    convolution_bias: bool = False,
    classifier_bias: bool = False,
    first_chained_level: Literal[1, 2] | None = None,
) -> RobustReID:
    """Build Robust-ReID; the options of the ablations are those of :data:`TABLE_2` and :data:`TABLE_3`.

    Args:
        num_classes: identities; 0 builds no classifiers.
        size: column of Table 1; options below that are ``None`` come from it.
        layout: ``"paper"``, or ``"kakusikun"`` for the blocks of a public re-implementation (:data:`LAYOUTS`).
        blocks: ``"shuffle"``, or HA-CNN's ``"inception"`` blocks. The paper does not say how those are made deeper; at
            2× they get what shuffle stages get, one more block A.
        pooling: of both branches: ``"gem"`` (Eq. 6, one trainable p a branch from 3), ``"fixed_gem"`` (p = 3),
            ``"average"``, ``"max"``, ``"average_and_max"`` (Sec. 3.3).
        feature_normalization: of what the losses take while training, see :class:`HarmoniousAttentionNetwork`. The
            paper puts L2 where others put batch norm, before the classifiers, and feeds both losses with it:
            ``"l2"``.
        downsampling: stride 2 in the last block of a stage (Table 1) or in its first.
        channels: of the stem and the three stages.
        stage_repeats: blocks A in each stage.
        feature_dimension: of each branch; the embedding has twice that.
        region_sizes: (height, width) of regions at each level.
        convolution_bias: batch norm makes it idle.
        classifier_bias: one of the tricks of Table 2's first row is to have none.
        first_chained_level: first level (1 or 2) that adds the local map one level above.

    Raises:
        InputError: an option that is out of range.
    """
    check_option("Robust-ReID", "size", size, tuple(TABLE_1))
    check_option("Robust-ReID", "layout", layout, tuple(LAYOUTS))
    check_option("Robust-ReID", "blocks", blocks, ("shuffle", "inception"))
    check_option("Robust-ReID", "downsampling", downsampling, get_args(Downsampling))
    fixed = TABLE_1[size]
    chosen = {
        "pooling": pooling,
        "feature_normalization": feature_normalization,
        "first_chained_level": first_chained_level,
    }
    of_layout = LAYOUTS[layout] | {option: value for option, value in chosen.items() if value is not None}
    check_option("Robust-ReID", "pooling", of_layout["pooling"], get_args(Pooling))
    check_option(
        "Robust-ReID", "feature_normalization", of_layout["feature_normalization"], get_args(FeatureNormalization)
    )
    check_option("Robust-ReID", "first_chained_level", of_layout["first_chained_level"], (1, 2))
    kernel_size, halves = of_layout.pop("shuffle_a_kernel_size"), of_layout.pop("shuffle_b_halves")
    default_repeats = fixed["stage_repeats"] if blocks == "shuffle" else ((1, 1, 1) if size == "1x" else (2, 2, 2))
    repeats = tuple(default_repeats if stage_repeats is None else stage_repeats)
    if len(repeats) != 3 or min(repeats) < 0:
        raise InputError(f"stage_repeats {list(repeats)} must be three numbers of blocks, such as 7, 10, 7")

    def shuffle_b(incoming: int, outgoing: int, stride: int = 2) -> ShuffleB:
        return ShuffleB(incoming, outgoing, stride=stride, halves=halves, bias=convolution_bias)

    def shuffle_stage(incoming: int, outgoing: int, level: int) -> nn.Sequential:
        first, last = (1, 2) if downsampling == "stage_end" else (2, 1)
        between = (ShuffleA(outgoing, kernel_size=kernel_size, bias=convolution_bias) for _ in range(repeats[level]))
        return nn.Sequential(shuffle_b(incoming, outgoing, first), *between, shuffle_b(outgoing, outgoing, last))

    def inception_b(incoming: int, outgoing: int) -> InceptionB:
        return InceptionB(incoming, outgoing, bias=convolution_bias)

    def inception_stage(incoming: int, outgoing: int, level: int) -> nn.Sequential:
        def widened(count: int, width: int) -> list[nn.Module]:
            widths = [width] + [outgoing] * count
            return [InceptionA(w, outgoing, bias=convolution_bias) for w in widths[:count]]

        if downsampling == "stage_start":
            return nn.Sequential(inception_b(incoming, outgoing), *widened(repeats[level], outgoing))
        blocks_a = widened(repeats[level], incoming)
        return nn.Sequential(*blocks_a, inception_b(outgoing if blocks_a else incoming, outgoing))

    return RobustReID(
        num_classes=num_classes,
        channels=fixed["channels"] if channels is None else channels,
        stage=shuffle_stage if blocks == "shuffle" else inception_stage,
        local_block=shuffle_b if blocks == "shuffle" else inception_b,
        feature_dimension=fixed["feature_dimension"] if feature_dimension is None else feature_dimension,
        convolution_bias=convolution_bias,
        classifier_bias=classifier_bias,
        region_sizes=region_sizes,
        **of_layout,
    )
