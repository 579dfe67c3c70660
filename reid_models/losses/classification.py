"""Cross entropy with smoothed labels."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid_models.errors import InputError
from reid_models.losses.distances import at_least_single_precision

__all__ = ["CrossEntropy", "Smoothing"]

#: where the share ε that the true class gives away goes
Smoothing = Literal["uniform", "others", "adaptive"]


class CrossEntropy(nn.Module):
    """Cross entropy against smoothed labels (Szegedy et al., CVPR 2016), the identity loss of all five papers.

    With K classes, and ε the label smoothing, the target of an image is

    - ``"uniform"``: (1 − ε) one-hot + ε / K. All papers (strong baseline Eq. 1: 1 − (K − 1) / K · ε for the true class
      and ε / K for the others, which is the same).
    - ``"others"``: 1 − ε for the true class, ε / (K − 1) for each other (fast-reid).
    - ``"adaptive"``: as ``"others"``, with ε multiplied by the network's own probability of the true class, through
      which no gradient flows: what the network knows well is smoothed most (fast-reid, where ε is 0.2).

    Args:
        label_smoothing: ε in [0, 1); 0 is plain cross entropy in every form.
        form: see above.

    Raises:
        InputError: ε outside [0, 1), or an unknown form.
    """

    def __init__(self, label_smoothing: float = 0.1, form: Smoothing = "uniform") -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing = {label_smoothing} is not in [0, 1): the papers use 0.1")
        if form not in get_args(Smoothing):
            raise InputError(f"cross entropy has no form {form!r}: choose one of {', '.join(get_args(Smoothing))}")
        self.label_smoothing = label_smoothing
        self.form = form

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch.

        Args:
            logits: (B, K) of any floating type; computed in float32 at least.
            labels: (B,) int64 in [0, K).
        """
        logits = at_least_single_precision(logits)
        if self.form == "uniform":
            return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        log_probabilities = functional.log_softmax(logits, dim=1)
        true = log_probabilities.gather(1, labels[:, None]).squeeze(1)
        others = (log_probabilities.sum(dim=1) - true) / max(logits.shape[1] - 1, 1)
        smoothing = torch.full_like(true, self.label_smoothing)
        if self.form == "adaptive":
            smoothing = smoothing * true.detach().exp()
        return -((1 - smoothing) * true + smoothing * others).mean()
