"""torchvision's ResNet as the trunk of a ReID network, and its ImageNet weights."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from torch import nn
from torchvision.models import resnet

from reid_models.checkpoints import read_state_dict
from reid_models.errors import InputError

__all__ = ["ResNetName", "check_option", "load_imagenet_trunk", "remove_stride", "resnet_trunk", "trunk_channels"]

ResNetName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]

_SHOWN_KEYS = 3


def resnet_trunk(
    name: ResNetName = "resnet50", *, last_stride: Literal[1, 2] = 2, stem_relu: bool = True
) -> nn.Sequential:
    """Build the stages of a ResNet up to layer4, with torchvision's names, so that its weights fit by key.

    (B, 3, H, W) → (B, 2048, H / 32, W / 32), or (B, 2048, H / 16, W / 16) with ``last_stride`` 1; 512 channels for
    ``resnet18`` and ``resnet34``. Weights are drawn as torchvision draws them.

    Args:
        name: depth.
        last_stride: of layer4 (conv5 in the ResNet paper); 1 doubles the resolution of the last maps.
        stem_relu: the ReLU between the stem's batch norm and max-pool.

    Raises:
        InputError: an option that is out of range.
    """
    check_option("ResNet", "backbone", name, get_args(ResNetName))
    check_option("ResNet", "last_stride", last_stride, (1, 2))
    network = getattr(resnet, name)(weights=None, num_classes=1)
    if last_stride == 1:
        remove_stride(network.layer4)
    left_out = {"avgpool", "fc"} if stem_relu else {"avgpool", "fc", "relu"}
    return nn.Sequential(OrderedDict((key, stage) for key, stage in network.named_children() if key not in left_out))


def remove_stride(stage: nn.Module) -> None:
    """Make a stage keep the resolution of its input, with the same weights: "last stride 1"."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)


def trunk_channels(trunk: nn.Sequential) -> int:
    """Return the number of channels of the last maps of :func:`resnet_trunk`."""
    last_norm = [module for module in trunk.modules() if isinstance(module, nn.BatchNorm2d)][-1]
    return last_norm.num_features


def load_imagenet_trunk(
    parts: Sequence[nn.Module], checkpoint: str | os.PathLike[str] | Mapping[str, Any], name: ResNetName
) -> None:
    """Fill ``parts``, whose keys are torchvision's, from torchvision's weights; nothing changes when they do not fit.

    Together the parts must hold every key of the ResNet but those of its classifier ``fc``, which is left out. A key
    that several parts have goes to all of them: MGN's branches start from equal weights.

    Args:
        parts: modules made of stages of :func:`resnet_trunk`.
        checkpoint: state dict of ``torchvision.models.resnet50`` (or of ``name``), or a file of it.
        name: depth, for the message.

    Raises:
        InputError: keys missing, unexpected, or of another shape (the first few are named, with their number), or no
            checkpoint at all.
    """
    source = "the state dict" if isinstance(checkpoint, Mapping) else str(checkpoint)
    state = {key: value for key, value in read_state_dict(checkpoint).items() if not key.startswith("fc.")}
    wanted = {key: tensor for part in parts for key, tensor in part.state_dict().items()}
    # Files from before PyTorch 0.4.1, among them torchvision's first ResNets, count no batches.
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in wanted]
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in state and state[key].shape != tensor.shape
    ]
    problems = [
        f"{len(keys)} {word} ({_first(keys)})"
        for word, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if keys
    ]
    if problems:
        raise InputError(
            f"{source} holds no ImageNet weights of {name}: keys {', '.join(problems)}; "
            f"give the state dict of torchvision.models.{name}"
        )
    for part in parts:
        part.load_state_dict({key: state[key] for key in part.state_dict() if key in state}, strict=False)


def check_option(model: str, option: str, value: object, known: Sequence[object]) -> None:
    """Raise :class:`InputError` when ``value`` is none of ``known``.

    A bool is no number here: ``last_stride=True`` is refused though it equals 1.
    """
    if not any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in known):
        raise InputError(f"the {model} option {option} = {value!r} is not one of {', '.join(map(str, known))}")


def _first(keys: Sequence[str]) -> str:
    rest = len(keys) - _SHOWN_KEYS
    return ", ".join(keys[:_SHOWN_KEYS]) + (f" and {rest} more" if rest > 0 else "")
