"""Spatial alignment loss of MSINet: the images of a batch should answer to one another at the same positions."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from reid_models.errors import InputError
from reid_models.losses.distances import at_least_single_precision, unit_vectors

__all__ = ["AlignmentMode", "SpatialAlignment"]

#: which pairs of an image are aligned
AlignmentMode = Literal["pos", "neg", "pos_neg", "unified"]


class SpatialAlignment(nn.Module):
    """Mean of 1 − cosine similarity between correlation activations a(i, j) of an image i (MSINet Eq. 8).

    ``"pos"``: a(i, p) of every positive p against â(i), the image's own position activation (row "PAM-Self" of Table 5
    together with ``"neg"``). Scores without that row align positives among themselves ("Self", "Separated").
    ``"neg"``: a(i, n₁) against a(i, n₂) for all negatives n₁, n₂.
    ``"pos_neg"``: the sum of both.
    ``"unified"``: all images of the batch among themselves, whatever their identities; â is not used.

    As in the published code an image is one of its own positives, n₁ = n₂ counts among the pairs of negatives, and
    those pairs are averaged, where Eq. 8 divides their sum by the number of negatives only. Each image's terms are
    averaged first, then the images. In a batch of one identity the term of negatives is 0. MSINet-SAM weights the loss
    with 2.

    Args:
        mode: see above.

    Raises:
        InputError: an unknown mode.
    """

    def __init__(self, mode: AlignmentMode = "pos_neg") -> None:
        super().__init__()
        if mode not in get_args(AlignmentMode):
            raise InputError(f"alignment has no mode {mode!r}: choose one of {', '.join(get_args(AlignmentMode))}")
        self.mode = mode

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over images.

        Args:
            scores: (B + 1, B, H · W) of any floating type, computed in float32 at least: entry [i, j] is a(i, j)
                (Eq. 7), row B holds â; or (B, B, H · W) without it. They come from
                :mod:`reid_models.architectures.spatial_alignment`, which says whose positions they run over.
            labels: (B,) integer identities.

        Raises:
            InputError: scores of another shape.
        """
        batch = len(labels)
        if scores.ndim != 3 or scores.shape[0] not in (batch, batch + 1) or scores.shape[1] != batch:
            raise InputError(
                f"alignment scores of shape {tuple(scores.shape)} for {batch} labels: give (B + 1, B, H · W) or "
                "(B, B, H · W)"
            )
        with torch.autocast(scores.device.type, enabled=False):
            directions = unit_vectors(at_least_single_precision(scores))
            activations, own = directions[:batch], directions[batch:]
            same = labels[:, None] == labels[None, :]
            if self.mode == "unified":
                return _disagreement(activations, torch.ones_like(same))
            total = scores.new_zeros((), dtype=activations.dtype)
            if self.mode != "neg" and len(own):
                similarities = (own[0][:, None] * activations).sum(dim=2)
                total = total + (1 - (similarities * _mean_weights(same, similarities.dtype)).sum(dim=1)).mean()
            elif self.mode != "neg":
                total = total + _disagreement(activations, same)
            if self.mode != "pos":
                total = total + _disagreement(activations, ~same)
            return total


def _disagreement(directions: Tensor, pairs: Tensor) -> Tensor:
    """Return the mean of 1 − u · v over all pairs (u, v) of a row's vectors, averaged over rows (0 for one without).

    The mean of u · v over all pairs is the squared length of the mean vector: no pair needs to be visited.
    """
    mean = torch.einsum("ij,ijp->ip", _mean_weights(pairs, directions.dtype), directions)
    return ((1 - mean.square().sum(dim=1)) * pairs.any(dim=1)).mean()


def _mean_weights(pairs: Tensor, dtype: torch.dtype) -> Tensor:
    return pairs.to(dtype) / pairs.sum(dim=1, keepdim=True).clamp(min=1)
