"""MGN: one ResNet-50 that splits into a global branch and branches that look at horizontal stripes.

Wang et al., "Learning Discriminative Features with Multiple Granularities for Person Re-Identification", ACM MM 2018.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid_models.architectures.layers import ConvolutionNorm
from reid_models.architectures.resnet import (
    ResNetName,
    check_option,
    load_imagenet_trunk,
    remove_stride,
    resnet_trunk,
    trunk_channels,
)
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput

__all__ = ["TABLE_5", "MultipleGranularityNetwork", "mgn"]

Pooling = Literal["max", "average"]
GlobalSoftmax = Literal["before_reduction", "after_reduction"]

#: The rows of Table 5 of the paper that are one network → options. "Branch" rows train the whole MGN and test the
#: feature of one branch; "Single" rows train that branch alone. Whether triplet loss is used ("TP") is the recipe's
#: matter, but without it the globals are classified after reduction (Sec. 4.4). "ResNet-50+TP" is "Global (Single)".
#: "G+P2+P3 (Single)" is an ensemble of three networks.
TABLE_5: dict[str, dict[str, Any]] = {
    "ResNet-50": {"branches": (1,), "global_softmax": "after_reduction"},
    "ResNet-101": {"branches": (1,), "global_softmax": "after_reduction", "backbone": "resnet101"},
    "ResNet-50+TP": {"branches": (1,)},
    "Global (Branch)": {"test_branches": (1,)},
    "Part-2 (Single)": {"branches": (2,)},
    "Part-2 (Branch)": {"test_branches": (2,)},
    "Part-3 (Single)": {"branches": (3,)},
    "Part-3 (Branch)": {"test_branches": (3,)},
    "MGN w/o Part-3": {"branches": (1, 2)},
    "MGN w/ Part-4": {"branches": (1, 2, 3, 4)},
    "MGN (Part2+4)": {"branches": (1, 2, 4)},
    "MGN (Part3+4)": {"branches": (1, 3, 4)},
    "MGN w/o TP": {"global_softmax": "after_reduction"},
    "MGN": {},
}


class MultipleGranularityNetwork(nn.Module):
    """Multiple Granularity Network (Fig. 3, Table 1).

    In evaluation mode images (B, 3, H, W) → test embedding (B, 8 · 256), not normalised: the reduced features of the
    three globals, of the two stripes and of the three stripes, top to bottom, g1 g2 g3 p2_0 p2_1 p3_0 p3_1 p3_2. The
    published figures compare the sum of it and the mirrored image's by cosine distance. In training mode a
    :class:`ModelOutput` with eight logits in that order and the three reduced globals, which triplet loss takes.

    A branch wants H to be a multiple of 16 times its number of stripes, as 384 is for all of them; with other heights
    neighbouring stripes share a row of the maps, and the network cannot be exported to ONNX.

    Args:
        num_classes: identities; 0 builds no classifiers.
        backbone: the trunk; the paper's is ResNet-50.
        branches: number of stripes of each branch, ascending; 1 is the Global Branch, N > 1 the Part-N Branch.
        test_branches: the branches whose features make the test embedding; others do not run at test.
        pooling, global_softmax, classifier_bias, shared_reduction, reduced_dimension: see :func:`mgn`.
    """

    #: what classifier keys of published files contain
    published_classifier_parts: tuple[str, ...] = ("fc_id",)

    def __init__(
        self,
        *,
        num_classes: int = 0,
        backbone: ResNetName = "resnet50",
        branches: Sequence[int] = (1, 2, 3),
        test_branches: Sequence[int] | None = None,
        pooling: Pooling = "max",
        global_softmax: GlobalSoftmax = "before_reduction",
        classifier_bias: bool = False,
        shared_reduction: bool = False,
        reduced_dimension: int = 256,
    ) -> None:
        super().__init__()
        self.backbone: ResNetName = backbone
        self.stripes = tuple(branches)
        self.test_stripes = self.stripes if test_branches is None else tuple(test_branches)
        self.pooling = pooling
        self.global_softmax = global_softmax
        self.shared_reduction = shared_reduction
        stages = resnet_trunk(backbone)
        channels = trunk_channels(stages)
        stage3, stage4 = stages[-2:]
        assert isinstance(stage3, nn.Sequential)
        # A slice keeps the names of its blocks, so every part below has torchvision's keys.
        self.trunk = stages[:-2]
        self.trunk.add_module("layer3", stage3[:1])
        rest = nn.Sequential()
        rest.add_module("layer3", stage3[1:])
        rest.add_module("layer4", stage4)
        # Equal at first, as in the paper, which fills all of them with the same pretrained weights (Sec. 4.1).
        self.branches = nn.ModuleDict({_branch(count): deepcopy(rest) for count in self.stripes})
        for name, branch in self.branches.items():
            if name != "global":
                assert isinstance(branch, nn.Sequential)
                remove_stride(branch[1])
        names = _head_names(self.stripes)
        self.reductions = nn.ModuleDict(
            {
                name: _initialized(ConvolutionNorm(channels, reduced_dimension))
                for name in (["shared"] if shared_reduction else names)
            }
        )
        self.classifiers = nn.ModuleDict()
        for name in names if num_classes else []:
            before = global_softmax == "before_reduction" and _is_global(name)
            classifier = nn.Linear(channels if before else reduced_dimension, num_classes, bias=classifier_bias)
            nn.init.kaiming_normal_(classifier.weight, mode="fan_out")
            if classifier_bias:
                nn.init.zeros_(classifier.bias)
            self.classifiers[name] = classifier

    def feature_maps(self, images: Tensor) -> dict[str, Tensor]:
        """Return :meth:`branch_maps` under names to show, for activation maps."""
        return {"global" if count == 1 else f"part-{count}": maps for count, maps in self.branch_maps(images).items()}

    def branch_maps(self, images: Tensor, stripes: Sequence[int] | None = None) -> dict[int, Tensor]:
        """Return the last maps of each branch (Fig. 5) by its number of stripes.

        (B, 2048, H / 32, W / 32) for the Global Branch, (B, 2048, H / 16, W / 16) for the others.

        Args:
            images: (B, 3, H, W).
            stripes: which branches run; ``None``: all.
        """
        shared = self.trunk(images)
        return {
            count: self.branches[_branch(count)](shared) for count in (self.stripes if stripes is None else stripes)
        }

    def forward(self, images: Tensor) -> Tensor | ModelOutput:
        stripes = self.stripes if self.training else self.test_stripes
        pooled = self._pool(self.branch_maps(images, stripes))
        reduced = {
            name: self.reductions["shared" if self.shared_reduction else name](vector).flatten(1)
            for name, vector in pooled.items()
        }
        if not self.training:
            return torch.cat(list(reduced.values()), dim=1)
        logits = []
        for name, classifier in self.classifiers.items():
            before = self.global_softmax == "before_reduction" and _is_global(name)
            logits.append(classifier(pooled[name].flatten(1) if before else reduced[name]))
        return ModelOutput(tuple(logits), tuple(reduced[name] for name in reduced if _is_global(name)))

    def _pool(self, maps: Mapping[int, Tensor]) -> dict[str, Tensor]:
        """Return the pooled vectors (B, 2048, 1, 1) by head: all globals first, then the stripes."""
        if torch.onnx.is_in_onnx_export():
            _check_heights(maps)
        pool = functional.adaptive_max_pool2d if self.pooling == "max" else functional.adaptive_avg_pool2d
        globals_ = [pool(branch, (1, 1)) for branch in maps.values()]
        parts = [
            stripe for count, branch in maps.items() if count > 1 for stripe in pool(branch, (count, 1)).split(1, dim=2)
        ]
        return dict(zip(_head_names(tuple(maps)), globals_ + parts, strict=True))

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Fill the trunk, and every branch alike, with the state dict of torchvision's ResNet of the same depth.

        Raises:
            InputError: weights of something else; the model is left untouched.
        """
        load_imagenet_trunk([self.trunk, *self.branches.values()], state, self.backbone)

    def published_key_layouts(self) -> dict[str, Callable[[str], str]]:
        """Return the namings of published checkpoints: each maps a key of this class to the published key.

        The one reduction of ReID-MGN fills all eight of a network built without ``shared_reduction``: the embeddings
        are equal.
        """
        return {
            "MGN-pytorch": lambda key: self._published_key(key, trunk="backone", reduction="reduction_{}"),
            "ReID-MGN": lambda key: self._published_key(key, trunk="backbone", reduction="reduction"),
        }

    def _published_key(self, key: str, *, trunk: str, reduction: str) -> str:
        module, name, rest = key.split(".", 2)
        if module == "trunk":
            stage = list(dict(self.trunk.named_children())).index(name)
            return f"{trunk}.{stage}.{rest.removeprefix('0.') if name == 'layer3' else rest}"
        if module == "branches":
            number = [_branch(count) for count in self.stripes].index(name) + 1
            stage3 = re.match(r"layer3\.(\d+)\.(.*)", rest)
            if stage3:
                return f"p{number}.0.{int(stage3[1]) - 1}.{stage3[2]}"
            return f"p{number}.1.{rest.removeprefix('layer4.')}"
        if module == "reductions":
            number = 0 if name == "shared" else _head_names(self.stripes).index(name)
            layer = rest.replace("conv.", "0.").replace("norm.", "1.")
            return f"{reduction.format(number)}.{layer}"
        branch, _, part = name.partition("_")
        number = [_branch(count) for count in self.stripes].index(branch)
        return f"fc_id_2048_{number}.{rest}" if _is_global(name) else f"fc_id_256_{number}_{part}.{rest}"


def _branch(stripes: int) -> str:
    return "global" if stripes == 1 else f"part{stripes}"


def _head_names(stripes: Sequence[int]) -> list[str]:
    """Return the names of all features in their order: every branch's global, then every branch's stripes."""
    parts = [f"{_branch(count)}_{index}" for count in stripes if count > 1 for index in range(count)]
    return ["global" if count == 1 else f"{_branch(count)}_global" for count in stripes] + parts


def _is_global(name: str) -> bool:
    return name.endswith("global")


def _check_heights(maps: Mapping[int, Tensor]) -> None:
    """Refuse stripes that overlap: ONNX has no such pooling, and PyTorch's own message is the whole graph."""
    with warnings.catch_warnings():
        # While a graph is traced sizes are tensors; these are fixed in it on purpose.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        heights = {count: int(branch.shape[2]) for count, branch in maps.items()}
    for count, height in heights.items():
        if height % count:
            raise InputError(
                f"MGN's maps of {height} rows cannot be cut into {count} equal stripes, which ONNX needs: give an "
                f"input_size whose height is a multiple of {16 * count}"
            )


def _initialized(reduction: ConvolutionNorm) -> ConvolutionNorm:
    """Draw the first weights of a reduction as the published code does."""
    nn.init.kaiming_normal_(reduction.conv.weight, mode="fan_in")
    assert isinstance(reduction.norm, nn.BatchNorm2d)
    nn.init.normal_(reduction.norm.weight, mean=1.0, std=0.02)
    return reduction


def mgn(
    *,
    num_classes: int = 0,
    pooling: Pooling = "max",
    global_softmax: GlobalSoftmax = "before_reduction",
    classifier_bias: bool = False,
    shared_reduction: bool = False,
    branches: Sequence[int] = (1, 2, 3),
    test_branches: Sequence[int] | None = None,
    reduced_dimension: int = 256,
    backbone: ResNetName = "resnet50",
) -> MultipleGranularityNetwork:
    """Build an MGN; the rows of Table 5 are options (see :data:`TABLE_5`).

    The paper's authors published no code. The defaults are the paper's, which made the published figures; the two
    re-implementations whose checkpoints load here, seathiefwang/MGN-pytorch and GNAYUOHZ/ReID-MGN, differ:

    - both classify the globals after reduction and with biases: ``global_softmax="after_reduction"``,
      ``classifier_bias=True`` (needed to load their classifiers, not for their embeddings);
    - MGN-pytorch averages unless told otherwise: ``pooling="average"``. Nothing in a checkpoint tells which it was
      trained with;
    - ReID-MGN has one reduction for all eight features: ``shared_reduction=True``, needed to train as it does.

    Args:
        num_classes: identities; 0 builds no classifiers.
        pooling: of whole maps and of stripes alike.
        global_softmax: the classifiers of the globals take the pooled 2048 values (``"before_reduction"``, Sec. 3.2)
            or the reduced 256.
        classifier_bias: Eq. 1 has none.
        shared_reduction: one 1×1 convolution, batch norm and ReLU for all features instead of one each.
        branches: number of stripes of each branch, ascending; 1 is the Global Branch.
        test_branches: the branches whose features make the test embedding, by default all.
        reduced_dimension: length of each feature in the embedding.
        backbone: the trunk.

    Raises:
        InputError: an option that is out of range.
    """
    check_option("MGN", "pooling", pooling, ("max", "average"))
    check_option("MGN", "global_softmax", global_softmax, ("before_reduction", "after_reduction"))
    check_option("MGN", "classifier_bias", classifier_bias, (False, True))
    check_option("MGN", "shared_reduction", shared_reduction, (False, True))
    _check_branches("branches", branches, range(1, 9))
    if test_branches is not None:
        _check_branches("test_branches", test_branches, branches)
    if isinstance(reduced_dimension, bool) or not isinstance(reduced_dimension, int) or reduced_dimension < 1:
        raise InputError(f"the MGN option reduced_dimension = {reduced_dimension!r} must be a positive whole number")
    return MultipleGranularityNetwork(
        num_classes=num_classes,
        backbone=backbone,
        branches=branches,
        test_branches=test_branches,
        pooling=pooling,
        global_softmax=global_softmax,
        classifier_bias=classifier_bias,
        shared_reduction=shared_reduction,
        reduced_dimension=reduced_dimension,
    )


def _check_branches(option: str, values: Sequence[int], known: Sequence[int]) -> None:
    usable = (
        isinstance(values, (list, tuple))
        and len(values) > 0
        and all(isinstance(value, int) and not isinstance(value, bool) and value in known for value in values)
        and list(values) == sorted(set(values))
    )
    if not usable:
        raise InputError(
            f"the MGN option {option} = {values!r} must be numbers of stripes out of {', '.join(map(str, known))}, "
            "ascending, such as 1, 2, 3"
        )
