"""What a recipe says of an architecture search."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SearchStage"]


class SearchStage(BaseModel):
    """Twins Contrastive search (MSINet, Sec. 3.2 and 4.1).

    Args:
        train_only: share of identities that only the training memory has.
        both: share that both memories have.
        architecture_lr: of Adam for the architecture parameters.
        temperature: of both memories.
        momentum: of both memories.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_only: float = Field(default=0.2, ge=0, le=1)
    both: float = Field(default=0.4, ge=0, le=1)
    architecture_lr: float = Field(default=0.002, gt=0)
    temperature: float = Field(default=0.05, gt=0)
    momentum: float = Field(default=0.2, ge=0, lt=1)
