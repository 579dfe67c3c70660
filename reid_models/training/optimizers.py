"""The optimizers of a recipe: one for the network, one for each loss that learns."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from reid_models.training.objective import Objective
from reid_models.training.recipe import OptimizerSettings

__all__ = [
    "LossOptimizers",
    "classifier_parameters",
    "create_optimizer",
    "freeze_batch_norm",
    "train_only_classifiers",
]


def create_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Return the optimizer of all the network's parameters; weight decay applies to all of them, as in the papers."""
    parameters: Iterable[nn.Parameter] = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if settings.kind == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.nesterov,
        )
    if settings.kind == "adamw":
        return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    return torch.optim.Adam(
        parameters, lr=settings.lr, weight_decay=settings.weight_decay, amsgrad=settings.kind == "amsgrad"
    )


class LossOptimizers:
    """SGD for the parameters of losses (centers), whose gradient the loss' weight must not shrink.

    The strong baseline multiplies its center loss by 5e-4 and divides the centers' gradient by that again before their
    own step of SGD (Sec. 3.6 of the paper and its published code).
    """

    def __init__(self, objective: Objective) -> None:
        self._parts = [
            (term.weight, parameters, torch.optim.SGD(parameters, lr=term.learning_rate))
            for term, parameters in objective.own_parameters()
        ]

    def zero_grad(self) -> None:
        """Forget gradients."""
        for _, _, optimizer in self._parts:
            optimizer.zero_grad(set_to_none=True)

    def step(self, scaler: torch.amp.GradScaler | None = None) -> None:
        """Step with each gradient divided by its loss' weight, and by the factor that fp16 has put in.

        With several processes the gradient is their mean, as the network's is, so that all hold the same centers.
        """
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        for weight, parameters, optimizer in self._parts:
            if scaler is not None:
                scaler.unscale_(optimizer)
            for parameter in parameters:
                if parameter.grad is None:
                    continue
                if together:
                    torch.distributed.all_reduce(parameter.grad)
                    parameter.grad /= torch.distributed.get_world_size()
                if weight:
                    parameter.grad /= weight
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)

    def state_dict(self) -> list[dict[str, object]]:
        """Return the optimizers' states, for a checkpoint."""
        return [optimizer.state_dict() for _, _, optimizer in self._parts]

    def load_state_dict(self, states: list[dict[str, object]]) -> None:
        """Restore :meth:`state_dict`."""
        for (_, _, optimizer), state in zip(self._parts, states, strict=True):
            optimizer.load_state_dict(state)


def classifier_parameters(model: nn.Module) -> set[int]:
    """Return the ids of the parameters of the network's classifiers."""
    return {
        id(parameter)
        for name, parameter in model.named_parameters()
        if any(part.startswith("classifier") for part in name.split("."))
    }


def train_only_classifiers(model: nn.Module) -> None:
    """Take the gradients of everything but the classifiers away before a step, and with them weight decay.

    Batch norm uses its running statistics meanwhile, see :func:`freeze_batch_norm`.
    """
    learning = classifier_parameters(model)
    for parameter in model.parameters():
        if id(parameter) not in learning:
            parameter.grad = None


def freeze_batch_norm(model: nn.Module) -> None:
    """Let batch norm use its running statistics while only classifiers learn, as the OSNet authors' code does."""
    for name, module in model.named_modules():
        is_classifier = any(part.startswith("classifier") for part in name.split("."))
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not is_classifier:
            module.eval()
