"""Cluster memory: one slowly moving feature per identity to classify against."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid_models.errors import InputError
from reid_models.losses.distances import at_least_single_precision, unit_vectors

__all__ = ["ClusterMemory"]


class ClusterMemory(nn.Module):
    """Contrastive loss against a memory of all identities (MSINet Eq. 2 and 3), the only loss of its search.

    −log softmax(f · c / τ) at the image's own identity, f the L2-normalised feature, averaged over the batch. Each
    backward pass through the loss then moves the memory, one image after the other: c ← β c + (1 − β) f, normalised
    again. Gradients are those of the memory that the loss was computed with, and none flow into it. A loss that is
    never propagated back, or computed without gradients, leaves the memory as it is. Where training is spread over
    several processes, each moves its own memory with its own images.

    Args:
        num_classes: rows of the memory.
        dimension: of the features.
        temperature: τ.
        momentum: β, the share of the old row that is kept.

    Raises:
        InputError: a temperature that is not positive, or a momentum outside [0, 1].
    """

    #: (num_classes, dimension) float32, zero at first; saved with the state
    features: Tensor

    def __init__(self, num_classes: int, dimension: int, *, temperature: float = 0.05, momentum: float = 0.2) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(f"temperature = {temperature} of the memory is not above 0: the paper uses 0.05")
        if not 0 <= momentum <= 1:
            raise InputError(f"momentum = {momentum} of the memory is not in [0, 1]: the paper uses 0.2")
        self.temperature = temperature
        self.momentum = momentum
        self.register_buffer("features", torch.zeros(num_classes, dimension))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch; its backward pass updates the memory.

        Args:
            features: (B, dimension) of any floating type; computed in float32 at least, autocast or not.
            labels: (B,) int64 in [0, num_classes).
        """
        with torch.autocast(features.device.type, enabled=False):
            features = unit_vectors(at_least_single_precision(features))
            if features.requires_grad:
                # A hook on a tensor runs once its gradient is complete: the loss has then used the memory.
                images = features.detach()
                features.register_hook(lambda _: self._update(images, labels))
            # A copy, so that updates between this pass and its backward pass do not change the gradient.
            memory = self.features.to(features.dtype, copy=True)
            return functional.cross_entropy(features @ memory.t() / self.temperature, labels)

    @torch.no_grad()
    def _update(self, features: Tensor, labels: Tensor) -> None:
        # Images of different identities touch different rows: only those of one identity must wait for one another.
        same = labels[:, None] == labels[None, :]
        turns = same.tril(diagonal=-1).sum(dim=1)
        for turn in range(int(turns.max()) + 1):
            now = turns == turn
            rows, images = labels[now], features[now].to(self.features.dtype)
            moved = self.momentum * self.features[rows] + (1 - self.momentum) * images
            self.features[rows] = functional.normalize(moved)
