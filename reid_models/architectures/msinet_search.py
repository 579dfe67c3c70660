"""The network that Twins Contrastive Search trains: MSINet with every interaction at every position at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from reid_models.architectures.genotypes import INTERACTIONS, Genotype
from reid_models.architectures.interactions import interaction
from reid_models.architectures.msinet import Embedding, Fusion, MSINet, network_options

__all__ = ["MSINetSearch", "MixedInteraction", "msinet_search"]


class MixedInteraction(nn.Module):
    """All interactions of the search space, weighted by the softmax of the position's architecture parameters (Eq. 1).

    Takes and returns the maps of both branches, (B, channels, H, W) each. The parameters start at zero: equal weights.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.architecture = nn.Parameter(torch.zeros(len(INTERACTIONS)))
        self.operations = nn.ModuleList(interaction(name, channels) for name in INTERACTIONS)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.softmax(self.architecture, dim=0)
        mixed: list[Tensor] = []
        for weight, operation in zip(weights, self.operations, strict=True):
            weighted = [weight * branch for branch in operation(first, second)]
            mixed = [a + b for a, b in zip(mixed, weighted, strict=True)] if mixed else weighted
        return mixed[0], mixed[1]


class MSINetSearch(MSINet):
    """Search network of MSINet (Sec. 3.1, 3.2): images (B, 3, H, W) → embeddings (B, D), in both modes.

    The embedding is that of the neck by default, which the memories' loss takes after L2 normalisation. The paper
    leaves open which side of the neck it is; before the neck every value is positive, and all angles are small.
    """

    def forward(self, images: Tensor) -> Tensor:
        _, features, necked = self.embed(images)
        return torch.cat(features if self.embedding == "before_neck" else necked, dim=1)

    def mixtures(self) -> list[MixedInteraction]:
        """Return the mixtures in the order of a genotype."""
        return [module for module in self.modules() if isinstance(module, MixedInteraction)]

    def architecture_parameters(self) -> list[nn.Parameter]:
        """Return α, one tensor (4,) for each of the 12 positions."""
        return [mixture.architecture for mixture in self.mixtures()]

    def weight_parameters(self) -> list[nn.Parameter]:
        """Return ω: all parameters that are trained and are not architecture parameters."""
        architecture = {id(parameter) for parameter in self.architecture_parameters()}
        return [p for p in self.parameters() if p.requires_grad and id(p) not in architecture]

    @torch.no_grad()
    def interaction_weights(self) -> Tensor:
        """Return the weight of each interaction at each position, (12, 4); rows add up to 1."""
        return torch.softmax(torch.stack([*self.architecture_parameters()]), dim=1)

    def entropy(self) -> float:
        """Return the mean entropy of the positions' weights in nats: log 4 at the start, 0 when all is decided."""
        weights = self.interaction_weights()
        return float(torch.special.entr(weights).sum(dim=1).mean())

    def genotype(self) -> Genotype:
        """Return the interaction with the largest weight at each position, the first of equal ones."""
        return Genotype(tuple(INTERACTIONS[int(index)] for index in self.interaction_weights().argmax(dim=1)))

    def published_key_layouts(self) -> dict[str, Callable[[str], str]]:
        """Return no naming: no search network is published."""
        return {}


def msinet_search(
    *,
    channels: Sequence[int] = (64, 256, 384, 512),
    side_feature: bool = False,
    embedding: Embedding = "after_neck",
    scale_ratio: int = 3,
    fusion: Fusion = "sum",
) -> MSINetSearch:
    """Build the search network; the options are those of :func:`reid_models.architectures.msinet.msinet`.

    Raises:
        InputError: an option that is out of range.
    """
    options = network_options(
        channels=channels,
        side_feature=side_feature,
        embedding=embedding,
        scale_ratio=scale_ratio,
        fusion=fusion,
    )
    return MSINetSearch(lambda _position, width: MixedInteraction(width), **options)
