"""Twins Contrastive Search: weights learn from one memory of identities, the architecture from another.

Gu et al., "MSINet: Twins Contrastive Search of Multi-Scale Interaction for Object ReID", CVPR 2023, Sec. 3.1 and 4.2.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from reid_models.architectures.genotypes import Genotype
from reid_models.architectures.msinet_search import MSINetSearch
from reid_models.errors import InputError
from reid_models.losses.memory import ClusterMemory
from reid_models.training.identity_split import IdentitySplit, split_identities
from reid_models.training.schedules import ScheduleSettings, WarmUp, learning_rate_factor

__all__ = [
    "ArchitectureSearch",
    "IdentitySplit",
    "SearchReport",
    "SearchSettings",
    "search_architecture",
    "split_identities",
]

#: images (B, 3, H, W) float32, and the row (B,) int64 of each image's identity in the memory of its side
Batch = tuple[Tensor, Tensor]
_FORMAT = "msinet-search-1"


class SearchSettings(BaseModel):
    """How the search runs; the defaults are those of Sec. 3.1 and 4.2, and the published code's where both are silent.

    Args:
        epochs: over the training side.
        learning_rate: of the weights ω, by SGD.
        momentum: of SGD.
        weight_decay: of the weights.
        architecture_learning_rate: of the architecture parameters α, by Adam.
        architecture_weight_decay: of the architecture parameters, added to the gradient (L2); the paper names none, the
            published code, whose result Table 1 prints, has 1e-3.
        architecture_betas: of Adam; the paper names none, the published code has (0.5, 0.999).
        schedule: of both learning rates.
        temperature: τ of both memories (Eq. 2).
        memory_momentum: β of both memories (Eq. 3): the share of the old row that is kept.
        memory_start: rows of the memories at first: the ``"centroids"`` of each identity's features, as Sec. 3.1 says,
            or ``"zeros"``, as the published code has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=350, ge=1)
    learning_rate: float = Field(default=0.025, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    architecture_learning_rate: float = Field(default=0.002, gt=0)
    architecture_weight_decay: float = Field(default=1e-3, ge=0)
    architecture_betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)
    schedule: ScheduleSettings = ScheduleSettings(milestones=(150, 225, 300), warm_up=WarmUp())
    temperature: float = Field(default=0.05, gt=0)
    memory_momentum: float = Field(default=0.2, ge=0, le=1)
    memory_start: Literal["centroids", "zeros"] = "centroids"


@dataclass(frozen=True, slots=True)
class SearchReport:
    """One epoch of a search.

    Args:
        epoch: counted from 0.
        iterations: pairs of batches.
        train_loss: mean loss of the weights (Eq. 2 with the training memory).
        validation_loss: mean loss of the architecture parameters (with the validation memory).
        learning_rate: of the weights.
        architecture_learning_rate: of the architecture parameters.
        genotype: the interactions with the largest weights after the epoch.
        entropy: of the interactions' weights in nats, log 4 at the start, 0 when all is decided.
    """

    epoch: int
    iterations: int
    train_loss: float
    validation_loss: float
    learning_rate: float
    architecture_learning_rate: float
    genotype: Genotype
    entropy: float


class ArchitectureSearch:
    """The alternating updates of weights and architecture parameters, one pair of batches at a time.

    It draws no random numbers: what it was given decides what it finds, and a search that was interrupted between two
    epochs and loaded again goes on as if it had not been.

    Args:
        model: search network, on the device to compute on; it is changed in place.
        train_classes: identities of the training side, rows of its memory.
        validation_classes: identities of the validation side.
        settings: see :class:`SearchSettings`.
    """

    def __init__(
        self, model: MSINetSearch, train_classes: int, validation_classes: int, settings: SearchSettings | None = None
    ) -> None:
        self.model = model.train()
        self.settings = settings or SearchSettings()
        #: epochs that are finished
        self.epoch = 0
        self._weights, self._architecture = model.weight_parameters(), model.architecture_parameters()
        self.weight_optimizer = torch.optim.SGD(
            self._weights,
            lr=self.settings.learning_rate,
            momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay,
        )
        self.architecture_optimizer = torch.optim.Adam(
            self._architecture,
            lr=self.settings.architecture_learning_rate,
            betas=self.settings.architecture_betas,
            weight_decay=self.settings.architecture_weight_decay,
        )
        self._device = self._architecture[0].device
        self._dimension = _embedding_dimension(model)
        self.train_memory = self._memory(train_classes)
        self.validation_memory = self._memory(validation_classes)
        self._set_learning_rates()

    def initialize_memories(self, train_batches: Iterable[Batch], validation_batches: Iterable[Batch]) -> None:
        """Fill both memories with the centroids of the identities' normalised features, normalised again.

        Identities without an image in the batches start at zero. The batch statistics of the network see the images.
        """
        for memory, batches in ((self.train_memory, train_batches), (self.validation_memory, validation_batches)):
            sums = torch.zeros_like(memory.features)
            with torch.no_grad():
                for batch in batches:
                    images, labels = self._checked(batch, memory)
                    sums.index_add_(0, labels, functional.normalize(self.model(images)).to(sums.dtype))
            memory.features.copy_(functional.normalize(sums))

    def step(self, train_batch: Batch, validation_batch: Batch) -> tuple[float, float]:
        """Update the weights by the training loss, then the architecture parameters by the validation loss.

        Args:
            train_batch: images (B, 3, H, W) float32, and the row (B,) int64 of each image's identity in its memory.
            validation_batch: the same of the validation side.

        Returns:
            Both losses, before their updates.

        Raises:
            InputError: labels outside the memory, fewer than two images, or a loss that is not finite; weights and
                memory have not taken the failing batch, but the running statistics of batch norm have.
        """
        train_loss = self._update(train_batch, self.train_memory, self.weight_optimizer, self._weights, "training")
        validation_loss = self._update(
            validation_batch, self.validation_memory, self.architecture_optimizer, self._architecture, "validation"
        )
        return train_loss, validation_loss

    def run_epoch(self, train_batches: Iterable[Batch], validation_batches: Iterable[Batch]) -> SearchReport:
        """Take steps until either side has no more batches, then end the epoch.

        Raises:
            InputError: a side without batches, or what :meth:`step` raises.
        """
        self.model.train()
        self._set_learning_rates()
        losses = [self.step(*pair) for pair in zip(train_batches, validation_batches)]
        if not losses:
            raise InputError(
                f"epoch {self.epoch} of the search has no pair of batches: give more images or a smaller batch"
            )
        train_losses, validation_losses = zip(*losses, strict=True)
        report = SearchReport(
            epoch=self.epoch,
            iterations=len(losses),
            train_loss=sum(train_losses) / len(losses),
            validation_loss=sum(validation_losses) / len(losses),
            learning_rate=self.weight_optimizer.param_groups[0]["lr"],
            architecture_learning_rate=self.architecture_optimizer.param_groups[0]["lr"],
            genotype=self.genotype(),
            entropy=self.model.entropy(),
        )
        self.epoch += 1
        return report

    def genotype(self) -> Genotype:
        """Return the interaction with the largest weight at each position."""
        return self.model.genotype()

    def state_dict(self) -> dict[str, Any]:
        """Return all that a search needs to go on between two epochs: tensors and plain values, for ``torch.save``."""
        return {
            "format": _FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "train_memory": self.train_memory.state_dict(),
            "validation_memory": self.validation_memory.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "architecture_optimizer": self.architecture_optimizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state_dict`; settings may differ in the number of epochs only.

        Raises:
            InputError: the state is that of something else, of other settings, of another network or of other
                identities; the search is unchanged.
        """
        if state.get("format") != _FORMAT:
            raise InputError(f"the state is not that of an architecture search ({_FORMAT}): start a new search")
        ours = self.settings.model_dump(mode="json")
        differing = [name for name in ours if name != "epochs" and ours[name] != state["settings"].get(name)]
        if differing:
            name = differing[0]
            raise InputError(
                f"the search to go on from had {name} = {state['settings'].get(name)!r}, not {ours[name]!r}: "
                "give the same settings or start a new search"
            )
        parts: list[tuple[str, nn.Module]] = [
            ("model", self.model),
            ("train_memory", self.train_memory),
            ("validation_memory", self.validation_memory),
        ]
        for part, module in parts:
            own, theirs = module.state_dict(), state[part]
            if own.keys() != theirs.keys() or any(own[key].shape != theirs[key].shape for key in own):
                what = "network" if part == "model" else "number of identities or length of embedding"
                raise InputError(f"the search to go on from had another {what} ({part}): start a new search")
        for part, module in parts:
            module.load_state_dict(state[part])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.architecture_optimizer.load_state_dict(state["architecture_optimizer"])
        self.epoch = int(state["epoch"])

    def _memory(self, classes: int) -> ClusterMemory:
        memory = ClusterMemory(
            classes, self._dimension, temperature=self.settings.temperature, momentum=self.settings.memory_momentum
        )
        return memory.to(self._device)

    def _set_learning_rates(self) -> None:
        factor = learning_rate_factor(self.settings.schedule, self.epoch, self.settings.epochs)
        for optimizer, base in (
            (self.weight_optimizer, self.settings.learning_rate),
            (self.architecture_optimizer, self.settings.architecture_learning_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = base * factor

    def _update(
        self,
        batch: Batch,
        memory: ClusterMemory,
        optimizer: torch.optim.Optimizer,
        parameters: list[nn.Parameter],
        side: str,
    ) -> float:
        images, labels = self._checked(batch, memory)
        loss = memory(self.model(images), labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"the {side} loss became {value} in epoch {self.epoch} of the search (identities "
                f"{sorted(set(labels.tolist()))[:8]} …): go on from the last state with smaller learning rates"
            )
        optimizer.zero_grad()
        # The other side's parameters get no gradient: they neither move nor cost time.
        loss.backward(inputs=parameters)
        optimizer.step()
        return value

    def _checked(self, batch: Batch, memory: ClusterMemory) -> Batch:
        images, labels = batch
        if len(images) < 2 or len(images) != len(labels):
            raise InputError(
                f"a batch of the search has {len(images)} images and {len(labels)} labels: at least two of each are "
                "needed, and as many labels as images"
            )
        if int(labels.min()) < 0 or int(labels.max()) >= len(memory.features):
            raise InputError(
                f"labels {int(labels.min())} to {int(labels.max())} of a batch do not fit a memory of "
                f"{len(memory.features)} identities: number them as split_identities does"
            )
        return images.to(self._device), labels.to(self._device)


def search_architecture(
    search: ArchitectureSearch,
    batches: Callable[[int], tuple[Iterable[Batch], Iterable[Batch]]],
    *,
    on_epoch: Callable[[SearchReport, ArchitectureSearch], None] | None = None,
    genotype_file: str | os.PathLike[str] | None = None,
) -> Genotype:
    """Run a search to its last epoch, from its first or from where its loaded state ended.

    Args:
        search: fresh or with a loaded state.
        batches: epoch (from 0) → batches of the training and of the validation side. Called once more for epoch 0 when
            the memories start as centroids. To go on exactly, it must give the same batches for the same epoch.
        on_epoch: called after each epoch; it may save ``search.state_dict()``.
        genotype_file: JSON file to write the result to, which ``msinet(genotype=…)`` reads.

    Returns:
        The interactions with the largest weights.

    Raises:
        InputError: batches that cannot be used, a loss that is not finite, or a file that cannot be written.
    """
    if search.epoch == 0 and search.settings.memory_start == "centroids":
        search.initialize_memories(*batches(0))
    while search.epoch < search.settings.epochs:
        report = search.run_epoch(*batches(search.epoch))
        if on_epoch is not None:
            on_epoch(report, search)
    genotype = search.genotype()
    if genotype_file is not None:
        genotype.write(genotype_file)
    return genotype


def _embedding_dimension(model: MSINetSearch) -> int:
    side = 0 if model.side is None else model.neck_side.linear.out_features
    return model.neck.linear.out_features + side
