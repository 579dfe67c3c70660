"""The sum of a recipe's loss terms, computed from what a network returns."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from reid_models import losses
from reid_models.errors import InputError
from reid_models.names import nearest_name_hint
from reid_models.outputs import ModelOutput
from reid_models.training.recipe import LossSettings

__all__ = ["Objective"]

_CLASSES: dict[str, str] = {
    "cross_entropy": "CrossEntropy",
    "batch_hard_triplet": "BatchHardTriplet",
    "weighted_triplet": "WeightedTriplet",
    "center": "CenterLoss",
    "spatial_alignment": "SpatialAlignment",
    "cluster_memory": "ClusterMemory",
    "weighted_multi_label": "WeightedMultiLabel",
    "circle": "CircleLoss",
}
_ON_LOGITS = ("cross_entropy", "weighted_multi_label")
_ON_MAPS = ("spatial_alignment",)
#: losses with a vector per class
_PER_CLASS = ("center", "cluster_memory")


class Objective(nn.Module):
    """Loss terms of a recipe.

    Args:
        settings: the terms.
        sample: output of the network in training mode, which tells how many inputs of which dimension there are.
        num_classes: identities.
        positive_ratios: (A,) share of training images that have each attribute, for the multi-label loss.

    Raises:
        InputError: a term asks for what the network does not return, or has an unknown option.
    """

    def __init__(
        self,
        settings: tuple[LossSettings, ...],
        sample: ModelOutput,
        num_classes: int,
        positive_ratios: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.terms = nn.ModuleList()
        self._inputs: list[list[int]] = []
        for term in settings:
            available = _inputs(term.kind, sample)
            chosen = list(range(len(available))) if term.inputs is None else list(term.inputs)
            if not chosen or max(chosen) >= len(available):
                raise InputError(
                    f"the loss {term.kind} wants inputs {term.inputs or 'of the network'}, but the network returns "
                    f"{len(available)} of that kind: change losses, or the model's options"
                )
            self._inputs.append(chosen)
            options = dict(term.options)
            _check_options(term.kind, options)
            if term.kind == "weighted_multi_label" and "positive_ratios" not in options:
                if positive_ratios is None:
                    raise InputError("the loss weighted_multi_label needs a data set with attributes, such as pa100k")
                options["positive_ratios"] = positive_ratios
            loss_class = getattr(losses, _CLASSES[term.kind])
            try:
                own = [
                    loss_class(num_classes, available[number].shape[1], **options)
                    if term.kind in _PER_CLASS
                    else loss_class(**options)
                    for number in (chosen if term.kind in _PER_CLASS else chosen[:1])
                ]
            except (TypeError, ValueError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"the loss {term.kind} cannot use its options {options}: {error}") from None
            self.terms.append(nn.ModuleList(own))

    @property
    def names(self) -> list[str]:
        """A name for each term, numbered where a kind comes more than once."""
        kinds = [term.kind for term in self.settings]
        return [
            kind if kinds.count(kind) == 1 else f"{kind}_{kinds[: position + 1].count(kind)}"
            for position, kind in enumerate(kinds)
        ]

    def forward(self, output: ModelOutput, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum, and each term (detached, not weighted) by name.

        Args:
            output: of the network in training mode.
            labels: (B,) int64 classes, or (B, A) float attributes.
        """
        total: Tensor | None = None
        values: dict[str, Tensor] = {}
        for name, term, modules, chosen in zip(self.names, self.settings, self.terms, self._inputs, strict=True):
            assert isinstance(modules, nn.ModuleList)
            available = _inputs(term.kind, output)
            parts = [
                modules[position if len(modules) > 1 else 0](available[number], labels)
                for position, number in enumerate(chosen)
            ]
            value = torch.stack(parts).sum()
            if term.combine == "mean":
                value = value / len(parts)
            values[name] = value.detach()
            total = term.weight * value if total is None else total + term.weight * value
        assert total is not None
        return total, values

    def own_parameters(self) -> list[tuple[LossSettings, list[nn.Parameter]]]:
        """Return the parameters of losses that learn themselves, with their term."""
        return [
            (term, list(modules.parameters()))
            for term, modules in zip(self.settings, self.terms, strict=True)
            if any(True for _ in modules.parameters())
        ]


def _inputs(kind: str, output: ModelOutput) -> tuple[Tensor, ...]:
    if kind in _ON_LOGITS:
        return output.logits
    return output.maps if kind in _ON_MAPS else output.features


def _check_options(kind: str, options: dict[str, Any]) -> None:
    known = [
        name
        for name in inspect.signature(getattr(losses, _CLASSES[kind])).parameters
        if name not in ("num_classes", "dimension")
    ]
    for name in options:
        if name not in known:
            raise InputError(f"the loss {kind} has no option {name!r}: {nearest_name_hint(name, known)}")
