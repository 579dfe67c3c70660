"""What a recipe says of an architecture search."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reid_models.training.identity_split import SharedImages

__all__ = ["SearchStage"]


class SearchStage(BaseModel):
    """Twins Contrastive Mechanism (MSINet, Sec. 3.1 and 4.2).

    Where the paper is silent, the defaults are the published code's, whose result is the genotype of Table 1.

    Args:
        train_only: share of identities that only the training memory has.
        both: share that both memories have.
        shared_images: images of identities that both have: ``"halved"`` between the sides (the published code) or
            ``"all"`` on both; see :func:`reid_models.training.identity_split.split_identities`.
        architecture_lr: of Adam for the architecture parameters.
        architecture_weight_decay: of the same (the published code).
        architecture_betas: of the same (the published code).
        temperature: of both memories.
        momentum: of both memories.
        memory_start: rows of both memories at first: ``"centroids"`` of the identities' features (the paper) or
            ``"zeros"`` (the published code).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_only: float = Field(default=0.2, ge=0, le=1)
    both: float = Field(default=0.4, ge=0, le=1)
    shared_images: SharedImages = "halved"
    architecture_lr: float = Field(default=0.002, gt=0)
    architecture_weight_decay: float = Field(default=1e-3, ge=0)
    architecture_betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)
    temperature: float = Field(default=0.05, gt=0)
    momentum: float = Field(default=0.2, ge=0, lt=1)
    memory_start: Literal["centroids", "zeros"] = "centroids"
