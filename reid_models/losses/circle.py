"""Circle loss: every pair is pushed as strongly as it is far from its optimum."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid_models.errors import InputError
from reid_models.losses.distances import at_least_single_precision, unit_vectors

__all__ = ["CircleLoss"]


class CircleLoss(nn.Module):
    """Pair similarity optimisation with weights of its own for every pair (Sun et al., CVPR 2020, Eq. 6 to 8).

    Per anchor, with cosine similarities s: softplus(logsumexp_n γ αₙ (sₙ − m) + logsumexp_p −γ αₚ (sₚ − 1 + m)), where
    αₙ = max(0, sₙ + m) and αₚ = max(0, 1 + m − sₚ) have no gradient. An anchor is none of its own positives; one
    without a positive or without a negative in the batch is left out of the mean, and a batch of such gives zero.

    Args:
        margin: m.
        scale: γ; the default is that of fast-reid, the paper uses 128 for ReID.

    Raises:
        InputError: a scale that is not positive.
    """

    def __init__(self, margin: float = 0.25, scale: float = 64.0) -> None:
        super().__init__()
        if not scale > 0:
            raise InputError(f"scale = {scale} of the circle loss is not above 0: the paper uses 128")
        self.margin = margin
        self.scale = scale

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over anchors that have both a positive and a negative, 0 if none has.

        Args:
            features: (B, D) of any floating type; computed in float32 at least, autocast or not.
            labels: (B,) integer identities.
        """
        with torch.autocast(features.device.type, enabled=False):
            features = unit_vectors(at_least_single_precision(features))
            similarities = features @ features.t()
            same = labels[:, None] == labels[None, :]
            positives = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
            pulls = (1 + self.margin - similarities.detach()).clamp(min=0) * (1 - self.margin - similarities)
            pushes = (similarities.detach() + self.margin).clamp(min=0) * (similarities - self.margin)
            strengths = self._log_sum(pulls, positives) + self._log_sum(pushes, ~same)
            present = positives.any(dim=1) & ~same.all(dim=1)
            losses = functional.softplus(strengths).masked_fill(~present, 0)
            return losses.sum() / present.sum().clamp(min=1)

    def _log_sum(self, values: Tensor, pairs: Tensor) -> Tensor:
        # Half of the lowest number: two rows without any pair may be added.
        nothing = torch.finfo(values.dtype).min / 2
        return (self.scale * values).masked_fill(~pairs, nothing).logsumexp(dim=1)
