"""Images to embeddings: architectures, training and ranking; knows nothing of video or tracks.

Nothing is imported until it is asked for, so that ``reid_models.runtimes`` can be used without PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reid_models.checkpoints import load_checkpoint
    from reid_models.registry import create_model, list_models

__all__ = ["create_model", "list_models", "load_checkpoint"]

_MODULES = {
    "create_model": "reid_models.registry",
    "list_models": "reid_models.registry",
    "load_checkpoint": "reid_models.checkpoints",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
