"""Where training starts from: ImageNet's trunk, published weights, or the weights of an earlier run."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from reid_models.checkpoints import load_checkpoint
from reid_models.errors import InputError

__all__ = ["initialize"]


def initialize(
    model: nn.Module, name: str, initialization: str, pretrained: Path | None = None, *, offline: bool = False
) -> None:
    """Give ``model`` the weights that a recipe starts from; classifiers stay as they were drawn.

    Args:
        model: built for training.
        name: its registered name.
        initialization: ``"imagenet"``, a name of published weights, a checkpoint file, or ``"random"`` with
            ``pretrained``.
        pretrained: file that is taken instead: of the trunk alone (ImageNet's ResNet-50) or of the whole network.
        offline: never download.

    Raises:
        InputError: the weights cannot be had or do not fit.
    """
    from reid_models.weights import imagenet_state, resolve_weights

    if pretrained is None and initialization != "imagenet":
        load_checkpoint(model, resolve_weights(name, initialization, offline=offline)[0])
        return
    state = imagenet_state(name, pretrained_file=pretrained, offline=offline)
    load_imagenet = getattr(model, "load_imagenet", None)
    if load_imagenet is None:
        load_checkpoint(model, pretrained if pretrained is not None else state)
        return
    try:
        load_imagenet(state)
    except InputError:
        if pretrained is None:
            raise
        # A file of a whole network of this architecture, such as an earlier run's.
        load_checkpoint(model, pretrained)
