"""Losses for attributes: several labels per image, most of them rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid_models.errors import InputError
from reid_models.losses.distances import at_least_single_precision

__all__ = ["AttributeWeighting", "WeightedMultiLabel"]

#: what a rare attribute makes weigh more
AttributeWeighting = Literal["attribute", "label"]


class WeightedMultiLabel(nn.Module):
    """Weighted sigmoid cross entropy (Li et al., "DeepMAR", ACPR 2015), which OSNet uses for PA-100K (supplement B).

    −w (y log σ(x) + (1 − y) log(1 − σ(x))) for logit x and label y of attribute l, p the share of training images that
    have it:

    - ``"attribute"``: w = exp(−p / s²), the same for both labels: the formula of DeepMAR, s = 1. The OSNet authors'
      code for attributes has it, averaged over attributes.
    - ``"label"``: w = exp((1 − p) / s²) where y = 1, exp(p / s²) where y = 0: the rarer label weighs more (later public
      code for the same network).

    Args:
        positive_ratios: (A,) p of each attribute, in [0, 1].
        weighting: see above.
        sigma: s.
        reduction: over attributes: ``"mean"``, or ``"sum"`` as DeepMAR writes it, which is A times that. The batch is
            averaged in both.

    Raises:
        InputError: ratios that are not a list of numbers in [0, 1], s ≤ 0, or an unknown weighting or reduction.
    """

    positive_ratios: Tensor

    def __init__(
        self,
        positive_ratios: Tensor | Sequence[float],
        weighting: AttributeWeighting = "attribute",
        sigma: float = 1.0,
        reduction: Literal["mean", "sum"] = "mean",
    ) -> None:
        super().__init__()
        ratios = torch.as_tensor(positive_ratios, dtype=torch.float32)
        if ratios.ndim != 1 or not len(ratios) or not ((ratios >= 0) & (ratios <= 1)).all():
            raise InputError(
                f"positive_ratios of shape {tuple(ratios.shape)} are not shares in [0, 1], one per attribute: give the "
                "mean of the training labels"
            )
        if weighting not in get_args(AttributeWeighting):
            choices = ", ".join(get_args(AttributeWeighting))
            raise InputError(f"the multi-label loss has no weighting {weighting!r}: choose one of {choices}")
        if reduction not in ("mean", "sum"):
            raise InputError(f"the multi-label loss has no reduction {reduction!r}: choose mean or sum")
        if not sigma > 0:
            raise InputError(f"sigma = {sigma} of the multi-label loss is not above 0: DeepMAR uses 1")
        self.weighting = weighting
        self.sigma = sigma
        self.reduction = reduction
        # Known from the data, so not part of a checkpoint.
        self.register_buffer("positive_ratios", ratios.clone(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch.

        Args:
            logits: (B, A) of any floating type, before the sigmoid; computed in float32 at least.
            labels: (B, A) of 0 and 1, any type.
        """
        logits = at_least_single_precision(logits)
        labels = labels.to(logits.dtype)
        shares = self.positive_ratios.to(logits.dtype) / self.sigma**2
        if self.weighting == "attribute":
            weights = torch.exp(-shares).expand_as(logits)
        else:
            weights = torch.where(labels > 0, torch.exp(1 / self.sigma**2 - shares), torch.exp(shares))
        losses = functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="none")
        return losses.mean() if self.reduction == "mean" else losses.sum(dim=1).mean()
