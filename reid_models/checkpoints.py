"""Weights from files: the published key names of each architecture's original implementation, and our own."""

from __future__ import annotations

import functools
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar as _numpy_scalar
from torch import Tensor, nn

from reid_models.errors import InputError

__all__ = ["LoadReport", "load_checkpoint", "read_description", "read_state_dict", "recognize_architecture"]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "weights")
_PREFIXES = ("module.", "model.")
_SHOWN_KEYS = 3


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What :func:`load_checkpoint` did.

    Args:
        source: file, or "a state dict".
        layout: naming of the keys that was recognised: ``"own"`` or the original implementation's name.
        ignored: keys that were left out: of the classifier, because class counts differ, and of parts that serve
            training alone.
        batch_norm_folded: the file's batch norms are identities folded into the convolutions, so the statistics
            needed for training are lost; the model refuses to be trained.
    """

    source: str
    layout: str
    ignored: tuple[str, ...]
    batch_norm_folded: bool


def load_checkpoint(model: nn.Module, checkpoint: str | os.PathLike[str] | Mapping[str, Any]) -> LoadReport:
    """Load weights into ``model``; the model is left untouched when they do not fit.

    Accepts our own key names and those of the original implementation, with or without ``module.`` in front, bare or
    wrapped as ``{"state_dict": …}``. Only the classifier is ignored, and only where the file has none or another number
    of classes; so are parts that never reach the embedding (MSINet's alignment module), where one side lacks them.
    Files are read with ``weights_only=True``: they cannot run code.

    Args:
        model: built by :func:`reid_models.create_model`.
        checkpoint: file, or a state dict (key → tensor).

    Raises:
        InputError: no such file, no PyTorch checkpoint, keys missing or unexpected or of another shape (the first few
            are named, with their number, and the architecture the file looks like), or weights that are not finite.
    """
    source = "a state dict" if isinstance(checkpoint, Mapping) else str(checkpoint)
    state = read_state_dict(checkpoint)
    own = model.state_dict()
    layout, renamed = _match_layout(model, own, state)
    optional = _OptionalKeys.of(model)
    ignored = [key for key in own if (optional.ours(key) and not _fits(own[key], state.get(renamed[key])))]
    theirs_by_ours = set(renamed.values())
    ignored += [key for key in state if optional.theirs(key) and key not in theirs_by_ours]
    wanted = {key: theirs for key, theirs in renamed.items() if key not in ignored}
    missing = [
        theirs for key, theirs in wanted.items() if theirs not in state and not key.endswith("num_batches_tracked")
    ]
    unexpected = [key for key in state if key not in theirs_by_ours and key not in ignored]
    reshaped = [
        f"{theirs} {tuple(state[theirs].shape)} instead of {tuple(own[key].shape)}"
        for key, theirs in wanted.items()
        if theirs in state and state[theirs].shape != own[key].shape
    ]
    if missing or unexpected or reshaped:
        raise InputError(_mismatch_message(source, model, state, missing, unexpected, reshaped))
    matched = {key: state[theirs] for key, theirs in wanted.items() if theirs in state}
    broken = [key for key, value in matched.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise InputError(
            f"{source} holds values that are not finite in {_first(broken)}: the training it comes from failed"
        )
    model.load_state_dict(matched, strict=False)
    folded = _batch_norm_is_folded(model)
    _forbid_training(model, source if folded else None)
    return LoadReport(source, layout, tuple(ignored), folded)


def read_state_dict(checkpoint: str | os.PathLike[str] | Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by key, out of their wrapper and without ``module.`` in front.

    Raises:
        InputError: no such file, or no PyTorch checkpoint, or one without weights.
    """
    if isinstance(checkpoint, Mapping):
        source, content = "the state dict", checkpoint
    else:
        source, content = str(checkpoint), _read_file(Path(checkpoint))
    for _ in range(2):
        wrapper = next((name for name in _WRAPPERS if isinstance(content.get(name), Mapping)), None)
        if wrapper is None:
            break
        content = content[wrapper]
    state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise InputError(f"{source} holds no weights: give a checkpoint with a state dict of a ReID network")
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def read_description(path: Path) -> dict[str, Any]:
    """Return what our trainer wrote beside the weights: ``architecture``, ``options`` and ``record``; else nothing.

    Raises:
        InputError: no such file, or no PyTorch checkpoint.
    """
    content = _read_file(path)
    if not isinstance(content.get("architecture"), str):
        return {}
    return {key: content[key] for key in ("architecture", "options", "record") if key in content}


def recognize_architecture(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the registered model whose keys and shapes ``state`` has, classifier aside; else ``None``."""
    keys = {key for key in state if not _is_classifier(key)}
    best_share, best_name = 0.9, None
    for name, shapes in _known_shapes():
        same = sum(1 for key in keys if shapes.get(key) == state[key].shape)
        share = same / max(1, len(keys | shapes.keys()))
        if share > best_share:
            best_share, best_name = share, name
    return best_name


@functools.cache
def _known_shapes() -> list[tuple[str, dict[str, torch.Size]]]:
    """Return the keys and shapes of every registered model, in each naming its checkpoints come in."""
    from reid_models.registry import create_model, list_models

    known = []
    for name in list_models():
        with torch.device("meta"):
            model = create_model(name)
        own = model.state_dict()
        known += [(name, {rename(key): own[key].shape for key in own}) for rename in _layouts(model).values()]
    return known


def _read_file(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise InputError(f"the checkpoint {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    # Training scripts keep scores beside the weights as NumPy scalars; these types hold plain numbers only.
    scalars: list[Any] = [np.dtype, _numpy_scalar, type(np.dtype("float64")), type(np.dtype("float32"))]
    advice = "give a file made by torch.save with the state dict of a ReID network"
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"the checkpoint {path} cannot be read: {error.strerror or error}") from None
    try:
        with torch.serialization.safe_globals(scalars):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
        if "Unsupported global" in str(error) or "weights_only" in str(error).split("\n")[0]:
            reason = "it is no PyTorch checkpoint of plain weights"
        else:
            reason = "it is damaged or no PyTorch checkpoint"
        raise InputError(f"the checkpoint {path} cannot be loaded: {reason}; {advice}") from None
    if not isinstance(content, Mapping):
        raise InputError(f"the checkpoint {path} holds {type(content).__name__}, not weights by name; {advice}")
    return content


def _layouts(model: nn.Module) -> dict[str, Callable[[str], str]]:
    published: Callable[[], dict[str, Callable[[str], str]]] | None = getattr(model, "published_key_layouts", None)
    return {"own": lambda key: key, **(published() if published is not None else {})}


def _match_layout(
    model: nn.Module, own: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[str, dict[str, str]]:
    """Return the naming that most keys of the file follow, and our key → the file's key."""
    candidates = {name: {key: rename(key) for key in own} for name, rename in _layouts(model).items()}
    best = max(candidates, key=lambda name: sum(theirs in state for theirs in candidates[name].values()))
    return best, candidates[best]


def _is_classifier(key: str) -> bool:
    return any(part.startswith("classifier") for part in key.split("."))


@dataclass(frozen=True, slots=True)
class _OptionalKeys:
    """Which keys the embedding does not need: those of classifiers and of parts that serve training alone."""

    published_classifiers: tuple[str, ...]
    training_only: tuple[str, ...]

    @classmethod
    def of(cls, model: nn.Module) -> _OptionalKeys:
        return cls(
            tuple(getattr(model, "published_classifier_parts", ())), tuple(getattr(model, "training_only_prefixes", ()))
        )

    def ours(self, key: str) -> bool:
        return _is_classifier(key) or key.startswith(self.training_only)

    def theirs(self, key: str) -> bool:
        return self.ours(key) or any(part in key for part in self.published_classifiers)


def _fits(ours: Tensor, theirs: Tensor | None) -> bool:
    return theirs is not None and ours.shape == theirs.shape


def _first(keys: list[str]) -> str:
    rest = len(keys) - _SHOWN_KEYS
    return ", ".join(keys[:_SHOWN_KEYS]) + (f" and {rest} more" if rest > 0 else "")


def _mismatch_message(
    source: str,
    model: nn.Module,
    state: Mapping[str, Tensor],
    missing: list[str],
    unexpected: list[str],
    reshaped: list[str],
) -> str:
    parts = [
        f"{len(keys)} {word} ({_first(keys)})"
        for word, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if keys
    ]
    looks_like = recognize_architecture(state)
    advice = f"it looks like {looks_like}" if looks_like else "it looks like no network known here"
    return f"{source} does not fit this {type(model).__name__}: keys {', '.join(parts)}; {advice}"


def _batch_norm_is_folded(model: nn.Module) -> bool:
    """Return whether every 2-D batch norm is an identity with a shift that is not zero, as folding leaves it."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    shifted = False
    for norm in norms:
        if norm.running_mean is None or norm.running_var is None:
            return False
        if norm.running_mean.any() or not torch.allclose(norm.weight, torch.ones_like(norm.weight)):
            return False
        if not torch.allclose(norm.running_var + norm.eps, torch.ones_like(norm.running_var), atol=1e-4):
            return False
        shifted = shifted or bool(norm.bias.any())
    return shifted


def _refuse_training(model: nn.Module, _inputs: Any) -> None:
    if model.training:
        raise InputError(
            f"the weights of {model.batch_norm_folded_source} have batch norm folded into the convolutions: they can "
            "be evaluated (model.eval()) but not trained; train from a checkpoint that still has its statistics"
        )


def _forbid_training(model: nn.Module, source: str | None) -> None:
    earlier = getattr(model, "batch_norm_folded_hook", None)
    if earlier is not None:
        earlier.remove()
        del model.batch_norm_folded_hook
    if source is not None:
        object.__setattr__(model, "batch_norm_folded_source", source)
        object.__setattr__(model, "batch_norm_folded_hook", model.register_forward_pre_hook(_refuse_training))
