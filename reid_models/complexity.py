"""How large a network is and what one image costs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["count_multiply_adds", "count_parameters"]


def count_parameters(model: nn.Module, *, with_classifier: bool = False) -> int:
    """Return the number of unique parameters.

    Args:
        model: any network; its classifiers are the modules whose name begins with ``classifier``.
        with_classifier: count those too; the published counts leave them out.
    """
    seen: set[int] = set()
    total = 0
    for name, parameter in model.named_parameters():
        is_classifier = any(part.startswith("classifier") for part in name.split("."))
        if (with_classifier or not is_classifier) and id(parameter) not in seen:
            seen.add(id(parameter))
            total += parameter.numel()
    return total


@torch.no_grad()
def count_multiply_adds(model: nn.Module, input_size: tuple[int, int]) -> int:
    """Return the multiply-adds of one image in evaluation mode: convolutions and linear layers only, every call.

    Args:
        model: any network with one image input (B, 3, H, W).
        input_size: (height, width) in pixels.
    """
    total = 0

    def count(module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            per_value = module.in_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
        else:
            assert isinstance(module, nn.Linear)
            per_value = module.in_features
        total += output.numel() * per_value

    counted = [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [module.register_forward_hook(count) for module in counted]
    modes = [(module, module.training) for module in model.modules()]
    reference = next(model.parameters())
    try:
        model.eval()
        model(torch.zeros(1, 3, *input_size, device=reference.device, dtype=reference.dtype))
    finally:
        for module, mode in modes:
            module.training = mode
        for hook in hooks:
            hook.remove()
    return total
