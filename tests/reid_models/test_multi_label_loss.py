"""The weighted loss for attributes against values computed by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from reid_models.losses import WeightedMultiLabel


@pytest.mark.parametrize("weighting", ["attribute", "label"])
@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_multi_label_loss_by_hand(weighting: Any, sigma: float) -> None:
    ratios, logits, labels = (0.5, 0.1), [[0.3, -2.0], [1.5, 4.0]], [[1, 0], [0, 1]]
    total = 0.0
    for row, truth in zip(logits, labels, strict=True):
        for p, x, y in zip(ratios, row, truth, strict=True):
            probability = 1 / (1 + math.exp(-x))
            exponent = -p if weighting == "attribute" else (1 - p if y else p)
            total -= math.exp(exponent / sigma**2) * math.log(probability if y else 1 - probability)
    loss = WeightedMultiLabel(torch.tensor(ratios), weighting, sigma)
    value = loss(torch.tensor(logits), torch.tensor(labels))
    assert value.item() == pytest.approx(total / 4, rel=1e-5)
    summed = WeightedMultiLabel(list(ratios), weighting, sigma, "sum")(torch.tensor(logits), torch.tensor(labels))
    assert summed.item() == pytest.approx(total / 2, rel=1e-5)
    assert not loss.state_dict()


def test_multi_label_loss_is_finite_for_certain_logits() -> None:
    logits, labels = torch.tensor([[1000.0, -1000.0]]), torch.tensor([[0.0, 1.0]])
    leaf = logits.bfloat16().requires_grad_()
    value = WeightedMultiLabel([0.2, 0.7], "label")(leaf, labels)
    value.backward()
    assert leaf.grad is not None
    assert value.dtype == torch.float32 and value.isfinite() and leaf.grad.isfinite().all()
