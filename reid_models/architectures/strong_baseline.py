"""The strong baseline: a ResNet-50, average pooling, and BNNeck between the metric losses and the classifier.

Luo et al., "Bag of Tricks and A Strong Baseline for Deep Person Re-identification", CVPR Workshops 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from torch import Tensor, nn

from reid_models.architectures.resnet import (
    ResNetName,
    check_option,
    load_imagenet_trunk,
    resnet_trunk,
    trunk_channels,
)
from reid_models.outputs import ModelOutput

__all__ = ["TABLE_1", "StrongBaseline", "strong_baseline"]

Neck = Literal["bnneck", "none"]

#: The rungs of Table 1 of the paper → the architectural options. What a rung changes beside them belongs to its recipe:
#: schedule, erasing, label smoothing, center loss.
TABLE_1: dict[str, dict[str, Any]] = {
    "Baseline-S": {"last_stride": 2, "neck": "none"},
    "+warmup": {"last_stride": 2, "neck": "none"},
    "+REA": {"last_stride": 2, "neck": "none"},
    "+LS": {"last_stride": 2, "neck": "none"},
    "+stride=1": {"neck": "none"},
    "+BNNeck": {},
    "+center loss": {},
}


class StrongBaseline(nn.Module):
    """ResNet, global average pooling f_t, BNNeck f_i, classifier (Fig. 2b and 5b).

    In evaluation mode images (B, 3, H, W) → test embedding (B, 2048), not normalised; the published figures compare f_i
    by cosine distance. In training mode a :class:`ModelOutput`: the logits are made from f_i, after batch norm, and the
    one feature is f_t, before it, which triplet and center loss take. Without a neck f_i is f_t.

    Args:
        backbone: the trunk; the paper's is ResNet-50.
        num_classes: identities; 0 builds no classifier.
        last_stride: of the trunk's last stage (Sec. 3.4).
        stem_relu: see :func:`strong_baseline`.
        neck: ``"bnneck"`` (Sec. 3.5), or ``"none"``, the standard baseline with a classifier that has a bias.
        embedding: which side of the neck the test embedding is on (Table 2): ``"after"`` is f_i, ``"before"`` f_t.
        classifier_initialization: see :func:`strong_baseline`; of the neck's classifier only.
    """

    #: what classifier keys of published files contain
    published_classifier_parts: tuple[str, ...] = ("classifier",)

    def __init__(
        self,
        *,
        num_classes: int = 0,
        backbone: ResNetName = "resnet50",
        last_stride: Literal[1, 2] = 1,
        stem_relu: bool = False,
        neck: Neck = "bnneck",
        embedding: Literal["after", "before"] = "after",
        classifier_initialization: Literal["normal", "kaiming"] = "normal",
    ) -> None:
        super().__init__()
        self.backbone: ResNetName = backbone
        self.embedding = embedding
        self.trunk = resnet_trunk(backbone, last_stride=last_stride, stem_relu=stem_relu)
        channels = trunk_channels(self.trunk)
        self.neck: nn.Module = nn.Identity()
        if neck == "bnneck":
            self.neck = nn.BatchNorm1d(channels)
            self.neck.bias.requires_grad_(False)
        self.classifier: nn.Linear | None = None
        if num_classes:
            # Without the neck it keeps PyTorch's default weights, as the published code does.
            self.classifier = nn.Linear(channels, num_classes, bias=neck == "none")
            if neck == "bnneck" and classifier_initialization == "normal":
                nn.init.normal_(self.classifier.weight, std=0.001)
            elif neck == "bnneck":
                nn.init.kaiming_normal_(self.classifier.weight, mode="fan_out")

    def feature_maps(self, images: Tensor) -> Tensor:
        """Return the output of the trunk (B, 2048, H / 16, W / 16), H / 32 and W / 32 with ``last_stride`` 2."""
        maps: Tensor = self.trunk(images)
        return maps

    def forward(self, images: Tensor) -> Tensor | ModelOutput:
        before: Tensor = self.feature_maps(images).mean((2, 3))
        if not self.training and self.embedding == "before":
            return before
        after: Tensor = self.neck(before)
        if not self.training:
            return after
        return ModelOutput(() if self.classifier is None else (self.classifier(after),), (before,))

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Fill the trunk with the state dict of torchvision's ResNet of the same depth.

        Raises:
            InputError: weights of something else; the model is left untouched.
        """
        load_imagenet_trunk([self.trunk], state, self.backbone)

    def published_key_layouts(self) -> dict[str, Callable[[str], str]]:
        """Return the namings of published checkpoints: each maps a key of this class to the published key."""
        return {"reid-strong-baseline": _published_key}


_PUBLISHED_MODULES = {"trunk": "base", "neck": "bottleneck", "classifier": "classifier"}


def _published_key(key: str) -> str:
    module, _, rest = key.partition(".")
    return f"{_PUBLISHED_MODULES[module]}.{rest}"


def strong_baseline(
    *,
    num_classes: int = 0,
    last_stride: Literal[1, 2] = 1,
    stem_relu: bool = False,
    neck: Neck = "bnneck",
    embedding: Literal["after", "before"] = "after",
    classifier_initialization: Literal["normal", "kaiming"] = "normal",
    backbone: ResNetName = "resnet50",
) -> StrongBaseline:
    """Build a strong baseline; what Table 1 changes in the architecture are options (see :data:`TABLE_1`).

    Where paper and published code differ, the default is the code that made the published weights and figures:

    - ``stem_relu``: in the published code the ReLU between the stem's batch norm and max-pool is absent, though it
      starts from ImageNet weights that were trained with it; nothing in a checkpoint tells which it was trained with.
      ``True`` is torchvision's ResNet, as the paper's text has it and as other re-implementations do.
    - ``classifier_initialization``: N(0, 0.001) in the code (``"normal"``); Sec. 3.5 says ``"kaiming"``.

    Args:
        num_classes: identities; 0 builds no classifier.
        last_stride: 1, or 2 as in the original ResNet (Sec. 3.4).
        stem_relu: the ReLU of the stem.
        neck: ``"bnneck"``: batch norm whose bias stays zero, and a classifier without bias (Sec. 3.5); ``"none"``: all
            losses take the pooled feature, and the classifier has a bias.
        embedding: the test embedding is the feature ``"after"`` or ``"before"`` the neck (Table 2).
        classifier_initialization: of the classifier behind BNNeck.
        backbone: the trunk; ResNet-18 and ResNet-34 give embeddings of 512 values instead of 2048.

    Raises:
        InputError: an option that is out of range.
    """
    check_option("strong baseline", "last_stride", last_stride, (1, 2))
    check_option("strong baseline", "stem_relu", stem_relu, (False, True))
    check_option("strong baseline", "neck", neck, ("bnneck", "none"))
    check_option("strong baseline", "embedding", embedding, ("after", "before"))
    check_option("strong baseline", "classifier_initialization", classifier_initialization, ("normal", "kaiming"))
    return StrongBaseline(
        num_classes=num_classes,
        backbone=backbone,
        last_stride=last_stride,
        stem_relu=stem_relu,
        neck=neck,
        embedding=embedding,
        classifier_initialization=classifier_initialization,
    )
