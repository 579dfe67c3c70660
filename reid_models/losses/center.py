"""Center loss: images near the learned center of their class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid_models.losses.distances import at_least_single_precision

__all__ = ["CenterLoss", "rescale_center_gradients"]


class CenterLoss(nn.Module):
    """Squared Euclidean distance to the center of the own class (Wen et al., ECCV 2016; strong baseline Eq. 5).

    Summed over the batch and divided by its size: the published code's form, without the ½ of the paper's Eq. 5. (That
    code also limits each distance to [1e-12, 1e12] and counts 1e-12 for every other class, which this leaves out.) The
    strong baseline adds it with weight 5e-4, and the centers learn by their own SGD with learning rate 0.5: see
    :func:`rescale_center_gradients`.

    Args:
        num_classes: number of centers.
        dimension: of the features.
    """

    def __init__(self, num_classes: int, dimension: int) -> None:
        super().__init__()
        #: (num_classes, dimension), drawn from the standard normal distribution
        self.centers = nn.Parameter(torch.randn(num_classes, dimension))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch.

        Args:
            features: (B, dimension) of any floating type; computed in float32 at least.
            labels: (B,) int64 in [0, num_classes).
        """
        offsets = at_least_single_precision(features) - self.centers[labels]
        return offsets.square().sum(dim=1).mean()


def rescale_center_gradients(loss: CenterLoss, weight: float) -> None:
    """Take the loss' weight out of the gradient of its centers, which the weighted total loss has put in.

    Call it between ``backward`` and the step of the centers' own optimizer, as the published strong baseline does; the
    centers then move as if their loss had weight 1. Nothing happens for weight 0 or without a gradient.
    """
    if weight and loss.centers.grad is not None:
        loss.centers.grad /= weight
