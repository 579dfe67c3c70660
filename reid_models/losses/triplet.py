"""Triplet losses: an image's own identity must be nearer than all others.

What both losses make of incomplete batches: an image is its own positive at distance zero, as in the published codes,
so an image whose identity has no other one in the batch still pushes strangers away. A batch of one identity only has
no triplet: it gives zero, with zero gradient.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid_models.errors import InputError
from reid_models.losses.distances import at_least_single_precision, pairwise_distances, row_distances, unit_vectors

__all__ = ["BatchHardTriplet", "MiningScope", "WeightedTriplet"]

#: over which pairs the weights of :class:`WeightedTriplet` sum to one
MiningScope = Literal["anchor", "batch"]


class BatchHardTriplet(nn.Module):
    """Each image against its farthest positive and nearest negative (Hermans et al. 2017; Robust-ReID Eq. 3).

    mean over anchors a of max(0, m + max_p d(a, p) − min_n d(a, n)), d the Euclidean distance.

    Args:
        margin: m; ``None``: the soft margin ln(1 + exp(·)) in place of the hinge. Strong baseline and MSINet: 0.3, MGN:
            1.2.
        normalize: give features length 1 first (MSINet).
        squared: squared Euclidean distances; of normalised features they are 2 − 2 cos (fast-reid's cosine distance).

    Raises:
        InputError: a negative margin.
    """

    def __init__(self, margin: float | None = 0.3, normalize: bool = False, squared: bool = False) -> None:
        super().__init__()
        self.margin = _checked_margin(margin)
        self.normalize = normalize
        self.squared = squared

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch, 0 if it has one identity only.

        Args:
            features: (B, D) of any floating type; computed in float32 at least, autocast or not.
            labels: (B,) integer identities.
        """
        with torch.autocast(features.device.type, enabled=False):
            features = at_least_single_precision(features)
            if self.normalize:
                features = unit_vectors(features)
            same = labels[:, None] == labels[None, :]
            with torch.no_grad():
                distances = pairwise_distances(features, squared=True)
                farthest = distances.masked_fill(~same, -torch.inf).argmax(dim=1)
                nearest = distances.masked_fill(same, torch.inf).argmin(dim=1)
            # Only two distances per anchor matter: these are computed again, exactly, and they alone have gradients.
            positives = row_distances(features, features[farthest], squared=self.squared)
            negatives = row_distances(features, features[nearest], squared=self.squared)
            return _mean_loss(positives - negatives, self.margin, same)


class WeightedTriplet(nn.Module):
    """Each image against all others, the hard ones weighing most (Robust-ReID Eq. 4 and 5).

    mean over anchors a of softplus(Σ_p w_p d(a, p) − Σ_n w_n d(a, n)), w_p the softmax of d(a, ·) over the positives
    and w_n that of −d(a, ·) over the negatives; gradients flow through the weights as well. The softmax is a true one
    at every distance: fast-reid adds 1e-6 to its denominator, which loses all negatives beyond a distance of about 12.

    Args:
        margin: ``None``: softplus (Eq. 5); a number m: the hinge max(0, m + ·) (Eq. 4).
        normalize: give features length 1 first (Robust-ReID does).
        scope: ``"anchor"``: weights of one anchor's pairs sum to one (the equations); ``"batch"``: those of all
            positive pairs of the batch do, and those of all its negative pairs, and there is one difference of the two
            sums in place of a mean over anchors (kakusikun's re-implementation of Robust-ReID).
        squared: squared Euclidean distances; of normalised features they are 2 − 2 cos (fast-reid's cosine distance).
        include_self: count the anchor, at distance zero, among its positives, as the published codes do.

    Raises:
        InputError: a negative margin, or an unknown scope.
    """

    def __init__(
        self,
        margin: float | None = None,
        normalize: bool = True,
        scope: MiningScope = "anchor",
        squared: bool = False,
        include_self: bool = True,
    ) -> None:
        super().__init__()
        if scope not in get_args(MiningScope):
            raise InputError(
                f"weighted triplet has no scope {scope!r}: choose one of {', '.join(get_args(MiningScope))}"
            )
        self.margin = _checked_margin(margin)
        self.normalize = normalize
        self.scope = scope
        self.squared = squared
        self.include_self = include_self

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch, or its one term for that scope; 0 if it has one identity only.

        Args:
            features: (B, D) of any floating type; computed in float32 at least, autocast or not.
            labels: (B,) integer identities.
        """
        with torch.autocast(features.device.type, enabled=False):
            features = at_least_single_precision(features)
            if self.normalize:
                features = unit_vectors(features)
            distances = pairwise_distances(features, squared=self.squared)
            same = labels[:, None] == labels[None, :]
            positives = same
            if not self.include_self:
                positives = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
            if self.scope == "batch":
                distances, positives, same = (pairs.view(1, -1) for pairs in (distances, positives, same))
            positive = _weighted_sum(distances, distances, positives)
            negative = _weighted_sum(distances, -distances, ~same)
            return _mean_loss(positive - negative, self.margin, same)


def _weighted_sum(distances: Tensor, exponents: Tensor, pairs: Tensor) -> Tensor:
    # The lowest number instead of −∞: a row without any pair gives zero instead of NaN.
    weights = exponents.masked_fill(~pairs, torch.finfo(exponents.dtype).min).softmax(dim=1)
    return (weights * distances * pairs).sum(dim=1)


def _mean_loss(differences: Tensor, margin: float | None, same: Tensor) -> Tensor:
    losses = functional.softplus(differences) if margin is None else functional.relu(differences + margin)
    return losses.masked_fill(same.all(), 0).mean()


def _checked_margin(margin: float | None) -> float | None:
    if margin is not None and not margin >= 0:
        raise InputError(f"margin = {margin} is below 0: the papers use 0.3 and 1.2, or null for the soft margin")
    return margin
