"""What a ReID network returns while it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["ModelOutput"]


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """The values that losses take; in evaluation mode a network returns its test embedding (B, D) alone.

    Args:
        logits: one (B, number of classes) tensor per classifier; empty for a network built without classes.
        features: one (B, D) tensor per metric loss (triplet, center), in the order of the paper's losses.
        maps: tensors for losses on feature maps (the alignment scores (B + 1, B, H · W) of MSINet-SAM); empty for
            networks that have none.
    """

    logits: tuple[Tensor, ...]
    features: tuple[Tensor, ...]
    maps: tuple[Tensor, ...] = ()
